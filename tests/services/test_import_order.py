"""The order of lines matters to nothing, but to how points are numbered; the example files are no exception."""

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from random import Random
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.services.importing import LineOutcome
from app.store.driver import Document, Store
from tests.support.digest import delete_all
from tests.support.import_lines import Bring, Line, activity, coupon, customer, fingerprint, link, points, status, thing

EXAMPLES = sorted(Path("examples/import").glob("*.ndjson"))


def lines_in(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


async def test_the_example_files_come_in_and_a_second_time_change_nothing(store: Store, bring: Bring) -> None:
    assert {path.stem for path in EXAMPLES} == {"billing", "callcenter", "esuite", "loyalty", "overview"}
    for path in EXAMPLES:
        run = await bring(*lines_in(path))
        assert run.rejects == [], path
        assert run.totals.keys() <= {LineOutcome.IMPORTED, LineOutcome.UPDATED}, path
    before = await fingerprint(store)
    assert await store.find("parked", {}) == []
    nora = [found for found in await store.find("customers", {}) if found["number"] == "100231"]
    assert {identity["source"] for identity in nora[0]["identities"]} == {path.stem for path in EXAMPLES}

    run = await bring(*chain(*map(lines_in, EXAMPLES)))
    assert run.totals.keys() == {LineOutcome.UNCHANGED}
    assert await fingerprint(store) == before


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
async def test_each_example_file_alone_rejects_nothing(bring: Bring, path: Path) -> None:
    assert (await bring(*lines_in(path))).rejects == []


def world() -> list[Line]:
    """Five customers known to several systems, one whom nobody knows, and all kinds of things; in good order."""
    lines: list[Line] = [link("lost/1", "lost/2"), activity("lost", of="lost/1")]
    for number in ("1", "2", "3", "4", "5"):
        esuite, billing, loyalty = f"esuite/E{number}", f"billing/B{number}", f"loyalty/L{number}"
        lines += [
            customer(number, email=f"{number}@example.com", status="DEACTIVATED"),
            link(loyalty, billing),
            link(billing, esuite),
            activity(f"{number}a", of=esuite, actor={"kind": "CUSTOMER"}),
            activity(f"{number}b", of=billing, type="UNHEARD_OF", attributes={"x": 1.5}),
            activity(f"{number}c", of=loyalty, note={"source": "loyalty", "id": f"{number}n"}),
            coupon(f"{number}k", of=loyalty, redeemedBy={"kind": "CUSTOMER"}, redeemed=True),
            thing("transaction", f"{number}t", of=billing, number="7", type="SALE", occurredAt="2024-01-01T00:00:00Z"),
            thing("pass", f"{number}w", of=loyalty, serialNumber="s", type="APPLE", createdAt="2024-01-01T00:00:00Z"),
            thing("email", f"{number}m", of=esuite, subject="Hello", to="ada@example.com"),
            thing("note", f"{number}n", of=billing, message="Call.", createdAt="2024-01-01T00:00:00Z"),
            status(f"{number}s1", "BLOCKED", "2024-01-01T00:00:00Z", of=esuite),
            status(f"{number}s2", "ACTIVE", "2024-02-01T00:00:00Z", of=billing, **{"from": "BLOCKED"}),
            status(f"{number}s3", "BLOCKED", "2024-02-01T00:00:00Z", of=loyalty, **{"from": "ACTIVE"}),
            points(f"{number}p1", "EARNED", 100, of=loyalty, expiresAt="2024-02-01T00:00:00Z"),
            points(f"{number}p2", "EARNED", 50, of=loyalty),
            points(f"{number}p3", "SPENT", -30, of=loyalty),
            points(f"{number}p4", "SPENT", -1_000, of=loyalty),
            points(f"{number}p5", "REFUNDED", 20, of=loyalty, refundOf={"source": "loyalty", "id": f"{number}p3"}),
            points(f"{number}p6", "SPENT", -40, of=loyalty, occurredAt="2024-03-01T00:00:00Z"),
        ]
    return lines


def shuffled(lines: list[Line], random: Random) -> list[Line]:
    """In any order, but for the points of each customer, who keep theirs."""
    mixed = random.sample(lines, len(lines))
    for owner in {line["customer"]["id"] for line in lines if line["kind"] == "points"}:
        ordered = [line for line in lines if line["kind"] == "points" and line["customer"]["id"] == owner]
        positions = [place for place, line in enumerate(mixed) if line in ordered]
        for place, line in zip(positions, ordered, strict=True):
            mixed[place] = line
    return mixed


def forget_when(document: Document) -> None:
    for key in ("recordedAt", "arrival", "parkedAt", "revision", "detailsRevision", "order"):
        document.pop(key, None)
    document.get("line", {}).pop("number", None)
    if "activitiesMore" in document:  # previews of lists
        for row in document["activities"]:
            del row["recordedAt"]
        for row in (*document["points"], *document["statuses"]):
            del row["recordedAt"]
            row.pop("arrival", None)
        for rows in cast(list[list[Document]], [value for value in document.values() if isinstance(value, list)]):
            rows.sort(key=lambda row: row["_id"])
            for row in rows:
                row.pop("order", None)


@given(random=st.randoms(use_true_random=False), lines_per_chunk=st.sampled_from((1, 3, 10, 1_000)))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_lines_in_any_order_make_the_same_database(
    store: Store, bring: Bring, random: Random, lines_per_chunk: int
) -> None:
    prints: list[str] = []
    for lines, size in ((world(), 1_000), (shuffled(world(), random), lines_per_chunk)):
        await delete_all(store)
        run = await bring(*lines, lines_per_chunk=size)
        assert len(run.rejects) == 5, "the spend that no customer can afford"
        prints.append(await fingerprint(store, without=forget_when))
        assert (await bring(*lines, lines_per_chunk=size)).totals.keys() == {
            LineOutcome.UNCHANGED,
            LineOutcome.PARKED,
            LineOutcome.REJECTED,
        }
        assert await fingerprint(store, without=forget_when) == prints[-1]
    assert prints[0] == prints[1]


TWICE: dict[str, Callable[[str], Line]] = {
    "customer": lambda said: customer(name=said, email=f"{said}@example.com", tags=[said]),
    "coupon": lambda said: coupon("c", code=said),
    "transaction": lambda said: thing("transaction", "t", number=said, type="SALE", occurredAt="2024-01-01T00:00:00Z"),
    "pass": lambda said: thing("pass", "w", serialNumber=said, type="APPLE", createdAt="2024-01-01T00:00:00Z"),
    "email": lambda said: thing("email", "m", subject=said, to="ada@example.com"),
}


@pytest.mark.parametrize("lines_per_chunk", [1, 2, 1_000])
@pytest.mark.parametrize("kind", TWICE)
async def test_of_one_thing_the_last_line_of_a_file_holds_and_the_same_file_again_updates_nothing(
    kind: str, lines_per_chunk: int, store: Store, bring: Bring
) -> None:
    line = TWICE[kind]
    between = [activity(f"{number}") for number in range(3)]
    file = [line("a"), between[0], line("b"), between[1], line("a"), between[2], line("b")]
    await bring(customer())
    await bring(*file, lines_per_chunk=lines_per_chunk)
    before = await fingerprint(store, without=forget_when)
    run = await bring(*file, lines_per_chunk=lines_per_chunk)
    assert run.totals == {LineOutcome.UNCHANGED: 7}
    assert str(run.summary).splitlines()[0].endswith(" unchanged")
    assert await fingerprint(store, without=forget_when) == before

    run = await bring(*file, line("c"), lines_per_chunk=lines_per_chunk)
    assert run.totals == {LineOutcome.UNCHANGED: 3, LineOutcome.UPDATED: 5}
