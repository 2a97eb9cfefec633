"""Restarts under load: `python -m tests.faults.restarts`. How many requests were dropped over ten, by real processes.

`serve --workers 2` gets SIGHUP, which replaces its workers one by one, while clients ask without pause: some on
connections that they keep, some on a new one each time. Dropped is whatever is no answer to what was asked, and each
answer to a probe that says that nobody is ready.
"""

import argparse
import asyncio
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from app.store import indexes
from app.store.driver import Store
from app.store.mongod import embedded_mongod
from tests.support.processes import Gateway, within
from tests.support.serving import ANSWER, ASKED, bearer, serving, workers_of

BETWEEN_SECONDS: Final = 0.03


@dataclass
class Counts:
    answers: int = 0
    probes: int = 0
    dropped: Counter[str] = field(default_factory=Counter[str])
    longest: float = 0


async def load(url: str, until: asyncio.Event, counts: Counts, *, keeps: bool) -> None:
    headers = {"Authorization": f"Bearer {bearer()}", **({} if keeps else {"Connection": "close"})}
    async with httpx2.AsyncClient(timeout=20, trust_env=False, headers=headers) as client:
        while not until.is_set():
            start = time.monotonic()
            try:
                response = await client.post(f"{url}/graphql", json=ASKED)
                if response.status_code == 200 and response.json()["data"] == ANSWER:
                    counts.answers += 1
                else:
                    counts.dropped[f"{response.status_code} {response.text[:200]}"] += 1
            except httpx2.HTTPError as failed:
                counts.dropped[f"{type(failed).__name__}, {'kept' if keeps else 'new'} connection: {failed}"] += 1
            counts.longest = max(counts.longest, time.monotonic() - start)
            await asyncio.sleep(BETWEEN_SECONDS)


async def probe(url: str, until: asyncio.Event, counts: Counts, *, keeps: bool) -> None:
    """Asks whether the gateway is ready, as a load balancer does, only more often."""
    headers = {} if keeps else {"Connection": "close"}
    async with httpx2.AsyncClient(timeout=20, trust_env=False, headers=headers) as client:
        while not until.is_set():
            try:
                response = await client.get(f"{url}/readyz")
                if response.status_code == 200:
                    counts.probes += 1
                else:
                    counts.dropped[f"{response.status_code} to a probe: {response.text[:200]}"] += 1
            except httpx2.HTTPError as failed:
                counts.dropped[f"{type(failed).__name__} to a probe, {'kept' if keeps else 'new'} connection"] += 1
            await asyncio.sleep(BETWEEN_SECONDS)


async def restart(gateway: Gateway, *, times: int, clients: int = 6) -> Counts:
    """Replaces every worker ``times`` times under load, and counts what clients get."""
    counts, until = Counts(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for number in range(clients):
            tasks.create_task(load(gateway.url, until, counts, keeps=number % 2 == 0))
            tasks.create_task(probe(gateway.url, until, counts, keeps=number % 2 == 0))
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
    return counts


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
            counts: Any = asyncio.run(restart(gateway, times=times))
    print(f"{times} restarts of 2 workers in {time.monotonic() - began:.0f} s: {counts.answers:,} answers,")
    print(f"{counts.probes:,} good probes, {counts.dropped.total()} dropped; the longest took {counts.longest:.2f} s")
    for what, count in counts.dropped.most_common():
        print(f"{count:6} {what}")


if __name__ == "__main__":
    main()
