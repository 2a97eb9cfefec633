"""The search box at size: `python -m bench.search`, on 20,000 customers, and with `--customers 200000` on more.

What is asked for goes through the whole gateway, in process: the median of nine after one to warm up, and the slowest.
Then its commands are explained: how many they are, and how many documents and index entries they examined together.
They are made of a sample of 1,000, with other names and numbers, in databases of their own, without activities.
"""

import argparse
import asyncio
import statistics
import time
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx2
from pymongo import MongoClient

from app.domain.access import Role
from app.domain.search import search_copies
from app.http.tokens import issue, verifier
from app.main import build_app, routes
from app.store import indexes
from app.store.driver import Document, Store
from app.store.schema import COLLECTIONS
from bench.commands import Commands, examined
from bench.data import seeded

SECRET = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
AUTHORITY: dict[str, Any] = {"issuer": "bench", "audience": "bench"}
SECONDS: Final = 120
FOLDER: Final = Path(".data/bench-search")
SEED: Final = "bench_search"
QUERY: Final = """query($text: String!) { search(text: $text) {
  customer { number name } matches { kind value isExact } } }"""
TEXTS: Final = (
    "N-777",
    "N-77",
    "zoe",
    "mueller",
    "muell",
    "s",
    "a m",
    "müller anna",
    "sven svensson",
    "zzz nobody",
    "zoe.mueller-obrien@example.com",
    "anna",
    "+46 70 123 45 67",
    "T-100010-1-7",
)


async def measure(uri: str, database: str) -> None:
    commands = Commands()
    async with Store.open(uri, database, timeout_seconds=SECONDS, listeners=[commands]) as store:
        print(f"{(await store.command({'count': 'customers'}))['n']:,} customers")
        print(f"{'':32} {'ms':>7} {'slowest':>8} {'hits':>5} {'commands':>9} {'documents':>10} {'keys':>9}")
        authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
        app = build_app(routes(store.database, authenticate, timeout_seconds=SECONDS))
        transport = httpx2.ASGITransport(app)
        token = issue(SECRET, roles=[Role.ADMIN], subject="b", name="B", lifetime=timedelta(hours=1), **AUTHORITY)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://bench", timeout=SECONDS) as client:
            for text in TEXTS:
                times: list[float] = []
                hits = 0
                for _ in range(10):
                    commands.sent.clear()
                    start = time.perf_counter()
                    body = {"query": QUERY, "variables": {"text": text}}
                    answer = (await client.post("/graphql", json=body, headers=headers)).json()
                    times.append((time.perf_counter() - start) * 1_000)
                    assert "errors" not in answer, answer
                    hits = len(answer["data"]["search"])
                sent = commands.sent.copy()
                documents, keys = await examined(store, sent)
                median, slowest = statistics.median(times[1:]), max(times[1:])
                print(f"{text:32} {median:7.1f} {slowest:8.1f} {hits:5} {len(sent):9} {documents:10,} {keys:9,}")


def multiply(uri: str, customers: int, database: str) -> None:
    """Names are put together anew from those that there are, so that words are as frequent as among people; and each
    customer has the transactions, coupons and passes of whom they are copied from, with other numbers."""
    random = Random(7)  # noqa: S311 # no secret
    with MongoClient[Document](uri) as client:
        source, target = client[SEED], client[database]
        if target.customers.estimated_document_count() >= customers:
            return
        client.drop_database(database)
        originals = list(source.customers.find({}))
        first, last = ([str(each.get(key) or "Ada") for each in originals] for key in ("firstName", "lastName"))
        copies: list[Document] = []
        for number in range(customers):
            one = originals[number % len(originals)]
            given, family = random.choice(first), random.choice(last)
            made = {**one, "_id": f"{one['_id']}{number}", "number": f"N-{number}", "name": f"{given} {family}"}
            made |= {"firstName": given, "lastName": family, "identities": []}
            copies.append(made | search_copies(made))
        for start in range(0, customers, 2_000):
            target.customers.insert_many(copies[start : start + 2_000], ordered=False)
        for name, key in (("transactions", "number"), ("coupons", "code"), ("passes", "serialNumber")):
            rows = list(source[name].find({}))
            for turn in range(customers // len(originals)):
                own = [
                    {
                        **row,
                        "_id": f"{row['_id']}{turn}",
                        key: f"{row[key]}-{turn}",
                        "customerId": f"{row['customerId']}{turn}",
                    }
                    for row in rows
                ]
                target[name].insert_many(own, ordered=False)


async def index(uri: str, database: str) -> None:
    """What is searched only: all of an `indexes --apply` would look up what 200,000 customers have not."""
    async with Store.open(uri, database, timeout_seconds=SECONDS) as store:
        for name in ("customers", "activities", "transactions", "coupons", "passes"):
            declared = [indexes.specification(each) for each in COLLECTIONS[name].indexes]
            await store.command({"createIndexes": name, "indexes": declared})


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--customers", type=int, default=20_000)
    asked = arguments.parse_args()
    name = f"{SEED}_{asked.customers}"
    with seeded(FOLDER, customers=1_000, database=SEED) as mongod:
        multiply(mongod, asked.customers, name)
        asyncio.run(index(mongod, name))
        asyncio.run(measure(mongod, name))
