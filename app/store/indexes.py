"""Brings the database to what schema.py declares, and says where it differs."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeAlias

import structlog
from bson import MinKey
from pymongo.errors import ExecutionTimeout, OperationFailure

from app.catalogue import SOURCES, copied, rules_of_copies
from app.domain.customers import COPIED_KEYS, DENORMALISED_FIELDS, PENDING, copies
from app.domain.kinds import BY_COLLECTION
from app.domain.listings import ORDERED
from app.domain.moments import ORDER
from app.domain.report import day_of
from app.domain.search import SEARCH_REVISION
from app.store import previews
from app.store.driver import (
    FOLDS_CASE,
    Document,
    OutOfTime,
    ReplaceOne,
    Store,
    StoreError,
    Unavailable,
    UpdateMany,
    UpdateOne,
)
from app.store.forms import ROW_ORDER, Index
from app.store.forms import Collection as Declared
from app.store.schema import COLLECTIONS
from app.store.shards import index_of

_log = structlog.get_logger("store")

_AT_ONCE: Final = 200
_TOO_LATE: Final = (OutOfTime, ExecutionTimeout)
"""How a transaction ends that finds no moment to commit: between two attempts, or within one."""
_NAMESPACE_EXISTS: Final = 48
_MANY: Final = 10_000
_COPIES: Final = "copies"
"""The document in ``versions`` that says by which rules the copies were made."""
_ALL_AT_ONCE = "$listCatalog"
"""The stage that tells a collection's options and indexes, since MongoDB 6.0."""
_MARKS: Final = {"unfinished"}
"""What the command line keeps beside the collections."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference is a line to read. ``is_missing``: this version cannot do without what is missing.

    Anything else may be another version's.
    """

    line: str
    is_missing: bool = False


async def differences(store: Store) -> list[str]:
    """Returns a line for each collection, validator or index that is missing, different or unknown."""
    return [difference.line for difference in _compared(*await _existing(store))]


async def missing(store: Store) -> list[str]:
    """Returns the lines that keep this version from working. One command.

    Indexes that nobody declares, other validators and other lifetimes are a newer or an older version's, which may run
    beside this one: ``differences`` tells of them, and they harm nobody.
    """
    return [difference.line for difference in _compared(*await _existing(store)) if difference.is_missing]


async def foreign(store: Store) -> list[str]:
    """Returns the collections of this database that no version of ours is known to have made."""
    answer = await store.command({"listCollections": 1, "nameOnly": True})
    names: set[str] = {entry["name"] for entry in answer["cursor"]["firstBatch"]}
    return sorted(name for name in names - COLLECTIONS.keys() - _MARKS if not name.startswith("system."))


def _compared(existing: Mapping[str, "_Existing"], search_revision: int) -> list[Difference]:
    """Returns the differences. ``search_revision`` is that of the copies by which customers are found."""
    found: list[Difference] = []
    if search_revision < SEARCH_REVISION:
        found.append(Difference("customers: what they are searched by is of an older version", is_missing=True))
    for name, collection in COLLECTIONS.items():
        if name not in existing:
            found.append(Difference(f"{name}: the collection is missing", is_missing=True))
            continue
        if existing[name].validator != validator_of(name, collection):
            found.append(Difference(f"{name}: the validator differs"))
        there = existing[name].indexes
        declared = {index.name: specification(index) for index in collection.indexes}
        found += [Difference(f"{name}.{index}: missing", is_missing=True) for index in declared.keys() - there.keys()]
        found += [
            Difference(f"{name}.{index}: unknown")
            for index in there.keys() - declared.keys() - {"_id_", index_of(name).name}
        ]
        for index in declared.keys() & there.keys():
            if declared[index] != there[index]:
                does = _does(there[index]).items() >= _does(declared[index]).items()
                found.append(Difference(f"{name}.{index}: differs", is_missing=not does))
    return sorted(found, key=lambda difference: difference.line)


def _does(index: Document) -> Document:
    """Returns what decides which queries an index answers and what it keeps out; ``unique`` only where it is."""
    guards = {"unique": True} if "unique" in index else {}
    return {key: index.get(key) for key in ("key", "collation", "partialFilterExpression")} | guards


async def apply(store: Store, *, removes_types: bool = False) -> set[str]:
    """Builds the difference, and drops the indexes that have been retired; returns whose copies could not be made.

    Any other index that nobody declares is left alone: it may be somebody's work in progress. ``removes_types`` makes
    activities legacy whose type the catalogue does not have; without it they stay what they are.
    """
    existing, _ = await _existing(store)
    for name, collection in COLLECTIONS.items():
        validator = validator_of(name, collection)
        if name not in existing:
            await _create(store, name, validator)
        elif existing[name].validator != validator:
            await store.command({"collMod": name, "validator": validator})
        there = existing[name].indexes if name in existing else dict[str, Document]()
        changed = [index for index in collection.indexes if there.get(index.name) != specification(index)]
        outdated = [index.name for index in changed if index.name in there]
        if outdated := [*outdated, *(index for index in collection.retired if index in there)]:
            await store.command({"dropIndexes": name, "index": outdated})
        if changed:
            await store.command({"createIndexes": name, "indexes": [specification(index) for index in changed]})
    failed = await refresh_copies(store, removes_types=removes_types)
    await previews.refresh_stale(store)
    return failed


async def prune(store: Store) -> list[str]:
    """Drops the indexes that only earlier versions read by, and returns their names. None of those may run any more."""
    existing, _ = await _existing(store)
    dropped: list[str] = []
    for name, collection in COLLECTIONS.items():
        there = existing[name].indexes if name in existing else dict[str, Document]()
        if superseded := sorted(collection.superseded & there.keys()):
            await store.command({"dropIndexes": name, "index": superseded})
            dropped += [f"{name}.{index}" for index in superseded]
    return dropped


async def _create(store: Store, name: str, validator: Mapping[str, Any]) -> None:
    """Creates a collection, even if another `apply`, or a gateway's first write, makes it in this moment."""
    try:
        await store.command({"create": name, "validator": validator})
    except OperationFailure as failure:
        if failure.code != _NAMESPACE_EXISTS:
            raise
        await store.command({"collMod": name, "validator": validator})


# ---------------------------------------------------------------- what is copied


def fingerprint() -> str:
    """Returns a fingerprint of the rules of copies: of activities from the catalogue, of customers from activities."""
    return sha256(repr((rules_of_copies(), sorted(DENORMALISED_FIELDS), SEARCH_REVISION)).encode()).hexdigest()[:16]


async def refresh_copies(store: Store, *, removes_types: bool = False) -> set[str]:
    """Makes again what activities copy from the catalogue, and customers from activities, where it is outdated.

    While changes go on, and wherever it was interrupted: each customer's copies change in one transaction with their
    revision and the days that count them, so that nobody sees a half of it. Returns the customers who cannot be
    written; they are logged, too.
    """
    done, failed = set[str](), set[str]()
    while outdated := await _outdated(store, removes_types=removes_types):
        again = await _owners(store, outdated, without=done)
        if not again:
            break  # whom nothing could be done for
        done.update(again)
        failed |= await _each_batch(store, again, partial(_refresh_all, outdated=outdated))
    made = {"_id": _COPIES, "fingerprint": fingerprint(), "search": SEARCH_REVISION}
    of_other_rules = not await store.find("versions", made, limit=1)
    failed |= (await refresh_customers(store, all_of_them=of_other_rules)).failed
    if of_other_rules:
        await store.write("versions", [ReplaceOne({"_id": made["_id"]}, made, upsert=True)])
    return failed


async def count_outdated(store: Store) -> int:
    """Returns how many activities have copied something that the catalogue does not say."""
    if not (outdated := await _outdated(store, removes_types=True)):
        return 0
    return (await store.aggregate("activities", [{"$match": {"$or": outdated}}, {"$count": "all"}]))[0]["all"]


async def _outdated(store: Store, *, removes_types: bool) -> list[Document]:
    """Returns, by type, what activities have copied that the catalogue does not say.

    One pass over all activities, which also finds their sources. Without ``removes_types`` none of a type that this
    process does not have and another one did: it may have been started without CATALOGUE, or be of an older version.
    """
    copies = {key: f"${key}" for key in ("type", *copied(""))}
    rows = await store.aggregate("activities", [{"$group": {"_id": copies, "sources": {"$addToSet": "$source"}}}])
    sources: set[str] = {source for row in rows for source in row["sources"]}
    await note_sources(store, sources.difference(SOURCES))
    kept = [{key: row["_id"].get(key) for key in copies} for row in rows]
    said = [(row, copied(str(row["type"]))) for row in kept]
    return [
        row
        for row, copies in said
        if row != {"type": row["type"], **copies}
        and (removes_types or not copies["legacy"] or row["legacy"] is not False)
    ]


async def note_sources(store: Store, names: Iterable[str]) -> None:
    """Stores sources, so that activities may be filtered by them."""
    await store.write("sources", [UpdateOne({"_id": name}, {"$set": {}}, upsert=True) for name in sorted(names)])


async def _owners(store: Store, outdated: Sequence[Document], *, without: Collection[str]) -> list[str]:
    """Returns some of the customers who have such activities."""
    others: Document = {"customerId": {"$nin": sorted(without)}} if without else {}
    group: Document = {"$group": {"_id": "$customerId"}}
    found = await store.aggregate("activities", [{"$match": {"$or": outdated, **others}}, group, {"$limit": _MANY}])
    return sorted(row["_id"] for row in found)


async def _refresh_all(
    store: Store, customer_ids: Sequence[str], session: Any, *, outdated: Sequence[Document]
) -> None:
    """Refreshes these customers' activities, the days that count them, their own copies and their revision."""
    theirs = {"customerId": {"$in": customer_ids}, "legacy": {"$in": [False, True]}, "$or": outdated}
    rows = await store.find("activities", theirs, fields={"occurredAt": 1, "type": 1}, session=session)
    types = sorted({row["type"] for row in rows})
    await store.write(
        "activities",
        [UpdateMany({**theirs, "type": code}, {"$set": copied(code)}) for code in types],
        ordered=False,
        session=session,
    )
    days = sorted({day_of(row["occurredAt"]) for row in rows})
    stale = UpdateMany({"_id": {"$in": days}, "stale": False}, {"$set": {"stale": True}})
    await store.write("tallies", [stale], session=session)
    counted = UpdateMany({"_id": {"$in": customer_ids}}, {"$inc": {"revision": 1}})
    await store.write("customers", [counted], session=session)
    await remake_copies(store, customer_ids, session)


Work: TypeAlias = Callable[[Store, Sequence[str], Any], Awaitable[None]]
"""Writes something of these customers in a transaction."""


async def _each_batch(store: Store, customer_ids: Sequence[str], work: Work) -> set[str]:
    """Does the work in batches, and returns the customers of whom it could not be done: each fails alone."""
    failed: set[str] = set()
    for start in range(0, len(customer_ids), _AT_ONCE):
        batch = customer_ids[start : start + _AT_ONCE]
        try:
            await store.transaction(lambda session, batch=batch: work(store, batch, session))
        except StoreError as fault:
            # Where some of many are changed all the time, one alone has its turn.
            if isinstance(fault, Unavailable) and (len(batch) == 1 or not isinstance(fault, _TOO_LATE)):
                raise
            if len(batch) > 1:
                for customer_id in batch:
                    failed |= await _each_batch(store, [customer_id], work)
            else:
                _log.error("copies are not refreshed", customer=batch[0], fault=type(fault).__name__)
                failed.add(batch[0])
    return failed


async def wrong_copies(store: Store) -> list[str]:
    """Returns the customers whose copies are not what they copy; without those of whom some are still pending."""
    wrong: list[str] = []
    last = ""

    async def compare(session: Any) -> tuple[list[str], str]:
        states = await store.find(
            "customers", {"_id": {"$gt": last}}, sort={"_id": 1}, limit=_AT_ONCE, fields=_COPYING, session=session
        )
        made = await _made_copies(store, states, session)
        different = [
            each["_id"]
            for each in states
            if PENDING not in each
            and {key: each[key] for key in DENORMALISED_FIELDS if key in each}
            != _comparable_copies(each, made[each["_id"]])
        ]
        return different, states[-1]["_id"] if states else ""

    while True:
        different, last = await store.transaction(compare)
        wrong += different
        if not last:
            return wrong


def _comparable_copies(customer: Document, made: Document) -> Document:
    """Returns the copies to compare: ``campaigns`` are a set, whose order makes no difference."""
    kept = customer.get("campaigns", [])
    if sorted(kept) == sorted(made.get("campaigns", [])) and kept:
        return {**made, "campaigns": kept}
    return made


async def forget_days(store: Store) -> None:
    """Marks all counted days stale (services/daily_counts.py), so that the worker counts them anew."""
    await store.write("tallies", [UpdateMany({"stale": False}, {"$set": {"stale": True}})])


class Refreshed(NamedTuple):
    """It says for how many customers copies were made, and for whom they could not be."""

    made: int
    failed: set[str]


async def refresh_customers(store: Store, *, all_of_them: bool = False) -> Refreshed:
    """Makes the copies by which customers are listed (domain/customers.py) where they lack.

    While changes go on: each batch is a transaction, which begins again if one of its customers is changed meanwhile.
    """
    refreshed, failed, last = 0, set[str](), ""
    lacking: list[Document] = [{key: {"$exists": False}} for key in ("spendable", "searchName")]
    lacking.append({"points.buckets.expiresAt": {"$type": "date"}, "pointsExpireAt": {"$exists": False}})
    without: Document = {} if all_of_them else {"$or": lacking}
    while True:
        ids = await store.find(
            "customers", {**without, "_id": {"$gt": last}}, sort={"_id": 1}, limit=_AT_ONCE, fields={"_id": 1}
        )
        if not ids:
            return Refreshed(refreshed, failed)
        batch = [customer["_id"] for customer in ids]
        left = await _each_batch(store, batch, remake_copies)
        refreshed, failed, last = refreshed + len(batch) - len(left), failed | left, batch[-1]


_COPYING: Final = dict.fromkeys((*COPIED_KEYS, *DENORMALISED_FIELDS), 1)


async def remake_copies(store: Store, customer_ids: Sequence[str], session: Any) -> None:
    """Makes again what these customers' documents keep of their rows, within a transaction."""
    states = await store.find("customers", {"_id": {"$in": customer_ids}}, fields=_COPYING, session=session)
    updates: list[UpdateOne] = []
    for customer_id, made in (await _made_copies(store, states, session)).items():
        gone = dict.fromkeys(DENORMALISED_FIELDS - made.keys(), "")
        updates.append(UpdateOne({"_id": customer_id}, {"$set": made, **({"$unset": gone} if gone else {})}))
    await store.write("customers", updates, ordered=False, session=session)


async def _made_copies(store: Store, states: Sequence[Document], session: Any) -> Mapping[str, Document]:
    """Returns what these customers' copies are to be, by their id."""
    kinds = {key: f"${key}" for key in ("customerId", "type", "legacy", "isNote", "campaign")}
    activities = await store.aggregate(
        "activities",
        [
            {
                "$match": {
                    "customerId": {"$in": [state["_id"] for state in states]},
                    "legacy": {"$in": [False, True]},
                    "occurredAt": {"$gte": MinKey()},
                }
            },
            {"$group": {"_id": kinds, "occurredAt": {"$max": "$occurredAt"}}},
            {"$replaceWith": {"$mergeObjects": ["$_id", {"occurredAt": "$occurredAt"}]}},
        ],
        session=session,
    )
    of: defaultdict[str, list[Document]] = defaultdict(list)
    for activity in activities:
        of[activity["customerId"]].append(activity)
    return {state["_id"]: copies(state, of[state["_id"]]) for state in states}


def validator_of(name: str, collection: Declared) -> Mapping[str, Any]:
    """Returns the collection's validator, with the keys that follow from its kind and from its lists."""
    if name not in BY_COLLECTION:
        return collection.validator
    schema = collection.validator["$jsonSchema"]
    own: Document = {"_id": {"bsonType": "string", "pattern": f"^{BY_COLLECTION[name].prefix}_"}}
    if name in ORDERED:
        own[ORDER] = ROW_ORDER
    return {"$jsonSchema": {**schema, "properties": {**own, **schema["properties"]}}}


def specification(index: Index) -> Document:
    return {
        "name": index.name,
        "key": dict.fromkeys(index.keys.split(), 1),
        **({"unique": True} if index.unique else {}),
        **({"partialFilterExpression": {index.partial_on: {"$exists": True}}} if index.partial_on else {}),
        **({"expireAfterSeconds": index.ttl_days * 86_400} if index.ttl_days is not None else {}),
        **({"collation": index.collation} if index.collation else {}),
    }


def _comparable(index: Document) -> Document:
    kept = {
        key: index[key] for key in ("name", "unique", "partialFilterExpression", "expireAfterSeconds") if key in index
    }
    collation = {"collation": {key: index["collation"][key] for key in FOLDS_CASE}} if "collation" in index else {}
    return {"key": dict(index["key"]), **kept, **collation}


@dataclass(frozen=True, slots=True)
class _Existing:
    """A collection as it is, with those of its indexes that are built."""

    validator: Mapping[str, Any] | None
    indexes: Mapping[str, Document]


async def _existing(store: Store) -> tuple[Mapping[str, _Existing], int]:
    """Returns our collections by name, and the revision of what customers are searched by.

    One command where the server can tell all at once.
    """
    first, *others = COLLECTIONS
    catalog: Document = {_ALL_AT_ONCE: {}}
    also: list[Document] = [{"$unionWith": {"coll": name, "pipeline": [catalog]}} for name in others]
    also.append({"$unionWith": {"coll": "versions", "pipeline": [{"$match": {"_id": _COPIES}}]}})
    try:
        found = await store.aggregate(first, [catalog, *also])
        existing = {
            entry["name"]: _Existing(
                entry["md"]["options"].get("validator"),
                {
                    index["spec"]["name"]: _comparable(index["spec"])
                    for index in entry["md"]["indexes"]
                    if index["ready"]
                },
            )
            for entry in found
            if entry.get("_id") != _COPIES
        }
        return existing, _search_revision(found)
    except Unavailable:
        raise
    except (StoreError, LookupError):  # a user who may not, a server that tells it otherwise
        return await _existing_one_by_one(store), _search_revision(await store.find("versions", {"_id": _COPIES}))


def _search_revision(found: Sequence[Document]) -> int:
    return next((each.get("search", 0) for each in found if each.get("_id") == _COPIES), 0)


async def _existing_one_by_one(store: Store) -> Mapping[str, _Existing]:
    answer = await store.command({"listCollections": 1})
    return {
        entry["name"]: _Existing(
            entry["options"].get("validator"),
            {index["name"]: _comparable(index) for index in await store.indexes_of(entry["name"])},
        )
        for entry in answer["cursor"]["firstBatch"]
        if entry["name"] in COLLECTIONS and entry["type"] == "collection"
    }
