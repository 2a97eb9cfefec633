"""A paged edge is data: what it asks depends on arguments and roles alone, whoever the viewer and the parent are."""

import inspect
from collections.abc import Sequence
from typing import Any, cast

import pytest
from graphql import GraphQLObjectType, print_type
from strawberry.schema.schema_converter import GraphQLCoreConverter

from app.domain import listings
from app.domain.access import Role, activity_rows
from app.domain.paging import Listing, Where
from app.execution import Execution
from app.graph import OBJECT_TYPES, executable
from app.schema.connection import PAGED_EDGES, FilterInput, OrderInput, PagedEdge, paged
from app.schema.passes import Pass
from app.store.driver import Document
from tests.support.gateway import Ask
from tests.support.tokens import token
from tests.support.world import AGENT, SYSTEM, World

EDGES = {
    f"{name}.{field.python_name}": PAGED_EDGES[resolver.wrapped_func]
    for name, definition in OBJECT_TYPES.items()
    for field in definition.fields
    if (resolver := cast(Any, field).base_resolver) and resolver.wrapped_func in PAGED_EDGES
}


def pages_of(type_name: str) -> list[str]:
    """The fields of a type that have a page of a list."""
    type_ = executable.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType)
    return [
        name for name, field in type_.fields.items() if str(field.type).endswith("Connection") and "first" in field.args
    ]


def test_every_list_that_hangs_on_a_document_is_declared_as_data() -> None:
    nodes = [
        name
        for name, type_ in executable.type_map.items()
        if isinstance(type_, GraphQLObjectType) and any(each.name == "Node" for each in type_.interfaces)
    ]
    for name in nodes:
        type_: Any = executable.type_map[name]
        for field in pages_of(name):
            definition = type_.fields[field].extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
            assert definition.base_resolver.wrapped_func in PAGED_EDGES, f"{name}.{field}"


def test_what_an_edge_asks_is_worked_out_of_its_filter_its_order_and_roles() -> None:
    """No owner, no viewer and no clock: only so may a plan remember it by the roles."""
    assert list(inspect.signature(PagedEdge.selection).parameters) == ["self", "filter", "order", "roles"]
    assert list(inspect.signature(PagedEdge.shared_page).parameters) == ["self", "roles", "given"]
    for protocol, method, known in ((FilterInput, "where", ["roles"]), (OrderInput, "sorting", ["filter"])):
        assert list(inspect.signature(getattr(protocol, method)).parameters) == ["self", *known]


def test_every_list_of_activities_has_the_rows_of_its_viewers_roles_only() -> None:
    known = [each for each in vars(listings).values() if isinstance(each, Listing)]
    assert [each.visible for each in known if each.collection == "activities"] == [activity_rows, activity_rows]


def test_a_new_list_is_one_line() -> None:
    def visible(roles: frozenset[Role]) -> Where:
        return activity_rows(roles) if Role.CUSTOMER in roles else ()

    field = paged(Listing("passes", ("customerId",), listings.PASSES.orders, visible=visible), Pass, description="New.")
    edge = PAGED_EDGES.pop(field.base_resolver.wrapped_func)
    assert [each.python_name for each in field.base_resolver.arguments] == ["first", "after", "last", "before"]
    assert edge.selection(None, None, frozenset({Role.ADMIN})).where == ()
    assert edge.selection(None, None, frozenset({Role.CUSTOMER})).where == activity_rows(frozenset({Role.CUSTOMER}))
    assert "activities(" in print_type(executable.type_map["Customer"])


async def two_customers(world: World) -> list[Document]:
    """Both have rows in every list; and activities of which only some roles see some."""
    customers = [await world.customer(affiliateId=f"aff-{number}") for number in (1, 2)]
    for customer in customers:
        for collection in {
            each.listing.collection for each in EDGES.values() if each.listing.parent_key == "customerId"
        }:
            rows: list[Document] = [{"seq": 1 + each} if collection == "points" else {} for each in range(4)]
            await world.many(collection, customer, *rows)
        kinds = [(type_, actor) for type_ in ("NOTE_ADDED", "EMAIL_SENT") for actor in (AGENT, SYSTEM)]
        await world.many("activities", customer, *({"type": type_, "actor": actor} for type_, actor in kinds))
    return customers


def tokens(role: Role, customers: Sequence[Document]) -> list[str]:
    """Two viewers of one role: the subject and everything else about them differs."""
    return [
        token(role, subject=f"viewer-{number}", name=f"Viewer {number}", customer_id=customer["_id"], affiliate_id=each)
        for number, (customer, each) in enumerate(zip(customers, ("aff-1", "aff-2"), strict=True))
    ]


QUERY = "query($id: ID!) { customer(by: {id: $id}) { %s } }"
SELECTIONS = [
    f"{field}{arguments} {{ totalCount nodes {{ id }} pageInfo {{ startCursor endCursor }} }}"
    for field in pages_of("Customer")
    for arguments in ("", "(first: 3)", "(last: 2)")
]


@pytest.fixture(params=["compiled", "graphql-core"])
def execution(request: pytest.FixtureRequest) -> Execution:
    """Executes by compiled plans and as graphql-core does."""
    return Execution(request.param)


@pytest.mark.parametrize("role", list(Role))
async def test_of_two_viewers_of_one_role_each_has_their_own_rows(ask: Ask, world: World, role: Role) -> None:
    """Whoever asks first: what a plan remembers of the one is right for the other, who asks with the same document."""
    customers, seen = await two_customers(world), 0
    viewers = [*zip(tokens(role, customers), customers, strict=True)]

    async def answers(text: str, order: int) -> list[Any]:
        return [(await ask(text, token=viewer, id=who["_id"]))["data"]["customer"] for viewer, who in viewers[::order]]

    for selection in SELECTIONS:
        text = QUERY % selection
        one, other = await answers(f"{text} # first", 1)
        assert [other, one] == await answers(f"{text} # second, with a plan of its own", -1), (role, selection)
        rows = [{row["id"] for page in each.values() if page for row in page["nodes"]} for each in (one, other)]
        assert bool(rows[0]) == bool(rows[1])
        assert not rows[0] & rows[1], (role, selection)
        seen += len(rows[0])
    assert seen


@pytest.mark.parametrize("coordinate", sorted(EDGES))
def test_an_edge_answers_viewers_of_the_same_roles_alike_and_of_others_by_their_roles(coordinate: str) -> None:
    edge = EDGES[coordinate]
    for role in Role:
        roles = frozenset({role})
        shared = edge.shared_page(roles, {})
        assert shared == edge.shared_page(frozenset({Role(role.value)}), {"first": None, "after": None})
        assert shared
        assert dict(shared.selection.where).items() >= dict(edge.listing.visible(roles)).items()
        assert edge.shared_page(roles, {"after": "AAAA"}) is None
        assert edge.shared_page(roles, {"before": "AAAA"}) is None
