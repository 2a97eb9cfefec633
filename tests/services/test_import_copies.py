"""What customers are listed by follows an import within half a minute, and is never left wrong."""

import json
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import pytest

from app.domain import points as ledger
from app.domain.customers import PENDING, balance
from app.domain.vocabulary import LineOutcome
from app.services.importing import ImportOptions, Summary, import_lines
from app.services.writing import CustomerRows, change_customers
from app.store import indexes, previews
from app.store.driver import Store
from tests.support.import_lines import ADA, NOW, Bring, Killed, Line, activity, coupon, customer, link, points, status

OWNERS: Final = ("1001", "1002", "1003", "1004")
TYPES: Final = ("BIRTHDAY", "NOTE_ADDED", "NOBODY_KNOWS_IT")


def drawn(dice: random.Random, at: int) -> Line:
    of, when = {"of": f"esuite/E{dice.choice(OWNERS)}"}, f"2024-{dice.randint(1, 12):02}-01T00:00:00Z"
    match dice.randrange(7):
        case 0:
            return customer(dice.choice(OWNERS), paymentCount=at)
        case 1 | 2:
            said = {"type": dice.choice(TYPES), "campaign": dice.choice(("spring", "fall"))}
            return activity(f"A-{at}", **of, occurredAt=when, **said)
        case 3:
            return points(f"P-{at}", "EARNED", 10, **of, expiresAt=dice.choice((None, "2030-01-01", "2029-05-05")))
        case 4:
            return points(f"P-{at}", "SPENT", -3, **of)
        case 5:
            return coupon(f"C-{dice.randrange(8)}", **of)  # which goes from one to another
        case _:
            return status(f"S-{at}", dice.choice(("ACTIVE", "BLOCKED")), when, **of)


async def assert_settled(store: Store) -> None:
    assert await store.find("customers", {PENDING: {"$exists": True}}) == []
    assert await indexes.wrong_copies(store) == []


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_comes_in_however_chunked_every_copy_and_preview_is_right(
    seed: int, bring: Bring, store: Store
) -> None:
    dice = random.Random(seed)
    lines = [*map(customer, OWNERS), link("esuite/E1001", "other/1"), *(drawn(dice, at) for at in range(60))]
    for part in (lines[:40], lines[30:]):
        dice.shuffle(part)
        options = ImportOptions(lanes=dice.choice((1, 3)))
        await bring(*part, lines_per_chunk=dice.choice((1, 7, 1_000)), options=options)
        await assert_settled(store)
        assert await previews.differences(store) == []
        assert await previews.refresh_stale(store) == 0


@pytest.mark.parametrize("seconds", [0, 30])
async def test_a_long_import_settles_on_its_way(
    seconds: int, bring: Bring, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "SETTLED_EACH_SECONDS", seconds)
    await bring(*map(customer, OWNERS))
    unsettled: list[set[str]] = []

    async def look(_: Summary) -> None:
        found = await store.find("customers", {PENDING: {"$exists": True}}, fields={"number": 1})
        unsettled.append({each["number"] for each in found})

    lines = [json.dumps(activity(f"A-{owner}", of=f"esuite/E{owner}")).encode() for owner in OWNERS]
    await import_lines(store, lines, now=NOW, reject=print, note=look, lines_per_chunk=1)
    as_they_came = [{owner} for owner in OWNERS] if seconds == 0 else [{*OWNERS[: at + 1]} for at in range(len(OWNERS))]
    assert unsettled == as_they_came
    await assert_settled(store)


class BrokenPipe(Exception):
    """The file ends in the middle."""


async def test_an_import_whose_file_breaks_off_settles_what_came_in(store: Store, bring: Bring) -> None:
    await bring(customer())

    def lines() -> Iterator[bytes]:
        yield json.dumps(activity("A-1")).encode()
        raise BrokenPipe

    with pytest.raises(BrokenPipe):
        await import_lines(store, lines(), now=NOW, reject=print)
    [ada] = await store.find("customers", {})
    assert "lastActivityAt" in ada
    await assert_settled(store)


async def by_the_worker(store: Store, _: Bring) -> None:
    await previews.refresh_stale(store)


async def by_a_change(store: Store, _: Bring) -> None:
    async def body(rows: CustomerRows) -> None:
        state = (await rows.lock(ADA))["points"]
        rows.set_on_customer(ADA, balance(ledger.adjust(state, -4, now=NOW).state))

    await change_customers(store, body, now=NOW)


async def by_the_same_file(_: Store, bring: Bring) -> None:
    assert (await bring(*LINES)).totals == {LineOutcome.UNCHANGED: len(LINES)}


async def by_the_customers_own_line(_: Store, bring: Bring) -> None:
    await bring(customer())


async def by_the_same_file_in_lanes(_: Store, bring: Bring) -> None:
    await bring(*LINES, options=ImportOptions(lanes=3))


LINES: Final = (
    activity("A-1", occurredAt="2025-06-01T00:00:00Z", campaign="spring"),
    points("P-1", "EARNED", 10, expiresAt="2030-01-01"),
    points("P-2", "SPENT", -3),
)
MENDS: Final = (
    by_the_worker,
    by_a_change,
    by_the_same_file,
    by_the_same_file_in_lanes,
    by_the_customers_own_line,
)


@pytest.mark.parametrize("mend", MENDS, ids=lambda mend: mend.__name__)
async def test_who_dies_before_it_is_settled_leaves_the_truth_and_what_is_settled_later(
    mend: Callable[[Store, Bring], Awaitable[None]], bring: Bring, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bring(customer(), points("P-0", "EARNED", 5, expiresAt="2029-01-01"))

    async def dies(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(previews, "settle", dies)
        with pytest.raises(Killed):
            await bring(*LINES)
    [left] = await store.find("customers", {PENDING: {"$exists": True}})
    assert (ledger.spendable(left["points"]), left["spendable"]) == (12, 5)
    await mend(store, bring)
    await assert_settled(store)
    [whole] = await store.find("customers", {})
    assert whole["spendable"] == ledger.spendable(whole["points"])
    assert whole["lastActivityAt"].isoformat() == "2025-06-01T00:00:00+00:00"
    assert whole["campaigns"] == ["spring"]
    assert await previews.differences(store) == []
