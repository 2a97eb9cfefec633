"""Points past their day, expired: once per due bucket, however many workers run."""

from datetime import datetime
from typing import Final

from app.catalogue import copied
from app.domain import points
from app.domain.ids import new_id
from app.domain.statuses import CLOSED
from app.services.changes import Session
from app.services.points import SYSTEM, entries_of
from app.store.driver import Document, Store, UpdateOne

_AT_ONCE: Final = 500


async def expire_due(store: Store, now: datetime) -> int:
    """How many customers lost points by ``now``. What is reserved stays until its reservation ends."""
    expired, last = 0, ""
    due: Document = {"points.buckets.expiresAt": {"$lte": now}, "status": {"$nin": [each.value for each in CLOSED]}}
    while True:
        customers = await store.find(
            "customers", {**due, "_id": {"$gt": last}}, sort={"_id": 1}, limit=_AT_ONCE, fields={"_id": 1}
        )
        for customer in customers:
            expired += await _expire(store, customer["_id"], now)
        if len(customers) < _AT_ONCE:
            return expired
        last = customers[-1]["_id"]


async def _expire(store: Store, customer_id: str, now: datetime) -> bool:
    async def body(session: Session) -> bool:
        # Counted up first, so that another worker, or an agent, waits or finds the bucket gone.
        await store.write("customers", [UpdateOne({"_id": customer_id}, {"$inc": {"revision": 1}})], session=session)
        (customer,) = await store.find("customers", {"_id": customer_id}, session=session)
        posting = points.expire_due(customer["points"], now=now)
        if not posting.entries or customer["status"] in CLOSED:
            return False
        entries = entries_of(posting, customer_id, now, {})
        activity = {
            "_id": new_id("activities"),
            "customerId": customer_id,
            "type": "POINTS_EXPIRED",
            "source": "platform",
            "occurredAt": now,
            "recordedAt": now,
            "actor": SYSTEM,
            "points": sum(entry["points"] for entry in entries),
            "subjectId": entries[-1]["_id"],
            **copied("POINTS_EXPIRED"),
        }
        await store.insert("points", entries, session=session)
        await store.insert("activities", [activity], session=session)
        state = {"$set": {"points": posting.state}}
        await store.write("customers", [UpdateOne({"_id": customer_id}, state)], session=session)
        return True

    return await store.transaction(body)
