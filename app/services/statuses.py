"""An account's status, changed."""

from datetime import datetime

from app.domain import changes, statuses
from app.domain.access import PERMITTED, STAFF, Forbidden, Permission
from app.domain.ids import new_id
from app.domain.vocabulary import CustomerStatus
from app.services.changes import Changes, Effect, Session, Wrote
from app.store import heads
from app.store.driver import Document, Store, UpdateMany, UpdateOne


async def change(of: Changes, customer_id: str, to: CustomerStatus, *, reason: str, key: str) -> Wrote:
    """Raises SameStatus, CustomerClosed; Forbidden where a customer asks for more than to deactivate their own."""
    reason = changes.text(reason, "reason", at_most=changes.REASON_AT_MOST)
    by_staff = of.viewer.roles_on(customer_id) & PERMITTED[Permission.CHANGE_STATUS] & STAFF
    if not by_staff and to != CustomerStatus.DEACTIVATED:
        raise Forbidden("You may deactivate your account, and nothing else about its status.", "status")

    async def decide(customer: Document, _session: Session) -> Effect:
        from_ = CustomerStatus(customer["status"])
        activity = of.activity(customer["_id"], statuses.change(from_, to), message=reason)
        entry: Document = {
            "_id": new_id("statuses"),
            "customerId": customer["_id"],
            "from": from_.value,
            "to": to.value,
            "reason": reason,
            "actor": activity["actor"],
            "changedAt": of.now,
            "recordedAt": of.now,
        }
        return Effect(
            {"statusChange": entry["_id"], "activity": activity["_id"]},
            activity,
            new={"statuses": [entry]},
            changed={("customers", customer["_id"]): {"status": to.value, "hasStatusDetails": True}},
        )

    given = {"customerId": customer_id, "status": to.value, "reason": reason}
    return await of.make("changeCustomerStatus", customer_id, key, given, decide)


async def apply_due(store: Store, now: datetime) -> int:
    """Gives customers the status that a change of the future has brought by now; how many customers were looked at.

    Closed accounts stay closed. Raises StoreError.
    """
    due = await store.find("statuses", {"dueAt": {"$lte": now}}, fields={"customerId": 1}, limit=1_000)
    owners = sorted({each["customerId"] for each in due})
    for customer_id in owners:
        await store.transaction(lambda session, owner=customer_id: _apply_due(store, owner, now, session))
    await heads.keep(store, owners)
    return len(owners)


async def _apply_due(store: Store, customer_id: str, now: datetime, session: Session) -> None:
    own = {"customerId": customer_id}
    history = await store.find("statuses", own, session=session)
    status = statuses.status_now(history, now)
    update: Document = {"$inc": {"revision": 1}, **({"$set": {"status": status}} if status else {})}
    is_open = {"_id": customer_id, "status": {"$nin": sorted(statuses.CLOSED)}}
    await store.write("customers", [UpdateOne(is_open, update)], session=session)
    over = UpdateMany({**own, "dueAt": {"$lte": now}}, {"$unset": {"dueAt": ""}})
    await store.write("statuses", [over], session=session)
