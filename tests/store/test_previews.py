"""Previews of lists: the rows that the lists have, believed only while they are the customer's present ones."""

import asyncio
import itertools
import os
import random
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace

import pytest

from app.domain import listings
from app.domain.ids import new_id
from app.domain.listings import PREVIEW_FIRST, PREVIEW_FORM, PREVIEW_PARTS, PREVIEWS
from app.services.writing import CustomerRows, change_customers
from app.store import indexes, previews
from app.store.driver import Document, Store, UpdateMany, UpdateOne
from bench.workloads import LISTS
from tests.support.commands import Commands
from tests.support.customer_lists import noise
from tests.support.gateway import Ask
from tests.support.world import NOW, SHAPES, World, ago

PAGES = " ".join(
    f"{name}{size}: {name}(first: {size}) {{ nodes {{ id }} pageInfo {{ hasNextPage endCursor }} }}"
    for name in LISTS
    for size in (1, 10, 11, 20)
)
BY_ID = "query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {} }} }} }}"
LEGACY = "legacy: activities(filter: {legacy: true}) { nodes { id } } "
ADD_NOTE = "mutation($i: AddNoteInput!) { addNote(input: $i) { activity { id } userErrors { message } } }"
ACTIVITIES = "query($id: ID!) { customer(by: {id: $id}) { activities { nodes { id } } } }"


@pytest.fixture
async def customers(world: World) -> list[Document]:
    """Stores customers with no rows, and with as many as fill a page, more than fill it, and too many for a preview."""
    customers = [await world.customer() for _ in range(5)]
    for customer, rows in zip(customers, (0, 10, 11, 21, 30), strict=True):
        for name in PREVIEWS:
            await world.many(name, customer, *(noise(name, number) for number in range(rows)))
    return customers


async def test_a_page_is_the_same_with_a_preview_and_without(
    ask: Ask, store: Store, commands: Commands, customers: list[Document]
) -> None:
    ids = [customer["_id"] for customer in customers]
    selections = (PAGES, "name " + PAGES, LEGACY + PAGES)
    queries = [(BY_ID.format(each), asked) for each in selections for asked in (ids, ids[3:4], ids[4:])]
    without = [await ask(query, ids=asked) for query, asked in queries]
    assert not any("errors" in answer for answer in without)
    await previews.refresh(store, ids)
    assert await previews.differences(store) == []
    commands.clear()
    assert [await ask(query, ids=asked) for query, asked in queries] == without
    assert commands.names == ["aggregate"] * len(queries)
    assert all("heads" in repr(sent) for _, sent in commands.sent)


async def test_lists_of_customers_in_a_list_come_from_their_previews_and_from_seeks_where_there_is_none(
    ask: Ask, store: Store, commands: Commands, customers: list[Document]
) -> None:
    """Filtered lists beside them, too; and of whom there is no preview to be believed."""
    ids = [customer["_id"] for customer in customers]
    query = f"{{ customers {{ nodes {{ {LEGACY} {PAGES} }} }} }}"
    without = await ask(query)
    assert "errors" not in without
    for outdated in ((), ids[3:4], ids[1:]):
        await previews.refresh(store, ids)
        await store.write("heads", [UpdateMany({"_id": {"$in": [*outdated]}}, {"$set": {"form": "another"}})])
        commands.clear()
        assert await ask(query) == without
        read = [body["pipeline"] for name, body in commands.sent if name == "aggregate"]
        assert [len(seeks[0]["$documents"]) for seeks in read if "$documents" in seeks[0]] == (
            [len(ids), len(outdated)] if outdated else [len(ids)]
        )
        assert len(read) == (3 if outdated else 2)


async def test_who_has_changed_since_is_read_without(ask: Ask, world: World) -> None:
    ada = await world.customer()
    old = await world.activity(ada, occurredAt=ago(days=2))
    await previews.refresh(world.store, [ada["_id"]])
    new = await world.activity(ada)
    await world.store.write("customers", [UpdateOne({"_id": ada["_id"]}, {"$inc": {"revision": 1}})])
    answer = await ask(ACTIVITIES, id=ada["_id"])
    assert answer["data"]["customer"]["activities"]["nodes"] == [{"id": new["_id"]}, {"id": old["_id"]}]
    assert await previews.refresh_stale(world.store) == 1
    assert await ask(ACTIVITIES, id=ada["_id"]) == answer


@pytest.mark.parametrize("seed", range(5))
async def test_a_preview_follows_whatever_is_added_in_whatever_order(
    seed: int, world: World, commands: Commands
) -> None:
    """Rows of any lists, older and newer, of one moment, and some that no list has. Where one changes, it is made."""
    chosen, numbers = random.Random(seed), itertools.count(1)
    ada = await world.customer(revision=0)
    (coupon,) = await world.many("coupons", ada, noise("coupons", 1))
    await previews.refresh(world.store, [ada["_id"]])

    def new_row(name: str) -> Document:
        given = noise(name, chosen.randrange(60)) | ({"seq": next(numbers)} if name == "points" else {})
        given |= {"legacy": chosen.random() < 0.2} if name == "activities" else {}
        return {"_id": new_id(name), "customerId": ada["_id"], **SHAPES[name](given), **given}

    for _ in range(30):
        names = chosen.sample([*PREVIEWS, "notes"], chosen.randint(0, 3))
        added = {name: [new_row(name) for _ in range(chosen.choice((1, 2, 25)))] for name in names}
        changes_another = chosen.random() < 0.2

        async def body(
            rows: CustomerRows, added: Mapping[str, list[Document]] = added, too: bool = changes_another
        ) -> None:
            await rows.lock(ada["_id"])
            for name, new in added.items():
                rows.insert(name, new)
            if too:
                rows.update("coupons", coupon, {"$set": {"name": new_id("coupons")}})

        commands.clear()
        await change_customers(world.store, body, now=NOW)
        assert ("aggregate" in commands.names) is changes_another
        assert await previews.differences(world.store) == []
        assert await previews.refresh_stale(world.store) == 0


async def a_part_is_lacking(store: Store, _customer: Document) -> None:
    await store.write("heads", [UpdateOne({}, {"$unset": {"activitiesMore": ""}})])


async def it_is_of_another_form(store: Store, _customer: Document) -> None:
    await store.write("heads", [UpdateOne({}, {"$set": {"form": "another"}})])


async def there_is_none(store: Store, _customer: Document) -> None:
    await previews.drop_all(store)


async def it_is_large(store: Store, customer: Document) -> None:
    own = {"customerId": customer["_id"], **SHAPES["activities"]({}), "attributes": {"text": "x" * 1_000_000}}
    rows = [{"_id": new_id("activities"), **own, "occurredAt": ago(days=day)} for day in range(1, 10)]
    await store.insert("activities", rows)
    await previews.refresh(store, [customer["_id"]])


@pytest.mark.parametrize("as_", [a_part_is_lacking, it_is_of_another_form, there_is_none, it_is_large])
async def test_a_preview_that_cannot_follow_is_made_anew(
    as_: Callable[[Store, Document], Awaitable[None]], world: World, commands: Commands
) -> None:
    ada = await world.customer(revision=0)
    await previews.refresh(world.store, [ada["_id"]])
    await as_(world.store, ada)

    async def body(rows: CustomerRows) -> None:
        await rows.lock(ada["_id"])
        rows.insert("activities", [{"_id": new_id("activities"), "customerId": ada["_id"], **SHAPES["activities"]({})}])

    commands.clear()
    await change_customers(world.store, body, now=NOW)
    assert commands.names.count("aggregate") == 1
    assert (await previews.differences(world.store), await previews.refresh_stale(world.store)) == ([], 0)


async def test_an_older_preview_replaces_no_newer_one(world: World) -> None:
    ada = await world.customer(revision=3)
    await previews.refresh(world.store, [ada["_id"]])
    await world.store.write("heads", [UpdateOne({"_id": ada["_id"]}, {"$set": {"revision": 4}})])
    await world.activity(ada)
    await previews.refresh(world.store, [ada["_id"]])
    (preview,) = await world.store.find("heads", {})
    assert (preview["revision"], preview["activities"]) == (4, [])


async def test_more_than_a_document_can_hold_is_one_customers_alone(ask: Ask, world: World) -> None:
    big, small = await world.customer(), await world.customer()
    megabyte = {"text": "x" * 1_000_000}
    rows = await world.many(
        "activities", big, *({"attributes": megabyte, "occurredAt": ago(days=n)} for n in range(20))
    )
    await previews.refresh(world.store, [big["_id"], small["_id"]])
    assert [preview["_id"] for preview in await world.store.find("heads", {})] == [small["_id"]]
    answer = await ask(ACTIVITIES, id=big["_id"])
    assert [each["id"] for each in answer["data"]["customer"]["activities"]["nodes"]] == [row["_id"] for row in rows]


async def test_a_database_that_is_away_is_waited_for_once() -> None:
    nowhere = "mongodb://127.0.0.1:1/?directConnection=true"
    # By Motor: PyMongo's client leaves a socket open that it is connecting just as it is closed.
    async with Store.open(nowhere, "nowhere", timeout_seconds=0.2) as store, asyncio.timeout(10):
        await previews.refresh(store, [f"cus_{number}" for number in range(100)])


@pytest.fixture
async def no_previews(store: Store) -> AsyncGenerator[None]:
    """Makes previews impossible to write: their collection is a view."""
    await store.command({"drop": "heads"})
    await store.command({"create": "heads", "viewOn": "customers", "pipeline": [{"$match": {"_id": None}}]})
    yield
    await store.command({"drop": "heads"})
    await indexes.apply(store)


@pytest.mark.usefixtures("no_previews")
async def test_a_change_is_made_whether_or_not_its_preview_can_be_kept(ask: Ask, world: World) -> None:
    ada = await world.customer()
    given = {"customerId": ada["_id"], "idempotencyKey": "one", "message": "Called back."}
    made = (await ask(ADD_NOTE, i=given))["data"]["addNote"]
    assert made["userErrors"] == []
    answer = await ask(ACTIVITIES, id=ada["_id"])
    assert answer["data"]["customer"]["activities"]["nodes"] == [made["activity"]]


async def test_what_was_written_past_the_gateway_is_found_and_mended(world: World) -> None:
    ada, bob = await world.customer(), await world.customer()
    await previews.refresh_stale(world.store)
    await world.activity(ada)
    assert await previews.differences(world.store) == [ada["_id"]]
    await previews.drop_all(world.store)
    assert await previews.differences(world.store) == []
    assert await previews.refresh_stale(world.store) == 2
    assert await previews.differences(world.store) == []
    (preview,) = await world.store.find("heads", {"_id": ada["_id"]})
    assert len(preview["activities"]) == 1
    assert {bob["_id"], ada["_id"]} == {each["_id"] for each in await world.store.find("heads", {})}


async def test_what_activities_copy_from_the_catalogue_is_copied_anew(world: World) -> None:
    ada = await world.customer()
    activity = await world.activity(ada, group="POINTS")
    await previews.refresh(world.store, [ada["_id"]])
    await indexes.apply(world.store)
    (preview,) = await world.store.find("heads", {})
    assert preview["activities"][0]["_id"] == activity["_id"]
    assert preview["activities"][0]["group"] != "POINTS"


async def test_many_are_kept_in_batches(world: World) -> None:
    for _ in range(210):
        await world.customer()
    assert await previews.refresh_stale(world.store) == 210
    assert await previews.refresh_stale(world.store) == 0


def test_the_form_of_previews_is_the_same_in_every_process() -> None:
    """What one process makes another believes: nothing of the form is an address, or depends on a hash seed."""
    printing = [sys.executable, "-c", "from app.domain.listings import PREVIEW_FORM; print(PREVIEW_FORM)"]
    for seed in ("1", "2"):
        ran = subprocess.run(
            printing, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        assert ran.stdout.strip() == PREVIEW_FORM
    assert " at 0x" not in repr(PREVIEWS)


async def test_a_preview_of_another_form_is_believed_by_nobody_and_made_again(ask: Ask, world: World) -> None:
    """A newer version's, an older one's, or one from before previews had a form."""
    ada = await world.customer()
    activity = await world.activity(ada)
    for change in ({"$set": {"form": "another"}}, {"$unset": {"form": ""}}):
        await previews.refresh_stale(world.store)
        await world.store.write("heads", [UpdateOne({}, change), UpdateOne({}, {"$set": {"activities": []}})])
        answer = await ask(ACTIVITIES, id=ada["_id"])
        assert answer["data"]["customer"]["activities"]["nodes"] == [{"id": activity["_id"]}]
        assert await previews.differences(world.store) == []
        assert await previews.refresh_stale(world.store) == 1
        assert await previews.refresh_stale(world.store) == 0


@pytest.mark.parametrize("part", [part for parts in PREVIEW_PARTS.values() for part in parts])
async def test_a_preview_that_lacks_a_part_gives_the_others(
    part: str, ask: Ask, store: Store, customers: list[Document]
) -> None:
    ids = [customer["_id"] for customer in customers]
    without = await ask(BY_ID.format(PAGES), ids=ids)
    await previews.refresh(store, ids)
    await store.write("heads", [UpdateMany({}, {"$unset": {part: ""}})])
    assert await ask(BY_ID.format(PAGES), ids=ids) == without


async def test_the_form_is_another_as_soon_as_anything_of_a_preview_is() -> None:
    forms = {listings.PREVIEW_FORM}
    for name, value in (("size", 19), ("selection", replace(PREVIEWS["coupons"].selection, descending=False))):
        changed = {**PREVIEWS, "coupons": replace(PREVIEWS["coupons"], **{name: value})}
        forms.add(listings.form_of(changed, PREVIEW_FIRST, PREVIEW_PARTS))
    one_less = {name: page_request for name, page_request in PREVIEWS.items() if name != "coupons"}
    forms.add(listings.form_of(one_less, PREVIEW_FIRST, PREVIEW_PARTS))
    forms.add(listings.form_of(PREVIEWS, PREVIEW_FIRST + 1, PREVIEW_PARTS))
    assert len(forms) == 5
