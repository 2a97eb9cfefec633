"""Keeps the documents that are executed by their ids. Collection ``documents``.

A document's ``_id`` is the SHA-256 of its text; its ``keys`` are that and the ids that manifests give it. A key is of
one document only, which an index holds: what an id means never changes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.store.driver import DeleteOne, Document, Store, UpdateOne


async def find(store: Store, key: str) -> tuple[str | None, bool]:
    """Returns the text of the document with this key, if any; and whether there is no document at all. One command."""
    any_at_all: list[dict[str, Any]] = [{"$limit": 1}, {"$project": {"_id": 1}}]
    found = await store.aggregate(
        "documents",
        [
            {"$match": {"keys": key}},
            {"$project": {"text": 1}},
            {"$unionWith": {"coll": "documents", "pipeline": any_at_all}},
        ],
    )
    return next((each["text"] for each in found if "text" in each), None), not found


async def with_keys(store: Store, keys: Sequence[str]) -> list[Document]:
    """Returns the documents that have any of the keys."""
    return await store.find("documents", {"keys": {"$in": list(keys)}})


async def keep(
    store: Store, digest: str, text: str, *, keys: Sequence[str], operations: Sequence[str], now: datetime
) -> None:
    """Keeps a document, or adds keys to the one that is kept. Raises StoreError if a key is another document's."""
    change = {
        "$setOnInsert": {"text": text, "operations": list(operations), "loadedAt": now},
        "$addToSet": {"keys": {"$each": list(keys)}},
    }
    await store.write("documents", [UpdateOne({"_id": digest}, change, upsert=True)])


async def every(store: Store) -> list[Document]:
    """Returns all documents without their texts, by operation."""
    return await store.find("documents", {}, sort={"operations": 1, "_id": 1}, fields={"text": 0})


async def drop(store: Store, name_or_key: str) -> list[Document]:
    """Drops the document with this key or, if there is none, those with an operation of this name; returns them."""
    found = await with_keys(store, [name_or_key]) or await store.find("documents", {"operations": name_or_key})
    await store.write("documents", [DeleteOne({"_id": each["_id"]}) for each in found])
    return found
