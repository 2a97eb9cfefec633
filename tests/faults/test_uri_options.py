"""Whatever the URI says of reading and writing: changes, imports, expiry and counting work, on three real servers."""

import asyncio
import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import cycle
from typing import Any, Final

import httpx2
import pytest
from pymongo import ReadPreference
from pymongo.monitoring import CommandListener

from app.domain import points
from app.http.tokens import verifier
from app.main import build_app, routes
from app.services.changes import DeliveryPolicy
from app.services.daily_counts import count_days
from app.services.daily_counts import differences as wrong_days
from app.services.expiry import expire_due
from app.services.importing import import_lines
from app.settings import Limits
from app.store import indexes, previews
from app.store.driver import DeleteMany, Driver, Store
from app.store.schema import COLLECTIONS
from tests.support.commands import Servers
from tests.support.processes import ReplicaSet, initiate, replica_set, within
from tests.support.tokens import AUTHORITY, SECRET, token
from tests.support.world import NOW, World

DATABASE: Final = "options"
PREFERENCES: Final = ("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest")
STALENESS: Final = ("", "&maxStalenessSeconds=90")
OPTIONS: Final = (
    *(
        f"readPreference={preference}{staleness}"
        for preference in PREFERENCES
        for staleness in STALENESS
        if preference != "primary" or not staleness  # which the driver refuses by itself
    ),
    "readPreference=secondary&readPreferenceTags=dc:nowhere&readPreferenceTags=",
    *(f"readConcernLevel={level}" for level in ("local", "available", "majority", "linearizable", "snapshot")),
    "readPreference=secondaryPreferred&readConcernLevel=majority&retryWrites=false&w=1",
    *("w=0", "w=1", "w=2", "journal=true", "journal=false", "wtimeoutMS=1", "w=2&wtimeoutMS=1"),
    *("retryWrites=false", "retryReads=false", "timeoutMS=30000", "compressors=zlib"),
    *("tz_aware=true", "uuidRepresentation=standard", "maxPoolSize=1", "socketTimeoutMS=30000"),
)
CHANGE: Final = """mutation($id: ID!) {
  addNote(input: {customerId: $id, message: "Called back.", idempotencyKey: "note"}) {
    note { message } activity { type } customer { activities { nodes { type } } } userErrors { code } }
  adjustPoints(input: {customerId: $id, points: 5, reason: "Late", idempotencyKey: "points"}) {
    entry { balanceAfter } customer { points { spendable audit { ok entries } } } userErrors { code } } }"""

FIRST: Final = "coupon: 1 imported, 2 parked, 2 unparked\ncustomer: 1 imported"
AGAIN: Final = "coupon: 3 unchanged\ncustomer: 1 unchanged"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Generator[ReplicaSet]:
    """Starts a replica set, and records which server is asked for what."""
    with replica_set(tmp_path_factory.mktemp("options")) as started:
        initiate(started.nodes)
        started.wait_until_well()
        asyncio.run(_apply(started))
        yield started


async def _apply(servers: ReplicaSet) -> None:
    async with Store.open(servers.uri, DATABASE, timeout_seconds=30) as store:
        await indexes.apply(store)


@asynccontextmanager
async def opened(
    servers: ReplicaSet, option: str, driver: Driver, *listeners: CommandListener
) -> AsyncGenerator[Store]:
    uri = f"{servers.uri}&{option}"
    async with Store.open(uri, DATABASE, driver=driver, timeout_seconds=30, listeners=listeners) as store:
        for name in COLLECTIONS.keys() - {"versions"}:  # by which of them the copies are made stays true
            await store.write(name, [DeleteMany({})])
        yield store


@asynccontextmanager
async def client(store: Store) -> AsyncGenerator[httpx2.AsyncClient]:
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    app = build_app(
        routes(store.database, authenticate, timeout_seconds=60, outgoing=DeliveryPolicy(), limits=Limits())
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as made:
        yield made


async def ask(client: httpx2.AsyncClient, query: str, **variables: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token()}"}
    answer = (await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)).json()
    assert "errors" not in answer, answer
    return answer["data"]


# Either driver with every second option: what an option means, PyMongo decides, which is inside of both.
@pytest.mark.parametrize(("option", "driver"), list(zip(OPTIONS, cycle(("motor", "pymongo")), strict=False)))
async def test_everything_that_writes_works_and_sees_what_it_wrote(
    option: str, driver: Driver, servers: ReplicaSet
) -> None:
    async with opened(servers, option, driver) as store, client(store) as asking:
        world = World(store)
        ada = await world.customer()
        due = points.earn(points.empty(), 100, now=NOW, expires_at=NOW + timedelta(days=30))
        await world.ledger(ada, due)

        done = await ask(asking, CHANGE, id=ada["_id"])
        assert done["addNote"]["userErrors"] == done["adjustPoints"]["userErrors"] == []
        assert done["addNote"]["customer"]["activities"]["nodes"] == [{"type": done["addNote"]["activity"]["type"]}]
        assert done["adjustPoints"]["customer"]["points"]["audit"]["ok"] is True

        await import_twice(store)

        assert await expire_due(store, NOW + timedelta(days=40)) in (0, 1)  # the change may have expired it
        assert await store.find("customers", {"points.buckets.expiresAt": {"$lte": NOW + timedelta(days=40)}}) == []

        assert await count_days(store, NOW + timedelta(days=400), grace=timedelta()) > 0
        assert await wrong_days(store) == []
        await previews.refresh_stale(store)
        assert await previews.differences(store) == []
        assert await previews.refresh_stale(store) == 0
        assert await indexes.differences(store) == []

        listening = store.inserts("deliveries")
        await anext(listening)
        email = await world.email(ada)
        await world.delivery(email)
        await asyncio.wait_for(anext(listening), 30)
        await listening.aclose()


async def import_twice(store: Store) -> None:
    """What waits for its customer first, so that what was parked is found again at once."""
    of = {"source": "shop", "id": "E1"}
    lines: list[dict[str, Any]] = [
        {"kind": "coupon", "source": "shop", "id": f"K{n}", "customer": of, "code": f"C{n}", "type": "discount"}
        | {"value": "5 %", "addedAt": "2025-03-01T00:00:00Z", "origin": "RULE", "redeemed": False}
        for n in range(3)
    ]
    lines.append(
        {"kind": "customer", **of, "number": "E-1", "name": "Eve"}
        | {"registeredAt": "2025-03-01T00:00:00Z", "paymentCount": 0}
    )
    raw = [json.dumps(line).encode() for line in lines]
    rejects: list[Any] = []
    for expected in (FIRST, AGAIN):
        summary = await import_lines(store, raw, now=NOW, reject=rejects.append, lines_per_chunk=2)
        assert sorted(str(summary).splitlines()) == sorted(expected.splitlines()), rejects
    assert len(await store.find("coupons", {})) == 3


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
@pytest.mark.parametrize("preference", ["secondary", "secondaryPreferred"])
async def test_queries_ask_a_secondary_and_all_else_the_primary(
    preference: str, driver: Driver, servers: ReplicaSet
) -> None:
    primary = servers.wait_for_primary().port
    asked = Servers()
    async with opened(servers, f"readPreference={preference}", driver, asked) as store, client(store) as asking:
        ada = await World(store).customer(number="R-1")
        await ask(asking, CHANGE, id=ada["_id"])
        await import_twice(store)
        assert {port for port, _, _ in asked.asked} == {primary}

        await asyncio.to_thread(everywhere, servers, "R-1")
        asked.asked.clear()
        data = await ask(asking, '{ customer(by: {number: "R-1"}) { number notes: activities { nodes { type } } } }')
        assert data["customer"]["number"] == "R-1"
        reads = [port for port, name, _ in asked.asked if name in ("find", "aggregate")]
        assert reads
        assert primary not in reads


def everywhere(servers: ReplicaSet, number: str) -> None:
    """Waits until each of the three has this customer."""
    for node in servers.nodes:
        customers = node.client.get_database(DATABASE, read_preference=ReadPreference.NEAREST)["customers"]
        within(30, lambda customers=customers: customers.find_one({"number": number}), f"a customer {number}")
