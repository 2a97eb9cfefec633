"""Counts for a while, then begins anew; all processes share the counts. Collection ``counters``."""

from datetime import UTC, datetime
from typing import Any

from app.store.driver import DeleteOne, Store


async def add(store: Store, key: str, amount: int, *, seconds: int) -> int:
    """Adds to a count and returns it; it ends ``seconds`` after it began. One command, by the database's clock.

    A primary that fails may take the count of its last moments with it.
    """
    over = {"$lte": [{"$ifNull": ["$expiresAt", "$$NOW"]}, "$$NOW"]}
    ends = {"$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": seconds}}
    changed: list[dict[str, Any]] = [
        {
            "$set": {
                "count": {"$cond": [over, amount, {"$add": ["$count", amount]}]},
                "expiresAt": {"$cond": [over, ends, "$expiresAt"]},
            }
        }
    ]
    counter = await store.find_one_and_update("counters", {"_id": key}, changed, upsert=True, may_be_lost=True)
    assert counter
    return counter["count"]


async def read(store: Store, key: str) -> tuple[int, float]:
    """Returns the count, and when it ends as a Unix time; (0, now) without one."""
    now = datetime.now(UTC)
    found = await store.find("counters", {"_id": key, "expiresAt": {"$gt": now}})
    return (found[0]["count"], found[0]["expiresAt"].timestamp()) if found else (0, now.timestamp())


async def forget(store: Store, key: str) -> None:
    await store.write("counters", [DeleteOne({"_id": key})])
