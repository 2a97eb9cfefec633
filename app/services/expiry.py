"""Expires points that are past their day: once per due bucket, however many workers run."""

from datetime import datetime
from typing import Final

from app.domain import points
from app.domain.changes import NotFound
from app.domain.customers import balance
from app.jobs import Backoff, log_failure
from app.services.points import entries_of, expiry_activities
from app.services.writing import CustomerRows, change_customers
from app.store.driver import Document, Store, Unavailable

_AT_ONCE: Final = 500


class _NothingToDo(Exception):
    """Raised inside a transaction, so that nothing of it is kept."""


async def expire_due(store: Store, now: datetime, *, backoff: Backoff | None = None) -> int:
    """Expires what is due, and returns how many customers lost points by ``now``.

    What is reserved stays until its reservation ends; accounts that are closed are no exception, as lists would go on
    counting their points. Each customer by themselves: one who cannot be written is logged
    and left alone for a while, if ``backoff`` is there to remember them. Raises Unavailable.
    """
    expired, last = 0, ""
    due: Document = {"pointsExpireAt": {"$lte": now}}
    while True:
        customers = await store.find(
            "customers", {**due, "_id": {"$gt": last}}, sort={"_id": 1}, limit=_AT_ONCE, fields={"points": 1}
        )
        for customer in customers:
            expired += await _expire_alone(store, customer, now, backoff)
        if len(customers) < _AT_ONCE:
            return expired
        last = customers[-1]["_id"]


async def _expire_alone(store: Store, customer: Document, now: datetime, backoff: Backoff | None) -> bool:
    customer_id = customer["_id"]
    if backoff and not backoff.is_due(customer_id):
        return False
    try:
        # Whose due points are all reserved has nothing to lose today, and is not touched.
        expired = bool(points.expire_due(customer["points"], now=now).entries) and await _expire(
            store, customer_id, now
        )
    except Unavailable:
        raise
    except Exception as fault:
        again = {"again_in_seconds": backoff.failed(customer_id)} if backoff else {}
        log_failure("expiry", fault, customer=customer_id, **again)
        return False
    if backoff:
        backoff.succeeded(customer_id)
    return expired


async def _expire(store: Store, customer_id: str, now: datetime) -> bool:
    async def body(rows: CustomerRows) -> None:
        # Locked first, so that another worker, or an agent, waits or finds the bucket gone.
        customer = await rows.lock(customer_id)
        posting = points.expire_due(customer["points"], now=now)
        if not posting.entries:
            raise _NothingToDo
        entries = entries_of(posting, customer_id, now, {})
        rows.insert("points", entries)
        rows.insert("activities", expiry_activities(entries, now))
        rows.set_on_customer(customer_id, balance(posting.state))

    try:
        await change_customers(store, body, now=now)
    except (_NothingToDo, NotFound):  # meanwhile, by somebody else
        return False
    return True
