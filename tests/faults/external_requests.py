"""Refunds that agents ask for in pairs while everything dies: `python -m tests.faults.external_requests`.

Two gateways, two workers, three database servers and the executor of examples/executor, each a process of its own that
is killed or frozen at random. What the executor has written down is afterwards held against what the gateway says.
"""

import argparse
import asyncio
import random
import sqlite3
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import httpx2

from app.domain.external_requests import NEXT
from app.domain.vocabulary import RequestStatus
from app.store.driver import Document, Driver, Store, StoreError, UpdateOne
from tests.support.cluster import Cluster, cluster, freeze_primary, kill_gateway, kill_primary
from tests.support.processes import ROOT, Process, free_ports
from tests.support.senders import Clients
from tests.support.world import World

WORKERS: Final = 2
CUSTOMERS: Final = 8
TIMEOUT_SECONDS: Final = 2
PATIENCE_SECONDS: Final = 180
"""How long one request may take to be acknowledged, faults and all."""
SALE: Final = Decimal("100.00")
CENTS: Final = {".00": 6, ".13": 2, ".17": 2}
"""What becomes of a refund (examples/executor), and how often."""
SECRET: Final = f"whsec_{b64encode(b'the secret of requests under fault').decode()}"
REFUND: Final = """mutation($input: RequestRefundInput!) { requestRefund(input: $input) {
  request { id } userErrors { code } } }"""
REFUSALS: Final = frozenset({"REQUEST_OPEN", "NOT_REFUNDABLE", "OVER_REFUNDABLE"})


@dataclass(frozen=True, slots=True)
class Report:
    """Ids of requests, but where a number is enough."""

    asked: int
    accepted: int
    refused: int
    faults: Sequence[str]
    waiting: int
    """Not settled: time was over."""
    missing: list[str]
    """Accepted, and unknown to the executor."""
    strangers: list[str]
    """Done by the executor, and never asked for."""
    wrong: list[str]
    """Not what the executor says."""
    together: list[str]
    """Sales for which two requests were seen open."""
    off_the_table: list[str]
    """With a step that no state allows."""
    beyond: list[str]
    """Sales of which more was refunded than was paid."""
    retries: int
    seconds: float

    @property
    def found(self) -> Mapping[str, list[str]]:
        names = ("missing", "strangers", "wrong", "together", "off_the_table", "beyond")
        return {name: found for name in names if (found := getattr(self, name))}


@dataclass
class Agents:
    """Agents in pairs, each of whom asks for the refund of the same sale, with a key of their own."""

    asking: Clients
    accepted: list[str] = field(default_factory=list[str])
    refused: int = 0
    retries: int = 0

    async def ask(self, sale_id: str, amount: str, key: str) -> None:
        given = {"transactionId": sale_id, "amount": amount, "idempotencyKey": key, "reason": "Faults"}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                gateway = random.choice(self.asking.gateways)
                try:
                    answer = await self.asking.http.post(
                        f"{gateway.url}/graphql",
                        json={"query": REFUND, "variables": {"input": given}},
                        headers={"Authorization": f"Bearer {self.asking.bearer}"},
                    )
                    payload: Any = answer.json()["data"]["requestRefund"]
                except (httpx2.HTTPError, ValueError, TypeError, KeyError):
                    payload = None
                if payload:
                    break
                self.retries += 1
                await asyncio.sleep(random.uniform(0.05, 0.3))
        codes = {error["code"] for error in payload["userErrors"]}
        assert codes <= REFUSALS, payload
        if codes:
            self.refused += 1
        else:
            self.accepted.append(payload["request"]["id"])


async def soak(
    started: Cluster,
    executor: Process,
    workers: Sequence[Process],
    database: Path,
    *,
    requests: int,
    faults: int,
    at_most_seconds: float,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Asks for all refunds while all faults happen, then waits until nothing is open any more, or time is over."""
    start, begun, done, over = time.monotonic(), 0, list[str](), asyncio.Event()
    pairs_of_requests = requests // 2

    def is_early(number: int) -> bool:
        """Returns whether faults are still to come before it: some pairs ask while each of them happens."""
        in_time = time.monotonic() - start < at_most_seconds
        return in_time and begun < faults and begun * pairs_of_requests <= faults * number

    await started.restore()
    async with started.store() as store, started.clients() as asking:
        agents, sales = Agents(asking), await _sales(store, requests // 4)
        queue = iter([(random.choice(sales), number) for number in range(pairs_of_requests)])

        async def pair() -> None:
            for sale_id, number in queue:
                while is_early(number):  # noqa: ASYNC110 # time passes, too
                    await asyncio.sleep(0.05)
                await asyncio.sleep(random.uniform(0, 1))
                amount = f"{random.choice((20, 30, 40))}{random.choices(list(CENTS), list(CENTS.values()))[0]}"
                await asyncio.gather(*(agents.ask(sale_id, amount, f"{number}-{agent}") for agent in range(2)))

        async def destroy() -> None:
            nonlocal begun
            while len(done) < faults and time.monotonic() - start < at_most_seconds:
                await asyncio.sleep(random.uniform(0.3, 1.5))
                name, fault = random.choice(list(_faults(started, executor, workers).items()))
                begun += 1
                await fault()
                await started.restore()
                for process in (executor, *workers):
                    process.revive()
                done.append(name)
                tell(f"{len(done)}/{faults} {name}: {len(agents.accepted)} accepted, {agents.refused} refused")

        together = set[str]()

        async def watch() -> None:
            while not over.is_set():
                counted = [{"$match": {"open": True}}, {"$group": {"_id": "$targetId", "count": {"$sum": 1}}}]
                with suppress(StoreError):  # it is being killed
                    together.update(
                        each["_id"] for each in await store.aggregate("requests", counted) if each["count"] > 1
                    )
                await asyncio.sleep(0.1)

        watching = asyncio.create_task(watch())
        async with asyncio.TaskGroup() as everybody:
            everybody.create_task(destroy())
            async with asyncio.TaskGroup() as pairs:
                for _ in range(10):
                    pairs.create_task(pair())
        over.set()
        await watching
        waiting = list[Document]()
        while time.monotonic() - start < at_most_seconds:
            waiting = await store.find("requests", {"status": {"$in": ["QUEUED", "SENT", "UNDELIVERED"]}})
            if not waiting and not _untold(database):
                break
            tell(f"{len(waiting)} are open, {_untold(database)} outcomes are to be told")
            due = {"$set": {"dueAt": datetime.now(UTC)}}  # how long pauses grow is no question of this test
            await store.write(
                "requests", [UpdateOne({"_id": each["_id"], "dueAt": {"$exists": True}}, due) for each in waiting]
            )
            await asyncio.sleep(1)
        stored = await store.find("requests", {})
    seconds = time.monotonic() - start
    return _report(agents, stored, database, together, asked=requests, faults=done, seconds=seconds)


def _faults(
    started: Cluster, executor: Process, workers: Sequence[Process]
) -> Mapping[str, Callable[[], Awaitable[None]]]:
    async def kill(process: Process) -> None:
        process.kill()
        await asyncio.sleep(random.uniform(0, 2))

    async def freeze(process: Process) -> None:
        process.freeze()
        await asyncio.sleep(2 * TIMEOUT_SECONDS)

    return {
        "primary killed": lambda: kill_primary(started),
        "primary frozen": lambda: freeze_primary(started),
        "gateway killed": lambda: kill_gateway(started),
        "worker killed": lambda: kill(random.choice(workers)),
        "worker frozen": lambda: freeze(random.choice(workers)),
        "executor killed": lambda: kill(executor),
        "executor frozen": lambda: freeze(executor),
    }


async def _sales(store: Store, count: int) -> list[str]:
    world = World(store)
    customers = [await world.customer() for _ in range(CUSTOMERS)]
    amount = {"amount": SALE, "currency": "EUR"}
    made = [
        await world.transaction(customers[number % CUSTOMERS], type="SALE", status="ACCEPTED", amount=amount)
        for number in range(count)
    ]
    return [each["_id"] for each in made]


def _untold(database: Path) -> int:
    with closing(sqlite3.connect(database, timeout=30)) as rows:
        unfinished = "select count(*) from requests where step in ('received', 'reversing')"
        return sum(rows.execute(query).fetchone()[0] for query in ("select count(*) from outcomes", unfinished))


def _report(
    agents: Agents,
    stored: Sequence[Document],
    database: Path,
    together: Collection[str],
    *,
    asked: int,
    faults: Sequence[str],
    seconds: float,
) -> Report:
    with closing(sqlite3.connect(database, timeout=30)) as rows:
        did = dict(rows.execute("select id, attributes from requests").fetchall())
    by_id = {each["_id"]: each for each in stored}
    by_sale: dict[str, list[Document]] = defaultdict(list)
    for request in sorted(stored, key=lambda each: each["requestedAt"]):
        by_sale[request["targetId"]].append(request)
    waiting = [each for each in stored if each["open"]]
    refunded = {
        sale: sum(
            each["attributes"]["amount"]["amount"] for each in of if each["open"] or each["status"] == "SUCCEEDED"
        )
        for sale, of in by_sale.items()
    }
    return Report(
        asked=asked,
        accepted=len(agents.accepted),
        refused=agents.refused,
        faults=faults,
        waiting=len(waiting),
        missing=sorted({*agents.accepted, *by_id} - did.keys()),
        strangers=sorted(did.keys() - by_id.keys()),
        wrong=sorted(each["_id"] for each in stored if not each["open"] and each["status"] != _expected(each)),
        together=sorted(together),
        off_the_table=sorted(each["_id"] for each in stored if not _by_the_table(each)),
        beyond=sorted(sale for sale, amount in refunded.items() if amount > SALE),
        retries=agents.retries,
        seconds=seconds,
    )


def _expected(request: Document) -> str:
    cents = f"{request['attributes']['amount']['amount']:f}"[-3:]
    return {".13": "FAILED", ".17": "REVERSED"}.get(cents, "SUCCEEDED")


def _by_the_table(request: Document) -> bool:
    steps = [RequestStatus.SENT, *(RequestStatus(each["status"]) for each in request["outcomes"] if each["decided"])]
    return all(later in NEXT[earlier] for earlier, later in pairwise(steps))


@contextmanager
def everything(folder: Path, driver: Driver) -> Generator[tuple[Cluster, Process, Sequence[Process], Path]]:
    """Starts a cluster with workers and an executor, and gives them with the executor's database."""
    (port,) = free_ports(1)
    database, file = folder / "executor.sqlite", folder / "executors.toml"
    file.write_text(
        f'[[endpoints]]\nname = "engine"\nurl = "http://127.0.0.1:{port}/requests"\n'
        f'secrets = ["{SECRET}"]\nkinds = ["REFUND"]\nprivate = true\n'
    )
    settings = {"REQUEST_EXECUTORS": str(file), "DELIVERY_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS), "LOG_LEVEL": "ERROR"}
    with cluster(folder, driver, **settings) as started:
        engine = [sys.executable, str(ROOT / "examples" / "executor" / "app.py"), "--port", str(port)]
        engine += ["--database", str(database), "--seconds", "0.2"]
        known = {"GATEWAY": started.gateways[0].url, "SECRET": SECRET}
        executor = Process(engine, folder / "executor.log", known)
        command = [sys.executable, "-m", "app", "worker"]
        environment = dict(started.environment)
        workers = [Process(command, folder / f"worker{index}.log", environment) for index in range(WORKERS)]
        try:
            for process in (executor, *workers):
                process.start()
            yield started, executor, workers, database
        finally:
            for process in (executor, *workers):
                process.kill()


def table(report: Report) -> str:
    columns: dict[str, Any] = {
        "asked": report.asked,
        "accepted": report.accepted,
        "refused": report.refused,
        "faults": len(report.faults),
        "waiting": report.waiting,
        **{name.replace("_", " "): len(getattr(report, name)) for name in ("missing", "strangers", "wrong")},
        **{name.replace("_", " "): len(getattr(report, name)) for name in ("together", "off_the_table", "beyond")},
    }
    head = "| " + " | ".join(columns) + " |"
    rule = "|" + "|".join("-" * (len(name) + 2) for name in columns) + "|"
    row = "| " + " | ".join(str(value).rjust(len(name)) for name, value in columns.items()) + " |"
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(report.faults).items()))
    return f"{head}\n{rule}\n{row}\n\n{kinds}; {report.retries} repeated requests in {report.seconds:.0f} s."


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--requests", type=int, default=1_000)
    options.add_argument("--faults", type=int, default=60)
    options.add_argument("--minutes", type=float, default=20, help="no new fault, and no more patience, after so long")
    options.add_argument("--driver", choices=["motor", "pymongo"], default="motor")
    options.add_argument("--seed", type=int, default=None)
    given = options.parse_args()
    random.seed(given.seed)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, everything(Path(folder), given.driver) as parts:
        soaked = soak(
            *parts,
            requests=given.requests,
            faults=given.faults,
            at_most_seconds=given.minutes * 60,
            tell=lambda line: print(line, file=sys.stderr, flush=True),
        )
        report = asyncio.run(soaked)
    print(table(report))
    for name, found in report.found.items():
        print(f"{name}: {' '.join(found)}")
    sys.exit(bool(report.found or report.waiting or len(report.faults) < given.faults))


if __name__ == "__main__":
    main()
