"""Makes the files that were asked for, a batch of rows at a time, whatever dies meanwhile.

A worker that takes an export has it until a lease ends, which each batch renews. A batch is one transaction: the
position behind its rows, and its bytes in the file. So the next worker after a crash goes on behind the last batch that
was saved, and one that lost the lease, or whose export was cancelled, saves nothing. The same queue deletes files when
their time comes: an export is due as long as there is something to do for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from os import SEEK_END
from tempfile import TemporaryFile
from typing import Any, Final

import structlog

from app.domain import outbox
from app.domain.access import Masks, Role
from app.domain.exports import UNFINISHED, file_name
from app.domain.merging import MergeInProgress, check_settled
from app.domain.statuses import CLOSED
from app.domain.vocabulary import ExportStatus, ExportTable
from app.jobs import keep_going, log_failure
from app.services import archives
from app.services.export_rows import ROWS, Batch, ExportPlan, Unreadable, batches, total
from app.store.driver import Document, Store, StoreError, UpdateOne, until_it_is_there
from app.store.files import EXPORTED
from app.store.queues import Queue

_log = structlog.get_logger("exports")

LEASE: Final = timedelta(seconds=60)
_LOOK_SECONDS: Final = 2
_PAUSE: Final = timedelta(seconds=5)
_ATTEMPTS: Final = 10
"""Without a batch more; each batch earns another."""
_LAST_WORDS_SECONDS: Final = 1
_FAULT: Final = "It could not be made. The fault is ours and has been logged."
_PIECE_BYTES: Final = 1024 * 1024
_NO_MORE: Final = dict.fromkeys(("slot", "position"), "")


class _Lost(Exception):
    """Raised if another worker has the export now, or it was cancelled."""


@dataclass(slots=True, repr=False)
class Exporter:
    """An exporter makes files; any number of processes may run one. Files live as long as ``kept``."""

    store: Store
    masks_for: Callable[[frozenset[Role]], Masks]
    kept: timedelta = timedelta(days=1)
    _queue: Queue = field(init=False)

    def __post_init__(self) -> None:
        self._queue = Queue(self.store, "exports")

    async def run(self) -> None:
        """Runs until it is cancelled; it outlives any absence of the database, and no export stops another."""
        await keep_going(
            "exporter", partial(self._make_due, until_it_is_there(self._claim)), every_seconds=_LOOK_SECONDS
        )

    async def once(self) -> None:
        """Does what is due now, one after the other. What is put off meanwhile stays for another time.

        Raises StoreError: no export was taken.
        """
        await self._make_due(self._claim)

    async def _make_due(self, claim: Callable[[datetime], Awaitable[Document | None]]) -> None:
        now = datetime.now(UTC)
        while export := await claim(now):
            await self._attend(export)

    async def _attend(self, export: Document) -> None:
        """Does what is to be done with an export that is ours; no fault of it stops another."""
        try:
            await (self._make if export["status"] in UNFINISHED else self._clear)(export)
        except _Lost:
            pass
        except asyncio.CancelledError:
            with suppress(StoreError):
                last_words = self.store.within(_LAST_WORDS_SECONDS)
                await last_words.write("exports", [UpdateOne(_ours(export), {"$set": {"dueAt": datetime.now(UTC)}})])
            raise
        except Unreadable as refused:
            await self._failed(export, str(refused))
        except (StoreError, MergeInProgress) as away:
            _log.warning("put off", export=export["_id"], fault=type(away).__name__)
            await self._noted(export, self._put_off(export))
        except Exception as fault:
            log_failure("exporter", fault, export=export["_id"])
            await self._noted(export, self._failed(export, _FAULT))

    async def _noted(self, export: Document, noting: Awaitable[None]) -> None:
        """Logs what not even the note of a failure could be written for: its lease ends, and it is due again."""
        try:
            await noting
        except StoreError as fault:
            log_failure("exporter", fault, export=export["_id"])

    async def _claim(self, due: datetime) -> Document | None:
        """Returns the export that has waited longest, ours until the lease ends."""
        return await self._queue.claim(LEASE, due=due)

    async def _make(self, export: Document) -> None:
        """Makes the file. Raises _Lost, Unreadable, StoreError."""
        if export["attempts"] > _ATTEMPTS + export["rows"] // ROWS:
            await self._failed(export, f"Given up after {export['attempts'] - 1} attempts.")
            return
        if export["table"] == ExportTable.DATA_SUBJECT:
            await self._make_archive(export)
            return
        roles = frozenset(map(Role, export["requestedBy"]["roles"]))
        plan = ExportPlan.of(export, self.masks_for(roles))
        if export["status"] == ExportStatus.QUEUED:
            begun = {"status": ExportStatus.RUNNING.value, "startedAt": datetime.now(UTC)}
            await self._changed(export, begun, must=True)
            if (rows := await total(self.store.aside(), plan)) is not None:
                await self._changed(export, {"total": rows})
        rows, length, position = export["rows"], export["bytes"], plan.position_of(export)
        if position is None and rows:  # an older version began it, in an order of other keys
            await EXPORTED.delete(self.store, export["_id"])
            rows = length = 0
        async for batch in batches(self.store.aside(), plan, position):
            rows += batch.rows
            await self._save(export, batch, rows, length)
            length += len(batch.data)

    async def _save(self, export: Document, batch: Batch, rows: int, length: int) -> None:
        now = datetime.now(UTC)
        keys: Document = {"rows": rows, "bytes": length + len(batch.data)}
        if batch.is_last:
            expires = now + self.kept
            ended = {"status": ExportStatus.DONE.value, "finishedAt": now, "expiresAt": expires, "dueAt": expires}
            change = {"$set": {**keys, **ended}, "$unset": _NO_MORE}
        else:
            change = {"$set": {**keys, "position": batch.position, "dueAt": now + LEASE}}

        async def body(session: Any) -> None:
            written = await self.store.write("exports", [UpdateOne(_ours(export), change)], session=session)
            if not written.matched_count:
                raise _Lost
            await EXPORTED.append(self.store, export["_id"], length, batch.data, session=session)
            if batch.is_last:
                name = file_name(export, now)
                await EXPORTED.finish(self.store, export["_id"], keys["bytes"], name, now=now, session=session)

        await self.store.transaction(body)

    async def _make_archive(self, export: Document) -> None:
        """Makes the file of what is known of a person: whole in a temporary file first.

        Raises _Lost, Unreadable, StoreError; MergeInProgress if rows of somebody else may be among theirs.
        """
        customer = await self._settled(export["customerId"])
        begun = {"status": ExportStatus.RUNNING.value, "startedAt": datetime.now(UTC)}
        await self._changed(export, begun, must=True)
        await EXPORTED.delete(self.store, export["_id"])  # what a worker left that died

        async def advance(rows: int) -> None:
            await self._changed(export, {"rows": rows, "dueAt": datetime.now(UTC) + LEASE}, must=True)

        with TemporaryFile() as file:
            rows = await archives.write(self.store, customer, file, now=datetime.now(UTC), advance=advance)
            if (await self._settled(export["customerId"])).get("mergedFromIds") != customer.get("mergedFromIds"):
                raise MergeInProgress("A merge began and ended meanwhile.")
            size = file.seek(0, SEEK_END)
            for length in range(0, size, _PIECE_BYTES):
                file.seek(length)
                data = file.read(_PIECE_BYTES)
                await self._save(export, Batch(0, data, None, length + len(data) == size), rows, length)

    async def _settled(self, customer_id: str) -> Document:
        """Returns a customer who has all their rows and no others. Raises Unreadable, MergeInProgress, StoreError."""
        found = await self.store.find("customers", {"_id": customer_id})
        if not found or found[0]["status"] in CLOSED:
            raise Unreadable("The account is closed.")
        check_settled(found[0])
        return found[0]

    async def _clear(self, export: Document) -> None:
        """Deletes the file of what failed, was cancelled or expired. Raises StoreError."""
        await EXPORTED.delete(self.store, export["_id"])
        expired = {"status": ExportStatus.EXPIRED.value} if export["status"] == ExportStatus.DONE else {}
        change = {"$unset": {"dueAt": ""}, **({"$set": expired} if expired else {})}
        await self.store.write("exports", [UpdateOne({"_id": export["_id"]}, change)])

    @until_it_is_there
    async def _put_off(self, export: Document) -> None:
        ours = {"_id": export["_id"], "attempts": export["attempts"], "dueAt": {"$exists": True}}
        again = {"$set": {"dueAt": datetime.now(UTC) + _PAUSE}}
        await self.store.write("exports", [UpdateOne(ours, again)])

    @until_it_is_there
    async def _failed(self, export: Document, reason: str) -> None:
        now = datetime.now(UTC)
        keys = {"status": ExportStatus.FAILED.value, "error": outbox.reason(reason), "finishedAt": now, "dueAt": now}
        await self.store.write("exports", [UpdateOne(_ours(export), {"$set": keys, "$unset": _NO_MORE})])
        _log.warning("given up", export=export["_id"])

    async def _changed(self, export: Document, keys: Mapping[str, Any], *, must: bool = False) -> None:
        written = await self.store.write("exports", [UpdateOne(_ours(export), {"$set": keys})])
        if must and not written.matched_count:
            raise _Lost


def _ours(export: Document) -> Document:
    """Matches as long as no other worker has taken the export since, and nobody has cancelled it."""
    return {"_id": export["_id"], "attempts": export["attempts"], "status": {"$in": sorted(UNFINISHED)}}
