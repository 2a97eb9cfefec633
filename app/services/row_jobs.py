"""Works off documents that wait by ``dueAt``, one at a time, whatever dies meanwhile: merges and erasures.

A job writes rows in batches, each of which may be done again, and renews its lease with every one. Any number of
processes may run it.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final

from app.domain.times import stored
from app.jobs import keep_going, log_failure
from app.store.driver import Document, Store, StoreError, UpdateOne, until_it_is_there
from app.store.queues import Queue
from app.store.schema import rows_of

LEASE: Final = timedelta(seconds=10)
BATCH: Final = 1_000
_LOOK_SECONDS: Final = 1
_LAST_WORDS_SECONDS: Final = 1


async def counted(
    store: Store, collections: Iterable[str], customer_ids: Sequence[str], session: Any = None
) -> Mapping[str, int]:
    """Returns how many rows these customers have in each of the collections. A command each."""
    counts: dict[str, int] = {}
    for collection in collections:
        pipeline = [{"$match": rows_of(collection, {"$in": [*customer_ids]})}, {"$count": "rows"}]
        found = await store.aggregate(collection, pipeline, session=session)
        counts[collection] = found[0]["rows"] if found else 0
    return counts


class Lost(Exception):
    """Raised if another worker has the job now. `RowJob.once` catches it."""


class RowJob(ABC):
    """A row job takes the documents of ``collection`` one after the other."""

    collection: ClassVar[str]

    def __init__(self, store: Store, *, batch: int = BATCH) -> None:
        self.store, self.batch = store, batch
        self._queue = Queue(store, self.collection)

    async def run(self) -> None:
        """Runs until it is cancelled; it outlives any absence of the database, and no job stops another."""
        await keep_going(
            self.collection, partial(self._work_off, until_it_is_there(self._claim)), every_seconds=_LOOK_SECONDS
        )

    async def once(self) -> None:
        """Does what is due now, one after the other. Raises StoreError."""
        await self._work_off(self._claim)

    async def _work_off(self, claim: Callable[[datetime], Awaitable[Document | None]]) -> None:
        now = datetime.now(UTC)
        while job := await claim(now):
            try:
                await self._work(job)
            except Lost:
                continue
            except asyncio.CancelledError:
                with suppress(StoreError):
                    now = {"$set": {"dueAt": datetime.now(UTC)}}
                    await self.store.within(_LAST_WORDS_SECONDS).write(self.collection, [UpdateOne(_ours(job), now)])
                raise
            except StoreError:
                raise  # the lease ends, and it is due again
            except Exception as fault:
                log_failure(self.collection, fault, document=job["_id"])

    async def _claim(self, due: datetime) -> Document | None:
        return await self._queue.claim(LEASE, due=due)

    @abstractmethod
    async def _work(self, job: Document) -> None:
        """Does the whole job. Raises Lost, StoreError."""

    async def progress(self, job: Document, key: str, rows: int) -> None:
        """Counts rows up, and renews the lease. Raises Lost."""
        change = {"$inc": {key: rows}, "$set": {"dueAt": datetime.now(UTC) + LEASE}}
        if not (await self.store.write(self.collection, [UpdateOne(_ours(job), change)])).matched_count:
            raise Lost

    async def finish(self, job: Document, keys: Mapping[str, Any], session: Any) -> None:
        """Ends the job. Raises Lost."""
        change = {"$set": keys, "$unset": {"dueAt": ""}}
        if not (
            await self.store.write(self.collection, [UpdateOne(_ours(job), change)], session=session)
        ).matched_count:
            raise Lost


def _ours(job: Document) -> Document:
    """Matches as long as no other worker has taken the job since."""
    return {"_id": job["_id"], "attempts": job["attempts"], "dueAt": {"$exists": True}}


def clock() -> datetime:
    """Returns the time as it is stored."""
    return stored(datetime.now(UTC))
