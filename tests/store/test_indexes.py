from app.store import indexes
from app.store.driver import Store


async def test_a_new_database_differs_by_nothing_once_applied(store: Store) -> None:
    assert await indexes.differences(store) == []


async def test_an_index_that_is_retired_is_dropped_and_any_other_is_left_alone(store: Store) -> None:
    for keys in ({"customerId": 1, "key": 1}, {"mutation": 1}):
        name = "_".join(keys)
        await store.command({"createIndexes": "idempotency", "indexes": [{"key": keys, "name": name, "unique": True}]})
    await indexes.apply(store)
    left = {index["name"] for index in await store.indexes_of("idempotency")}
    assert left == {"_id_", "customerId_subject_key", "at", "mutation"}
    await store.command({"dropIndexes": "idempotency", "index": "mutation"})
