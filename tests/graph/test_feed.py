"""What changed of any customer: in an order that never skips, with merges and erasures, and an end that is told."""

import asyncio
from typing import Any

import pytest

from app.domain.access import Role
from app.services.feed import number_entries
from app.store.driver import DeleteMany, Store
from tests.support.gateway import Ask
from tests.support.streams import code_of, note
from tests.support.tokens import token
from tests.support.world import World

pytestmark = pytest.mark.anyio
CHANGES = """query($after: String, $first: Int) { changes(after: $after, first: $first) {
  endCursor hasNextPage
  nodes { kind customerId revision at collections activityTypes addedActivityIds partial
    customer { id } } } }"""


async def follow(ask: Ask, after: str | None = None, first: int = 100) -> tuple[list[Any], str | None]:
    """Returns what follows the cursor, and the cursor behind it."""
    found: list[Any] = []
    while True:
        answer = await ask(CHANGES, after=after, first=first)
        assert "errors" not in answer, answer
        page = answer["data"]["changes"]
        found += page["nodes"]
        after = page["endCursor"] or after
        if not page["hasNextPage"]:
            return found, after


async def test_a_change_has_its_ids_and_none_of_its_values(world: World, store: Store, ask: Ask) -> None:
    ada = await world.customer()
    added = await note(ask, ada["_id"], "1")
    await number_entries(store)
    (change,), _ = await follow(ask)
    assert change.pop("at")
    assert change == {
        "kind": "CHANGED",
        "customerId": ada["_id"],
        "revision": 1,
        "collections": ["activities", "notes"],
        "activityTypes": ["NOTE_ADDED"],
        "addedActivityIds": [added],
        "partial": False,
        "customer": {"id": ada["_id"]},
    }


async def test_nothing_is_skipped_whoever_writes_and_numbers_meanwhile(world: World, store: Store, ask: Ask) -> None:
    customers = [await world.customer() for _ in range(3)]
    seen: list[Any] = []
    writing = True

    async def write(customer_id: str, name: str) -> None:
        for number in range(8):
            await note(ask, customer_id, f"{name}{number}")

    async def number() -> None:
        while writing:
            await number_entries(store)
            await asyncio.sleep(0.01)

    async def read() -> None:
        after: str | None = None
        while writing:
            found, after = await follow(ask, after, first=5)
            seen.extend(found)
        await number_entries(store)
        seen.extend((await follow(ask, after, first=5))[0])

    async with asyncio.TaskGroup() as group:
        others = [group.create_task(each) for each in (number(), number(), read())]
        async with asyncio.TaskGroup() as writers:
            for customer in customers:
                writers.create_task(write(customer["_id"], "a"))
                writers.create_task(write(customer["_id"], "b"))
        writing = False
    assert others
    for customer in customers:
        revisions = [each["revision"] for each in seen if each["customerId"] == customer["_id"]]
        assert revisions == list(range(1, 17))


async def test_a_merge_and_an_erasure_are_entries(world: World, store: Store, ask: Ask) -> None:
    ada, twin, eve = await world.customer(), await world.customer(), await world.customer()
    merge = "mutation($input: MergeCustomersInput!) { mergeCustomers(input: $input) { userErrors { message } } }"
    given: dict[str, Any] = {"intoId": ada["_id"], "ids": [twin["_id"]], "reason": "The same", "idempotencyKey": "m"}
    assert not (await ask(merge, input=given))["data"]["mergeCustomers"]["userErrors"]
    erase = """mutation($input: AnonymiseCustomerInput!) {
      anonymiseCustomer(input: $input) { userErrors { message } } }"""
    given = {"customerId": eve["_id"], "reason": "Asked for it", "idempotencyKey": "e", "confirmNumber": eve["number"]}
    answer = await ask(erase, input=given)
    assert not answer["data"]["anonymiseCustomer"]["userErrors"], answer
    await number_entries(store)
    kinds = {each["customerId"]: each["kind"] for each in (await follow(ask))[0]}
    assert kinds == {ada["_id"]: "CHANGED", twin["_id"]: "MERGED", eve["_id"]: "ERASED"}


async def test_a_cursor_whose_next_entry_is_gone_is_refused(world: World, store: Store, ask: Ask) -> None:
    ada = await world.customer()
    for key in ("1", "2", "3"):
        await note(ask, ada["_id"], key)
    await number_entries(store)
    page = (await ask(CHANGES, first=1))["data"]["changes"]
    behind_first = page["endCursor"]
    behind_last = (await follow(ask))[1]
    await store.write("feed", [DeleteMany({"sequence": {"$lte": 2}})])
    assert code_of(await ask(CHANGES, after=behind_first)) == "FEED_EXPIRED"
    assert (await follow(ask, behind_last))[0] == []
    await store.write("feed", [DeleteMany({})])
    assert code_of(await ask(CHANGES, after=behind_first)) == "FEED_EXPIRED"
    assert (await follow(ask, behind_last))[0] == []
    await note(ask, ada["_id"], "4")
    await number_entries(store)
    assert len((await follow(ask, behind_last))[0]) == 1


async def test_only_those_who_may_follow_it_do(world: World, ask: Ask) -> None:
    await world.customer()
    assert code_of(await ask(CHANGES, token=token(Role.CUSTOMER_SERVICE_AGENT))) == "FORBIDDEN"
    assert "errors" not in await ask(CHANGES, token=token(Role.API_USER))


async def test_who_begins_at_the_head_hears_what_comes_after_it(world: World, store: Store, ask: Ask) -> None:
    ada = await world.customer()
    empty = (await ask("{ changes(first: 0) { head } }"))["data"]["changes"]["head"]
    assert (await follow(ask, empty))[0] == []
    await note(ask, ada["_id"], "1")
    await number_entries(store)
    assert [each["revision"] for each in (await follow(ask, empty))[0]] == [1]
    head = (await ask("{ changes(first: 0) { head nodes { at } } }"))["data"]["changes"]["head"]
    await note(ask, ada["_id"], "2")
    await number_entries(store)
    assert [each["revision"] for each in (await follow(ask, head))[0]] == [2]
