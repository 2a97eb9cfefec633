"""What an answer costs: commands sent, documents read. Generated from the schema, so that no new field escapes."""

from dataclasses import dataclass
from itertools import combinations, product

import pytest

from app.execution import Execution
from app.settings import Limits
from app.store.driver import Document, Store
from tests.support.command_counts import ADDS, cost, reads
from tests.support.commands import Commands
from tests.support.customer_lists import COLLECTION_OF, FILTERS, noise, orders, single_filters
from tests.support.gateway import Ask
from tests.support.query_plans import documents_read, explained, sorts, within_lookup
from tests.support.schema_walk import below, everything
from tests.support.world import World


@pytest.fixture
def execution() -> Execution:
    """Executes as graphql-core does; tests/execution/test_savings.py shows what plans save."""
    return Execution("graphql-core")


# ---------------------------------------------------------------- commands


@pytest.fixture
def limits() -> Limits:
    """Sets the widest limits: some tests here ask for all there is at once."""
    return Limits(
        max_tokens=100_000, max_document_characters=10**6, max_aliases=10_000, max_cost=10**9, cost_per_minute=10**12
    )


async def test_every_field_costs_what_the_table_says_for_one_customer_and_for_five(
    ask: Ask, world: World, commands: Commands
) -> None:
    customers = [await world.everything() for _ in range(5)]
    one, five, adds = dict[str, int](), dict[str, int](), dict[str, int]()
    for coordinate, place in below("Customer").items():
        one[coordinate] = await cost(ask, commands, customers[:1], place)
        five[coordinate] = await cost(ask, commands, customers, place)
        above = one[place.above.coordinate] if place.above else 1
        adds[coordinate] = one[coordinate] - above
    assert five == one
    assert {coordinate: added for coordinate, added in adds.items() if added} == ADDS


async def test_everything_at_once_costs_one_read_for_each_list(ask: Ask, world: World, commands: Commands) -> None:
    customers = [await world.everything() for _ in range(5)]
    query = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {everything('Customer')} }} }} }}"
    for some in (customers[:1], customers):
        commands.clear()
        answer = await ask(query, ids=[customer["_id"] for customer in some])
        assert "errors" not in answer, answer
        # Eighteen lists, their counts, what activities are counted by, the audit, the credit, what is due and the next
        # renewal; the customers and all that activities, points entries and requests refer to; and the deliveries of
        # e-mails, pushes of passes and entries of transactions; two for who may be the same person; the pinned notes;
        # the key of a link; and three for what can be refunded.
        sent = reads(commands)
        assert len(sent) == 18 + 18 + 3 + 1 + 3 + 1 + 3 + 2 + 1 + 1 + 3
        assert [read for read, ids in sent.items() if len(ids) > len(set(ids))] == []


async def test_a_list_costs_one_command_for_each_distinct_set_of_arguments(
    ask: Ask, world: World, commands: Commands
) -> None:
    ada = await world.everything()
    query = """query($id: ID!) { node(id: $id) { ... on Customer {
        a: activities(first: 5) { nodes { id } totalCount }
        same: activities(first: 5, filter: {notes: INCLUDE}) { nodes { type } totalCount }
        b: activities(first: 6) { nodes { id } totalCount }
        c: activities(first: 5, filter: {groups: [NOTE]}) { nodes { id } totalCount }
    } } }"""
    commands.clear()
    answer = await ask(query, id=ada["_id"])
    assert "errors" not in answer
    assert (
        len(commands.sent) == 1 + 3 + 2
    )  # the customer, three pages, two counts: how many a page holds does not count


async def test_one_customer_costs_one_command_by_whatever_name(ask: Ask, world: World, commands: Commands) -> None:
    ada = await world.everything()
    by = [
        {"id": ada["_id"]},
        {"number": ada["number"]},
        {"email": ada["email"]},
        {"identity": ada["identities"][0]},
    ]
    query = "query($by: CustomerBy!) { customer(by: $by) { id activities { nodes { customer { name } } } } }"
    for name in by:
        commands.clear()
        answer = await ask(query, by=name)
        assert answer["data"]["customer"]["activities"]["nodes"] == [{"customer": {"name": ada["name"]}}]
        assert (name, len(commands.sent)) == (name, 2)  # the customer and the activities


# ---------------------------------------------------------------- documents


@pytest.fixture
async def crowd(world: World) -> list[Document]:
    """Stores twenty customers with 60 rows of each kind; the first has 800."""
    customers = [await world.customer() for _ in range(20)]
    for customer in customers:
        for collection in COLLECTION_OF.values():
            rows = 800 if customer is customers[0] else 60
            await world.many(collection, customer, *(noise(collection, number) for number in range(rows)))
    return customers


@dataclass(frozen=True)
class Page:
    """A page of each of several customers, and the command that fetched them."""

    nodes: int
    cursor: str
    command: Document


async def page_of(
    ask: Ask, commands: Commands, customers: list[Document], name: str, arguments: str, inner: str = "nodes { id }"
) -> Page:
    selection = f"{name}({arguments}) {{ {inner} pageInfo {{ startCursor endCursor }} }}"
    commands.clear()
    answer = await ask(
        f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ page: {selection} }} }} }}",
        ids=[customer["_id"] for customer in customers],
    )
    assert "errors" not in answer, answer
    _, *sent = [body for _, body in commands.sent]  # the first reads the customers
    pages = [customer["page"] for customer in answer["data"]["nodes"]]
    cursor = pages[0]["pageInfo"]["startCursor" if "last" in arguments else "endCursor"]
    return Page(sum(len(page.get("nodes", ())) for page in pages), cursor, sent[-1])


async def test_pages_in_any_order_or_with_any_single_filter_read_what_they_return_and_one_per_parent(
    ask: Ask, store: Store, commands: Commands, crowd: list[Document]
) -> None:
    wasteful: list[object] = []
    for name, how in [*single_filters(), *orders()]:
        for size, customers in (("first: 10", crowd), ("last: 10", crowd[:1]), ("first: 100", crowd[:1])):
            page = await page_of(ask, commands, customers, name, f"{size}, {how}")
            assert page.nodes >= 10 * len(customers), (name, how)
            documents = documents_read(await explained(store, page.command))
            blocking = sorts(await explained(store, within_lookup(page.command)))
            if documents > page.nodes + len(customers) or blocking:
                wasteful.append((name, how, size, len(customers), page.nodes, documents, blocking))
    assert wasteful == []


async def test_pages_behind_a_cursor_read_no_more_either(
    ask: Ask, store: Store, commands: Commands, crowd: list[Document]
) -> None:
    """Where the order is not the list's own: no more than twice as much."""
    wasteful: list[object] = []
    for name, how in [*single_filters(), *orders()]:
        for size, cursor in (("first: 10", "after"), ("last: 10", "before")):
            begin = await page_of(ask, commands, crowd[1:2], name, f"{size}, {how}")
            page = await page_of(ask, commands, crowd[1:2], name, f'{size}, {cursor}: "{begin.cursor}", {how}')
            plan = await explained(store, page.command)
            bound = (page.nodes + 1) * (2 if "orderBy" in how else 1)
            if documents_read(plan) > bound or sorts(plan):
                wasteful.append((name, how, size, page.nodes, documents_read(plan), page.command))
    assert wasteful == []


async def test_two_filters_read_at_most_what_matches_the_first_of_them_that_has_an_index(
    ask: Ask, store: Store, commands: Commands, crowd: list[Document]
) -> None:
    """In this order: types, groups, notes, sources, actor ids, actor kinds. A time is part of each of their indexes."""
    indexed = ("types", "groups", "notes", "sources", "actorIds", "actorKinds", "hideSystem")
    wasteful: list[object] = []
    values = FILTERS["ActivityFilter"]
    for first, second in [*combinations(indexed, 2), *product(indexed, ("occurredAt",))]:
        matching = await count_of(ask, crowd[:1], f"{first}: {values[first]}")
        how = f"filter: {{{first}: {values[first]}, {second}: {values[second]}}}"
        page = await page_of(ask, commands, crowd[:1], "activities", f"first: 10, {how}")
        documents = documents_read(await explained(store, page.command))
        bound = matching if second in indexed else page.nodes + 1
        if documents > bound:
            wasteful.append((first, second, page.nodes, documents, bound))
    assert wasteful == []


async def count_of(ask: Ask, customers: list[Document], conditions: str) -> int:
    query = f"{{ node(id: $id) {{ ... on Customer {{ activities(filter: {{{conditions}}}) {{ totalCount }} }} }} }}"
    answer = await ask(f"query($id: ID!) {query}", id=customers[0]["_id"])
    return answer["data"]["node"]["activities"]["totalCount"]


async def test_counts_in_any_order_or_with_any_single_filter_read_no_document(
    ask: Ask, store: Store, commands: Commands, crowd: list[Document]
) -> None:
    reading: list[object] = []
    for name, how in [*single_filters(), *orders()]:
        for customers in (crowd[:1], crowd):
            page = await page_of(ask, commands, customers, name, f"first: 0, {how}", "totalCount")
            assert "$group" in page.command["pipeline"][-1]
            if documents := documents_read(await explained(store, page.command)):
                reading.append((name, how, len(customers), documents))
    assert reading == []


async def test_facets_and_groups_read_no_document(
    ask: Ask, store: Store, commands: Commands, crowd: list[Document]
) -> None:
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { %s { count } } } }"
    for field in ("activityFacets", "activityGroups"):
        commands.clear()
        answer = await ask(query % field, ids=[customer["_id"] for customer in crowd])
        assert sum(each["count"] for each in answer["data"]["nodes"][0][field]) == 640  # of 800; the others are legacy
        assert documents_read(await explained(store, commands.sent[-1][1])) == 0
