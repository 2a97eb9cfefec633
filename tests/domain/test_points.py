"""The points ledger, first by example, then against a model that keeps every point as a thing of its own."""

from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from app.domain.points import (
    HISTORY,
    MAX_TOTAL,
    Entry,
    PointsKind,
    PointsState,
    Posting,
    activate,
    adjust,
    as_of,
    audit,
    capture,
    claw_back,
    earn,
    empty,
    expire_due,
    expiry_day,
    pend,
    post,
    refund_spend,
    release,
    replay,
    reserve,
    spend,
    spendable,
)
from app.domain.refusals import Refusal

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SOON, LATER = NOW + 5 * DAY, NOW + 50 * DAY


def earned(*points: int | tuple[int, datetime]) -> PointsState:
    """A balance of these earnings, each alone (without expiry) or with its expiry."""
    state = empty()
    for given_points in points:
        amount, expires_at = given_points if isinstance(given_points, tuple) else (given_points, None)
        state = earn(state, amount, now=NOW, expires_at=expires_at).state
    return state


def moved(posting: Posting) -> list[tuple[str, int, int]]:
    return [(entry["kind"], entry["points"], entry["balanceAfter"]) for entry in posting.entries]


def figures(state: PointsState) -> dict[str, int]:
    """Those that are not zero."""
    return {name: value for name, value in state.items() if isinstance(value, int) and value and name != "seq"}


def buckets(state: PointsState) -> dict[datetime | None, int]:
    return {bucket["expiresAt"]: bucket["remaining"] for bucket in state["buckets"]}


def took(entry: Entry) -> list[tuple[datetime | None, int]]:
    return [(allocation["expiresAt"], allocation["points"]) for allocation in entry.get("allocations", [])]


# ---------------------------------------------------------------- each row of the table


def test_earned_points_are_spendable_and_keep_their_expiry() -> None:
    posting = earn(earned(5), 10, now=NOW, expires_at=SOON)
    assert posting.entries == (
        {"seq": 2, "kind": "EARNED", "points": 10, "balanceAfter": 15, "expiresAt": expiry_day(SOON)},
    )
    assert figures(posting.state) == {"earned": 15}
    assert buckets(posting.state) == {expiry_day(SOON): 10, None: 5}
    assert spendable(posting.state) == 15


def test_points_of_one_expiry_day_share_a_bucket() -> None:
    assert buckets(earned((1, SOON), (2, SOON + timedelta(hours=3)))) == {expiry_day(SOON): 3}


def test_buckets_are_kept_soonest_first_and_the_one_without_expiry_last() -> None:
    assert list(buckets(earned(1, (2, LATER), (3, SOON)))) == [expiry_day(SOON), expiry_day(LATER), None]


def test_spending_takes_what_expires_soonest_and_drops_the_empty_bucket() -> None:
    posting = spend(earned(100, (10, LATER), (20, SOON)), 25, now=NOW)
    assert moved(posting) == [("SPENT", -25, 105)]
    assert took(posting.entries[0]) == [(expiry_day(SOON), 20), (expiry_day(LATER), 5)]
    assert buckets(posting.state) == {expiry_day(LATER): 5, None: 100}
    assert figures(posting.state) == {"earned": 130, "spent": 25}


def test_an_addition_by_hand_counts_as_earned_and_a_deduction_as_spent() -> None:
    added = adjust(empty(), 30, now=NOW, expires_at=SOON)
    deducted = adjust(added.state, -10, now=NOW)
    assert moved(added) + moved(deducted) == [("ADJUSTED", 30, 30), ("ADJUSTED", -10, 20)]
    assert figures(deducted.state) == {"earned": 30, "spent": 10}
    assert took(deducted.entries[0]) == [(expiry_day(SOON), 10)]


def test_each_due_bucket_expires_in_an_entry_of_its_own_soonest_first() -> None:
    posting = expire_due(earned(1, (10, LATER), (20, SOON)), now=LATER + DAY)
    assert moved(posting) == [("EXPIRED", -20, 11), ("EXPIRED", -10, 1)]
    assert figures(posting.state) == {"earned": 31, "expired": 30}
    assert buckets(posting.state) == {None: 1}


def test_reserved_points_do_not_expire() -> None:
    state = reserve(earned((20, SOON)), 15, now=NOW).state
    posting = expire_due(state, now=SOON + DAY)
    assert moved(posting) == [("EXPIRED", -5, 15)]
    assert buckets(posting.state) == {expiry_day(SOON): 15}
    assert expire_due(posting.state, now=SOON + DAY).entries == ()


def test_a_deduction_first_expires_what_is_due() -> None:
    state = earned(50, (20, SOON))
    now = SOON + DAY
    for posting in (spend(state, 50, now=now), adjust(state, -50, now=now), reserve(state, 50, now=now)):
        assert [entry["points"] for entry in posting.entries] == [-20, -50]
        assert spendable(posting.state) == 0


def test_a_reservation_is_not_spendable_and_not_in_the_history() -> None:
    posting = reserve(earned(30), 20, now=NOW)
    assert moved(posting) == [("RESERVED", -20, 30)]
    assert figures(posting.state) == {"earned": 30, "reserved": 20}
    assert spendable(posting.state) == 10
    assert buckets(posting.state) == {None: 30}


def test_a_release_makes_points_spendable_again() -> None:
    posting = release(reserve(earned(30), 20, now=NOW).state, 15)
    assert moved(posting) == [("RELEASED", 15, 30)]
    assert spendable(posting.state) == 25


def test_a_capture_releases_and_spends_together_even_what_fell_due_meanwhile() -> None:
    state = reserve(earned(5, (20, SOON)), 15, now=NOW).state
    posting = capture(state, 15, now=SOON + DAY)
    assert moved(posting) == [("EXPIRED", -10, 15), ("RELEASED", 15, 15), ("SPENT", -15, 0)]
    assert figures(posting.state) == {"earned": 25, "spent": 15, "expired": 10}


def test_pending_points_are_not_spendable_until_they_are_activated() -> None:
    pending = pend(empty(), 40)
    assert moved(pending) == [("PENDING", 40, 0)]
    assert spendable(pending.state) == 0
    activated = activate(pending.state, 30, now=NOW, expires_at=SOON)
    assert moved(activated) == [("PENDING", -30, 0), ("EARNED", 30, 30)]
    assert figures(activated.state) == {"earned": 30, "pending": 10}
    assert figures(pend(activated.state, -10).state) == {"earned": 30}


def test_a_refund_returns_the_points_last_taken_first_as_if_less_had_been_spent() -> None:
    before = earned(100, (10, LATER), (20, SOON))
    spent = spend(before, 25, now=NOW)
    some = refund_spend(spent.state, spent.entries[0], 7, now=NOW)
    assert moved(some) == [("REFUNDED", 7, 112)]
    assert some.entries[0].get("refundOf") == spent.entries[0]["seq"]
    assert buckets(some.state) == buckets(spend(before, 18, now=NOW).state)
    rest = refund_spend(some.state, spent.entries[0], 18, now=NOW, refunds=some.entries)
    assert buckets(rest.state) == buckets(before)
    assert figures(rest.state) == figures(before)


def test_refunded_points_whose_day_has_passed_expire_at_once() -> None:
    spent = spend(earned(5, (20, SOON)), 25, now=NOW)
    posting = refund_spend(spent.state, spent.entries[0], 25, now=SOON + DAY)
    assert moved(posting) == [("REFUNDED", 25, 25), ("EXPIRED", -20, 5)]
    assert spendable(posting.state) == 5


def test_a_claw_back_takes_its_own_bucket_first() -> None:
    later = earn(earned((30, SOON)), 10, now=NOW, expires_at=LATER)
    posting = claw_back(later.state, later.entries[0], 10, now=NOW)
    assert moved(posting) == [("REFUNDED", -10, 30)]
    assert figures(posting.state) == {"earned": 30}
    assert buckets(posting.state) == {expiry_day(SOON): 30}


def test_a_claw_back_takes_at_most_what_is_spendable_and_notes_the_shortfall() -> None:
    first = earn(empty(), 100, now=NOW)
    state = spend(first.state, 70, now=NOW).state
    posting = claw_back(state, first.entries[0], 100, now=NOW)
    assert moved(posting) == [("REFUNDED", -30, 0)]
    assert posting.entries[0].get("shortfall") == 70
    assert figures(posting.state) == {"earned": 70, "spent": 70}
    nothing_left = claw_back(state := spend(state, 30, now=NOW).state, first.entries[0], 100, now=NOW)
    assert moved(nothing_left) == [("REFUNDED", 0, 0)]
    assert figures(nothing_left.state) == figures(state)


# ---------------------------------------------------------------- when a day ends


@pytest.mark.parametrize(
    ("promised", "kept"),
    [
        (datetime(2026, 3, 31, 10, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)),
        (datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)),
        (datetime(2026, 3, 31, 23, tzinfo=timezone(timedelta(hours=-5))), datetime(2026, 4, 2, tzinfo=UTC)),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), None),
    ],
)
def test_points_live_to_the_end_of_their_day_and_what_was_kept_may_be_promised_again(
    promised: datetime, kept: datetime | None
) -> None:
    assert expiry_day(promised) == kept
    assert kept is None or expiry_day(kept) == kept >= promised


def test_points_are_spendable_until_the_midnight_that_ends_their_day() -> None:
    state = earned((10, datetime(2026, 3, 31, 10, tzinfo=UTC)))
    assert spendable(as_of(state, datetime(2026, 3, 31, 23, 59, 59, 999_999, tzinfo=UTC))) == 10
    assert spendable(as_of(state, datetime(2026, 4, 1, tzinfo=UTC))) == 0


def test_the_balance_as_of_now_counts_due_points_as_expired_and_makes_no_entry() -> None:
    state = earned(5, (20, SOON))
    worth = as_of(state, SOON + DAY)
    assert figures(worth) == {"earned": 25, "expired": 20}
    assert buckets(worth) == {None: 5}
    assert worth["seq"] == state["seq"] == 2


# ---------------------------------------------------------------- rows of another ledger


def test_an_imported_expiry_is_not_counted_twice() -> None:
    posting = post(earned(5, (20, SOON)), PointsKind.EXPIRED, -20, now=SOON + DAY)
    assert moved(posting) == [("EXPIRED", -20, 5)]


def test_an_imported_refund_of_an_unknown_spend_returns_without_expiry() -> None:
    state = spend(earned((20, SOON)), 20, now=NOW).state
    posting = post(state, PointsKind.REFUNDED, 15, now=NOW)
    assert figures(posting.state) == {"earned": 20, "spent": 5}
    assert buckets(posting.state) == {None: 15}


def test_an_imported_claw_back_of_an_unknown_earning_takes_the_soonest_first() -> None:
    posting = post(earned(5, (20, SOON)), PointsKind.REFUNDED, -30, now=NOW)
    assert took(posting.entries[0]) == [(expiry_day(SOON), 20), (None, 5)]
    assert posting.entries[0].get("shortfall") == 5


def test_a_late_row_is_judged_as_of_its_own_time() -> None:
    state = earn(empty(), 10, now=LATER).state
    state = post(state, PointsKind.EARNED, 20, now=NOW, expires_at=SOON).state
    assert spendable(as_of(state, LATER)) == 10
    assert moved(post(state, PointsKind.SPENT, -15, now=NOW)) == [("SPENT", -15, 15)]
    assert moved(post(state, PointsKind.SPENT, -5, now=LATER)) == [("EXPIRED", -20, 10), ("SPENT", -5, 5)]


# ---------------------------------------------------------------- refusals move nothing

FULL = pend(earn(earned(60, (40, SOON)), MAX_TOTAL - 100, now=NOW, expires_at=LATER).state, MAX_TOTAL).state
SPENT = spend(earned(100, (20, SOON)), 70, now=NOW)
A_SPEND = SPENT.entries[0]
AN_EARNING = earn(empty(), 100, now=NOW).entries[0]

REFUSED: dict[str, tuple[PointsState, Callable[[PointsState], Posting], str, str]] = {
    "spending more than spendable": (
        reserve(earned(100), 30, now=NOW).state,
        lambda state: spend(state, 71, now=NOW),
        "NOT_ENOUGH_POINTS",
        "71 points were asked for; 70 are spendable.",
    ),
    "spending what is due, whether the expiry job has run or not": (
        earned(5, (20, SOON)),
        lambda state: spend(state, 6, now=SOON + DAY),
        "NOT_ENOUGH_POINTS",
        "6 points were asked for; 5 are spendable.",
    ),
    "deducting more than spendable": (
        earned(100),
        lambda state: adjust(state, -300, now=NOW),
        "NOT_ENOUGH_POINTS",
        "300 points were asked for; 100 are spendable.",
    ),
    "reserving more than spendable": (
        earned(100),
        lambda state: reserve(state, 101, now=NOW),
        "NOT_ENOUGH_POINTS",
        "101 points were asked for; 100 are spendable.",
    ),
    "importing an expiry of more than spendable": (
        earned(100),
        lambda state: post(state, PointsKind.EXPIRED, -101, now=NOW),
        "NOT_ENOUGH_POINTS",
        "101 points were asked for; 100 are spendable.",
    ),
    "earning past the greatest total": (
        FULL,
        lambda state: earn(state, 1, now=NOW),
        "LIMIT_EXCEEDED",
        "This would make earned 9007199254740992; at most 9007199254740991 can be kept.",
    ),
    "adding past the greatest total": (
        FULL,
        lambda state: adjust(state, 1, now=NOW),
        "LIMIT_EXCEEDED",
        "This would make earned 9007199254740992; at most 9007199254740991 can be kept.",
    ),
    "pending past the greatest total": (
        FULL,
        lambda state: pend(state, 1),
        "LIMIT_EXCEEDED",
        "This would make pending 9007199254740992; at most 9007199254740991 can be kept.",
    ),
    "activating past the greatest total": (
        FULL,
        lambda state: activate(state, 1, now=NOW),
        "LIMIT_EXCEEDED",
        "This would make earned 9007199254740992; at most 9007199254740991 can be kept.",
    ),
    "a shortfall past int32": (
        empty(),
        lambda state: post(state, PointsKind.REFUNDED, -(2**31), now=NOW),
        "LIMIT_EXCEEDED",
        "This would make shortfall 2147483648; at most 2147483647 can be kept.",
    ),
    "an expiry in the past": (
        empty(),
        lambda state: adjust(state, 5, now=NOW, expires_at=NOW),
        "INVALID",
        "Points that are given at 2026-03-01T09:30:00+00:00 cannot expire at 2026-03-01T09:30:00+00:00.",
    ),
    "an expiry of points that are deducted": (
        earned(5),
        lambda state: adjust(state, -5, now=NOW, expires_at=SOON),
        "INVALID",
        "Only points that are added can expire: leave out the expiry, or add points.",
    ),
    "releasing more than reserved": (
        reserve(earned(9), 5, now=NOW).state,
        lambda state: release(state, 6),
        "INVALID",
        "6 points were asked for; 5 are reserved.",
    ),
    "capturing more than reserved": (
        reserve(earned(9), 5, now=NOW).state,
        lambda state: capture(state, 6, now=NOW),
        "INVALID",
        "6 points were asked for; 5 are reserved.",
    ),
    "withdrawing more than pending": (
        pend(empty(), 5).state,
        lambda state: pend(state, -6),
        "INVALID",
        "6 points were asked for; 5 are pending.",
    ),
    "activating more than pending": (
        pend(empty(), 5).state,
        lambda state: activate(state, 6, now=NOW),
        "INVALID",
        "6 points were asked for; 5 are pending.",
    ),
    "refunding more than was spent and not yet refunded": (
        SPENT.state,
        lambda state: refund_spend(
            state, A_SPEND, 31, now=NOW, refunds=refund_spend(state, A_SPEND, 40, now=NOW).entries
        ),
        "INVALID",
        "31 points were asked for; 30 are left to undo of entry 3.",
    ),
    "refunding more than was ever spent": (
        SPENT.state,
        lambda state: post(state, PointsKind.REFUNDED, 71, now=NOW),
        "INVALID",
        "71 points cannot be given back: only 70 are spent.",
    ),
    "clawing back more than was earned and not yet clawed back": (
        SPENT.state,
        lambda state: claw_back(
            state, AN_EARNING, 11, now=NOW, refunds=claw_back(state, AN_EARNING, 90, now=NOW).entries
        ),
        "INVALID",
        "11 points were asked for; 10 are left to undo of entry 1.",
    ),
    "refunding an earning": (
        SPENT.state,
        lambda state: refund_spend(state, AN_EARNING, 5, now=NOW),
        "INVALID",
        "Entry 1 is EARNED 100: no points were spent by it.",
    ),
    "refunding a refund": (
        SPENT.state,
        lambda state: refund_spend(state, refund_spend(state, A_SPEND, 40, now=NOW).entries[0], 5, now=NOW),
        "INVALID",
        "Entry 4 is REFUNDED 40: no points were spent by it.",
    ),
    "clawing back a spend": (
        SPENT.state,
        lambda state: claw_back(state, A_SPEND, 5, now=NOW),
        "INVALID",
        "Entry 3 is SPENT -70: no points were earned by it.",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_says_why_and_moves_nothing(what: str) -> None:
    state, attempt, code, message = REFUSED[what]
    before = deepcopy(state)
    with pytest.raises(Refusal) as refusal:
        attempt(state)
    assert (refusal.value.code, str(refusal.value)) == (code, message)
    assert state == before


COUNTED: list[Callable[[int], Posting]] = [
    lambda points: earn(SPENT.state, points, now=NOW),
    lambda points: spend(SPENT.state, points, now=NOW),
    lambda points: reserve(SPENT.state, points, now=NOW),
    lambda points: release(SPENT.state, points),
    lambda points: capture(SPENT.state, points, now=NOW),
    lambda points: activate(SPENT.state, points, now=NOW),
    lambda points: refund_spend(SPENT.state, A_SPEND, points, now=NOW),
    lambda points: claw_back(SPENT.state, AN_EARNING, points, now=NOW),
]


@pytest.mark.parametrize("attempt", COUNTED)
@pytest.mark.parametrize("points", [0, -5])
def test_less_than_one_point_is_refused(attempt: Callable[[int], Posting], points: int) -> None:
    with pytest.raises(Refusal, match=r"^At least 1 point has to move, not ") as refusal:
        attempt(points)
    assert (refusal.value.code, refusal.value.field) == ("INVALID", ("points",))


@pytest.mark.parametrize(
    ("kind", "points"),
    [("EARNED", -1), ("SPENT", 1), ("EXPIRED", 1), ("RESERVED", 1), ("RELEASED", -1)]
    + [(kind, 0) for kind in PointsKind],
)
def test_a_row_with_the_wrong_sign_for_its_kind_is_refused(kind: str, points: int) -> None:
    with pytest.raises(Refusal) as refusal:
        post(SPENT.state, PointsKind(kind), points, now=NOW)
    assert refusal.value.code == "INVALID"


# ---------------------------------------------------------------- any sequence, against points one by one


class No(Exception):
    """The model refuses."""


class Purse:
    """Points as single things, each nothing but its expiry; slow and plain."""

    def __init__(self) -> None:
        self.points: list[datetime | None] = []
        self.earned = self.spent = self.expired = self.reserved = self.pending = 0
        self.given: dict[int, list[datetime | None]] = {}  # by entry: what a claw-back may still ask for
        self.taken: dict[int, list[datetime | None]] = {}  # by entry: what a refund may still return, in order

    def free(self) -> int:
        return len(self.points) - self.reserved

    def pop(self, count: int) -> list[datetime | None]:
        if not 0 < count <= self.free():
            raise No
        self.points.sort(key=lambda day: (day is None, day))
        popped, self.points = self.points[:count], self.points[count:]
        return popped

    def expire(self, now: datetime) -> None:
        due = min(sum(day is not None and day <= now for day in self.points), self.free())
        if due:
            self.expired += len(self.pop(due))

    def gain(self, seq: int, count: int, day: datetime | None) -> None:
        self.given[seq] = [day] * count
        self.points += self.given[seq]
        self.earned += count

    def lose(self, seq: int, count: int) -> None:
        self.taken[seq] = self.pop(count)
        self.spent += count

    def give_back(self, days: list[datetime | None]) -> None:
        if len(days) > self.spent:
            raise No
        self.points += days
        self.spent -= len(days)

    def take_back(self, count: int, own: datetime | None = None, *, own_first: bool) -> None:
        for _ in range(min(count, self.free())):
            if own_first and own in self.points:
                self.points.remove(own)
            else:
                self.pop(1)
            self.earned -= 1

    def hold(self, count: int) -> None:
        if count > self.free():
            raise No
        self.reserved += count

    def free_up(self, count: int) -> None:
        if count > self.reserved:
            raise No
        self.reserved -= count

    def announce(self, count: int) -> None:
        if self.pending + count < 0:
            raise No
        self.pending += count


COUNT = st.integers(1, 40)
LATENESS = st.one_of(st.just(timedelta()), st.timedeltas(timedelta(), 9 * DAY))
LIFETIME = st.one_of(st.none(), st.timedeltas(timedelta(hours=1), 8 * DAY))
ANY = st.integers(0, 1000)


class AnySequence(RuleBasedStateMachine):
    """Every rule in any order, on time and late: ledger and purse agree on what moves and on what is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = NOW
        self.state = empty()
        self.entries: list[Entry] = []
        self.purse = Purse()

    def both(self, decide: Callable[[], Posting], happens: Callable[[Purse], object]) -> None:
        before, purse = deepcopy((self.state, self.entries)), deepcopy(self.purse)
        try:
            happens(purse)
        except No:
            with pytest.raises(Refusal):
                decide()
        else:
            posting = decide()
            assert (self.state, self.entries) == before, "a rule mutates nothing it was given"
            # The purse cannot number its entries: expiries may come first, so the main one is found by its kind.
            self.state, self.purse = posting.state, purse
            self.entries += posting.entries
            for by_entry in (purse.given, purse.taken):
                if 0 in by_entry:
                    main = [
                        entry["seq"] for entry in posting.entries if entry["kind"] in ("EARNED", "SPENT", "ADJUSTED")
                    ]
                    by_entry[main[0]] = by_entry.pop(0)

    def entry(self, seq: int) -> tuple[Entry, list[Entry]]:
        return self.entries[seq - 1], [entry for entry in self.entries if entry.get("refundOf") == seq]

    @rule(passed=st.timedeltas(timedelta(), 3 * DAY))
    def time_passes(self, passed: timedelta) -> None:
        self.clock += passed

    @rule(count=COUNT, late=LATENESS, lifetime=LIFETIME, kind=st.sampled_from([PointsKind.EARNED, PointsKind.ADJUSTED]))
    def points_are_given(self, count: int, late: timedelta, lifetime: timedelta | None, kind: PointsKind) -> None:
        now = self.clock - late
        expires_at = now + lifetime if lifetime else None
        self.both(
            lambda: post(self.state, kind, count, now=now, expires_at=expires_at),
            lambda purse: purse.gain(0, count, expires_at and expiry_day(expires_at)),
        )

    @rule(count=COUNT, late=LATENESS, kind=st.sampled_from([PointsKind.SPENT, PointsKind.ADJUSTED]))
    def points_are_deducted(self, count: int, late: timedelta, kind: PointsKind) -> None:
        now = self.clock - late
        self.both(
            lambda: post(self.state, kind, -count, now=now),
            lambda purse: (purse.expire(now), purse.lose(0, count)),
        )

    @rule(late=LATENESS)
    def the_expiry_job_runs(self, late: timedelta) -> None:
        now = self.clock - late
        self.both(lambda: expire_due(self.state, now=now), lambda purse: purse.expire(now))

    @rule(count=COUNT)
    def an_expiry_is_imported(self, count: int) -> None:
        def happens(purse: Purse) -> None:
            purse.expired += len(purse.pop(count))

        self.both(lambda: post(self.state, PointsKind.EXPIRED, -count, now=self.clock), happens)

    @rule(count=COUNT, late=LATENESS)
    def points_are_reserved(self, count: int, late: timedelta) -> None:
        now = self.clock - late
        self.both(
            lambda: post(self.state, PointsKind.RESERVED, -count, now=now),
            lambda purse: (purse.expire(now), purse.hold(count)),
        )

    @rule(count=COUNT)
    def points_are_released(self, count: int) -> None:
        self.both(
            lambda: post(self.state, PointsKind.RELEASED, count, now=self.clock),
            lambda purse: purse.free_up(count),
        )

    @rule(count=COUNT, late=LATENESS)
    def a_reservation_is_captured(self, count: int, late: timedelta) -> None:
        now = self.clock - late
        self.both(
            lambda: capture(self.state, count, now=now),
            lambda purse: (purse.expire(now), purse.free_up(count), purse.lose(0, count)),
        )

    @rule(count=st.integers(-30, 40).filter(bool))
    def points_are_pending(self, count: int) -> None:
        self.both(
            lambda: post(self.state, PointsKind.PENDING, count, now=self.clock),
            lambda purse: purse.announce(count),
        )

    @rule(count=COUNT, late=LATENESS, lifetime=LIFETIME)
    def pending_points_are_activated(self, count: int, late: timedelta, lifetime: timedelta | None) -> None:
        now = self.clock - late
        expires_at = now + lifetime if lifetime else None
        self.both(
            lambda: activate(self.state, count, now=now, expires_at=expires_at),
            lambda purse: (purse.announce(-count), purse.gain(0, count, expires_at and expiry_day(expires_at))),
        )

    @precondition(lambda self: self.purse.taken)
    @rule(count=COUNT, pick=ANY, late=LATENESS)
    def a_spend_is_refunded(self, count: int, pick: int, late: timedelta) -> None:
        now = self.clock - late
        seq = list(self.purse.taken)[pick % len(self.purse.taken)]
        spent, refunds = self.entry(seq)

        def happens(purse: Purse) -> None:
            left = purse.taken[seq]
            if count > len(left):
                raise No
            purse.taken[seq], returned = left[:-count], left[-count:]
            purse.give_back(returned)
            purse.expire(now)

        self.both(
            lambda: post(self.state, PointsKind.REFUNDED, count, now=now, original=spent, refunds=refunds), happens
        )

    @precondition(lambda self: self.purse.given)
    @rule(count=COUNT, pick=ANY, late=LATENESS)
    def an_earning_is_clawed_back(self, count: int, pick: int, late: timedelta) -> None:
        now = self.clock - late
        seq = list(self.purse.given)[pick % len(self.purse.given)]
        given_entry, refunds = self.entry(seq)

        def happens(purse: Purse) -> None:
            left = purse.given[seq]
            if count > len(left):
                raise No
            purse.given[seq] = left[count:]
            purse.expire(now)
            purse.take_back(count, left[0], own_first=True)

        self.both(
            lambda: post(self.state, PointsKind.REFUNDED, -count, now=now, original=given_entry, refunds=refunds),
            happens,
        )

    @rule(count=COUNT, late=LATENESS)
    def a_refund_of_something_unknown_is_imported(self, count: int, late: timedelta) -> None:
        now = self.clock - late
        self.both(
            lambda: post(self.state, PointsKind.REFUNDED, count, now=now),
            lambda purse: (purse.give_back([None] * count), purse.expire(now)),
        )

    @rule(count=COUNT, late=LATENESS)
    def a_claw_back_of_something_unknown_is_imported(self, count: int, late: timedelta) -> None:
        now = self.clock - late
        self.both(
            lambda: post(self.state, PointsKind.REFUNDED, -count, now=now),
            lambda purse: (purse.expire(now), purse.take_back(count, own_first=False)),
        )

    @invariant()
    def the_ledger_holds_what_the_purse_holds(self) -> None:
        state, purse = self.state, self.purse
        for figure in ("earned", "spent", "expired", "reserved", "pending"):
            assert state[figure] == getattr(purse, figure), figure
        assert buckets(state) == Counter(purse.points)
        assert list(buckets(state)) == sorted(buckets(state), key=lambda day: (day is None, day))

    @invariant()
    def spendable_is_never_negative_and_the_buckets_add_up(self) -> None:
        state = self.state
        assert spendable(state) == state["earned"] - state["spent"] - state["expired"] - state["reserved"] >= 0
        assert sum(buckets(state).values()) == spendable(state) + state["reserved"]

    @invariant()
    def every_entry_carries_the_balance_on(self) -> None:
        balance = 0
        for entry in self.entries:
            balance += entry["points"] if entry["kind"] in HISTORY else 0
            assert entry["balanceAfter"] == balance
        assert balance == self.state["earned"] - self.state["spent"] - self.state["expired"]

    @invariant()
    def the_entries_alone_tell_the_state(self) -> None:
        assert replay(self.entries) == self.state
        assert audit(self.state, self.entries) == {"ok": True, "entries": len(self.entries), "drift": 0}

    @invariant()
    def what_the_balance_is_worth_now_counts_no_due_points(self) -> None:
        purse = deepcopy(self.purse)
        purse.expire(self.clock)
        assert spendable(as_of(self.state, self.clock)) == purse.free()


def test_any_sequence_of_rules_agrees_with_points_kept_one_by_one() -> None:
    run_state_machine_as_test(  # pyright: ignore[reportUnknownMemberType] -- hypothesis leaves it untyped
        AnySequence, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )


# ---------------------------------------------------------------- tampering


ROWS = st.lists(
    st.tuples(st.sampled_from(PointsKind), st.integers(-50, 50), st.one_of(st.none(), st.integers(1, 5))), max_size=25
)


def ledger(rows: list[tuple[PointsKind, int, int | None]]) -> tuple[PointsState, list[Entry]]:
    """What became of these rows, a day apart, leaving out those that are refused."""
    state, entries = earn(empty(), 100, now=NOW, expires_at=SOON)
    kept = list(entries)
    for day, (kind, points, lifetime) in enumerate(rows):
        now = NOW + day * DAY
        expires_at = now + lifetime * DAY if lifetime and points > 0 else None
        try:
            state, entries = post(state, kind, points, now=now, expires_at=expires_at)
        except Refusal:
            continue
        kept += entries
    return state, kept


def spots(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every number and every date in it, as its holder and its key; notes that no balance depends on aside."""
    items: Any = document.items() if hasattr(document, "items") else enumerate(document)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from spots(value)
        elif isinstance(value, int | datetime) and key not in ("shortfall", "refundOf"):
            yield document, key


@settings(max_examples=40, deadline=None)
@given(ROWS, st.integers(-60, 60).filter(bool))
def test_an_audit_notices_any_figure_or_date_that_was_tampered_with(rows: Any, change: int) -> None:
    state, entries = ledger(rows)
    for holder, key in spots([state, entries]):
        was = holder[key]
        holder[key] = was + (change * DAY if isinstance(was, datetime) else change)
        assert not audit(state, entries)["ok"], (holder, key)
        holder[key] = was
    assert audit(state, entries)["ok"]


@settings(max_examples=40, deadline=None)
@given(ROWS, ANY)
def test_an_audit_notices_an_entry_that_is_missing_repeated_or_out_of_order(rows: Any, pick: int) -> None:
    state, entries = ledger(rows)
    at = pick % len(entries)
    assert not audit(state, entries[:at] + entries[at + 1 :])["ok"]
    assert not audit(state, entries[: at + 1] + entries[at:])["ok"]
    if len(entries) > 1:
        assert not audit(state, entries[::-1])["ok"]


def test_drift_is_what_is_stored_minus_what_the_entries_say() -> None:
    state, entries = earn(empty(), 100, now=NOW)
    assert audit({**state, "spent": 30}, entries) == {"ok": False, "entries": 1, "drift": -30}
    assert audit(empty(), ()) == {"ok": True, "entries": 0, "drift": 0}
