"""What one ledger hands over to another: nothing is lost, and each portion keeps its expiry."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from app.domain import points
from app.domain.points import Entry, NotEnoughPoints, PointsKind, PointsState, Posting, ReservationOpen, TotalExceeded
from tests.support import loyalty
from tests.support.loyalty import Loyalty

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def _ledger(random: Random) -> tuple[PointsState, list[Entry], datetime]:
    """A random ledger, also one that owes points, and the time of its last entry."""
    state, entries, now = points.empty(), list[Entry](), BEGIN
    for _ in range(random.randrange(14)):
        now += timedelta(hours=random.randrange(200))
        expires_at = now + timedelta(days=random.randrange(1, 40)) if random.random() < 0.7 else None
        try:
            posting = _step(random, state, entries, now, expires_at)
        except NotEnoughPoints:
            continue
        state = posting.state
        entries += posting.entries
    return state, entries, now


def _step(
    random: Random, state: PointsState, entries: list[Entry], now: datetime, expires_at: datetime | None
) -> Posting:
    match random.randrange(6):
        case 0 | 1:
            return points.earn(state, random.randrange(1, 500), now=now, expires_at=expires_at)
        case 2:
            return points.spend(state, random.randrange(1, 300), now=now)
        case 3:
            return points.pend(state, random.randrange(1, 50), now=now)
        case 4:
            return points.expire_due(state, now=now)
        case _:
            taken: points.Movement = {
                "kind": PointsKind.ADJUSTED,
                "points": -random.randrange(1, 600),
                "occurredAt": now,
                "source": "loyalty",
            }
            return points.enter(state, [taken], entries).posting


def _balance(state: PointsState) -> int:
    return state["earned"] - state["spent"] - state["expired"]


def _by_expiry(*states: PointsState) -> Counter[datetime | None]:
    found = Counter[datetime | None]()
    for state in states:
        for bucket in state["buckets"]:
            found[bucket["expiresAt"]] += bucket["remaining"]
    return found


@pytest.mark.parametrize("seed", range(400))
def test_what_two_have_is_what_one_has_then_bucket_by_bucket(seed: int) -> None:
    random = Random(seed)
    (giving, given, one), (taking, taken, other) = _ledger(random), _ledger(random)
    now = max(one, other) + timedelta(hours=random.randrange(300))
    transfer = points.transfer(giving, taking, now=now)
    before = points.as_of(giving, now), points.as_of(taking, now)
    assert points.audit(transfer.out.state, [*given, *transfer.out.entries])["ok"]
    assert points.audit(transfer.into.state, [*taken, *transfer.into.entries])["ok"]
    assert sum(map(_balance, before)) == _balance(transfer.into.state)
    assert sum(state["pending"] for state in before) == transfer.into.state["pending"]
    left = transfer.out.state
    assert (_balance(left), left["buckets"], points.owed(left), left["pending"]) == (0, [], 0, 0)
    if not any(map(points.owed, before)):
        assert _by_expiry(*before) == _by_expiry(transfer.into.state)
    entries = {("out", entry["seq"]): entry for entry in transfer.out.entries}
    entries |= {("into", entry["seq"]): entry for entry in transfer.into.entries}
    for place, counterpart in transfer.pairs:
        out, into = entries["out", place], entries["into", counterpart]
        assert (out["points"], out.get("expiresAt")) == (-into["points"], into.get("expiresAt"))


@pytest.mark.parametrize("is_undone", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_a_source_that_says_what_expires_is_believed_of_points_that_came_with_a_merge(
    seed: int, is_undone: bool
) -> None:
    """Two of its customers are one from some night on, or were for a moment; a worker expires points before it does."""
    random = Random(seed)
    systems = [Loyalty(True, random), Loyalty(True, random)]
    ledgers: list[tuple[PointsState, list[Entry]]] = [(points.empty(), []), (points.empty(), [])]
    written = [0, 0]
    merged = random.randrange(2, 18)
    for day in range(20):
        at = loyalty.BEGINNING + day * loyalty.DAY
        ledgers = [_added(ledger, points.expire_due(ledger[0], now=at)) for ledger in ledgers]
        for place, system in enumerate(systems):
            for minute in sorted(random.sample(range(1, 170), 3)):
                system.now = at + timedelta(minutes=minute)
                # Which points are spent is another matter where two have one balance.
                random.choice([system.earn, system.earn, system.spend if day < merged else system.earn])()
            system.now = at + timedelta(hours=3)
            system.sweep()
            told = [_movement(line) for line in system.lines[written[place] :]]
            written[place] = len(system.lines)
            mine = 0 if day > merged and not is_undone else place
            judged = points.enter(ledgers[mine][0], told, ledgers[mine][1])
            assert not judged.refused
            ledgers[mine] = _added(ledgers[mine], judged.posting)
        if day == merged:
            (into, known), (other, others) = ledgers
            now = at + timedelta(hours=4)
            handed = points.transfer(other, into, now=now, entries=others)
            ledgers = [_added(ledgers[0], handed.into), _added(ledgers[1], handed.out)]
            if is_undone:
                moved = [each for each in handed.into.entries if each["kind"] in points.TRANSFERS]
                only: list[points.Portion] = [
                    {"expiresAt": each.get("expiresAt"), "points": each["points"]} for each in moved
                ]
                known = [*known, *handed.into.entries]
                back = points.transfer(handed.into.state, handed.out.state, now=now, entries=known, only=only)
                ledgers = [_added(ledgers[0], back.out), _added(ledgers[1], back.into)]
        theirs = [points.spendable(state) - points.owed(state) for state, _ in ledgers]
        assert sum(theirs) == sum(system.balance for system in systems)
        assert all(points.audit(*ledger)["ok"] for ledger in ledgers)


def _movement(line: loyalty.Line) -> points.Movement:
    movement: Any = {key: value for key, value in line.items() if key != "id"} | {"source": "loyalty"}
    return movement


def _added(ledger: tuple[PointsState, list[Entry]], posting: Posting) -> tuple[PointsState, list[Entry]]:
    return posting.state, [*ledger[1], *posting.entries]


def test_reserved_points_are_not_handed_over() -> None:
    earned = points.earn(points.empty(), 50, now=BEGIN)
    reserved = points.reserve(earned.state, 20, now=BEGIN)
    with pytest.raises(ReservationOpen):
        points.transfer(reserved.state, points.empty(), now=BEGIN)


def test_only_some_portions_go_back_as_far_as_they_are_there() -> None:
    soon = BEGIN + timedelta(days=5)
    earned = points.earn(points.empty(), 50, now=BEGIN, expires_at=soon)
    spent = points.spend(earned.state, 30, now=BEGIN)
    back = points.transfer(
        spent.state,
        points.empty(),
        now=BEGIN,
        only=[{"expiresAt": soon, "points": 45}, {"expiresAt": None, "points": 9}],
    )
    assert (back.out.state["buckets"], back.into.state["buckets"]) == ([], [{"expiresAt": soon, "remaining": 20}])


@pytest.mark.parametrize("seed", range(400))
def test_what_was_handed_over_goes_back_with_what_is_owed_and_pending(seed: int) -> None:
    """Two hand over to one who owes nothing, and take theirs back."""
    random = Random(seed)
    ledgers = [_ledger(random) for _ in range(3)]
    now = max(last for *_, last in ledgers) + timedelta(hours=random.randrange(300))
    (taking, *_), *givers = ledgers
    if points.owed(taking):
        return
    before = [points.as_of(state, now) for state, *_ in ledgers]
    after, portions = list[PointsState](), list[list[points.Portion]]()
    for giving, *_ in givers:
        handed = points.transfer(giving, taking, now=now)
        taking = handed.into.state
        after.append(handed.out.state)
        moved = [entry for entry in handed.into.entries if entry["kind"] in points.TRANSFERS]
        portions.append([{"expiresAt": each.get("expiresAt"), "points": each["points"]} for each in moved])
    for place in sorted(range(2), key=lambda place: sum(each["points"] for each in portions[place])):
        most = before[place + 1]["pending"]
        back = points.transfer(taking, after[place], now=now, only=portions[place], pending_at_most=most)
        taking, after[place] = back.out.state, back.into.state
    for one, other in zip(before, (taking, *after), strict=True):
        assert (points.owed(one), one["pending"]) == (points.owed(other), other["pending"])
        if not any(map(points.owed, before)):
            assert (_balance(one), _by_expiry(one)) == (_balance(other), _by_expiry(other))
    assert sum(map(_balance, before)) == _balance(taking) + sum(map(_balance, after))


def test_a_bucket_larger_than_an_entry_is_handed_over_by_several() -> None:
    state = points.empty()
    for _ in range(3):
        state = points.earn(state, points.INT32_MAX, now=BEGIN).state
    transfer = points.transfer(state, points.empty(), now=BEGIN)
    assert [entry["points"] for entry in transfer.into.entries] == [points.INT32_MAX] * 3


def test_more_than_can_be_kept_is_refused() -> None:
    full: PointsState = {
        **points.empty(),
        "earned": points.MAX_TOTAL,
        "buckets": [{"expiresAt": None, "remaining": points.MAX_TOTAL}],
    }
    one = points.earn(points.empty(), 1, now=BEGIN).state
    with pytest.raises(TotalExceeded):
        points.transfer(one, full, now=BEGIN)


def test_a_thousand_buckets_are_handed_over_at_once() -> None:
    """Each entry by itself would walk through all of them again."""
    buckets: list[points.Bucket] = [
        {"expiresAt": BEGIN + timedelta(days=day), "remaining": 1} for day in range(1, 3_001)
    ]
    many: PointsState = {**points.empty(), "earned": 3_000, "buckets": buckets}
    assert len(points.transfer(many, points.empty(), now=BEGIN).pairs) == 3_000
