"""Makes postings: the rules for what this gateway writes itself, which is newer than all that is known."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from app.domain.points.book import Book, walk
from app.domain.points.entries import (
    HERE,
    HISTORY,
    INT32_MAX,
    MAX_TOTAL,
    Entry,
    Movement,
    PointsKind,
    PointsState,
    Portion,
    balance_of,
    expiry,
    owed,
    reservations,
    spendable,
)
from app.domain.points.refusals import InvalidExpiry, InvalidPoints, NotEnoughPoints, ReservationOpen, TotalExceeded
from app.domain.times import stored


class Posting(NamedTuple):
    """A posting holds the entries that a decision adds, in order, and the state after them."""

    state: PointsState
    entries: tuple[Entry, ...] = ()

    def then(self, kind: PointsKind, points: int, *, now: datetime, expires_at: datetime | None = None) -> "Posting":
        """Returns this posting with one entry more, which is the newest. Raises TotalExceeded."""
        at = max(stored(now), self.state.get("latestAt", stored(now)))
        movement: Movement = {"kind": kind, "points": points, "occurredAt": at, "source": HERE}
        if expires_at:
            movement["expiresAt"] = expires_at
        return self._with(movement)

    def then_expired(self, now: datetime) -> "Posting":
        """Returns this posting with what is due by ``now`` expired: an entry for each bucket, soonest first."""
        posting = self
        for bucket, held in reservations(self.state):
            expires_at, rest = bucket["expiresAt"], bucket["remaining"] - held
            if expires_at and expires_at <= now:
                for points in split_points(rest):
                    posting = posting._with(expiry_movement(points, expires_at))
        return posting

    def then_all(self, movements: Iterable[Movement]) -> "Posting":
        """Returns this posting with these entries more, none of which is before another. Raises TotalExceeded."""
        book, entries = Book.of(self.state), list(self.entries)
        balance = balance_of(self.state)
        for movement in movements:
            balance += movement["points"] if movement["kind"] in HISTORY else 0
            entry: Entry = {**movement, "seq": book.seq + 1, "balanceAfter": balance}
            book.add(entry)
            entries.append(entry)
        return Posting(check_totals(book.state()), tuple(entries)) if len(entries) > len(self.entries) else self

    def _with(self, movement: Movement) -> "Posting":
        return self.then_all([movement])


def as_of(state: PointsState, now: datetime) -> PointsState:
    """Returns what the balance is worth now: due points count as expired, though no entry says so yet."""
    return {**expire_due(state, now=now).state, "seq": state["seq"]}


def earn(state: PointsState, points: int, *, now: datetime, expires_at: datetime | None = None) -> Posting:
    """Returns the posting that gives points. Raises InvalidPoints, InvalidExpiry, TotalExceeded."""
    return Posting(state).then(
        PointsKind.EARNED, check_positive(points), now=now, expires_at=check_expiry(expires_at, now)
    )


def spend(state: PointsState, points: int, *, now: datetime) -> Posting:
    """Returns the posting that spends points, soonest to expire first. Raises InvalidPoints, NotEnoughPoints.

    What is due expires before.
    """
    return _deducted(Posting(state).then_expired(now), PointsKind.SPENT, points, now)


def check_adjustment(points: int, expires_at: datetime | None) -> None:
    """Raises InvalidPoints or InvalidExpiry for an adjustment that no ledger allows, at no time."""
    if not points:
        raise InvalidPoints("At least 1 point has to move, not 0.")
    if points < 0 and expires_at:
        raise InvalidExpiry("Only points that are added can expire: leave out the expiry, or add points.")


def adjust(state: PointsState, points: int, *, now: datetime, expires_at: datetime | None = None) -> Posting:
    """Returns the posting that adds points like ``earn``, or deducts them like ``spend``. Raises what they raise."""
    if points > 0:
        return Posting(state).then(PointsKind.ADJUSTED, points, now=now, expires_at=check_expiry(expires_at, now))
    check_adjustment(points, expires_at)
    return _deducted(Posting(state).then_expired(now), PointsKind.ADJUSTED, -points, now)


def expire_due(state: PointsState, *, now: datetime) -> Posting:
    """Returns the posting that expires due points; without entries if nothing is due, or if all of it is reserved."""
    return Posting(state).then_expired(now)


def reserve(state: PointsState, points: int, *, now: datetime) -> Posting:
    """Returns the posting that sets points aside, soonest to expire first. Raises InvalidPoints, NotEnoughPoints.

    What is due expires before.
    """
    return _deducted(Posting(state).then_expired(now), PointsKind.RESERVED, points, now)


def release(state: PointsState, points: int, *, now: datetime) -> Posting:
    """Returns the posting that gives up a reservation, wholly or partly. Raises InvalidPoints.

    What fell due meanwhile ends with the day.
    """
    _at_most(state["reserved"], points, "reserved")
    return Posting(state).then(PointsKind.RELEASED, points, now=now)


def capture(state: PointsState, points: int, *, now: datetime) -> Posting:
    """Returns the posting that spends reserved points, even those that fell due meanwhile. Raises InvalidPoints.

    A reservation keeps its points. What is due and not reserved expires first.
    """
    _at_most(state["reserved"], points, "reserved")
    posting = Posting(state).then_expired(now)
    return posting.then(PointsKind.RELEASED, points, now=now).then(PointsKind.SPENT, -points, now=now)


def pend(state: PointsState, points: int, *, now: datetime) -> Posting:
    """Returns the posting that announces points (positive) or withdraws them (negative). Raises InvalidPoints.

    Pending points are not spendable.
    """
    if points < 0:
        _at_most(state["pending"], -points, "pending")
    else:
        check_positive(points)
    return Posting(state).then(PointsKind.PENDING, points, now=now)


def activate(state: PointsState, points: int, *, now: datetime, expires_at: datetime | None = None) -> Posting:
    """Returns the posting that earns pending points. Raises InvalidPoints, InvalidExpiry, TotalExceeded."""
    _at_most(state["pending"], points, "pending")
    expires_at = check_expiry(expires_at, now)
    posting = Posting(state).then(PointsKind.PENDING, -points, now=now)
    return posting.then(PointsKind.EARNED, points, now=now, expires_at=expires_at)


class Transfer(NamedTuple):
    """A transfer holds both sides of what one customer's ledger hands over to another's.

    ``pairs`` are the numbers of entries that belong together, the giving one first.
    """

    out: Posting
    into: Posting
    pairs: tuple[tuple[int, int], ...]


def transfer(
    giving: PointsState,
    taking: PointsState,
    *,
    now: datetime,
    entries: Sequence[Entry] = (),
    only: Sequence[Portion] | None = None,
    pending_at_most: int = MAX_TOTAL,
) -> Transfer:
    """Returns both postings that move everything, bucket by bucket: each keeps its expiry, and pending stays pending.

    ``entries`` are all that the one has who gives: what a source gave stays its own, as it says how many of them
    expire. A debt moves as well. What is due expires before. ``only`` moves at most these portions, as far as they are
    there; one below zero is a debt, and moves as a whole. Raises ReservationOpen where points are reserved for a
    purchase, which another system may still capture.
    """
    now = max(stored(now), giving.get("latestAt", stored(now)), taking.get("latestAt", stored(now)))
    out, into = Posting(giving).then_expired(now), Posting(taking).then_expired(now)
    moved = _portions(out.state, only)
    if only is None:
        if out.state["reserved"]:
            raise ReservationOpen(out.state["reserved"])
        moved += [(None, -debt) for debt in split_points(owed(out.state))]
    else:
        moved += [(None, portion["points"]) for portion in only if portion["points"] < 0]
    given = _by_source(moved, walk(Book(), [*entries, *out.entries]))
    outs = [_transferred(PointsKind.TRANSFERRED_OUT, -points, at, now, source) for at, points, source in given]
    ins = [_transferred(PointsKind.TRANSFERRED_IN, points, at, now, source) for at, points, source in given]
    pending = split_points(min(out.state["pending"], pending_at_most))
    outs += [_transferred(PointsKind.PENDING, -points, None, now) for points in pending]
    ins += [_transferred(PointsKind.PENDING, points, None, now) for points in pending]
    first = out.state["seq"] + 1, into.state["seq"] + 1
    pairs = tuple((first[0] + place, first[1] + place) for place in range(len(outs)))
    return Transfer(out.then_all(outs), into.then_all(ins), pairs)


def _portions(state: PointsState, only: Sequence[Portion] | None) -> list[tuple[datetime | None, int]]:
    """Returns what can be moved of each bucket, in amounts that an entry can hold."""
    asked = None if only is None else Counter[datetime | None]()
    for portion in only or ():
        assert asked is not None
        asked[portion["expiresAt"]] += max(0, portion["points"])
    moved: list[tuple[datetime | None, int]] = []
    for bucket, held in reservations(state):
        free = bucket["remaining"] - held
        most = free if asked is None else min(free, asked[bucket["expiresAt"]])
        moved += [(bucket["expiresAt"], points) for points in split_points(most)]
    return moved


def _by_source(moved: Iterable[tuple[datetime | None, int]], book: Book) -> list[tuple[datetime | None, int, str]]:
    """Returns what moves by who gave it, in the order in which a book takes it."""
    given: list[tuple[datetime | None, int, str]] = []
    left = dict(sorted(book.free.items(), key=lambda lot: lot[0].source))
    for expires_at, points in moved:
        for lot, count in left.items():
            if lot.expires_at == expires_at and (part := min(points, count)) > 0:
                given.append((expires_at, part, lot.source))
                left[lot] -= part
                points -= part
        if points:
            given.append((expires_at, points, HERE))
    return given


def _transferred(
    kind: PointsKind, points: int, expires_at: datetime | None, at: datetime, given_by: str = HERE
) -> Movement:
    movement: Movement = {"kind": kind, "points": points, "occurredAt": at, "source": HERE}
    if expires_at:
        movement["expiresAt"] = expires_at
    if given_by != HERE:
        movement["givenBy"] = given_by
    return movement


def split_points(points: int) -> list[int]:
    """Splits points into amounts that an entry can hold."""
    whole, rest = divmod(points, INT32_MAX)
    return [INT32_MAX] * whole + [rest] * bool(rest)


def expiry_movement(points: int, at: datetime) -> Movement:
    """Returns the movement that expires ``points`` here."""
    return {"kind": PointsKind.EXPIRED, "points": -points, "occurredAt": at, "source": HERE}


def next_entry(state: PointsState, movement: Movement) -> Entry:
    """Returns the movement as the entry after this state."""
    moved = movement["points"] if movement["kind"] in HISTORY else 0
    return {**movement, "seq": state["seq"] + 1, "balanceAfter": balance_of(state) + moved}


def check_totals(state: PointsState) -> PointsState:
    """Returns the state. Raises TotalExceeded if one of its figures is beyond ``MAX_TOTAL``."""
    for figure in ("earned", "spent", "expired", "reserved", "pending"):
        if abs(state[figure]) > MAX_TOTAL:
            raise TotalExceeded(figure, state[figure])
    if owed(state) > MAX_TOTAL:
        raise TotalExceeded("owed", owed(state))
    return state


def check_expiry(expires_at: datetime | None, now: datetime) -> datetime | None:
    """Returns the stored expiry of points given ``now``. Raises InvalidExpiry if it is not later."""
    if expires_at is None:
        return None
    if expires_at <= now:
        raise InvalidExpiry(f"Points that are given at {now.isoformat()} cannot expire at {expires_at.isoformat()}.")
    return expiry(expires_at)


def check_positive(points: int) -> int:
    """Returns the points. Raises InvalidPoints for fewer than one."""
    if points < 1:
        raise InvalidPoints(f"At least 1 point has to move, not {points}.")
    return points


def _deducted(posting: Posting, kind: PointsKind, points: int, now: datetime) -> Posting:
    if check_positive(points) > spendable(posting.state):
        raise NotEnoughPoints(spendable=spendable(posting.state), asked=points)
    return posting.then(kind, -points, now=now)


def _at_most(limit: int, points: int, what: str) -> int:
    if check_positive(points) > limit:
        raise InvalidPoints(f"{points} points were asked for; {limit} are {what}.")
    return points
