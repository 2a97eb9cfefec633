"""The seam to the driver: what is written comes back as it was."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from bson import Decimal128
from hypothesis import example, given
from hypothesis import strategies as st

from app.store import codec, shared_keys
from app.store.deadline import NEVER
from app.store.driver import Database, Driver, InsertOne, Store, Unavailable
from app.store.writings import StoreSession

pytestmark = pytest.mark.anyio

_MOMENTS = (datetime(2024, 2, 29, 23, 59, 59, 999_000, UTC), datetime(1, 1, 1, tzinfo=UTC), datetime(1969, 7, 20))  # noqa: DTZ001 # taken for UTC
_AMOUNTS = tuple(map(Decimal, ("12.50", "-0.00", "0E+3", "1E-6176", "9999999999999999999999999999999999")))


async def test_times_and_decimals_come_back_however_deep_they_are(store: Store) -> None:
    values = [*_MOMENTS, *_AMOUNTS, "text", 1, True, None]
    nested = {"list": values, "lists": [values, [{"in": values}]], "object": {"at": _MOMENTS[0], "of": _AMOUNTS[0]}}
    one = {"_id": "one"}
    await store.insert("samples", [{**one, **nested}])

    expected = [each.replace(tzinfo=UTC) if isinstance(each, datetime) else each for each in values]
    by_find, by_aggregate = await store.find("samples", one), await store.aggregate("samples", [{"$match": one}])
    taken = await store.find_one_and_update("samples", one, {"$set": {"taken": True}})
    for found in (*by_find, *by_aggregate, taken):
        assert found
        for there in (found["list"], found["lists"][0], found["lists"][1][0]["in"]):
            assert list(map(repr, there)) == list(map(repr, expected))  # repr tells 12.5 from 12.50, and UTC from none
        assert repr(found["object"]) == repr({"at": _MOMENTS[0], "of": _AMOUNTS[0]})


async def test_a_time_of_any_zone_is_kept_as_the_moment_it_is(store: Store) -> None:
    moment = datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=2)))
    await store.insert("samples", [{"_id": "two", "at": moment}])
    (found,) = await store.find("samples", {"_id": "two", "at": moment})
    assert found["at"] == moment
    assert found["at"].tzinfo is UTC


@given(st.decimals(allow_nan=True, allow_infinity=True, places=None))
@example(Decimal("-Infinity"))
@example(Decimal("1E+6111"))
def test_a_decimal_is_read_as_the_library_reads_it(amount: Decimal) -> None:
    try:
        stored = Decimal128(amount)
    except ArithmeticError:  # more digits than there is room for
        return
    read = codec._decimal(stored)  # pyright: ignore[reportPrivateUsage] # what every read goes through
    assert repr(read) == repr(stored.to_decimal())


async def test_a_key_is_made_once_for_all_processes(store: Store) -> None:
    first, *others = await asyncio.gather(*(shared_keys.shared(store, "tests", length=32) for _ in range(8)))
    assert len(first) == 32
    assert set(others) == {first}
    assert await shared_keys.shared(store, "others", length=32) != first


def test_only_a_store_reads_and_writes_and_a_store_has_a_deadline() -> None:
    def acts(kind: type) -> set[str]:
        own = {name: inspect.unwrap(each) for name, each in vars(kind).items() if callable(each) and name[0] != "_"}
        return {name for name, each in own.items() if inspect.iscoroutinefunction(each)}

    assert acts(Database) == set()
    assert {"find", "aggregate", "write", "transaction", "command"} <= acts(Store)
    assert inspect.signature(Store).parameters["deadline"].default is inspect.Parameter.empty


async def test_a_store_within_a_store_has_the_sooner_deadline(store: Store) -> None:
    assert store.deadline is NEVER
    hour = store.within(3_600)
    assert 3_590 < hour.deadline.remaining_seconds <= 3_600
    assert hour.within(60).deadline.remaining_seconds <= 60
    assert hour.within(60).within(7_200).deadline.remaining_seconds <= 60
    assert store.within(-1).deadline.remaining_seconds < 0


async def test_every_kind_of_command_ends_by_the_deadline(store: Store) -> None:
    calls: list[Callable[[Store], Awaitable[Any]]] = [
        lambda late: late.find("deadlines", {}),
        lambda late: late.aggregate("deadlines", []),
        lambda late: late.aggregate("deadlines", [], snapshot=True),
        lambda late: late.merge("deadlines", [{"$merge": "others"}]),
        lambda late: late.insert("deadlines", [{"_id": 1}]),
        lambda late: late.insert("deadlines", [{"_id": 1}, {"_id": 2}]),
        lambda late: late.write("deadlines", [InsertOne({"_id": 1})]),
        lambda late: late.find_one_and_update("deadlines", {}, {"$set": {"a": 1}}, upsert=True),
        lambda late: late.command({"ping": 1}),
        lambda late: late.indexes_of("deadlines"),
        lambda late: late.kill_operations("nobody's"),
        lambda late: late.transaction(lambda session: late.insert("deadlines", [{"_id": 1}], session=session)),
    ]
    for call in calls:
        late = store.within(0)
        await asyncio.sleep(0.01)
        with pytest.raises(Unavailable):
            await call(late)
    assert await store.find("deadlines", {}) == []


async def test_hosts_that_no_name_server_knows_are_servers_that_are_away(driver: Driver) -> None:
    """PyMongo calls it a wrong address where mongodb+srv:// cannot be looked up: a worker ended with it."""

    async def changed(session: StoreSession) -> None:
        await store.insert("samples", [{"_id": "one"}], session=session)

    async with Store.open("mongodb+srv://nowhere.invalid/", "samples", driver=driver, timeout_seconds=1) as store:
        asked: list[Awaitable[object]] = [
            store.check_server(),
            store.find("samples", {}),
            store.insert("samples", [{"_id": "one"}]),
            store.indexes_of("samples"),
            anext(store.inserts("samples")),
            store.within(1).aggregate(None, [{"$documents": []}], snapshot=True),
            store.within(1).transaction(changed),
        ]
        for each in asked:
            with pytest.raises(Unavailable):
                await each
