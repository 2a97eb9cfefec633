"""Adds notes to an account, edits and pins them."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from app.domain import changes
from app.domain import uploads as rules
from app.domain.access import Forbidden, Permission
from app.domain.changes import Invalid, LimitExceeded, NotFound
from app.domain.ids import check_id, new_id
from app.domain.notes import FOR_ALL
from app.domain.uploads import Attaching, UploadMissing
from app.domain.vocabulary import PinnedFor
from app.services import uploads
from app.services.changes import Changes, Effect, Session, Wrote
from app.store.driver import Document

_AT_MOST = 100
_PINS_AT_MOST = 1_000


async def add(
    of: Changes,
    customer_id: str,
    message: str,
    *,
    mentions: Sequence[str],
    links: Sequence[str],
    attachments: Sequence[Attaching],
    key: str,
    is_there: Callable[[str], Awaitable[bool]],
) -> Wrote:
    """Adds a note. Raises Invalid, NotFound for a link to what does not exist for this viewer, and UploadMissing.

    Invalid: an unusable text, more than 100 mentions or links, or 10 attachments. BadUserInput: a link or
    upload that is not an id.
    """
    message = changes.check(
        lambda: changes.text(message, "message", at_most=changes.MESSAGE_AT_MOST),
        lambda: [changes.text(mention, "mentions", at_most=100, lines=False) for mention in mentions],
        *(partial(_check_number, name, given) for name, given in (("mentions", mentions), ("links", links))),
        lambda: rules.read_attaching(attachments),
        lambda: changes.key(key),
    )
    mentions = [changes.text(mention, "mentions", at_most=100, lines=False) for mention in mentions]
    attachments = rules.read_attaching(attachments)
    for link in links:
        check_id(link, "links")
    for at, each in enumerate(attachments):
        check_id(each.upload_id, "attachments", f"{at}", "uploadId", expected="uploads")

    async def decide(customer: Document, session: Session) -> Effect:
        found = await uploads.usable(of, [each.upload_id for each in attachments], session)
        changes.raise_all(
            [
                *[_no_link(link) for link in dict.fromkeys(links) if not await is_there(link)],
                *(_no_upload(at, each) for at, each in enumerate(attachments) if each.upload_id not in found),
            ]
        )
        activity = of.activity(customer["_id"], "NOTE_ADDED", message=message)
        note: Document = {
            "_id": new_id("notes"),
            "customerId": customer["_id"],
            "message": message,
            "author": activity["actor"],
            "createdAt": of.now,
            "mentions": mentions,
            "linkIds": list(links),
        }
        if attachments:
            author = note["author"]
            note["attachments"] = [rules.attachment(found[each.upload_id], each, author) for each in attachments]
            await uploads.use_up(of, found, note, session)
        activity |= {"noteId": note["_id"], "subjectId": note["_id"]}
        return Effect({"note": note["_id"], "activity": activity["_id"]}, activity, new={"notes": [note]})

    given: Document = {"customerId": customer_id, "message": message, "mentions": mentions, "links": list(links)}
    if attachments:  # without any, the hash is that of versions which knew none
        given["attachments"] = attachments
    return await of.run_once("addNote", customer_id, key, given, decide)


async def edit(of: Changes, note: Document, message: str, *, key: str) -> Wrote:
    """Gives a note another text, and keeps the ones before. Raises Invalid, LimitExceeded; Forbidden.

    Forbidden is whoever is neither its author nor may edit all notes.
    """
    message = changes.check(
        lambda: changes.text(message, "message", at_most=changes.MESSAGE_AT_MOST), lambda: changes.key(key)
    )
    own = note["author"].get("id") in (of.viewer.subject, of.viewer.person.subject)
    if not own and not of.viewer.may(Permission.EDIT_ALL_NOTES, note["customerId"]):
        raise Forbidden("Only its author and supervisors may edit a note.", "noteId")

    async def decide(customer: Document, session: Session) -> Effect:
        stored = await _stored(of, note, session)
        if stored["message"] == message:
            return Effect({"note": note["_id"]}, None)
        first = {"message": stored["message"], "author": stored["author"], "at": stored["createdAt"]}
        versions: list[Document] = stored.get("versions", [first])
        if len(versions) >= _AT_MOST:
            raise LimitExceeded(f"A note has at most {_AT_MOST} versions; write a new one.", "noteId")
        activity = of.activity(customer["_id"], "NOTE_EDITED", message=message, noteId=note["_id"])
        versions = [*versions, {"message": message, "author": activity["actor"], "at": of.now}]
        changed = {("notes", note["_id"]): {"message": message, "versions": versions}}
        wrote = {"note": note["_id"], "activity": activity["_id"]}
        return Effect(wrote, activity | {"subjectId": note["_id"]}, changed=changed)

    given = {"noteId": note["_id"], "message": message}
    return await of.run_once("editNote", note["customerId"], key, given, decide)


async def pin(of: Changes, note: Document, pinned_for: PinnedFor | None, *, key: str) -> Wrote:
    """Pins a note for all or for the viewer alone; None unpins it. Raises LimitExceeded.

    The timeline tells of pins for all; one of the viewer's own concerns nobody else.
    """
    changes.key(key)
    own = of.viewer.subject

    async def decide(customer: Document, session: Session) -> Effect:
        stored = await _stored(of, note, session)
        before: list[str] = stored.get("pins", [])
        # A pin of one's own leaves that of all alone; whatever else is asked for takes the place of both.
        replaced = {own} if pinned_for is PinnedFor.ME else {own, FOR_ALL}
        added = {PinnedFor.ALL: [FOR_ALL], PinnedFor.ME: [own], None: []}[pinned_for]
        pins = [*(each for each in before if each not in replaced), *added]
        if len(pins) > _PINS_AT_MOST:
            raise LimitExceeded(f"A note is pinned by at most {_PINS_AT_MOST} people; pin it for all.", "noteId")
        wrote: dict[str, str | list[str]] = {"note": note["_id"]}
        changed = {("notes", note["_id"]): {"pins": pins}}
        if (FOR_ALL in before) == (FOR_ALL in pins):
            return Effect(wrote, None, changed=changed if pins != before else {})
        type_ = "NOTE_PINNED" if FOR_ALL in pins else "NOTE_UNPINNED"
        activity = of.activity(customer["_id"], type_, noteId=note["_id"], subjectId=note["_id"])
        return Effect({**wrote, "activity": activity["_id"]}, activity, changed=changed)

    given = {"noteId": note["_id"], "pinnedFor": pinned_for and pinned_for.value}
    return await of.run_once("pinNote", note["customerId"], key, given, decide)


async def _stored(of: Changes, note: Document, session: Session) -> Document:
    (stored,) = await of.store.find("notes", {"_id": note["_id"]}, session=session)
    return stored


def _no_link(link: str) -> NotFound:
    return NotFound(f"There is nothing with the id {link[:100]}.", "links")


def _no_upload(at: int, given: Attaching) -> UploadMissing:
    """Tells nobody whose upload it is, or was."""
    message = f"{given.upload_id} is not an upload of yours that has its content and waits to be attached."
    return UploadMissing(message, "attachments", f"{at}", "uploadId")


def _check_number(name: str, given: Sequence[str]) -> None:
    if len(given) > _AT_MOST:
        raise Invalid(f"A note has at most {_AT_MOST} {name}; this one has {len(given)}.", name)
