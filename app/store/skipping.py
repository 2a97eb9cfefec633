"""Skips numbers that a restored database has given before: nobody outside is to take a new change for a lost one."""

from typing import Any, Final

from app.store.driver import Document, Store, UpdateMany, UpdateOne

_SKIPPED: Final = 1_000_000
"""More changes than can be lost with what was written since a backup: of one customer, and of all customers."""
_AT_ONCE: Final = 1_000
_ID: Final = {"_id": 1}


async def skip_numbers(store: Store) -> int:
    """Counts up the last number of the feed, and the revision of every customer; returns how many customers.

    Their previews come along, so that they stay believed. It may be interrupted and done again: more is skipped then.
    """
    await store.write("sequences", [UpdateOne({"_id": "feed"}, {"$inc": {"last": _SKIPPED}}, upsert=True)])
    customers, last = 0, ""
    while page := await store.find("customers", {"_id": {"$gt": last}}, sort={"_id": 1}, limit=_AT_ONCE, fields=_ID):
        where = {"_id": {"$in": [each["_id"] for each in page]}}

        async def body(session: Any, where: Document = where) -> None:
            for collection in ("customers", "heads"):
                count_up = UpdateMany(where, {"$inc": {"revision": _SKIPPED}})
                await store.write(collection, [count_up], session=session)

        await store.transaction(body)
        customers, last = customers + len(page), page[-1]["_id"]
    return customers
