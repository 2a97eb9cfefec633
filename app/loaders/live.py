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

    async def last(self) -> int:
        """Returns the number of the entry that was numbered last; 0 without one."""
        found = await self._store.find("sequences", {"_id": "feed"})
        return found[0]["last"] if found else 0

    async def lacks_after(self, number: int) -> bool:
        """Returns whether entries were deleted behind the one of this number, where none was found.

        They are neither deleted nor missing if it is the last, or has one behind it by now.
        """
        if await self.last() == number:
            return False
        return not await self._store.find("feed", {"sequence": {"$gt": number}}, limit=1, fields={"_id": 1})
