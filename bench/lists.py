"""Lists of customers at size: `python -m bench.lists`, on 200,000 customers, and with `--customers 1000000` on more.

Every filter in every order, alone and in the pairs that people ask for: the first page, and one that begins 1,000 rows
in; then how many there are, by itself; then the search box. Through the whole gateway, in process: the median of five
after one to warm up. Its commands are explained: the documents and index entries that they examined, and whether rows
were put in order in memory. `--orders NAME,NUMBER` and `--filters WORD` ask for less.

The customers are made of a sample of 1,000, each a new person with other names, numbers, points and times, and written
with the copies that the gateway's own code makes. They are deleted at the end, unless `--keep`.
"""

import argparse
import asyncio
import shutil
import statistics
import time
import unicodedata
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx2
from bson import Decimal128
from pymongo import MongoClient

from app.catalogue import CUSTOMER_FIELDS, read_own
from app.domain import points
from app.domain.access import Role
from app.domain.customers import balance
from app.domain.search import search_copies
from app.http.tokens import issue, verifier
from app.main import build_app, routes
from app.settings import Limits
from app.store import indexes
from app.store.driver import Document, Store
from app.store.schema import COLLECTIONS
from bench.commands import Commands, examined, sorted_in_memory
from bench.data import seeded
from bench.search import QUERY as BOX
from bench.search import TEXTS

SECRET = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
AUTHORITY: dict[str, Any] = {"issuer": "bench", "audience": "bench"}
FOLDER: Final = Path(".data/bench-lists")
SEED: Final = "bench_lists"
CACHE_GB: Final = 4
"""Of the database: our own mongod has 0.5, which is for a demo."""
SECONDS, TIMES, BATCH, GOAL_MS = 60, 5, 5_000, 50
LIST: Final = """query($f: CustomerFilter, $o: CustomerOrder, $first: Int!, $after: String) {
  customers(first: $first, after: $after, filter: $f, orderBy: $o) { nodes { number name } pageInfo { endCursor } } }"""
COUNT: Final = "query($f: CustomerFilter) { customers(first: 0, filter: $f) { totalCount } }"
ORDERS: Final = ("NAME", "NUMBER", "REGISTERED_AT", "LAST_ACTIVITY_AT", "SPENDABLE_POINTS")
NOW: Final = datetime.now(UTC).replace(microsecond=0)


def _since(days: int) -> str:
    return (NOW - timedelta(days=days)).isoformat()


FILTERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "segment: leads": {"segment": "LEADS"},
    "segment: customers": {"segment": "CUSTOMERS"},
    "status: most": {"statuses": ["ACTIVE"]},
    "status: few": {"statuses": ["BLOCKED"]},
    "tags": {"tags": ["vip"]},
    "countries: some": {"countries": ["SE"]},
    "countries: few": {"countries": ["NO", "PT"]},
    "fields: a third": {"fields": [{"name": "loyaltyTier", "values": ["GOLD"]}]},
    "fields: a range": {"fields": [{"name": "creditLimit", "from": "4900"}]},
    "registered: last week": {"registeredAt": {"from": _since(7)}},
    "registered: long ago": {"registeredAt": {"to": _since(365)}},
    "payments: many": {"payments": {"min": 40}},
    "payments: any": {"payments": {"min": 1}},
    "campaigns": {"campaigns": ["Spring radio"]},
    "activity: rare, last week": {"hasActivity": {"type": "REFUNDED", "since": _since(7)}},
    "activity: frequent, last week": {"hasActivity": {"type": "SUBSCRIPTION_RENEWED", "since": _since(7)}},
    "activity: frequent, ever": {"hasActivity": {"type": "SUBSCRIPTION_RENEWED"}},
    "points: many": {"spendablePoints": {"min": 4_900}},
    "points: any": {"spendablePoints": {"min": 1}},
    "points: none": {"spendablePoints": {"max": 0}},
    "number": {"number": "n-777"},
    "name: a letter": {"name": "s"},
    "name: a name": {"name": "zoe mul"},
    "last name": {"lastName": "muller"},
    "e-mail": {"email": "zoe.muller777@example.com"},
    "e-mail: beginning": {"emailPrefix": "zoe.mu"},
}
PAIRS: Final = (
    ("status: most", "countries: some"),
    ("status: few", "countries: some"),
    ("tags", "countries: some"),
    ("segment: leads", "registered: last week"),
    ("segment: leads", "countries: some"),
    ("segment: leads", "points: any"),
    ("segment: customers", "points: none"),
    ("campaigns", "segment: leads"),
    ("status: few", "activity: frequent, last week"),
    ("activity: frequent, ever", "countries: few"),
    ("fields: a third", "points: many"),
    ("fields: a third", "segment: leads"),
    ("tags", "points: many"),
    ("name: a letter", "countries: some"),
    ("last name", "status: most"),
)
PHONE: Final = "+49 151 20000777"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table says what one question cost."""

    name: str
    milliseconds: float
    returned: int
    documents: int
    keys: int
    sorts: bool

    def __str__(self) -> str:
        numbers = f"{self.milliseconds:8.1f} {self.returned:7,} {self.documents:9,} {self.keys:9,}"
        return f"{self.name:76} {numbers}  {'sorted' if self.sorts else ''}".rstrip()


class Asking:
    """It asks through the whole gateway, and has explained what that took."""

    def __init__(self, store: Store, commands: Commands, client: httpx2.AsyncClient) -> None:
        self._store, self._commands, self._client = store, commands, client

    @classmethod
    @asynccontextmanager
    async def open(cls, uri: str, database: str) -> AsyncGenerator["Asking"]:
        commands = Commands()
        token = issue(SECRET, roles=[Role.ADMIN], subject="b", name="B", lifetime=timedelta(days=1), **AUTHORITY)
        authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
        limits = Limits(cost_per_minute="1000000000", max_waiting_seconds=60)
        async with Store.open(uri, database, timeout_seconds=SECONDS, listeners=[commands]) as store:
            app = build_app(routes(store.database, authenticate, timeout_seconds=SECONDS, limits=limits))
            options: dict[str, Any] = {"headers": {"Authorization": f"Bearer {token}"}, "timeout": SECONDS}
            async with httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app), base_url="http://bench", **options
            ) as client:
                yield cls(store, commands, client)

    async def ask(self, query: str, **variables: Any) -> Any:
        answer = (await self._client.post("/graphql", json={"query": query, "variables": variables})).json()
        assert "errors" not in answer, (variables, answer)
        (data,) = answer["data"].values()
        return data

    async def row(self, name: str, query: str, **variables: Any) -> Row:
        taken: list[float] = []
        found: Any = None
        for _ in range(TIMES + 1):
            self._commands.sent.clear()
            start = time.perf_counter()
            found = await self.ask(query, **variables)
            taken.append((time.perf_counter() - start) * 1_000)
        sent = self._commands.sent.copy()
        returned = found.get("totalCount", len(found.get("nodes", ()))) if query != BOX else len(found)
        documents, keys = await examined(self._store, sent)
        sorts = [await sorted_in_memory(self._store, each) for each in sent]
        return Row(name, statistics.median(taken[1:]), returned, documents, keys, any(sorts))

    async def after(self, rows: int, **variables: Any) -> str | None:
        """Returns the cursor of so many rows in; None if there are no more."""
        after: str | None = None
        for _ in range(rows // 100):
            page = await self.ask(LIST, first=100, after=after, **variables)
            if len(page["nodes"]) < 100:
                return None
            after = page["pageInfo"]["endCursor"]
        return after


async def measure(uri: str, database: str, orders: list[str], word: str) -> None:
    rows: list[Row] = []

    def show(row: Row) -> None:
        rows.append(row)
        print(row, flush=True)

    alone: list[tuple[str, Mapping[str, Any]]] = [("everybody", {}), *FILTERS.items()]
    pairs = [(f"{one} + {other}", {**FILTERS[one], **FILTERS[other]}) for one, other in PAIRS]
    chosen = [(name, given) for name, given in (*alone, *pairs) if word in name]
    async with Asking.open(uri, database) as asking:
        print(f"{'':76} {'ms':>8} {'rows':>7} {'documents':>9} {'keys':>9}")
        for name, given in chosen:
            for field, direction in product(orders, ("ASC", "DESC")):
                asked = {"f": given, "o": {"field": field, "direction": direction}}
                called = f"{name}, by {field} {direction}"
                show(await asking.row(called, LIST, first=20, **asked))
                if after := await asking.after(1_000, **asked):
                    show(await asking.row(f"{called}, 1,000 rows in", LIST, first=20, after=after, **asked))
        for name, given in chosen:
            show(await asking.row(f"{name}, how many", COUNT, f=given))
        for text in (*TEXTS, PHONE, PHONE[:12]) if not word else ():
            show(await asking.row(f"search box: {text}", BOX, text=text))
    slow = sorted((row for row in rows if row.milliseconds > GOAL_MS), key=lambda row: -row.milliseconds)
    print(f"\n{len(slow)} of {len(rows)} rows took more than {GOAL_MS} ms; the slowest:")
    print(*slow[:40], sep="\n")


# ---------------------------------------------------------------- the customers


def people(originals: list[Document], customers: int) -> Iterator[Document]:
    """Yields new people as writers would keep them: names are put together anew, so that words are as frequent as among
    people; times move together, and points are as many as people have."""
    random = Random(7)  # noqa: S311 # no secret
    named = [each for each in originals if "firstName" in each and "lastName" in each]
    first, last = ([str(each[key]) for each in named] for key in ("firstName", "lastName"))
    for number in range(customers):
        one = originals[number % len(originals)]
        given, family = random.choice(first), random.choice(last)
        later = timedelta(minutes=random.randrange(60 * 24 * 30))
        made = {**one, "_id": f"{one['_id']}{number}", "number": f"N-{number}", "name": f"{given} {family}"}
        made |= {"firstName": given, "lastName": family, "identities": []}
        made["registeredAt"] = one["registeredAt"] - later
        if "lastActivityAt" in one:
            made["lastActivityAt"] = one["lastActivityAt"] - later
            made["lastByType"] = {type_: at - later for type_, at in one.get("lastByType", {}).items()}
        if "email" in one or one.get("emails"):
            made.pop("email", None)
            made["emails"] = [{"value": f"{_plain(given)}.{_plain(family)}{number}@example.com", "primary": True}]
        if one.get("phones"):
            made["phones"] = [{"value": f"+49 151 {20_000_000 + number}", "primary": True}]
        if one["spendable"] > 0:
            earned = points.earn(points.empty(), max(1, int(random.expovariate(1 / 1_200))), now=made["registeredAt"])
            made |= balance(earned.state)
        fields: list[Document] = []
        if number % 3:
            fields.append({"name": "loyaltyTier", "value": random.choice(("BRONZE", "SILVER", "GOLD"))})
        if number % 2:
            fields.append({"name": "creditLimit", "value": Decimal128(str(random.randrange(5_000)))})
        made["fields"] = fields
        yield made | search_copies(made)


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(character for character in folded.lower() if character.isalnum() or character == "-")


def fill(uri: str, customers: int, database: str) -> None:
    with MongoClient[Document](uri) as client:
        cache = f"cache_size={CACHE_GB}GB"
        client.admin.command({"setParameter": 1, "wiredTigerEngineRuntimeConfig": cache})
        target = client[database].customers
        if target.estimated_document_count() == customers:
            return
        client.drop_database(database)
        made = people(list(client[SEED].customers.find({})), customers)
        while batch := list(islice(made, BATCH)):
            target.insert_many(batch, ordered=False)


async def index(uri: str, database: str) -> None:
    """What lists and the search box ask for only, one after the other, so that little of the disk is taken at once."""
    async with Store.open(uri, database, timeout_seconds=3_600) as store:
        for name in ("customers", "activities", "transactions", "coupons", "passes"):
            for each in COLLECTIONS[name].indexes:
                await store.command({"createIndexes": name, "indexes": [indexes.specification(each)]})
        sizes = await store.command({"collStats": "customers"})
        disk, of_indexes = sizes["storageSize"] / 1e6, sizes["totalIndexSize"] / 1e6
        print(f"{sizes['count']:,} customers: {disk:,.0f} MB and {of_indexes:,.0f} MB of indexes on disk")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--customers", type=int, default=200_000)
    arguments.add_argument("--orders", default=",".join(ORDERS))
    arguments.add_argument("--filters", default="", help="only filters with this word in their name")
    arguments.add_argument("--folder", type=Path, default=FOLDER)
    arguments.add_argument("--keep", action="store_true")
    asked = arguments.parse_args()
    CUSTOMER_FIELDS.update({field.name: field for field in read_own("examples/catalogue/shop.toml").fields})
    name = f"{SEED}_{asked.customers}"
    try:
        with seeded(asked.folder, customers=1_000, database=SEED) as mongod:
            start = time.monotonic()
            fill(mongod, asked.customers, name)
            asyncio.run(index(mongod, name))
            print(f"made in {time.monotonic() - start:.0f} s")
            asyncio.run(measure(mongod, name, asked.orders.split(","), asked.filters))
    finally:
        if not asked.keep:
            shutil.rmtree(asked.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
