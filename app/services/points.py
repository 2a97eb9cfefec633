"""The ledger, written: entries, the state they leave, and the activity that tells of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from app.domain import changes, points
from app.domain.access import Permission, Viewer
from app.domain.changes import LimitExceeded
from app.domain.customers import balance
from app.domain.ids import new_id
from app.domain.points import Posting
from app.services.changes import Changes, Effect, Session, Wrote
from app.store.driver import Document

SYSTEM: Final = {"kind": "SYSTEM", "name": "System"}


async def adjust(
    of: Changes, customer_id: str, amount: int, *, reason: str, expires_at: datetime | None, key: str
) -> Wrote:
    """Raises what ``points.adjust`` raises, and LimitExceeded beyond what the viewer may adjust in one entry."""
    reason = changes.text(reason, "reason", at_most=changes.REASON_AT_MOST)
    check_adjustable(of.viewer, customer_id, amount)

    async def decide(customer: Document, _session: Session) -> Effect:
        return adjusted(of, customer, amount, reason=reason, expires_at=expires_at, key=key)

    given = {"customerId": customer_id, "points": amount, "reason": reason, "expiresAt": expires_at}
    return await of.make("adjustPoints", customer_id, key, given, decide)


def adjusted(
    of: Changes,
    customer: Document,
    amount: int,
    *,
    reason: str,
    expires_at: datetime | None,
    key: str,
    more: Mapping[str, Any] | None = None,
) -> Effect:
    """The effect of an adjustment; its entry has the keys of ``more``. Raises what ``points.adjust`` raises."""
    posting = points.adjust(customer.get("points") or points.empty(), amount, now=of.now, expires_at=expires_at)
    activity = of.activity(customer["_id"], "POINTS_ADJUSTED", points=amount, message=reason)
    own = {"reason": reason, "idempotencyKey": key, "actor": activity["actor"], **(more or {})}
    entries = entries_of(posting, customer["_id"], of.now, own)
    activity["subjectId"] = entries[-1]["_id"]
    return Effect(
        {"entry": entries[-1]["_id"], "activity": activity["_id"]},
        activity,
        new={"points": entries},
        changed={("customers", customer["_id"]): balance(posting.state)},
    )


def check_adjustable(viewer: Viewer, customer_id: str, amount: int) -> None:
    """Whatever the change is called that moves so many points by hand. Raises Forbidden, LimitExceeded."""
    viewer.require(Permission.ADJUST_POINTS, customer_id)
    limit = viewer.limit_on(Permission.ADJUST_POINTS, customer_id)
    if limit is not None and abs(amount) > limit:
        raise LimitExceeded(
            f"You may adjust up to {limit:,} points in one change. Ask for more with requestPointsAdjustment: "
            "another person has to approve it.",
            "points",
        )


def entries_of(posting: Posting, customer_id: str, at: datetime, own: Mapping[str, Any]) -> list[Document]:
    """The posting's documents. The last is what was asked for and has the keys of ``own``; others expired before it."""
    documents: list[Document] = []
    for entry in posting.entries:
        last = entry is posting.entries[-1]
        documents.append(
            {
                "_id": new_id("points"),
                "customerId": customer_id,
                **entry,
                "kind": entry["kind"].value,
                "occurredAt": at,
                "recordedAt": at,
                "actor": SYSTEM,
                "source": "platform",
                **(own if last else {}),
            }
        )
    return documents
