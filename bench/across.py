"""Reports and searches over all customers, at size: `python -m bench.across`, on 20,000 customers (bench/data.py).

`python -m bench.across FOLDER --multiply 8` first makes eight of each customer and activity inside the database of a
mongod of our own: 10 million activities, without the indexes that begin with a customer, which nothing here reads.
FOLDER gets data of its own, which later runs find without `--multiply`.

Each query goes through the whole gateway, in process: the median of three after one to warm up. Then its commands are
explained: how many they are, and how many documents and index entries they examined together.
"""

import argparse
import asyncio
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from app.demo.sample.people import SALES, SERVICE
from app.domain.access import Role
from app.http.tokens import issue, verifier
from app.main import build_app, routes
from app.services.daily_counts import count_days
from app.store import indexes
from app.store.driver import Store, StoreError
from app.store.mongod import embedded_mongod
from app.store.schema import COLLECTIONS
from bench.commands import Commands, examined
from bench.data import FOLDER, seeded

SECRET = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
AUTHORITY: dict[str, Any] = {"issuer": "bench", "audience": "bench"}
SECONDS = 60
SUMMARY = "query($f: ReportFilter!) { customerServiceReport(filter: $f) { total actions { title total } } }"
FIELDS = """query($f: ReportFilter!) { customerServiceReport(filter: $f) {
  customFields { username name value total } } }"""
DETAILS = """query($f: ReportFilter!, $t: [String!]) { customerServiceReport(filter: $f) {
  details(first: 20, types: $t) { nodes { type occurredAt message actor { name } } pageInfo { endCursor } } } }"""
LIST = """query($f: CustomerFilter, $o: CustomerOrder) { customers(first: 20, filter: $f, orderBy: $o) {
  nodes { number name } pageInfo { endCursor } } }"""
COUNT = "query($f: CustomerFilter) { customers(first: 0, filter: $f) { totalCount } }"
REPORTS: dict[str, dict[str, Any]] = {
    "no filter": {},
    "hide system": {"hideSystem": True},
    "notes only": {"notes": "ONLY"},
    "three types": {"types": ["REFUNDED", "NEW_SALE_SUCCESS", "SUBSCRIPTION_CANCELLED"]},
    "access level": {"accessLevels": ["CS_ADMIN", "CUSTOMER_SERVICE_AGENT"]},
    "two users": {"users": [SERVICE[0]["name"], SERVICE[1]["name"]]},
    "user System": {"users": ["System"]},
    "campaign": {"campaigns": ["Spring radio"]},
    "campaign, centre": {"campaigns": ["Spring radio"], "callCenters": ["Cardiff"]},
    "country": {"countries": ["DE"]},
    "custom field": {"customFields": [{"name": "Shirt size", "value": "M"}]},
}


async def measure(uri: str) -> None:
    commands = Commands()
    async with Store.open(uri, "customer_gateway", timeout_seconds=SECONDS, listeners=[commands]) as store:
        await count_days(store, datetime.now(UTC), grace=timedelta())
        sizes = {name: (await store.command({"count": name}))["n"] for name in ("customers", "activities")}
        print(", ".join(f"{count:,} {name}" for name, count in sizes.items()))
        print(f"{'':52} {'ms':>7} {'commands':>9} {'documents':>10} {'keys':>10}")
        app = build_app(
            routes(store.database, verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer, timeout_seconds=SECONDS)
        )
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://bench", timeout=SECONDS) as client:

            async def ask(query: str, role: Role, variables: Any) -> float:
                who = {"subject": SALES[0]["id"], "name": "Bench"}
                token = issue(SECRET, roles=[role], lifetime=timedelta(hours=1), **who, **AUTHORITY)
                start = time.perf_counter()
                answer = await client.post(
                    "/graphql",
                    json={"query": query, "variables": variables},
                    headers={"Authorization": f"Bearer {token}"},
                )
                taken = (time.perf_counter() - start) * 1000
                assert "errors" not in answer.json(), answer.text
                return taken

            async def row(name: str, query: str, role: Role = Role.ADMIN, **variables: Any) -> None:
                await ask(query, role, variables)
                taken = statistics.median([await ask(query, role, variables) for _ in range(3)])
                commands.sent.clear()
                await ask(query, role, variables)
                sent = commands.sent.copy()
                documents, keys = await examined(store, sent)
                print(f"{name:52} {taken:7.1f} {len(sent):9} {documents:10,} {keys:10,}")

            await _reports(row)
            await _customers(row)


async def _reports(row: Any) -> None:
    now = datetime.now(UTC).replace(minute=17, second=0, microsecond=0)  # so that no window ends with a day
    for days, words in ((7, "week"), (365, "year"), (3_652, "ten years")):
        window = {"occurredAt": {"from": (now - timedelta(days=days)).isoformat(), "to": now.isoformat()}}
        for name, given in REPORTS.items() if days < 1_000 else (("no filter", {}),):
            await row(f"{words}, {name}: summary", SUMMARY, f={**window, **given})
            await row(f"{words}, {name}: details", DETAILS, f={**window, **given})
        await row(f"{words}, a sales representative's own: summary", SUMMARY, Role.SALES_REP, f=window)
        await row(f"{words}, no filter: custom fields", FIELDS, f=window)
        await row(f"{words}, no filter: details of a rare action", DETAILS, f=window, t=["CUSTOMER_BLOCKED"])


async def _customers(row: Any) -> None:
    since = (datetime.now(UTC) - timedelta(days=7)).isoformat()
    filters: dict[str, Any] = {
        "by number": {"number": "c-100077"},
        "by name": {"name": "zoe mul"},
        "by last name": {"lastName": "muller"},
        "by one letter": {"name": "s"},
        "by e-mail": {"email": "ZOE.mueller-obrien@example.com"},
        "by the beginning of an e-mail": {"emailPrefix": "zoe.mue"},
        "leads": {"segment": "LEADS"},
        "customers": {"segment": "CUSTOMERS"},
        "blocked": {"statuses": ["BLOCKED"]},
        "tagged": {"tags": ["vip"]},
        "in a country": {"countries": ["SE"]},
        "registered last week": {"registeredAt": {"from": since}},
        "with forty payments and more": {"payments": {"min": 40}},
        "of a campaign": {"campaigns": ["Spring radio"]},
        "refunded last week": {"hasActivity": {"type": "REFUNDED", "since": since}},
        "renewed last week": {"hasActivity": {"type": "SUBSCRIPTION_RENEWED", "since": since}},
        "with 5,000 points and more": {"spendablePoints": {"min": 5_000}},
        "blocked, tagged, with points": {"statuses": ["BLOCKED"], "tags": ["vip"], "spendablePoints": {"min": 1}},
    }
    for name, given in filters.items():
        await row(f"customers {name}", LIST, f=given)
        await row(
            f"customers {name}, last active first", LIST, f=given, o={"field": "LAST_ACTIVITY_AT", "direction": "DESC"}
        )
    for field in ("NAME", "NUMBER", "REGISTERED_AT", "LAST_ACTIVITY_AT", "SPENDABLE_POINTS"):
        await row(f"all customers by {field}", LIST, o={"field": field, "direction": "DESC"})
    await row("how many customers", COUNT)
    await row("how many tagged", COUNT, f={"tags": ["vip"]})


async def multiply(uri: str, times: int) -> None:
    """Each copy has ids of its own and happens some minutes later. Whose identities would be doubled has none."""
    async with Store.open(uri, "customer_gateway", timeout_seconds=SECONDS) as store:
        await store.command({"delete": "tallies", "deletes": [{"q": {}, "limit": 0}]})
        for name in ("customers", "activities"):
            await store.command({"dropIndexes": name, "index": "*"})
        for copy in range(1, times):
            own: dict[str, Any] = {"_id": {"$concat": ["$_id", f"-{copy}"]}}
            later = {"occurredAt": {"$add": ["$occurredAt", copy * 67_000]}}
            customer = {"number": {"$concat": ["$number", f"-{copy}"]}}
            original = {"$match": {"_id": {"$not": {"$regex": "-"}}}}
            for name, changed in (
                ("customers", [{"$set": {**own, **customer}}, {"$unset": "identities"}]),
                ("activities", [{"$set": {**own, **later, "customerId": {"$concat": ["$customerId", f"-{copy}"]}}}]),
            ):
                pipeline = [original, *changed, {"$merge": {"into": name, "whenMatched": "keepExisting"}}]
                for attempt in range(5):
                    try:
                        await store.aggregate(name, pipeline)
                        break
                    except StoreError:  # a machine so busy that the server seems to be gone: what is there is kept
                        if attempt == 4:
                            raise
            print(f"{copy + 1} of each", flush=True)
        for name in ("customers", "activities"):
            wanted = [index for index in COLLECTIONS[name].indexes if not index.keys.startswith("customerId")]
            specifications = [indexes.specification(index) for index in wanted]
            await store.command({"createIndexes": name, "indexes": specifications})


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    arguments.add_argument("--multiply", type=int)
    given = arguments.parse_args()
    if given.multiply and given.folder == FOLDER:
        arguments.error("--multiply needs a folder of its own: the others measure on what is in .data/bench.")
    kept = given.folder != FOLDER and (given.folder / "db").exists()
    with embedded_mongod(given.folder) if kept else seeded(given.folder) as mongod:
        if given.multiply:
            asyncio.run(multiply(mongod, given.multiply))
        asyncio.run(measure(mongod))
