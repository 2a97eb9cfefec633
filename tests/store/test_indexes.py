import asyncio

import pytest

from app.store import indexes, shared_keys
from app.store.driver import Driver, Store, StoreError, reason_of
from app.store.schema import COLLECTIONS


async def test_a_new_database_differs_by_nothing_once_applied(store: Store) -> None:
    assert await indexes.differences(store) == []


async def test_an_index_that_is_retired_is_dropped_and_any_other_is_left_alone(store: Store) -> None:
    for keys in ({"customerId": 1, "key": 1}, {"mutation": 1}):
        name = "_".join(keys)
        await store.command({"createIndexes": "idempotency", "indexes": [{"key": keys, "name": name, "unique": True}]})
    await indexes.apply(store)
    left = {index["name"] for index in await store.indexes_of("idempotency")}
    assert left == {"_id_", "customerId_subject_key", "customerId_subject_at", "at", "mutation"}
    await store.command({"dropIndexes": "idempotency", "index": "mutation"})


async def test_many_who_begin_at_once_all_find_everything_as_declared(
    mongodb_uri: str, database_name: str, driver: Driver
) -> None:
    """First imports, and gateways whose first write makes a collection before it is declared."""
    async with Store.open(mongodb_uri, f"{database_name}_new", driver=driver) as new:
        try:
            keys = (shared_keys.shared(new, "cursors", length=32) for _ in range(4))
            await asyncio.gather(*(indexes.apply(new) for _ in range(4)), *keys)
            assert await indexes.differences(new) == []
        finally:
            await new.drop()


async def test_an_index_that_is_missing_or_has_another_name_is_said_with_the_way_out(database_to_spoil: Store) -> None:
    """As in a database that was restored without its indexes, or got one from somebody else."""
    store = database_to_spoil
    await store.command({"dropIndexes": "customers", "index": "number"})
    with pytest.raises(StoreError) as missing:
        await store.find("customers", {}, hint="number")
    assert reason_of(missing.value) == "It lacks an index that this version reads by. Run `indexes --apply`."
    (number,) = [index for index in COLLECTIONS["customers"].indexes if index.name == "number"]
    other = {**indexes.specification(number), "name": "by_number"}
    await store.command({"createIndexes": "customers", "indexes": [other]})
    with pytest.raises(StoreError) as taken:
        await indexes.apply(store)
    assert reason_of(taken.value) == (
        "It has an index of the same keys by another name, by_number. Drop that one, and run this again."
    )
    await store.command({"dropIndexes": "customers", "index": "by_number"})
    await indexes.apply(store)
    assert await indexes.differences(store) == []
