"""What one token, or none, can take of a gateway: `python -m bench.floods`, with a process and a mongod of its own.

Its memory, and how long a bystander waits, who sends a document that is new each time, while one customer's token sends
texts that take 100 ms to check over 250 connections; while 10,000 different valid texts come; while heads, bodies and
connections without a token do not end; and how often the database is asked while `/metrics` is asked for. Each once as
it ships, and the texts also with COST_PER_MINUTE out of the way, so that queues and caches are alone. Two minutes.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient

from app.demo.sample.seed import seed
from app.domain.access import Role
from app.http.tokens import issue
from app.store import indexes
from app.store.driver import Store
from app.store.mongod import embedded_mongod
from tests.support.serving import ISSUER, SECRET, serving

DATABASE: Final = "bench_floods"
CONNECTIONS: Final = 250
SECONDS: Final = 10
GIVES_UP: Final = 40
LEAVES: Final = "id number name firstName lastName email website country status tags"


def bearer(role: Role, subject: str, customer_id: str | None = None) -> str:
    return issue(
        SECRET,
        roles=[role],
        subject=subject,
        name=subject,
        customer_id=customer_id,
        issuer=ISSUER,
        audience="customer-gateway",
        lifetime=timedelta(hours=1),
    )


def hard(number: int) -> str:
    """A valid text of some 9 kB that takes about 100 ms to check, unlike any other."""
    groups = " ".join(f'a{n}: customer(by: {{id: "cus_{number}"}}) {{ {f"{LEAVES} " * 11} }}' for n in range(9))
    return f"query Q{number} {{ {groups} }}"


def small(number: int) -> str:
    customer = f"{LEAVES} activities {{ nodes {{ id type }} }}"
    return f'query Q{number} {{ customer(by: {{id: "cus_{number}"}}) {{ {customer} }} }}'


def request(query: str, token: str) -> bytes:
    body = json.dumps({"query": query}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Result:
    endings: Counter[str] = field(default_factory=Counter[str])
    taken: list[float] = field(default_factory=list[float])

    def __str__(self) -> str:
        ended = ", ".join(f"{count:,} {what}" for what, count in self.endings.most_common(4))
        if not self.taken:
            return ended
        return f"{ended}; median {statistics.median(self.taken):.2f} s, longest {max(self.taken):.2f} s"


class Connection:
    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, sent: bytes, result: Result) -> None:
        start = time.monotonic()
        try:
            async with asyncio.timeout(GIVES_UP):
                if self._streams is None:
                    self._streams = await asyncio.open_connection("127.0.0.1", self._port)
                reader, writer = self._streams
                writer.write(sent)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as failed:
            result.endings[type(failed).__name__] += 1
            self._streams = None
            return
        result.taken.append(time.monotonic() - start)
        codes = (
            {error["extensions"]["code"] for error in json.loads(body).get("errors", ())} if b"errors" in body else ()
        )
        result.endings[", ".join(sorted(codes)) or "answered"] += 1


async def texts(
    port: int, make: Callable[[int], str], token: str, result: Result, *, most: int, seconds: float, connections: int
) -> None:
    """Each text once, for so long."""
    number, until = 0, time.monotonic() + seconds

    async def one() -> None:
        nonlocal number
        connection = Connection(port)
        while time.monotonic() < until and number < most:
            number += 1
            await connection.ask(request(make(number), token), result)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(one())


async def bystander(port: int, result: Result, name: str = "bystander") -> None:
    """An agent, with a new document every half second."""
    connection, token, number = Connection(port), bearer(Role.CUSTOMER_SERVICE_AGENT, name), 0
    while True:
        number += 1
        await connection.ask(
            request(f"query B{number}{time.monotonic_ns()} {{ viewer {{ name roles }} }}", token), result
        )
        await asyncio.sleep(0.5)


async def beside(flood: Coroutine[Any, Any, None], port: int) -> Result:
    result = Result()
    watching = asyncio.create_task(bystander(port, result))
    await flood
    watching.cancel()
    return result


async def unfinished(port: int, count: int, head: bytes, filler: bytes, size: int) -> str:
    """So many connections that each send as much as is taken, and never end. How many were answered or closed."""
    endings: Counter[str] = Counter()

    async def one() -> None:
        sent = 0
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            while sent < size and not reader.at_eof():
                writer.write(filler)
                sent += len(filler)
                async with asyncio.timeout(5):
                    await writer.drain()
            async with asyncio.timeout(15):
                answer = await reader.read(12)
            endings[answer.decode("latin-1").removeprefix("HTTP/1.1 ") or "closed"] += 1
            writer.close()
        except TimeoutError:
            endings["not read on"] += 1
        except OSError:
            endings["closed"] += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(count):
            tasks.create_task(one())
    return ", ".join(f"{number} {what}" for what, number in endings.items())


@contextmanager
def growth(pid: int, name: str) -> Generator[list[str]]:
    """Prints what was said meanwhile, and how much memory the process had at its peak and keeps."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before, said = memory(pid, "VmRSS"), list[str]()
    yield said
    peak, after = memory(pid, "VmHWM"), memory(pid, "VmRSS")
    print(
        f"{name}\n    {before:.0f} MiB before, +{peak - before:.0f} at its peak, +{after - before:.0f} kept", flush=True
    )
    for line in said:
        print(f"    {line}", flush=True)


def memory(pid: int, name: str) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().partition(f"{name}:")[2].split()[0]) / 1024


async def measure(port: int, pid: int, token: str, client: MongoClient[Any], *, limited: bool) -> None:
    how = "as it ships" if limited else "COST_PER_MINUTE out of the way"
    await asyncio.gather(*(Connection(port).ask(request(small(0), token), Result()) for _ in range(20)))
    with growth(pid, f"{CONNECTIONS} connections of one token send texts of 100 ms, {how}") as said:
        sent = Result()
        waited = await beside(
            texts(port, hard, token, sent, most=10**9, seconds=SECONDS, connections=CONNECTIONS), port
        )
        said += [f"they: {sent}", f"a bystander's new documents: {waited}"]
    with growth(pid, f"10,000 different valid texts of one token over 32 connections, {how}") as said:
        sent = Result()
        waited = await beside(texts(port, small, token, sent, most=10_000, seconds=200, connections=32), port)
        said += [f"they: {sent}", f"a bystander's new documents: {waited}"]
    if not limited:
        return
    with growth(pid, "5 connections with a head of 60 MB that does not end") as said:
        head = b"GET /graphql HTTP/1.1\r\nHost: g\r\n"
        line = b"X-Filler: " + b"x" * 8_000 + b"\r\n"
        said.append(await unfinished(port, 5, head, line, 60_000_000))
    with growth(pid, "500 connections with 15 KB of a head that does not end") as said:
        said.append(
            await unfinished(
                port, 500, b"GET /graphql HTTP/1.1\r\nHost: g\r\n", b"X: " + b"x" * 5_000 + b"\r\n", 15_000
            )
        )
    with growth(pid, "500 connections without a token with a body of 1 MB that does not end") as said:
        head = b"POST /graphql HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
        said.append(await unfinished(port, 500, head, b"x" * 60_000, 900_000))
    with growth(pid, "250 connections of one token with a body of 1 MB that does not end") as said:
        fresh = bearer(Role.ADMIN, "trudy")
        head = f"POST /graphql HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {fresh}\r\n".encode()
        head += b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
        waited = Result()
        watching = asyncio.create_task(bystander(port, waited))
        said.append(await unfinished(port, 250, head, b"x" * 60_000, 900_000))
        watching.cancel()
        said.append(f"a bystander's new documents: {waited}")
    for path in ("/metrics", "/readyz"):
        with growth(pid, f"120 connections ask for {path} for {SECONDS} s") as said:
            before, answers, until = commands(client), Counter[int](), time.monotonic() + SECONDS

            async def one(path: str = path, answers: Counter[int] = answers, until: float = until) -> None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                while time.monotonic() < until:
                    writer.write(f"GET {path} HTTP/1.1\r\nHost: g\r\n\r\n".encode())
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                    await reader.readexactly(length)
                    answers[int(head.split(b" ", 2)[1])] += 1
                writer.close()

            async with asyncio.TaskGroup() as tasks:
                for _ in range(120):
                    tasks.create_task(one())
            asked = commands(client) - before
            said.append(f"answers by status: {dict(answers)}; the database was asked {dict(asked.most_common(4))}")


def commands(client: MongoClient[Any]) -> Counter[str]:
    counted: dict[str, Any] = client.admin.command("serverStatus")["metrics"]["commands"]
    return Counter({name: int(counted[name]["total"]) for name in ("aggregate", "find", "listIndexes")})


async def filled(uri: str) -> str:
    async with Store.open(uri, DATABASE) as store:
        await store.drop()
        await indexes.apply(store)
        await seed(store, customers=50, now=datetime.now(UTC))
        (customer, *_) = await store.find("customers", {"status": "ACTIVE"}, fields={"_id": 1}, limit=1)
        return customer["_id"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, embedded_mongod(Path(".data/bench")) as uri:
        customer_id = asyncio.run(filled(uri))
        for cost in (None, "1000000000000"):
            token = bearer(Role.CUSTOMER, "mallory", customer_id=customer_id)
            with (
                serving(uri, DATABASE, Path(folder), workers=1, cost_per_minute=cost) as gateway,
                MongoClient[Any](uri) as client,
            ):
                assert gateway.running
                asyncio.run(measure(gateway.port, gateway.running.pid, token, client, limited=cost is None))


if __name__ == "__main__":
    main()
