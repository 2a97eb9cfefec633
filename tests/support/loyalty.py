"""A loyalty system of somebody else's, and what it exports. Plain and slow, and no code of ours.

Points are single things. It spends what expires soonest, gives back what was last taken, takes an earning back from
what expires with it, and lets a customer owe points, whom the next ones pay for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any

DAY = timedelta(days=1)
BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
SWEPT_AT = timedelta(hours=3)
EXPORTED_AT = timedelta(hours=3, minutes=30)

Line = dict[str, Any]


@dataclass(eq=False)
class Point:
    """One point. Its expiry may change: what comes back after it lasts until the end of that day."""

    expires_at: datetime | None


@dataclass
class Loyalty:
    """One customer's points as single things, and the lines that are exported of them."""

    sweeps: bool
    """It writes a line for what has expired, every night; else it says only when points expire."""
    random: Random
    is_lenient: bool = False
    """Until that line is written, expired points can be spent; but for one."""
    now: datetime = BEGINNING
    free: list[Point] = field(default_factory=list[Point])
    held: list[Point] = field(default_factory=list[Point])
    debt: int = 0
    pending: int = 0
    lines: list[Line] = field(default_factory=list[Line])
    earnings: dict[str, tuple[int, datetime | None]] = field(default_factory=dict[str, tuple[int, datetime | None]])
    """What may be taken back of each, and when it expires."""
    spendings: dict[str, list[Point]] = field(default_factory=dict[str, list[Point]])

    @property
    def balance(self) -> int:
        """What can be spent, less what is owed."""
        return len(self.alive()) - self.debt

    def alive(self) -> list[Point]:
        """Free and not past their expiry, soonest first."""
        points = [point for point in self.free if point.expires_at is None or point.expires_at > self.now]
        return in_order(points)

    def forget_expired(self) -> int:
        alive = self.alive()
        expired, self.free = len(self.free) - len(alive), alive
        return expired

    def say(self, kind: str, points: int, **content: Any) -> str:
        name = str(len(self.lines) + 1)
        self.lines.append({"id": name, "kind": kind, "points": points, "occurredAt": self.now, **content})
        return name

    # ------------------------------------------------------------ what happens

    def sweep(self) -> None:
        if self.sweeps and (expired := self.forget_expired()):
            self.say("EXPIRED", -expired)

    def earn(self) -> None:
        days, count = self.random.choice([None, 0, 1, 2, 5, 9]), self.random.randint(1, 60)
        midnight = datetime.combine(self.now, time.min, UTC)
        expires_at = None if days is None else midnight + (days + 1) * DAY
        name = self.say("EARNED", count, **({"expiresAt": expires_at} if expires_at else {}))
        self.earnings[name] = count, expires_at
        self.free += [Point(expires_at) for _ in range(count)]
        self.pay()

    def spend(self) -> None:
        alive = self.alive()
        if self.is_lenient:
            alive = [*[point for point in self.free if point not in alive][1:], *alive]
        if alive:
            taken = alive[: self.random.randint(1, len(alive))]
            self.take(taken)
            self.spendings[self.say("SPENT", -len(taken))] = taken

    def refund(self) -> None:
        if self.spendings:
            name = self.random.choice(list(self.spendings))
            taken = self.spendings[name]
            back = [taken.pop() for _ in range(self.random.randint(1, len(taken)))]
            if not taken:
                del self.spendings[name]
            self.say("REFUNDED", len(back), refundOf=name)
            self.give_back(back)

    def claw_back(self) -> None:
        if self.earnings:
            name = self.random.choice(list(self.earnings))
            left, expires_at = self.earnings.pop(name)
            count = self.random.randint(1, left)
            if count < left:
                self.earnings[name] = left - count, expires_at
            self.say("REFUNDED", -count, refundOf=name)
            self.deduct(count, lambda point: point.expires_at == expires_at)

    def correct(self) -> None:
        count = self.random.randint(-40, 40) or 1
        self.say("ADJUSTED", count, reason="Corrected")
        if count > 0:
            self.gain(count)
        else:
            self.deduct(-count)

    def reserve(self) -> None:
        if alive := self.alive():
            taken = alive[: self.random.randint(1, len(alive))]
            self.take(taken)
            self.held += taken
            self.say("RESERVED", -len(taken))

    def release(self) -> None:
        if self.held:
            self.unhold(self.random.randint(1, len(self.held)))

    def capture(self) -> None:
        if self.held and not self.debt:
            count = self.random.randint(1, len(self.held))
            self.unhold(count)
            taken = self.alive()[:count]
            self.take(taken)
            self.spendings[self.say("SPENT", -count)] = taken

    def announce(self) -> None:
        count = self.random.randint(-self.pending, 20) or 1
        self.pending += count
        self.say("PENDING", count)

    # ------------------------------------------------------------ how

    def gain(self, count: int) -> None:
        self.free += [Point(None) for _ in range(count)]
        self.pay()

    def take(self, points: list[Point]) -> None:
        self.free = [point for point in self.free if not any(point is taken for taken in points)]

    def deduct(self, count: int, first: Callable[[Point], bool] = lambda point: False) -> None:
        taken = sorted(self.alive(), key=lambda point: not first(point))[:count]
        self.take(taken)
        self.debt += count - len(taken)

    def pay(self) -> None:
        paid = self.alive()[: self.debt]
        self.take(paid)
        self.debt -= len(paid)

    def give_back(self, points: list[Point]) -> None:
        for point in points:
            if point.expires_at and point.expires_at <= self.now:
                point.expires_at = datetime.combine(self.now, time.min, UTC) + DAY
        self.free += points
        self.pay()

    def unhold(self, count: int) -> None:
        held = in_order(self.held)
        self.held = held[count:]
        self.say("RELEASED", count)
        self.give_back(held[:count])

    def something(self) -> None:
        happenings = [self.earn, self.spend, self.refund, self.claw_back, self.correct, self.reserve, self.release]
        self.random.choice([*happenings, self.earn, self.earn, self.spend, self.capture, self.announce])()


def in_order(points: list[Point]) -> list[Point]:
    """Sorts points, soonest to expire first."""
    return sorted(points, key=lambda point: point.expires_at or datetime.max.replace(tzinfo=UTC))


@dataclass
class Export:
    """The lines of a day, and what the customer has at its end: to spend, less what is owed."""

    at: datetime
    lines: list[Line]
    balance: int
    is_lenient: bool = False
    gift: int = 0
    """What the customer is given after that by somebody else, whom this system does not tell of."""


def life(random: Random, *, sweeps: bool, days: int, gifts: bool = False, is_lenient: bool = False) -> list[Export]:
    """Lives a customer's days, and returns what is exported night by night, just after the sweep."""
    system = Loyalty(sweeps, random, is_lenient)
    if random.random() < 0.3:
        system.correct()
    exports: list[Export] = []
    written = 0
    for day in range(days):
        begin = BEGINNING + day * DAY + EXPORTED_AT
        moments = random.sample(range(1, 24 * 60), random.randint(0, 6))
        if is_lenient:
            moments += random.sample(range(20 * 60 + 30, 23 * 60 + 30), 2)
        happens = [(begin + timedelta(minutes=minute), system.something) for minute in moments]
        happens.append((begin + DAY + SWEPT_AT - EXPORTED_AT, system.sweep))
        for system.now, happening in sorted(happens, key=lambda each: each[0]):
            happening()
        system.now = begin + DAY
        gift = 7 if gifts and random.random() < 0.2 else 0
        exports.append(Export(system.now, system.lines[written:], system.balance, is_lenient, gift))
        system.gain(gift)
        written = len(system.lines)
    return exports
