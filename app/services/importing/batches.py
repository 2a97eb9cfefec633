"""Keeps a row for each import: what was brought in, by whom, when, and what became of its lines."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from app.domain import card_numbers
from app.domain.access import Viewer
from app.domain.changes import NotFound
from app.domain.ids import new_id
from app.domain.outbox import one_line
from app.domain.refusals import Refusal
from app.domain.vocabulary import ActorKind, LineOutcome
from app.services.audit import AuditTrail
from app.services.importing import DEFAULTS, ImportOptions, Reject, Summary, Verdict, Warned, import_lines
from app.services.importing.lines import Lines
from app.services.row_jobs import clock
from app.store import previews
from app.store.driver import Document, Store, StoreError, UpdateMany, UpdateOne

_log = structlog.get_logger("import")


class BatchClosed(Refusal):
    """Raised where no more lines, or not these, can be sent to a batch; nothing was changed."""

    code, field = "INVALID", ("batch",)


_BETWEEN_NOTES: Final = timedelta(seconds=10)
_PAUSES: Final = timedelta(minutes=2)


async def import_batch(
    store: Store,
    lines: Lines,
    *,
    file_name: str,
    viewer: Viewer,
    request_id: str,
    now: datetime,
    reject: Callable[[Reject], None],
    advance: Callable[[int], None],
    warn: Callable[[Warned], None] = lambda warned: None,
    options: ImportOptions = DEFAULTS,
) -> tuple[str, Summary]:
    """Imports lines as one batch, and returns its id and its summary. Raises StoreError.

    The batch and its row in the audit log are there before the first line is, and stay as they are if the import is
    interrupted: without ``finishedAt``, and with the lines that had been decided when it was ``seenAt`` last.
    """
    batch_id = (await begin(store, file_name, viewer, request_id, now))["_id"]
    noted, logged = clock(), 0

    async def note(summary: Summary) -> None:
        nonlocal noted, logged
        if clock() - noted >= _BETWEEN_NOTES:
            noted = clock()
            if summary.lines > logged:
                logged = summary.lines
                _log.info("importing", id=batch_id, lines=summary.lines, rejected=summary.rejected)
            await _save(store, batch_id, summary)

    summary = await import_lines(
        store,
        lines,
        now=now,
        reject=reject,
        warn=warn,
        advance=advance,
        options=options,
        import_id=batch_id,
        note=note,
    )
    await _save(store, batch_id, summary, {"finishedAt": clock()})
    return batch_id, summary


async def begin(store: Store, file_name: str, viewer: Viewer, request_id: str, now: datetime) -> Document:
    """Makes a batch with its row in the audit log, and returns it. Raises StoreError."""
    batch_id = new_id("imports")
    batch: Document = {
        "_id": batch_id,
        "fileName": card_numbers.masked(one_line(file_name[:1_000]), ("id",)) or "-",  # commands print it
        "startedAt": now,
        "startedBy": {"kind": ActorKind.AGENT.value, "id": viewer.subject, "name": viewer.name},
        "seenAt": now,
        "lines": 0,
        "counts": [],
    }
    audit = AuditTrail(viewer, "import", request_id, now)

    async def body(session: Any) -> None:
        await store.insert("imports", [batch], session=session)
        await audit.accepted(store, session, customer_id=None, wrote=[batch_id])

    await store.transaction(body)
    return batch


async def reopen(store: Store, batch_id: str, viewer: Viewer, now: datetime, *, first: int) -> Document:
    """Returns a batch that was interrupted, to go on with it from a line on. Raises NotFound, BatchClosed, StoreError.

    Of two that ask at once one is refused.
    """
    batch = await find(store, batch_id)
    if batch["startedBy"]["id"] != viewer.subject:
        raise BatchClosed("This import was begun by somebody else: begin another one.")
    if "finishedAt" in batch:
        raise BatchClosed("This import has ended: begin another one.")
    if is_running(batch, now):
        raise BatchClosed("This import runs: another request sends its lines, or broke off less than two minutes ago.")
    if first > (due := batch.get("settledLines", 0) + 1):
        raise BatchClosed(f"Lines would be left out: this import goes on from line {due}, or an earlier one.")
    where = {"_id": batch_id, "seenAt": batch["seenAt"]}
    resumed = {"$set": {"seenAt": now, "resumedAt": now}, "$unset": {"pausedAt": ""}}
    if not await store.find_one_and_update("imports", where, resumed):
        raise BatchClosed("This import runs: another request sends its lines.")
    return batch


async def find(store: Store, batch_id: str) -> Document:
    """Raises NotFound, StoreError."""
    found = await store.find("imports", {"_id": batch_id})
    if not found:
        raise NotFound("There is no such import.", "batch")
    return found[0]


async def go_on(
    store: Store,
    batch: Document,
    lines: Lines,
    *,
    first: int,
    now: datetime,
    on_verdict: Callable[[Verdict], None],
    each_chunk: Callable[[int], Awaitable[None]],
    options: ImportOptions,
    lines_per_chunk: int,
) -> Summary:
    """Imports lines into a batch that was begun, from the ``first`` of them on. Raises StoreError, or what they raise.

    After each chunk the batch says how far it is, and ``each_chunk`` hears how many lines it had; interrupted, it may
    be gone on with at once. What it says of lines that were settled counts, though some of them may come again.
    """
    batch_id = batch["_id"]
    counts = {(each["kind"], LineOutcome(each["outcome"])): each["lines"] for each in batch["counts"]}
    before = Summary(batch["lines"], batch.get("settledLines", 0), counts=Counter(counts))
    come = 0

    def advance(lines: int) -> None:
        nonlocal come
        come += lines

    async def note(summary: Summary) -> None:
        nonlocal come
        if not come:  # its sender pauses, and may be lost: others may go on with it after two minutes
            return
        await _save(store, batch_id, summary)
        lines, come = come, 0
        await each_chunk(lines)

    try:
        summary = await import_lines(
            store,
            lines,
            first=first,
            before=before,
            now=now,
            reject=lambda rejected: None,
            advance=advance,
            on_verdict=on_verdict,
            options=options,
            import_id=batch_id,
            note=note,
            lines_per_chunk=lines_per_chunk,
        )
    except BaseException:  # whatever ends it, its sender's leaving too: the batch may be gone on with at once
        with suppress(StoreError):
            await asyncio.shield(
                store.write("imports", [UpdateOne({"_id": batch_id}, {"$set": {"pausedAt": clock()}})])
            )
        raise
    await _save(store, batch_id, summary, {"finishedAt": clock()})
    return summary


async def refresh_previews(store: Store, now: datetime) -> int:
    """Makes the copies that imports left behind which have paused, or died, and returns how many previews.

    An import that ends has made its own, and knows of none that it left behind before it was gone on with.
    """
    paused: Document = {"finishedAt": {"$exists": False}, "seenAt": {"$lt": now - _PAUSES}}
    resumed: Document = {"finishedAt": {"$exists": True}, "resumedAt": {"$exists": True}}
    were_stale = {"$expr": {"$lte": [{"$ifNull": ["$previewsAt", "$startedAt"]}, "$seenAt"]}}
    due = await store.find("imports", {"$or": [paused, resumed], **were_stale}, fields={"_id": 1})
    if not due:
        return 0
    refreshed = await previews.refresh_stale(store)
    done = UpdateMany({"_id": {"$in": [each["_id"] for each in due]}}, {"$set": {"previewsAt": now}})
    await store.write("imports", [done])
    return refreshed


def is_running(batch: Document, now: datetime) -> bool:
    """Returns whether an import has not ended and was seen within two minutes. Over HTTP, one that waits is not."""
    return not {"finishedAt", "pausedAt"} & batch.keys() and batch["seenAt"] > now - _PAUSES


async def newest(store: Store, limit: int) -> list[str]:
    """Returns a sentence for each of the newest imports."""
    found = await store.find("imports", {}, sort={"startedAt": -1, "_id": -1}, limit=limit)
    return [_sentence(batch) for batch in found]


def _sentence(batch: Document) -> str:
    state = "undone" if "undoneAt" in batch else "" if "finishedAt" in batch else "not finished"
    if state == "not finished" and (held := batch.get("linesHeld", 0)):
        state += f": {batch['linesRead']:,} lines read, {held:,} of them wait for later ones"
    counts = Counter[str]()
    for each in batch["counts"]:
        counts[each["outcome"]] += each["lines"]
    became = ", ".join(f"{counts[outcome]:,} {outcome.lower()}" for outcome in LineOutcome if counts[outcome])
    told = f"{batch['_id']}  {batch['startedAt']:%Y-%m-%d %H:%M:%S}Z  {batch['lines']:,} lines  {batch['fileName']}"
    return "  ".join(part for part in (told, became, state) if part)


async def _save(store: Store, batch_id: str, summary: Summary, more: Document | None = None) -> None:
    """Says how far a batch is. What is settled is counted: the lines from there on are sent again after a break.

    While lines wait for later ones the counts stand still, and it is said how many were read and wait.
    """
    said: Document = {"seenAt": clock(), "linesRead": summary.lines, "linesHeld": summary.held, **(more or {})}
    if not summary.held:
        said |= {"lines": summary.lines, "counts": summary.counts_by_kind, "settledLines": summary.last}
    await store.write("imports", [UpdateOne({"_id": batch_id}, {"$set": said})])
