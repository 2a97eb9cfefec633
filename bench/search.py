"""The search box at size: `python -m bench.search`, on 20,000 sample customers, and with `--customers 200000` on more.

What is asked for goes through the whole gateway, in process: the median of nine after one to warm up, and the slowest.
Then its commands are explained: how many they are, and how many documents and index entries they examined together.
More customers are copies of the sample's with other names and numbers, in a database of their own, without activities.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Iterable
from datetime import timedelta
from random import Random
from typing import Any, Final

import httpx2
from pymongo import MongoClient

from app.domain.access import Role
from app.domain.search import search_copies
from app.http.tokens import issue, verifier
from app.main import assembled, routes
from app.store import indexes
from app.store.driver import Document, Store
from bench.commands import Commands, examined
from bench.data import CUSTOMERS, DATABASE, seeded

SECRET = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
AUTHORITY: dict[str, Any] = {"issuer": "bench", "audience": "bench"}
SECONDS: Final = 120
QUERY: Final = """query($text: String!) { search(text: $text) {
  customer { number name } matches { kind value isExact } } }"""
TEXTS: Final = (
    "C-100077",
    "C-10",
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
    "FREEMONTH-5531",
)


async def measure(uri: str, database: str) -> None:
    commands = Commands()
    async with Store.open(uri, database, timeout_seconds=SECONDS, listeners=[commands]) as store:
        print(f"{(await store.command({'count': 'customers'}))['n']:,} customers")
        print(f"{'':32} {'ms':>7} {'slowest':>8} {'hits':>5} {'commands':>9} {'documents':>10} {'keys':>9}")
        authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
        app = assembled(routes(store, authenticate, timeout_seconds=SECONDS))
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
    """Names are put together anew from those that there are, so that words are as frequent as among people."""
    random = Random(7)  # noqa: S311 # no secret
    with MongoClient[Document](uri) as client:
        target = client[database].customers
        if target.estimated_document_count() >= customers:
            return
        originals = list(client[DATABASE].customers.find({}))
        first, last = ([str(each.get(key) or "Ada") for each in originals] for key in ("firstName", "lastName"))

        def copies() -> Iterable[Document]:
            for index in range(customers):
                one = originals[index % len(originals)]
                given, family = random.choice(first), random.choice(last)  # no secret
                made = {**one, "_id": f"{one['_id']}{index}", "number": f"N-{index}", "name": f"{given} {family}"}
                made |= {"firstName": given, "lastName": family, "identities": []}
                yield made | search_copies(made)

        batch: list[Document] = []
        target.drop()
        for each in copies():
            batch.append(each)
            if len(batch) == 2_000:
                target.insert_many(batch, ordered=False)
                batch = []
        if batch:
            target.insert_many(batch, ordered=False)


async def index(uri: str, database: str) -> None:
    async with Store.open(uri, database, timeout_seconds=SECONDS) as store:
        await indexes.apply(store)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--customers", type=int, default=CUSTOMERS)
    asked = arguments.parse_args()
    with seeded() as mongod:
        name = DATABASE
        if asked.customers > CUSTOMERS:
            name = f"{DATABASE}_{asked.customers}"
            multiply(mongod, asked.customers, name)
            asyncio.run(index(mongod, name))
        asyncio.run(measure(mongod, name))
