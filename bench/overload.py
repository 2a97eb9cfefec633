"""Three times the load that it can bear: `python -m bench.overload`, with a gateway process and a mongod of its own.

First, how many customers a second it shows to clients that wait for each answer. Then three times as many are asked
for, whether or not answers come, by clients that give up after 5 s. Last, one client asks on: how soon is it answered
as in quiet times? About a minute. The gateway has a core to itself where the system can pin it (Linux).
"""

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

from app.demo.sample.seed import seed
from app.store import indexes
from app.store.driver import Store
from app.store.mongod import embedded_mongod
from tests.support.serving import bearer, serving

CUSTOMER = """query($id: ID!) { customer(by: {id: $id}) {
  number name email status points { spendable pending }
  activities(first: 20) { nodes { type title occurredAt message source } }
  pointsHistory(first: 10) { nodes { points occurredAt } } coupons(first: 10) { nodes { code redeemed } } } }"""
SECONDS, TIMES, CLIENTS, GIVES_UP = 10, 3, 16, 5
DATABASE = "bench_overload"


@dataclass
class Result:
    """How requests ended, and how long the good ones took."""

    endings: Counter[str] = field(default_factory=Counter[str])
    taken: list[float] = field(default_factory=list[float])

    def __str__(self) -> str:
        good = sorted(self.taken)
        quantiles = f"median {statistics.median(good) * 1000:.0f} ms, p99 {good[int(len(good) * 0.99)] * 1000:.0f} ms"
        return f"{', '.join(f'{count:,} {what}' for what, count in self.endings.most_common())}; good: {quantiles}"


def p99(results: list[Result]) -> float:
    """Returns the slowest hundredth of the good answers of all, in milliseconds."""
    taken = [seconds for result in results for seconds in result.taken]
    return statistics.quantiles(taken, n=100)[98] * 1_000


def request(query: str, variables: Mapping[str, Any], token: str) -> bytes:
    body = json.dumps({"query": query, "variables": variables}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Client:
    """Keeps its connections. A client of its own, since the usual ones cannot ask as fast as we answer."""

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self._port, self._free = port, list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()
        self._requests = requests

    async def ask(self, result: Result) -> None:
        sent, start = next(self._requests), time.monotonic()
        try:
            async with asyncio.timeout(GIVES_UP):
                status, body = await self._answer(sent)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as failed:
            result.endings[type(failed).__name__] += 1
            return
        if status == 200 and b'"userErrors":[{' in body:
            result.endings["user error"] += 1
        elif status == 200 and b'"errors"' not in body:
            result.endings["good"] += 1
            result.taken.append(time.monotonic() - start)
        else:
            codes = {error["extensions"]["code"] for error in json.loads(body)["errors"]}
            result.endings[f"{status} {', '.join(sorted(codes))}"] += 1

    async def _answer(self, request: bytes) -> tuple[int, bytes]:
        while self._free:
            reader, writer = self._free.pop()
            if not reader.at_eof():
                break
            writer.close()  # the gateway has closed it meanwhile, as it does with one that nobody uses
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
        except BaseException:
            writer.close()
            raise
        self._free.append((reader, writer))
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        for _, writer in self._free:
            writer.close()


async def waiting(client: Client, seconds: float, clients: int = CLIENTS) -> Result:
    result, until = Result(), time.monotonic() + seconds

    async def one() -> None:
        while time.monotonic() < until:
            await client.ask(result)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(clients):
            tasks.create_task(one())
    return result


async def not_waiting(client: Client, a_second: float, seconds: float) -> Result:
    result, start, sent = Result(), time.monotonic(), 0
    async with asyncio.TaskGroup() as tasks:
        while (elapsed := time.monotonic() - start) < seconds:
            for _ in range(int(elapsed * a_second) - sent):
                tasks.create_task(client.ask(result))
                sent += 1
            await asyncio.sleep(0.005)
    return result


async def recovered(client: Client, usual: float) -> float:
    """Seconds until three answers in a row came as in quiet times."""
    start, row = time.monotonic(), 0
    while row < 3:
        result = Result()
        await client.ask(result)
        row = row + 1 if result.taken and result.taken[0] < 2 * usual else 0
        if time.monotonic() - start > 60:
            raise TimeoutError("It did not recover within a minute.")
    return time.monotonic() - start


async def measure(port: int, customer_ids: list[str]) -> None:
    client = Client(port, cycle([request(CUSTOMER, {"id": each}, bearer()) for each in customer_ids]))
    warm = await waiting(client, 3)
    assert warm.endings.keys() == {"good"}, warm.endings
    usual = statistics.median((await waiting(client, 2, clients=1)).taken)
    bears = await waiting(client, SECONDS)
    bearable = bears.endings["good"] / SECONDS
    print(f"alone                 {usual * 1000:.1f} ms")
    print(f"{CLIENTS} that wait         {bearable:.0f} good a second: {bears}")
    much = await not_waiting(client, TIMES * bearable, SECONDS)
    good = much.endings["good"] / SECONDS
    print(f"{TIMES} times as many       {good:.0f} good a second, {good / bearable:.0%} of that: {much}")
    print(f"as in quiet times     {await recovered(client, usual):.2f} s later")
    client.close()


async def prepared(uri: str) -> list[str]:
    async with Store.open(uri, DATABASE) as store:
        await store.drop()
        await indexes.apply(store)
        await seed(store, customers=200, now=datetime.now(UTC))
        return [row["_id"] for row in await store.find("customers", {}, fields={"_id": 1})]


def main() -> None:
    pins = hasattr(os, "sched_setaffinity") and os.sched_getaffinity(0) >= {0, 1}
    if pins:
        os.sched_setaffinity(0, {0})  # and all that we start
    with tempfile.TemporaryDirectory() as folder, embedded_mongod(Path(".data/bench")) as uri:
        customer_ids = asyncio.run(prepared(uri))
        with serving(uri, DATABASE, Path(folder), workers=1) as gateway:
            if pins and gateway.running:
                for thread in Path(f"/proc/{gateway.running.pid}/task").iterdir():
                    os.sched_setaffinity(int(thread.name), {1})
            asyncio.run(measure(gateway.port, customer_ids))


if __name__ == "__main__":
    main()
