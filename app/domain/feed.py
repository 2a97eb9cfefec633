"""Makes entries of the feed, and positions in it. Pure.

An entry says what one transaction wrote of one customer, without any of the values.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag

from app.domain.cursors import CIPHER
from app.domain.refusals import BadCursor
from app.domain.vocabulary import CustomerChangeKind, CustomerStatus

IDS_AT_MOST: Final = 200
"""Activities that an entry lists. What wrote more is told as a whole: readers read the customer again."""
ENTRIES_AT_MOST: Final = 500
"""A reader of one customer who is further behind reads the customer again."""
DAYS_KEPT: Final = 3
_SURELY_KEPT: Final = timedelta(days=DAYS_KEPT, hours=-1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_CURSOR_AT_MOST: Final = 200

_KINDS: Final = {
    CustomerStatus.MERGED.value: CustomerChangeKind.MERGED,
    CustomerStatus.ANONYMISED.value: CustomerChangeKind.ERASED,
}


def feed_entry(
    customer_id: str,
    revision: int,
    at: datetime,
    *,
    collections: Iterable[str],
    added: Sequence[Mapping[str, Any]],
    rewritten_ids: Sequence[str],
    status: str | None,
    is_partial: bool,
) -> dict[str, Any]:
    """Returns the entry.

    ``added`` are the activities that are new, ``rewritten_ids`` those of activities that were there before, ``status``
    is the customer's if that was written. ``is_partial``: more was changed than an entry lists.
    """
    entry: dict[str, Any] = {
        "_id": f"{customer_id}/{revision}",
        "customerId": customer_id,
        "revision": revision,
        "at": at,
        "kind": _KINDS.get(status or "", CustomerChangeKind.CHANGED).value,
        "collections": sorted(collections),
        "types": sorted({activity["type"] for activity in added})[:IDS_AT_MOST],
        "addedIds": [activity["_id"] for activity in added][:IDS_AT_MOST],
        "rewrittenIds": [*rewritten_ids][:IDS_AT_MOST],
        "isUnnumbered": True,
    }
    if is_partial or max(len(added), len(rewritten_ids)) > IDS_AT_MOST:
        entry["isPartial"] = True
    return entry


class FeedExpired(BadCursor):
    """Raised for a cursor behind which entries were deleted; the client sees FEED_EXPIRED."""

    code = "FEED_EXPIRED"

    def __init__(self) -> None:
        super().__init__(
            "Changes after this cursor are not kept any more: they are kept for 72 hours. Read all customers again, "
            "and follow from a new cursor.",
            "after",
        )


class FeedPosition(NamedTuple):
    """A position says how far a reader of one customer's entries has been told, and when that was so.

    ``told`` counts what was told of the entry at ``revision``; None means all of it.
    """

    revision: int
    told: int | None
    at: datetime

    def may_lack(self, now: datetime) -> bool:
        """Returns whether entries behind it may have been deleted."""
        return now - self.at > _SURELY_KEPT


def cursor_of(position: FeedPosition, customer_id: str) -> str:
    """Returns the position as a cursor, good for this customer only."""
    at = (position.at - _EPOCH) // _MILLISECOND
    plain = json.dumps([position.revision, position.told, at], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(CIPHER.encrypt(plain, _of(customer_id))).rstrip(b"=").decode()


def position_of(cursor: str, customer_id: str) -> FeedPosition:
    """Returns the position that is in a cursor. Raises BadCursor for what `cursor_of` never made of this customer."""
    try:
        if len(cursor) > _CURSOR_AT_MOST:
            raise ValueError
        encrypted = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        revision, told, at = json.loads(CIPHER.decrypt(encrypted, _of(customer_id)))
    except (ValueError, binascii.Error, InvalidTag):
        raise BadCursor("This is not a cursor of this customer's events: pass one that an event gave.") from None
    return FeedPosition(revision, told, _EPOCH + at * _MILLISECOND)


def _of(customer_id: str) -> list[bytes]:
    return [b"feed", customer_id.encode()]
