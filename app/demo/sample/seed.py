"""Writes the sample customers into an empty database, a batch at a time, and completes what was interrupted."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from typing import Final, TypeAlias

from app.demo.sample import SampleUnfinished, beginnings, looks, people, segments
from app.demo.sample.life import COLLECTIONS, Life
from app.demo.sample.named import NAMED
from app.domain.customers import copies
from app.store import previews
from app.store.driver import DeleteOne, Document, ReplaceOne, Store, UpdateOne

Summary: TypeAlias = Mapping[str, int]
"""Documents written, by collection."""

_BATCH: Final = 200
_UNFINISHED: Final = "unfinished"
"""The collection that holds a mark while the sample is written, so that half of one is never taken for a whole one."""
_MARK: Final = {"_id": "sample"}

_Insert: TypeAlias = Callable[[Store, str, list[Document]], Awaitable[None]]


async def seed(
    store: Store, *, customers: int, now: datetime, advance: Callable[[int], None] = lambda _: None
) -> Summary:
    """Writes at least the named customers. The same number and ``now`` write the same documents, byte for byte.

    While it writes, the database holds a mark with both, so that `complete` can go on where this was interrupted.
    ``advance`` hears how many more customers are in.
    """
    now = _as_stored(now)
    await store.write(_UNFINISHED, [ReplaceOne(_MARK, {**_MARK, "customers": customers, "now": now}, upsert=True)])
    return await _write(store, customers, now, advance, _insert)


async def unfinished(store: Store) -> Document | None:
    """Returns the mark of a sample that was begun and not finished: its ``customers`` and ``now``."""
    found = await store.find(_UNFINISHED, _MARK)
    return found[0] if found else None


async def complete(store: Store, mark: Document, advance: Callable[[int], None] = lambda _: None) -> Summary:
    """Writes what is missing of an interrupted sample. Nothing is deleted, and no document that is there changes.

    Raises SampleUnfinished where an older version made the mark.
    """
    if not {"customers", "now"} <= mark.keys():
        raise SampleUnfinished
    return await _write(store, mark["customers"], mark["now"], advance, _insert_missing)


async def _write(
    store: Store, customers: int, now: datetime, advance: Callable[[int], None], insert: _Insert
) -> Summary:
    written: Counter[str] = Counter()
    last = max(customers, *NAMED)
    batches = [range(first, min(first + _BATCH, last + 1)) for first in range(1, last + 1, _BATCH)]
    ready = documents_of(batches[0], now)
    for batch, following in pairwise([*batches, range(0)]):
        written.update({name: len(documents) for name, documents in ready.items()})
        # One batch is being written while the next one is made.
        making = asyncio.to_thread(documents_of, following, now)
        ready, _ = await asyncio.gather(making, _write_batch(store, ready, insert))
        advance(len(batch))
    await store.write(_UNFINISHED, [DeleteOne(_MARK)])
    return written


async def _write_batch(store: Store, documents: Mapping[str, list[Document]], insert: _Insert) -> None:
    await asyncio.gather(*(insert(store, name, rows) for name, rows in documents.items()))
    await previews.refresh(store, [customer["_id"] for customer in documents["customers"]])


async def _insert(store: Store, collection: str, documents: list[Document]) -> None:
    await store.insert(collection, documents)


async def _insert_missing(store: Store, collection: str, documents: list[Document]) -> None:
    missing = [UpdateOne({"_id": each["_id"]}, {"$setOnInsert": each}, upsert=True) for each in documents]
    await store.write(collection, missing, ordered=False)


def _as_stored(now: datetime) -> datetime:
    """Returns the moment in UTC, and without what MongoDB does not keep of it."""
    now = now.astimezone(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def documents_of(indexes: Iterable[int], now: datetime) -> dict[str, list[Document]]:
    """Returns the documents of these customers (1 is C-100001) by collection. None depends on another customer."""
    now = _as_stored(now)
    documents: dict[str, list[Document]] = {name: [] for name in COLLECTIONS}
    for index in indexes:
        life = NAMED.get(index, ordinary)(index, now)
        life.customer |= copies(life.customer, life.documents["activities"])
        for name, more in life.documents.items():
            documents[name] += more
        if index == 1:  # what people of the demo did comes with the first
            documents["segments"] += segments.saved(now)
            documents["looks"] += looks.looks_at(life.customer["_id"], now)
    return documents


def ordinary(index: int, now: datetime) -> Life:
    random = Random(index)
    life = Life(people.customer(index, now=now, random=random), now=now, random=random)
    beginnings.register(life)
    beginnings.settle_in(life)
    life.live()
    return life
