"""Saves segments of customers, changes, stars and deletes them."""

from collections.abc import Mapping
from typing import Any

from app.domain import changes, segments
from app.domain.changes import Invalid, LimitExceeded, NotFound
from app.domain.ids import new_id
from app.domain.segments import NameTaken
from app.domain.vocabulary import SegmentScope
from app.services.changes import Changes, Effect, Session, Wrote
from app.store.driver import DeleteOne, Document, DuplicateKey, ReplaceOne, TryAgain, UpdateOne


async def create(of: Changes, given: Mapping[str, Any], *, key: str) -> Wrote:
    """Creates a segment of the viewer's. Raises Invalid, NameTaken, LimitExceeded.

    ``given`` has the keys of the stored document; ``filter``, ``orderBy`` and ``columns`` were checked with the
    viewer's rights.
    """
    subject = of.viewer.subject
    born: Document = {"subject": subject, "scope": SegmentScope.PRIVATE.value, "sharedWith": [], "starredBy": []}
    segment = changes.check(lambda: segments.edit(born, segments.read(given)), lambda: changes.key(key))

    async def decide(_customer: Document, session: Session) -> Effect:
        own = await _own(of, subject, session)
        _check_free(segment, own)
        free = set(range(segments.MAX_OWN)) - {each["slot"] for each in own}
        if not free:
            raise LimitExceeded(f"You have {segments.MAX_OWN} segments; delete one of them first.")
        document: Document = {
            "_id": new_id("segments"),
            **segment,
            "owner": changes.actor_of(of.viewer, ""),
            "slot": min(free),
            "createdAt": of.now,
            "updatedAt": of.now,
        }
        try:
            await of.store.insert("segments", [document], session=session)
        except DuplicateKey as raced:
            raise TryAgain from raced  # the same name or slot, a moment earlier: the next run finds it
        return _wrote(document)

    return await of.run_once("createSegment", None, key, given, decide)


async def update(of: Changes, segment: Document, given: Mapping[str, Any], *, key: str) -> Wrote:
    """Changes the values that are given; None takes one away. Raises Invalid, NameTaken, NotFound; Forbidden.

    Nothing is written where every value is there already.
    """
    segments.check_may_change(segment, of.viewer)
    values = changes.check(lambda: segments.read(given), lambda: changes.key(key))
    if not values:
        raise Invalid("Give at least one value to change.")

    async def decide(_customer: Document, session: Session) -> Effect:
        before = await _stored(of, segment["_id"], session)
        after = segments.edit(before, values)
        if after == before:
            return _wrote(before)
        _check_free(after, await _own(of, before["subject"], session))
        replace = ReplaceOne({"_id": before["_id"]}, {**after, "updatedAt": of.now})
        await of.store.write("segments", [replace], session=session)
        return _wrote(before)

    return await of.run_once("updateSegment", None, key, {"segmentId": segment["_id"], **given}, decide)


async def star(of: Changes, segment: Document, *, starred: bool, key: str) -> Wrote:
    """Stars a segment for the viewer, or takes the star away. Raises Invalid, LimitExceeded, NotFound."""
    changes.key(key)

    async def decide(_customer: Document, session: Session) -> Effect:
        before = await _stored(of, segment["_id"], session)
        stars = segments.star(before, of.viewer.subject, starred=starred)
        await of.store.write(
            "segments", [UpdateOne({"_id": before["_id"]}, {"$set": {"starredBy": stars}})], session=session
        )
        return _wrote(before)

    given = {"segmentId": segment["_id"], "starred": starred}
    return await of.run_once("starSegment", None, key, given, decide)


async def delete(of: Changes, segment_id: str, *, key: str) -> Wrote:
    """Deletes a segment for good. Raises Invalid, NotFound; Forbidden.

    It is looked up behind its key: who asks again after it is gone gets the first result.
    """
    changes.key(key)

    async def decide(_customer: Document, session: Session) -> Effect:
        segment = await _stored(of, segment_id, session)
        segments.check_may_change(segment, of.viewer)
        await of.store.write("segments", [DeleteOne({"_id": segment_id})], session=session)
        return _wrote(segment)

    return await of.run_once("deleteSegment", None, key, {"segmentId": segment_id}, decide)


def _wrote(segment: Document) -> Effect:
    """Returns the effect: no customer is concerned, so no timeline tells of it."""
    return Effect({"segment": segment["_id"]}, None)


def _check_free(segment: Mapping[str, Any], own: list[Document]) -> None:
    """Raises NameTaken if another segment of the same subject has the name."""
    if any(each["searchName"] == segment["searchName"] and each["_id"] != segment.get("_id") for each in own):
        raise NameTaken(segment["name"])


async def _own(of: Changes, subject: str, session: Session) -> list[Document]:
    return await of.store.find("segments", {"subject": subject}, fields={"searchName": 1, "slot": 1}, session=session)


async def _stored(of: Changes, segment_id: str, session: Session) -> Document:
    """Returns the segment as it is now. Raises NotFound, also if the viewer does not see it."""
    found = await of.store.find("segments", {"_id": segment_id}, session=session)
    if not found or not segments.is_visible(found[0], of.viewer):
        raise NotFound("There is no such segment.", "segmentId")
    return found[0]
