"""Half an hour of everything at once: `make endure`, or `python -m bench.endure`; `--minutes 3` is a short form.

A gateway of two workers and a mongod, both its own. First, how many requests a second it answers to sixteen clients
that wait: of a hundred, 60 whole customers (W1), 10 of fifty customers (W2), 20 small (W3), 10 changes. Then 70 % of
that, come what may, with fifty listeners, and an import and an export a minute beside it. Last, three times that for a
minute, and how soon it is as before. It prints what failed, the slowest hundredth, minute by minute memory and open
files of each worker, and ends with 1 where something does not hold. The clients are on the same machine.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import fmean, median
from typing import Any, Final

import httpx2

from app.domain.access import Role
from app.store.driver import Store
from app.store.mongod import embedded_mongod
from bench.data import sample
from bench.floods import bearer
from bench.live import Streams, megabytes
from bench.overload import CLIENTS, Client, Result, not_waiting, p99, recovered, request, waiting
from bench.workloads import CUSTOMERS, W1, W2, W3
from tests.support.processes import Gateway
from tests.support.serving import serving, workers_of

DATABASE: Final = "bench_endure"
SHARES: Final = {"w1": 60, "w2": 10, "w3": 20, "change": 10}
PEOPLE, SUBJECTS, LISTENERS, SHARE, TIMES, CAPACITY_SECONDS = 1_000, 40, 50, 0.7, 3, 15
RECOVERS_SECONDS, SLOWER, MORE_MEMORY, MORE_FILES = 5, 1.2, 1.1, 10
"""What holds: back as before within so many seconds, a slowest hundredth of at most so many times that of the first
minutes, memory of at most so many times that of the minutes after them, at most so many open files more."""
IMPORTED: Final = 1_000
EXPORT_SECONDS: Final = 300
NOTE: Final = """mutation($id: ID!, $key: String!) { addNote(input: {customerId: $id, message: "Called back.",
  idempotencyKey: $key}) { activity { id } userErrors { code } } }"""
EXPORT: Final = """mutation($key: String!) { exportCustomers(input: {format: CSV, idempotencyKey: $key}) {
  export { id } userErrors { code } } }"""
LOOK: Final = "query($id: ID!) { node(id: $id) { ... on Export { status rows error } } }"


def mixed(customers: list[tuple[str, str]]) -> Iterator[bytes]:
    """Yields requests without end; each change has a key of its own."""
    random = Random(25)  # noqa: S311 # no secret
    tokens = [bearer(Role.ADMIN, f"s{number}") for number in range(SUBJECTS)]
    kinds, weights, key = [*SHARES], [*SHARES.values()], 0
    while True:
        key += 1
        customer_id, number = random.choice(customers)
        match random.choices(kinds, weights)[0]:
            case "w1":
                asked: tuple[str, Mapping[str, Any]] = W1, {"number": number}
            case "w2":
                asked = W2, {"ids": [each for each, _ in random.sample(customers, CUSTOMERS)]}
            case "w3":
                asked = W3, {"number": number}
            case _:
                asked = NOTE, {"id": customer_id, "key": f"endure {key}"}
        yield request(*asked, tokens[key % SUBJECTS])


class _Refused(Exception):
    """Raised for an answer of errors, with the code of the first."""


@dataclass
class Beside:
    """What happens beside the load: how it ended, and how often."""

    port: int
    uri: str
    folder: Path
    endings: Counter[str] = field(default_factory=Counter[str])

    async def exports(self) -> None:
        """Asks for one after the other, at most one a minute."""
        headers = {"Authorization": f"Bearer {bearer(Role.ADMIN, 'exporter')}"}
        url = f"http://127.0.0.1:{self.port}"
        async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as client:

            async def ask(query: str, **variables: Any) -> Any:
                answer = (await client.post("/graphql", json={"query": query, "variables": variables})).json()
                if "errors" in answer:
                    raise _Refused(answer["errors"][0]["extensions"]["code"])
                (data,) = answer["data"].values()
                return data

            for number in range(1_000):
                begun = time.monotonic()
                try:
                    export_id = (await ask(EXPORT, key=f"endure {number}"))["export"]["id"]
                    status = "QUEUED"
                    for _ in range(EXPORT_SECONDS):
                        status = (await ask(LOOK, id=export_id))["status"]
                        if status not in ("QUEUED", "RUNNING"):
                            break
                        await asyncio.sleep(1)
                    self.endings[f"exports {status}"] += 1
                except _Refused as refused:
                    self.endings[f"exports {refused}"] += 1
                except (httpx2.HTTPError, TypeError) as failed:  # no answer, or one of userErrors
                    self.endings[f"exports {type(failed).__name__}"] += 1
                await asyncio.sleep(max(1, begun + 60 - time.monotonic()))

    async def imports(self) -> None:
        """Imports a file of new customers and what happened to them, at most one a minute."""
        environment = os.environ | {"MONGODB_URI": self.uri, "MONGODB_DATABASE": DATABASE}
        for number in range(1_000):
            begun = time.monotonic()
            file = self.folder / "lines.ndjson"
            file.write_text("".join(f"{json.dumps(line)}\n" for line in lines(number)))
            command = [sys.executable, "-m", "app", "import", str(file)]
            running = await asyncio.create_subprocess_exec(
                *command, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
            try:
                self.endings["imports done" if await running.wait() == 0 else "imports failed"] += 1
            except asyncio.CancelledError:
                with suppress(ProcessLookupError):
                    running.kill()
                await running.wait()
                raise
            await asyncio.sleep(max(1, begun + 60 - time.monotonic()))


def lines(turn: int) -> Iterator[Mapping[str, Any]]:
    """Yields the lines of an import: new customers, and an activity of each."""
    for number in range(turn * IMPORTED, (turn + 1) * IMPORTED, 2):
        of = {"source": "endure", "id": f"E-{number}"}
        at = "2026-01-30T09:00:00Z"
        yield {"kind": "customer", **of, "number": f"E-{number}", "name": f"Nora Berg {number}", "registeredAt": at}
        yield {"kind": "activity", "source": "endure", "id": f"A-{number}", "customer": of, "type": "BIRTHDAY"} | {
            "occurredAt": at
        }


@dataclass(frozen=True, slots=True)
class Taken:
    """What the workers hold: their memory in MB, and their open files."""

    memory: list[float]
    files: list[int]

    @classmethod
    def by(cls, gateway: Gateway) -> "Taken":
        workers = sorted(workers_of(gateway))
        files = [len([*Path(f"/proc/{worker}/fd").iterdir()]) for worker in workers]
        return cls([megabytes(worker) for worker in workers], files)

    def __str__(self) -> str:
        memory, files = " and ".join(f"{each:.0f}" for each in self.memory), " and ".join(map(str, self.files))
        return f"{memory} MB, {files} files"


def failures(results: list[Result]) -> Counter[str]:
    return sum((result.endings for result in results), Counter[str]()) - Counter({"good": sys.maxsize})


def said(log: Path) -> Counter[str]:
    """Returns what the gateway logged that is more than information, by what it is."""
    counted = Counter[str]()
    for line in log.read_text().splitlines():
        with suppress(ValueError):
            said: dict[str, Any] = json.loads(line)
            if said.get("level") in ("warning", "error", "critical"):
                counted[" ".join(str(said[key]) for key in ("event", "field", "fault") if said.get(key))] += 1
    return counted


def judged(by_minute: list[Result], taken: list[Taken], span: int) -> dict[str, bool]:
    """Returns what is to hold of a run, and whether it does.

    Connections come and go, so what the workers hold is the mean of some minutes: of the last, and of as many once
    everything had begun.
    """
    warm, end = taken[span : 2 * span], taken[-span:]
    memory, more_memory = (fmean(sum(each.memory) for each in minutes) for minutes in (warm, end))
    files, more_files = (fmean(sum(each.files) for each in minutes) for minutes in (warm, end))
    print(f"memory from {memory:.0f} to {more_memory:.0f} MB, open files from {files:.0f} to {more_files:.0f}")
    return {
        "no errors": not failures(by_minute),
        "as fast at the end": p99(by_minute[-span:]) <= SLOWER * p99(by_minute[:span]),
        "memory is flat": more_memory <= MORE_MEMORY * memory,
        "open files are flat": more_files <= files + MORE_FILES,
    }


async def measure(gateway: Gateway, uri: str, folder: Path, *, minutes: int) -> bool:
    async with Store.open(uri, DATABASE) as store:
        found = await store.find("customers", {"status": "ACTIVE"}, fields={"number": 1}, sort={"_id": 1})
    customers = [(each["_id"], each["number"]) for each in found]
    client, listening = Client(gateway.port, mixed(customers)), Streams(gateway.port)
    await waiting(client, 5)
    capacity = (await waiting(client, CAPACITY_SECONDS)).endings["good"] / CAPACITY_SECONDS
    a_second = SHARE * capacity
    print(
        f"{CLIENTS} that wait: {capacity:.0f} a second. From here on {a_second:.0f}, for {minutes} minutes.", flush=True
    )
    tasks = set[asyncio.Task[None]]()

    def begin(work: Coroutine[Any, Any, None]) -> None:
        tasks.add(asyncio.create_task(work))

    beside = Beside(gateway.port, uri, folder)
    for number in range(LISTENERS):
        begin(listening.listen(customers[number][0], bearer(Role.ADMIN, f"l{number % SUBJECTS}")))
    begin(beside.exports())
    begin(beside.imports())
    by_minute, taken = list[Result](), [Taken.by(gateway)]
    for minute in range(minutes):
        by_minute.append(await not_waiting(client, a_second, 60))
        taken.append(Taken.by(gateway))
        print(f"{minute + 1:4} {by_minute[-1]}; {taken[-1]}", flush=True)
    span = min(5, max(1, minutes // 3))
    first, last = by_minute[:span], by_minute[-span:]
    print(f"p99 of the first {span} minutes {p99(first):.0f} ms, of the last {p99(last):.0f} ms")
    print(f"failed: {dict(failures(by_minute)) or 'nothing'}")
    print(
        f"beside it: {dict(beside.endings)}; streams: {len(listening.cursors)}, ended {dict(listening.ends) or 'none'}"
    )
    print(f"logged by then: {dict(said(folder / 'gateway.log')) or 'nothing but information'}")
    held = judged(by_minute, taken, span)
    held["imports and exports"] = set(beside.endings) <= {"imports done", "exports DONE"}

    usual = median(by_minute[-1].taken)
    much = await not_waiting(client, TIMES * a_second, 60)
    print(f"{TIMES} times as many: {much}")
    back = await recovered(client, usual)
    print(f"as before after {back:.1f} s; {Taken.by(gateway)}")
    print(f"logged in all: {dict(said(folder / 'gateway.log')) or 'nothing but information'}")
    shed = {"503 OVERLOADED", "429 RATE_LIMITED", "503 UNAVAILABLE", "503 DEADLINE_EXCEEDED", "200 DEADLINE_EXCEEDED"}
    held |= {"it recovers": back <= RECOVERS_SECONDS, "it sheds": set(failures([much])) <= shed}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    client.close()
    print(*(f"{'holds' if holds else 'DOES NOT HOLD':14} {what}" for what, holds in held.items()), sep="\n")
    return all(held.values())


def main() -> None:
    options = argparse.ArgumentParser(description="Half an hour of everything at once.")
    options.add_argument("--minutes", type=int, default=30)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="endure-") as name, embedded_mongod(Path(name, "mongodb")) as uri:
        folder = Path(name)
        asyncio.run(sample(uri, DATABASE, customers=PEOPLE))
        with serving(uri, DATABASE, folder, workers=2, CHANGES_PER_MINUTE="1000000") as gateway:
            held = asyncio.run(measure(gateway, uri, folder, minutes=given.minutes))
    raise SystemExit(0 if held else 1)


if __name__ == "__main__":
    main()
