"""Brings a sharded cluster to what shards.py declares."""

from typing import Any, Final

from app.store.driver import Document, Store
from app.store.forms import Collection, Index
from app.store.schema import COLLECTIONS
from app.store.shards import SHARDS, index_of, keys_of

_ROUTER: Final = "isdbgrid"
"""What a mongos says of itself, and no other server."""


class NoRouter(Exception):
    """Raised where the server is not the router of a sharded cluster."""


def plan(database: str) -> list[tuple[bool, Document]]:
    """Returns the commands in their order, each with whether it is sent to the admin database.

    A shard key needs an index that begins with it and has every document: it is made where no declared one does.
    """
    commands: list[tuple[bool, Document]] = []
    for name in SHARDS:
        if not (keys := keys_of(name)):
            continue
        if not _is_led_by(COLLECTIONS[name], keys):
            index = index_of(name)
            commands.append((False, {"createIndexes": name, "indexes": [{"key": _key(keys), "name": index.name}]}))
        commands.append((True, {"shardCollection": f"{database}.{name}", "key": _key(keys)}))
    return commands


async def apply(store: Store, database: str) -> list[str]:
    """Shards what is not sharded yet, and returns the collections' names. The same again changes nothing.

    Raises NoRouter.
    """
    if (await store.command({"hello": 1})).get("msg") != _ROUTER:
        raise NoRouter("This server is not the router (mongos) of a sharded cluster: there is nothing to shard.")
    commands = plan(database)
    for on_admin, command in commands:
        await store.command(command, on_admin=on_admin)
    return [command["shardCollection"] for _, command in commands if "shardCollection" in command]


def _is_led_by(collection: Collection, keys: tuple[str, ...]) -> bool:
    """Whether an index begins with these keys, and leaves out no document."""
    return keys == ("_id",) or any(_is_led(index, keys) for index in collection.indexes)


def _is_led(index: Index, keys: tuple[str, ...]) -> bool:
    return tuple(index.keys.split())[: len(keys)] == keys and not (index.partial_on or index.collation)


def _key(keys: tuple[str, ...]) -> dict[str, Any]:
    return dict.fromkeys(keys, 1)
