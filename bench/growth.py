"""What a page costs where there is more and more: `python -m bench.growth [FOLDER]`.

Through the whole gateway, in process: a customer, whole (W1), with the heads of their lists and by a seek for each; and
the page of activities at the far end of the list, behind a cursor. First for customers with 1, 10 and 100 thousand
activities, then for one with 5,000 among 0.1 and 1.2 million activities in all, and among those of FOLDER (10 million:
see bench/across.py). The median of twenty; then the commands and the documents that they examine, which must not grow.
"""

import argparse
import asyncio
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx2

from app.domain.access import Role
from app.domain.ids import derived_id
from app.http.tokens import issue, verifier
from app.main import build_app, routes
from app.services.changes import activity_of
from app.store import indexes, previews
from app.store.driver import DeleteOne, Document, Store
from app.store.mongod import embedded_mongod
from app.store.schema import COLLECTIONS
from bench.commands import Commands, examined
from bench.data import DATABASE, seeded
from bench.workloads import LISTS, W1

END: Final = """query($number: String!) { customer(by: {number: $number}) {
    activities(last: 1) { pageInfo { startCursor } } } }"""
PAGE: Final = """query($number: String!, $before: String!) { customer(by: {number: $number}) {
    activities(last: 10, before: $before) { nodes { id type title occurredAt source points } } } }"""
SECRET = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
AUTHORITY: dict[str, Any] = {"issuer": "bench", "audience": "bench"}
OF_ONE: Final = (1_000, 10_000, 100_000)
FEWER_CUSTOMERS, FEWER, ONE = 1_650, "bench_growth_fewer", "bench_growth_one"
RICH: Final = "C-100001"
WHOLE_DOCUMENTS: Final = 2
"""The customer, and the heads of their lists."""
PAGE_DOCUMENTS: Final = 1 + 11
"""The customer, and one row more than the page has."""
SECONDS, TIMES, BATCH = 60, 20, 5_000


async def measure(uri: str, database: str, numbers: list[str]) -> None:
    commands = Commands()
    async with Store.open(uri, database, timeout_seconds=SECONDS, listeners=[commands]) as store:
        authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
        token = issue(SECRET, roles=[Role.ADMIN], subject="b", name="B", lifetime=timedelta(hours=1), **AUTHORITY)
        transport = httpx2.ASGITransport(build_app(routes(store.database, authenticate, timeout_seconds=SECONDS)))
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://bench", headers=headers) as client:

            async def ask(query: str, **variables: Any) -> Document:
                answer = await client.post("/graphql", json={"query": query, "variables": variables}, timeout=SECONDS)
                assert "errors" not in answer.json(), answer.text
                return answer.json()["data"]["customer"]

            for number in numbers:
                cursor = (await ask(END, number=number))["activities"]["pageInfo"]["startCursor"]
                total = (await store.command({"count": "activities"}))["n"]
                owner = (await store.find("customers", {"number": number}))[0]["_id"]
                own = (await store.command({"count": "activities", "query": {"customerId": owner}}))["n"]
                for name, query, variables, most, kept in (
                    ("whole", W1, {"number": number}, WHOLE_DOCUMENTS, True),
                    ("whole, no head", W1, {"number": number}, 1 + 11 * len(LISTS), False),
                    ("page behind a cursor", PAGE, {"number": number, "before": cursor}, PAGE_DOCUMENTS, True),
                ):
                    await store.write("heads", [DeleteOne({"_id": owner})])
                    await previews.refresh(store, [owner] if kept else [])
                    taken: list[float] = []
                    for _ in range(TIMES + 1):
                        commands.sent.clear()
                        start = time.perf_counter()
                        await ask(query, **variables)
                        taken.append((time.perf_counter() - start) * 1000)
                    sent = commands.sent.copy()
                    documents, _ = await examined(store, sent)
                    print(
                        f"{own:8,} of {total:10,}   {name:22} {statistics.median(taken[1:]):7.1f} ms "
                        f"{len(sent):3} commands {documents:5} documents",
                        flush=True,
                    )
                    assert documents <= most, f"{documents} documents examined, at most {most} are to be expected"


async def prepare_one(uri: str) -> None:
    """Customers with so many activities each, unless they are there."""
    async with Store.open(uri, ONE, timeout_seconds=SECONDS) as store:
        if (await store.command({"count": "activities"}))["n"] == sum(OF_ONE):
            return
        await store.drop()
        await indexes.apply(store)
        now = datetime.now(UTC)
        system = {"kind": "SYSTEM", "name": "System"}
        for many in OF_ONE:
            customer_id = derived_id("customers", source="bench", source_id=str(many))
            customer: Document = {"_id": customer_id, "number": str(many), "name": "Growth", "registeredAt": now}
            await store.insert("customers", [customer | {"paymentCount": 0, "tags": [], "status": "ACTIVE"}])
            for first in range(0, many, BATCH):
                times = [now - timedelta(minutes=each) for each in range(first, min(first + BATCH, many))]
                await store.insert(
                    "activities", [activity_of(customer_id, "SUBSCRIPTION_RENEWED", system, at) for at in times]
                )


async def index_customers(uri: str) -> None:
    """What bench.across leaves out of its ten million."""
    async with Store.open(uri, DATABASE, timeout_seconds=3_600) as store:
        wanted = next(index for index in COLLECTIONS["activities"].indexes if index.keys.startswith("customerId"))
        await store.command({"createIndexes": "activities", "indexes": [indexes.specification(wanted)]})


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path, nargs="?", help="of ten million activities, made by bench.across")
    given = arguments.parse_args()
    with seeded() as mongod:
        asyncio.run(prepare_one(mongod))
        asyncio.run(measure(mongod, ONE, [str(many) for many in OF_ONE]))
        with seeded(customers=FEWER_CUSTOMERS, database=FEWER):
            asyncio.run(measure(mongod, FEWER, [RICH]))
        asyncio.run(measure(mongod, DATABASE, [RICH]))
    if given.folder:
        with embedded_mongod(given.folder) as mongod:
            asyncio.run(index_customers(mongod))
            asyncio.run(measure(mongod, DATABASE, [RICH]))
