"""While rows move to a survivor: readers see each of them once, writers lose nothing, and workers may die."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from app.services.merge_job import Mover
from app.store import previews
from app.store.driver import Document, Store, UpdateOne
from app.store.indexes import wrong_copies
from app.store.schema import ROWS_OF_CUSTOMERS
from tests.support.gateway import Ask
from tests.support.import_lines import Bring, Line, activity, customer, points, thing
from tests.support.mutations import ADJUST, MERGE_CUSTOMERS, UNMERGE
from tests.support.relays import until

WALK = """query($id: ID!, $after: String, $order: ActivityOrder, $filter: ActivityFilter) { node(id: $id) {
  ... on Customer { activities(first: 7, after: $after, orderBy: $order, filter: $filter) {
    totalCount nodes { id customer { id } } pageInfo { hasNextPage endCursor } } } } }"""
AT_ONCE = """query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { id
  activities(first: 100) { totalCount nodes { id } } coupons(first: 100) { totalCount nodes { id } }
  notes(first: 100) { nodes { id } } activityFacets { count } points { spendable audit { ok } } } } }"""
Given = dict[str, Any] | None
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def _lines(random: Random) -> list[Line]:
    """Three customers, with rows of which many are of one moment."""
    lines: list[Line] = [customer(f"100{number}") for number in (1, 2, 3)]
    for place in range(90):
        of = f"esuite/E100{random.randint(1, 3)}"
        at = (BEGIN + timedelta(hours=random.randrange(30))).isoformat()
        lines.append(activity(f"a{place}", of=of, occurredAt=at, type=random.choice(["BIRTHDAY", "OPT_IN"])))
        if place % 4 == 0:
            code = {"code": f"C{place}", "type": "discount", "value": "10 %", "origin": "RULE"}
            lines.append(thing("coupon", f"c{place}", of=of, addedAt=at, **code))
        if place % 6 == 0:
            lines.append(points(f"p{place}", "EARNED", 100, of=of, occurredAt=at))
            lines.append(thing("note", f"n{place}", of=of, message="Called.", createdAt=at))
    return lines


@pytest.mark.parametrize("seed", range(6))
async def test_readers_see_each_row_once_and_writers_lose_nothing_whoever_dies(
    seed: int, ask: Ask, store: Store, bring: Bring
) -> None:
    random = Random(seed)
    lines = _lines(random)
    assert not (await bring(*lines)).rejects
    into, *others = [each["_id"] for each in await store.find("customers", {}, sort={"number": 1})]
    before = await _rows(store)
    spendable = sum(each["spendable"] for each in await store.find("customers", {}))
    asked = {"intoId": into, "ids": others, "reason": "The same", "idempotencyKey": "m"}
    merge = (await ask(MERGE_CUSTOMERS, input=asked))["data"]["mergeCustomers"]
    assert merge["userErrors"] == []
    there = before["activities"] | {merge["activity"]["id"]}
    is_over = asyncio.Event()
    kills, walks, adjusted = 0, 0, 0

    async def move() -> None:
        nonlocal kills
        for batch in (2, 3, 4, 5):
            mover = asyncio.create_task(Mover(store, batch=batch).once())
            await asyncio.sleep(random.random() * 0.15)
            if not mover.done():
                mover.cancel()
                kills += 1
                await asyncio.wait([mover])
                await end_lease()
            await mover if not mover.cancelled() else None
        for _ in range(100):
            await Mover(store).once()
            if (await store.find("merges", {}))[0]["status"] == "DONE":
                break
            await end_lease()  # which the last write of one who died has renewed: it came after that
        await until(lambda: min(walks, adjusted, len(new)) >= 1)
        is_over.set()

    async def end_lease() -> None:
        """Who dies says no last word."""
        past = {"$set": {"dueAt": datetime.now(UTC) - timedelta(seconds=1)}}
        await store.write("merges", [UpdateOne({"dueAt": {"$exists": True}}, past)])

    async def walk(
        order: dict[str, str] | None, filter_: dict[str, Any] | None, among: Callable[[Document], bool]
    ) -> None:
        nonlocal walks
        expected = {row["_id"] for row in await store.find("activities", {}) if row["_id"] in there and among(row)}
        while not is_over.is_set():
            seen, after = Counter[str](), None
            while True:
                answer = await ask(WALK, id=into, after=after, order=order, filter=filter_)
                assert "errors" not in answer, answer
                page = answer["data"]["node"]["activities"]
                seen.update(node["id"] for node in page["nodes"])
                assert {node["customer"]["id"] for node in page["nodes"]} <= {into}
                after = page["pageInfo"]["endCursor"]
                if not page["pageInfo"]["hasNextPage"]:
                    break
            assert not [each for each, count in seen.items() if count > 1]
            assert expected <= seen.keys(), expected - seen.keys()
            walks += 1

    async def look() -> None:
        while not is_over.is_set():
            answer = await ask(AT_ONCE, ids=[into, *others])
            assert "errors" not in answer, answer
            survivor, *stubs = answer["data"]["nodes"]
            assert before["coupons"] == {node["id"] for node in survivor["coupons"]["nodes"]}
            assert survivor["coupons"]["totalCount"] == len(before["coupons"])
            assert before["notes"] == {node["id"] for node in survivor["notes"]["nodes"]}
            assert survivor["activities"]["totalCount"] >= len(there)
            for stub in stubs:
                assert (stub["coupons"]["nodes"], stub["coupons"]["totalCount"]) == ([], 0)
                assert stub["activities"]["totalCount"] <= 1
                assert stub["points"]["spendable"] == 0
            assert all(each["points"]["audit"]["ok"] for each in answer["data"]["nodes"])

    async def adjust() -> None:
        nonlocal adjusted
        while not is_over.is_set():
            given = {"customerId": into, "points": 1, "reason": "x", "idempotencyKey": f"a{adjusted}"}
            payload = (await ask(ADJUST, input=given))["data"]["adjustPoints"]
            assert payload["userErrors"] == [], payload
            adjusted += 1
            await asyncio.sleep(0.01)

    new: list[Line] = []

    async def import_() -> None:
        while not is_over.is_set():
            of = f"esuite/E100{random.randint(1, 3)}"
            new.append(activity(f"new{len(new)}", of=of))
            run = await bring(new[-1], *random.sample(lines[3:], 5))
            assert run.reasons == {}
            await asyncio.sleep(0.02)

    newest, by_type = {"field": "OCCURRED_AT", "direction": "ASC"}, {"field": "TYPE", "direction": "ASC"}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(walk(None, None, lambda _: True))
        tasks.create_task(walk(newest, {"types": ["BIRTHDAY"]}, lambda row: row["type"] == "BIRTHDAY"))
        tasks.create_task(walk(by_type, None, lambda _: True))
        tasks.create_task(look())
        tasks.create_task(adjust())
        tasks.create_task(import_())
        await asyncio.sleep(0.05)
        tasks.create_task(move())
    assert min(kills, walks, adjusted, len(new)) >= 1
    [done] = await store.find("merges", {})
    assert done["status"] == "DONE"
    for collection in ROWS_OF_CUSTOMERS:
        left = await store.find(collection, {"customerId": {"$in": others}})
        assert {row["type"] for row in left} <= {"CUSTOMER_MERGED_AWAY"}
    after = await _rows(store)
    assert all(rows <= after[name] for name, rows in before.items())
    survivor = (await store.find("customers", {"_id": into}))[0]
    assert survivor["spendable"] == spendable + adjusted
    assert await previews.differences(store) == []
    assert (await bring(*lines, *new)).totals.keys() == {"UNCHANGED"}


async def _rows(store: Store) -> dict[str, set[str]]:
    return {name: {row["_id"] for row in await store.find(name, {})} for name in ROWS_OF_CUSTOMERS}


@pytest.mark.parametrize("seed", range(6))
async def test_customers_are_listed_by_the_rows_they_have_after_a_merge_and_after_it_is_undone(
    seed: int, ask: Ask, store: Store, bring: Bring
) -> None:
    """Rows of the same types and campaigns come before, while rows move, and since."""
    random = Random(seed)

    async def more(name: str) -> None:
        lines = [
            activity(
                f"{name}{number}",
                of=f"esuite/E{random.choice(['1001', '1002'])}",
                type=random.choice(["BIRTHDAY", "OPT_IN"]),
                occurredAt=f"2024-01-{random.randint(1, 28):02}T00:00:00Z",
                campaign=random.choice(["Radio", "TV"]),
            )
            for number in range(4)
        ]
        assert (await bring(*lines)).rejects == []

    await bring(customer("1001"), customer("1002"))
    await more("before")
    into, other = await store.find("customers", {}, sort={"number": 1})
    asked = {"intoId": into["_id"], "ids": [other["_id"]], "reason": "The same", "idempotencyKey": "m"}
    merge = (await ask(MERGE_CUSTOMERS, input=asked))["data"]["mergeCustomers"]
    assert merge["userErrors"] == []
    await more("meanwhile")
    await Mover(store).once()
    assert await wrong_copies(store) == []
    await more("since")
    asked = {"mergeId": merge["merge"]["id"], "reason": "Two after all", "idempotencyKey": "u"}
    assert (await ask(UNMERGE, input=asked))["data"]["unmerge"]["userErrors"] == []
    await Mover(store).once()
    assert await wrong_copies(store) == []
