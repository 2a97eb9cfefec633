"""Reads what the feed says of one customer, as a viewer may know it."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.feed import ENTRIES_AT_MOST, FeedPosition
from app.domain.paging import Selection
from app.store.driver import Document, Store
from app.store.pages import matching


class Feed:
    """A feed reads entries, and what a viewer may know of them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def after(self, customer_id: str, position: FeedPosition) -> list[Document]:
        """Returns the entries behind the position, oldest first: one more than there may be, at most."""
        beyond = {"$gt" if position.told is None else "$gte": position.revision}
        where: Document = {"customerId": customer_id, "revision": beyond}
        sort = {"customerId": 1, "revision": 1}
        return await self._store.find("feed", where, sort=sort, limit=ENTRIES_AT_MOST + 1)

    async def matching_ids(self, selection: Selection, entries: Sequence[Mapping[str, Any]]) -> frozenset[str]:
        """Returns which activities of the entries the selection has. No command for entries without one."""
        ids = [each for entry in entries for key in ("addedIds", "rewrittenIds") for each in entry[key]]
        if not ids:
            return frozenset()
        where = {**matching(selection), "_id": {"$in": ids}}
        found = await self._store.find("activities", where, fields={"_id": 1}, hint="_id_")
        return frozenset(each["_id"] for each in found)


async def expired(store: Store, numbers: Sequence[int]) -> Mapping[int, bool]:
    """Returns by the number of an entry, behind which none was found, whether some were deleted there.

    They are neither deleted nor missing if that entry is the last, or has one behind it by now.
    """
    found = await store.find("sequences", {"_id": "feed"})
    last = found[0]["last"] if found else 0
    if all(number == last for number in numbers):
        return dict.fromkeys(numbers, False)
    newest = await store.find("feed", {"sequence": {"$gt": min(numbers)}}, sort={"sequence": -1}, limit=1)
    last_kept = newest[0]["sequence"] if newest else 0
    return {number: number != last and last_kept <= number for number in numbers}
