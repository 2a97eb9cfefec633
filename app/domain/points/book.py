"""Walks through entries in the order of time: figures, and the points that make them up."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

from app.domain.points.entries import (
    HERE,
    MAX_TOTAL,
    Bucket,
    Entry,
    PointsKind,
    PointsState,
    end_of_day,
    figure_of,
    is_own_expiry,
    owed,
    reservations,
)

K = TypeVar("K")

NEVER: Final = datetime.max.replace(tzinfo=UTC)


EVER: Final = datetime.min.replace(tzinfo=UTC)


JUDGED: Final = frozenset({PointsKind.SPENT, PointsKind.EXPIRED, PointsKind.RESERVED})
"""What a source tells of these must have been there. Claw-backs and adjustments may leave a debt."""


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


class Lot(NamedTuple):
    expires_at: datetime | None
    source: str


class Amounts(dict[K, int]):
    """The amounts are of keys that are not there 0. A ``Counter`` takes five times as long to make and to copy."""

    def __missing__(self, key: K) -> int:
        return 0

    def __pos__(self) -> "Amounts[K]":
        """Returns those above zero."""
        return Amounts({key: amount for key, amount in self.items() if amount > 0})


def soonest(lot: Lot) -> tuple[datetime, str]:
    """Sorts lots by their expiry, those without one last."""
    return lot.expires_at or NEVER, lot.source


class Book:
    """A book is a ledger while it is walked through: figures, and the points behind them, by expiry and source."""

    def __init__(self) -> None:
        self.figures: Amounts[str] = Amounts()
        self.free: Amounts[Lot] = Amounts()
        self.held: Amounts[Lot] = Amounts()
        self.due: Amounts[datetime] = Amounts()
        """Past their day and free: not spendable, whether their entry is written or not."""
        self.waiting: Amounts[Lot] = Amounts()
        """Past their day and free: not spendable until their source, which will, has told how many expired."""
        self.written: Amounts[datetime] = Amounts()
        """What entries of ours have expired, by the expiry."""
        self.owed = 0
        self.seq = 0
        self.latest_at: datetime | None = None
        self.short: Amounts[int] = Amounts()
        """By seq: how many of its points were not there at its time."""
        self.judged_short = 0
        self.other_short = 0
        self.swept: dict[str, datetime] = {}
        """By source: up to when its own EXPIRED entries tell what expired."""
        self._is_dated = True
        self._unmatched = 0
        self._taken: dict[int, list[tuple[Lot, int]]] = {}
        self._given_back: Amounts[int] = Amounts()
        self._expiries: dict[int, datetime | None] = {}
        """By seq: of the points that it gave."""

    @classmethod
    def of(cls, state: PointsState) -> "Book":
        book = cls()
        for figure in ("earned", "spent", "expired", "reserved", "pending"):
            book.figures[figure] = state[figure]
        for bucket, held in reservations(state):
            lot = Lot(bucket["expiresAt"], "")
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
        figure = figure_of(entry)
        # Two figures count what came, the other three what went.
        self.figures[figure] += points if figure in ("earned", "pending") else -points
        self.seq = max(self.seq, entry["seq"])
        self.latest_at = max(at, self.latest_at or at)
        if is_own_expiry(entry):
            self.written[_written_at(entry)] -= points
            return
        self._pass(at)
        count = abs(points)
        match kind:
            case PointsKind.EARNED | PointsKind.ADJUSTED | PointsKind.TRANSFERRED_IN if points > 0:
                self._expiries[entry["seq"]] = expires_at = entry.get("expiresAt")
                self.free[Lot(expires_at, entry.get("givenBy", entry["source"]))] += count
            case PointsKind.REFUNDED if points > 0:
                self._give_back(entry, count)
            case PointsKind.RESERVED:
                matched = min(count, self._unmatched)
                self._unmatched -= matched
                for lot, portion in self._take(entry, count - matched):
                    self.held[lot] += portion
            case PointsKind.RELEASED:
                self._release(entry, count)
            case PointsKind.EXPIRED:
                for settled in entry.get("settlements", ()):
                    self.written[settled["expiresAt"] or NEVER] -= settled["points"]
                    count += settled["points"]
                for lot in sorted((lot for lot in self.waiting if lot.source == entry["source"]), key=soonest):
                    expired = min(count, self.waiting[lot])
                    self.waiting[lot] -= expired
                    count -= expired
                self._take(entry, count, [lot for lot in self.free if lot.source == entry["source"]])
            case PointsKind.REFUNDED:
                expires_at = self._expiries.get(entry.get("refundOf", 0), EVER)
                self._take(entry, count, [lot for lot in self.free if lot.expires_at == expires_at])
            case PointsKind.TRANSFERRED_OUT if points > 0:
                self.free[Lot(None, entry["source"])] += count  # a debt that somebody else has taken over
            case PointsKind.TRANSFERRED_OUT:
                self._take(entry, count, [lot for lot in self.free if lot.expires_at == entry.get("expiresAt")])
            case PointsKind.PENDING:
                pass
            case _:
                self._taken[entry["seq"]] = self._take(entry, count)
        self._pay()

    @property
    def is_sound(self) -> bool:
        """Returns whether nothing is owed and every figure is possible: there is nothing to object to then."""
        return not self.owed and all(0 <= count <= MAX_TOTAL for count in self.figures.values())

    def excess(self) -> Amounts[datetime]:
        """Returns what entries of ours have wrongly expired, by the expiry: it was used before, or is not ours."""
        rest = self._by_expiry()
        return +Amounts({at: written - rest[at] for at, written in self.written.items()})

    def state(self) -> PointsState:
        remaining, held = self._by_expiry(), Amounts[datetime | None]()
        for at, written in self.written.items():
            remaining[at] -= min(written, remaining[at])
        for lot, count in self.held.items():
            held[lot.expires_at] += count
            remaining[lot.expires_at] += count
        buckets: list[Bucket] = []
        for expires_at in sorted(remaining, key=lambda expires_at: expires_at or NEVER):
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

    def _by_expiry(self) -> Amounts[datetime | None]:
        """Returns what is not reserved, by expiry."""
        free = Amounts[datetime | None]()
        for expires_at, count in self.due.items():
            free[expires_at] += count
        for lot, count in self.free.items():
            free[lot.expires_at] += count
        return free

    def _pass(self, now: datetime) -> None:
        for lot in [lot for lot in self.free if lot.expires_at and lot.expires_at <= now]:
            expires_at, count = lot.expires_at or NEVER, self.free.pop(lot)
            if expires_at <= self.swept.get(lot.source, EVER):
                self.waiting[lot] += count
            else:
                self.due[expires_at] += count
        self._settle([lot for lot in self.waiting if self.swept[lot.source] < now])

    def finish(self) -> None:
        """Settles what still waits, when there is nothing more to add."""
        self._settle(list(self.waiting))

    def _settle(self, lots: Iterable[Lot]) -> None:
        """Takes the expiry from what a source leaves when it has told what expired."""
        for lot in lots:
            self.free[Lot(None, lot.source)] += self.waiting.pop(lot)
        self._pay()

    def _take(self, entry: Entry, count: int, own: Collection[Lot] = ()) -> list[tuple[Lot, int]]:
        """Takes points of the entry's own lots first, then those soonest to expire; what is not there is borrowed."""
        portions: list[tuple[Lot, int]] = []
        for lot in sorted(self.free, key=lambda lot: (lot not in own, *soonest(lot))):
            if count and self.free[lot]:
                portion = min(count, self.free[lot])
                self.free[lot] -= portion
                count -= portion
                portions.append((lot, portion))
        self.free = +self.free
        if count:
            portions.append((Lot(None, ""), count))
            self.owed += count
            self.short[entry["seq"]] += count
            if entry["kind"] in JUDGED and entry["source"] != HERE:
                self.judged_short += count
            else:
                self.other_short += count
        return portions

    def _pay(self) -> None:
        """Pays what is owed with what can be spent, soonest to expire first."""
        if not self.owed:
            return
        for lot in sorted(self.free, key=soonest):
            paid = min(self.owed, self.free[lot])
            self.free[lot] -= paid
            self.owed -= paid
        self.free = +self.free

    def _release(self, entry: Entry, count: int) -> None:
        for lot in sorted(self.held, key=soonest):
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
        self.free[Lot(None, entry["source"])] += count
        self.free = +self.free


def walk(book: Book, entries: Sequence[Entry]) -> Book:
    """Returns the book after these entries."""
    for entry in entries:
        if entry["kind"] == PointsKind.EXPIRED and not is_own_expiry(entry):
            swept = book.swept.get(entry["source"], entry["occurredAt"])
            book.swept[entry["source"]] = max(swept, entry["occurredAt"])
    for entry in sorted(entries, key=chronological):
        book.add(entry)
    book.finish()
    return book


def chronological(entry: Entry) -> tuple[datetime, bool, int, int]:
    """Sorts by time; at one moment what a source tells comes first, in the order in which one leads to another."""
    here = entry["source"] == HERE
    place = 0 if here else _CHAIN.get((PointsKind(entry["kind"]), entry["points"] > 0), 0)
    return entry["occurredAt"], here, place, entry["seq"]


def _written_at(entry: Entry) -> datetime:
    """Returns the expiry that an EXPIRED entry of ours tells of."""
    for allocation in entry.get("allocations", ()):  # earlier versions dated some by the clock
        return allocation["expiresAt"] or entry["occurredAt"]
    return entry["occurredAt"]


def _returned(lot: Lot, entry: Entry) -> Lot:
    """Returns the lot of points that come back: after their expiry they can be spent until the end of that day."""
    at = entry["occurredAt"]
    if lot.expires_at is None or lot.expires_at > at:
        return lot
    return lot._replace(expires_at=entry.get("graceEndsAt") or end_of_day(at))
