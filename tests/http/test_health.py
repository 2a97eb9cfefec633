"""Health: whether to restart us, and whether to send us anybody, with the reason in plain words."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from app.http import health
from app.store import indexes
from app.store.driver import FOLDS_CASE, Driver, Store
from app.store.schema import COLLECTIONS
from tests.support.commands import Commands


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """Gives a clock that stands still."""
    return Clock()


@pytest.fixture
async def probes(store: Store, clock: Clock) -> AsyncGenerator[httpx2.AsyncClient]:
    """Probes the database by the clock that stands still."""
    app = Starlette(routes=health.routes(store.database, clock=clock))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        yield client


async def problems(probes: httpx2.AsyncClient, clock: Clock) -> list[str]:
    """Returns what a probe finds that comes when nothing is known any more."""
    clock.seconds += health.READY_SECONDS
    answer = await probes.get("/readyz")
    said = answer.json()
    assert (answer.status_code, said["ready"]) == ((503, False) if said["problems"] else (200, True))
    return said["problems"]


async def test_it_is_ready_when_all_is_in_place(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "problems": []})


INDEXES = [(name, index.name) for name, collection in COLLECTIONS.items() for index in collection.indexes]


async def test_it_is_not_ready_while_any_index_is_missing(
    probes: httpx2.AsyncClient, clock: Clock, store: Store
) -> None:
    for collection, index in INDEXES:
        await store.command({"dropIndexes": collection, "index": index})
        assert await problems(probes, clock) == [health.MISSING], index
        assert await indexes.missing(store) == [f"{collection}.{index}: missing"]
        await indexes.apply(store)
        assert await problems(probes, clock) == [], index


@pytest.mark.parametrize("collection", COLLECTIONS)
async def test_it_is_not_ready_without_a_collection(
    collection: str, probes: httpx2.AsyncClient, clock: Clock, store: Store
) -> None:
    await store.command({"drop": collection})
    assert await problems(probes, clock) == [health.MISSING]
    await indexes.apply(store)
    assert await problems(probes, clock) == []


SAME_NAME = "customerId_changedAt_order_id"
OTHERWISE: dict[str, dict[str, Any]] = {
    "another key": {"key": {"customerId": 1, "changedAt": -1, "order": 1, "_id": 1}},
    "fewer entries": {
        "key": {"customerId": 1, "changedAt": 1, "order": 1, "_id": 1},
        "partialFilterExpression": {"to": "BLOCKED"},
    },
    "another collation": {"key": {"customerId": 1, "changedAt": 1, "order": 1, "_id": 1}, "collation": FOLDS_CASE},
}


@pytest.mark.parametrize("given", OTHERWISE.values(), ids=OTHERWISE)
async def test_it_is_not_ready_with_an_index_of_that_name_that_does_something_else(
    given: dict[str, Any], probes: httpx2.AsyncClient, clock: Clock, store: Store
) -> None:
    await store.command({"dropIndexes": "statuses", "index": SAME_NAME})
    await store.command({"createIndexes": "statuses", "indexes": [{"name": SAME_NAME, **given}]})
    assert await problems(probes, clock) == [health.MISSING]
    await indexes.apply(store)
    assert await problems(probes, clock) == []


async def test_what_another_version_has_keeps_this_one_from_nothing_and_is_told(
    probes: httpx2.AsyncClient, clock: Clock, store: Store
) -> None:
    """As a newer version leaves it for the old one's gateways, and for who goes back to the old one."""
    for collection in COLLECTIONS:
        await store.command({"collMod": collection, "validator": {"shape": {"$ne": "of another version"}}})
        index = {"key": {"ofAnotherVersion": 1}, "name": "ofAnotherVersion"}
        await store.command({"createIndexes": collection, "indexes": [index]})
    kept = {"keyPattern": {"at": 1}, "expireAfterSeconds": 60}
    await store.command({"collMod": "idempotency", "index": kept})
    await store.command({"create": "ofAnotherVersion"})
    try:
        assert await problems(probes, clock) == []
        assert await indexes.missing(store) == []
        differences = await indexes.differences(store)
        expected = {f"{name}: the validator differs" for name in COLLECTIONS}
        expected |= {f"{name}.ofAnotherVersion: unknown" for name in COLLECTIONS} | {"idempotency.at: differs"}
        assert set(differences) == expected
        assert "ofAnotherVersion" in await indexes.foreign(store)
    finally:
        await store.command({"drop": "ofAnotherVersion"})
        for collection in COLLECTIONS:
            await store.command({"dropIndexes": collection, "index": "ofAnotherVersion"})
        await indexes.apply(store)
    assert await indexes.differences(store) == []


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("{single}", health.SINGLE_SERVER),
        ("reader:wrong@{locked}", health.REFUSED),
        ("nobody:nobody@{locked}", health.REFUSED),
        ("127.0.0.1:1", health.UNREACHABLE),
    ],
)
async def test_a_database_that_cannot_be_used_is_said_with_the_reason(
    address: str, problem: str, single: str, locked: str, driver: Driver, clock: Clock
) -> None:
    uri = f"mongodb://{address.format(single=single, locked=locked)}/"
    async with Store.open(uri, "health", driver=driver, timeout_seconds=1) as store:
        if problem == health.SINGLE_SERVER:
            await indexes.apply(store)
        app = Starlette(routes=health.routes(store.database, clock=clock))
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
            assert await problems(client, clock) == [problem]
        if problem == health.SINGLE_SERVER:
            await store.drop()


async def test_an_answer_costs_one_command_which_all_share_who_ask_for_some_seconds(
    probes: httpx2.AsyncClient, clock: Clock, commands: Commands
) -> None:
    answers = await asyncio.gather(*(probes.get("/readyz") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    clock.seconds += health.READY_SECONDS - 0.001
    await probes.get("/readyz")
    assert commands.names == ["aggregate"]
    clock.seconds += 0.001
    await probes.get("/readyz")
    assert commands.names == ["aggregate", "aggregate"]


async def test_a_bad_answer_is_shared_for_a_second(
    probes: httpx2.AsyncClient, clock: Clock, commands: Commands, store: Store
) -> None:
    await store.command({"dropIndexes": "coupons", "index": "customerId_addedAt_order_id"})
    commands.clear()
    answers = await asyncio.gather(*(probes.get("/readyz") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {503}
    assert commands.names == ["aggregate"]
    await indexes.apply(store)
    clock.seconds += health.UNREADY_SECONDS
    assert (await probes.get("/readyz")).status_code == 200


async def test_who_asked_first_and_left_takes_the_answer_from_nobody(store: Store, clock: Clock) -> None:
    readiness = health.Readiness(store.database, clock)
    first = asyncio.create_task(readiness.problems())
    second = asyncio.create_task(readiness.problems())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == []


async def test_a_server_that_cannot_tell_all_at_once_is_asked_for_each(
    store: Store, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older and newer ones, and users without the right to list a catalogue."""
    await store.command({"dropIndexes": "coupons", "index": "customerId_addedAt_order_id"})
    commands.clear()
    monkeypatch.setattr(indexes, "_ALL_AT_ONCE", "$noSuchStage")
    assert await indexes.differences(store) == ["coupons.customerId_addedAt_order_id: missing"]
    assert {"aggregate", "find", "listCollections", "listIndexes"} == set(commands.names)
    await indexes.apply(store)
    assert await indexes.differences(store) == []


async def test_it_lives(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/livez")
    assert (answer.status_code, answer.text) == (200, "ok")


@pytest.fixture
async def cut_off() -> AsyncGenerator[httpx2.AsyncClient]:
    """Calls a gateway whose database is away.

    Always Motor: closed half way through a connection, PyMongo 4.20 leaves its socket open, and warnings are errors.
    """
    nobody = "mongodb://127.0.0.1:1/?directConnection=true"
    async with Store.open(nobody, "tests", driver="motor", timeout_seconds=0.2) as store:
        app = Starlette(routes=health.routes(store.database))
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
            yield client


async def test_without_its_database_it_lives_but_is_not_ready(cut_off: httpx2.AsyncClient) -> None:
    answer = await cut_off.get("/readyz")
    assert (answer.status_code, answer.json()["problems"]) == (503, ["The database cannot be reached."])
    assert (await cut_off.get("/livez")).status_code == 200
