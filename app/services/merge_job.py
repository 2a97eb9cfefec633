"""Moves the rows of customers who were merged, or back, a batch at a time, whatever dies meanwhile.

A row moves by itself, and only from whom it still is of: a batch that is done again does nothing, and two workers do
each other no harm. The last transaction looks for what somebody wrote meanwhile, and is the only one that ends it.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import stamina

from app.domain.vocabulary import MergeStatus
from app.jobs import keep_going, log_failure
from app.services.changes import activity_of
from app.services.writing import CustomerRows, change_customers, move_rows, move_rows_back
from app.store.driver import Document, Store, StoreError, UpdateOne, is_transient
from app.store.queues import Queue
from app.store.schema import ROWS_OF_CUSTOMERS, rows_of

LEASE: Final = timedelta(seconds=10)
BATCH: Final = 1_000
_LOOK_SECONDS: Final = 1
_LAST_WORDS_SECONDS: Final = 1


class _Lost(Exception):
    """Raised if another worker has the merge now."""


@dataclass(slots=True, repr=False)
class Mover:
    """A mover moves rows; any number of processes may run one."""

    store: Store
    batch: int = BATCH
    _queue: Queue = field(init=False)

    def __post_init__(self) -> None:
        self._queue = Queue(self.store, "merges")

    async def run(self) -> None:
        """Runs until it is cancelled; it outlives any absence of the database, and no merge stops another."""
        await keep_going("mover", self.once, every_seconds=_LOOK_SECONDS)

    async def once(self) -> None:
        """Does what is due now, one after the other."""
        now = datetime.now(UTC)
        while merge := await self._claim(now):
            try:
                await self._move(merge)
            except _Lost:
                continue
            except asyncio.CancelledError:
                with suppress(StoreError):
                    last_words = self.store.within(_LAST_WORDS_SECONDS)
                    await last_words.write("merges", [UpdateOne(_ours(merge), {"$set": {"dueAt": datetime.now(UTC)}})])
                raise
            except StoreError:
                raise  # the lease ends, and it is due again
            except Exception as fault:
                log_failure("mover", fault, merge=merge["_id"])

    @stamina.retry(on=is_transient, attempts=None, timeout=None, wait_max=_LOOK_SECONDS)
    async def _claim(self, due: datetime) -> Document | None:
        return await self._queue.claim(LEASE, due=due)

    async def _move(self, merge: Document) -> None:
        while True:
            if merge["status"] == MergeStatus.UNDOING:
                await self._move_back(merge)
                ended = await self._end_undoing(merge)
            else:
                await self._move_on(merge)
                ended = await self._end(merge)
            if ended:
                return

    async def _move_on(self, merge: Document) -> None:
        for source_id in merge["sourceIds"]:
            for collection in ROWS_OF_CUSTOMERS:
                async for ids in self._batches(collection, rows_of(collection, source_id)):
                    to = {"from_id": source_id, "into_id": merge["customerId"], "merge_id": merge["_id"]}
                    await self._moved(merge, await move_rows(self.store, collection, ids, **to))

    async def _move_back(self, merge: Document) -> None:
        for source_id in merge["sourceIds"]:
            for collection in ROWS_OF_CUSTOMERS:
                async for ids in self._batches(collection, _brought(merge, source_id)):
                    to = {"from_id": merge["customerId"], "into_id": source_id, "merge_id": merge["_id"]}
                    await self._moved(merge, -await move_rows_back(self.store, collection, ids, **to))

    async def _batches(self, collection: str, where: Document) -> AsyncGenerator[list[str]]:
        """Yields ids until there are none; each batch has to be moved before the next one is read."""
        while found := await self.store.find(collection, where, fields={"_id": 1}, limit=self.batch):
            yield [row["_id"] for row in found]

    async def _moved(self, merge: Document, rows: int) -> None:
        """Counts rows, and renews the lease. Raises _Lost."""
        change = {"$inc": {"moved": rows}, "$set": {"dueAt": datetime.now(UTC) + LEASE}}
        if not (await self.store.write("merges", [UpdateOne(_ours(merge), change)])).matched_count:
            raise _Lost

    async def _end(self, merge: Document) -> bool:
        """Ends the merge; False if there are rows again."""
        into_id, now = merge["customerId"], _now()

        async def body(rows: CustomerRows) -> bool:
            for each in (*merge["sourceIds"], into_id):
                await rows.lock(each)
            if await self._any(rows, {name: rows_of(name, {"$in": merge["sourceIds"]}) for name in ROWS_OF_CUSTOMERS}):
                return False
            rows.set_on_customer(into_id, {"absorbingIds": None, "mergeInProgressId": None})
            for source_id in merge["sourceIds"]:
                rows.set_on_customer(source_id, {"rowsMoving": None})
            own = {"message": merge["reason"]}
            # Written last, so that it stays where whoever has the old number looks.
            stubs = [
                activity_of(each, "CUSTOMER_MERGED_AWAY", merge["mergedBy"], merge["mergedAt"], **own)
                for each in merge["sourceIds"]
            ]
            rows.insert("activities", ({**stub, "recordedAt": now} for stub in stubs))
            await self._finish(rows, merge, {"status": MergeStatus.DONE.value, "finishedAt": now})
            return True

        return await change_customers(self.store, body, now=now)

    async def _end_undoing(self, merge: Document) -> bool:
        now = _now()

        async def body(rows: CustomerRows) -> bool:
            for each in (*merge["sourceIds"], merge["customerId"]):
                await rows.lock(each)
            brought = {"formerOwners.mergeId": merge["_id"], "customerId": merge["customerId"]}
            if await self._any(rows, dict.fromkeys(ROWS_OF_CUSTOMERS, brought)):
                return False
            await self._finish(rows, merge, {"status": MergeStatus.UNDONE.value})
            return True

        return await change_customers(self.store, body, now=now)

    async def _any(self, rows: CustomerRows, where: Mapping[str, Document]) -> bool:
        """Returns whether there is a row in one of the collections that meets its condition."""
        for collection, condition in where.items():
            if await self.store.find(collection, condition, fields={"_id": 1}, limit=1, session=rows.session):
                return True
        return False

    async def _finish(self, rows: CustomerRows, merge: Document, keys: Mapping[str, Any]) -> None:
        change = {"$set": keys, "$unset": {"dueAt": ""}}
        written = await self.store.write("merges", [UpdateOne(_ours(merge), change)], session=rows.session)
        if not written.matched_count:
            raise _Lost


def _brought(merge: Document, source_id: str) -> Document:
    """Matches the rows that the merge has moved from there to the survivor."""
    former = {"mergeId": merge["_id"], "customerId": source_id}
    return {"formerOwners.mergeId": merge["_id"], "customerId": merge["customerId"], "formerOwners": former}


def _ours(merge: Document) -> Document:
    """Matches as long as no other worker has taken the merge since."""
    return {"_id": merge["_id"], "attempts": merge["attempts"], "dueAt": {"$exists": True}}


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1_000 * 1_000)
