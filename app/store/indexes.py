"""Brings the database to what collections.py declares, and says where it differs."""

from collections.abc import Mapping
from typing import Any

from pymongo import UpdateMany

from app.catalogue import copied
from app.domain.ids import COLLECTION_OF, prefix_of
from app.store.collections import COLLECTIONS, Collection, Index
from app.store.driver import FOLDS_CASE, Document, Store


async def differences(store: Store) -> list[str]:
    """One line for each collection, validator or index that is missing, different or unknown; none: all is well."""
    existing = await _existing(store)
    lines: list[str] = []
    for name, collection in COLLECTIONS.items():
        if name not in existing:
            lines.append(f"{name}: the collection is missing")
            continue
        if existing[name].get("validator") != validator_of(name, collection):
            lines.append(f"{name}: the validator differs")
        there = {index["name"]: _comparable(index) for index in await store.indexes_of(name)}
        declared = {index.name: _specification(index) for index in collection.indexes}
        lines += [f"{name}.{index}: missing" for index in declared.keys() - there.keys()]
        lines += [f"{name}.{index}: unknown" for index in there.keys() - declared.keys() - {"_id_"}]
        lines += [
            f"{name}.{index}: differs" for index in declared.keys() & there.keys() if declared[index] != there[index]
        ]
    return sorted(lines)


async def apply(store: Store) -> None:
    """Builds the difference. An index that nobody declares is left alone: it may be somebody's work in progress."""
    existing = await _existing(store)
    for name, collection in COLLECTIONS.items():
        validator = validator_of(name, collection)
        if name not in existing:
            await store.command({"create": name, "validator": validator})
        elif existing[name].get("validator") != validator:
            await store.command({"collMod": name, "validator": validator})
        there = (
            {index["name"]: _comparable(index) for index in await store.indexes_of(name)} if name in existing else {}
        )
        changed = [index for index in collection.indexes if there.get(index.name) != _specification(index)]
        if outdated := [index.name for index in changed if index.name in there]:
            await store.command({"dropIndexes": name, "index": outdated})
        if changed:
            await store.command({"createIndexes": name, "indexes": [_specification(index) for index in changed]})
    await refresh_copies(store)


async def refresh_copies(store: Store) -> None:
    """Writes again what activities copy from the catalogue, wherever the catalogue has changed since.

    One pass finds the types that differ; each of them costs another.
    """
    copies = {key: f"${key}" for key in ("type", *copied(""))}
    kept = [row["_id"] for row in await store.aggregate("activities", [{"$group": {"_id": copies}}])]
    outdated = {row["type"] for row in kept if row != {"type": row["type"], **copied(row["type"])}}
    await store.write("activities", [UpdateMany({"type": code}, {"$set": copied(code)}) for code in outdated])


def validator_of(name: str, collection: Collection) -> Mapping[str, Any]:
    if name not in COLLECTION_OF.values():
        return collection.validator
    schema = collection.validator["$jsonSchema"]
    identifier = {"_id": {"bsonType": "string", "pattern": f"^{prefix_of(name)}_"}}
    return {"$jsonSchema": {**schema, "properties": {**identifier, **schema["properties"]}}}


def _specification(index: Index) -> Document:
    return {
        "name": index.name,
        "key": dict.fromkeys(index.keys.split(), 1),
        **({"unique": True} if index.unique else {}),
        **({"partialFilterExpression": {index.asks: {"$exists": True}}} if index.asks else {}),
        **({"collation": FOLDS_CASE} if index.folds_case else {}),
        **({"expireAfterSeconds": index.kept_days * 86_400} if index.kept_days is not None else {}),
    }


def _comparable(index: Document) -> Document:
    kept = {
        key: index[key] for key in ("name", "unique", "partialFilterExpression", "expireAfterSeconds") if key in index
    }
    collation = {"collation": {key: index["collation"][key] for key in FOLDS_CASE}} if "collation" in index else {}
    return {"key": dict(index["key"]), **kept, **collation}


async def _existing(store: Store) -> Mapping[str, Document]:
    answer = await store.command({"listCollections": 1})
    return {entry["name"]: entry["options"] for entry in answer["cursor"]["firstBatch"]}
