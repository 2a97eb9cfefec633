"""How long a change takes to whoever listens: `python -m bench.live`, with a process and a mongod of its own.

A thousand streams of as many customers, by server-sent events, and fifty changes a second that another process would
make: past the gateway, by the door for writes. From just before the commit to the client, whose clock is the same.
Beside it W1, with streams and without. What the client and the database take of the two cores is part of the figures.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

from app.domain.access import Role
from app.services.changes import activity_of
from app.services.writing import CustomerRows, change_customers
from app.store.driver import Store
from app.store.mongod import embedded_mongod
from bench.data import sample
from bench.floods import bearer
from bench.workloads import W1
from tests.support.serving import serving

DATABASE: Final = "bench_live"
W1_SECONDS: Final = 10
RANDOM: Final = Random(22)  # noqa: S311 # no secret
SUBJECTS: Final = 100
"""Each has ten streams, as many as one may have."""
LIVE: Final = """subscription($id: ID!, $after: String) {
    customerActivity(customerId: $id, after: $after) { kind cursor activity { id title } }
}"""
ACTOR: Final = {"kind": "SYSTEM", "name": "System"}


class Streams:
    """The streams, and when each activity was heard of."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.heard: dict[str, float] = {}
        self.cursors: dict[str, str] = {}
        """Of each customer whose stream began: that of the last event."""
        self.ends = Counter[str]()

    async def listen(self, customer_id: str, token: str) -> None:
        """Listens; comes back with the last cursor, as clients do, where the gateway refuses or ends a stream."""
        while True:
            self.ends[await self._listen(customer_id, token)] += 1
            await asyncio.sleep(RANDOM.uniform(1, 3))

    async def _listen(self, customer_id: str, token: str) -> str:
        """Returns the code with which it ended."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        variables = {"id": customer_id, "after": self.cursors.get(customer_id)}
        body = json.dumps({"query": LIVE, "variables": variables}).encode()
        head = (
            f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            f"Accept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        try:
            if b" 503 " in await reader.readline():
                return "503"
            while line := await reader.readline():
                if not line.startswith(b"data: "):
                    continue
                now = time.perf_counter()
                response: Any = json.loads(line.removeprefix(b"data: "))
                if response.get("data") is None:
                    return response["errors"][0]["extensions"]["code"]
                event = response["data"]["customerActivity"]
                self.cursors[customer_id] = event["cursor"]
                if event["activity"]:
                    self.heard[event["activity"]["id"]] = now
            return "the connection"
        finally:
            writer.close()


async def write(store: Store, customers: list[str], *, per_second: int, seconds: float) -> dict[str, float]:
    """Returns when each activity was about to be committed, by its id."""
    committing: dict[str, float] = {}
    under_way = set[asyncio.Task[None]]()

    async def one(customer_id: str) -> None:
        now = datetime.now(UTC)
        activity = activity_of(customer_id, "SUBSCRIPTION_RENEWED", ACTOR, now)

        async def body(rows: CustomerRows) -> None:
            await rows.lock(customer_id)
            rows.insert("activities", [activity])
            committing[activity["_id"]] = time.perf_counter()

        await change_customers(store, body, now=now)

    began = time.perf_counter()
    for number in range(int(per_second * seconds)):
        await asyncio.sleep(max(0, began + number / per_second - time.perf_counter()))
        task = asyncio.create_task(one(RANDOM.choice(customers)))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    return committing


async def whole_customers(port: int, numbers: list[str], seconds: float) -> float:
    """Returns how many whole customers a second were answered, two at a time."""
    done, until = 0, time.monotonic() + seconds
    token = bearer(Role.ADMIN, "w1")

    async def ask(turn: int) -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < until:
            number = numbers[(done * 2 + turn) % len(numbers)]
            body = json.dumps({"query": W1, "variables": {"number": number}}).encode()
            head = f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            assert b'"errors"' not in await reader.readexactly(length)
            done += 1
        writer.close()

    await asyncio.gather(ask(0), ask(1))
    return done / seconds


def megabytes(pid: int | None) -> float:
    """Returns what a process holds in memory now, on Linux."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (resident,) = (line.split()[1] for line in lines if line.startswith("VmRSS:"))
    return int(resident) * 1_024 / 1_000_000


def processor_seconds(pid: int | None) -> float:
    """Returns the processor time that a process took so far, on Linux."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def measure(port: int, pid: int | None, uri: str, *, streams: int, per_second: int, seconds: float) -> None:
    async with Store.open(uri, DATABASE) as store:
        found = await store.find("customers", {}, fields={"number": 1}, limit=streams, sort={"_id": 1})
        customers, numbers = [each["_id"] for each in found], [each["number"] for each in found]

        async def w1() -> tuple[float, float]:
            """Returns W1 a second: while nothing else happens, and beside the changes."""
            quiet = await whole_customers(port, numbers, W1_SECONDS)
            changing = asyncio.create_task(write(store, customers, per_second=per_second, seconds=W1_SECONDS))
            beside = await whole_customers(port, numbers, W1_SECONDS)
            await changing
            return quiet, beside

        without = [await w1()]
        listening = Streams(port)
        tasks = [
            asyncio.create_task(listening.listen(customer_id, bearer(Role.ADMIN, f"s{number % SUBJECTS}")))
            for number, customer_id in enumerate(customers)
        ]
        began = time.monotonic()
        while len(listening.cursors) < len(customers):  # many change it
            assert time.monotonic() - began < 120, "the streams did not begin"
            await asyncio.sleep(0.1)
        print(
            f"{len(customers)} streams at once: all began within {time.monotonic() - began:.1f} s; "
            f"{listening.ends['503']} were refused with 503 and came back."
        )
        beside = await w1()
        took, memory = processor_seconds(pid), [megabytes(pid)]
        committing: dict[str, float] = {}
        minutes = max(1, round(seconds / 60))
        for _ in range(minutes):
            committing |= await write(store, customers, per_second=per_second, seconds=seconds / minutes)
            memory.append(megabytes(pid))
        took = processor_seconds(pid) - took
        await asyncio.sleep(7)
        ends = listening.ends - Counter({"503": listening.ends["503"]})
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(2)
        without.append(await w1())
    delays = sorted(listening.heard[each] - at for each, at in committing.items() if each in listening.heard)
    hundredths = statistics.quantiles(delays, n=100)
    print(f"Streams that ended, and came back: {dict(ends) or 'none'}.")
    print(f"Memory of the gateway, minute by minute: {', '.join(f'{each:.0f}' for each in memory)} MB.")
    print("| streams | changes/s | heard | p50 | p99 | longest | processor of the gateway |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print(
        f"| {streams} | {len(committing) / seconds:.0f} | {len(delays)} of {len(committing)} | "
        f"{1_000 * hundredths[49]:.0f} ms | {1_000 * hundredths[98]:.0f} ms | {1_000 * delays[-1]:.0f} ms | "
        f"{100 * took / seconds:.0f} % |"
    )
    print("| W1 a second | without streams, before and after | with streams |")
    print("| --- | --- | --- |")
    for name, which in (("nothing else", 0), (f"{per_second} changes a second", 1)):
        print(f"| {name} | {without[0][which]:.0f}, {without[1][which]:.0f} | {beside[which]:.0f} |")


def main() -> None:
    options = argparse.ArgumentParser(description="How long a change takes to whoever listens.")
    options.add_argument("--streams", type=int, default=1_000)
    options.add_argument("--changes", type=int, default=50, help="a second")
    options.add_argument("--seconds", type=float, default=60)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, embedded_mongod(Path(folder, "mongodb")) as uri:
        asyncio.run(sample(uri, DATABASE, customers=given.streams))
        with serving(uri, DATABASE, Path(folder), workers=1) as gateway:
            pid = gateway.running.pid if gateway.running else None
            rates = {"streams": given.streams, "per_second": given.changes, "seconds": given.seconds}
            asyncio.run(measure(gateway.port, pid, uri, **rates))


if __name__ == "__main__":
    main()
