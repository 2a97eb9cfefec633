"""Numbers the entries of the feed, so that whoever follows all customers never passes one by.

A transaction gives its entries the revisions of their customers: in that order they were committed, customer by
customer. Across customers nobody knows an order while many write. So entries are numbered once they are committed, a
batch in one transaction that also counts up the last number: two who number at once conflict, and one of them tries
again. Numbers have no gaps, and become visible in their order; a walk along them finds every entry once.
"""

from typing import Any, Final

from app.store.driver import Document, Store, UpdateOne

AT_ONCE: Final = 1_000
_FEED: Final = "feed"
_UNNUMBERED: Final = {"isUnnumbered": True}
_BY_CUSTOMER: Final = {"isUnnumbered": 1, "customerId": 1, "revision": 1}


async def number_entries(store: Store) -> int:
    """Numbers what is committed and has no number yet, and returns how many entries that were."""
    numbered = 0
    if not await store.find(_FEED, _UNNUMBERED, limit=1, fields={"_id": 1}):
        return 0  # most often: without a transaction
    while count := await store.transaction(lambda session: _number(store, session)):
        numbered += count
    return numbered


async def _number(store: Store, session: Any) -> int:
    entries = await store.find(_FEED, _UNNUMBERED, sort=_BY_CUSTOMER, limit=AT_ONCE, fields={"_id": 1}, session=session)
    if not entries:
        return 0
    last = await _last(store, session)
    count_up = UpdateOne({"_id": _FEED}, {"$set": {"last": last + len(entries)}}, upsert=True)
    await store.write("sequences", [count_up], session=session)
    numbering = [
        UpdateOne({"_id": entry["_id"]}, {"$set": {"sequence": sequence}, "$unset": {"isUnnumbered": ""}})
        for sequence, entry in enumerate(entries, last + 1)
    ]
    await store.write("feed", numbering, ordered=False, session=session)
    return len(entries)


async def last_sequence(store: Store) -> int:
    """Returns the number of the entry that was numbered last; 0 without one."""
    return await _last(store, None)


async def _last(store: Store, session: Any) -> int:
    found: list[Document] = await store.find("sequences", {"_id": _FEED}, session=session)
    return found[0]["last"] if found else 0
