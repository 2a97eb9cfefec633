"""Brings the database to what collections.py declares, and says where it differs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from bson import MinKey

from app.catalogue import copied
from app.domain.customers import COPIES, copies
from app.domain.ids import COLLECTION_OF, prefix_of
from app.store import heads
from app.store.collections import COLLECTIONS, Collection, Index
from app.store.driver import FOLDS_CASE, Document, Store, StoreError, Unavailable, UpdateMany, UpdateOne

_AT_ONCE: Final = 200
_ALL_AT_ONCE = "$listCatalog"
"""The stage that tells a collection's options and indexes, since MongoDB 6.0."""
_MARKS: Final = {"unfinished"}
"""What the command line keeps beside the collections."""


@dataclass(frozen=True, slots=True)
class Difference:
    """``is_missing``: this version cannot do without. Anything else may be another version's."""

    line: str
    is_missing: bool = False


async def differences(store: Store) -> list[str]:
    """One line for each collection, validator or index that is missing, different or unknown; none: all is well."""
    return [difference.line for difference in _compared(await _existing(store))]


async def missing(store: Store) -> list[str]:
    """Those lines that keep this version from working. One command.

    Indexes that nobody declares, other validators and other lifetimes are a newer or an older version's, which may run
    beside this one: they are told by ``differences``, and harm nobody.
    """
    return [difference.line for difference in _compared(await _existing(store)) if difference.is_missing]


async def foreign(store: Store) -> list[str]:
    """The collections of this database that no version of ours is known to have made."""
    answer = await store.command({"listCollections": 1, "nameOnly": True})
    names: set[str] = {entry["name"] for entry in answer["cursor"]["firstBatch"]}
    return sorted(name for name in names - COLLECTIONS.keys() - _MARKS if not name.startswith("system."))


def _compared(existing: Mapping[str, "_Existing"]) -> list[Difference]:
    found: list[Difference] = []
    for name, collection in COLLECTIONS.items():
        if name not in existing:
            found.append(Difference(f"{name}: the collection is missing", is_missing=True))
            continue
        if existing[name].validator != validator_of(name, collection):
            found.append(Difference(f"{name}: the validator differs"))
        there = existing[name].indexes
        declared = {index.name: specification(index) for index in collection.indexes}
        found += [Difference(f"{name}.{index}: missing", is_missing=True) for index in declared.keys() - there.keys()]
        found += [Difference(f"{name}.{index}: unknown") for index in there.keys() - declared.keys() - {"_id_"}]
        for index in declared.keys() & there.keys():
            if declared[index] != there[index]:
                does = _does(there[index]).items() >= _does(declared[index]).items()
                found.append(Difference(f"{name}.{index}: differs", is_missing=not does))
    return sorted(found, key=lambda difference: difference.line)


def _does(index: Document) -> Document:
    """What of an index decides which queries it answers and what it keeps out; ``unique`` only where it is."""
    guards = {"unique": True} if "unique" in index else {}
    return {key: index.get(key) for key in ("key", "collation", "partialFilterExpression")} | guards


async def apply(store: Store) -> None:
    """Builds the difference. An index that nobody declares is left alone: it may be somebody's work in progress."""
    existing = await _existing(store)
    for name, collection in COLLECTIONS.items():
        validator = validator_of(name, collection)
        if name not in existing:
            await store.command({"create": name, "validator": validator})
        elif existing[name].validator != validator:
            await store.command({"collMod": name, "validator": validator})
        there = existing[name].indexes if name in existing else {}
        changed = [index for index in collection.indexes if there.get(index.name) != specification(index)]
        if outdated := [index.name for index in changed if index.name in there]:
            await store.command({"dropIndexes": name, "index": outdated})
        if changed:
            await store.command({"createIndexes": name, "indexes": [specification(index) for index in changed]})
    await refresh_copies(store)
    await refresh_customers(store)
    await heads.keep_all(store)


async def refresh_copies(store: Store) -> None:
    """Writes again what activities copy from the catalogue, wherever the catalogue has changed since.

    One pass finds the types that differ; each of them costs another. What days had is then counted anew.
    """
    copies = {key: f"${key}" for key in ("type", *copied(""))}
    kept = [row["_id"] for row in await store.aggregate("activities", [{"$group": {"_id": copies}}])]
    outdated = {row["type"] for row in kept if row != {"type": row["type"], **copied(row["type"])}}
    await store.write("activities", [UpdateMany({"type": code}, {"$set": copied(code)}) for code in outdated])
    if outdated:
        await forget_days(store)
        await heads.forget(store)


async def forget_days(store: Store) -> None:
    """What days had (services/tallies.py) is counted anew, as the worker comes to it."""
    await store.write("tallies", [UpdateMany({"stale": False}, {"$set": {"stale": True}})])


async def refresh_customers(store: Store, *, all_of_them: bool = False) -> int:
    """Makes the copies by which customers are listed (domain/customers.py), where they have none yet; how many did.

    While changes go on: each batch is a transaction, which begins again if one of its customers is changed meanwhile.
    """
    refreshed, last = 0, ""
    without: Document = {} if all_of_them else {"spendable": {"$exists": False}}
    while True:
        ids = await store.find(
            "customers", {**without, "_id": {"$gt": last}}, sort={"_id": 1}, limit=_AT_ONCE, fields={"_id": 1}
        )
        if not ids:
            return refreshed
        batch = [customer["_id"] for customer in ids]
        await store.transaction(partial(_refresh, store, batch))
        refreshed, last = refreshed + len(batch), batch[-1]


async def _refresh(store: Store, customer_ids: Sequence[str], session: Any) -> None:
    states = await store.find("customers", {"_id": {"$in": customer_ids}}, fields={"points": 1}, session=session)
    kinds = {key: f"${key}" for key in ("customerId", "type", "legacy", "isNote", "campaign")}
    activities = await store.aggregate(
        "activities",
        [
            {
                "$match": {
                    "customerId": {"$in": customer_ids},
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
    updates: list[UpdateOne] = []
    for state in states:
        made = copies(state, of[state["_id"]])
        gone = dict.fromkeys(COPIES - made.keys(), "")
        updates.append(UpdateOne({"_id": state["_id"]}, {"$set": made, **({"$unset": gone} if gone else {})}))
    await store.write("customers", updates, ordered=False, session=session)


def validator_of(name: str, collection: Collection) -> Mapping[str, Any]:
    if name not in COLLECTION_OF.values():
        return collection.validator
    schema = collection.validator["$jsonSchema"]
    identifier = {"_id": {"bsonType": "string", "pattern": f"^{prefix_of(name)}_"}}
    return {"$jsonSchema": {**schema, "properties": {**identifier, **schema["properties"]}}}


def specification(index: Index) -> Document:
    return {
        "name": index.name,
        "key": dict.fromkeys(index.keys.split(), 1),
        **({"unique": True} if index.unique else {}),
        **({"partialFilterExpression": {index.asks: {"$exists": True}}} if index.asks else {}),
        **({"expireAfterSeconds": index.kept_days * 86_400} if index.kept_days is not None else {}),
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
    """A collection as it is; of its indexes those that are built."""

    validator: Mapping[str, Any] | None
    indexes: Mapping[str, Document]


async def _existing(store: Store) -> Mapping[str, _Existing]:
    """By name, those of the collections that we declare. One command where the server can tell all at once."""
    first, *others = COLLECTIONS
    catalog: Document = {_ALL_AT_ONCE: {}}
    also: list[Document] = [{"$unionWith": {"coll": name, "pipeline": [catalog]}} for name in others]
    try:
        return {
            entry["name"]: _Existing(
                entry["md"]["options"].get("validator"),
                {
                    index["spec"]["name"]: _comparable(index["spec"])
                    for index in entry["md"]["indexes"]
                    if index["ready"]
                },
            )
            for entry in await store.aggregate(first, [catalog, *also])
        }
    except Unavailable:
        raise
    except (StoreError, LookupError):  # a user who may not, a server that tells it otherwise
        return await _existing_one_by_one(store)


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
