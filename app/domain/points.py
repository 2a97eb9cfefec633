"""Keeps the points ledger: what may be earned, spent, reserved and undone, and what each of these leaves behind.

Pure: no clock, no I/O, and no idea of who or why.

An entry says what happened and when. What the customer has follows from all of their entries **in the order of
time**, in whatever order they came in: `replay`. What is made here is newer than all that is known, so that its rules
need the state alone (`earn`, `spend`, …); what another ledger tells may be older, or undo something: `enter` judges it
among the entries. docs/decisions/0026 says why.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import MAXYEAR, UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple, NotRequired, TypedDict

from app.domain.refusals import Refusal
from app.domain.times import stored

INT32_MAX = 2**31 - 1
"""GraphQL's Int ends here, and so do the points of one entry."""
MAX_TOTAL = 2**53 - 1
"""Every total ends here: the greatest whole number that JSON readers in JavaScript hold exactly."""

HERE: Final = "platform"
"""The source of what this gateway writes itself. Its EXPIRED entries follow from the others; a source's say it."""

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
    """A bucket holds points that expire together: one for each expiry, one for those that never do."""

    expiresAt: datetime | None
    remaining: int
    reserved: NotRequired[int]  # how many of the remaining are set aside, and do not expire meanwhile


class PointsState(TypedDict):
    """The state is a customer's balance. Buckets come soonest first and are never empty.

    Always: sum of remaining = earned - spent - expired + owed. The newest entry is of ``latestAt``. States of earlier
    versions have neither that nor ``owed``.
    """

    earned: int
    spent: int
    expired: int
    reserved: int
    pending: int
    owed: NotRequired[int]
    seq: int
    latestAt: NotRequired[datetime]
    buckets: list[Bucket]


class Portion(TypedDict):
    """A portion holds points of one expiry; always positive."""

    expiresAt: datetime | None
    points: int


class Movement(TypedDict):
    """A movement says what happened, as its source tells it; ``refundOf`` is the seq of the entry that it undoes."""

    kind: PointsKind
    points: int
    occurredAt: datetime
    source: str
    expiresAt: NotRequired[datetime]  # when the points that it gave expire; none: never
    graceEndsAt: NotRequired[datetime]  # of points that come back after their expiry: until then they can be spent
    refundOf: NotRequired[int]


class Entry(TypedDict):
    """An entry is the part of a ledger document that is decided here; services add the customer and the actor."""

    seq: int
    kind: PointsKind
    points: int
    balanceAfter: int
    occurredAt: datetime
    source: str
    expiresAt: NotRequired[datetime]
    graceEndsAt: NotRequired[datetime]
    settlements: NotRequired[
        list[Portion]
    ]  # of a source's EXPIRED: what had expired here before, and is not taken twice
    shortfall: NotRequired[int]  # how many of its points were not there; they are owed
    refundOf: NotRequired[int]
    allocations: NotRequired[list[Portion]]  # of entries of earlier versions: what they took


class LedgerAudit(TypedDict):
    ok: bool
    entries: int
    drift: int  # stored minus recomputed earned - spent - expired


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
        for bucket, held in _reservations(self.state):
            expires_at, rest = bucket["expiresAt"], bucket["remaining"] - held
            if expires_at and expires_at <= now:
                for points in _parts(rest):
                    posting = posting._with(_expired(points, expires_at))
        return posting

    def _with(self, movement: Movement) -> "Posting":
        entry = _entry(self.state, movement)
        book = _Book.of(self.state)
        book.add(entry)
        return Posting(_limited(book.state()), (*self.entries, entry))


# ---------------------------------------------------------------- refusals


class NotEnoughPoints(Refusal):
    code, field = "NOT_ENOUGH_POINTS", ("points",)

    def __init__(self, *, spendable: int, asked: int) -> None:
        super().__init__(f"{asked} points were asked for; {spendable} are spendable.")


class TotalExceeded(Refusal):
    code, field = "LIMIT_EXCEEDED", ("points",)

    def __init__(self, figure: str, value: int) -> None:
        super().__init__(f"This would make {figure} {value}; at most {MAX_TOTAL} can be kept.")


class InvalidPoints(Refusal):
    """Raised for points that no balance makes right: none, the wrong sign, or more than there is to undo.

    The client sees a user error, an import a reject.
    """

    code, field = "INVALID", ("points",)


class InvalidExpiry(Refusal):
    code, field = "INVALID", ("expiresAt",)


class OutOfOrder(Refusal):
    """Raised if too much was out of order for one go. An import sees a reject.

    What was judged is in, and the rest may be given again.
    """

    code, field = "INVALID", ("occurredAt",)

    def __init__(self) -> None:
        super().__init__("Too many points of this customer came out of order: import the file again, oldest first.")


# ---------------------------------------------------------------- reading a balance


def empty() -> PointsState:
    return {"earned": 0, "spent": 0, "expired": 0, "reserved": 0, "pending": 0, "owed": 0, "seq": 0, "buckets": []}


def spendable(state: PointsState) -> int:
    """Returns what is left to spend, due points included until they are expired: see ``as_of``."""
    return sum(bucket["remaining"] for bucket in state["buckets"]) - state["reserved"]


def owed(state: PointsState) -> int:
    """Returns what was taken beyond what was there: what comes in pays it first."""
    return state.get("owed", 0)


def as_of(state: PointsState, now: datetime) -> PointsState:
    """Returns what the balance is worth now: due points count as expired, though no entry says so yet."""
    return {**expire_due(state, now=now).state, "seq": state["seq"]}


def end_of_day(at: datetime, zone: tzinfo = UTC) -> datetime:
    """Returns the midnight that ends the day of ``at`` in ``zone``. Raises OverflowError on the calendar's last day."""
    day = at.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def expiry(expires_at: datetime) -> datetime | None:
    """Returns the expiry as it is stored; None in the year 9999, by which systems without a null say "never"."""
    return None if expires_at.year == MAXYEAR else stored(expires_at)


# ---------------------------------------------------------------- rules for what is made here


def earn(state: PointsState, points: int, *, now: datetime, expires_at: datetime | None = None) -> Posting:
    """Returns the posting that gives points. Raises InvalidPoints, InvalidExpiry, TotalExceeded."""
    return Posting(state).then(PointsKind.EARNED, _positive(points), now=now, expires_at=_lasting(expires_at, now))


def spend(state: PointsState, points: int, *, now: datetime) -> Posting:
    """Returns the posting that spends points, soonest to expire first. Raises InvalidPoints, NotEnoughPoints.

    What is due expires before.
    """
    return _deducted(Posting(state).then_expired(now), PointsKind.SPENT, points, now)


def adjust(state: PointsState, points: int, *, now: datetime, expires_at: datetime | None = None) -> Posting:
    """Returns the posting that adds points like ``earn``, or deducts them like ``spend``. Raises what they raise."""
    if points > 0:
        return Posting(state).then(PointsKind.ADJUSTED, points, now=now, expires_at=_lasting(expires_at, now))
    if expires_at:
        raise InvalidExpiry("Only points that are added can expire: leave out the expiry, or add points.")
    return _deducted(Posting(state).then_expired(now), PointsKind.ADJUSTED, -points, now)


def expire_due(state: PointsState, *, now: datetime) -> Posting:
    """Returns the posting that expires due points; without entries if nothing is due, or if all of it is reserved."""
    return Posting(state).then_expired(now)


def reserve(state: PointsState, points: int, *, now: datetime) -> Posting:
    """Sets points aside, soonest to expire first; what is due expires before. Raises InvalidPoints, NotEnoughPoints."""
    return _deducted(Posting(state).then_expired(now), PointsKind.RESERVED, points, now)


def release(state: PointsState, points: int, *, now: datetime) -> Posting:
    """Gives up a reservation, wholly or partly. What fell due meanwhile ends with the day. Raises InvalidPoints."""
    _at_most(state["reserved"], points, "reserved")
    return Posting(state).then(PointsKind.RELEASED, points, now=now)


def capture(state: PointsState, points: int, *, now: datetime) -> Posting:
    """Spends reserved points, even those that fell due meanwhile: a reservation keeps its points. Raises InvalidPoints.

    What is due and not reserved expires first.
    """
    _at_most(state["reserved"], points, "reserved")
    posting = Posting(state).then_expired(now)
    return posting.then(PointsKind.RELEASED, points, now=now).then(PointsKind.SPENT, -points, now=now)


def pend(state: PointsState, points: int, *, now: datetime) -> Posting:
    """Announces points (positive) or withdraws them (negative); pending is not spendable. Raises InvalidPoints."""
    if points < 0:
        _at_most(state["pending"], -points, "pending")
    else:
        _positive(points)
    return Posting(state).then(PointsKind.PENDING, points, now=now)


def activate(state: PointsState, points: int, *, now: datetime, expires_at: datetime | None = None) -> Posting:
    """Turns pending points into earned ones. Raises InvalidPoints, InvalidExpiry, TotalExceeded."""
    _at_most(state["pending"], points, "pending")
    expires_at = _lasting(expires_at, now)
    posting = Posting(state).then(PointsKind.PENDING, -points, now=now)
    return posting.then(PointsKind.EARNED, points, now=now, expires_at=expires_at)


# ---------------------------------------------------------------- what another ledger tells

_JUDGED: Final = frozenset({PointsKind.SPENT, PointsKind.EXPIRED, PointsKind.RESERVED})
"""What a source tells of these must have been there. Claw-backs and adjustments may leave a debt."""

_STEPS_AT_MOST: Final = 200_000
"""How many entries may be walked through for lines of one customer that are not right together: about a second."""


class Entered(NamedTuple):
    """It says what happened to some movements, by their place: the entry, or why there is none.

    The posting has their entries and, after those, this gateway's own: what it had expired wrongly, given back.
    """

    posting: Posting
    seqs: Mapping[int, int]
    refused: Mapping[int, Refusal]


def needs_entries(state: PointsState, movements: Iterable[Movement]) -> bool:
    """Returns whether ``enter`` needs all entries.

    The state is enough for what is newer than it and looks back at nothing.
    """
    latest = state.get("latestAt")
    return bool(state["seq"]) and any(
        latest is None
        or movement["occurredAt"] <= latest
        or movement["kind"] in (PointsKind.EXPIRED, PointsKind.REFUNDED)
        for movement in movements
    )


def enter(state: PointsState, movements: Sequence[Movement], entries: Sequence[Entry] = ()) -> Entered:
    """Takes in what a source tells, each at its own time, among ``entries``: all that there are, by ``seq``.

    They may be left out where ``needs_entries`` says so. A movement can undo another of the same call: that one's
    number is then ``state["seq"] + 1 +`` its place. Of what is told together nothing is refused that the whole makes
    right; what was taken in before is never refused, it makes a debt. Raises nothing.
    """
    judge = _Judge(state, movements, entries)
    judge.decide()
    return judge.entered()


class _Judge:
    def __init__(self, state: PointsState, movements: Sequence[Movement], entries: Sequence[Entry]) -> None:
        self._start: PointsState = {**empty(), **state}
        self._known = list(entries)
        self._base = _Book.of(self._start) if state["seq"] and not entries else _Book()
        self._first = state["seq"] + 1
        # As if each were an entry: its number decides between two of one moment.
        self._movements: list[Entry] = [
            {**movement, "seq": self._first + place, "balanceAfter": 0} for place, movement in enumerate(movements)
        ]
        self._accepted: list[int] = []
        self._refused: dict[int, Refusal] = {}
        self._steps_left = max(_STEPS_AT_MOST, 20 * (len(entries) + len(movements)))
        self._whole: _Book | None = None
        """With all of them, as they came."""

    @cached_property
    def _before(self) -> "_Book":
        """Returns what the accepted ones leave; made once it is asked for, as walking a ledger takes milliseconds."""
        return self._book([])

    def decide(self) -> None:
        """Accepts everything at once if that is right, as it mostly is; else one by one."""
        sound = [place for place, entry in enumerate(self._movements) if self._is_sound(place, entry)]
        if all(movement["source"] != HERE for movement in self._movements) and self._is_right(sound):
            self._accepted = sound
            return
        waiting = sound
        while waiting:
            left = [place for place in waiting if not self._try(place)]
            if len(left) == len(waiting):
                return
            waiting = left

    def _is_right(self, places: Sequence[int]) -> bool:
        if self._undone_too_often(places):
            return False
        after = self._book(places)
        if not after.is_sound and _objection(self._before, after, None):
            return False
        if len(places) == len(self._movements):
            self._whole = after
        return True

    def _is_sound(self, place: int, entry: Entry) -> bool:
        try:
            _check(entry)
            if "refundOf" in entry:
                _check_undone(entry, self._by_seq(entry["refundOf"]))
        except Refusal as refusal:
            self._refused[place] = refusal
            return False
        return True

    def _by_seq(self, seq: int) -> Entry:
        return self._movements[seq - self._first] if seq >= self._first else self._known[seq - 1]

    def _undone_too_often(self, places: Iterable[int]) -> Refusal | None:
        undone: Counter[int] = Counter()
        chosen = set(places)
        for entry in (*self._known, *(self._movements[place] for place in places)):
            if "refundOf" in entry:
                original, points = entry["refundOf"], _undoes(entry)
                if original >= self._first and original - self._first not in chosen:
                    return InvalidPoints("The points that it undoes did not come in.")
                undone[original] += points
                if entry["seq"] >= self._first and undone[original] > abs(self._by_seq(original)["points"]):
                    left = abs(self._by_seq(original)["points"]) - undone[original] + points
                    return InvalidPoints(
                        f"{points} points were asked for; {left} are left to undo of "
                        + (f"entry {original}." if original < self._first else "that entry.")
                    )
        return None

    def _try(self, place: int) -> bool:
        together = [*self._accepted, place]
        objection = self._undone_too_often(together)
        if objection is None and self._steps_left < 0:
            if _figure(self._movements[place]) == "earned" and self._movements[place]["points"] > 0:
                self._accepted = together  # what comes in is never refused
                return True
            self._refused[place] = objection = OutOfOrder()
        if objection is None:
            after = self._book(together)
            objection = _objection(self._before, after, self._movements[place])
            if objection is None:
                self._accepted, self._before = together, after
                self._refused.pop(place, None)
                return True
        self._refused.setdefault(place, objection)
        return False

    def _book(self, places: Iterable[int]) -> "_Book":
        entries = [*self._known, *(self._movements[place] for place in places)]
        self._steps_left -= len(entries)
        return _walked(deepcopy(self._base), entries)

    def entered(self) -> Entered:
        """Returns the accepted ones numbered as they came or, should that lead below zero, as they happened."""
        order, book = self._accepted, self._whole
        if _dips([self._movements[place] for place in order], _balance(self._start)):
            order, book = sorted(order, key=lambda place: _chronological(self._movements[place])), None
        seqs = {place: self._first + number for number, place in enumerate(order)}
        own: list[Entry] = []
        for place in order:
            entry: Entry = {**self._movements[place], "seq": seqs[place]}
            if (original := entry.get("refundOf", 0)) >= self._first:
                entry["refundOf"] = seqs[original - self._first]
            own.append(entry)
        book = book or _walked(deepcopy(self._base), [*self._known, *own])

        posting = Posting(self._start)
        excess = book.excess()
        is_final = not excess  # what expired wrongly is told by entries that are still to be made
        for entry in own:
            if entry["kind"] is PointsKind.EXPIRED and (settled := _portion(excess, -entry["points"])):
                entry["settlements"] = settled
                entry["points"] += sum(portion["points"] for portion in settled)
            # What was judged is there by now, from somewhere: it was told before what it was paid with.
            if entry["kind"] not in _JUDGED and (short := book.short[entry["seq"]]):
                entry["shortfall"] = short
            posting = _numbered(posting, entry)
        for expires_at, points in sorted(excess.items()):
            for part in _parts(points):
                posting = _numbered(posting, _expired(-part, expires_at))
        final = book if is_final else _walked(deepcopy(self._base), [*self._known, *posting.entries])
        return Entered(Posting(final.state(), posting.entries), seqs, self._refused)


def _objection(before: "_Book", after: "_Book", movement: Entry | None) -> Refusal | None:
    """Returns why not ``after``, or None. The movement, or one of several, is what it has more than ``before``."""
    more = after.owed - before.owed
    points = abs(movement["points"]) if movement else 0
    if movement is None:
        is_beyond = more > 0 and after.judged_short > before.judged_short
    else:
        # A debt that claw-backs and adjustments are left with, since more was spent before them, is theirs.
        of_others = 0 if movement["source"] == HERE else after.other_short - before.other_short
        is_beyond = more > max(0, of_others)
    if is_beyond:
        return NotEnoughPoints(spendable=points - more, asked=points)
    for figure, what in (("reserved", "reserved"), ("pending", "pending"), ("spent", "spent")):
        lacking = -after.figures[figure]
        if lacking > max(0, -before.figures[figure]):
            return InvalidPoints(f"{points} points were asked for; {points - lacking} are {what}.")
    try:
        _limited(after.state())
    except TotalExceeded as limit:
        return limit
    return None


# ---------------------------------------------------------------- replaying


def replay(entries: Iterable[Entry]) -> PointsState:
    """Returns the state that follows from all of a customer's entries."""
    return _walked(_Book(), list(entries)).state()


def audit(state: PointsState, entries: Iterable[Entry]) -> LedgerAudit:
    """Compares the state, each ``balanceAfter`` and each ``seq`` with what follows from all entries, by ``seq``."""
    known = list(entries)
    recomputed = replay(known)
    # A state of an earlier version says less.
    said: Any = {**recomputed, "owed": 0, **state}
    return {
        "ok": _are_whole(known) and recomputed == said,
        "entries": len(known),
        "drift": _balance(state) - _balance(recomputed),
    }


def recompute(state: PointsState, entries: Iterable[Entry]) -> PointsState | None:
    """Returns what the state should be, where the entries are whole and the balance is theirs, but not its parts.

    Earlier versions took entries in the order in which they came. None where nothing is to be mended, or cannot be.
    """
    known = list(entries)
    told = audit(state, known)
    return None if told["ok"] or told["drift"] or not _are_whole(known) else replay(known)


def _are_whole(entries: Sequence[Entry]) -> bool:
    """Returns whether no entry is missing, and each says the balance that it left."""
    balance = 0
    for count, entry in enumerate(entries, start=1):
        balance += entry["points"] if entry["kind"] in HISTORY else 0
        if entry["seq"] != count or entry["balanceAfter"] != balance:
            return False
    return True


class _Lot(NamedTuple):
    expires_at: datetime | None
    source: str


def _soonest(lot: _Lot) -> tuple[datetime, str]:
    return lot.expires_at or _NEVER, lot.source


class _Book:
    """The book is a ledger while it is walked through: figures, and the points behind them, by expiry and source."""

    def __init__(self) -> None:
        self.figures: Counter[str] = Counter()
        self.free: Counter[_Lot] = Counter()
        self.held: Counter[_Lot] = Counter()
        self.due: Counter[datetime] = Counter()
        """Past their day and free: not spendable, whether their entry is written or not."""
        self.waiting: Counter[_Lot] = Counter()
        """Past their day and free: not spendable until their source, which will, has told how many expired."""
        self.written: Counter[datetime] = Counter()
        """What entries of ours have expired, by the expiry."""
        self.owed = 0
        self.seq = 0
        self.latest_at: datetime | None = None
        self.short: Counter[int] = Counter()
        """By seq: how many of its points were not there at its time."""
        self.judged_short = 0
        self.other_short = 0
        self.swept: dict[str, datetime] = {}
        """By source: up to when its own EXPIRED entries tell what expired."""
        self._is_dated = True
        self._unmatched = 0
        self._taken: dict[int, list[tuple[_Lot, int]]] = {}
        self._given_back: Counter[int] = Counter()
        self._expiries: dict[int, datetime | None] = {}
        """By seq: of the points that it gave."""

    @classmethod
    def of(cls, state: PointsState) -> "_Book":
        book = cls()
        for figure in ("earned", "spent", "expired", "reserved", "pending"):
            book.figures[figure] = state[figure]
        for bucket, held in _reservations(state):
            lot = _Lot(bucket["expiresAt"], "")
            book.free[lot] = bucket["remaining"] - held
            book.held[lot] = held
        book.owed, book.seq, book.latest_at = owed(state), state["seq"], state.get("latestAt")
        if book.latest_at:
            book._pass(book.latest_at)
        book._is_dated = book.latest_at is not None or not book.seq
        return book

    def add(self, entry: Entry) -> None:
        """Adds an entry that is not before the others by time."""
        kind, points, at = PointsKind(entry["kind"]), entry["points"], entry["occurredAt"]
        figure = _figure(entry)
        # Two figures count what came, the other three what went.
        self.figures[figure] += points if figure in ("earned", "pending") else -points
        self.seq = max(self.seq, entry["seq"])
        self.latest_at = max(at, self.latest_at or at)
        if _is_ours(entry):
            self.written[_written_at(entry)] -= points
            return
        self._pass(at)
        count = abs(points)
        match kind:
            case PointsKind.EARNED | PointsKind.ADJUSTED if points > 0:
                self._expiries[entry["seq"]] = expires_at = entry.get("expiresAt")
                self.free[_Lot(expires_at, entry["source"])] += count
            case PointsKind.REFUNDED if points > 0:
                self._give_back(entry, count)
            case PointsKind.RESERVED:
                matched = min(count, self._unmatched)
                self._unmatched -= matched
                for lot, taken in self._take(entry, count - matched):
                    self.held[lot] += taken
            case PointsKind.RELEASED:
                self._release(entry, count)
            case PointsKind.EXPIRED:
                for settled in entry.get("settlements", ()):
                    self.written[settled["expiresAt"] or _NEVER] -= settled["points"]
                    count += settled["points"]
                for lot in sorted((lot for lot in self.waiting if lot.source == entry["source"]), key=_soonest):
                    told = min(count, self.waiting[lot])
                    self.waiting[lot] -= told
                    count -= told
                self._take(entry, count, [lot for lot in self.free if lot.source == entry["source"]])
            case PointsKind.REFUNDED:
                expires_at = self._expiries.get(entry.get("refundOf", 0), _EVER)
                self._take(entry, count, [lot for lot in self.free if lot.expires_at == expires_at])
            case PointsKind.PENDING:
                pass
            case _:
                self._taken[entry["seq"]] = self._take(entry, count)
        self._pay()

    @property
    def is_sound(self) -> bool:
        """Returns whether nothing is owed and every figure is possible: there is nothing to object to then."""
        return not self.owed and all(0 <= count <= MAX_TOTAL for count in self.figures.values())

    def excess(self) -> Counter[datetime]:
        """Returns what entries of ours have wrongly expired, by the expiry: it was used before, or is not ours."""
        rest = self._by_expiry()
        return +Counter({at: written - rest[at] for at, written in self.written.items()})

    def state(self) -> PointsState:
        remaining, held = self._by_expiry(), Counter[datetime | None]()
        for at, written in self.written.items():
            remaining[at] -= min(written, remaining[at])
        for lot, count in self.held.items():
            held[lot.expires_at] += count
            remaining[lot.expires_at] += count
        buckets: list[Bucket] = []
        for expires_at in sorted(remaining, key=lambda expires_at: expires_at or _NEVER):
            if remaining[expires_at]:
                bucket: Bucket = {"expiresAt": expires_at, "remaining": remaining[expires_at]}
                if held[expires_at]:
                    bucket["reserved"] = held[expires_at]
                buckets.append(bucket)
        state: PointsState = {
            "earned": self.figures["earned"],
            "spent": self.figures["spent"],
            "expired": self.figures["expired"],
            "reserved": self.figures["reserved"],
            "pending": self.figures["pending"],
            "owed": self.owed,
            "seq": self.seq,
            "buckets": buckets,
        }
        if self.latest_at and self._is_dated:
            state["latestAt"] = self.latest_at
        return state

    def _by_expiry(self) -> Counter[datetime | None]:
        """Returns what is not reserved, by expiry."""
        free = Counter[datetime | None]()
        for expires_at, count in self.due.items():
            free[expires_at] += count
        for lot, count in self.free.items():
            free[lot.expires_at] += count
        return free

    def _pass(self, now: datetime) -> None:
        for lot in [lot for lot in self.free if lot.expires_at and lot.expires_at <= now]:
            expires_at, count = lot.expires_at or _NEVER, self.free.pop(lot)
            if expires_at <= self.swept.get(lot.source, _EVER):
                self.waiting[lot] += count
            else:
                self.due[expires_at] += count
        self._settle([lot for lot in self.waiting if self.swept[lot.source] < now])

    def finish(self) -> None:
        """Settles what still waits, when there is nothing more to add."""
        self._settle(list(self.waiting))

    def _settle(self, lots: Iterable[_Lot]) -> None:
        """Takes the expiry from what a source leaves when it has told what expired."""
        for lot in lots:
            self.free[_Lot(None, lot.source)] += self.waiting.pop(lot)
        self._pay()

    def _take(self, entry: Entry, count: int, own: Collection[_Lot] = ()) -> list[tuple[_Lot, int]]:
        """Takes points of the entry's own lots first, then those soonest to expire; what is not there is borrowed."""
        taken: list[tuple[_Lot, int]] = []
        for lot in sorted(self.free, key=lambda lot: (lot not in own, *_soonest(lot))):
            if count and self.free[lot]:
                portion = min(count, self.free[lot])
                self.free[lot] -= portion
                count -= portion
                taken.append((lot, portion))
        self.free = +self.free
        if count:
            taken.append((_Lot(None, ""), count))
            self.owed += count
            self.short[entry["seq"]] += count
            if entry["kind"] in _JUDGED and entry["source"] != HERE:
                self.judged_short += count
            else:
                self.other_short += count
        return taken

    def _pay(self) -> None:
        """Pays what is owed with what can be spent, soonest to expire first."""
        if not self.owed:
            return
        for lot in sorted(self.free, key=_soonest):
            paid = min(self.owed, self.free[lot])
            self.free[lot] -= paid
            self.owed -= paid
        self.free = +self.free

    def _release(self, entry: Entry, count: int) -> None:
        for lot in sorted(self.held, key=_soonest):
            released = min(count, self.held[lot])
            self.held[lot] -= released
            count -= released
            self.free[_returned(lot, entry)] += released
        self.held, self.free = +self.held, +self.free
        self._unmatched += count

    def _give_back(self, entry: Entry, count: int) -> None:
        """Gives points back as if less had been spent: last taken, first returned."""
        original = entry.get("refundOf", 0)
        skip = self._given_back[original]
        self._given_back[original] += count
        for lot, portion in reversed(self._taken.get(original, [])):
            skipped = min(skip, portion)
            returned = min(count, portion - skipped)
            skip, count = skip - skipped, count - returned
            self.free[_returned(lot, entry)] += returned
        self.free[_Lot(None, entry["source"])] += count
        self.free = +self.free


def _walked(book: _Book, entries: Sequence[Entry]) -> _Book:
    """Returns the book after these entries."""
    for entry in entries:
        if entry["kind"] == PointsKind.EXPIRED and not _is_ours(entry):
            swept = book.swept.get(entry["source"], entry["occurredAt"])
            book.swept[entry["source"]] = max(swept, entry["occurredAt"])
    for entry in sorted(entries, key=_chronological):
        book.add(entry)
    book.finish()
    return book


def _chronological(entry: Entry) -> tuple[datetime, bool, int, int]:
    """Sorts by time; at one moment what a source tells comes first, in the order in which one leads to another."""
    here = entry["source"] == HERE
    place = 0 if here else _CHAIN.get((PointsKind(entry["kind"]), entry["points"] > 0), 0)
    return entry["occurredAt"], here, place, entry["seq"]


# ---------------------------------------------------------------- small print

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_EVER: Final = datetime.min.replace(tzinfo=UTC)
_CHAIN: Final = {
    (kind, gives): place
    for place, (kind, gives) in enumerate(
        (
            (PointsKind.PENDING, True),
            (PointsKind.PENDING, False),
            (PointsKind.EARNED, True),
            (PointsKind.ADJUSTED, True),
            (PointsKind.RESERVED, False),
            (PointsKind.RELEASED, True),
            (PointsKind.SPENT, False),
            (PointsKind.ADJUSTED, False),
            (PointsKind.REFUNDED, True),
            (PointsKind.REFUNDED, False),
            (PointsKind.EXPIRED, False),
        )
    )
}


def _balance(state: PointsState) -> int:
    return state["earned"] - state["spent"] - state["expired"]


def _figure(entry: Entry) -> Figure:
    gain, loss = MOVES[PointsKind(entry["kind"])]
    return gain if entry["points"] > 0 else loss


def _is_ours(entry: Entry) -> bool:
    return entry["kind"] == PointsKind.EXPIRED and entry["source"] == HERE


def _written_at(entry: Entry) -> datetime:
    """Returns the expiry that an EXPIRED entry of ours tells of."""
    for allocation in entry.get("allocations", ()):  # earlier versions dated some by the clock
        return allocation["expiresAt"] or entry["occurredAt"]
    return entry["occurredAt"]


def _returned(lot: _Lot, entry: Entry) -> _Lot:
    """Returns the lot of points that come back: after their expiry they can be spent until the end of that day."""
    at = entry["occurredAt"]
    if lot.expires_at is None or lot.expires_at > at:
        return lot
    return lot._replace(expires_at=entry.get("graceEndsAt") or end_of_day(at))


def _reservations(state: PointsState) -> list[tuple[Bucket, int]]:
    """Returns each bucket, and how much of it is reserved; in states of earlier versions, what expires soonest."""
    left = state["reserved"] - sum(bucket.get("reserved", 0) for bucket in state["buckets"])
    reserved: list[tuple[Bucket, int]] = []
    for bucket in state["buckets"]:
        more = max(0, min(left, bucket["remaining"] - bucket.get("reserved", 0)))
        reserved.append((bucket, bucket.get("reserved", 0) + more))
        left -= more
    return reserved


def _parts(points: int) -> list[int]:
    """Splits points into amounts that an entry can hold."""
    whole, rest = divmod(points, INT32_MAX)
    return [INT32_MAX] * whole + [rest] * bool(rest)


def _expired(points: int, at: datetime) -> Movement:
    return {"kind": PointsKind.EXPIRED, "points": -points, "occurredAt": at, "source": HERE}


def _entry(state: PointsState, movement: Movement) -> Entry:
    moved = movement["points"] if movement["kind"] in HISTORY else 0
    return {**movement, "seq": state["seq"] + 1, "balanceAfter": _balance(state) + moved}


def _numbered(posting: Posting, movement: Movement | Entry) -> Posting:
    """Returns the posting with one entry more; of its state only the figures that a balance needs."""
    entry = _entry(posting.state, movement)  # pyright: ignore[reportArgumentType] # an entry is a movement and more
    state: PointsState = {**posting.state, "seq": entry["seq"]}
    figure = _figure(entry)
    state[figure] += entry["points"] if figure in ("earned", "pending") else -entry["points"]
    return Posting(state, (*posting.entries, entry))


def _dips(entries: Iterable[Entry], balance: int) -> bool:
    lowest = min(0, balance)
    for entry in entries:
        balance += entry["points"] if entry["kind"] in HISTORY else 0
        if balance < lowest:
            return True
    return False


def _portion(excess: Counter[datetime], points: int) -> list[Portion]:
    """Takes up to ``points`` of the excess, soonest first, and returns them."""
    portion: list[Portion] = []
    for expires_at in sorted(excess):
        taken = min(points, excess[expires_at])
        if taken > 0:
            portion.append({"expiresAt": expires_at, "points": taken})
            excess[expires_at] -= taken
            points -= taken
    for expires_at in [at for at, left in excess.items() if not left]:
        del excess[expires_at]
    return portion


def _undoes(entry: Entry) -> int:
    """Returns how much of its original the entry undoes; earlier versions took a shortfall from what they wrote."""
    return abs(entry["points"]) + (entry.get("shortfall", 0) if "allocations" in entry else 0)


def _deducted(posting: Posting, kind: PointsKind, points: int, now: datetime) -> Posting:
    if _positive(points) > spendable(posting.state):
        raise NotEnoughPoints(spendable=spendable(posting.state), asked=points)
    return posting.then(kind, -points, now=now)


def _positive(points: int) -> int:
    if points < 1:
        raise InvalidPoints(f"At least 1 point has to move, not {points}.")
    return points


def _at_most(limit: int, points: int, what: str) -> int:
    if _positive(points) > limit:
        raise InvalidPoints(f"{points} points were asked for; {limit} are {what}.")
    return points


def _limited(state: PointsState) -> PointsState:
    for figure in ("earned", "spent", "expired", "reserved", "pending"):
        if abs(state[figure]) > MAX_TOTAL:
            raise TotalExceeded(figure, state[figure])
    if owed(state) > MAX_TOTAL:
        raise TotalExceeded("owed", owed(state))
    return state


_SIGNS: Final[Mapping[PointsKind, Literal[-1, 0, 1]]] = {
    PointsKind.EARNED: 1,
    PointsKind.SPENT: -1,
    PointsKind.ADJUSTED: 0,
    PointsKind.EXPIRED: -1,
    PointsKind.REFUNDED: 0,
    PointsKind.RESERVED: -1,
    PointsKind.RELEASED: 1,
    PointsKind.PENDING: 0,
}
"""0: either."""


def _check(movement: Movement | Entry) -> None:
    """Raises InvalidPoints or InvalidExpiry for a movement that cannot be, whatever else there is."""
    points, kind = movement["points"], PointsKind(movement["kind"])
    if points == 0 and not _SIGNS[kind]:
        _positive(points)
    if points == 0 or points * _SIGNS[kind] < 0:
        raise InvalidPoints(f"{kind} cannot have {points} points: the sign is wrong.")
    if expires_at := movement.get("expiresAt"):
        _lasting(expires_at, movement["occurredAt"])


def _check_undone(entry: Entry, original: Entry) -> None:
    """Raises InvalidPoints if the original has nothing of the kind to undo."""
    of = "spent" if entry["points"] > 0 else "earned"
    if _figure(original) != of or original["kind"] == PointsKind.REFUNDED:
        said = f"{original['kind']} {original['points']}"
        raise InvalidPoints(f"refundOf names {said}: no points were {of} by it.")


def _lasting(expires_at: datetime | None, now: datetime) -> datetime | None:
    """Returns the stored expiry of points given ``now``. Raises InvalidExpiry if it is not later."""
    if expires_at is None:
        return None
    if expires_at <= now:
        raise InvalidExpiry(f"Points that are given at {now.isoformat()} cannot expire at {expires_at.isoformat()}.")
    return expiry(expires_at)
