"""Keeps a row for each import: what was brought in, by whom, when, and what became of its lines."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, tzinfo
from typing import Final

import structlog

from app.domain.access import Viewer
from app.domain.ids import new_id
from app.domain.vocabulary import ActorKind, LineOutcome
from app.services.audit import AuditTrail
from app.services.importing import Reject, Summary, import_lines
from app.services.row_jobs import clock
from app.store import previews
from app.store.driver import Document, Store, UpdateMany, UpdateOne

_log = structlog.get_logger("import")
_BETWEEN_NOTES: Final = timedelta(seconds=10)
_PAUSES: Final = timedelta(minutes=2)


async def import_batch(
    store: Store,
    lines: Iterable[bytes],
    *,
    file_name: str,
    viewer: Viewer,
    request_id: str,
    now: datetime,
    zone: tzinfo,
    reject: Callable[[Reject], None],
    advance: Callable[[int], None],
    refuse_unknown_types: bool = False,
) -> tuple[str, Summary]:
    """Imports lines as one batch, and returns its id and its summary. Raises StoreError.

    The batch and its row in the audit log are there before the first line is, and stay as they are if the import is
    interrupted: without ``finishedAt``, and with the lines that had been decided when it was ``seenAt`` last.
    """
    batch_id = new_id("imports")
    batch: Document = {
        "_id": batch_id,
        "fileName": file_name[:1_000],
        "startedAt": now,
        "startedBy": {"kind": ActorKind.AGENT.value, "id": viewer.subject, "name": viewer.name},
        "seenAt": now,
        "lines": 0,
        "counts": [],
    }
    audit = AuditTrail(viewer, "import", request_id, now)

    async def begin(session: object) -> None:
        await store.insert("imports", [batch], session=session)
        await audit.accepted(store, session, customer_id=None, wrote=[batch_id])

    await store.transaction(begin)
    noted = clock()

    async def note(summary: Summary) -> None:
        nonlocal noted
        if clock() - noted >= _BETWEEN_NOTES:
            noted = clock()
            _log.info("importing", id=batch_id, lines=summary.lines, rejected=summary.rejected)
            await _save(store, batch_id, summary)

    summary = await import_lines(
        store,
        lines,
        now=now,
        reject=reject,
        advance=advance,
        zone=zone,
        import_id=batch_id,
        note=note,
        refuse_unknown_types=refuse_unknown_types,
    )
    await _save(store, batch_id, summary, {"finishedAt": clock()})
    return batch_id, summary


async def refresh_previews(store: Store, now: datetime) -> int:
    """Makes the previews that imports left stale which have paused, or died, and returns how many.

    An import that ends has made its own.
    """
    found = await store.find("imports", {"finishedAt": {"$exists": False}, "seenAt": {"$lt": now - _PAUSES}})
    paused = [each["_id"] for each in found if each.get("previewsAt", each["startedAt"]) <= each["seenAt"]]
    if not paused:
        return 0
    refreshed = await previews.refresh_stale(store)
    done = UpdateMany({"_id": {"$in": paused}}, {"$set": {"previewsAt": now}})
    await store.write("imports", [done])
    return refreshed


def is_running(batch: Document, now: datetime) -> bool:
    """Returns whether an import has not ended and was seen within two minutes. One that waits for a pipe is not."""
    return "finishedAt" not in batch and batch["seenAt"] > now - _PAUSES


async def newest(store: Store, limit: int) -> list[str]:
    """Returns a sentence for each of the newest imports."""
    found = await store.find("imports", {}, sort={"startedAt": -1, "_id": -1}, limit=limit)
    return [_sentence(batch) for batch in found]


def _sentence(batch: Document) -> str:
    state = "undone" if "undoneAt" in batch else "" if "finishedAt" in batch else "not finished"
    counts = Counter[str]()
    for each in batch["counts"]:
        counts[each["outcome"]] += each["lines"]
    became = ", ".join(f"{counts[outcome]:,} {outcome.lower()}" for outcome in LineOutcome if counts[outcome])
    told = f"{batch['_id']}  {batch['startedAt']:%Y-%m-%d %H:%M:%S}Z  {batch['lines']:,} lines  {batch['fileName']}"
    return "  ".join(part for part in (told, became, state) if part)


async def _save(store: Store, batch_id: str, summary: Summary, more: Document | None = None) -> None:
    said = {"lines": summary.lines, "counts": summary.counts_by_kind, "seenAt": clock(), **(more or {})}
    await store.write("imports", [UpdateOne({"_id": batch_id}, {"$set": said})])
