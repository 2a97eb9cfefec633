"""Requires due diligence of customers, and sets its scores by hand."""

from collections.abc import Sequence

from app.domain import changes, due_diligence
from app.services.changes import Changes, Effect, Session, Wrote
from app.store.driver import Document


async def require(of: Changes, customer_id: str, *, required: bool, reason: str, key: str) -> Wrote:
    """Says whether due diligence is required. Raises Invalid, CustomerClosed, CustomerMerged."""
    reason = changes.check(lambda: _reason(reason), lambda: changes.key(key))

    async def decide(customer: Document, _session: Session) -> Effect:
        stored = customer.get("dueDiligence")
        if due_diligence.is_required(stored) is required:
            return Effect({}, None)
        type_ = "DUE_DILIGENCE_REQUIRED" if required else "DUE_DILIGENCE_LIFTED"
        return _effect(of, customer_id, due_diligence.require(stored, required=required), type_, reason)

    given = {"customerId": customer_id, "required": required, "reason": reason}
    return await of.run_once("requireDueDiligence", customer_id, key, given, decide)


async def set_scores(
    of: Changes, customer_id: str, scores: Sequence[tuple[str, str | None]], *, reason: str, key: str
) -> Wrote:
    """Sets manual scores by factor; None clears one. Raises Invalid, CustomerClosed, CustomerMerged."""
    reason = changes.check(
        lambda: _reason(reason), lambda: due_diligence.check_scores(scores), lambda: changes.key(key)
    )

    async def decide(customer: Document, _session: Session) -> Effect:
        by = changes.actor_of(of.viewer, customer_id)
        after, factors = due_diligence.with_scores(customer.get("dueDiligence"), dict(scores), by, of.now)
        if not factors:
            return Effect({}, None)
        return _effect(of, customer_id, after, "DUE_DILIGENCE_SCORED", reason, attributes={"factors": [*factors]})

    given = {"customerId": customer_id, "scores": dict(scores), "reason": reason}
    return await of.run_once("setDueDiligenceScores", customer_id, key, given, decide)


def _reason(reason: str) -> str:
    return changes.text(reason, "reason", at_most=changes.REASON_AT_MOST)


def _effect(
    of: Changes, customer_id: str, after: Document, type_: str, reason: str, *, attributes: Document | None = None
) -> Effect:
    activity = of.activity(customer_id, type_, message=reason, attributes=attributes)
    return Effect(
        {"activity": activity["_id"]}, activity, changed={("customers", customer_id): {"dueDiligence": after}}
    )
