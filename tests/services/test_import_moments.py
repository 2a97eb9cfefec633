"""Rows of one moment, in every list by time: as they arrived, whatever their ids are; statuses by their chain."""

from collections.abc import Sequence
from itertools import permutations
from random import Random
from typing import Final

import pytest

from app.domain.ids import derived_id
from app.services.importing import LineOutcome
from app.store import indexes, previews
from app.store.driver import Store, UpdateMany, UpdateOne
from tests.support.gateway import Ask
from tests.support.import_lines import ADA, NOW, Bring, Line, activity, ada, coupon, customer, points, status, thing

MOMENT: Final = "2024-01-01T00:00:00Z"
COLLECTIONS: Final = {
    "activities": "activities",
    "coupons": "coupons",
    "transactions": "transactions",
    "passes": "passes",
    "points": "pointsHistory(orderBy: {field: OCCURRED_AT})",
}
"""The lists of a customer by time, newest first."""


def row(collection: str, number: int) -> Line:
    name = f"{number}"
    match collection:
        case "activities":
            return activity(name, occurredAt=MOMENT)
        case "coupons":
            return coupon(name)
        case "transactions":
            return thing("transaction", name, number=name, type="SALE", occurredAt=MOMENT)
        case "passes":
            return thing("pass", name, serialNumber=name, type="APPLE", createdAt=MOMENT)
        case _:
            return points(name, "EARNED", 10, occurredAt=MOMENT)


def id_of(collection: str, number: int) -> str:
    return derived_id(collection, source="loyalty", source_id=f"{number}")


async def shown(ask: Ask, field: str, arguments: str = "") -> list[str]:
    """The ids of a list, newest first."""
    named = field if not arguments else f"{field}({arguments})"
    answer = await ask(
        f"query($id: ID!) {{ customer(by: {{id: $id}}) {{ list: {named} {{ nodes {{ id }} }} }} }}", id=ADA
    )
    assert "errors" not in answer, answer
    return [node["id"] for node in answer["data"]["customer"]["list"]["nodes"]]


async def walked(ask: Ask, field: str, *, backwards: bool, size: int) -> list[str]:
    """Returns the ids of a list, newest first, by pages and their cursors."""
    ids: list[str] = []
    cursor = None
    name, arguments = field.removesuffix(")").partition("(")[::2]
    edge, more = ("startCursor", "hasPreviousPage") if backwards else ("endCursor", "hasNextPage")
    given = f"last: {size}, before: $c" if backwards else f"first: {size}, after: $c"
    page = f"nodes {{ id }} pageInfo {{ {edge} {more} }}"
    listed = f"list: {name}({given} {arguments}) {{ {page} }}"
    query = f"query($id: ID!, $c: String) {{ customer(by: {{id: $id}}) {{ {listed} }} }}"
    while True:
        answer = await ask(query, id=ADA, c=cursor)
        assert "errors" not in answer, answer
        found = answer["data"]["customer"]["list"]
        nodes = [node["id"] for node in found["nodes"]]
        ids = [*nodes, *ids] if backwards else [*ids, *nodes]
        cursor = found["pageInfo"][edge]
        if not found["pageInfo"][more]:
            return ids


@pytest.mark.parametrize("lines_per_chunk", [1, 7, 1_000])
@pytest.mark.parametrize("collection", COLLECTIONS)
async def test_rows_of_one_moment_are_listed_as_they_arrived(
    collection: str, lines_per_chunk: int, ask: Ask, store: Store, bring: Bring
) -> None:
    numbers = list(range(30))
    Random(lines_per_chunk).shuffle(numbers)
    await bring(customer(), *(row(collection, number) for number in numbers), lines_per_chunk=lines_per_chunk)
    expected = [id_of(collection, number) for number in reversed(numbers)]
    field = COLLECTIONS[collection]
    for size in (1, 4, 100):
        for backwards in (False, True):
            assert await walked(ask, field, backwards=backwards, size=size) == expected
    assert await shown(ask, field) == expected[:20]  # from the preview
    assert await previews.differences(store) == []
    # The same lines in another order arrived long ago.
    run = await bring(*(row(collection, number) for number in sorted(numbers)))
    assert run.totals == {LineOutcome.UNCHANGED: 30}
    assert await shown(ask, field) == expected[:20]


@pytest.mark.parametrize(
    "filter_", ['types: ["BIRTHDAY", "NOTE_ADDED"]', 'sources: ["esuite"]', "actorKinds: [IMPORT]"]
)
async def test_a_filter_keeps_the_order_of_arrival(filter_: str, ask: Ask, bring: Bring) -> None:
    lines = [{**row("activities", number), "source": "esuite"} for number in range(12)]
    await bring(customer(), *lines)
    expected = [derived_id("activities", source="esuite", source_id=f"{number}") for number in range(12)]
    assert await shown(ask, "activities", f"filter: {{{filter_}}}") == expected[::-1]
    given = f"filter: {{{filter_}}}, orderBy: {{field: TYPE, direction: ASC}}"
    assert await shown(ask, "activities", given) == expected


async def test_the_report_lists_what_happened_at_one_moment_as_it_arrived(ask: Ask, bring: Bring) -> None:
    names = ["3", "1", "2", "5", "4"]
    lines = [activity(name, of=f"esuite/E{name}", occurredAt=MOMENT) for name in names]
    await bring(*(customer(name) for name in names), *lines)
    answer = await ask(
        """{ customerServiceReport(filter: {occurredAt: {from: "2023-12-31T00:00:00Z", to: "2024-01-02T00:00:00Z"}}) {
            details { nodes { id } } } }"""
    )
    expected = [derived_id("activities", source="loyalty", source_id=name) for name in reversed(names)]
    assert [node["id"] for node in answer["data"]["customerServiceReport"]["details"]["nodes"]] == expected


async def test_later_files_come_after_earlier_ones_and_what_waited_came_when_it_was_parked(
    ask: Ask, store: Store, bring: Bring
) -> None:
    await bring(row("activities", 1), row("activities", 2))  # parked
    parked = {"$set": {"parkedAt": NOW.replace(hour=1)}}
    await store.write("parked", [UpdateMany({}, parked)])
    await bring(row("activities", 3), customer())
    assert await shown(ask, "activities") == [id_of("activities", number) for number in (3, 2, 1)]


async def test_what_is_updated_stays_where_it_came(ask: Ask, store: Store, bring: Bring) -> None:
    await bring(customer(), *(coupon(f"{number}") for number in range(8)))
    run = await bring(*(coupon(f"{number}", code="CHANGED") for number in (7, 3, 0, 5)))
    assert run.totals == {LineOutcome.UPDATED: 4}
    assert await shown(ask, "coupons") == [id_of("coupons", number) for number in reversed(range(8))]


# ---------------------------------------------------------------- statuses

CHAIN: Final = ["ACTIVE", "BLOCKED", "DEACTIVATED", "BLOCKED", "ACTIVE"]
"""None of its links can be walked in another order."""


def change(number: int) -> Line:
    return status(f"{number}", CHAIN[number], MOMENT, **{"from": CHAIN[number - 1]})


@pytest.mark.parametrize("way", [*permutations((1, 2, 3)), (4, 3, 2, 1), (2, 4, 1, 3)])
@pytest.mark.parametrize("at_once", [True, False], ids=["in one file", "in files of their own"])
async def test_changes_of_status_of_one_moment_are_listed_by_their_chain(
    at_once: bool, way: Sequence[int], ask: Ask, store: Store, bring: Bring
) -> None:
    await bring(customer(), status("0", CHAIN[0], "2023-01-01T00:00:00Z"))
    if at_once:
        await bring(*map(change, way))
    else:
        for number in way:
            await bring(change(number))
            assert await previews.differences(store) == []
    expected = [id_of("statuses", number) for number in (*sorted(way, reverse=True), 0)]
    for size in (1, 2, 100):
        for backwards in (False, True):
            assert await walked(ask, "statusHistory", backwards=backwards, size=size) == expected
    assert (await ada(store))["status"] == CHAIN[max(way)]


async def test_a_change_of_before_decides_which_of_a_moment_came_first(ask: Ask, bring: Bring) -> None:
    """There and back: which of both was first is known by the status before."""
    there, back = (
        status("1", "BLOCKED", MOMENT, **{"from": "ACTIVE"}),
        status("2", "ACTIVE", MOMENT, **{"from": "BLOCKED"}),
    )
    await bring(customer(), there, back)
    assert await shown(ask, "statusHistory") == [id_of("statuses", number) for number in (2, 1)]
    await bring(status("0", "BLOCKED", "2023-01-01T00:00:00Z"))
    assert await shown(ask, "statusHistory") == [id_of("statuses", number) for number in (1, 2, 0)]


# ---------------------------------------------------------------- what is changed here

NOTE = 'addNote(input: {customerId: $id, message: "%d", idempotencyKey: "%d"}) { userErrors { code } }'


async def test_changes_that_one_request_makes_are_listed_as_they_were_made(
    ask: Ask, store: Store, bring: Bring
) -> None:
    await bring(customer())
    changes = " ".join(f"c{number}: {NOTE % (number, number)}" for number in range(5))
    answer = await ask(f"mutation($id: ID!) {{ {changes} }}", id=ADA)
    assert "errors" not in answer, answer
    await store.write("activities", [UpdateMany({}, {"$set": {"occurredAt": NOW}})])
    await store.write("audit", [UpdateMany({}, {"$set": {"at": NOW}})])
    await store.write("customers", [UpdateOne({"_id": ADA}, {"$inc": {"revision": 1}})])
    query = """query($id: ID!) {
        customer(by: {id: $id}) { activities { nodes { id note { message } } } } auditLog { nodes { wrote } }
    }"""
    found = (await ask(query, id=ADA))["data"]
    activities = found["customer"]["activities"]["nodes"]
    assert [activity["note"]["message"] for activity in activities] == [f"{number}" for number in reversed(range(5))]
    rows = found["auditLog"]["nodes"]
    assert all(activity["id"] in row["wrote"] for activity, row in zip(activities, rows, strict=True))


# ---------------------------------------------------------------- what earlier versions leave


async def test_indexes_of_earlier_versions_stay_until_they_are_pruned(store: Store) -> None:
    old = {"name": "customerId_changedAt_id", "key": {"customerId": 1, "changedAt": 1, "_id": 1}}
    await store.command({"createIndexes": "statuses", "indexes": [old]})
    await indexes.apply(store)
    assert await indexes.differences(store) == ["statuses.customerId_changedAt_id: unknown"]
    assert await indexes.missing(store) == []
    assert await indexes.prune(store) == ["statuses.customerId_changedAt_id"]
    assert await indexes.differences(store) == []
    assert await indexes.prune(store) == []
