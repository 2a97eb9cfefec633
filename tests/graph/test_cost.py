"""What an answer costs: commands sent, documents read. Generated from the schema, so that no new field escapes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import pytest

from app.execution import Execution
from app.settings import Limits
from app.store.driver import Document, Store
from tests.conftest import Ask, Commands
from tests.support.schema_walk import Place, below, everything, fields_of, values_of
from tests.support.world import World, ago


@pytest.fixture
def execution() -> Execution:
    """What plans save is told in tests/execution/test_savings.py."""
    return Execution("graphql-core")


# ---------------------------------------------------------------- commands

ADDS = {
    "Customer.mergedInto": 1,
    "Customer.statusHistory": 1,
    "Customer.activities": 1,
    "Customer.activityFacets": 1,
    "Customer.activityGroups": 1,
    "Customer.pointsHistory": 1,
    "Customer.coupons": 1,
    "Customer.transactions": 1,
    "Customer.passes": 1,
    "Customer.notes": 1,
    "Customer.emailHistory": 1,
    "StatusChangeConnection.totalCount": 1,
    "ActivityConnection.totalCount": 1,
    "PointsEntryConnection.totalCount": 1,
    "CouponConnection.totalCount": 1,
    "TransactionConnection.totalCount": 1,
    "PassConnection.totalCount": 1,
    "NoteConnection.totalCount": 1,
    "EmailConnection.totalCount": 1,
    "PointsBalance.audit": 1,
    "Activity.email": 1,
    "Activity.note": 1,
    "Activity.subject": 1,
    "Activity.availableActions": 1,
    "Email.deliveries": 1,
    "Note.links": 1,
    "PointsEntry.transaction": 1,
    "PointsEntry.adjustment": 1,
    "PointsAdjustment.entry": 1,
    "Transaction.refundOf": 1,
    "Transaction.refunds": 1,
}
"""How many commands a field adds to those of the field it hangs on; a field that is not named adds none.

``Activity.customer`` is free here: whoever came in through ``nodes`` need not be read again.
"""


async def cost(ask: Ask, commands: Commands, customers: list[Document], place: Place) -> int:
    """The commands for ``place`` of all ``customers``, each of whom has a value there."""
    commands.clear()
    query = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {place.selection} }} }} }}"
    answer = await ask(query, ids=[customer["_id"] for customer in customers])
    assert "errors" not in answer, answer
    for source in answer["data"]["nodes"]:
        assert place.values(source), f"{place.selection} has no value: its cost would not show"
    return len(commands.sent)


@pytest.fixture
def limits() -> Limits:
    """The widest: some tests here ask for all there is at once."""
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


async def test_everything_at_once_costs_one_command_for_each_list(ask: Ask, world: World, commands: Commands) -> None:
    customers = [await world.everything() for _ in range(5)]
    query = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {everything('Customer')} }} }} }}"
    for some in (customers[:1], customers):
        commands.clear()
        answer = await ask(query, ids=[customer["_id"] for customer in some])
        assert "errors" not in answer, answer
        # The customers, eight lists, their eight counts, the types of activity, the audit; then all that activities and
        # points entries refer to, and the deliveries of the e-mails among it.
        assert len(commands.sent) == 1 + 8 + 8 + 1 + 1 + 1 + 1


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

FILTERS: Mapping[str, Mapping[str, str]] = {
    "ActivityFilter": {
        "from": f'"{ago(days=30).isoformat()}"',
        "to": f'"{ago(days=30).isoformat()}"',
        "types": '["SUBSCRIPTION_RENEWED", "NOTE_ADDED"]',
        "groups": "[SUBSCRIPTION, NOTE]",
        "actorKinds": "[AGENT, API]",
        "actorIds": '["mira"]',
        "sources": '["platform", "overview"]',
        "notes": "ONLY",
        "hideSystem": "true",
        "legacy": "true",
    },
    "PointsFilter": {
        "from": f'"{ago(days=30).isoformat()}"',
        "to": f'"{ago(days=30).isoformat()}"',
        "kinds": "[SPENT, EXPIRED]",
    },
    "CouponFilter": {"redeemed": "true", "origins": "[REWARD, MANUAL]"},
    "TransactionFilter": {
        "from": f'"{ago(days=30).isoformat()}"',
        "to": f'"{ago(days=30).isoformat()}"',
        "types": "[REFUND, VOID]",
        "statuses": "[PENDING, REJECTED]",
    },
}
"""Each filter of the schema, with a value that some rows have and most have not."""


def cycle(number: int, *values: Any) -> Any:
    return values[number % len(values)]


def noise(collection: str, number: int) -> Document:
    """Every value of every filter is there, but never for two rows in a row. Two each are of one moment."""
    return {**_noise(collection, number), **({"order": number} if number % 3 else {})}


def _noise(collection: str, number: int) -> Document:
    moment = ago(days=number // 2 * 2)
    match collection:
        case "activities":
            return {
                "type": cycle(number, "ORDER_CREATED", "NOTE_ADDED", "BIRTHDAY", "SUBSCRIPTION_RENEWED", "OLD"),
                "source": cycle(number, "esuite", "billing", "platform", "loyalty", "overview", "callcenter", "esuite"),
                "actor": {
                    "kind": cycle(number, "SYSTEM", "AGENT", "IMPORT", "API", "SYSTEM", "CUSTOMER"),
                    "name": "X",
                    **({"id": "mira"} if number % 4 == 0 else {}),
                },
                "occurredAt": moment,
                **({"points": number} if number % 3 == 0 else {}),
            }
        case "points":
            kind = cycle(number, "EARNED", "SPENT", "RESERVED", "EXPIRED", "ADJUSTED")
            return {"seq": number + 1, "kind": kind, "occurredAt": moment}
        case "coupons":
            return {"addedAt": moment, "redeemed": number % 3 == 0, "origin": cycle(number, "RULE", "REWARD", "MANUAL")}
        case "transactions":
            type_, status = cycle(number, "SALE", "REFUND", "SALE", "VOID"), cycle(number, "ACCEPTED", "PENDING")
            return {"occurredAt": moment, "type": type_, "status": status}
        case "passes" | "notes":
            return {"createdAt": moment}
        case "emails":
            return {"sentAt": moment}
        case _:
            return {"changedAt": moment}


COLLECTION_OF = {
    "statusHistory": "statuses",
    "activities": "activities",
    "pointsHistory": "points",
    "coupons": "coupons",
    "transactions": "transactions",
    "passes": "passes",
    "notes": "notes",
    "emailHistory": "emails",
}


@pytest.fixture
async def crowd(world: World) -> list[Document]:
    """Twenty customers with 60 rows of each kind; the first has 800."""
    customers = [await world.customer() for _ in range(20)]
    for customer in customers:
        for collection in COLLECTION_OF.values():
            rows = 800 if customer is customers[0] else 60
            await world.many(collection, customer, *(noise(collection, number) for number in range(rows)))
    return customers


def lists() -> Iterator[tuple[str, Mapping[str, str]]]:
    """Each list of a customer: its name, and the types of its arguments."""
    for place in below("Customer").values():
        if place.on == "Customer" and "first" in place.field.args:
            yield place.name, place.arguments


def single_filters() -> Iterator[tuple[str, str]]:
    """Each list with no filter, and with each of its filters alone."""
    for name, arguments in lists():
        yield name, ""
        for condition, value in filters_of(arguments).items():
            yield name, f"filter: {{{condition}: {value}}}"


def orders() -> Iterator[tuple[str, str]]:
    """Each list in each order that can be asked for."""
    for name, arguments in lists():
        if "orderBy" in arguments:
            by, direction = fields_of(arguments["orderBy"]).values()
            for field, way in product(values_of(by), values_of(direction)):
                yield name, f"orderBy: {{field: {field}, direction: {way}}}"


def filters_of(arguments: Mapping[str, str]) -> Mapping[str, str]:
    if "filter" not in arguments:
        return {}
    values = FILTERS[arguments["filter"]]
    assert values.keys() == fields_of(arguments["filter"]).keys(), "a filter came or went: its cost is to be shown"
    return values


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


async def explained(store: Store, command: Document) -> Document:
    """What the database did for a command that was sent: run again, explained."""
    kept = {key: value for key, value in command.items() if key in DECISIVE}
    return await store.command({"explain": kept, "verbosity": "executionStats"})


DECISIVE = set("find filter sort limit hint projection collation aggregate pipeline cursor let".split())
"""The parts of a command that decide what it reads."""


def documents_read(plan: Any) -> int:
    """Stages inside ``$lookup`` and ``$unionWith`` included."""
    match plan:
        case {"totalDocsExamined": int(examined)}:
            return examined
        case {**keys}:
            return sum(map(documents_read, keys.values()))
        case [*plans]:
            return sum(map(documents_read, plans))
        case _:
            return 0


def sorts(plan: Any) -> bool:
    """Whether anything but an index puts rows in order."""
    match plan:
        case {"stage": "SORT"}:
            return True
        case {**keys}:
            return any(sorts(inner) for key, inner in keys.items() if key not in ("rejectedPlans", "command"))
        case [*plans]:
            return any(map(sorts, plans))
        case _:
            return False


def within_lookup(command: Document) -> Document:
    """What a command does for the first of its parents: ``explain`` shows no plan inside ``$lookup``."""
    match command.get("pipeline"):
        case [{"$documents": [{"_id": parent}, *_]}, _, {"$lookup": lookup}, _]:
            return joined(lookup, parent)
        case _:
            return command


def joined(lookup: Document, parent: str) -> Document:
    """What a ``$lookup`` does for one parent, as a command."""
    pipeline = [{"$match": {lookup["foreignField"]: parent}}, *lookup["pipeline"]]
    return {"aggregate": lookup["from"], "pipeline": pipeline, "let": {"parent": parent}, "cursor": {}}


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
    for first, second in [*combinations(indexed, 2), *product(indexed, ("from", "to"))]:
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
