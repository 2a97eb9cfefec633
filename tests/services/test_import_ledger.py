"""The ledger meets its source's own: what each line of points does among all others, in whatever order they come."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.points import as_of, audit, empty, owed, spendable
from app.services.expiry import expire_due
from app.services.importing import ImportOptions, LineOutcome
from app.store.driver import Store
from tests.support.import_lines import NOW, Bring, Line, ada, customer, points, status


def at(day: str) -> str:
    return day if "T" in day else f"{day}T00:00:00Z"


def p(source_id: str, kind: str, amount: int, day: str, **content: Any) -> Line:
    return points(source_id, kind, amount, occurredAt=at(day), **content)


def undoing(source_id: str) -> Line:
    return {"source": "loyalty", "id": source_id}


async def figures(store: Store, now: datetime = NOW) -> dict[str, int]:
    """What a query tells of the points: those figures that are not 0. The ledger agrees with itself."""
    found = await ada(store)
    stored = found.get("points") or empty()
    entries: Any = await store.find("points", {"customerId": found["_id"]}, sort={"seq": 1})
    assert audit(stored, entries) == {"ok": True, "entries": len(entries), "drift": 0}
    state = as_of(stored, now)
    totals = {name: state[name] for name in ("earned", "spent", "expired", "reserved", "pending")}
    return {
        name: value for name, value in {**totals, "owed": owed(state), "spendable": spendable(state)}.items() if value
    }


async def history(store: Store) -> list[tuple[str, int]]:
    entries = await store.find("points", {}, sort={"seq": 1})
    return [(entry["kind"], entry["points"]) for entry in entries]


async def timeline(store: Store) -> list[tuple[int, datetime]]:
    """Returns the activities of points that expired."""
    activities = await store.find("activities", {"type": "POINTS_EXPIRED"}, sort={"occurredAt": 1})
    return [(activity["points"], activity["occurredAt"]) for activity in activities]


# ---------------------------------------------------------------- a source that expires points itself

EARNED = (
    p("a", "EARNED", 100, "2023-01-01", expiresAt="2024-01-01T00:00:00Z"),
    p("b", "EARNED", 200, "2023-06-01"),
)
SWEPT = p("c", "EXPIRED", -100, "2024-01-01T03:00:00Z")
BETWEEN = p("d", "SPENT", -10, "2024-01-01T00:30:00Z")


async def test_what_a_source_expires_is_not_expired_twice_after_a_worker_has_run(store: Store, bring: Bring) -> None:
    await bring(customer(), *EARNED)
    assert await expire_due(store, NOW) == 1
    assert (await bring(SWEPT)).totals == {LineOutcome.IMPORTED: 1}
    assert await figures(store) == {"earned": 300, "expired": 100, "spendable": 200}
    assert await history(store) == [("EARNED", 100), ("EARNED", 200), ("EXPIRED", -100), ("EXPIRED", 0)]
    [settled] = await store.find("points", {"seq": 4})
    assert settled["settlements"] == [{"expiresAt": datetime(2024, 1, 1, tzinfo=UTC), "points": 100}]
    assert await timeline(store) == [(-100, datetime(2024, 1, 1, tzinfo=UTC))]
    assert (await bring(*EARNED, SWEPT)).totals == {LineOutcome.UNCHANGED: 3}
    assert await expire_due(store, NOW) == 0


@pytest.mark.parametrize("lines_per_chunk", [1, 2, 1_000])
async def test_a_source_that_spends_between_an_expiry_and_its_own_line_of_it_is_right(
    store: Store, bring: Bring, lines_per_chunk: int
) -> None:
    await bring(customer(), *EARNED, BETWEEN, SWEPT, lines_per_chunk=lines_per_chunk)
    assert await figures(store) == {"earned": 300, "spent": 10, "expired": 100, "spendable": 190}


@pytest.mark.parametrize("amount", [-1, -60, -90, -99, -100])
async def test_what_a_source_leaves_of_its_expired_points_stays(store: Store, bring: Bring, amount: int) -> None:
    await bring(customer(), *EARNED)
    await expire_due(store, NOW)
    await bring(p("c", "EXPIRED", amount, "2024-01-01T03:00:00Z"))
    left = 300 + amount
    assert await figures(store) == {"earned": 300, "expired": -amount, "spendable": left}
    assert await expire_due(store, NOW) == 0
    assert sum(points for points, _ in await timeline(store)) == amount


async def test_what_falls_due_after_a_source_has_expired_points_expires_here_until_it_says_so_itself(
    store: Store, bring: Bring
) -> None:
    await bring(customer(), *EARNED, SWEPT, p("e", "EARNED", 7, "2024-02-01", expiresAt="2024-03-01T00:00:00Z"))
    assert await figures(store) == {"earned": 307, "expired": 107, "spendable": 200}
    await expire_due(store, NOW)
    await bring(p("f", "EXPIRED", -7, "2024-03-01T03:00:00Z"))
    assert await figures(store) == {"earned": 307, "expired": 107, "spendable": 200}


async def test_points_that_were_given_here_expire_here_whatever_a_source_tells_of_its_own(
    store: Store, bring: Bring
) -> None:
    own = {**EARNED[0], "source": "billing"}
    await bring(customer(), own, EARNED[1], p("c", "EXPIRED", -50, "2024-01-02"))
    assert await figures(store) == {"earned": 300, "expired": 150, "spendable": 150}


# ---------------------------------------------------------------- the order of lines


UNDONE = (
    p("a", "EARNED", 100, "2024-01-01"),
    p("b", "SPENT", -100, "2024-01-02"),
    p("c", "REFUNDED", -100, "2024-01-03", refundOf=undoing("a")),
    p("d", "REFUNDED", 100, "2024-01-04", refundOf=undoing("b")),
)


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
@pytest.mark.parametrize("lines_per_chunk", [1, 2, 1_000])
async def test_a_claw_back_and_a_refund_come_to_nothing_in_any_order(
    store: Store, bring: Bring, order: tuple[int, ...], lines_per_chunk: int
) -> None:
    run = await bring(customer(), *(UNDONE[place] for place in order), lines_per_chunk=lines_per_chunk)
    assert run.rejects == []
    assert await figures(store) == {}


async def test_a_refund_dated_before_its_claw_back_or_after_it_comes_to_the_same(store: Store, bring: Bring) -> None:
    early = {**UNDONE[3], "occurredAt": "2024-01-02T12:00:00Z"}
    await bring(customer(), *UNDONE[:2], early, UNDONE[2])
    assert await figures(store) == {}


NEWEST_FIRST = (
    p("d", "EARNED", 30, "2024-04-01"),
    p("c", "EXPIRED", -80, "2024-03-01T01:00:00Z"),
    p("b", "SPENT", -20, "2024-02-01"),
    p("a", "EARNED", 100, "2024-01-01", expiresAt="2024-03-01T00:00:00Z"),
)


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
@pytest.mark.parametrize("lines_per_chunk", [1, 3, 1_000])
async def test_points_newest_first_or_in_any_order_make_the_same_balance(
    store: Store, bring: Bring, order: tuple[int, ...], lines_per_chunk: int
) -> None:
    run = await bring(customer(), *(NEWEST_FIRST[place] for place in order), lines_per_chunk=lines_per_chunk)
    assert run.rejects == []
    assert run.totals == {LineOutcome.IMPORTED: 5}
    assert await figures(store) == {"earned": 130, "spent": 20, "expired": 80, "spendable": 30}
    assert (await ada(store))["points"]["buckets"] == [{"expiresAt": None, "remaining": 30}]


async def test_a_line_that_waits_for_another_is_rejected_at_the_end_of_its_file_and_comes_in_with_the_next(
    store: Store, bring: Bring
) -> None:
    run = await bring(customer(), *NEWEST_FIRST[:2])
    assert run.reasons == {3: "80 points were asked for; 30 are spendable."}
    assert run.summary.exit_code == 1
    assert await figures(store) == {"earned": 30, "spendable": 30}
    again = await bring(*NEWEST_FIRST[1:])
    assert again.rejects == []
    assert await figures(store) == {"earned": 130, "spent": 20, "expired": 80, "spendable": 30}


async def test_entries_never_change_and_a_late_line_gives_back_what_had_expired_here(
    store: Store, bring: Bring
) -> None:
    await bring(customer(), *EARNED)
    await expire_due(store, NOW)
    before = await store.find("points", {}, sort={"seq": 1})
    await bring(p("d", "SPENT", -40, "2023-12-01"))
    assert await figures(store) == {"earned": 300, "spent": 40, "expired": 60, "spendable": 200}
    entries = await store.find("points", {}, sort={"seq": 1})
    assert entries[:3] == before
    assert [(e["kind"], e["points"], e["balanceAfter"]) for e in entries[3:]] == [
        ("SPENT", -40, 160),
        ("EXPIRED", 40, 200),
    ]
    assert entries[4]["reason"].startswith("Given back")
    assert await timeline(store) == [(-100, datetime(2024, 1, 1, tzinfo=UTC)), (40, datetime(2024, 1, 1, tzinfo=UTC))]


# ---------------------------------------------------------------- what is owed


async def test_a_claw_back_beyond_the_balance_is_owed_and_later_earnings_pay_it(store: Store, bring: Bring) -> None:
    run = await bring(
        customer(),
        p("a", "EARNED", 100, "2024-01-01"),
        p("b", "SPENT", -80, "2024-01-02"),
        p("c", "REFUNDED", -100, "2024-01-03", refundOf=undoing("a")),
    )
    assert run.summary.debts.points == 80
    assert "points owed: 80 more, by 1 customers; earnings pay them first" in str(run.summary)
    assert await figures(store) == {"spent": 80, "owed": 80}
    [clawed] = await store.find("points", {"kind": "REFUNDED"})
    assert (clawed["points"], clawed["shortfall"], clawed["balanceAfter"]) == (-100, 80, -80)
    await bring(p("d", "EARNED", 50, "2024-01-04"))
    assert await figures(store) == {"earned": 50, "spent": 80, "owed": 30}
    await bring(p("e", "EARNED", 50, "2024-01-05"))
    assert await figures(store) == {"earned": 100, "spent": 80, "spendable": 20}


@pytest.mark.parametrize("amount", [-30, 30])
async def test_an_opening_balance_may_be_negative(store: Store, bring: Bring, amount: int) -> None:
    await bring(customer(), p("o", "ADJUSTED", amount, "2024-01-01", reason="Opening balance"))
    await bring(p("a", "EARNED", 50, "2024-01-02"))
    assert (await figures(store))["spendable"] == 50 + amount


async def test_a_line_that_makes_a_change_of_here_short_is_taken_and_the_summary_says_so(
    store: Store, bring: Bring
) -> None:
    await bring(customer(), p("a", "EARNED", 100, "2024-01-01"))
    await bring({**p("x", "ADJUSTED", -80, "2024-01-03", reason="Here"), "source": "billing"})
    run = await bring(p("b", "SPENT", -50, "2024-01-02"))
    assert run.rejects == []
    assert run.summary.debts.points == 30
    assert await figures(store) == {"earned": 100, "spent": 130, "owed": 30}


@pytest.mark.parametrize("lines_per_chunk", [1, 1_000])
async def test_an_id_that_two_customers_have_is_taken_once_even_if_one_of_them_waited(
    bring: Bring, lines_per_chunk: int
) -> None:
    run = await bring(
        customer("1001"),
        customer("1002"),
        p("s", "SPENT", -5, "2024-01-02", of="esuite/E1001"),
        p("e", "EARNED", 9, "2024-01-01", of="esuite/E1002"),
        p("s", "SPENT", -5, "2024-01-02", of="esuite/E1002"),
        p("f", "EARNED", 9, "2024-01-01", of="esuite/E1001"),
        lines_per_chunk=lines_per_chunk,
    )
    [reason] = run.reasons.values()
    assert reason.startswith("This id is here already with other content (customer)")
    assert run.totals == {LineOutcome.IMPORTED: 5, LineOutcome.REJECTED: 1}


# ---------------------------------------------------------------- reservations


@pytest.mark.parametrize("other", [0, 200])
@pytest.mark.parametrize("workers", [(), (0,), (1,), (2,), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("spent_at", ["2024-01-05T00:00:00Z", "2024-01-05T09:30:00Z"])
async def test_a_reservation_keeps_its_points_for_a_capture_after_their_day(
    store: Store, bring: Bring, workers: tuple[int, ...], other: int, spent_at: str
) -> None:
    files: list[list[Line]] = [
        [
            p("a", "EARNED", 100, "2023-01-01", expiresAt="2024-01-01T00:00:00Z"),
            *([p("b", "EARNED", other, "2023-06-01")] if other else []),
            p("c", "RESERVED", -60, "2023-12-30"),
        ],
        [p("d", "RELEASED", 60, "2024-01-05")],
        [p("e", "SPENT", -60, spent_at)],
    ]
    await bring(customer())
    for number, lines in enumerate(files):
        assert (await bring(*lines)).rejects == []
        if number in workers:
            await expire_due(store, NOW)
    rest = {"spendable": other} if other else {}
    assert await figures(store) == {"earned": 100 + other, "spent": 60, "expired": 40, **rest}


async def test_what_is_released_after_its_day_and_not_spent_expires_with_that_day_where_the_programme_is(
    store: Store, bring: Bring
) -> None:
    lines = [
        p("a", "EARNED", 100, "2023-01-01", expiresAt="2024-01-01T00:00:00Z"),
        p("c", "RESERVED", -60, "2023-12-30"),
        p("d", "RELEASED", 60, "2024-01-05T10:00:00Z"),
    ]
    await bring(customer(), *lines, options=ImportOptions(zone=ZoneInfo("America/New_York")))
    ends = datetime(2024, 1, 6, 5, tzinfo=UTC)
    assert (await figures(store, ends - timedelta(milliseconds=1)))["spendable"] == 60
    assert await figures(store, ends) == {"earned": 100, "expired": 100}


# ---------------------------------------------------------------- when points expire


async def test_one_activity_tells_of_each_expiry_at_its_own_moment(store: Store, bring: Bring) -> None:
    await bring(
        customer(),
        p("a", "EARNED", 100, "2023-01-01", expiresAt="2024-01-01T10:30:00+01:00"),
        p("b", "EARNED", 50, "2023-01-01", expiresAt="2024-02-01T00:00:00Z"),
        p("c", "EARNED", 7, "2023-01-01"),
        p("d", "SPENT", -7, "2024-03-01"),
    )
    assert await timeline(store) == []
    await expire_due(store, NOW)
    days = [datetime(2024, 1, 1, 9, 30, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)]
    assert await timeline(store) == [(-100, days[0]), (-50, days[1])]
    entries = await store.find("points", {"kind": "EXPIRED"}, sort={"seq": 1})
    assert [entry["occurredAt"] for entry in entries] == days


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2030-03-01T10:30:00.250+01:00", datetime(2030, 3, 1, 9, 30, 0, 250_000, tzinfo=UTC)),
        ("2030-03-01T00:00:00Z", datetime(2030, 3, 1, tzinfo=UTC)),
        ("2030-03-01", datetime(2030, 3, 1, 23, tzinfo=UTC)),
        ("2030-07-01", datetime(2030, 7, 1, 22, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", None),
        ("9999-12-31", None),
    ],
)
async def test_an_expiry_is_kept_as_it_was_given_and_a_date_is_its_end_where_the_programme_is(
    store: Store, bring: Bring, given: str, kept: datetime | None
) -> None:
    line = p("a", "EARNED", 100, "2024-01-01", expiresAt=given)
    await bring(customer(), line, options=ImportOptions(zone=ZoneInfo("Europe/Oslo")))
    [entry] = await store.find("points", {})
    assert entry.get("expiresAt") == kept
    assert (await ada(store))["points"]["buckets"] == [{"expiresAt": kept, "remaining": 100}]
    assert (await bring(line, options=ImportOptions(zone=ZoneInfo("Europe/Oslo")))).totals == {LineOutcome.UNCHANGED: 1}


# ---------------------------------------------------------------- the future


@pytest.mark.parametrize(("minutes", "comes_in"), [(0, True), (5, True), (5.001, False), (500_000, False)])
@pytest.mark.parametrize("kind", ["points", "activity"])
async def test_what_lies_more_than_five_minutes_ahead_is_rejected(
    store: Store, bring: Bring, kind: str, minutes: float, comes_in: bool
) -> None:
    when = (NOW + timedelta(minutes=minutes)).isoformat()
    content = {"pointsKind": "EARNED", "points": 5} if kind == "points" else {"type": "BIRTHDAY"}
    identity = {"source": "esuite", "id": "E1001"}
    run = await bring(
        customer(), {"kind": kind, "source": "loyalty", "id": "1", "customer": identity, "occurredAt": when, **content}
    )
    assert run.reasons == ({} if comes_in else {2: "occurredAt lies in the future."})
    stored = await ada(store)
    assert ("points" in stored or "lastActivityAt" in stored) is comes_in


# ---------------------------------------------------------------- closed and merged accounts


async def test_a_closed_account_takes_no_points_but_what_happened_before(store: Store, bring: Bring) -> None:
    run = await bring(
        customer(),
        status("s", "MERGED", "2024-02-01T00:00:00Z"),
        p("a", "EARNED", 10, "2024-01-01"),
        p("b", "EARNED", 20, "2024-03-01"),
    )
    assert list(run.reasons) == [4]
    assert run.reasons[4].startswith("The account is closed (MERGED) and takes no points any more. Give mergedInto")
    assert (await bring(p("c", "EARNED", 20, "2024-03-01"))).summary.exit_code == 1
    assert await figures(store) == {"earned": 10, "spendable": 10}


async def test_points_of_a_merged_account_come_to_whom_it_was_merged_into(store: Store, bring: Bring) -> None:
    before = p("a", "EARNED", 10, "2024-01-01", of="esuite/E1002")
    after = p("b", "EARNED", 20, "2024-03-01", of="esuite/E1002")
    await bring(customer(), customer("1002"), before)
    gone = customer("1002", mergedInto={"source": "esuite", "id": "E1001"})
    assert (await bring(gone)).totals == {LineOutcome.UPDATED: 1}
    assert (await bring(before, after)).totals == {LineOutcome.UNCHANGED: 1, LineOutcome.IMPORTED: 1}
    assert (await bring(gone, before, after)).totals == {LineOutcome.UNCHANGED: 3}
    assert await figures(store) == {"earned": 20, "spendable": 20}
    [merged] = await store.find("customers", {"number": "1002"})
    assert (merged["status"], merged["mergedIntoId"]) == ("MERGED", (await ada(store))["_id"])


@pytest.mark.parametrize(
    ("into", "reason"),
    [
        ("E7", "mergedInto names E7 of esuite, a customer who did not come in before."),
        ("E1001", "mergedInto must be another customer, who was not merged into this one."),
        ("E1002", "mergedInto must be another customer, who was not merged into this one."),
    ],
)
async def test_nobody_is_merged_into_themselves_or_into_a_stranger(bring: Bring, into: str, reason: str) -> None:
    await bring(customer(), customer("1002", mergedInto={"source": "esuite", "id": "E1001"}))
    run = await bring(customer(mergedInto={"source": "esuite", "id": into}))
    assert run.reasons == {1: reason}
