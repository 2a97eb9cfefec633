"""The schema as a subgraph of Apollo Federation 2: `_service` and `_entities`. Routers themselves: `make clients`."""

import json
from typing import Any

import httpx2
import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    print_schema,
)

from app.demo.sample.seed import seed
from app.domain.access import Role
from app.domain.cursors import MAXIMUM_SIZE
from app.domain.kinds import KINDS
from app.execution import Execution
from app.graph import executable
from app.sdl import printed, printed_subgraph
from app.settings import Limits
from app.store import previews
from app.store.driver import Store
from tests.support.commands import Commands
from tests.support.entities import representation_of
from tests.support.gateway import Ask
from tests.support.tokens import token
from tests.support.world import NOW, World

READERS = frozenset(map(Role, Limits().introspection_roles.split()))
ENTITIES = "query($them: [_Any!]!) { _entities(representations: $them) { %s } }"
NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { %s } }"


# ---------------------------------------------------------------- the SDL


@pytest.mark.parametrize("role", Role)
async def test_the_sdl_is_for_those_who_may_introspect_and_others_read_what_introspection_tells_them(
    role: Role, client: httpx2.AsyncClient, commands: Commands
) -> None:
    bearer = {"Authorization": f"Bearer {token(role, customer_id='cus_a', affiliate_id='a')}"}
    asked, introspected = [
        await client.post("/graphql", json={"query": query}, headers=bearer)
        for query in ("{ ...S } fragment S on Query { it: _service { sdl } }", "{ __schema { queryType { name } } }")
    ]
    if role in READERS:
        assert asked.json()["data"] == {"it": {"sdl": printed_subgraph()}}
    else:
        assert (asked.status_code, asked.json()) == (introspected.status_code, introspected.json())
        assert asked.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        assert commands.sent == []


def test_the_sdl_is_the_schema_without_the_fields_of_federation() -> None:
    own = build_schema(printed_subgraph(), assume_valid_sdl=True)
    schema = build_schema(printed())
    assert schema.query_type
    assert {name for name in schema.query_type.fields if name.startswith("_")} == {"_entities", "_service"}
    types = [each for name, each in schema.type_map.items() if name not in ("_Any", "_Entity", "_Service")]
    for name in ("_entities", "_service"):
        del schema.query_type.fields[name]
    roots = schema.query_type, schema.mutation_type, schema.subscription_type
    whole = GraphQLSchema(*roots, types=types, directives=schema.directives)
    assert print_schema(own) == print_schema(whole)


def test_each_node_has_its_key_pages_may_be_shared_and_one_of_is_composed() -> None:
    own = build_schema(printed_subgraph(), assume_valid_sdl=True)
    directives = {
        name: [each.name.value for each in type_.ast_node.directives or ()]
        for name, type_ in own.type_map.items()
        if type_.ast_node
    }
    assert {name for name, each in directives.items() if each == ["key"]} == {kind.type for kind in KINDS}
    assert {name for name, each in directives.items() if each == ["shareable"]} == {"PageInfo"}
    one_of = {
        name
        for name, type_ in executable.type_map.items()
        if isinstance(type_, GraphQLInputObjectType) and type_.is_one_of
    }
    assert one_of == {name for name, each in directives.items() if each == ["oneOf"]} != set()
    assert '@composeDirective(name: "@oneOf")' in printed_subgraph().partition("\n\n")[0]


def test_every_node_is_an_entity() -> None:
    node = executable.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    union: Any = executable.type_map["_Entity"]
    entities: set[GraphQLObjectType] = set(union.types)
    assert entities == set(executable.get_possible_types(node))


# ---------------------------------------------------------------- entities


async def test_entities_are_nodes_in_the_order_of_their_representations(ask: Ask, world: World) -> None:
    ada, eve = await world.everything(), await world.customer()
    mail, note = await world.email(ada), await world.note(ada)
    documents = [eve, mail, ada, {"_id": "cus_nobody"}, note, ada]
    selection = "__typename ... on Node { id } ... on Customer { name } ... on Note { message }"
    them = [representation_of(each["_id"]) | {"number": "what else a router knows"} for each in documents]
    entities = await ask(ENTITIES % selection, them=them)
    nodes = await ask(NODES % selection, ids=[each["_id"] for each in documents])
    assert entities["data"]["_entities"] == nodes["data"]["nodes"]
    assert [each and each["__typename"] for each in entities["data"]["_entities"]] == [
        *("Customer", "Email", "Customer", None, "Note", "Customer")
    ]


WRONG: list[tuple[Any, str, str]] = [
    ({"__typename": "Custmer", "id": "cus_x"}, "__typename", 'There is no entity type "Custmer". Did you mean'),
    ({"__typename": "Viewer", "id": "cus_x"}, "__typename", 'There is no entity type "Viewer".'),
    ({"__typename": "Node", "id": "cus_x"}, "__typename", 'There is no entity type "Node".'),
    ({"__typename": ["Customer"], "id": "cus_x"}, "__typename", "There is no entity type"),
    ({"id": "cus_x"}, "__typename", 'There is no entity type "".'),
    ({}, "__typename", 'There is no entity type "".'),
    ({"__typename": "Customer"}, "id", 'one begins with "cus_"'),
    ({"__typename": "Customer", "id": None}, "id", 'one begins with "cus_"'),
    ({"__typename": "Customer", "id": {"$ne": ""}}, "id", 'one begins with "cus_"'),
    ({"__typename": "Customer", "id": ["cus_x"]}, "id", 'one begins with "cus_"'),
    ({"__typename": "Customer", "id": "nonsense"}, "id", 'one begins with "cus_"'),
    ({"__typename": "Customer", "id": "act_x"}, "id", 'one begins with "cus_"'),
    ({"__typename": "Activity", "id": "cus_x"}, "id", 'one begins with "act_"'),
    ({"__typename": "Customer", "id": "cus_" + "x" * 10_000}, "id", 'one begins with "cus_"'),
]


@pytest.mark.parametrize(("wrong", "field", "message"), WRONG)
async def test_a_wrong_representation_costs_its_own_place(
    wrong: Any, field: str, message: str, ask: Ask, world: World
) -> None:
    ada = await world.customer()
    answer = await ask(ENTITIES % "... on Customer { name }", them=[wrong, representation_of(ada["_id"])])
    assert answer["data"]["_entities"] == [None, {"name": ada["name"]}]
    (error,) = answer["errors"]
    assert message in error["message"]
    assert error["path"] == ["_entities", 0]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": ["representations", field]}


@pytest.mark.parametrize("wrong", ["cus_x", 1, True, None, [{"__typename": "Customer", "id": "cus_x"}]])
async def test_what_is_no_object_is_refused_before_anything_is_read(wrong: Any, ask: Ask, commands: Commands) -> None:
    answer = await ask(ENTITIES % "__typename", them=[wrong])
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert "data" not in answer
    answer = await ask(f"{{ _entities(representations: [{json.dumps(wrong).replace(chr(34), '')}]) {{ __typename }} }}")
    assert answer["errors"][0]["extensions"]["code"] in ("BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED")
    assert commands.sent == []


async def test_literals_and_variables_within_them_are_representations(ask: Ask, world: World) -> None:
    ada = await world.customer()
    query = """query($id: ID!) {
        a: _entities(representations: {__typename: "Customer", id: $id}) { ... on Customer { number } }
        b: _entities(representations: [{__typename: "Customer", id: "%s"}]) { ... on Customer { number } }
    }"""
    answer = await ask(query % ada["_id"], id=ada["_id"])
    assert answer["data"] == {"a": [{"number": ada["number"]}], "b": [{"number": ada["number"]}]}


async def test_there_are_as_many_entities_at_once_as_nodes(ask: Ask, commands: Commands) -> None:
    them = [{"__typename": "Customer", "id": f"cus_{number}"} for number in range(MAXIMUM_SIZE + 1)]
    answer = await ask(ENTITIES % "__typename", them=them[:-1])
    assert answer["data"]["_entities"] == [None] * MAXIMUM_SIZE
    commands.clear()
    answer = await ask(ENTITIES % "__typename", them=them)
    (error,) = answer["errors"]
    assert answer["data"] is None
    assert error["message"] == "At most 100 entities may be asked for at once; there are 101."
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": ["representations"]}
    assert error["path"] == ["_entities"]
    assert commands.sent == []


async def test_masks_and_reach_are_those_of_nodes(ask: Ask, world: World) -> None:
    ada = await world.customer(email="ada@example.com", affiliateId="aff-1")
    eve = await world.customer()
    note = await world.note(ada)
    selection = "... on Customer { number email } ... on Note { message }"
    documents = [ada, eve, note]
    for who in (
        token(Role.AFFILIATE, affiliate_id="aff-1"),
        token(Role.CUSTOMER, customer_id=ada["_id"]),
        token(Role.API_USER),
    ):
        entities = await ask(
            ENTITIES % selection, token=who, them=[representation_of(each["_id"]) for each in documents]
        )
        nodes = await ask(NODES % selection, token=who, ids=[each["_id"] for each in documents])
        assert entities["data"]["_entities"] == nodes["data"]["nodes"]
        assert entities.get("extensions") == nodes.get("extensions")
        assert "errors" not in entities
    affiliate = token(Role.AFFILIATE, affiliate_id="aff-1")
    answer = await ask(
        ENTITIES % selection, token=affiliate, them=[representation_of(each["_id"]) for each in documents]
    )
    assert answer["data"]["_entities"] == [{"number": ada["number"], "email": None}, None, None]


# ---------------------------------------------------------------- what they cost

TEN = "... on Customer { id number name activities(first: 10) { nodes { id type title occurredAt } } }"


async def test_a_hundred_customers_with_ten_activities_are_the_commands_of_nodes_by_a_plan(
    ask: Ask, store: Store, commands: Commands, execution: Execution
) -> None:
    await seed(store, customers=MAXIMUM_SIZE, now=NOW)
    await previews.refresh_stale(store)
    customers = await store.find("customers", {}, limit=MAXIMUM_SIZE, fields={"_id": 1})
    commands.clear()
    nodes = await ask(NODES % TEN, ids=[each["_id"] for each in customers])
    of_nodes = [(name, body.get("pipeline")) for name, body in commands.sent]
    commands.clear()
    entities = await ask(ENTITIES % TEN, them=[representation_of(each["_id"]) for each in customers])
    assert entities["data"]["_entities"] == nodes["data"]["nodes"]
    assert sum(len(each["activities"]["nodes"]) for each in nodes["data"]["nodes"]) > MAXIMUM_SIZE
    assert [(name, body.get("pipeline")) for name, body in commands.sent] == of_nodes
    assert len(of_nodes) == 1
    assert execution.counted == {"plan": 2}


async def test_entities_have_the_price_of_nodes(client: httpx2.AsyncClient) -> None:
    async def price(query: str, **variables: Any) -> int:
        bearer = {"Authorization": f"Bearer {token()}"}
        answer = await client.post("/graphql", json={"query": query, "variables": variables}, headers=bearer)
        return answer.json()["extensions"]["cost"]["requested"]

    prices = set[int]()
    for count in (1, 7, MAXIMUM_SIZE):
        ids = [f"cus_{number}" for number in range(count)]
        them = [{"__typename": "Customer", "id": each} for each in ids]
        literal = ", ".join(f'{{__typename: "Customer", id: "{each}"}}' for each in ids)
        of_nodes = await price(NODES % TEN, ids=ids)
        assert await price(ENTITIES % TEN, them=them) == of_nodes
        assert await price(f"{{ _entities(representations: [{literal}]) {{ {TEN} }} }}") == of_nodes
        prices.add(of_nodes)
    assert len(prices) == 3
