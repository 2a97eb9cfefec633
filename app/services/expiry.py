"""Points past their day, expired: once per due bucket, however many workers run."""

from datetime import datetime
from typing import Final

from app.domain import points
from app.domain.customers import balance, noticed
from app.domain.statuses import CLOSED, CustomerClosed
from app.services.changes import Session, activity_of, take
from app.services.points import SYSTEM, entries_of
from app.store import heads
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
        # Taken first, so that another worker, or an agent, waits or finds the bucket gone.
        try:
            customer = await take(store, customer_id, session)
        except CustomerClosed:
            return False
        posting = points.expire_due(customer["points"], now=now)
        if not posting.entries:
            return False
        entries = entries_of(posting, customer_id, now, {})
        lost, last = sum(entry["points"] for entry in entries), entries[-1]["_id"]
        activity = activity_of(customer_id, "POINTS_EXPIRED", SYSTEM, now, points=lost, subjectId=last)
        await store.insert("points", entries, session=session)
        await store.insert("activities", [activity], session=session)
        update = {"$set": balance(posting.state), **noticed([activity])}
        await store.write("customers", [UpdateOne({"_id": customer_id}, update)], session=session)
        return True

    lost_any = await store.transaction(body)
    if lost_any:
        await heads.keep(store, [customer_id])
    return lost_any
