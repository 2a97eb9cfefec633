"""Adds values to the blocklist, and removes them."""

from datetime import datetime
from itertools import count
from typing import Any, Final

from app.domain import blocklist, changes
from app.domain.blocklist import AlreadyBlocked
from app.domain.changes import NotFound
from app.domain.ids import new_id
from app.domain.moments import ORDER, order_of
from app.domain.vocabulary import BlocklistSource, BlocklistType
from app.services.changes import Changes, Effect, Session, Wrote
from app.services.writing import CustomerRows
from app.store.driver import Document, DuplicateKey, TryAgain, UpdateOne

_ENTRIES: Final = count()
"""Those of this process so far: several of one request are of one moment."""


async def add(
    of: Changes,
    type_: BlocklistType,
    value: str,
    *,
    customer_id: str | None,
    expires_at: datetime | None,
    source: BlocklistSource,
    reason: str,
    key: str,
) -> Wrote:
    """Adds a value. Of one that is listed and has expired, a new entry takes the place.

    Raises Invalid, AlreadyBlocked, CustomerClosed, Forbidden.
    """
    given: dict[str, Any] = {
        "type": type_.value,
        "value": changes.check(
            lambda: blocklist.read(type_, value, "value"),
            lambda: _reason(reason),
            lambda: blocklist.check_customer(type_, value, customer_id),
            lambda: blocklist.check_source(source, of.viewer),
            lambda: changes.key(key),
        ),
        "source": source.value,
        "reason": _reason(reason),
        **({"customerId": customer_id} if customer_id else {}),
        **({"expiresAt": expires_at} if expires_at else {}),
    }

    async def decide(_customer: Document, session: Session) -> Effect:
        blocklist.check_expiry(expires_at, of.now)  # not before: who sends it again may do so later than that
        listed = {"listed": True, "type": given["type"], "value": given["value"]}
        for entry in await of.store.find("blocklist", listed, session=session):
            if not blocklist.has_expired(entry, of.now):
                raise AlreadyBlocked(entry["_id"])
            await _remove(of, entry, "It had expired, and the value was added again.", session)
        entry: Document = {
            "_id": new_id("blocklist"),
            **given,
            "listed": True,
            "createdAt": of.now,
            "createdBy": changes.actor_of(of.viewer, customer_id or ""),
            ORDER: order_of(of.now, next(_ENTRIES)),
        }
        try:
            await of.store.insert("blocklist", [entry], session=session)
        except DuplicateKey as raced:
            raise TryAgain from raced  # the same value, a moment earlier: the next run finds it
        return _effect(of, "BILLING_CUSTOMER_BLOCKLISTED", entry, given["reason"])

    return await of.run_once("addToBlocklist", customer_id, key, given, decide)


async def remove(of: Changes, entry: Document, *, reason: str, key: str) -> Wrote:
    """Removes an entry, also of an account that is closed. It stays stored, and is listed no more. Raises NotFound."""
    reason = changes.check(lambda: _reason(reason), lambda: changes.key(key))

    async def decide(_customer: Document, session: Session) -> Effect:
        if not await of.store.find("blocklist", {"_id": entry["_id"], "listed": True}, session=session):
            raise NotFound("The entry has been removed already.", "entryId")
        await _remove(of, entry, reason, session)
        return _effect(of, "BLOCKLIST_ENTRY_REMOVED", entry, reason)

    given = {"entryId": entry["_id"], "reason": reason}
    lock = CustomerRows.lock
    return await of.run_once("removeFromBlocklist", entry.get("customerId"), key, given, decide, lock=lock)


def _reason(reason: str) -> str:
    return changes.text(reason, "reason", at_most=changes.REASON_AT_MOST)


async def _remove(of: Changes, entry: Document, reason: str, session: Session) -> None:
    by = changes.actor_of(of.viewer, entry.get("customerId", ""))
    removal = {"removedAt": of.now, "removedBy": by, "removalReason": reason}
    update = UpdateOne({"_id": entry["_id"]}, {"$set": removal, "$unset": {"listed": ""}})
    await of.store.write("blocklist", [update], session=session)


def _effect(of: Changes, type_: str, entry: Document, reason: str) -> Effect:
    """Returns the activity of the customer whom the entry is about, if it is about one."""
    if "customerId" not in entry:
        return Effect({"entry": entry["_id"]}, None)
    attributes = {"blocklistType": entry["type"]}
    activity = of.activity(entry["customerId"], type_, message=reason, attributes=attributes, subjectId=entry["_id"])
    return Effect({"entry": entry["_id"], "activity": activity["_id"]}, activity)
