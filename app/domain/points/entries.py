"""Holds what is stored of a points ledger: entries, balances, and what they say by themselves."""

from datetime import MAXYEAR, UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final, Literal, NotRequired, TypedDict

from app.domain.times import stored

INT32_MAX = 2**31 - 1
"""GraphQL's Int ends here, and so do the points of one entry."""


MAX_TOTAL = 2**53 - 1
"""Every total ends here: the greatest whole number that JSON readers in JavaScript hold exactly."""


HERE: Final = "platform"
"""The source of what this gateway writes itself. Its EXPIRED entries follow from the others; a source's say it."""


class PointsKind(StrEnum):
    EARNED = "EARNED"
    SPENT = "SPENT"
    ADJUSTED = "ADJUSTED"
    EXPIRED = "EXPIRED"
    REFUNDED = "REFUNDED"
    RESERVED = "RESERVED"
    RELEASED = "RELEASED"
    PENDING = "PENDING"
    TRANSFERRED_IN = "TRANSFERRED_IN"
    TRANSFERRED_OUT = "TRANSFERRED_OUT"


TRANSFERS = frozenset({PointsKind.TRANSFERRED_IN, PointsKind.TRANSFERRED_OUT})
"""What moves between two customers who are merged. Of either there may be a debt, which has the other sign."""

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
    PointsKind.TRANSFERRED_IN: ("earned", "spent"),
    PointsKind.TRANSFERRED_OUT: ("earned", "spent"),
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
    givenBy: NotRequired[str]  # of points that came with a merge: the source that gave them, and will say what expires


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
    givenBy: NotRequired[str]
    allocations: NotRequired[list[Portion]]  # of entries of earlier versions: what they took


def empty() -> PointsState:
    """Returns the balance of a customer without entries."""
    return {"earned": 0, "spent": 0, "expired": 0, "reserved": 0, "pending": 0, "owed": 0, "seq": 0, "buckets": []}


def owed(state: PointsState) -> int:
    """Returns what was taken beyond what was there: what comes in pays it first."""
    return state.get("owed", 0)


def spendable(state: PointsState) -> int:
    """Returns what is left to spend, due points included until they are expired: see ``as_of``."""
    return sum(bucket["remaining"] for bucket in state["buckets"]) - state["reserved"]


def balance_of(state: PointsState) -> int:
    """Returns what the entries of the history add up to."""
    return state["earned"] - state["spent"] - state["expired"]


def reservations(state: PointsState) -> list[tuple[Bucket, int]]:
    """Returns each bucket, and how much of it is reserved; in states of earlier versions, what expires soonest."""
    left = state["reserved"] - sum(bucket.get("reserved", 0) for bucket in state["buckets"])
    reserved: list[tuple[Bucket, int]] = []
    for bucket in state["buckets"]:
        more = max(0, min(left, bucket["remaining"] - bucket.get("reserved", 0)))
        reserved.append((bucket, bucket.get("reserved", 0) + more))
        left -= more
    return reserved


def figure_of(entry: Entry) -> Figure:
    """Returns the figure that the entry moves."""
    gain, loss = MOVES[PointsKind(entry["kind"])]
    return gain if entry["points"] > 0 else loss


def is_own_expiry(entry: Entry) -> bool:
    """Returns whether the entry is an EXPIRED one of this gateway."""
    return entry["kind"] == PointsKind.EXPIRED and entry["source"] == HERE


def end_of_day(at: datetime, zone: tzinfo = UTC) -> datetime:
    """Returns the midnight that ends the day of ``at`` in ``zone``. Raises OverflowError on the calendar's last day."""
    day = at.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def expiry(expires_at: datetime) -> datetime | None:
    """Returns the expiry as it is stored; None in the year 9999, by which systems without a null say "never"."""
    return None if expires_at.year == MAXYEAR else stored(expires_at)
