"""Restarts under load: `python -m tests.faults.restarts`. How many requests were dropped over ten, by real processes.

`serve --workers 2` is told SIGHUP, which replaces its workers one by one, while clients ask without pause: some on
connections that they keep, some on a new one each time. Dropped is whatever is no answer to what was asked, and each
answer to a probe that says that nobody is ready.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx2

from app.domain.access import Role
from app.http.tokens import issue
from app.store import indexes
from app.store.driver import Store
from app.store.mongod import embedded_mongod
from tests.support.processes import START_SECONDS, Gateway, free_ports, within

SECRET: Final = "a secret of the restarts, 32 bytes at least"
ISSUER: Final = "https://restarts.example"
ASKED: Final = {"query": '{ viewer { name } node(id: "cus_nobody") { id } }'}
ANSWER: Final = {"viewer": {"name": "Rita"}, "node": None}
DRAIN_SECONDS: Final = 1
BETWEEN_SECONDS: Final = 0.03
UNTIL_IT_SERVES_SECONDS: Final = 180
"""Two processes begin, on a machine that may be busy."""


@dataclass
class Told:
    answers: int = 0
    probes: int = 0
    dropped: Counter[str] = field(default_factory=Counter[str])
    longest: float = 0


@contextmanager
def serving(
    uri: str, database: str, folder: Path, *, workers: int, cost_per_minute: str | None = "1000000000"
) -> Generator[Gateway]:
    """`serve` with so many workers, once it lives. ``cost_per_minute``: None for what it ships with."""
    (port,) = free_ports(1)
    environment = {
        "MONGODB_URI": uri,
        "MONGODB_DATABASE": database,
        "JWT_SECRET": SECRET,
        "JWT_ISSUER": ISSUER,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "LOG_LEVEL": "INFO",
        "DRAIN_SECONDS": str(DRAIN_SECONDS),
        **({"COST_PER_MINUTE": cost_per_minute} if cost_per_minute else {}),
    }
    command = [sys.executable, "-m", "app", "serve", *(["--workers", str(workers)] if workers > 1 else [])]
    gateway = Gateway(command, folder / "gateway.log", environment, port=port)
    gateway.start()
    try:
        within(UNTIL_IT_SERVES_SECONDS, gateway.lives, "a gateway")
        if workers > 1:
            within(START_SECONDS, lambda: len(workers_of(gateway)) == workers, f"{workers} workers")
        yield gateway
    finally:
        end(gateway)


def end(gateway: Gateway) -> int | None:
    """As whoever deploys does it; its exit code. None if it must be killed."""
    running = gateway.running
    if running is None:
        return None
    workers = workers_of(gateway)
    running.terminate()
    try:
        return running.wait(timeout=40)
    except subprocess.TimeoutExpired:
        return None
    finally:
        gateway.kill()
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def workers_of(gateway: Gateway) -> set[int]:
    """The processes that serve: those of its children that multiprocessing has spawned."""
    assert gateway.running
    listed = subprocess.run(["ps", "-axwwo", "pid=,ppid=,command="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return {int(row[0]) for row in rows if int(row[1]) == gateway.running.pid and "spawn_main" in row[2]}


def bearer() -> str:
    return issue(
        SECRET,
        issuer=ISSUER,
        audience="customer-gateway",
        roles=[Role.ADMIN],
        subject="rita",
        name="Rita",
        lifetime=timedelta(hours=1),
    )


async def load(url: str, until: asyncio.Event, told: Told, *, keeps: bool) -> None:
    headers = {"Authorization": f"Bearer {bearer()}", **({} if keeps else {"Connection": "close"})}
    async with httpx2.AsyncClient(timeout=20, trust_env=False, headers=headers) as client:
        while not until.is_set():
            start = time.monotonic()
            try:
                response = await client.post(f"{url}/graphql", json=ASKED)
                if response.status_code == 200 and response.json()["data"] == ANSWER:
                    told.answers += 1
                else:
                    told.dropped[f"{response.status_code} {response.text[:200]}"] += 1
            except httpx2.HTTPError as failed:
                told.dropped[f"{type(failed).__name__}, {'kept' if keeps else 'new'} connection: {failed}"] += 1
            told.longest = max(told.longest, time.monotonic() - start)
            await asyncio.sleep(BETWEEN_SECONDS)


async def probe(url: str, until: asyncio.Event, told: Told, *, keeps: bool) -> None:
    """As a load balancer asks whether the gateway is ready, only more often."""
    headers = {} if keeps else {"Connection": "close"}
    async with httpx2.AsyncClient(timeout=20, trust_env=False, headers=headers) as client:
        while not until.is_set():
            try:
                response = await client.get(f"{url}/readyz")
                if response.status_code == 200:
                    told.probes += 1
                else:
                    told.dropped[f"{response.status_code} to a probe: {response.text[:200]}"] += 1
            except httpx2.HTTPError as failed:
                told.dropped[f"{type(failed).__name__} to a probe, {'kept' if keeps else 'new'} connection"] += 1
            await asyncio.sleep(BETWEEN_SECONDS)


async def restart(gateway: Gateway, *, times: int, clients: int = 6) -> Told:
    """Every worker is replaced so many times."""
    told, until = Told(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for number in range(clients):
            tasks.create_task(load(gateway.url, until, told, keeps=number % 2 == 0))
            tasks.create_task(probe(gateway.url, until, told, keeps=number % 2 == 0))
        try:
            await asyncio.sleep(1)
            for _ in range(times):
                before = workers_of(gateway)
                assert gateway.running
                gateway.running.send_signal(signal.SIGHUP)
                await asyncio.to_thread(within, 120, lambda before=before: replaced(gateway, before), "other workers")
                await asyncio.sleep(0.5)
        finally:
            until.set()
    return told


def replaced(gateway: Gateway, before: set[int]) -> bool:
    now = workers_of(gateway)
    return len(now) == len(before) and not now & before


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--times", type=int, default=10)
    times: int = arguments.parse_args().times
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, embedded_mongod(Path(".data/restarts")) as uri:

        async def prepare() -> None:
            async with Store.open(uri, "restarts") as store:
                await indexes.apply(store)

        asyncio.run(prepare())
        with serving(uri, "restarts", Path(folder), workers=2) as gateway:
            told: Any = asyncio.run(restart(gateway, times=times))
    print(f"{times} restarts of 2 workers in {time.monotonic() - began:.0f} s: {told.answers:,} answers,")
    print(f"{told.probes:,} good probes, {sum(told.dropped.values())} dropped; the longest took {told.longest:.2f} s")
    for what, count in told.dropped.most_common():
        print(f"{count:6} {what}")


if __name__ == "__main__":
    main()
