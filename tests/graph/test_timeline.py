"""Looking through one customer's timeline and lists: counts that follow the filter, jumps to a date, other orders."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.access import Role
from tests.support.gateway import Ask
from tests.support.tokens import token
from tests.support.world import AGENT, NOW, SYSTEM, World

pytestmark = pytest.mark.anyio

COUNTS = """query($id: ID!, $filter: ActivityFilter) { node(id: $id) { ... on Customer {
  activities(filter: $filter, first: 100) { totalCount nodes { type group source actor { kind name userId } } }
  activityFacets(filter: $filter) { type count }
  activityGroups(filter: $filter) { group count }
  activityActors(filter: $filter) { actor { kind name userId } count }
  activitySources(filter: $filter) { source count } } } }"""


def counted(values: list[Any]) -> dict[str, int]:
    texts = [str(value) for value in values]
    return {text: texts.count(text) for text in texts}


@pytest.mark.parametrize(
    "filter",
    [
        {},
        {"types": ["SUBSCRIPTION_RENEWED", "COUPON_REDEEMED"]},
        {"groups": ["SUBSCRIPTION"]},
        {"actorKinds": ["AGENT"]},
        {"hideSystem": True},
        {"sources": ["esuite"]},
        {"occurredAt": {"from": (NOW - timedelta(days=6)).isoformat(), "to": (NOW - timedelta(days=2)).isoformat()}},
        {"types": []},
    ],
    ids=str,
)
async def test_counts_follow_the_filter(filter: dict[str, Any], ask: Ask, world: World) -> None:
    ada, other = await world.customer(), await world.customer()
    for number, type_ in enumerate(("SUBSCRIPTION_RENEWED", "COUPON_REDEEMED", "SUBSCRIPTION_RENEWED", "PASS_EMAILED")):
        for actor in (AGENT, SYSTEM):
            for each in (ada, other)[: 1 + number % 2]:
                await world.activity(each, type_, actor=actor, occurredAt=NOW - timedelta(days=2 * number + 1))
    found = (await ask(COUNTS, id=ada["_id"], filter=filter))["data"]["node"]
    rows = found["activities"]["nodes"]
    for name, key in (
        ("activityFacets", "type"),
        ("activityGroups", "group"),
        ("activityActors", "actor"),
        ("activitySources", "source"),
    ):
        assert {str(each[key]): each["count"] for each in found[name]} == counted([row[key] for row in rows]), name
        if name != "activityGroups":
            assert [each["count"] for each in found[name]] == sorted(
                (each["count"] for each in found[name]), reverse=True
            )


async def test_whoever_went_by_several_names_is_counted_once(ask: Ask, world: World) -> None:
    ada = await world.customer()
    for name, times in (("Grace", 2), ("Grace Hopper", 3), ("G. Hopper", 1)):
        for _ in range(times):
            await world.activity(ada, actor={**AGENT, "name": name})
    await world.activity(ada, actor={**AGENT, "onBehalfOf": {"id": "another", "name": "Another"}})
    for _ in range(4):
        await world.activity(ada, actor=SYSTEM)
    query = """query($id: ID!, $first: Int) { node(id: $id) { ... on Customer {
      activityActors(first: $first) { actor { name userId } count } } } }"""
    found = (await ask(query, id=ada["_id"], first=20))["data"]["node"]["activityActors"]
    assert found == [
        {"actor": {"name": "Grace Hopper", "userId": AGENT["id"]}, "count": 7},
        {"actor": {"name": SYSTEM["name"], "userId": SYSTEM.get("id")}, "count": 4},
    ]
    assert (await ask(query, id=ada["_id"], first=1))["data"]["node"]["activityActors"] == found[:1]


async def test_a_customer_does_not_learn_who_acted_from_the_counts(ask: Ask, world: World) -> None:
    ada = await world.customer()
    await world.activity(ada, actor=AGENT)
    query = "query($id: ID!) { node(id: $id) { ... on Customer { activityActors { actor { name } count } } } }"
    answer = await ask(query, token=token(Role.CUSTOMER, customer_id=ada["_id"]), id=ada["_id"])
    assert answer["data"]["node"]["activityActors"] is None
    assert "errors" not in answer


AT = """query($ids: [ID!]!, $at: DateTime!, $first: Int, $last: Int, $order: ActivityOrder) {
  nodes(ids: $ids) { ... on Customer {
    activities(at: $at, first: $first, last: $last, orderBy: $order) { nodes { id } pageInfo { endCursor } } } } }"""


@pytest.mark.parametrize("direction", ["DESC", "ASC"])
@pytest.mark.parametrize("offset", [timedelta(), timedelta(microseconds=1), -timedelta(microseconds=1)], ids=str)
async def test_a_page_begins_at_a_time(direction: str, offset: timedelta, ask: Ask, world: World) -> None:
    customers = [await world.customer() for _ in range(2)]
    ids: dict[str, list[str]] = {}
    for customer in customers:
        times = [NOW - timedelta(minutes=minutes) for minutes in (9, 8, 7, 7, 7, 6, 5)]
        ids[customer["_id"]] = [(await world.activity(customer, occurredAt=time))["_id"] for time in times]
    at = NOW - timedelta(minutes=7) + offset
    after = 2 if offset <= timedelta() else 5  # how many are before it, oldest first
    before = 5 if offset >= timedelta() else 2
    for some in (customers[:1], customers):
        chosen = [customer["_id"] for customer in some]
        order = {"field": "OCCURRED_AT", "direction": direction}
        variables: dict[str, Any] = {"ids": chosen, "at": at.isoformat(), "order": order}
        onward = (await ask(AT, **variables, first=100))["data"]["nodes"]
        back = (await ask(AT, **variables, last=100))["data"]["nodes"]
        for customer_id, one, other in zip(chosen, onward, back, strict=True):
            seen = [node["id"] for node in one["activities"]["nodes"]]
            rest = [node["id"] for node in other["activities"]["nodes"]]
            if direction == "ASC":
                assert sorted(seen) == sorted(ids[customer_id][after:])
                assert sorted(rest) == sorted(ids[customer_id][:after])
            else:
                assert sorted(seen) == sorted(ids[customer_id][:before])
                assert sorted(rest) == sorted(ids[customer_id][before:])
            assert len(seen) + len(rest) == 7


async def test_a_page_that_began_at_a_time_goes_on_by_its_cursor(ask: Ask, world: World) -> None:
    ada = await world.customer()
    await world.many("activities", ada, *({"occurredAt": NOW - timedelta(days=n)} for n in range(9)))
    query = """query($id: ID!, $at: DateTime, $after: String) { node(id: $id) { ... on Customer {
      activities(at: $at, after: $after, first: 2) { nodes { occurredAt } pageInfo { endCursor hasNextPage } } } } }"""
    page = (await ask(query, id=ada["_id"], at=(NOW - timedelta(days=3)).isoformat()))["data"]["node"]["activities"]
    seen = [node["occurredAt"] for node in page["nodes"]]
    while page["pageInfo"]["hasNextPage"]:
        answer = await ask(query, id=ada["_id"], after=page["pageInfo"]["endCursor"])
        page = answer["data"]["node"]["activities"]
        seen += [node["occurredAt"] for node in page["nodes"]]
    assert len(seen) == len(set(seen)) == 6
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ('at: "2026-01-01T00:00:00Z", after: "x"', "leave out at, after or before"),
        ('at: "2026-01-01T00:00:00Z", orderBy: {field: POINTS}', "in the order of time"),
    ],
)
async def test_a_time_with_a_cursor_or_in_another_order_is_refused(
    arguments: str, words: str, ask: Ask, world: World
) -> None:
    ada = await world.customer()
    query = f"query($id: ID!) {{ node(id: $id) {{ ... on Customer {{ activities({arguments}) {{ totalCount }} }} }} }}"
    (error,) = (await ask(query, id=ada["_id"]))["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": ["at"]}
    assert words in error["message"]


TEXTS = """query($ids: [ID!]!, $text: String!, $after: String) { nodes(ids: $ids) { ... on Customer {
  activities(filter: {text: $text}, first: 2, after: $after) {
    totalCount nodes { id } pageInfo { endCursor hasNextPage } }
  activityFacets(filter: {text: $text}) { count } } } }"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("muller", {"message"}),
        ("MÜLLER", {"message"}),
        ("  Müller   rang ", {"message"}),
        ("cafe", {"attribute", "list"}),
        ("12.5", {"money"}),
        ("strasse", {"street"}),
        ("hauptstrase", set[str]()),
        ("Straße", {"street"}),
        ("subscription renewed", {"type"}),
        (".*", set[str]()),
        ("nothing", set[str]()),
        ("ller rang", {"message"}),
    ],
)
async def test_a_text_is_found_in_titles_messages_and_attributes(
    text: str, found: set[str], ask: Ask, world: World
) -> None:
    ada, bob = await world.customer(), await world.customer()
    rows: dict[str, dict[str, Any]] = {
        "message": {"type": "COUPON_REDEEMED", "message": "Frau Müller  rang an."},
        "attribute": {"type": "COUPON_REDEEMED", "attributes": {"place": "Café am Markt"}},
        "list": {"type": "COUPON_REDEEMED", "attributes": {"places": ["Kino", "CAFE"]}},
        "money": {"type": "COUPON_REDEEMED", "attributes": {"sum": {"amount": Decimal("12.50"), "currency": "EUR"}}},
        "street": {"type": "COUPON_REDEEMED", "message": "Hauptstraße 1"},
        "type": {"type": "SUBSCRIPTION_RENEWED"},
    }
    names: dict[str, str] = {}
    for name, given in rows.items():
        for customer in (ada, bob):
            (row,) = await world.many("activities", customer, given)
            names[row["_id"]] = name
    for some in ([ada], [ada, bob]):
        nodes = (await ask(TEXTS, ids=[each["_id"] for each in some], text=text))["data"]["nodes"]
        for node in nodes:
            assert node["activities"]["totalCount"] == len(found)
            assert sum(facet["count"] for facet in node["activityFacets"]) == len(found)
            assert {names[row["id"]] for row in node["activities"]["nodes"]} <= found
    seen: set[str] = set()
    after = None
    while True:
        (node,) = (await ask(TEXTS, ids=[ada["_id"]], text=text, after=after))["data"]["nodes"]
        seen |= {names[row["id"]] for row in node["activities"]["nodes"]}
        after = node["activities"]["pageInfo"]["endCursor"]
        if not node["activities"]["pageInfo"]["hasNextPage"]:
            break
    assert seen == found


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.AFFILIATE, Role.API_USER])
async def test_only_staff_search_in_texts_that_others_may_not_read(role: Role, ask: Ask, world: World) -> None:
    ada = await world.customer(affiliateId="aff-1")
    await world.activity(ada, message="a secret")
    bearer = token(role, customer_id=ada["_id"], affiliate_id="aff-1")
    query = (
        'query($id: ID!) { node(id: $id) { ... on Customer { activities(filter: {text: "secret"}) { totalCount } } } }'
    )
    answer = await ask(query, token=bearer, id=ada["_id"])
    if role == Role.API_USER:  # an integration is staff, and reads what staff wrote
        assert answer["data"]["node"]["activities"] == {"totalCount": 1}
    else:
        assert answer["data"]["node"]["activities"] is None
        assert answer["errors"][0]["extensions"] == {"code": "FORBIDDEN", "field": ["text"]}


ORDERS = {
    "coupons": {"ADDED_AT": "addedAt", "EXPIRES_AT": "expiresAt", "REDEEMED_AT": "redeemedAt"},
    "transactions": {"OCCURRED_AT": "occurredAt", "POINTS_AWARDED": "pointsAwarded"},
    "passes": {"CREATED_AT": "createdAt", "UPDATED_AT": "updatedAt"},
}


MAY_BE_ABSENT = {"expiresAt", "redeemedAt"}
"""Null counts as the smallest value."""


@pytest.mark.parametrize("name", ORDERS)
async def test_lists_come_in_each_order_both_ways_page_by_page(name: str, ask: Ask, world: World) -> None:
    ada = await world.customer()
    fields = ORDERS[name]
    for number in range(7):
        given: dict[str, Any] = {
            key: NOW - timedelta(hours=number * 7 % 5 + place) if key.endswith("At") else number * 7 % 5
            for place, key in enumerate(fields.values())
            if not (key in MAY_BE_ABSENT and number % 3 == place)
        }
        await world.many(name, ada, given)
    for field, key in fields.items():
        for direction in ("ASC", "DESC"):
            query = (
                "query($id: ID!, $after: String) { node(id: $id) { ... on Customer { "
                f"{name}(first: 2, after: $after, orderBy: {{field: {field}, direction: {direction}}}) "
                f"{{ nodes {{ id {key} }} pageInfo {{ endCursor hasNextPage }} }} }} }} }}"
            )
            rows: list[dict[str, Any]] = []
            after = None
            while True:
                page = (await ask(query, id=ada["_id"], after=after))["data"]["node"][name]
                rows += page["nodes"]
                after = page["pageInfo"]["endCursor"]
                if not page["pageInfo"]["hasNextPage"]:
                    break
            assert len({row["id"] for row in rows}) == len(rows) == 7
            values = [row[key] for row in rows]
            assert (None in values) == (key in MAY_BE_ABSENT)
            in_order = sorted(values, key=lambda value: (value is not None, value), reverse=direction == "DESC")
            assert values == in_order, (field, direction)


async def test_coupons_that_expire_in_a_window_come_by_when_they_expire(ask: Ask, world: World) -> None:
    ada = await world.customer()
    for number in range(4):
        given = {"expiresAt": NOW + timedelta(days=number)} if number else {}
        await world.coupon(
            ada, type=f"kind {number % 2}", code=str(number), addedAt=NOW - timedelta(days=number), **given
        )
    query = """query($id: ID!, $filter: CouponFilter, $orderBy: CouponOrder) { node(id: $id) { ... on Customer {
      coupons(filter: $filter, orderBy: $orderBy) { totalCount nodes { code } } } } }"""
    window = {"expiresAt": {"from": NOW.isoformat()}}
    asked: list[tuple[dict[str, Any], str]] = [
        ({"filter": window}, "321"),
        ({"filter": window, "orderBy": {"direction": "ASC"}}, "123"),
        ({"filter": window, "orderBy": {"field": "ADDED_AT"}}, "123"),
        ({"filter": {"expiresAt": {}}}, "0123"),
        ({"filter": {**window, "types": ["kind 1"]}}, "31"),
        ({"filter": {"addedAt": {"to": NOW.isoformat()}}}, "123"),
    ]
    for given, codes in asked:
        found = (await ask(query, id=ada["_id"], **given))["data"]["node"]["coupons"]
        assert ("".join(each["code"] for each in found["nodes"]), found["totalCount"]) == (codes, len(codes)), given


async def test_passes_are_filtered_by_wallet(ask: Ask, world: World) -> None:
    ada = await world.customer()
    await world.pass_(ada, type="APPLE", serialNumber="1")
    await world.pass_(ada, type="GOOGLE", serialNumber="2")
    query = """query($id: ID!, $passes: PassFilter) { node(id: $id) { ... on Customer {
      passes(filter: $passes) { totalCount nodes { serialNumber } } } } }"""
    found = await ask(query, id=ada["_id"], passes={"types": ["GOOGLE"]})
    assert found["data"]["node"]["passes"] == {"totalCount": 1, "nodes": [{"serialNumber": "2"}]}


async def test_attributes_come_as_what_they_are_beside_their_text(ask: Ask, world: World) -> None:
    ada = await world.customer()
    raw = {
        "orderTotal": {"amount": Decimal("12.50"), "currency": "EUR"},
        "whole": 12,
        "exact": Decimal("0.10"),
        "yes": True,
        "moment": NOW,
        "words": "12",
    }
    await world.activity(ada, attributes=raw)
    query = """query($id: ID!) { node(id: $id) { ... on Customer { activities { nodes { attributes {
      name value money { amount currency } number boolean time } } } } } }"""
    (activity,) = (await ask(query, id=ada["_id"]))["data"]["node"]["activities"]["nodes"]
    found = {each.pop("name"): each for each in activity["attributes"]}
    nothing = {"money": None, "number": None, "boolean": None, "time": None}
    assert found["orderTotal"] == {**nothing, "value": "12.50 EUR", "money": {"amount": "12.50", "currency": "EUR"}}
    assert found["whole"] == {**nothing, "value": "12", "number": 12}
    assert found["exact"] == {**nothing, "value": "0.10", "number": 0.1}
    assert found["yes"] == {**nothing, "value": "true", "boolean": True}
    assert found["moment"]["time"] == found["moment"]["value"]
    assert found["words"] == {**nothing, "value": "12"}
