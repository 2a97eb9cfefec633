"""What every payload has: all faults of an input at once, the query after it, and rows for lists on the screen."""

from typing import Any

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType

from app.domain.access import Role
from tests.support.gateway import Ask
from tests.support.schema_walk import schema
from tests.support.tokens import token
from tests.support.world import World

pytestmark = pytest.mark.anyio

LONG = "x" * 129
ZERO = "\u200b"
FAULTS: dict[str, tuple[dict[str, Any], set[tuple[str, ...]]]] = {
    "addNote": (
        {"customerId": "cus", "message": ZERO, "mentions": ["\n"], "links": [], "idempotencyKey": LONG},
        {("message",), ("mentions",), ("idempotencyKey",)},
    ),
    "adjustPoints": (
        {"customerId": "cus", "points": 0, "reason": "", "idempotencyKey": ""},
        {("points",), ("reason",), ("idempotencyKey",)},
    ),
    "requestPointsAdjustment": (
        {"customerId": "cus", "points": -1, "expiresAt": "2100-01-01T00:00:00Z", "reason": "", "idempotencyKey": ""},
        {("expiresAt",), ("reason",), ("idempotencyKey",)},
    ),
    "redeemCoupon": (
        {"customerId": "cus", "couponIds": [], "idempotencyKey": LONG},
        {("couponIds",), ("idempotencyKey",)},
    ),
    "changeCustomerStatus": (
        {"customerId": "cus", "status": "BLOCKED", "reason": ZERO, "idempotencyKey": ""},
        {("reason",), ("idempotencyKey",)},
    ),
    "tagCustomer": ({"customerId": "cus", "tag": "", "idempotencyKey": ""}, {("tag",), ("idempotencyKey",)}),
    "untagCustomer": ({"customerId": "cus", "tag": "", "idempotencyKey": ""}, {("tag",), ("idempotencyKey",)}),
    "recordActivity": (
        {
            "customerId": "cus",
            "type": "SURVEY_ANSWERED",
            "message": ZERO,
            "occurredAt": "2100-01-01T00:00:00Z",
            "attributes": [{"name": "nonsense", "value": "1"}, {"name": "rubbish", "value": "1"}],
            "idempotencyKey": "",
        },
        {("attributes", "nonsense"), ("attributes", "rubbish"), ("message",), ("occurredAt",), ("idempotencyKey",)},
    ),
}


@pytest.mark.parametrize("mutation", FAULTS)
async def test_all_faults_of_an_input_come_at_once_and_nothing_is_written(
    mutation: str, ask: Ask, world: World
) -> None:
    ada = await world.customer()
    given, fields = FAULTS[mutation]
    type_ = mutation[0].upper() + mutation[1:].replace("untag", "tag")
    name = "TagCustomerInput" if mutation == "untagCustomer" else f"{type_}Input"
    query = f"mutation($i: {name}!) {{ {mutation}(input: $i) {{ userErrors {{ code field message }} }} }}"
    answer = await ask(query, i={**given, "customerId": ada["_id"]})
    errors = answer["data"][mutation]["userErrors"]
    assert {tuple(error["field"]) for error in errors} == fields, errors
    assert all(error["message"].endswith(".") for error in errors)
    assert await world.store.find("activities", {}) == []
    (row,) = await world.store.find("audit", {})
    assert row["code"] == errors[0]["code"]


def test_every_payload_is_a_mutation_payload() -> None:
    mutations = schema().mutation_type
    assert mutations
    interface = schema().type_map["MutationPayload"]
    assert isinstance(interface, GraphQLInterfaceType)
    for name, field in mutations.fields.items():
        payload: Any = field.type
        assert isinstance(payload, GraphQLObjectType), name
        assert interface in payload.interfaces, name


ADJUST = """mutation($i: AdjustPointsInput!, $id: ID!) { adjustPoints(input: $i) {
  activityEdge { cursor node { id } } entryEdge { cursor node { id balanceAfter } }
  query { node(id: $id) { ... on Customer { points { spendable } } } viewer { subject } } userErrors { code } } }"""


async def test_a_payload_has_the_query_after_the_change_and_rows_whose_cursors_go_on(ask: Ask, world: World) -> None:
    ada = await world.customer()
    seen: list[dict[str, Any]] = []
    for number in (1, 2):
        given = {"customerId": ada["_id"], "points": 5, "reason": "Goodwill", "idempotencyKey": str(number)}
        answer = await ask(ADJUST, i=given, id=ada["_id"])
        assert "errors" not in answer
        payload = answer["data"]["adjustPoints"]
        assert payload["query"]["node"]["points"]["spendable"] == 5 * number
        assert payload["query"]["viewer"]["subject"] == "tess"
        seen.append(payload)
    lists = """query($id: ID!, $a: String, $e: String) { node(id: $id) { ... on Customer {
      activities(after: $a) { nodes { id } } pointsHistory(after: $e) { nodes { id } } } } }"""
    variables = {"a": seen[1]["activityEdge"]["cursor"], "e": seen[1]["entryEdge"]["cursor"]}
    rest = (await ask(lists, id=ada["_id"], **variables))["data"]["node"]
    assert rest["activities"]["nodes"] == [seen[0]["activityEdge"]["node"]]
    assert [node["id"] for node in rest["pointsHistory"]["nodes"]] == [seen[0]["entryEdge"]["node"]["id"]]


async def test_what_was_refused_has_no_rows_and_a_query_all_the_same(ask: Ask, world: World) -> None:
    ada = await world.customer()
    given = {"customerId": ada["_id"], "points": -5, "reason": "Goodwill", "idempotencyKey": "1"}
    payload = (await ask(ADJUST, i=given, id=ada["_id"]))["data"]["adjustPoints"]
    assert payload["userErrors"] == [{"code": "NOT_ENOUGH_POINTS"}]
    assert payload["activityEdge"] is payload["entryEdge"] is None
    assert payload["query"]["node"]["points"]["spendable"] == 0


async def test_the_query_of_a_payload_shows_no_more_than_any_query(ask: Ask, world: World) -> None:
    ada, bob = await world.customer(), await world.customer(email="bob@example.org")
    coupon = await world.coupon(ada)
    query = """mutation($i: RedeemCouponInput!, $id: ID!) { redeemCoupon(input: $i) {
      query { node(id: $id) { id } customers { nodes { id } } } } }"""
    given = {"customerId": ada["_id"], "couponIds": [coupon["_id"]], "idempotencyKey": "1"}
    answer = await ask(query, token=token(Role.CUSTOMER, customer_id=ada["_id"]), i=given, id=bob["_id"])
    found = answer["data"]["redeemCoupon"]["query"]
    assert found["node"] is None
    assert [node["id"] for node in found["customers"]["nodes"]] == [ada["_id"]]
