"""Requests adjustments of points beyond what one person may do; another person approves or declines them."""

from dataclasses import replace
from datetime import datetime

from app.domain import adjustments, changes, points
from app.domain.access import Forbidden, Permission
from app.domain.changes import NotFound
from app.domain.ids import new_id
from app.domain.vocabulary import AdjustmentStatus
from app.services.changes import Changes, Effect, Session, Wrote
from app.services.points import adjusted
from app.store.driver import Document


async def request(
    of: Changes, customer_id: str, amount: int, *, reason: str, expires_at: datetime | None, key: str
) -> Wrote:
    """Writes a request for an adjustment. Whether the points can be moved is judged now, and again on approval.

    Raises what ``points.adjust`` raises.
    """
    reason = changes.check(
        lambda: changes.text(reason, "reason", at_most=changes.REASON_AT_MOST),
        lambda: points.check_adjustment(amount, expires_at),
        lambda: changes.key(key),
    )

    async def decide(customer: Document, _session: Session) -> Effect:
        points.adjust(customer.get("points") or points.empty(), amount, now=of.now, expires_at=expires_at)
        activity = of.activity(customer["_id"], "POINTS_ADJUSTMENT_REQUESTED", message=reason)
        adjustment: Document = {
            "_id": new_id("adjustments"),
            "customerId": customer["_id"],
            "points": amount,
            "reason": reason,
            "status": AdjustmentStatus.PENDING.value,
            "requestedAt": of.now,
            "requestedBy": activity["actor"],
        }
        if expires_at:
            adjustment["expiresAt"] = expires_at
        activity["subjectId"] = adjustment["_id"]
        wrote: dict[str, str | list[str]] = {"adjustment": adjustment["_id"], "activity": activity["_id"]}
        return Effect(wrote, activity, new={"adjustments": [adjustment]})

    given = {"customerId": customer_id, "points": amount, "reason": reason, "expiresAt": expires_at}
    return await of.run_once("requestPointsAdjustment", customer_id, key, given, decide)


async def approve(of: Changes, adjustment: Document, *, key: str) -> Wrote:
    """Moves the points as they were asked for. Raises AlreadyDecided, SamePerson, what ``points.adjust`` raises."""

    async def decide(customer: Document, session: Session) -> Effect:
        stored = await _stored(of, adjustment, session)
        adjustments.check_approvable(stored, of.viewer)
        effect = adjusted(
            of,
            customer,
            stored["points"],
            reason=stored["reason"],
            expires_at=stored.get("expiresAt"),
            key=key,
            more={"adjustmentId": stored["_id"]},
        )
        assert effect.activity  # points were moved
        decision = _decision(AdjustmentStatus.APPROVED, effect.activity) | {"entryId": effect.wrote["entry"]}
        changed = {**effect.changed, ("adjustments", stored["_id"]): decision}
        return replace(effect, wrote={**effect.wrote, "adjustment": stored["_id"]}, changed=changed)

    given = {"adjustmentId": adjustment["_id"]}
    return await of.run_once("approvePointsAdjustment", adjustment["customerId"], key, given, decide)


async def decline(of: Changes, adjustment: Document, *, reason: str, key: str) -> Wrote:
    """Declines or withdraws a request. Raises AlreadyDecided, Forbidden.

    Those may who may approve it, and the one who asked for it.
    """
    reason = changes.check(
        lambda: changes.text(reason, "reason", at_most=changes.REASON_AT_MOST), lambda: changes.key(key)
    )
    if not adjustments.may_decline(adjustment, of.viewer):
        raise Forbidden(f"Your role does not include {Permission.APPROVE_ADJUSTMENT}.")

    async def decide(customer: Document, session: Session) -> Effect:
        stored = await _stored(of, adjustment, session)
        adjustments.check_open(stored)
        activity = of.activity(customer["_id"], "POINTS_ADJUSTMENT_DECLINED", message=reason, subjectId=stored["_id"])
        decision = _decision(AdjustmentStatus.DECLINED, activity) | {"decisionReason": reason}
        return Effect(
            {"adjustment": stored["_id"], "activity": activity["_id"]},
            activity,
            changed={("adjustments", stored["_id"]): decision},
        )

    given = {"adjustmentId": adjustment["_id"], "reason": reason}
    return await of.run_once("declinePointsAdjustment", adjustment["customerId"], key, given, decide)


async def _stored(of: Changes, adjustment: Document, session: Session) -> Document:
    """Returns the adjustment as it is inside the transaction. Raises NotFound."""
    found = await of.store.find("adjustments", {"_id": adjustment["_id"]}, session=session)
    if not found:
        raise NotFound("There is no such adjustment.", "adjustmentId")
    return found[0]


def _decision(status: AdjustmentStatus, activity: Document) -> Document:
    return {"status": status.value, "decidedAt": activity["occurredAt"], "decidedBy": activity["actor"]}
