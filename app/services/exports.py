"""Takes orders for exports, and cancels them. What makes them is in ``export_job``."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from app.domain import changes
from app.domain.cells import PLAIN, Layout
from app.domain.changes import IdempotencyConflict, Invalid, LimitExceeded
from app.domain.exports import UNFINISHED, Column, check_format, conditions_of
from app.domain.ids import new_id
from app.domain.merging import check_not_undoing
from app.domain.paging import Where
from app.domain.vocabulary import ExportFormat, ExportStatus, ExportTable
from app.services.changes import Changes, Effect, Session, Wrote
from app.store.driver import Document, DuplicateKey, TryAgain, UpdateOne
from app.store.files import EXPORTED


async def request(
    of: Changes,
    mutation: str,
    table: ExportTable,
    format_: ExportFormat,
    columns: Sequence[Column],
    *,
    where: Where,
    order: str,
    descending: bool,
    key: str,
    layout: Layout = PLAIN,
    said: Mapping[str, Any] | None = None,
) -> str:
    """Returns the id of the export, queued now or when the same key came first with the same input.

    ``said`` is the input where that is not what follows from it: a saved segment may change meanwhile.

    Raises BadUserInput, Invalid, IdempotencyConflict, LimitExceeded.
    """
    key, names = changes.key(key), [column.name for column in columns]
    asked = {
        "table": table.value,
        "format": format_.value,
        "columns": names,
        "where": conditions_of(where),
        "order": order,
        "descending": descending,
        **_written(layout),
    }
    check_format(format_)
    input_hash = changes.fingerprint(asked if said is None else said)

    async def body(session: Session) -> str:
        if done := await _requested(of, key, input_hash, session):
            return done
        export_id = await _queue(of, {**asked, "key": key, "inputHash": input_hash}, session)
        await of.audit(mutation).accepted(of.store, session, customer_id=None, wrote=[export_id], columns=names)
        return export_id

    return await of.transaction(body)


async def request_data(of: Changes, customer_id: str, *, key: str) -> Wrote:
    """Queues a file with all that is known of the customer, for them.

    Raises Invalid, LimitExceeded, MergeInProgress.
    """
    key = changes.key(key)
    asked: Document = {
        "customerId": customer_id,
        "table": ExportTable.DATA_SUBJECT.value,
        "format": ExportFormat.ZIP.value,
        "columns": [],
        "where": [],
        "order": "NONE",
        "descending": False,
    }
    # A subject's keys are one customer's each here, and a subject's among exports.
    own = {"key": changes.fingerprint({"customerId": customer_id, "key": key}), "inputHash": changes.fingerprint(asked)}

    async def decide(customer: Document, session: Session) -> Effect:
        check_not_undoing(customer)  # rows of another person are with this one, or theirs with another
        export_id = await _queue(of, {**asked, **own}, session)
        activity = of.activity(customer_id, "DATA_EXPORT_REQUESTED")
        return Effect({"export": export_id, "activity": activity["_id"]}, activity)

    return await of.run_once("requestDataExport", customer_id, key, {"customerId": customer_id}, decide)


async def _queue(of: Changes, asked: Document, session: Session) -> str:
    """Writes an export that waits for a worker, and returns its id. Raises LimitExceeded."""
    own = {"requestedBy.subject": of.viewer.subject, "slot": {"$gte": 0}}
    unfinished = await of.store.find("exports", own, fields={"slot": 1}, session=session)
    free = set(range(of.outgoing.most_exports)) - {each["slot"] for each in unfinished}
    if not free:
        raise LimitExceeded(f"{len(unfinished)} of your exports are not finished; wait for one of them, or cancel it.")
    export: Document = {
        "_id": new_id("exports"),
        **asked,
        "status": ExportStatus.QUEUED.value,
        "requestedBy": {"subject": of.viewer.subject, "roles": sorted(of.viewer.roles)},
        "requestedAt": of.now,
        "dueAt": of.now,
        "secret": secrets.token_bytes(32),
        "slot": min(free),
        **dict.fromkeys(("attempts", "rows", "bytes"), 0),
    }
    try:
        await of.store.insert("exports", [export], session=session)
    except DuplicateKey as raced:
        raise TryAgain from raced  # the same key or slot, a moment earlier
    return export["_id"]


async def requested(of: Changes, key: str, said: Mapping[str, Any]) -> str | None:
    """Returns the id of the export that the key came first for, with the same input; None for a new key.

    Raises Invalid, IdempotencyConflict.
    """
    return await _requested(of, changes.key(key), changes.fingerprint(said), None)


async def _requested(of: Changes, key: str, input_hash: str, session: Session) -> str | None:
    own = {"requestedBy.subject": of.viewer.subject, "key": key}
    done = await of.store.find("exports", own, fields={"inputHash": 1}, session=session)
    if done and done[0]["inputHash"] != input_hash:
        raise IdempotencyConflict
    return done[0]["_id"] if done else None


def _written(layout: Layout) -> Document:
    """Returns what differs from the default layout."""
    return {
        **({} if layout.separator == PLAIN.separator else {"separator": layout.separator.value}),
        **({"byteOrderMark": True} if layout.byte_order_mark else {}),
        **({"timeZone": layout.zone.key} if layout.zone else {}),
    }


async def cancel(of: Changes, export: Document) -> None:
    """Cancels an export, finished or not: no file and no link are left. Again is the same as once. Raises Invalid.

    A worker that is at it stops at its next batch.
    """

    async def body(session: Session) -> None:
        (now,) = await of.store.find("exports", {"_id": export["_id"]}, session=session)
        if now["status"] == ExportStatus.CANCELLED:
            return
        if now["status"] not in {*UNFINISHED, ExportStatus.DONE}:
            raise Invalid(f"The export is {now['status']}: there is nothing to cancel.", "exportId")
        keys: dict[str, Any] = {"status": ExportStatus.CANCELLED.value, "finishedAt": of.now, "dueAt": of.now}
        cancelled = UpdateOne({"_id": export["_id"]}, {"$set": keys, "$unset": {"slot": ""}})
        await of.store.write("exports", [cancelled], session=session)
        await of.audit("cancelExport").accepted(of.store, session, customer_id=None, wrote=[export["_id"]])

    await of.transaction(body)
    await EXPORTED.delete(of.store, export["_id"])  # the worker does it, too, should we die here
