"""Where collections lie on a sharded cluster: what is declared, what is sent, and how commands are judged."""

import re
from pathlib import Path
from typing import Any

import pytest

from app.store.driver import Store
from app.store.indexes import differences
from app.store.schema import COLLECTIONS
from app.store.sharding import NoRouter, apply, plan
from app.store.shards import SHARDS, Whole, keys_of
from tests.support.routing import ALLOWED, Routing, Scattered, scattered

SHARDED = [name for name in COLLECTIONS if keys_of(name)]


def test_every_collection_lies_somewhere() -> None:
    assert SHARDS.keys() == COLLECTIONS.keys()


@pytest.mark.parametrize("name", SHARDED)
def test_a_unique_index_begins_with_the_shard_key(name: str) -> None:
    keys = keys_of(name)
    for index in COLLECTIONS[name].indexes:
        assert not index.unique or tuple(index.keys.split())[: len(keys)] == keys


@pytest.mark.parametrize("name", SHARDED)
def test_a_shard_key_is_in_every_document(name: str) -> None:
    """But for what concerns no customer, and then lies where the key is null."""
    collection = COLLECTIONS[name]
    needed = {"_id", *collection.required, *({"customerId"} if name in ("idempotency", "audit") else ())}
    assert needed >= {*keys_of(name)}


async def test_each_shard_key_has_an_index_that_leaves_out_no_document(store: Store) -> None:
    """As a cluster demands; and the gateway takes the indexes that are made for it for its own."""
    commands = plan("any")
    for on_admin, command in commands:
        if not on_admin:
            await store.command(command)
    for command in (command for _, command in commands if "shardCollection" in command):
        name = command["shardCollection"].partition(".")[2]
        indexes = await store.indexes_of(name)
        led = [each for each in indexes if [*each["key"]][: len(command["key"])] == [*command["key"]]]
        whole = [each for each in led if not each.keys() & {"partialFilterExpression", "sparse", "collation"}]
        assert whole, name
        assert {*keys_of(name)} == {*command["key"]}
    assert await differences(store) == []
    for on_admin, command in commands:
        if not on_admin:
            await store.command({"dropIndexes": command["createIndexes"], "index": command["indexes"][0]["name"]})


async def test_what_is_no_router_is_told_so_and_nothing_is_changed(store: Store) -> None:
    before = {name: await store.indexes_of(name) for name in SHARDED}
    with pytest.raises(NoRouter, match="mongos"):
        await apply(store, "any")
    assert {name: await store.indexes_of(name) for name in SHARDED} == before


@pytest.mark.parametrize(
    ("name", "command", "is_found"),
    [
        ("find", {"find": "activities", "filter": {"customerId": "cus_1", "type": "X"}}, False),
        ("find", {"find": "activities", "filter": {"customerId": {"$in": ["cus_1"]}}}, False),
        ("find", {"find": "activities", "filter": {"customerId": {"$nin": ["cus_1"]}}}, True),
        ("find", {"find": "activities", "filter": {"$and": [{"type": "X"}, {"customerId": "cus_1"}]}}, False),
        ("find", {"find": "activities", "filter": {"$or": [{"customerId": "cus_1"}, {"type": "X"}]}}, True),
        ("find", {"find": "audit", "filter": {"customerId": None}}, False),
        ("find", {"find": "customers", "filter": {"name": "Ada"}}, False),
        ("find", {"find": "heads", "filter": {"_id": "cus_1"}}, False),
        ("update", {"update": "notes", "updates": [{"q": {"_id": "not_1"}, "u": {}}]}, True),
        ("delete", {"delete": "notes", "deletes": [{"q": {"customerId": "cus_1"}, "limit": 0}]}, False),
        ("findAndModify", {"findAndModify": "requests", "query": {"dueAt": 1}}, True),
        ("aggregate", {"aggregate": "notes", "pipeline": [{"$match": {"customerId": "cus_1"}}]}, False),
        ("aggregate", {"aggregate": "notes", "pipeline": [{"$limit": 1}, {"$match": {"customerId": "cus_1"}}]}, True),
        (
            "aggregate",
            {"aggregate": 1, "pipeline": [{"$lookup": {"from": "notes", "foreignField": "customerId"}}]},
            False,
        ),
        ("aggregate", {"aggregate": 1, "pipeline": [{"$lookup": {"from": "notes", "foreignField": "_id"}}]}, True),
        ("aggregate", {"aggregate": "customers", "pipeline": [{"$unionWith": {"coll": "notes"}}]}, True),
        ("insert", {"insert": "notes", "documents": [{"_id": "not_1"}]}, False),
        (
            "aggregate",
            {
                "aggregate": "customers",
                "autocommit": False,
                "pipeline": [{"$lookup": {"from": "notes", "localField": "_id", "foreignField": "customerId"}}],
            },
            True,
        ),
        ("aggregate", {"aggregate": "customers", "autocommit": False, "pipeline": [{"$merge": "heads"}]}, True),
        ("aggregate", {"aggregate": "customers", "autocommit": False, "pipeline": [{"$limit": 1}]}, False),
    ],
)
def test_a_command_without_its_shard_key_or_of_no_transaction_is_found(
    name: str, command: dict[str, Any], is_found: bool
) -> None:
    assert bool([*scattered(name, command)]) is is_found


def test_a_write_by_anything_but_an_id_is_not_allowed() -> None:
    routing = Routing()
    event = type(
        "Started", (), {"command_name": "delete", "command": {"delete": "notes", "deletes": [{"q": {"x": 1}}]}}
    )
    routing.started(event)
    assert routing.scattered == {Scattered("delete", "notes", ("x",))}


def test_the_page_about_growth_lists_what_may_ask_all_and_what_stays_whole() -> None:
    page = " ".join(Path("docs/scale.md").read_text("utf-8").split())
    for each in ALLOWED:
        assert each.reason in page, each.reason
        assert each.bound in page, each.bound
    for name, placed in SHARDS.items():
        assert re.search(rf"`{re.escape(name)}`", page), name
        if isinstance(placed, Whole):
            assert placed.reason in page, placed.reason
