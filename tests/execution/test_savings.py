"""What plans save: commands, and our own time. Nothing is read that was not asked for, and nothing sorted by hand.

W1, W2 and W3 are the very texts that `make bench` measures.
"""

import gc
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any, cast

import pytest
from graphql import parse

from app.context import Context
from app.domain.access import Role, Viewer
from app.domain.paging import MERGING
from app.execution import Execution
from app.graph import executable, masks_for
from app.loaders import Loaders
from app.loaders.gate import Gate
from app.store import previews
from app.store.driver import Document, Store
from app.store.mirrors import MIRRORS
from bench.workloads import LISTS, W1, W2, W3
from tests.support.command_counts import ADDS, cost
from tests.support.commands import Commands
from tests.support.customer_lists import COLLECTION_OF, noise, orders, single_filters
from tests.support.execution_cases import executed, operation_of
from tests.support.gateway import Ask
from tests.support.query_plans import documents_read, explained, joined, sorts
from tests.support.schema_walk import below
from tests.support.thoroughness import part_of
from tests.support.world import NOW, World, ago


@pytest.fixture
async def crowd(world: World) -> list[Document]:
    """Stores fifty customers with fifteen activities and points entries each; the first has some of everything else."""
    customers = [await world.customer() for _ in range(50)]
    for customer in customers:
        times = [{"occurredAt": ago(days=number)} for number in range(15)]
        await world.many("activities", customer, *times)
        await world.many("points", customer, *({"seq": number + 1, **each} for number, each in enumerate(times)))
    for collection in ("coupons", "transactions", "passes", "statuses"):
        await world.many(collection, customers[0], *[Document() for _ in range(12)])
    await previews.refresh_stale(world.store)
    return customers


async def test_a_customer_with_six_lists_is_one_command(
    ask: Ask, store: Store, commands: Commands, crowd: list[Document], execution: Execution
) -> None:
    commands.clear()
    answer = await ask(W1, number=crowd[0]["number"])
    assert [len(answer["data"]["customer"][name]["nodes"]) for name in LISTS] == [10] * 6
    assert commands.names == ["aggregate"]
    assert execution.counted == {"plan": 1}
    plan = await explained(store, commands.sent[0][1])
    assert documents_read(plan) == 2, "the customer and the previews of their lists"
    assert not sorts(plan)


async def test_whose_previews_are_not_kept_is_read_by_a_seek_for_each_list(
    ask: Ask, store: Store, commands: Commands, crowd: list[Document]
) -> None:
    known = await ask(W1, number=crowd[0]["number"])
    await previews.drop_all(store)
    commands.clear()
    assert await ask(W1, number=crowd[0]["number"]) == known
    assert commands.names == ["aggregate", "aggregate"]
    seeks = commands.sent[1][1]
    assert documents_read(await explained(store, seeks)) == 6 * 11, "one row more than each page has"
    for inner in lookups(seeks, crowd[0]["_id"]):
        assert not sorts(await explained(store, inner))


async def test_fifty_customers_with_two_lists_are_one_command(
    ask: Ask, store: Store, commands: Commands, crowd: list[Document], execution: Execution
) -> None:
    commands.clear()
    answer = await ask(W2, ids=[customer["_id"] for customer in crowd])
    assert all(len(each[name]["nodes"]) == 10 for each in answer["data"]["nodes"] for name in LISTS[:2])
    assert commands.names == ["aggregate"]
    assert execution.counted == {"plan": 1}
    plan = await explained(store, commands.sent[0][1])
    assert documents_read(plan) == 50 * 2
    assert not sorts(plan)


async def test_fifty_customers_whose_previews_are_not_kept_are_a_hundred_seeks(
    ask: Ask, store: Store, commands: Commands, crowd: list[Document]
) -> None:
    ids = [customer["_id"] for customer in crowd]
    known = await ask(W2, ids=ids)
    await previews.drop_all(store)
    commands.clear()
    assert await ask(W2, ids=ids) == known
    assert commands.names == ["aggregate", "aggregate"]
    assert documents_read(await explained(store, commands.sent[1][1])) == 50 * 2 * 11


@pytest.fixture
async def varied(world: World) -> list[Document]:
    """Stores twelve customers with forty rows of each kind, no two alike side by side."""
    customers = [await world.customer() for _ in range(12)]
    for customer in customers:
        for collection in COLLECTION_OF.values():
            await world.many(collection, customer, *(noise(collection, number) for number in range(40)))
    await previews.refresh_stale(world.store)
    for collection in COLLECTION_OF.values():  # plans that the planner chose for the rows of other tests
        await world.store.command({"planCacheClear": collection})
    return customers


async def test_many_customers_at_once_have_the_pages_that_each_has_alone(
    ask: Ask, store: Store, commands: Commands, varied: list[Document]
) -> None:
    """In every order and with every single filter, of any size; no row is read that is no page's."""
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { %s(%s) { nodes { id } pageInfo { %s } } } } }"
    wasteful: list[object] = []
    for number, (name, how) in enumerate([*single_filters(), *orders()]):
        for size in part_of(("first: 3", "last: 3", "first: 30"), 3, turn=number):
            text = query % (name, f"{size}, {how}", "hasNextPage hasPreviousPage startCursor")
            alone = [(await ask(text, ids=[each["_id"]]))["data"]["nodes"][0] for each in varied]
            commands.clear()
            together = await ask(text, ids=[each["_id"] for each in varied])
            assert together["data"]["nodes"] == alone, (name, how, size)
            assert commands.names == ["aggregate"]
            documents = documents_read(await explained(store, commands.sent[0][1]))
            rows = sum(len(page[name]["nodes"]) for page in alone)
            if documents > rows + 3 * len(varied):  # the customer, and one row more of each part of the order
                wasteful.append((name, how, size, rows, documents))
    assert wasteful == []


async def test_three_scalars_are_one_command(
    ask: Ask, store: Store, commands: Commands, crowd: list[Document], execution: Execution
) -> None:
    commands.clear()
    answer = await ask(W3, number=crowd[0]["number"])
    assert answer["data"]["customer"] == {"id": crowd[0]["_id"], "name": crowd[0]["name"], "status": "ACTIVE"}
    assert commands.names == ["find"]
    assert execution.counted == {"plan": 1}
    plan = await explained(store, commands.sent[0][1])
    assert documents_read(plan) == 1
    assert not sorts(plan)


async def test_only_the_keys_that_were_asked_for_are_read(ask: Ask, commands: Commands, crowd: list[Document]) -> None:
    query = """query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer {
        activities { nodes { title } } coupons { edges { node { value } } }
        passes(first: 10) { nodes { id } totalCount } transactions(first: 20) { nodes { refunds { id } } }
        statusHistory(first: 1) { pageInfo { endCursor } }
        pointsHistory(last: 5) { nodes { actor { name } transaction { id } } } } } }"""
    commands.clear()
    await ask(query, ids=[crowd[0]["_id"], crowd[1]["_id"]])
    *_, wanted, beside = commands.sent[0][1]["pipeline"]
    (_, previews) = beside["$unionWith"]["pipeline"]
    keys: dict[str, set[str]] = {}
    for key in (*wanted["$project"], *(f"preview.{key}" for key in previews["$project"])):
        page, _, inner = key.rpartition(".")
        keys.setdefault(page, set()).add(inner)
    order = {"_id"}  # and what makes a cursor
    activities = order | {"occurredAt", "order", "type", "title", "formerOwners"}
    assert keys == {
        "document": order | {"revision", *MERGING},
        "preview": {
            "revision",
            "form",
            "coupons",
            "couponsMore",
            "transactions",
            "transactionsMore",
            "passes",
            "statuses",
        },
        "preview.activities": activities,
        "preview.activitiesMore": activities,
        "page5": order
        | {"seq", "actor", "transactionId", "customerId", "formerOwners"},  # whose transaction it has to be
    }


@pytest.mark.parametrize(
    ("selection", "keys"),
    [
        ("name", {"name"}),
        ("... on Node { id } country emails { value }", {"country", "billingAddress", "email", "emails"}),
        ("name activities { nodes { customer { phones { value } } } }", {"name", "phones", "revision"}),
        ("points { spendable } activityGroups { count }", {"points"}),
        ("name activities { nodes { availableActions } }", None),  # looks into the customer, too
    ],
)
async def test_only_the_keys_of_customers_that_were_asked_for_are_read(
    ask: Ask, commands: Commands, crowd: list[Document], selection: str, keys: set[str] | None
) -> None:
    name = {"number", "identities", "status", "mergedIntoId"}  # who answers to a name, or into whom they were merged
    by_number = "query($number: String!) { customer(by: {number: $number}) { %s } }"
    by_id = "query($id: ID!) { node(id: $id) { ... on Customer { %s } } }"
    for query, variables, also in (
        (by_number, {"number": crowd[0]["number"]}, name),
        (by_id, {"id": crowd[0]["_id"]}, set[str]()),
    ):
        commands.clear()
        await ask(query % selection, **variables)
        assert _read(commands.sent[0][1]) == (keys and {"_id", *MERGING, *keys, *also})


def _read(command: Mapping[str, Any]) -> set[str] | None:
    """The keys of the customer that this command reads; None where it reads them all."""
    projections = [stage["$project"] for stage in command.get("pipeline", ()) if "$project" in stage]
    fields: dict[str, Any] = command.get("projection") or (projections[-1] if projections else {})
    own = {key.removeprefix("document.") for key in fields if not key.startswith(("page", "preview"))} - {"document"}
    return own or None


async def test_every_field_costs_what_it_costs_without_plans_and_lists_cost_nothing(
    ask: Ask, world: World, commands: Commands, execution: Execution
) -> None:
    customers = [await world.everything() for _ in range(5)]
    await previews.refresh_stale(world.store)
    one, five, adds = dict[str, int](), dict[str, int](), dict[str, int]()
    for coordinate, place in below("Customer").items():
        one[coordinate] = await cost(ask, commands, customers[:1], place)
        five[coordinate] = await cost(ask, commands, customers, place)
        adds[coordinate] = one[coordinate] - (one[place.above.coordinate] if place.above else 1)
    assert five == one
    free = {f"Customer.{name}" for name in (*LISTS, "notes", "emailHistory", "requests", *MIRRORS)}
    assert {coordinate: added for coordinate, added in adds.items() if added} == {
        coordinate: added for coordinate, added in ADDS.items() if coordinate not in free
    }
    assert execution.counted.keys() == {"plan"}


async def test_lists_that_are_told_late_are_one_command_together(
    ask: Ask, commands: Commands, world: World, crowd: list[Document]
) -> None:
    """Who is found by e-mail is found without regard to case, and so without what an index for lists knows."""
    ada = await world.everything()
    await previews.refresh(world.store, [ada["_id"]])
    commands.clear()
    query = "query($email: String!) { customer(by: {email: $email}) { %s } }"
    await ask(query % " ".join(f"{name} {{ nodes {{ id }} }}" for name in LISTS), email=ada["email"])
    assert commands.names == ["find", "aggregate"]


@pytest.mark.parametrize("query", [W1, W2, W3])
async def test_what_a_query_has_read_is_free_when_it_ends(store: Store, crowd: list[Document], query: str) -> None:
    """Not when garbage is next collected, of which there is none."""
    known = {"number": crowd[0]["number"], "ids": [customer["_id"] for customer in crowd]}
    operation, execution = operation_of(parse(query)), Execution()
    variables = {name: value for name, value in known.items() if f"${name}:" in query}
    viewer = Viewer("tess", "Tess", frozenset({Role.ADMIN}))
    gate = Gate(store, viewer, masks_for)
    left: list[int] = []
    gc.disable()
    try:
        for _ in range(12):
            context = Context(viewer, NOW, cast(Any, None), lambda: Loaders(store, gate))
            gc.collect()
            await executed(execution, executable, operation, variables, context)
            del context
            left.append(gc.collect())
    finally:
        gc.enable()
    assert min(left) == 0, left


async def test_plans_make_a_tenth_of_the_calls_of_graphql_core(store: Store, crowd: list[Document]) -> None:
    """Functions called in this process, the driver's included: fifty customers, two lists each.

    What that is in seconds, `bench.execution` says.
    """
    operation, variables = operation_of(parse(W2)), {"ids": [customer["_id"] for customer in crowd]}
    viewer = Viewer("tess", "Tess", frozenset({Role.ADMIN}))
    gate = Gate(store, viewer, masks_for)

    async def calls(execution: Execution) -> int:
        counted = 0

        def count(_frame: FrameType, event: str, _argument: object) -> None:
            nonlocal counted
            counted += event in ("call", "c_call")

        context = Context(viewer, NOW, cast(Any, None), lambda: Loaders(store, gate))
        sys.setprofile(count)
        try:
            result = await executed(execution, executable, operation, variables, context)
        finally:
            sys.setprofile(None)
        assert result.errors is None
        return counted

    planned, reference = Execution("compiled"), Execution("graphql-core")
    for execution in (planned, reference):
        await calls(execution)  # makes what is remembered
    assert await calls(reference) >= 10 * await calls(planned)


def lookups(command: Document, parent: str) -> list[Document]:
    """What a command looks up for one of its customers, as commands: ``explain`` shows no plan inside ``$lookup``."""
    stages: list[Document] = command["pipeline"]
    return [joined(stage["$lookup"], parent) for stage in stages if "$lookup" in stage]
