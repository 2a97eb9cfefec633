"""Changes an account's status."""

from datetime import datetime
from functools import partial

from app.domain import changes, statuses
from app.domain.access import PERMITTED, STAFF, Forbidden, Permission
from app.domain.ids import new_id
from app.domain.vocabulary import CustomerStatus
from app.services.changes import Changes, Effect, Session, Wrote
from app.services.writing import CustomerRows, change_customers
from app.store.driver import Document, Store


async def change(of: Changes, customer_id: str, to: CustomerStatus, *, reason: str, key: str) -> Wrote:
    """Changes the status. Raises SameStatus, CustomerClosed, Forbidden.

    Customers may only deactivate their own account.
    """
    reason = changes.check(
        lambda: changes.text(reason, "reason", at_most=changes.REASON_AT_MOST), lambda: changes.key(key)
    )
    by_staff = of.viewer.roles_on(customer_id) & PERMITTED[Permission.CHANGE_STATUS] & STAFF
    if not by_staff and to != CustomerStatus.DEACTIVATED:
        raise Forbidden("You may deactivate your account, and nothing else about its status.", "status")

    async def decide(customer: Document, _session: Session) -> Effect:
        type_ = statuses.change(CustomerStatus(customer["status"]), to)
        activity = of.activity(customer["_id"], type_, message=reason)
        entry = status_change(of, customer, to, activity["actor"], reason)
        return Effect(
            {"statusChange": entry["_id"], "activity": activity["_id"]},
            activity,
            new={"statuses": [entry]},
            changed={("customers", customer["_id"]): {"status": to.value, "hasStatusDetails": True}},
        )

    given = {"customerId": customer_id, "status": to.value, "reason": reason}
    return await of.run_once("changeCustomerStatus", customer_id, key, given, decide)


def status_change(
    of: Changes, customer: Document, to: CustomerStatus, actor: Document, reason: str | None = None
) -> Document:
    """Makes the row of the history that tells of a change of status."""
    return {
        "_id": new_id("statuses"),
        "customerId": customer["_id"],
        "from": customer["status"],
        "to": to.value,
        **({"reason": reason} if reason is not None else {}),
        "actor": actor,
        "changedAt": of.now,
        "recordedAt": of.now,
    }


async def apply_due(store: Store, now: datetime) -> int:
    """Gives customers the status that a change of the future has brought by now; returns how many it looked at.

    Closed accounts stay closed. Raises StoreError.
    """
    due = await store.find("statuses", {"dueAt": {"$lte": now}}, fields={"customerId": 1}, limit=1_000)
    owners = {each["customerId"] for each in due}
    for customer_id in sorted(owners):
        await change_customers(store, partial(_apply_due, customer_id), now=now)
    return len(owners)


async def _apply_due(customer_id: str, rows: CustomerRows) -> None:
    history = await rows.store.find("statuses", {"customerId": customer_id}, session=rows.session)
    is_open = {"_id": customer_id, "status": {"$nin": sorted(statuses.CLOSED)}}
    status = statuses.status_now(history, rows.now)
    if status and await rows.store.find("customers", is_open, fields={"_id": 1}, session=rows.session):
        rows.set_on_customer(customer_id, {"status": status})
    for change in history:
        if change.get("dueAt") and change["dueAt"] <= rows.now:
            rows.update("statuses", change, {"$unset": {"dueAt": ""}})
