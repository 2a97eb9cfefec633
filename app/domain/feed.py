"""Makes entries of the feed: what one transaction wrote of one customer, without any of the values. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from app.domain.vocabulary import CustomerChangeKind, CustomerStatus

IDS_AT_MOST: Final = 200
"""Activities that an entry lists. What wrote more is told as a whole: readers read the customer again."""
DAYS_KEPT: Final = 3

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
