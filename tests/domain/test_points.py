"""The points ledger, first by example, then against a model that keeps every point as a thing of its own."""

from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from app.domain.points import (
    HISTORY,
    MAX_TOTAL,
    Entry,
    Judgement,
    Movement,
    PointsKind,
    PointsState,
    Posting,
    activate,
    adjust,
    as_of,
    audit,
    capture,
    earn,
    empty,
    end_of_day,
    enter,
    expire_due,
    expiry,
    needs_entries,
    owed,
    pend,
    release,
    replay,
    reserve,
    spend,
    spendable,
)
from app.domain.refusals import Refusal
from app.domain.times import stored

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


def movement(kind: str, points: int, at: datetime = NOW, **more: Any) -> Movement:
    """Makes a movement as a loyalty system reports it."""
    made: Any = {"kind": PointsKind(kind), "points": points, "occurredAt": at, "source": "loyalty", **more}
    return made


def entered(*movements: Movement) -> Judgement:
    """Enters these movements together into an empty ledger."""
    return enter(empty(), movements)


def figures(state: PointsState) -> dict[str, int]:
    """Those that are not zero."""
    return {name: value for name, value in state.items() if isinstance(value, int) and value and name != "seq"}


def buckets(state: PointsState) -> dict[datetime | None, int]:
    return {bucket["expiresAt"]: bucket["remaining"] for bucket in state["buckets"]}


# ---------------------------------------------------------------- each row of the table


def test_earned_points_are_spendable_and_keep_their_expiry() -> None:
    posting = earn(earned(5), 10, now=NOW, expires_at=SOON)
    assert posting.entries == (
        {
            "seq": 2,
            "kind": "EARNED",
            "points": 10,
            "balanceAfter": 15,
            "occurredAt": NOW,
            "source": "platform",
            "expiresAt": SOON,
        },
    )
    assert figures(posting.state) == {"earned": 15}
    assert buckets(posting.state) == {SOON: 10, None: 5}
    assert spendable(posting.state) == 15


def test_points_of_one_expiry_share_a_bucket_and_keep_it_to_the_millisecond() -> None:
    later = SOON + timedelta(milliseconds=1)
    assert buckets(earned((1, SOON), (2, later), (4, SOON))) == {SOON: 5, later: 2}


def test_buckets_are_kept_soonest_first_and_the_one_without_expiry_last() -> None:
    assert list(buckets(earned(1, (2, LATER), (3, SOON)))) == [SOON, LATER, None]


def test_spending_takes_what_expires_soonest_and_drops_the_empty_bucket() -> None:
    posting = spend(earned(100, (10, LATER), (20, SOON)), 25, now=NOW)
    assert moved(posting) == [("SPENT", -25, 105)]
    assert buckets(posting.state) == {LATER: 5, None: 100}
    assert figures(posting.state) == {"earned": 130, "spent": 25}


def test_an_addition_by_hand_counts_as_earned_and_a_deduction_as_spent() -> None:
    added = adjust(empty(), 30, now=NOW, expires_at=SOON)
    deducted = adjust(added.state, -10, now=NOW)
    assert moved(added) + moved(deducted) == [("ADJUSTED", 30, 30), ("ADJUSTED", -10, 20)]
    assert figures(deducted.state) == {"earned": 30, "spent": 10}
    assert buckets(deducted.state) == {SOON: 20}


def test_each_due_bucket_expires_in_an_entry_of_its_own_at_its_expiry_soonest_first() -> None:
    posting = expire_due(earned(1, (10, LATER), (20, SOON)), now=LATER + DAY)
    assert moved(posting) == [("EXPIRED", -20, 11), ("EXPIRED", -10, 1)]
    assert [entry["occurredAt"] for entry in posting.entries] == [SOON, LATER]
    assert figures(posting.state) == {"earned": 31, "expired": 30}
    assert buckets(posting.state) == {None: 1}


def test_more_than_an_entry_can_hold_expires_in_several() -> None:
    state = earned((2**31 - 1, SOON), (2**31 - 1, SOON), (7, SOON))
    posting = expire_due(state, now=SOON)
    assert [entry["points"] for entry in posting.entries] == [1 - 2**31, 1 - 2**31, -7]
    assert posting.state["buckets"] == []


@pytest.mark.parametrize("others", [0, 200])
def test_a_reservation_holds_what_expires_soonest_and_that_does_not_expire(others: int) -> None:
    state = reserve(earned((20, SOON), *[others] * bool(others)), 15, now=NOW).state
    posting = expire_due(state, now=SOON + DAY)
    assert moved(posting) == [("EXPIRED", -5, 15 + others)]
    assert posting.state["buckets"][0] == {"expiresAt": SOON, "remaining": 15, "reserved": 15}
    assert spendable(posting.state) == others
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
    posting = release(reserve(earned(30), 20, now=NOW).state, 15, now=NOW)
    assert moved(posting) == [("RELEASED", 15, 30)]
    assert spendable(posting.state) == 25


def test_what_is_released_after_its_expiry_can_be_spent_until_that_day_ends() -> None:
    state = reserve(earned((20, SOON)), 15, now=NOW).state
    released = release(state, 15, now=SOON + DAY).state
    ends = end_of_day(SOON + DAY)
    assert spendable(as_of(released, ends - timedelta(milliseconds=1))) == 15
    assert figures(as_of(released, ends)) == {"earned": 20, "expired": 20}


def test_a_capture_releases_and_spends_together_even_what_fell_due_meanwhile() -> None:
    state = reserve(earned(5, (20, SOON)), 15, now=NOW).state
    posting = capture(state, 15, now=SOON + DAY)
    assert moved(posting) == [("EXPIRED", -5, 20), ("RELEASED", 15, 20), ("SPENT", -15, 5)]
    assert figures(posting.state) == {"earned": 25, "spent": 15, "expired": 5}


def test_pending_points_are_not_spendable_until_they_are_activated() -> None:
    pending = pend(empty(), 40, now=NOW)
    assert moved(pending) == [("PENDING", 40, 0)]
    assert spendable(pending.state) == 0
    activated = activate(pending.state, 30, now=NOW, expires_at=SOON)
    assert moved(activated) == [("PENDING", -30, 0), ("EARNED", 30, 30)]
    assert figures(activated.state) == {"earned": 30, "pending": 10}
    assert figures(pend(activated.state, -10, now=NOW).state) == {"earned": 30}


BEFORE = (movement("EARNED", 100), movement("EARNED", 10, expiresAt=LATER), movement("EARNED", 20, expiresAt=SOON))


def test_a_refund_returns_the_points_last_taken_first_as_if_less_had_been_spent() -> None:
    spent = movement("SPENT", -25, NOW + DAY)
    for parts in ((7,), (7, 18), (25,), (1, 2, 3)):
        refunds = [movement("REFUNDED", part, NOW + 2 * DAY, refundOf=4) for part in parts]
        refunded = entered(*BEFORE, spent, *refunds)
        assert not refunded.refused
        kept = 25 - sum(parts)
        less = entered(*BEFORE, *([movement("SPENT", -kept, NOW + DAY)] if kept else []))
        assert buckets(refunded.posting.state) == buckets(less.posting.state)
        assert figures(refunded.posting.state) == figures(less.posting.state)


def test_refunded_points_whose_expiry_has_passed_expire_with_the_day() -> None:
    lines = (movement("EARNED", 5), movement("EARNED", 20, expiresAt=SOON), movement("SPENT", -25, NOW + DAY))
    state = entered(*lines, movement("REFUNDED", 25, SOON + DAY, refundOf=3)).posting.state
    assert buckets(state) == {None: 5, end_of_day(SOON + DAY): 20}


def test_a_claw_back_takes_from_what_expires_with_its_earning_first() -> None:
    lines = (movement("EARNED", 30, expiresAt=SOON), movement("EARNED", 10, expiresAt=LATER))
    posting = entered(*lines, movement("REFUNDED", -10, NOW + DAY, refundOf=2)).posting
    assert figures(posting.state) == {"earned": 30}
    assert buckets(posting.state) == {SOON: 30}


def test_a_claw_back_of_more_than_there_is_leaves_a_debt_that_the_next_points_pay() -> None:
    lines = [
        movement("EARNED", 100),
        movement("SPENT", -70, NOW + DAY),
        movement("REFUNDED", -100, NOW + 2 * DAY, refundOf=1),
    ]
    posting = entered(*lines).posting
    assert moved(posting)[2] == ("REFUNDED", -100, -70)
    assert posting.entries[2].get("shortfall") == 70
    assert (owed(posting.state), spendable(posting.state)) == (70, 0)
    paid = enter(posting.state, [movement("EARNED", 80, NOW + 3 * DAY)], posting.entries).posting
    assert (owed(paid.state), spendable(paid.state)) == (0, 10)
    assert replay([*posting.entries, *paid.entries]) == paid.state


def test_due_points_pay_no_debt() -> None:
    lines = (movement("EARNED", 50), movement("EARNED", 100, expiresAt=SOON), movement("SPENT", -50, NOW + DAY))
    claw_back = movement("REFUNDED", -80, SOON + DAY)
    state = as_of(entered(*lines, claw_back).posting.state, SOON + DAY)
    assert figures(state) == {"earned": 70, "spent": 50, "expired": 50, "owed": 30}


# ---------------------------------------------------------------- when a day ends


def test_an_expiry_is_kept_to_the_millisecond_and_the_year_9999_is_never() -> None:
    assert expiry(datetime(2026, 3, 31, 10, 0, 0, 123_456, tzinfo=UTC)) == datetime(2026, 3, 31, 10, 0, 0, 123_000, UTC)
    assert expiry(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("zone", "ends"),
    [
        ("UTC", datetime(2026, 4, 1, tzinfo=UTC)),
        ("Europe/Oslo", datetime(2026, 3, 31, 22, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 4, 1, 4, tzinfo=UTC)),
    ],
)
def test_a_day_ends_at_midnight_where_the_programme_is(zone: str, ends: datetime) -> None:
    assert end_of_day(datetime(2026, 3, 31, 10, tzinfo=UTC), ZoneInfo(zone)) == ends
    assert end_of_day(ends, ZoneInfo(zone)) == ends + DAY


def test_points_are_spendable_until_their_expiry() -> None:
    state = earned((10, SOON))
    assert spendable(as_of(state, SOON - timedelta(microseconds=1))) == 10
    assert spendable(as_of(state, SOON)) == 0


def test_the_balance_as_of_now_counts_due_points_as_expired_and_makes_no_entry() -> None:
    state = earned(5, (20, SOON))
    worth = as_of(state, SOON + DAY)
    assert figures(worth) == {"earned": 25, "expired": 20}
    assert buckets(worth) == {None: 5}
    assert worth["seq"] == state["seq"] == 2


# ---------------------------------------------------------------- rows of another ledger


def test_a_refund_of_an_unknown_spend_returns_without_expiry() -> None:
    lines = (movement("EARNED", 20, expiresAt=SOON), movement("SPENT", -20, NOW + DAY))
    state = entered(*lines, movement("REFUNDED", 15, NOW + 2 * DAY)).posting.state
    assert figures(state) == {"earned": 20, "spent": 5}
    assert buckets(state) == {None: 15}


def test_a_late_line_is_judged_at_its_own_time() -> None:
    known = entered(movement("EARNED", 10, LATER), movement("EARNED", 20, expiresAt=SOON)).posting
    assert spendable(as_of(known.state, LATER)) == 10
    in_time = enter(known.state, [movement("SPENT", -15, NOW + DAY)], known.entries)
    assert figures(as_of(in_time.posting.state, LATER)) == {"earned": 30, "spent": 15, "expired": 5}
    too_late = enter(known.state, [movement("SPENT", -15, LATER + DAY)], known.entries)
    assert str(too_late.refused[0]) == "15 points were asked for; 10 are spendable."


def test_of_what_is_told_together_nothing_is_refused_that_the_whole_makes_right() -> None:
    lines = [
        movement("SPENT", -20, NOW + DAY),
        movement("RELEASED", 5, NOW + 3 * DAY),
        movement("RESERVED", -5, NOW + 2 * DAY),
    ]
    assert set(entered(*lines).refused) == {0, 1, 2}
    whole = entered(*lines, movement("EARNED", 30))
    assert not whole.refused
    assert figures(whole.posting.state) == {"earned": 30, "spent": 20}


def test_what_cannot_be_is_refused_alone() -> None:
    mixed = entered(movement("EARNED", 30), movement("SPENT", -31, NOW + DAY), movement("SPENT", -30, NOW + DAY))
    assert {place: str(refusal) for place, refusal in mixed.refused.items()} == {
        1: "31 points were asked for; 30 are spendable."
    }
    assert figures(mixed.posting.state) == {"earned": 30, "spent": 30}


def test_a_ledger_too_much_out_of_order_says_so_and_takes_the_rest_another_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.domain.points.judgement._STEPS_AT_MOST", 50)
    lines = [movement("SPENT", -1, NOW + number * DAY) for number in range(90, 0, -1)]
    first = entered(*lines, movement("EARNED", 89))
    assert {refusal.code for refusal in first.refused.values()} == {"INVALID"}
    assert any("import the file again, oldest first" in str(refusal) for refusal in first.refused.values())
    state, entries, left = (
        first.posting.state,
        list(first.posting.entries),
        [lines[at] for at in first.refused],
    )
    while True:
        again = enter(state, left, entries)
        if not again.posting.entries:
            break
        state, entries = again.posting.state, [*entries, *again.posting.entries]
        left = [left[at] for at in again.refused]
    assert (figures(state), len(left)) == ({"earned": 89, "spent": 89}, 1)


@settings(max_examples=40)
@given(st.permutations(range(8)), st.integers(1, 8))
def test_the_same_lines_in_any_order_and_in_any_pieces_make_the_same_balance(order: list[int], size: int) -> None:
    lines = [
        movement("EARNED", 100, NOW, expiresAt=SOON),
        movement("EARNED", 50, NOW + timedelta(hours=1)),
        movement("SPENT", -30, NOW + DAY),
        movement("RESERVED", -20, NOW + 2 * DAY),
        movement("RELEASED", 20, SOON + DAY),
        movement("SPENT", -20, SOON + DAY),
        movement("ADJUSTED", -60, SOON + 2 * DAY),
        movement("PENDING", 3, SOON + 3 * DAY),
    ]
    state, entries, left = empty(), list[Entry](), list[Movement]()
    for start in range(0, 8, size):
        left += [lines[place] for place in order[start : start + size]]
        result = enter(state, left, entries)
        state, entries = result.posting.state, [*entries, *result.posting.entries]
        left = [left[place] for place in result.refused]
    assert left == []
    assert figures(as_of(state, LATER)) == {"earned": 150, "spent": 110, "expired": 50, "pending": 3, "owed": 10}
    assert audit(state, entries)["ok"]


# ---------------------------------------------------------------- refusals move nothing

FULL = pend(earn(earned(60, (40, SOON)), MAX_TOTAL - 100, now=NOW, expires_at=LATER).state, MAX_TOTAL, now=NOW).state
SPENT = spend(earned(100, (20, SOON)), 70, now=NOW)


def refused(*movements: Movement) -> Callable[[PointsState], Posting]:
    """The last of them is refused: raises that."""

    def attempt(state: PointsState) -> Posting:
        result = entered(*movements)
        assert list(result.refused) == [len(movements) - 1]
        raise result.refused[len(movements) - 1]

    return attempt


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
        empty(),
        refused(movement("EARNED", 100), movement("EXPIRED", -101, NOW + DAY)),
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
        lambda state: pend(state, 1, now=NOW),
        "LIMIT_EXCEEDED",
        "This would make pending 9007199254740992; at most 9007199254740991 can be kept.",
    ),
    "activating past the greatest total": (
        FULL,
        lambda state: activate(state, 1, now=NOW),
        "LIMIT_EXCEEDED",
        "This would make earned 9007199254740992; at most 9007199254740991 can be kept.",
    ),
    "importing past the greatest total": (
        empty(),
        refused(movement("EARNED", MAX_TOTAL), movement("EARNED", 1, NOW + DAY)),
        "LIMIT_EXCEEDED",
        "This would make earned 9007199254740992; at most 9007199254740991 can be kept.",
    ),
    "a debt past the greatest total": (
        empty(),
        refused(movement("REFUNDED", -MAX_TOTAL), movement("ADJUSTED", -1, NOW + DAY)),
        "LIMIT_EXCEEDED",
        "This would make owed 9007199254740992; at most 9007199254740991 can be kept.",
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
        lambda state: release(state, 6, now=NOW),
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
        pend(empty(), 5, now=NOW).state,
        lambda state: pend(state, -6, now=NOW),
        "INVALID",
        "6 points were asked for; 5 are pending.",
    ),
    "activating more than pending": (
        pend(empty(), 5, now=NOW).state,
        lambda state: activate(state, 6, now=NOW),
        "INVALID",
        "6 points were asked for; 5 are pending.",
    ),
    "refunding more than was spent and not yet refunded": (
        empty(),
        refused(
            movement("EARNED", 70),
            movement("SPENT", -70, NOW + DAY),
            movement("REFUNDED", 40, NOW + 2 * DAY, refundOf=2),
            movement("REFUNDED", 31, NOW + 3 * DAY, refundOf=2),
        ),
        "INVALID",
        "31 points were asked for; 30 are left to undo of that entry.",
    ),
    "refunding more than was ever spent": (
        empty(),
        refused(movement("EARNED", 70), movement("SPENT", -70, NOW + DAY), movement("REFUNDED", 71, NOW + 2 * DAY)),
        "INVALID",
        "71 points were asked for; 70 are spent.",
    ),
    "clawing back more than was earned and not yet clawed back": (
        empty(),
        refused(
            movement("EARNED", 100),
            movement("REFUNDED", -90, NOW + DAY, refundOf=1),
            movement("REFUNDED", -11, NOW + DAY, refundOf=1),
        ),
        "INVALID",
        "11 points were asked for; 10 are left to undo of that entry.",
    ),
    "refunding an earning": (
        empty(),
        refused(movement("EARNED", 100), movement("REFUNDED", 5, NOW + DAY, refundOf=1)),
        "INVALID",
        "refundOf names EARNED 100: no points were spent by it.",
    ),
    "refunding a refund": (
        empty(),
        refused(
            movement("EARNED", 70),
            movement("SPENT", -70, NOW + DAY),
            movement("REFUNDED", 40, NOW + 2 * DAY, refundOf=2),
            movement("REFUNDED", 5, NOW + 3 * DAY, refundOf=3),
        ),
        "INVALID",
        "refundOf names REFUNDED 40: no points were spent by it.",
    ),
    "clawing back a spend": (
        empty(),
        refused(
            movement("EARNED", 70), movement("SPENT", -70, NOW + DAY), movement("REFUNDED", -5, NOW + DAY, refundOf=2)
        ),
        "INVALID",
        "refundOf names SPENT -70: no points were earned by it.",
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
    lambda points: release(SPENT.state, points, now=NOW),
    lambda points: capture(SPENT.state, points, now=NOW),
    lambda points: activate(SPENT.state, points, now=NOW),
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
    result = entered(movement("EARNED", 100), movement(kind, points, NOW + DAY))
    assert {place: refusal.code for place, refusal in result.refused.items()} == {1: "INVALID"}


# ---------------------------------------------------------------- any sequence, against points one by one


class No(Exception):
    """The model refuses."""


class Purse:
    """Points as single things, each nothing but its expiry; slow and plain."""

    def __init__(self) -> None:
        self.points: list[datetime | None] = []
        self.held: list[datetime | None] = []
        self.earned = self.spent = self.expired = self.pending = 0

    def pop(self, count: int) -> list[datetime | None]:
        if not 0 < count <= len(self.points):
            raise No
        self.points.sort(key=lambda day: (day is None, day))
        popped, self.points = self.points[:count], self.points[count:]
        return popped

    def expire(self, now: datetime) -> None:
        alive = [day for day in self.points if day is None or day > now]
        self.expired += len(self.points) - len(alive)
        self.points = alive

    def gain(self, count: int, day: datetime | None) -> None:
        self.points += [day] * count
        self.earned += count

    def lose(self, count: int) -> None:
        self.pop(count)
        self.spent += count

    def hold(self, count: int) -> None:
        self.held += self.pop(count)

    def free_up(self, count: int, now: datetime) -> None:
        if count > len(self.held):
            raise No
        self.held.sort(key=lambda day: (day is None, day))
        freed, self.held = self.held[:count], self.held[count:]
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
        self.points += [midnight if day and day <= now else day for day in freed]

    def announce(self, count: int) -> None:
        if self.pending + count < 0:
            raise No
        self.pending += count


COUNT = st.integers(1, 40)
LIFETIME = st.one_of(st.none(), st.timedeltas(timedelta(hours=1), 8 * DAY))
ANY = st.integers(0, 1000)


class AnySequence(RuleBasedStateMachine):
    """Every rule for what is made here, in any order: ledger and purse agree on what moves and on what is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
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
            self.state, self.purse = posting.state, purse
            self.entries += posting.entries

    def ending(self, lifetime: timedelta | None) -> datetime | None:
        return stored(self.now + lifetime) if lifetime else None

    @rule(passed=st.timedeltas(timedelta(), 3 * DAY))
    def time_passes(self, passed: timedelta) -> None:
        self.now = stored(self.now + passed)

    @rule(count=COUNT, lifetime=LIFETIME, by_hand=st.booleans())
    def points_are_given(self, count: int, lifetime: timedelta | None, by_hand: bool) -> None:
        give, expires_at = (adjust if by_hand else earn), self.ending(lifetime)
        self.both(
            lambda: give(self.state, count, now=self.now, expires_at=expires_at),
            lambda purse: purse.gain(count, expires_at),
        )

    @rule(count=COUNT, by_hand=st.booleans())
    def points_are_deducted(self, count: int, by_hand: bool) -> None:
        self.both(
            lambda: adjust(self.state, -count, now=self.now) if by_hand else spend(self.state, count, now=self.now),
            lambda purse: (purse.expire(self.now), purse.lose(count)),
        )

    @rule()
    def the_expiry_job_runs(self) -> None:
        self.both(lambda: expire_due(self.state, now=self.now), lambda purse: purse.expire(self.now))

    @rule(count=COUNT)
    def points_are_reserved(self, count: int) -> None:
        self.both(
            lambda: reserve(self.state, count, now=self.now),
            lambda purse: (purse.expire(self.now), purse.hold(count)),
        )

    @rule(count=COUNT)
    def points_are_released(self, count: int) -> None:
        self.both(
            lambda: release(self.state, count, now=self.now),
            lambda purse: purse.free_up(count, self.now),
        )

    @rule(count=COUNT)
    def a_reservation_is_captured(self, count: int) -> None:
        self.both(
            lambda: capture(self.state, count, now=self.now),
            lambda purse: (purse.expire(self.now), purse.free_up(count, self.now), purse.lose(count)),
        )

    @rule(count=st.integers(-30, 40).filter(bool))
    def points_are_pending(self, count: int) -> None:
        self.both(lambda: pend(self.state, count, now=self.now), lambda purse: purse.announce(count))

    @rule(count=COUNT, lifetime=LIFETIME)
    def pending_points_are_activated(self, count: int, lifetime: timedelta | None) -> None:
        expires_at = self.ending(lifetime)
        self.both(
            lambda: activate(self.state, count, now=self.now, expires_at=expires_at),
            lambda purse: (purse.announce(-count), purse.gain(count, expires_at)),
        )

    @invariant()
    def the_ledger_holds_what_the_purse_holds(self) -> None:
        state, purse = self.state, self.purse
        for figure in ("earned", "spent", "expired", "pending"):
            assert state[figure] == getattr(purse, figure), figure
        assert state["reserved"] == len(purse.held)
        assert buckets(state) == Counter(purse.points + purse.held)
        assert list(buckets(state)) == sorted(buckets(state), key=lambda day: (day is None, day))

    @invariant()
    def spendable_is_never_negative_and_the_buckets_add_up(self) -> None:
        state = self.state
        assert spendable(state) == state["earned"] - state["spent"] - state["expired"] - state["reserved"] >= 0
        assert sum(buckets(state).values()) == spendable(state) + state["reserved"]
        assert owed(state) == 0, "nothing that is made here is owed"

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
        purse.expire(self.now)
        assert spendable(as_of(self.state, self.now)) == len(purse.points)


def test_any_sequence_of_rules_agrees_with_points_kept_one_by_one() -> None:
    run_state_machine_as_test(  # pyright: ignore[reportUnknownMemberType] -- hypothesis leaves it untyped
        AnySequence, settings=settings(max_examples=60, stateful_step_count=40)
    )


# ---------------------------------------------------------------- tampering


ROWS = st.lists(
    st.tuples(st.sampled_from(PointsKind), st.integers(-50, 50), st.one_of(st.none(), st.integers(1, 5))), max_size=25
)


def ledger(rows: list[tuple[PointsKind, int, int | None]]) -> tuple[PointsState, list[Entry]]:
    """What became of these rows, a day apart, leaving out those that are refused."""
    movements = [movement("EARNED", 100, expiresAt=SOON)]
    for day, (kind, points, lifetime) in enumerate(rows):
        at = NOW + day * DAY
        gives = points > 0 and kind in (PointsKind.EARNED, PointsKind.ADJUSTED)
        movements.append(
            movement(kind, points, at, **({"expiresAt": at + lifetime * DAY} if lifetime and gives else {}))
        )
    posting = entered(*movements).posting
    return posting.state, list(posting.entries)


def spots(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every number and date of the state, and every number of the entries that a balance depends on."""
    items: Any = document.items() if hasattr(document, "items") else enumerate(document)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from spots(value)
        elif isinstance(value, datetime):
            if "balanceAfter" not in document:
                yield document, key
        elif isinstance(value, int) and key not in ("shortfall", "refundOf"):
            yield document, key


@settings(max_examples=40)
@given(ROWS, st.integers(-60, 60).filter(bool))
def test_an_audit_notices_what_was_tampered_with(rows: Any, change: int) -> None:
    state, entries = ledger(rows)
    for holder, key in spots([state, entries]):
        was = holder[key]
        holder[key] = was + (change * DAY if isinstance(was, datetime) else change)
        assert not audit(state, entries)["ok"], (holder, key)
        holder[key] = was
    assert audit(state, entries)["ok"]


@settings(max_examples=40)
@given(ROWS, ANY)
def test_an_audit_notices_an_entry_that_is_missing_repeated_or_out_of_order(rows: Any, pick: int) -> None:
    state, entries = ledger(rows)
    at = pick % len(entries)
    assert not audit(state, entries[:at] + entries[at + 1 :])["ok"]
    assert not audit(state, entries[: at + 1] + entries[at:])["ok"]
    if len(entries) > 1:
        assert not audit(state, entries[::-1])["ok"]


def test_a_state_of_an_earlier_version_keeps_what_is_reserved_and_has_its_entries_read() -> None:
    old: PointsState = {
        "earned": 30,
        "spent": 0,
        "expired": 0,
        "reserved": 15,
        "pending": 0,
        "seq": 3,
        "buckets": [{"expiresAt": SOON, "remaining": 20}, {"expiresAt": None, "remaining": 10}],
    }
    assert (spendable(old), owed(old)) == (15, 0)
    assert moved(expire_due(old, now=LATER)) == [("EXPIRED", -5, 25)]
    newer = spend(old, 10, now=LATER).state
    assert (spendable(newer), buckets(newer)) == (0, {SOON: 15})
    assert needs_entries(newer, [movement("EARNED", 1, LATER + DAY)])


def test_drift_is_what_is_stored_minus_what_the_entries_say() -> None:
    state, entries = earn(empty(), 100, now=NOW)
    assert audit({**state, "spent": 30}, entries) == {"ok": False, "entries": 1, "drift": -30}
    assert audit(empty(), ()) == {"ok": True, "entries": 0, "drift": 0}
