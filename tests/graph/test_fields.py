"""What each field shows: read from full documents, so that no field is silently null."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_introspection_query

from app import sdl
from app.catalogue import CATALOGUE
from app.catalogue.model import AttributeKind
from app.domain import points
from app.domain.attributes import to_text
from app.domain.mail_html import MOST_TAGS, harmless
from app.store.driver import Document, Store, UpdateOne
from tests.support.gateway import Ask
from tests.support.schema_walk import Place, below, schema
from tests.support.world import AGENT, LATER, NOW, SYSTEM, World, ago

ALWAYS_NULL: set[str] = set()
"""Fields that no document has a value for."""


async def node(ask: Ask, document: Document, selection: str) -> Any:
    answer = await ask(f"query($id: ID!) {{ node(id: $id) {{ {selection} }} }}", id=document["_id"])
    assert "errors" not in answer, answer
    return answer["data"]["node"]


async def test_no_field_of_a_full_customer_is_null(ask: Ask, world: World) -> None:
    ada = await world.everything()
    by_type: dict[str, list[Place]] = {}
    for place in below("Customer").values():
        by_type.setdefault(place.on, []).append(place)
    null: set[str] = set()
    for places in by_type.values():
        selection = " ".join(place.asked("__typename") for place in places)
        above = places[0].above
        while above:
            selection, above = above.asked(selection), above.above
        source = await node(ask, ada, f"... on Customer {{ {selection} }}")
        null |= {place.coordinate for place in places if not place.values(source)}
    assert null == ALWAYS_NULL


def test_every_element_of_the_schema_is_described() -> None:
    assert sdl.undescribed() == []


# ---------------------------------------------------------------- documents, value by value


def test_what_is_called_id_identifies_an_object_to_every_clients_cache() -> None:
    """Relay keeps objects by their id alone, Apollo by type and id."""
    # cus_….points, viewer.…, report.… and att_…: as unique as the customer, the subject, the filter and the upload
    not_nodes = {"PointsBalance", "Viewer", "CustomerServiceReport", "NoteAttachment", "DueDiligence"}
    for name, type_ in schema().type_map.items():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and "id" in type_.fields:
            assert str(type_.fields["id"].type) == "ID!", name
            is_node = name == "Node" or "Node" in {each.name for each in type_.interfaces}
            assert is_node != (name in not_nodes), name


async def test_introspection_lists_nothing_that_the_published_specification_does_not_have(ask: Ask) -> None:
    """Clients that were released before a draft cannot read a schema that has its words."""
    query = """{
      __schema { directives { name locations args { name } } types { kind } }
      directive: __type(name: "__Directive") { fields { name } }
      locations: __type(name: "__DirectiveLocation") { enumValues { name } }
      type: __type(name: "__Type") { fields { name } }
      field: __type(name: "__Field") { fields { name } }
      value: __type(name: "__InputValue") { fields { name } }
      enumValue: __type(name: "__EnumValue") { fields { name } }
      kind: __type(name: "__TypeKind") { enumValues { name } }
    }"""
    data = (await ask(query))["data"]
    assert "DIRECTIVE_DEFINITION" not in json.dumps(await ask(get_introspection_query()))
    locations = (
        "QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT VARIABLE_DEFINITION "
        "SCHEMA SCALAR OBJECT FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE UNION ENUM ENUM_VALUE INPUT_OBJECT "
        "INPUT_FIELD_DEFINITION"
    )
    assert {each["name"]: " ".join(each["locations"]) for each in data["__schema"]["directives"]} == {
        "include": "FIELD FRAGMENT_SPREAD INLINE_FRAGMENT",
        "skip": "FIELD FRAGMENT_SPREAD INLINE_FRAGMENT",
        "deprecated": "FIELD_DEFINITION ARGUMENT_DEFINITION INPUT_FIELD_DEFINITION ENUM_VALUE",
        "specifiedBy": "SCALAR",
        "oneOf": "INPUT_OBJECT",
    }
    shown = {
        name: " ".join(each["name"] for each in type_.get("fields") or type_["enumValues"])
        for name, type_ in data.items()
        if name != "__schema"
    }
    assert shown == {
        "directive": "name description isRepeatable locations args",
        "locations": locations,
        "type": "kind name description specifiedByURL fields interfaces possibleTypes enumValues inputFields ofType "
        "isOneOf",
        "field": "name description args type isDeprecated deprecationReason",
        "value": "name description type defaultValue isDeprecated deprecationReason",
        "enumValue": "name description isDeprecated deprecationReason",
        "kind": "SCALAR OBJECT INTERFACE UNION ENUM INPUT_OBJECT LIST NON_NULL",
    }


async def test_a_customer_shows_what_is_stored(ask: Ask, world: World) -> None:
    ada = await world.everything()
    selection = """... on Customer { id number name firstName lastName organization jobTitle dateOfBirth website email
        emails { value label primary } phones { value label primary }
        billingAddress { line1 line2 city region postalCode country } country
        identities { source externalId } registeredAt paymentCount tags status mergedInto { id } hasStatusDetails }"""
    shown = await node(ask, ada, selection)
    stored = {key: ada[key] for key in shown if key in ada}
    assert shown == stored | {
        "id": ada["_id"],
        "country": "GB",
        "registeredAt": "2025-01-31T12:00:00.000Z",
        "mergedInto": {"id": ada["mergedIntoId"]},
        "identities": [{"source": each["source"], "externalId": each["id"]} for each in ada["identities"]],
    }


async def test_a_lead_who_has_next_to_nothing_shows_lists_that_are_empty(ask: Ask, world: World) -> None:
    ada = await world.customer(paymentCount=0)
    lists = "emails { value } phones { value } identities { externalId } tags"
    selection = f"firstName email {lists} country hasStatusDetails"
    assert await node(ask, ada, f"... on Customer {{ {selection} points {{ spendable }} mergedInto {{ id }} }}") == {
        "firstName": None,
        "email": None,
        "emails": [],
        "phones": [],
        "country": None,
        "identities": [],
        "tags": [],
        "hasStatusDetails": False,
        "points": {"spendable": 0},
        "mergedInto": None,
    }


async def test_the_registered_address_is_among_all_addresses_where_no_others_are_known(ask: Ask, world: World) -> None:
    ada = await world.customer(email="ada@example.com")
    shown = await node(ask, ada, "... on Customer { emails { value label primary } }")
    assert shown == {"emails": [{"value": "ada@example.com", "label": None, "primary": True}]}


async def test_an_activity_shows_what_is_stored_and_what_the_catalogue_adds(ask: Ask, world: World) -> None:
    ada = await world.customer()
    activity = await world.activity(
        ada,
        "BILLING_DATE_CHANGED",
        actor=AGENT,
        occurredAt=ago(days=1, milliseconds=-7),
        message="Asked on the phone.",
        points=-5,
        attributes={"zebra": True, "billDayTo": 15, "billDayFrom": 1},
    )
    selection = """... on Activity { id type title group icon source occurredAt recordedAt
        actor { kind userId name accessLevel } message isNote legacy points attributes { name label kind value values }
        from: attribute(name: "billDayFrom") none: attribute(name: "months")
        email { id } note { id } subject { id } availableActions customer { number } }"""
    assert await node(ask, activity, selection) == {
        "id": activity["_id"],
        "type": "BILLING_DATE_CHANGED",
        "title": CATALOGUE["BILLING_DATE_CHANGED"].title,
        "group": "BILLING",
        "icon": "billing-date-changed",
        "source": "esuite",
        "occurredAt": "2026-01-30T12:00:00.007Z",
        "recordedAt": "2026-01-31T12:00:00.000Z",
        "actor": {name: value for name, value in AGENT.items() if name != "id"} | {"userId": AGENT["id"]},
        "message": "Asked on the phone.",
        "isNote": False,
        "legacy": False,
        "points": -5,
        "attributes": [
            {"name": "billDayFrom", "label": "Bill day from", "kind": "INTEGER", "value": "1", "values": None},
            {"name": "billDayTo", "label": "Bill day to", "kind": "INTEGER", "value": "15", "values": None},
            {"name": "zebra", "label": "Zebra", "kind": "BOOLEAN", "value": "true", "values": None},
        ],
        "from": "1",
        "none": None,
        "email": None,
        "note": None,
        "subject": None,
        "availableActions": [],
        "customer": {"number": ada["number"]},
    }


RAW: Mapping[AttributeKind, Any] = {
    AttributeKind.TEXT: "as it is",
    AttributeKind.INTEGER: 12,
    AttributeKind.DECIMAL: Decimal("1E+3"),
    AttributeKind.MONEY: {"amount": Decimal("12.50"), "currency": "EUR"},
    AttributeKind.BOOLEAN: False,
    AttributeKind.DATE: "2026-01-31",
    AttributeKind.DATETIME: NOW,
    AttributeKind.LIST: ["street", "city"],
}


def test_each_kind_has_a_canonical_text() -> None:
    assert {kind.value: to_text(raw) for kind, raw in RAW.items()} == {
        "TEXT": "as it is",
        "INTEGER": "12",
        "DECIMAL": "1000",
        "MONEY": "12.50 EUR",
        "BOOLEAN": "false",
        "DATE": "2026-01-31",
        "DATETIME": "2026-01-31T12:00:00.000Z",
        "LIST": "street, city",
    }


async def test_every_type_is_shown_as_the_catalogue_has_it(ask: Ask, world: World) -> None:
    ada = await world.customer()
    rows = list(CATALOGUE.values())
    stored = await world.many(
        "activities",
        ada,
        *({"type": row.code, "attributes": {each.name: RAW[each.kind] for each in row.attributes}} for row in rows),
    )
    selection = "type title icon group isNote legacy attributes { name label kind value values }"
    query = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Activity {{ {selection} }} }} }}"
    shown: list[Any] = []
    for start in range(0, len(stored), 100):
        answer = await ask(query, ids=[activity["_id"] for activity in stored[start : start + 100]])
        assert "errors" not in answer
        shown += answer["data"]["nodes"]
    assert shown == [
        {
            "type": row.code,
            "title": row.title,
            "icon": row.icon,
            "group": row.group,
            "isNote": row.is_note,
            "legacy": False,
            "attributes": [
                {
                    "name": each.name,
                    "label": each.label,
                    "kind": each.kind,
                    "value": to_text(RAW[each.kind]),
                    "values": RAW[each.kind] if each.kind == AttributeKind.LIST else None,
                }
                for each in row.attributes
            ],
        }
        for row in rows
    ]


async def test_a_legacy_entry_is_shown_with_what_it_has(ask: Ask, world: World) -> None:
    ada = await world.customer()
    bare = await world.activity(ada, "OLD_CRM_EVENT", occurredAt=ago(days=1))
    titled = await world.activity(
        ada,
        "x17",
        title="Moved by hand",
        attributes={"oldStreet": "Main St", "at": NOW, "fee": RAW[AttributeKind.MONEY], "tags": ["a", "b"]},
    )
    selection = "id type title icon group legacy attributes { name label kind value }"
    shown = await node(
        ask, ada, f"... on Customer {{ activities(filter: {{legacy: true}}) {{ nodes {{ {selection} }} }} }}"
    )
    legacy = {"icon": "legacy", "group": "OTHER", "legacy": True}
    assert shown["activities"]["nodes"] == [
        {
            **legacy,
            "id": titled["_id"],
            "type": "x17",
            "title": "Moved by hand",
            "attributes": [
                {"name": "oldStreet", "label": "Old street", "kind": "TEXT", "value": "Main St"},
                {"name": "at", "label": "At", "kind": "DATETIME", "value": "2026-01-31T12:00:00.000Z"},
                {"name": "fee", "label": "Fee", "kind": "MONEY", "value": "12.50 EUR"},
                {"name": "tags", "label": "Tags", "kind": "LIST", "value": "a, b"},
            ],
        },
        {**legacy, "id": bare["_id"], "type": "OLD_CRM_EVENT", "title": "Old crm event", "attributes": []},
    ]
    own = await node(
        ask, titled, '... on Activity { street: attribute(name: "oldStreet") none: attribute(name: "nil") }'
    )
    assert own == {"street": "Main St", "none": None}


# ---------------------------------------------------------------- what an activity leads to


async def test_the_subject_may_be_of_any_kind_and_so_may_a_links_target(ask: Ask, world: World, store: Store) -> None:
    ada = await world.customer()
    (entry,) = await world.ledger(ada, points.earn(points.empty(), 5, now=NOW))
    about = [
        await world.coupon(ada),
        await world.pass_(ada),
        await world.transaction(ada),
        entry,
        await world.email(ada),
        await world.note(ada),
    ]
    subjects = await world.many("activities", ada, *({"subjectId": each["_id"]} for each in about))
    answer = await ask(
        "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Activity { subject { __typename id } } } }",
        ids=[activity["_id"] for activity in subjects],
    )
    kinds = ["Coupon", "Pass", "Transaction", "PointsEntry", "Email", "Note"]
    named = [{"__typename": kind, "id": each["_id"]} for kind, each in zip(kinds, about, strict=True)]
    assert answer == {"data": {"nodes": [{"subject": each} for each in named]}}

    status = await world.status(ada)
    delivery = await world.delivery(about[4])
    linked = [*about, ada, subjects[0], status, delivery]
    note = await world.note(ada, linkIds=[*(each["_id"] for each in linked), "cpn_gone"])
    kinds += ["Customer", "Activity", "StatusChange", "EmailDelivery"]
    shown = await node(ask, note, "... on Note { message author { name } createdAt mentions links { __typename id } }")
    assert shown == {
        "message": "Called back.",
        "author": {"name": "Grace Hopper"},
        "createdAt": "2026-01-31T12:00:00.000Z",
        "mentions": [],
        "links": [
            *({"__typename": kind, "id": each["_id"]} for kind, each in zip(kinds, linked, strict=True)),
            None,
        ],
    }


ACTIONS: Sequence[tuple[Document, list[str]]] = [
    ({}, []),
    ({"emailId": "email"}, ["RESEND_EMAIL"]),
    ({"subjectId": "unused"}, ["REDEEM_COUPON"]),
    ({"subjectId": "used"}, []),
    ({"subjectId": "pass"}, ["EMAIL_PASS", "PUSH_PASS"]),
    ({"subjectId": "bare pass"}, ["PUSH_PASS"]),
    ({"subjectId": "sale"}, []),
    ({"subjectId": "email"}, []),
    ({"emailId": "email", "subjectId": "unused"}, ["RESEND_EMAIL", "REDEEM_COUPON"]),
]


@pytest.mark.parametrize("status", ["ACTIVE", "BLOCKED", "DEACTIVATED", "ANONYMISED", "MERGED"])
async def test_a_tile_offers_what_can_be_done_and_nothing_on_a_closed_account(
    ask: Ask, world: World, status: str
) -> None:
    ada = await world.customer(status=status, email="ada@example.com")
    things = {
        "email": await world.email(ada),
        "unused": await world.coupon(ada),
        "used": await world.coupon(ada, redeemed=True),
        "pass": await world.pass_(ada, downloadUrl="https://wallet.example.com/1"),
        "bare pass": await world.pass_(ada),
        "sale": await world.transaction(ada),
    }
    leading = [{key: things[name]["_id"] for key, name in given.items()} for given, _ in ACTIONS]
    activities = await world.many("activities", ada, *leading)
    answer = await ask(
        "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Activity { availableActions } } }",
        ids=[activity["_id"] for activity in activities],
    )
    closed = status in ("ANONYMISED", "MERGED")
    offered = [[] if closed else actions for _, actions in ACTIONS]
    assert answer == {"data": {"nodes": [{"availableActions": actions} for actions in offered]}}


async def test_a_mail_shows_its_bodies_and_its_deliveries_newest_first(ask: Ask, world: World) -> None:
    ada = await world.customer()
    email = await world.email(ada, html="<p onclick=run()>Hello</p>", text="Hello", sentAt=ago(days=2))
    await world.delivery(email, status="FAILED", attempts=3, requestedAt=ago(days=1), error="Mailbox full")
    await world.delivery(email, requestedAt=NOW, deliveredAt=NOW)
    await world.delivery(await world.email(ada))
    shown = await node(
        ask,
        email,
        """... on Email { subject to html text sentAt first: deliveries(first: 1) { status }
        deliveries { to status attempts requestedAt deliveredAt error } }""",
    )
    assert shown == {
        "subject": "Your receipt",
        "to": "a@example.com",
        "html": harmless("<p>Hello</p>"),
        "text": "Hello",
        "sentAt": "2026-01-29T12:00:00.000Z",
        "first": [{"status": "SENT"}],
        "deliveries": [
            {
                "to": "a@example.com",
                "status": "SENT",
                "attempts": 1,
                "requestedAt": "2026-01-31T12:00:00.000Z",
                "deliveredAt": "2026-01-31T12:00:00.000Z",
                "error": None,
            },
            {
                "to": "a@example.com",
                "status": "FAILED",
                "attempts": 3,
                "requestedAt": "2026-01-30T12:00:00.000Z",
                "deliveredAt": None,
                "error": "Mailbox full",
            },
        ],
    }


# ---------------------------------------------------------------- facets


async def test_a_mail_that_takes_long_to_make_harmless_holds_nobody_up(ask: Ask, world: World) -> None:
    ada = await world.customer()
    intricate = await world.email(ada, html="<div>" * MOST_TAGS)
    asked = asyncio.create_task(node(ask, intricate, "... on Email { html }"))
    answers = 0
    while not asked.done():
        answers += bool(await node(ask, ada, "id"))
    assert answers > 5
    assert (await asked)["html"] == harmless("<div>" * MOST_TAGS)


async def test_facets_count_the_types_that_are_there_most_frequent_first(ask: Ask, world: World) -> None:
    ada, eve = await world.customer(), await world.customer()
    there = ["NOTE_ADDED", "OLD_CRM_EVENT", "PURCHASE", "PURCHASE", "AGENT_NOTE", "OLD_CRM_EVENT", "PURCHASE"]
    await world.many("activities", ada, *({"type": type_} for type_ in there))
    await world.activity(eve, "REFUND")
    shown = await node(
        ask, ada, "... on Customer { activityFacets { type title icon group count } activityGroups { group count } }"
    )
    rows = {type_: CATALOGUE[type_] for type_ in ("PURCHASE", "AGENT_NOTE", "NOTE_ADDED")}
    assert shown == {
        "activityFacets": [
            {"type": type_, "title": row.title, "icon": row.icon, "group": row.group, "count": there.count(type_)}
            for type_, row in rows.items()
        ],
        "activityGroups": [{"group": "NOTE", "count": 2}, {"group": "TRANSACTION", "count": 3}],
    }


# ---------------------------------------------------------------- points


async def test_the_balance_is_what_it_is_worth_now(ask: Ask, world: World) -> None:
    """Points past their expiry count as expired, before any entry says so."""
    ada = await world.customer()
    then = ago(days=2_500)
    first = points.earn(points.empty(), 100, now=then, expires_at=ago(days=2_000))
    second = points.earn(first.state, 50, now=then, expires_at=LATER)
    third = points.earn(second.state, 7, now=then)
    fourth = points.spend(third.state, 30, now=then)
    fifth = points.reserve(fourth.state, 20, now=then)
    await world.ledger(ada, first, second, third, fourth, points.pend(fifth.state, 9, now=then))
    selection = """... on Customer { points { id earned spent expired reserved pending spendable
        nextExpiry { points expiresAt } expiries { points expiresAt } none: expiries(first: 0) { points } } }"""
    shown = (await node(ask, ada, selection))["points"]
    buckets = [{"points": 50, "expiresAt": "2999-01-01T00:00:00.000Z"}]
    assert shown["earned"] - shown["spent"] - shown["expired"] - shown["reserved"] == shown["spendable"]
    assert shown == {
        "id": f"{ada['_id']}.points",
        "earned": 157,
        "spent": 30,
        "expired": 50,
        "reserved": 20,
        "pending": 9,
        "spendable": 57,
        "nextExpiry": buckets[0],
        "expiries": buckets,
        "none": [],
    }


async def test_reserved_points_are_none_that_expire_next(ask: Ask, world: World) -> None:
    ada = await world.customer()
    soon = points.earn(points.empty(), 100, now=NOW, expires_at=LATER)
    later = points.earn(soon.state, 40, now=NOW, expires_at=LATER + timedelta(days=1))
    await world.ledger(ada, soon, later, points.reserve(later.state, 110, now=NOW))
    balance = (await node(ask, ada, "... on Customer { points { spendable expiries { points expiresAt } } }"))["points"]
    assert balance == {"spendable": 30, "expiries": [{"points": 30, "expiresAt": "2999-01-02T00:00:00.000Z"}]}


async def test_an_entry_of_the_history_shows_what_is_stored(ask: Ask, world: World) -> None:
    ada = await world.customer()
    sale = await world.transaction(ada)
    earned = points.earn(points.empty(), 70, now=NOW, expires_at=LATER)
    reserved = points.reserve(earned.state, 20, now=NOW)
    await world.ledger(ada, earned, reserved, reason="Welcome", transactionId=sale["_id"], recordedAt=ago(days=-1))
    selection = """seq kind points balanceAfter reason occurredAt recordedAt expiresAt actor { name } source
        transaction { id }"""
    shown = await node(ask, ada, f"... on Customer {{ pointsHistory {{ totalCount nodes {{ {selection} }} }} }}")
    entry = {
        "seq": 1,
        "kind": "EARNED",
        "points": 70,
        "balanceAfter": 70,
        "reason": "Welcome",
        "occurredAt": "2026-01-31T12:00:00.000Z",
        "recordedAt": "2026-02-01T12:00:00.000Z",
        "expiresAt": "2999-01-01T00:00:00.000Z",
        "actor": {"name": "Grace Hopper"},
        "source": "platform",
        "transaction": {"id": sale["_id"]},
    }
    assert shown["pointsHistory"] == {"totalCount": 1, "nodes": [entry]}  # a reservation is no part of it


async def test_the_audit_finds_a_figure_that_no_entry_explains(ask: Ask, world: World, store: Store) -> None:
    ada, eve = await world.customer(), await world.customer()
    for customer in (ada, eve):
        earned = points.earn(points.empty(), 70, now=NOW)
        await world.ledger(customer, earned, points.spend(earned.state, 20, now=NOW))
    await store.write("customers", [UpdateOne({"_id": eve["_id"]}, {"$inc": {"points.earned": 5}})])
    answer = await ask(
        "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { points { audit { ok entries drift } } } } }",
        ids=[ada["_id"], eve["_id"]],
    )
    audits = [{"ok": True, "entries": 2, "drift": 0}, {"ok": False, "entries": 2, "drift": 5}]
    assert answer == {"data": {"nodes": [{"points": {"audit": audit}} for audit in audits]}}


# ---------------------------------------------------------------- the rest


async def test_a_refund_leads_to_its_sale_and_a_sale_to_its_refunds_newest_first(ask: Ask, world: World) -> None:
    ada = await world.customer()
    money = {"amount": Decimal("1E+3"), "currency": "EUR"}
    sale = await world.transaction(ada, occurredAt=ago(days=9), amount=money, pointsAwarded=10, status="REFUNDED")
    older = await world.transaction(ada, type="REFUND", occurredAt=ago(days=2), refundOfId=sale["_id"])
    newer = await world.transaction(ada, type="VOID", occurredAt=ago(days=1), refundOfId=sale["_id"])
    await world.transaction(ada)
    selection = """... on Transaction { number type occurredAt amount { amount currency } pointsAwarded status
        refundOf { id } refunds { id } newest: refunds(first: 1) { id } }"""
    assert await node(ask, sale, selection) == {
        "number": "T-1",
        "type": "SALE",
        "occurredAt": "2026-01-22T12:00:00.000Z",
        "amount": {"amount": "1000", "currency": "EUR"},
        "pointsAwarded": 10,
        "status": "REFUNDED",
        "refundOf": None,
        "refunds": [{"id": newer["_id"]}, {"id": older["_id"]}],
        "newest": [{"id": newer["_id"]}],
    }
    shown = await node(ask, older, "... on Transaction { amount { amount } refundOf { id } refunds { id } }")
    assert shown == {"amount": None, "refundOf": {"id": sale["_id"]}, "refunds": []}


async def test_coupons_passes_and_status_changes_show_what_is_stored(ask: Ask, world: World) -> None:
    ada = await world.customer()
    await world.coupon(ada, expiresAt=NOW, redeemed=True, redeemedAt=NOW, redeemedBy=AGENT, origin="REWARD")
    await world.pass_(ada, reward="Coffee", type="GOOGLE", updatedAt=ago(days=-1))
    await world.status(ada, **{"from": "ACTIVE"}, reason="Asked for it.", actor=SYSTEM)
    selection = """... on Customer {
        coupons { nodes { code type value addedAt expiresAt origin redeemed redeemedAt redeemedBy { name kind } } }
        passes { nodes { serialNumber type reward createdAt updatedAt } }
        statusHistory { nodes { from to reason actor { kind userId name accessLevel } changedAt } } }"""
    now = "2026-01-31T12:00:00.000Z"
    coupon = {
        "code": "SAVE10",
        "type": "discount",
        "value": "10 %",
        "addedAt": now,
        "expiresAt": now,
        "origin": "REWARD",
        "redeemed": True,
        "redeemedAt": now,
        "redeemedBy": {"name": "Grace Hopper", "kind": "AGENT"},
    }
    a_pass = {
        "serialNumber": "S-1",
        "type": "GOOGLE",
        "reward": "Coffee",
        "createdAt": now,
        "updatedAt": "2026-02-01T12:00:00.000Z",
    }
    system = {"kind": "SYSTEM", "userId": None, "name": "System", "accessLevel": None}
    change = {"from": "ACTIVE", "to": "BLOCKED", "reason": "Asked for it.", "actor": system, "changedAt": now}
    assert await node(ask, ada, selection) == {
        "coupons": {"nodes": [coupon]},
        "passes": {"nodes": [a_pass]},
        "statusHistory": {"nodes": [change]},
    }


async def test_the_catalogue_is_served_row_by_row(ask: Ask) -> None:
    selection = "code title description group icon source attributes { name label kind required }"
    answer = await ask(f"{{ activityTypes {{ {selection} }} }}")
    assert answer["data"]["activityTypes"] == [
        {
            "code": row.code,
            "title": row.title,
            "description": row.description,
            "group": row.group,
            "icon": row.icon,
            "source": row.source,
            "attributes": [
                {"name": each.name, "label": each.label, "kind": each.kind, "required": each.required}
                for each in row.attributes
            ],
        }
        for row in CATALOGUE.values()
    ]


async def test_the_catalogue_narrows_to_groups_and_a_source(ask: Ask) -> None:
    query = (
        "query($groups: [ActivityGroup!], $source: String) { activityTypes(groups: $groups, source: $source) { code } }"
    )
    for groups, source in ((["NOTE"], None), (None, "loyalty"), (["NOTE", "PASS"], "platform"), ([], None)):
        rows = [
            {"code": row.code}
            for row in CATALOGUE.values()
            if (groups is None or row.group in groups) and source in (None, row.source)
        ]
        assert await ask(query, groups=groups, source=source) == {"data": {"activityTypes": rows}}
