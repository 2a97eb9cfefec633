"""Judges whether a cluster's router would send a command to the shard that has it, or to all of them."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

from pymongo.monitoring import CommandListener

from app.store.driver import Store
from app.store.shards import keys_of

_TESTS: Final = str(Path(__file__).parent.parent)
_ABOUT: Final = {"$listCatalog", "$collStats", "$indexStats", "$noSuchStage"}
"""Stages that tell of a collection, and read no document; the last is refused by every server."""
_NOT_IN_A_TRANSACTION: Final = {
    *("$merge", "$out", "$unionWith", "$collStats", "$indexStats", "$planCacheStats"),
    *("$currentOp", "$listSessions", "$listLocalSessions", "$graphLookup"),
}
"""Stages that MongoDB refuses there, or of sharded collections: see "Operations" of "Transactions" in its manual."""
_asked_by_a_test: ContextVar[bool] = ContextVar("_asked_by_a_test", default=False)


def _judged(method: Any) -> Any:
    @wraps(method)
    def sends(*given: Any, **named: Any) -> Any:
        work = method(*given, **named)
        caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage] # a whole stack costs more than what is asked
        return _of_a_test(work) if caller.f_code.co_filename.startswith(_TESTS) else work

    return sends


async def _of_a_test(work: Any) -> Any:
    before = _asked_by_a_test.set(True)
    try:
        return await work
    finally:
        _asked_by_a_test.reset(before)


def tell_tests_apart() -> None:
    """Lets what a test asks itself be known from what the gateway asks: a test looks everywhere."""
    for name in ("find", "aggregate", "merge", "insert", "write", "find_one_and_update", "distinct", "command"):
        setattr(Store, name, _judged(getattr(Store, name)))


@dataclass(frozen=True, slots=True, order=True)
class Scattered:
    """A command that all shards are asked for: its name, its collection and the keys by which it asks."""

    command: str
    collection: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allowed:
    """A kind of command that may ask all shards: of which collections (none: of any), by which key, and why."""

    collections: str
    key: str
    reason: str
    bound: str
    writes: bool = False

    def allows(self, command: Scattered) -> bool:
        is_read = command.command not in ("update", "delete", "findAndModify")
        named = not self.collections or command.collection in self.collections.split()
        return named and (is_read or self.writes) and (self.key in command.keys or (not self.key and not command.keys))


ALLOWED: Final = (
    Allowed(
        "",
        "_id",
        "A node is asked for by its id alone; an import looks for its lines by theirs; a worker notes what became of "
        "what it sent, wherever a merge has taken it meanwhile.",
        "a look-up in one index for each id, on each shard; at most 500 ids",
        writes=True,
    ),
    Allowed(
        "",
        "_id",
        "`reconcile` looks for what a source's file does not tell, in the order of ids.",
        "each shard reads all that it has of the file's kinds, once, a page at a time",
    ),
    *(
        Allowed(collection, key, "The rows of a row are asked for by its id.", "an index on each shard; a page of rows")
        for collection, key in (
            ("deliveries", "emailId"),
            ("pushes", "passId"),
            ("points", "transactionId"),
            ("transactions", "refundOfId"),
            ("requests", "targetId"),
        )
    ),
    Allowed(
        "deliveries pushes requests statuses webhookDeliveries",
        "dueAt",
        "Workers look for what is due, whosever it is.",
        "an index of what waits on each shard; a few rows; every second while there is nothing to do",
    ),
    Allowed("requests", "expiresAt", "A worker ends what nobody answered.", "an index on each shard; once a second"),
    Allowed(
        "activities",
        "legacy",
        "The report counts what happened to all customers. Days that are over are counted once and kept.",
        "each shard reads its own part of the days that are asked for, beside the others",
    ),
    Allowed("activities", "attributes.orderId", "The search box finds by it.", "an index on each shard; 20 rows"),
    Allowed("coupons", "code", "The search box finds by it.", "an index on each shard; 20 rows"),
    Allowed("transactions", "number", "The search box finds by it.", "an index on each shard; 20 rows"),
    Allowed("passes", "serialNumber", "The search box finds by it.", "an index on each shard; 20 rows"),
    Allowed(
        "deliveries", "to", "The mails to one address in an hour are limited.", "an index on each shard; a few rows"
    ),
    *(
        Allowed("audit looks", key, "Administrators read who did what, of all customers.", "an index on each shard")
        for key in ("", "$or", "at", "actor.subject", "viewer.id", "groups")
    ),
    Allowed(
        "files",
        "customerId",
        "A file lies by the digest of its content; who is merged, erased or exported has them all looked for.",
        "an index on each shard; once for each merge, erasure and export",
        writes=True,
    ),
    *(
        Allowed(
            "activities heads",
            key,
            "`indexes --apply` and `rebuild` make again what is copied, of all customers.",
            "each shard reads all that it has, once",
            writes=True,
        )
        for key in ("", "$or")
    ),
    Allowed(
        "statuses",
        "customerId",
        "`rebuild` walks through all customers, in the order of their ids.",
        "the shards that have the next customers",
    ),
    Allowed("webhookDeliveries", "", "A worker looks whether an endpoint is gone.", "an index on each shard"),
)


class Routing(CommandListener):
    """Notes every command that all shards would be asked for, unless a test sent it."""

    def __init__(self) -> None:
        self.scattered: set[Scattered] = set()
        """Those that are not allowed."""

    def clear(self) -> None:
        self.scattered.clear()

    def started(self, event: Any) -> None:
        if _asked_by_a_test.get():
            return
        found = scattered(event.command_name, event.command)
        self.scattered.update(each for each in found if not any(allowed.allows(each) for allowed in ALLOWED))

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


def scattered(name: str, command: Mapping[str, Any]) -> Iterator[Scattered]:
    """Yields what of a command all shards would be asked for. An insert goes where its document belongs."""
    match name:
        case "find" | "count" | "distinct" | "findAndModify":
            where: Mapping[str, Any] = command.get("filter") or command.get("query") or {}
            yield from _judge(name, command[name], [where])
        case "update":
            for each in command["updates"]:
                yield from _judge(name, command[name], [each["q"]])
        case "delete":
            for each in command["deletes"]:
                yield from _judge(name, command[name], [each["q"]])
        case "aggregate":
            yield from _pipeline(name, command[name], command["pipeline"])
            if command.get("autocommit") is False:
                yield from _in_a_transaction(command["pipeline"])
        case _:
            pass


def _pipeline(name: str, collection: Any, pipeline: Sequence[Mapping[str, Any]], *joined: str) -> Iterator[Scattered]:
    """Yields what of a pipeline all shards are asked for. ``joined``: the keys by which its parents name its rows."""
    if pipeline and not _ABOUT.isdisjoint(pipeline[0]):
        return
    wheres: list[Mapping[str, Any]] = [dict.fromkeys(joined, True)]
    for stage in pipeline:
        if "$match" not in stage:
            break
        wheres.append(stage["$match"])
    if isinstance(collection, str):
        yield from _judge(name, collection, wheres)
    yield from _inside(pipeline)


def _inside(pipeline: Sequence[Mapping[str, Any]]) -> Iterator[Scattered]:
    for stage in pipeline:
        match stage:
            case {"$lookup": {"from": collection, **rest}}:
                keys = [rest["foreignField"]] if "foreignField" in rest else []
                yield from _pipeline("$lookup", collection, rest.get("pipeline", []), *keys)
            case {"$lookup": {"pipeline": inner}}:
                yield from _inside(inner)
            case {"$unionWith": {"coll": collection, **rest}}:
                yield from _pipeline("$unionWith", collection, rest.get("pipeline", []))
            case {"$unionWith": {"pipeline": inner}}:
                yield from _inside(inner)
            case {"$unionWith": str(collection)}:
                yield from _pipeline("$unionWith", collection, [])
            case {"$facet": facets}:
                for inner in facets.values():
                    yield from _inside(inner)
            case _:
                pass


def _in_a_transaction(pipeline: Sequence[Mapping[str, Any]]) -> Iterator[Scattered]:
    """Yields what a cluster refuses in a transaction: some stages, and before MongoDB 8.0 a ``$lookup`` of rows."""
    for stage in pipeline:
        for name in _NOT_IN_A_TRANSACTION & stage.keys():
            yield Scattered("transaction", "", (name,))
        match stage:
            case {"$lookup": {"from": collection, **rest}}:
                if keys_of(collection):
                    yield Scattered("transaction", collection, ("$lookup",))
                yield from _in_a_transaction(rest.get("pipeline", []))
            case {"$lookup": {"pipeline": inner}}:
                yield from _in_a_transaction(inner)
            case {"$facet": facets}:
                for inner in facets.values():
                    yield from _in_a_transaction(inner)
            case _:
                pass


def _judge(name: str, collection: str, wheres: Sequence[Mapping[str, Any]]) -> Iterator[Scattered]:
    for key in keys_of(collection)[:1]:
        if not any(_names(where, key) for where in wheres):
            yield Scattered(name, collection, tuple(sorted({key for where in wheres for key in where})))


def _names(where: Mapping[str, Any], key: str) -> bool:
    """Whether a condition says which values of a key it is about, so that the router knows their shards."""
    match where.get(key):
        case {**operators} if any(each.startswith("$") for each in operators):
            here = not operators.keys().isdisjoint(("$in", "$eq")) or operators.keys() >= {"$gte", "$lt"}
        case _:
            here = key in where
    alternatives = where.get("$or", ())
    return (
        here
        or any(_names(each, key) for each in where.get("$and", ()))
        or (bool(alternatives) and all(_names(each, key) for each in alternatives))
        or _equals(where.get("$expr"), key)
    )


def _equals(expression: Any, key: str) -> bool:
    """Whether an expression is, among others, that a key equals something."""
    match expression:
        case {"$and": [*parts]}:
            return any(_equals(part, key) for part in parts)
        case {"$eq": [*sides]} | {"$in": [*sides]}:
            return f"${key}" in sides
        case _:
            return False
