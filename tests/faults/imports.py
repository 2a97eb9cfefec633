"""An import over HTTP whose gateway is killed: `python -m tests.faults.imports`.

`examples/clients/python/send.py` is given lines of every sort, some before their customers, and the gateway is killed
while it takes them in, again and again. In the end each line is here once, amounts and points come to what the lines
say, and what is copied of rows is as a rebuild makes it.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient

from app.domain.access import Role
from app.domain.attributes import to_text
from app.domain.customers import PENDING
from app.domain.ids import derived_id
from app.domain.import_lines import COLLECTION_OF, LineKind
from app.http.tokens import issue
from app.services import repairs
from app.store import indexes, previews
from app.store.driver import Document, Driver, Store
from app.store.mongod import embedded_mongod
from tests.support.cluster import AUTHORITY, DATABASE, SECRET
from tests.support.processes import ABANDONED_SECONDS, ROOT, Gateway, gateways, within

CUSTOMERS_PART: Final = 0.1
PATIENCE_SECONDS: Final = 120
_START: Final = datetime(2024, 1, 1, tzinfo=UTC)
_SUMMARY: Final = ("lastActivityAt", "lastByType", "spendable", "campaigns")
Line = dict[str, Any]


def lines_of(count: int, chance: random.Random) -> list[Line]:
    """Returns lines of six kinds. A customer comes anywhere in the first third; points of each in the order of time."""
    customers = max(1, int(count * CUSTOMERS_PART))
    rest = [_thing(number, chance.randrange(customers), chance) for number in range(count - customers)]
    for number in range(customers):
        rest.insert(chance.randrange(count // 3), _customer(number))
    return rest


def _customer(number: int) -> Line:
    own = {"kind": "customer", "source": "billing", "id": f"C-{number}", "number": f"{100_000 + number}"}
    return {**own, "name": f"Customer {number}", "registeredAt": _START.isoformat()}


def _thing(number: int, owner: int, chance: random.Random) -> Line:
    at = (_START + timedelta(seconds=37 * number)).isoformat()
    given = {"source": "billing", "id": f"L-{number}", "customer": {"source": "billing", "id": f"C-{owner}"}}
    match chance.choice(("activity", "activity", "points", "points", "transaction", "note", "coupon")):
        case "points":
            return {"kind": "points", **given, "pointsKind": "EARNED", "points": 1 + number % 90, "occurredAt": at}
        case "transaction":
            amount = {"amount": f"{number % 90}.90", "currency": "EUR"}
            told = {"number": f"{number}", "type": "SALE", "occurredAt": at, "amount": amount}
            return {"kind": "transaction", **given, **told}
        case "note":
            return {"kind": "note", **given, "createdAt": at, "message": f"Called about line {number}."}
        case "coupon":
            told = {"code": f"TEN-{number}", "type": "percentage", "value": "10 %", "addedAt": at, "origin": "RULE"}
            return {"kind": "coupon", **given, **told}
        case _:
            return {"kind": "activity", **given, "type": "BIRTHDAY", "occurredAt": at}


@dataclass(frozen=True, slots=True)
class Report:
    """The report says what was done, and what of the lines is not here as they say."""

    lines: int
    kills: int
    broken_off: int
    """Requests whose import had begun and did not end."""
    requests: int
    rejected: int
    missing: int
    unknown: int
    """Rows that no line says."""
    sums_wrong: int
    """Customers whose amounts or points are not those of their lines."""
    ledgers_wrong: int
    summaries_wrong: int
    """Customers whose copies or previews are not what a rebuild makes."""
    parked: int
    """Lines that still wait for their customers."""
    seconds: float

    @property
    def found(self) -> Mapping[str, int]:
        names = ("rejected", "missing", "unknown", "sums_wrong", "ledgers_wrong", "summaries_wrong", "parked")
        return {name: found for name in names if (found := getattr(self, name))}


def soak(
    folder: Path,
    *,
    lines: int,
    kills: int,
    at_most_seconds: float,
    driver: Driver = "motor",
    seed: int = 1,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Sends the lines while the gateway is killed, then reads the database."""
    start, chance = time.monotonic(), random.Random(seed)
    made = lines_of(lines, chance)
    with embedded_mongod(folder / "mongodb") as uri, MongoClient[Any](uri) as client:
        # What a gateway that died had begun keeps its customers for that long.
        client.admin.command("setParameter", 1, transactionLifetimeLimitSeconds=ABANDONED_SECONDS)
        asyncio.run(_prepare(uri, driver))
        own = {"MONGODB_URI": uri, "MONGODB_DATABASE": DATABASE, "MONGODB_DRIVER": driver, "JWT_SECRET": SECRET}
        own |= {"JWT_ISSUER": AUTHORITY["issuer"], "JWT_AUDIENCE": AUTHORITY["audience"], "JWKS_URL": ""}
        with gateways(1, folder, {**own, "COST_PER_MINUTE": "1000000000"}) as [gateway]:
            gateway.wait_until_well()
            done, rejected = _send(gateway, client[DATABASE], made, kills, start + at_most_seconds, tell)
        return asyncio.run(_report(uri, driver, made, done, rejected, start))


def _send(
    gateway: Gateway, database: Any, made: Sequence[Line], kills: int, until: float, tell: Callable[[str], None]
) -> tuple[int, int]:
    """Returns how many kills there were, and how many lines were rejected.

    Every other kill, and the last one, comes when lines are in, and what is copied of them is not settled yet.
    """
    imports, customers = database["imports"], database["customers"]
    lifetime = timedelta(hours=1)
    bearer = issue(SECRET, roles=[Role.ADMIN], subject="tess", name="Tess Tester", lifetime=lifetime, **AUTHORITY)
    sender = subprocess.Popen(
        [sys.executable, str(ROOT / "examples/clients/python/send.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "GATEWAY": f"{gateway.url}/import", "TOKEN": bearer},
    )
    assert sender.stdin
    done = 0
    try:
        for portion in _portions(made, kills):
            began = imports.count_documents({})
            sender.stdin.write(b"".join(json.dumps(line).encode() + b"\n" for line in portion))
            sender.stdin.flush()
            if time.monotonic() > until:
                continue
            within(PATIENCE_SECONDS, lambda began=began: imports.count_documents({}) > began, "an import")
            if done % 2 and done < kills - 1:
                time.sleep(random.uniform(0, 0.3))
            else:
                _until_unsettled(customers)
            gateway.kill()
            done += 1
            gateway.revive()
            gateway.wait_until_well()
            tell(f"{done}/{kills} kills, {imports.count_documents({})} requests")
        printed, _ = sender.communicate(timeout=PATIENCE_SECONDS)
    finally:
        sender.kill()
    assert sender.returncode == 0
    return done, len(printed.splitlines())


def _until_unsettled(customers: Any) -> None:
    """Waits for copies that are pending, for two seconds at most: who looks may come too late."""
    until = time.monotonic() + 2
    while time.monotonic() < until and customers.find_one({PENDING: {"$exists": True}}, {"_id": 1}) is None:
        pass


def _portions(made: Sequence[Line], count: int) -> Iterator[Sequence[Line]]:
    for part in range(count):
        yield made[len(made) * part // count : len(made) * (part + 1) // count]


async def _prepare(uri: str, driver: Driver) -> None:
    async with Store.open(uri, DATABASE, driver=driver, timeout_seconds=30) as store:
        await indexes.apply(store)


async def _report(uri: str, driver: Driver, made: Sequence[Line], kills: int, rejected: int, start: float) -> Report:
    expected: defaultdict[str, set[str]] = defaultdict(set)
    for line in made:
        collection = COLLECTION_OF[LineKind(line["kind"])]
        expected[collection].add(derived_id(collection, source=line["source"], source_id=line["id"]))
    async with Store.open(uri, DATABASE, driver=driver, timeout_seconds=30) as store:
        here = {name: {row["_id"] for row in await store.find(name, {})} for name in expected}
        batches = await store.find("imports", {})
        ledgers = await repairs.ledgers(store)
        return Report(
            lines=len(made),
            kills=kills,
            broken_off=sum("finishedAt" not in batch for batch in batches),
            requests=len(batches),
            rejected=rejected,
            missing=sum(len(ids - here[name]) for name, ids in expected.items()),
            unknown=sum(len(here[name] - ids) for name, ids in expected.items()),
            sums_wrong=await _sums_wrong(store, made),
            ledgers_wrong=len(ledgers.stale) + len(ledgers.broken),
            summaries_wrong=await _summaries_wrong(store),
            parked=len(await store.find("parked", {})),
            seconds=time.monotonic() - start,
        )


async def _sums_wrong(store: Store, made: Sequence[Line]) -> int:
    said: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in made:
        if line["kind"] in ("points", "transaction"):
            owner = derived_id("customers", source="billing", source_id=line["customer"]["id"])
            said[owner]["points"] += line.get("points", 0)
            said[owner]["cents"] += int(100 * Decimal(line["amount"]["amount"])) if "amount" in line else 0
    here: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in await store.find("points", {}):
        here[row["customerId"]]["points"] += row["points"]
    for row in await store.find("transactions", {}):
        here[row["customerId"]]["cents"] += int(100 * Decimal(to_text(row["amount"]).split()[0]))
    balances = {row["_id"]: row.get("spendable", 0) for row in await store.find("customers", {})}
    owners = said.keys() | here.keys() | balances.keys()
    return sum(said[each] != here[each] or balances.get(each) != said[each]["points"] for each in owners)


async def _summaries_wrong(store: Store) -> int:
    """Compares with the rows, and with what a rebuild leaves."""
    wrong = {*await indexes.wrong_copies(store), *await previews.differences(store)}
    newest: dict[str, datetime] = {}
    for row in await store.find("activities", {}):
        newest[row["customerId"]] = max(newest.get(row["customerId"], row["occurredAt"]), row["occurredAt"])
    before = await _summaries(store)
    wrong |= {owner for owner, summary in before.items() if summary["lastActivityAt"] != newest.get(owner)}
    await indexes.refresh_copies(store)
    await indexes.refresh_customers(store, all_of_them=True)
    after = await _summaries(store)
    return len(wrong | {owner for owner in after if after[owner] != before.get(owner)})


async def _summaries(store: Store) -> Mapping[str, Document]:
    found = await store.find("customers", {}, fields=dict.fromkeys(_SUMMARY, 1))
    return {row["_id"]: {key: row.get(key) for key in _SUMMARY} for row in found}


def table(report: Report) -> str:
    """Returns the report as lines of a table."""
    rows = {
        "lines": f"{report.lines:,}",
        "kills of the gateway": report.kills,
        "requests, of which broken off": f"{report.requests}, {report.broken_off}",
        "lines missing, rows that no line says": f"{report.missing}, {report.unknown}",
        "lines rejected, still parked": f"{report.rejected}, {report.parked}",
        "customers whose sums are wrong": report.sums_wrong,
        "ledgers that are not their entries": report.ledgers_wrong,
        "customers whose summary a rebuild would change": report.summaries_wrong,
        "seconds": f"{report.seconds:.0f}",
    }
    return "\n".join(f"| {name} | {value} |" for name, value in rows.items())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--lines", type=int, default=None, help="default: 300 for each kill")
    options.add_argument("--minutes", type=float, default=20, help="no new kill after so long")
    options.add_argument("--driver", choices=["motor", "pymongo"], default="motor")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    random.seed(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        report = soak(
            Path(folder),
            lines=given.lines or 300 * given.kills,
            kills=given.kills,
            at_most_seconds=60 * given.minutes,
            driver=given.driver,
            seed=given.seed,
            tell=lambda line: print(line, file=sys.stderr, flush=True),
        )
    print(table(report))
    sys.exit(bool(report.found))


if __name__ == "__main__":
    main()
