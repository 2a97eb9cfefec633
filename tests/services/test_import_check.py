"""A check says of each line what an import that follows does with it, and writes nothing."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from app.domain.import_forms import Identity
from app.services.importing import ImportOptions, Reject, Summary, Verdict, check_lines, import_lines
from app.store.driver import Store
from app.store.tombstones import tombstone_id
from tests.support.digest import digest
from tests.support.import_lines import (
    Bring,
    Killed,
    Line,
    activity,
    coupon,
    customer,
    link,
    points,
    status,
    thing,
)

NOW = datetime.now(UTC).replace(microsecond=0)  # the server deletes an old feed, by its own clock
EXAMPLES = sorted(Path("examples/import").glob("*.ndjson"))


async def checked(
    store: Store, raw: Sequence[bytes], lines_per_chunk: int, lanes: int = 1
) -> tuple[list[Verdict], Summary]:
    verdicts: list[Verdict] = []
    summary = await check_lines(
        store,
        raw,
        now=NOW,
        on_verdict=verdicts.append,
        lines_per_chunk=lines_per_chunk,
        options=ImportOptions(lanes=lanes),
    )
    return verdicts, summary


async def imported(
    store: Store, raw: Sequence[bytes], lines_per_chunk: int, lanes: int = 1
) -> tuple[list[Verdict], Summary]:
    verdicts: list[Verdict] = []
    rejects: list[Reject] = []
    summary = await import_lines(
        store,
        raw,
        now=NOW,
        reject=rejects.append,
        on_verdict=verdicts.append,
        lines_per_chunk=lines_per_chunk,
        options=ImportOptions(lanes=lanes),
    )
    return verdicts, summary


async def held_to_what_follows(
    store: Store, raw: Sequence[bytes], lines_per_chunk: int = 1_000, lanes: int = 1
) -> Summary:
    """Checks lines, sees that nothing was written, imports them, and sees that each came to what the check said."""
    before = await digest(store)
    told, foreseen = await checked(store, raw, lines_per_chunk, lanes)
    assert await digest(store) == before
    assert await scratches(store) == []
    happened, summary = await imported(store, raw, lines_per_chunk, lanes)
    assert told == happened
    assert foreseen.as_json() == summary.as_json()
    return summary


async def scratches(store: Store) -> list[str]:
    name = store.database.primary.name
    found = await store.command({"listDatabases": 1, "nameOnly": True}, on_admin=True)
    return [each["name"] for each in found["databases"] if each["name"].startswith(f"{name}_check_")]


async def test_a_check_foresees_what_the_example_files_come_to(store: Store) -> None:
    for path in EXAMPLES:
        summary = await held_to_what_follows(store, path.read_bytes().splitlines(keepends=True), lines_per_chunk=7)
        assert summary.lines >= 5
    everything = [line for path in EXAMPLES for line in path.read_bytes().splitlines(keepends=True)]
    summary = await held_to_what_follows(store, everything, lines_per_chunk=7)
    assert {outcome for _, outcome in summary.counts if summary.total(outcome)} == {"UNCHANGED"}


def mix(random: Random, count: int) -> list[bytes]:
    """Returns lines about six customers of two systems, good and bad, in any order."""

    def number() -> str:
        return str(random.randint(1, 6))

    def of() -> str:
        return random.choice((f"esuite/E{number()}", f"billing/B{number()}", "lost/1"))

    def at() -> str:
        return f"2024-01-{random.randint(1, 28):02}T00:00:00Z"

    def row() -> str:
        return str(random.randint(1, 12))

    makers: list[Callable[[], Line]] = [
        lambda: customer(number(), name=random.choice(("Ada", "Eva", "Ida"))),
        lambda: customer(number(), tags=random.sample(["a", "b", "c"], 2), paymentCount=random.randint(0, 2)),
        lambda: customer(number(), id=f"E{number()}"),
        lambda: customer(number(), mergedInto={"source": "esuite", "id": f"E{number()}"}),
        lambda: link(f"esuite/E{number()}", f"billing/B{number()}"),
        lambda: activity(row(), of=of(), type=random.choice(("BIRTHDAY", "BIRHTDAY"))),
        lambda: activity(row(), of=of(), occurredAt=at()),
        lambda: points(row(), "EARNED", random.randint(10, 90), of=of(), occurredAt=at()),
        lambda: points(f"s{row()}", "SPENT", -random.randint(10, 50), of=of(), occurredAt=at()),
        lambda: points(
            f"r{row()}", "REFUNDED", 5, of=of(), occurredAt=at(), refundOf={"source": "loyalty", "id": f"s{row()}"}
        ),
        lambda: coupon(row(), of=of(), code=random.choice(("TEN", "TWENTY"))),
        lambda: thing("coupon", row(), of=of(), deleted=True),
        lambda: thing("note", row(), of=of(), message=random.choice(("Call.", "Write.")), createdAt=at()),
        lambda: status(row(), random.choice(("BLOCKED", "ACTIVE", "CANCELLED")), at(), of=of()),
        lambda: activity(row(), of=of(), occurredAt="2999-01-01T00:00:00Z"),
        lambda: {"kind": "cupon"},
    ]
    return [json.dumps(random.choice(makers)()).encode() for _ in range(count)]


@pytest.mark.parametrize("lanes", [1, 3], ids=["one lane", "three lanes"])
@pytest.mark.parametrize("seed", range(4))
async def test_a_check_foresees_what_a_mix_of_lines_comes_to(store: Store, seed: int, lanes: int) -> None:
    """In three, as the command has it, customers are looked at in turns, and none is seen half written."""
    random = Random(seed)
    await imported(store, mix(random, 60), 20)
    erased = tombstone_id(Identity("billing", random.choice(("B1", "B5", "B6"))))
    await store.insert("tombstones", [{"_id": erased, "at": NOW}])
    summary = await held_to_what_follows(store, mix(random, 160), 20, lanes)
    assert len({outcome for _, outcome in summary.counts if summary.total(outcome)}) >= 5
    assert len(summary.reasons.counts) >= 5


async def test_what_waits_comes_in_in_a_check_and_still_waits_after_it(store: Store, bring: Bring) -> None:
    await bring(activity("a", of="lost/1"), link("lost/1", "esuite/E1001"), coupon("c", of="lost/1"))
    raw = [json.dumps(customer()).encode()]
    verdicts, _ = await checked(store, raw, 1)
    assert [verdict.outcome for verdict in verdicts] == ["IMPORTED", "UNPARKED", "UNPARKED", "UNPARKED"]
    assert len(await store.find("parked", {})) == 4  # a link waits in two places
    await held_to_what_follows(store, raw)


async def test_a_check_that_is_interrupted_leaves_nothing(store: Store) -> None:
    def dies(_: Verdict) -> None:
        raise Killed

    before = await digest(store)
    with pytest.raises(Killed):
        await check_lines(store, [json.dumps(customer()).encode()], now=NOW, on_verdict=dies)
    assert await scratches(store) == []
    assert await digest(store) == before


async def test_what_a_killed_check_left_is_dropped_a_day_later(store: Store) -> None:
    name = store.database.primary.name
    begun = int((NOW - timedelta(hours=25)).timestamp())
    recent = int((NOW - timedelta(hours=23)).timestamp())
    kept = [f"{name}_check_{recent}_0123abcd", f"{name}_check_{begun}_yours"]
    names = [f"{name}_check_{begun}_0123abcd", *kept]
    client = store.database.client
    try:
        for each in names:
            await client[each]["rows"].insert_one({"_id": 1})
        await checked(store, [], 1)
        assert sorted(await scratches(store)) == sorted(kept)
    finally:
        for each in names:
            await client.drop_database(each)
