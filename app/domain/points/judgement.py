"""Judges what another ledger tells: it may be older than what is known, or undo something."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Final, Literal, NamedTuple

from app.domain.points.book import JUDGED, Amounts, Book, chronological, walk
from app.domain.points.entries import (
    HERE,
    HISTORY,
    TRANSFERS,
    Entry,
    Movement,
    PointsKind,
    PointsState,
    Portion,
    balance_of,
    empty,
    figure_of,
)
from app.domain.points.posting import (
    Posting,
    check_expiry,
    check_positive,
    check_totals,
    expiry_movement,
    next_entry,
    split_points,
)
from app.domain.points.refusals import InvalidPoints, NotEnoughPoints, OutOfOrder, TotalExceeded
from app.domain.refusals import Refusal

_STEPS_AT_MOST: Final = 200_000
"""How many entries may be walked through for lines of one customer that are not right together: about a second."""


class Judgement(NamedTuple):
    """A judgement says what happened to each movement, by its place: the entry, or why there is none.

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


def enter(state: PointsState, movements: Sequence[Movement], entries: Sequence[Entry] = ()) -> Judgement:
    """Judges what a source tells, each movement at its own time, among ``entries``: all that there are, by ``seq``.

    They may be left out where ``needs_entries`` says so. A movement can undo another of the same call: that one's
    number is then ``state["seq"] + 1 +`` its place. Of what is told together nothing is refused that the whole makes
    right; what was taken in before is never refused, it makes a debt. Raises nothing.
    """
    judge = _Judge(state, movements, entries)
    judge.decide()
    return judge.judgement()


class _Judge:
    def __init__(self, state: PointsState, movements: Sequence[Movement], entries: Sequence[Entry]) -> None:
        self._start: PointsState = {**empty(), **state}
        self._known = list(entries)
        self._first = state["seq"] + 1
        # As if each were an entry: its number decides between two of one moment.
        self._movements: list[Entry] = [
            {**movement, "seq": self._first + place, "balanceAfter": 0} for place, movement in enumerate(movements)
        ]
        self._accepted: list[int] = []
        self._refused: dict[int, Refusal] = {}
        self._steps_left = max(_STEPS_AT_MOST, 20 * (len(entries) + len(movements)))
        self._whole: Book | None = None
        """With all of them, as they came."""

    @cached_property
    def _before(self) -> Book:
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
            if figure_of(self._movements[place]) == "earned" and self._movements[place]["points"] > 0:
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

    def _new_book(self) -> Book:
        """Returns the book to walk on with: of the state alone where there are no entries to walk through."""
        return Book.of(self._start) if self._start["seq"] and not self._known else Book()

    def _book(self, places: Iterable[int]) -> Book:
        entries = [*self._known, *(self._movements[place] for place in places)]
        self._steps_left -= len(entries)
        return walk(self._new_book(), entries)

    def judgement(self) -> Judgement:
        """Returns the accepted ones numbered as they came or, should that lead below zero, as they happened."""
        order, book = self._accepted, self._whole
        if _dips([self._movements[place] for place in order], balance_of(self._start)):
            order, book = sorted(order, key=lambda place: chronological(self._movements[place])), None
        seqs = {place: self._first + number for number, place in enumerate(order)}
        own: list[Entry] = []
        for place in order:
            entry: Entry = {**self._movements[place], "seq": seqs[place]}
            if (original := entry.get("refundOf", 0)) >= self._first:
                entry["refundOf"] = seqs[original - self._first]
            own.append(entry)
        book = book or walk(self._new_book(), [*self._known, *own])

        posting = Posting(self._start)
        excess = book.excess()
        is_final = not excess  # what expired wrongly is told by entries that are still to be made
        for entry in own:
            if entry["kind"] is PointsKind.EXPIRED and (settled := _portion(excess, -entry["points"])):
                entry["settlements"] = settled
                entry["points"] += sum(portion["points"] for portion in settled)
            # What was judged is there by now, from somewhere: it was told before what it was paid with.
            if entry["kind"] not in JUDGED and (short := book.short[entry["seq"]]):
                entry["shortfall"] = short
            posting = _numbered(posting, entry)
        for expires_at, points in sorted(excess.items()):
            for part in split_points(points):
                posting = _numbered(posting, expiry_movement(-part, expires_at))
        final = book if is_final else walk(self._new_book(), [*self._known, *posting.entries])
        return Judgement(Posting(final.state(), posting.entries), seqs, self._refused)


def _objection(before: Book, after: Book, movement: Entry | None) -> Refusal | None:
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
        check_totals(after.state())
    except TotalExceeded as limit:
        return limit
    return None


def _numbered(posting: Posting, movement: Movement | Entry) -> Posting:
    """Returns the posting with one entry more; of its state only the figures that a balance needs."""
    entry = next_entry(posting.state, movement)  # pyright: ignore[reportArgumentType] # an entry is a movement and more
    state: PointsState = {**posting.state, "seq": entry["seq"]}
    figure = figure_of(entry)
    state[figure] += entry["points"] if figure in ("earned", "pending") else -entry["points"]
    return Posting(state, (*posting.entries, entry))


def _dips(entries: Iterable[Entry], balance: int) -> bool:
    lowest = min(0, balance)
    for entry in entries:
        balance += entry["points"] if entry["kind"] in HISTORY else 0
        if balance < lowest:
            return True
    return False


def _portion(excess: Amounts[datetime], points: int) -> list[Portion]:
    """Takes up to ``points`` of the excess, soonest first, and returns them."""
    portion: list[Portion] = []
    for expires_at in sorted(excess):
        part = min(points, excess[expires_at])
        if part > 0:
            portion.append({"expiresAt": expires_at, "points": part})
            excess[expires_at] -= part
            points -= part
    for expires_at in [at for at, left in excess.items() if not left]:
        del excess[expires_at]
    return portion


def _undoes(entry: Entry) -> int:
    """Returns how much of its original the entry undoes; earlier versions took a shortfall from what they wrote."""
    return abs(entry["points"]) + (entry.get("shortfall", 0) if "allocations" in entry else 0)


_SIGNS: Final[Mapping[PointsKind, Literal[-1, 0, 1]]] = {
    PointsKind.EARNED: 1,
    PointsKind.SPENT: -1,
    PointsKind.ADJUSTED: 0,
    PointsKind.EXPIRED: -1,
    PointsKind.REFUNDED: 0,
    PointsKind.RESERVED: -1,
    PointsKind.RELEASED: 1,
    PointsKind.PENDING: 0,
    **dict.fromkeys(TRANSFERS, 0),
}
"""0: either."""


def _check(movement: Movement | Entry) -> None:
    """Raises InvalidPoints or InvalidExpiry for a movement that cannot be, whatever else there is."""
    points, kind = movement["points"], PointsKind(movement["kind"])
    if points == 0 and not _SIGNS[kind]:
        check_positive(points)
    if points == 0 or points * _SIGNS[kind] < 0:
        raise InvalidPoints(f"{kind} cannot have {points} points: the sign is wrong.")
    if expires_at := movement.get("expiresAt"):
        check_expiry(expires_at, movement["occurredAt"])


def _check_undone(entry: Entry, original: Entry) -> None:
    """Raises InvalidPoints if the original has nothing of the kind to undo."""
    of = "spent" if entry["points"] > 0 else "earned"
    if figure_of(original) != of or original["kind"] in {PointsKind.REFUNDED, *TRANSFERS}:
        name = f"{original['kind']} {original['points']}"
        raise InvalidPoints(f"refundOf names {name}: no points were {of} by it.")
