"""Writes the sample customers into an empty database, a batch at a time."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from typing import Final, TypeAlias

from app.domain.customers import copies
from app.domain.ids import COLLECTION_OF
from app.sample import beginnings, people
from app.sample.life import Life
from app.sample.named import NAMED
from app.store import heads
from app.store.driver import Document, Store

Summary: TypeAlias = Mapping[str, int]
"""Documents written, by collection."""

_BATCH: Final = 200


async def seed(
    store: Store, *, customers: int, now: datetime, advance: Callable[[int], None] = lambda _: None
) -> Summary:
    """At least the named customers. The same number and ``now`` write the same documents, byte for byte.

    ``advance`` hears how many more customers are in.
    """
    written: Counter[str] = Counter()
    last = max(customers, *NAMED)
    batches = [range(first, min(first + _BATCH, last + 1)) for first in range(1, last + 1, _BATCH)]
    ready = documents_of(batches[0], now)
    for batch, following in pairwise([*batches, range(0)]):
        written.update({name: len(documents) for name, documents in ready.items()})
        # One batch is being written while the next one is made.
        making = asyncio.to_thread(documents_of, following, now)
        ready, _ = await asyncio.gather(making, _write(store, ready))
        advance(len(batch))
    return written


async def _write(store: Store, documents: Mapping[str, list[Document]]) -> None:
    await asyncio.gather(*(store.insert(name, rows) for name, rows in documents.items()))
    await heads.keep(store, [customer["_id"] for customer in documents["customers"]])


def documents_of(indexes: Iterable[int], now: datetime) -> dict[str, list[Document]]:
    """The documents of these customers (1 is C-100001) by collection. A customer's depend on no other customer."""
    now = now.astimezone(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as MongoDB keeps it
    documents: dict[str, list[Document]] = {name: [] for name in (*COLLECTION_OF.values(), "files")}
    for index in indexes:
        life = NAMED.get(index, ordinary)(index, now)
        life.customer |= copies(life.customer, life.documents["activities"])
        for name, more in life.documents.items():
            documents[name] += more
    return documents


def ordinary(index: int, now: datetime) -> Life:
    random = Random(index)
    life = Life(people.customer(index, now=now, random=random), now=now, random=random)
    beginnings.register(life)
    beginnings.settle_in(life)
    life.live()
    return life
