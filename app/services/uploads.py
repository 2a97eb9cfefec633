"""Takes files that are to be attached to notes: declares them, stores what is sent, and deletes what nobody uses."""

import secrets
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from app.domain import changes, uploads
from app.domain.ids import new_id
from app.domain.uploads import GRACE, KEPT, MOST_OPEN, Intake, TooManyUploads, UploadMissing
from app.services.audit import AuditTrail
from app.services.changes import Changes, Effect, Session, Wrote
from app.store import files
from app.store.driver import (
    Database,
    DeleteOne,
    Document,
    DuplicateKey,
    Store,
    StoreError,
    TryAgain,
    UpdateMany,
    UpdateOne,
)
from app.store.files import UPLOADED

_WRITE_SECONDS: Final = 10
_AT_ONCE: Final = 100


async def create(of: Changes, *, name: str, mime_type: str, size: int, sha256: str, key: str) -> Wrote:
    """Declares a file that its person is going to send.

    Raises Invalid, TypeNotAllowed, TooLarge, TooManyUploads.
    """
    name = changes.check(
        lambda: uploads.name_of(name),
        lambda: uploads.check_type(mime_type),
        lambda: uploads.check_size(size),
        lambda: uploads.digest_of(sha256),
        lambda: changes.key(key),
    )
    declared: Document = {"name": name, "mimeType": mime_type, "bytes": size, "sha256": uploads.digest_of(sha256)}

    async def decide(_customer: Document, session: Session) -> Effect:
        expires = of.now + KEPT
        upload: Document = {
            "_id": new_id("uploads"),
            **declared,
            "createdBy": {"subject": of.viewer.subject, "roles": sorted(of.viewer.roles)},
            "createdAt": of.now,
            "expiresAt": expires,
            "dueAt": expires + GRACE,
            "slot": await _free_slot(of, session),
        }
        try:
            await of.store.insert("uploads", [upload], session=session)
        except DuplicateKey as raced:
            raise TryAgain from raced  # the same slot, a moment earlier
        return Effect({"upload": upload["_id"]}, None)

    return await of.run_once("createUpload", None, key, declared, decide)


async def _free_slot(of: Changes, session: Session) -> int:
    """Returns a place for one more open upload; those that have expired give theirs up. Raises TooManyUploads."""
    own = {"createdBy.subject": of.viewer.subject, "slot": {"$gte": 0}}
    held = await of.store.find("uploads", own, fields={"slot": 1, "expiresAt": 1}, session=session)
    expired = [each["_id"] for each in held if each["expiresAt"] <= of.now]
    free = set(range(MOST_OPEN)) - {each["slot"] for each in held if each["_id"] not in expired}
    if not free:
        raise TooManyUploads
    if expired:
        given_up = UpdateMany({"_id": {"$in": expired}}, {"$unset": {"slot": ""}})
        await of.store.write("uploads", [given_up], session=session)
    return min(free)


# ---------------------------------------------------------------- the content


async def receive(database: Database, upload: Document, audit: AuditTrail, pieces: AsyncIterable[bytes]) -> None:
    """Stores the content of an upload once all of it has come and is what was declared; else nothing is kept.

    Of an upload that has its content, the same once more is a success and another one is refused. What a process that
    dies leaves behind is deleted by `sweep`. Raises TooLarge, TypeNotAllowed, HashMismatch, UploadMissing, StoreError,
    and what ``pieces`` does.
    """
    intake = Intake(upload)
    if "fileId" in upload:
        async for piece in pieces:
            intake.take(piece)
        intake.finish()
        return
    # Each attempt writes a file of its own, so that two at once do not write into each other's.
    file_id = f"{_files_of(upload)}{secrets.token_hex(8)}"
    try:
        await _store(database, file_id, intake, pieces)
        intake.finish()
    except BaseException:
        await _delete(database, file_id)
        raise
    # A commit of which we do not know whether it was made may have been: `sweep` decides then, a day later.
    if await _finish(database, upload, file_id, audit):
        return
    await _delete(database, file_id)
    found = await database.within(_WRITE_SECONDS).find("uploads", {"_id": upload["_id"], "fileId": {"$exists": True}})
    if not found:
        raise UploadMissing("This upload is not there any more: create another one.")


async def _store(database: Database, file_id: str, intake: Intake, pieces: AsyncIterable[bytes]) -> None:
    """Writes each chunk as soon as it is full: never more than one, and a piece, is held."""
    length, waiting = 0, bytearray()
    async for piece in pieces:
        intake.take(piece)
        waiting += piece
        while len(waiting) >= files.CHUNK_BYTES:
            chunk = bytes(waiting[: files.CHUNK_BYTES])
            del waiting[: files.CHUNK_BYTES]
            await UPLOADED.append(database.within(_WRITE_SECONDS), file_id, length, chunk)
            length += len(chunk)
    await UPLOADED.append(database.within(_WRITE_SECONDS), file_id, length, bytes(waiting))


async def _finish(database: Database, upload: Document, file_id: str, audit: AuditTrail) -> bool:
    """Returns whether the file is the upload's content now: not if another attempt was faster. Raises StoreError."""
    store, now = database.within(_WRITE_SECONDS), datetime.now(UTC)
    finished = UpdateOne(
        {"_id": upload["_id"], "fileId": {"$exists": False}}, {"$set": {"fileId": file_id, "completedAt": now}}
    )

    async def body(session: Any) -> bool:
        if not (await store.write("uploads", [finished], session=session)).matched_count:
            return False
        await UPLOADED.finish(store, file_id, upload["bytes"], upload["name"], now=now, session=session)
        await audit.accepted(store, session, customer_id=None, wrote=[upload["_id"]])
        return True

    return await store.transaction(body)


async def _delete(database: Database, file_id: str) -> None:
    with suppress(StoreError):  # then `sweep` does it
        await UPLOADED.delete(database.within(_WRITE_SECONDS), file_id)


def _files_of(upload: Document) -> str:
    """Returns how the ids of all files begin that were sent for the upload."""
    return f"{upload['_id']}."


async def sweep(store: Store, now: datetime) -> int:
    """Deletes uploads that expired unused, and what attempts that never ended have left of others; returns how many.

    Any number of workers may do so at once. Raises StoreError.
    """
    swept = 0
    while due := await store.find("uploads", {"dueAt": {"$lte": now}}, sort={"dueAt": 1}, limit=_AT_ONCE):
        for upload in due:
            if "noteId" in upload:
                await UPLOADED.delete_all(store, _files_of(upload), but=upload["fileId"])
                await store.write("uploads", [UpdateOne({"_id": upload["_id"]}, {"$unset": {"dueAt": ""}})])
            else:
                await UPLOADED.delete_all(store, _files_of(upload))
                await store.write("uploads", [DeleteOne({"_id": upload["_id"]})])
                swept += 1
    return swept


# ---------------------------------------------------------------- attached to a note


async def usable(of: Changes, upload_ids: Sequence[str], session: Session) -> Mapping[str, Document]:
    """Returns those of the uploads that the viewer may attach now, by their ids."""
    if not upload_ids:
        return {}
    found = await of.store.find("uploads", {"_id": {"$in": list(upload_ids)}}, session=session)
    return {upload["_id"]: upload for upload in found if uploads.is_usable(upload, of.viewer, of.now)}


async def use_up(of: Changes, upload_ids: Iterable[str], note: Document, session: Session) -> None:
    """Writes which note has the uploads, so that no other one takes them."""
    used = {"noteId": note["_id"], "customerId": note["customerId"]}
    update = UpdateMany({"_id": {"$in": list(upload_ids)}}, {"$set": used, "$unset": {"slot": ""}})
    await of.store.write("uploads", [update], session=session)
