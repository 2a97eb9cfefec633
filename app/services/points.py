"""Writes the ledger: entries, the state they leave, and the activity that tells of them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, cast

from app.domain import changes, points
from app.domain.access import Permission
from app.domain.changes import LimitExceeded
from app.domain.customers import balance
from app.domain.ids import new_id
from app.domain.points import Entry, Movement, PointsKind, PointsState, Posting
from app.services.changes import Changes, Effect, Session, Wrote, activity_of
from app.store.driver import Document, Store

SYSTEM: Final = {"kind": "SYSTEM", "name": "System"}
_LIMIT_PERIOD: Final = timedelta(hours=24)
GIVEN_BACK: Final = "Given back: it was used before it expired, or its own system says that it has not expired."


async def adjust(
    of: Changes, customer_id: str, amount: int, *, reason: str, expires_at: datetime | None, key: str
) -> Wrote:
    """Adjusts points by hand. Raises what ``points.adjust`` raises, and what `check_adjustable` raises."""
    reason = changes.check(
        lambda: changes.text(reason, "reason", at_most=changes.REASON_AT_MOST),
        lambda: points.check_adjustment(amount, expires_at),
        lambda: changes.key(key),
    )

    async def decide(customer: Document, session: Session) -> Effect:
        await check_adjustable(of, customer_id, amount, session)
        effect = adjusted(of, customer, amount, reason=reason, expires_at=expires_at, key=key)
        return replace(effect, adjusted_points=abs(amount))

    given = {"customerId": customer_id, "points": amount, "reason": reason, "expiresAt": expires_at}
    return await of.run_once("adjustPoints", customer_id, key, given, decide)


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
    """Returns the effect of an adjustment; its entry has the keys of ``more``. Raises what ``points.adjust`` raises."""
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
        first=expiry_activities(entries, of.now),
    )


async def check_adjustable(of: Changes, customer_id: str, amount: int, session: Session) -> None:
    """Admits ``amount`` points that a change moves by hand, whatever the change is called.

    The limit is of one subject, one customer and any 24 hours: amounts add up, additions and deductions alike, so that
    many small changes move no more than a large one. Raises Forbidden, LimitExceeded.
    """
    of.viewer.require(Permission.ADJUST_POINTS, customer_id)
    limit = of.viewer.limit_on(Permission.ADJUST_POINTS, customer_id)
    if limit is None:
        return
    own = {"customerId": customer_id, "subject": of.viewer.subject, "at": {"$gt": of.now - _LIMIT_PERIOD}}
    added_up = [
        {"$match": {**own, "points": {"$exists": True}}},
        {"$group": {"_id": None, "points": {"$sum": "$points"}}},
    ]
    recent = await of.store.aggregate("idempotency", added_up, session=session)
    moved = recent[0]["points"] if recent else 0
    if moved + abs(amount) > limit:
        so_far = f" and have adjusted {moved:,} so far" if moved else ""
        raise LimitExceeded(
            f"You may adjust up to {limit:,} points of a customer in 24 hours{so_far}. Ask for more with "
            "requestPointsAdjustment: another person has to approve it.",
            "points",
        )


async def earn_or_spend(
    store: Store, customer: Document, amount: int, *, now: datetime, occurred_at: datetime, session: Session
) -> Posting:
    """Returns the posting that earns points, or spends them if negative. Raises what ``points.spend`` raises.

    What happened before the newest entry is judged among all of them. The last entry of the posting that is not an
    expiry is the one asked for.
    """
    state: PointsState = customer.get("points") or points.empty()
    kind = PointsKind.EARNED if amount > 0 else PointsKind.SPENT
    movement: Movement = {"kind": kind, "points": amount, "occurredAt": occurred_at, "source": points.HERE}
    if occurred_at >= now:
        now = occurred_at
        return points.earn(state, amount, now=now) if amount > 0 else points.spend(state, -amount, now=now)
    entered = points.enter(state, [movement], await ledger_of(store, customer["_id"], session))
    if entered.refused:
        raise entered.refused[0]
    return entered.posting


async def ledger_of(store: Store, customer_id: str, session: Session) -> list[Entry]:
    """Returns all entries of a customer, by ``seq``."""
    own = {"customerId": customer_id, "seq": {"$gte": 1}}
    return cast(list[Entry], await store.find("points", own, sort={"seq": 1}, session=session))


def entries_of(posting: Posting, customer_id: str, now: datetime, own: Mapping[str, Any]) -> list[Document]:
    """Returns the posting's documents: the one that was asked for is the last, and the others expired.

    It has the keys of ``own``. Where there is nothing but expiry, nothing was asked for.
    """
    documents: list[Document] = []
    for entry in sorted(posting.entries, key=lambda entry: entry["kind"] is not PointsKind.EXPIRED):
        expired = entry["kind"] is PointsKind.EXPIRED
        documents.append(
            {
                "_id": new_id("points"),
                "customerId": customer_id,
                **entry,
                "kind": entry["kind"].value,
                "recordedAt": now,
                "actor": SYSTEM,
                **({} if expired else own),
                **({"reason": GIVEN_BACK} if expired and entry["points"] > 0 else {}),
            }
        )
    return documents


def expiry_activities(entries: list[Document], now: datetime) -> list[Document]:
    """Returns an activity for each entry with which points expired."""
    return [expiry_activity(entry, now) for entry in entries if entry["kind"] == PointsKind.EXPIRED]


def expiry_activity(entry: Document, now: datetime) -> Document:
    """Returns what the timeline tells of points that expired, at that moment; or that they were given back."""
    own = {"points": entry["points"], "subjectId": entry["_id"], "message": entry.get("reason")}
    return {
        **activity_of(entry["customerId"], "POINTS_EXPIRED", SYSTEM, now, **own),
        "occurredAt": entry["occurredAt"],
    }
