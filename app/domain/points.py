"""The points ledger: what may be earned, spent, reserved and undone, and what each of these leaves behind.

Pure: no clock, no I/O, and no idea of who or why. ``now`` is when a thing happened. For an imported row that may be
before the newest entry: expiry is judged as of then, on the balance as it is by now.

A rule decides which entries to make; what an entry does to the balance, ``after`` alone knows. Hence a replay is a
fold of ``after``, and an audit needs no second set of rules.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import reduce
from typing import Literal, NamedTuple, NotRequired, TypedDict

from app.domain.refusals import Refusal

INT32_MAX = 2**31 - 1
"""GraphQL's Int ends here, and so do the points of one entry."""
MAX_TOTAL = 2**53 - 1
"""Every total ends here: the greatest whole number that JSON readers in JavaScript hold exactly."""

# ---------------------------------------------------------------- what is stored


class PointsKind(StrEnum):
    EARNED = "EARNED"
    SPENT = "SPENT"
    ADJUSTED = "ADJUSTED"
    EXPIRED = "EXPIRED"
    REFUNDED = "REFUNDED"
    RESERVED = "RESERVED"
    RELEASED = "RELEASED"
    PENDING = "PENDING"


HISTORY = frozenset(PointsKind) - {PointsKind.RESERVED, PointsKind.RELEASED, PointsKind.PENDING}
"""The kinds that change earned, spent or expired for good: the ones people are shown."""

Figure = Literal["earned", "spent", "expired", "reserved", "pending"]

MOVES: dict[PointsKind, tuple[Figure, Figure]] = {
    # kind:               with points > 0, with points < 0
    PointsKind.EARNED: ("earned", "earned"),
    PointsKind.SPENT: ("spent", "spent"),
    PointsKind.ADJUSTED: ("earned", "spent"),
    PointsKind.EXPIRED: ("expired", "expired"),
    PointsKind.REFUNDED: ("spent", "earned"),
    PointsKind.RESERVED: ("reserved", "reserved"),
    PointsKind.RELEASED: ("reserved", "reserved"),
    PointsKind.PENDING: ("pending", "pending"),
}
"""Which figure an entry moves."""


class Bucket(TypedDict):
    """Points that expire together: one bucket per expiry day, one for those that never do."""

    expiresAt: datetime | None
    remaining: int


class PointsState(TypedDict):
    """A customer's balance. Buckets soonest first, never empty; together they hold the spendable and the reserved."""

    earned: int
    spent: int
    expired: int
    reserved: int
    pending: int
    seq: int
    buckets: list[Bucket]


class Allocation(TypedDict):
    """How much of one bucket an entry took or, where it undoes a spend, gave back; always positive."""

    expiresAt: datetime | None
    points: int


class Entry(TypedDict):
    """The part of a ledger document that is decided here; whoever stores it adds the customer, who, why and when."""

    seq: int
    kind: PointsKind
    points: int
    balanceAfter: int
    expiresAt: NotRequired[datetime]  # when the points that it gave expire; none: never
    allocations: NotRequired[list[Allocation]]
    shortfall: NotRequired[int]  # what a claw-back should have taken but was no longer there
    refundOf: NotRequired[int]  # the seq of the entry that it undoes


class Audit(TypedDict):
    ok: bool
    entries: int
    drift: int  # stored minus recomputed earned - spent - expired


class Posting(NamedTuple):
    """A decision: the entries to add, in order, and the state once they are."""

    state: PointsState
    entries: tuple[Entry, ...] = ()

    def then(
        self,
        kind: PointsKind,
        points: int,
        *,
        expires_at: datetime | None = None,
        allocations: list[Allocation] | None = None,
        shortfall: int = 0,
        undoes: Entry | None = None,
    ) -> "Posting":
        """This, and one entry more. Raises LimitExceeded."""
        entry: Entry = {
            "seq": self.state["seq"] + 1,
            "kind": kind,
            "points": points,
            "balanceAfter": _balance(self.state) + (points if kind in HISTORY else 0),
        }
        if expires_at:
            entry["expiresAt"] = expires_at
        if allocations is not None:
            entry["allocations"] = allocations
        if shortfall:
            entry["shortfall"] = shortfall
        if undoes:
            entry["refundOf"] = undoes["seq"]

        state = after(self.state, entry)
        # What is spent, expired or reserved was earned: no other figure can be the first to cross.
        for name, value, limit in (
            ("earned", state["earned"], MAX_TOTAL),
            ("pending", state["pending"], MAX_TOTAL),
            ("shortfall", shortfall, INT32_MAX),
        ):
            if value > limit:
                raise LimitExceeded(name, value, limit)
        return Posting(state, (*self.entries, entry))

    def then_expired(self, now: datetime) -> "Posting":
        """This, and what is due by ``now`` expired: an entry per bucket, soonest first.

        A reservation is tied to no bucket, so only as much expires as is spendable: reserved points stay.
        """
        posting = self
        for bucket in self.state["buckets"]:
            rest = min(bucket["remaining"], spendable(posting.state))
            if rest and bucket["expiresAt"] and bucket["expiresAt"] <= now:
                taken: list[Allocation] = [{"expiresAt": bucket["expiresAt"], "points": rest}]
                posting = posting.then(PointsKind.EXPIRED, -rest, allocations=taken)
        return posting


# ---------------------------------------------------------------- refusals


class NotEnoughPoints(Refusal):
    code, field = "NOT_ENOUGH_POINTS", ("points",)

    def __init__(self, *, spendable: int, asked: int) -> None:
        super().__init__(f"{asked} points were asked for; {spendable} are spendable.")


class LimitExceeded(Refusal):
    code, field = "LIMIT_EXCEEDED", ("points",)

    def __init__(self, figure: str, value: int, limit: int) -> None:
        super().__init__(f"This would make {figure} {value}; at most {limit} can be kept.")


class InvalidPoints(Refusal):
    """Points that no spendable balance makes right: none at all, the wrong sign, or more than there is to undo."""

    code, field = "INVALID", ("points",)


class InvalidExpiry(Refusal):
    code, field = "INVALID", ("expiresAt",)


# ---------------------------------------------------------------- reading a balance


def empty() -> PointsState:
    return {"earned": 0, "spent": 0, "expired": 0, "reserved": 0, "pending": 0, "seq": 0, "buckets": []}


def spendable(state: PointsState) -> int:
    """What is left to spend, due points included until they are expired: see ``as_of``."""
    return _balance(state) - state["reserved"]


def as_of(state: PointsState, now: datetime) -> PointsState:
    """What the balance is worth now: due points count as expired, though no entry says so yet."""
    return {**expire_due(state, now=now).state, "seq": state["seq"]}


def expiry_day(expires_at: datetime) -> datetime | None:
    """The midnight (UTC) that ends the day of ``expires_at``: the key of its bucket, and the moment it is due.

    Never earlier than promised. A midnight is its own, so what was stored may be given again.
    """
    try:
        moment = expires_at.astimezone(UTC)
        midnight = datetime.combine(moment, time.min, UTC)
        return midnight if midnight == moment else midnight + timedelta(days=1)
    except OverflowError:
        return None  # the calendar's last day has no end: it is how systems without a null say "never"


# ---------------------------------------------------------------- rules


def earn(state: PointsState, points: int, *, now: datetime, expires_at: datetime | None = None) -> Posting:
    """Raises InvalidPoints, InvalidExpiry, LimitExceeded."""
    return Posting(state).then(PointsKind.EARNED, _positive(points), expires_at=_lasting(expires_at, now))


def spend(state: PointsState, points: int, *, now: datetime) -> Posting:
    """What is due expires first; then the soonest to expire are taken. Raises InvalidPoints, NotEnoughPoints."""
    return _deducted(Posting(state).then_expired(now), PointsKind.SPENT, points)


def adjust(state: PointsState, points: int, *, now: datetime, expires_at: datetime | None = None) -> Posting:
    """Added as if earned, or deducted as if spent. Raises what ``earn`` and ``spend`` raise."""
    if points > 0:
        return Posting(state).then(PointsKind.ADJUSTED, points, expires_at=_lasting(expires_at, now))
    if expires_at:
        raise InvalidExpiry("Only points that are added can expire: leave out the expiry, or add points.")
    return _deducted(Posting(state).then_expired(now), PointsKind.ADJUSTED, -points)


def expire_due(state: PointsState, *, now: datetime) -> Posting:
    """No entries if nothing is due, or if all that is due is reserved."""
    return Posting(state).then_expired(now)


def refund_spend(
    state: PointsState, spent: Entry | None, points: int, *, now: datetime, refunds: Iterable[Entry] = ()
) -> Posting:
    """Undoes a spend or a deduction, wholly or partly, as if less had been spent: last taken, first returned.

    What returns to a bucket that is due by ``now`` expires at once. ``refunds`` are the entries that already undid a
    part of ``spent``; where an import does not know ``spent``, the points return without expiry. Raises InvalidPoints.
    """
    _positive(points)
    returned: list[Allocation] = [{"expiresAt": None, "points": points}]
    if spent:
        undone = _undone(spent, refunds, points, of="spent")
        returned = _portion(reversed(spent.get("allocations", [])), points, skip=undone)
    if points > state["spent"]:
        raise InvalidPoints(f"{points} points cannot be given back: only {state['spent']} are spent.")
    return Posting(state).then(PointsKind.REFUNDED, points, allocations=returned, undoes=spent).then_expired(now)


def claw_back(
    state: PointsState, earned: Entry | None, points: int, *, now: datetime, refunds: Iterable[Entry] = ()
) -> Posting:
    """Undoes an earning or an addition: from its bucket first, at most what is spendable, the rest as shortfall.

    ``refunds`` are the entries that already undid a part of ``earned``, shortfalls included; an import may not know
    ``earned``. Nothing left to take still makes an entry, for its shortfall. Raises InvalidPoints, LimitExceeded.
    """
    _positive(points)
    posting = Posting(state).then_expired(now)
    piles = _piles(posting.state)
    if earned:
        _undone(earned, refunds, points, of="earned")
        piles.sort(key=lambda pile: pile["expiresAt"] != earned.get("expiresAt"))
    taken = min(points, spendable(posting.state))
    allocations = _portion(piles, taken)
    return posting.then(PointsKind.REFUNDED, -taken, allocations=allocations, shortfall=points - taken, undoes=earned)


def reserve(state: PointsState, points: int, *, now: datetime) -> Posting:
    """Holds points back; what is due expires first. Raises InvalidPoints, NotEnoughPoints."""
    posting = Posting(state).then_expired(now)
    return posting.then(PointsKind.RESERVED, -_affordable(points, posting.state))


def release(state: PointsState, points: int) -> Posting:
    """Gives up a reservation, wholly or partly; what fell due meanwhile is due at once. Raises InvalidPoints."""
    return Posting(state).then(PointsKind.RELEASED, _at_most(state["reserved"], points, "reserved"))


def capture(state: PointsState, points: int, *, now: datetime) -> Posting:
    """Spends reserved points, even those that fell due meanwhile: a reservation keeps its points. Raises InvalidPoints.

    What is due and not reserved expires first.
    """
    _at_most(state["reserved"], points, "reserved")
    return _deducted(Posting(state).then_expired(now).then(PointsKind.RELEASED, points), PointsKind.SPENT, points)


def pend(state: PointsState, points: int) -> Posting:
    """Announces points (positive) or withdraws them (negative); pending is not spendable. Raises InvalidPoints."""
    if points < 0:
        _at_most(state["pending"], -points, "pending")
    else:
        _positive(points)
    return Posting(state).then(PointsKind.PENDING, points)


def activate(state: PointsState, points: int, *, now: datetime, expires_at: datetime | None = None) -> Posting:
    """Pending points become earned ones. Raises InvalidPoints, InvalidExpiry, LimitExceeded."""
    _at_most(state["pending"], points, "pending")
    expires_at = _lasting(expires_at, now)
    return Posting(state).then(PointsKind.PENDING, -points).then(PointsKind.EARNED, points, expires_at=expires_at)


def post(
    state: PointsState,
    kind: PointsKind,
    points: int,
    *,
    now: datetime,
    expires_at: datetime | None = None,
    original: Entry | None = None,
    refunds: Iterable[Entry] = (),
) -> Posting:
    """A row of another ledger, by the rule for its kind and sign. Raises what that rule raises, and InvalidPoints.

    ``expires_at`` counts where points are given, ``original`` and ``refunds`` where they are undone.
    """
    match kind, points > 0:
        case PointsKind.EARNED, True:
            return earn(state, points, now=now, expires_at=expires_at)
        case PointsKind.ADJUSTED, _:
            return adjust(state, points, now=now, expires_at=expires_at)
        case PointsKind.SPENT, False:
            return spend(state, -points, now=now)
        case PointsKind.EXPIRED, False:
            # The row itself says what expired: expiring what is due first would count the same points twice.
            return _deducted(Posting(state), PointsKind.EXPIRED, -points)
        case PointsKind.REFUNDED, True:
            return refund_spend(state, original, points, now=now, refunds=refunds)
        case PointsKind.REFUNDED, False:
            return claw_back(state, original, -points, now=now, refunds=refunds)
        case PointsKind.RESERVED, False:
            return reserve(state, -points, now=now)
        case PointsKind.RELEASED, True:
            return release(state, points)
        case PointsKind.PENDING, _:
            return pend(state, points)
        case _:
            raise InvalidPoints(f"{kind} cannot have {points} points: the sign is wrong.")


# ---------------------------------------------------------------- replaying


def after(state: PointsState, entry: Entry) -> PointsState:
    """The state that ``entry`` leaves, judged by what is stored alone. Refuses nothing: an audit must see the worst."""
    points, figure = entry["points"], _figure(entry)
    moved: PointsState = {**state, "seq": entry["seq"]}
    # Two figures count what came, the other three what went.
    moved[figure] += points if figure in ("earned", "pending") else -points

    remaining = {bucket["expiresAt"]: bucket["remaining"] for bucket in state["buckets"]}
    if entry["kind"] in HISTORY:
        own: list[Allocation] = [{"expiresAt": entry.get("expiresAt"), "points": abs(points)}]
        for allocation in entry.get("allocations", own):
            change = allocation["points"] if points > 0 else -allocation["points"]
            remaining[allocation["expiresAt"]] = remaining.get(allocation["expiresAt"], 0) + change
    moved["buckets"] = [
        {"expiresAt": expires_at, "remaining": remaining[expires_at]}
        for expires_at in sorted(remaining, key=lambda expires_at: expires_at or _NEVER)
        if remaining[expires_at]
    ]
    return moved


def replay(entries: Iterable[Entry]) -> PointsState:
    """The state from all of a customer's entries, in the order of ``seq``."""
    return reduce(after, entries, empty())


def audit(state: PointsState, entries: Iterable[Entry]) -> Audit:
    """Whether the state, every ``balanceAfter`` and every ``seq`` follow from all entries, in the order of ``seq``."""
    recomputed, follows, count = empty(), True, 0
    for count, entry in enumerate(entries, start=1):
        recomputed = after(recomputed, entry)
        follows = follows and entry["seq"] == count and entry["balanceAfter"] == _balance(recomputed)
    return {
        "ok": follows and recomputed == state,
        "entries": count,
        "drift": _balance(state) - _balance(recomputed),
    }


# ---------------------------------------------------------------- small print

_NEVER = datetime.max.replace(tzinfo=UTC)


def _balance(state: PointsState) -> int:
    return state["earned"] - state["spent"] - state["expired"]


def _figure(entry: Entry) -> Figure:
    gain, loss = MOVES[entry["kind"]]
    return gain if entry["points"] > 0 else loss


def _deducted(posting: Posting, kind: PointsKind, points: int) -> Posting:
    """Soonest to expire first."""
    taken = _portion(_piles(posting.state), _affordable(points, posting.state))
    return posting.then(kind, -points, allocations=taken)


def _piles(state: PointsState) -> list[Allocation]:
    return [{"expiresAt": bucket["expiresAt"], "points": bucket["remaining"]} for bucket in state["buckets"]]


def _portion(piles: Iterable[Allocation], points: int, *, skip: int = 0) -> list[Allocation]:
    """The next ``points`` of these piles after ``skip`` of them, pile by pile."""
    portion: list[Allocation] = []
    for pile in piles:
        skipped = min(skip, pile["points"])
        taken = min(points, pile["points"] - skipped)
        skip, points = skip - skipped, points - taken
        if taken:
            portion.append({"expiresAt": pile["expiresAt"], "points": taken})
    return portion


def _undone(entry: Entry, refunds: Iterable[Entry], points: int, *, of: Literal["earned", "spent"]) -> int:
    """How much of ``entry`` is undone already. Raises InvalidPoints unless ``points`` more of it can be."""
    if _figure(entry) != of or entry["kind"] == PointsKind.REFUNDED:
        raise InvalidPoints(f"Entry {entry['seq']} is {entry['kind']} {entry['points']}: no points were {of} by it.")
    undone = sum(abs(refund["points"]) + refund.get("shortfall", 0) for refund in refunds)
    _at_most(abs(entry["points"]) - undone, points, f"left to undo of entry {entry['seq']}")
    return undone


def _positive(points: int) -> int:
    if points < 1:
        raise InvalidPoints(f"At least 1 point has to move, not {points}.")
    return points


def _at_most(limit: int, points: int, what: str) -> int:
    if _positive(points) > limit:
        raise InvalidPoints(f"{points} points were asked for; {limit} are {what}.")
    return points


def _affordable(points: int, state: PointsState) -> int:
    if _positive(points) > spendable(state):
        raise NotEnoughPoints(spendable=spendable(state), asked=points)
    return points


def _lasting(expires_at: datetime | None, now: datetime) -> datetime | None:
    """The bucket for points given ``now``. Raises InvalidExpiry."""
    if expires_at is None:
        return None
    if expires_at <= now:
        raise InvalidExpiry(f"Points that are given at {now.isoformat()} cannot expire at {expires_at.isoformat()}.")
    return expiry_day(expires_at)
