"""What nobody should ask, and what nobody should have stored: each costs its own place, and says no more."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from app.domain.cursors import CIPHER, encode
from app.domain.listings import ACTIVITIES
from app.domain.paging import In, Selection
from app.execution import Execution
from app.schema.enums import ActivityOrderField
from app.store import indexes
from app.store.driver import Document, ReplaceOne, Store
from app.store.schema import COLLECTIONS
from tests.support.commands import Commands
from tests.support.gateway import Ask
from tests.support.schema_walk import TYPE_OF, Place, below
from tests.support.tokens import token
from tests.support.world import AGENT, NOW, World, ago, spoil

INTERNALS = ("mongo", "bson", "traceback", "exception", ".py", "customerid", "strawberry", "graphql-core", "$")
"""Words that have no place in what a client reads."""


def refused(answer: Document) -> tuple[str, list[str | int]]:
    """The code and the path of the only error; its text is fit for a client."""
    (error,) = answer["errors"]
    assert not [word for word in INTERNALS if word in error["message"].lower()], error["message"]
    return error["extensions"]["code"], error["path"]


async def asked_of(ask: Ask, customer: Document, selection: str, **variables: Any) -> Document:
    declared = "".join(f", ${name}: {type_}" for name, (type_, _) in variables.items())
    given = {name: value for name, (_, value) in variables.items()}
    query = f"query($customer: ID!{declared}) {{ customer(by: {{id: $customer}}) {{ number {selection} }} }}"
    return await ask(query, customer=customer["_id"], **given)


# ---------------------------------------------------------------- arguments

REFUSED_IN_THE_FIELD = {
    'activities(filter: {types: ["SUBSCRIPTION_RENEWD"]})': 'Did you mean "SUBSCRIPTION_RENEWED"?',
    'activities(filter: {types: ["subscription renewed"]})': 'Did you mean "SUBSCRIPTION_RENEWED"?',
    'activities(filter: {types: ["QQQ"]})': 'There is no activity type "QQQ".',
    'activities(filter: {occurredAt: {from: "2026-01-02T00:00:00Z", to: "2026-01-01T00:00:00Z"}})': "earlier than to",
    'activities(filter: {occurredAt: {from: "2026-01-01T01:00:00+01:00", to: "2026-01-01T00:00:00Z"}})': "earlier",
    'activities(filter: {legacy: true, occurredAt: {from: "2026-01-01T00:00:00Z"}})': "leave out occurredAt",
    'activities(filter: {legacy: true, occurredAt: {to: "2026-01-01T00:00:00Z"}})': "leave out occurredAt",
    "activities(filter: {legacy: true, types: []})": "leave out types",
    "activities(filter: {legacy: true, groups: [NOTE]})": "leave out groups",
    "activities(filter: {legacy: true}, orderBy: {field: TYPE})": "cannot be sorted by type",
    'activities(at: "9999-12-31T23:59:59.999Z")': "between the first and the last millisecond",
    'activities(at: "0001-01-01T00:00:00Z", orderBy: {direction: ASC})': "between the first and the last millisecond",
    "activities(first: 101)": "between 0 and 100; it is 101",
    "activities(first: -1)": "between 0 and 100; it is -1",
    "activities(last: 101)": "between 0 and 100; it is 101",
    "activities(first: 5, last: 5)": "not both ways",
    'activities(first: 5, before: "x")': "not both ways",
    'activities(last: 5, after: "x")': "not both ways",
    "passes(first: 101)": "between 0 and 100; it is 101",
    "statusHistory(first: 1, last: 1)": "not both ways",
    'transactions(filter: {occurredAt: {from: "2026-01-01T00:00:00Z", to: "2026-01-01T00:00:00Z"}})': "must be earlier",
    "pointsHistory(filter: {kinds: [EARNED, RESERVED, PENDING]})": "holds no PENDING and no RESERVED",
}


@pytest.mark.parametrize(("field", "says"), REFUSED_IN_THE_FIELD.items())
async def test_arguments_that_cannot_be_cost_their_field_and_nothing_else(
    ask: Ask, world: World, field: str, says: str
) -> None:
    ada = await world.customer()
    answer = await asked_of(ask, ada, f"asked: {field} {{ totalCount }} coupons {{ totalCount }}")
    assert refused(answer) == ("BAD_USER_INPUT", ["customer", "asked"])
    assert says in answer["errors"][0]["message"]
    assert answer["data"]["customer"] == {"number": ada["number"], "asked": None, "coupons": {"totalCount": 0}}


def looked_through() -> list[str]:
    """The fields of a customer that take the timeline's filter."""
    fields = below("Customer").values()
    return [each.name for each in fields if each.arguments.get("filter") == "ActivityFilter"]


@pytest.mark.parametrize("execution", [Execution(), Execution("graphql-core")], ids=["plans", "graphql-core"])
async def test_a_filter_that_nothing_can_serve_costs_its_fields_and_no_other_of_any_customer(
    execution: Execution, ask: Ask, world: World
) -> None:
    customers = [await world.everything() for _ in range(2)]
    refused = " ".join(f"{name}(filter: $filter) {{ __typename }}" for name in looked_through())
    whole = " ".join(f"whole_{name}: {name} {{ __typename }}" for name in looked_through())
    query = f"""query($ids: [ID!]!, $filter: ActivityFilter) {{
      nodes(ids: $ids) {{ ... on Customer {{ number {refused} {whole} legacy: activities(filter: {{legacy: true}}) {{
        totalCount }} }} }} }}"""
    ids = [customer["_id"] for customer in customers]
    given = {"legacy": True, "occurredAt": {"from": NOW.isoformat()}}
    answer = await ask(query, ids=ids, filter=given)
    places = {tuple(error["path"]) for error in answer["errors"]}
    assert places == {("nodes", place, name) for place in (0, 1) for name in looked_through()}
    assert {(each["extensions"]["code"], *each["extensions"]["field"]) for each in answer["errors"]} == {
        ("BAD_USER_INPUT", "occurredAt")
    }
    for customer, shown in zip(customers, answer["data"]["nodes"], strict=True):
        assert (shown["number"], shown["legacy"]) == (customer["number"], {"totalCount": 2})
        assert {name for name, value in shown.items() if not value} == {*looked_through()}


REFUSED_AT_ONCE = {
    "activities(filter: {groups: [SUBSCRIPTIONS]})": "SUBSCRIPTION'",
    'activities(filter: {occurredAt: {from: "2026-01-01T00:00:00"}})': "a time with its offset",
    'activities(filter: {occurredAt: {from: "2026-01-01"}})': "a time with its offset",
    "activities(filter: {occurredAt: {from: 20260101}})": "a time with its offset",
    "activities(first: 3000000000)": "32-bit",
    "pointsHistory(filter: {kinds: [EARND]})": "EARNED'",
}


@pytest.mark.parametrize(("field", "says"), REFUSED_AT_ONCE.items())
async def test_literals_that_no_type_allows_are_refused_with_their_place(
    ask: Ask, world: World, field: str, says: str
) -> None:
    answer = await asked_of(ask, await world.customer(), f"asked: {field} {{ totalCount }}")
    assert refused(answer) == ("BAD_USER_INPUT", ["customer", "asked"])
    assert says in answer["errors"][0]["message"]
    assert "data" not in answer


@pytest.mark.parametrize(
    ("argument", "type_", "value", "says"),
    [
        ("filter: {occurredAt: {from: $it}}", "DateTime", "2026-01-01T00:00:00", "a time with its offset"),
        ("filter: $it", "ActivityFilter", {"occurredAt": {"to": "2026-01-01"}}, "a time with its offset"),
        ("filter: $it", "ActivityFilter", {"groups": ["NOTES"]}, "NOTE'"),
        ("filter: $it", "ActivityFilter", {"occurredAt": {"form": None}}, "'from'"),
        ("filter: $it", "ActivityFilter", {"sources": [{"$gt": ""}]}, "String cannot represent"),
        ("first: $it", "Int", "5", "Int cannot represent"),
    ],
)
async def test_variables_that_no_type_allows_are_refused_with_the_place_of_their_use(
    ask: Ask, world: World, argument: str, type_: str, value: Any, says: str
) -> None:
    answer = await asked_of(
        ask, await world.customer(), f"asked: activities({argument}) {{ totalCount }}", it=(type_, value)
    )
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", ["customer", "asked"])
    assert says in error["message"]


async def test_an_unknown_attribute_name_suggests_the_nearest_and_costs_only_itself(ask: Ask, world: World) -> None:
    ada = await world.everything()
    answer = await asked_of(ask, ada, 'activities { nodes { id attribute(name: "changedField") } }')
    assert refused(answer) == ("BAD_USER_INPUT", ["customer", "activities", "nodes", 0, "attribute"])
    assert 'Did you mean "changedFields"?' in answer["errors"][0]["message"]
    assert answer["data"]["customer"]["activities"]["nodes"][0]["id"].startswith("act_")


async def test_short_lists_have_the_same_limits(ask: Ask, world: World) -> None:
    ada = await world.everything()
    for first in (101, -1):
        answer = await asked_of(ask, ada, f"points {{ spendable expiries(first: {first}) {{ points }} }}")
        assert refused(answer) == ("BAD_USER_INPUT", ["customer", "points", "expiries"])
        assert answer["data"]["customer"]["points"] == {"spendable": 70, "expiries": None}
        mail = f"email {{ deliveries(first: {first}) {{ id }} }}"
        answer = await asked_of(ask, ada, f"activities {{ nodes {{ {mail} }} }}")
        assert refused(answer)[0] == "BAD_USER_INPUT"


async def test_more_sources_than_can_be_read_in_order_are_refused(ask: Ask, world: World) -> None:
    sources = ["esuite"] * 101
    selection = "activities(filter: {sources: $sources}) { totalCount }"
    answer = await asked_of(ask, await world.customer(), selection, sources=("[String!]", sources))
    assert refused(answer) == ("BAD_USER_INPUT", ["customer", "activities"])
    answer = await asked_of(ask, await world.customer(), selection, sources=("[String!]", sources[:100]))
    assert "errors" not in answer


async def test_an_unknown_source_of_activities_is_refused_as_an_unknown_type_is(ask: Ask, world: World) -> None:
    customer = await world.customer()
    for given in ({"sources": ["foo"]}, {"sources": ["esuite", "ESUITE"]}, {"types": ["FOO"]}):
        answer = await asked_of(ask, customer, "activities(filter: $f) { totalCount }", f=("ActivityFilter", given))
        assert refused(answer) == ("BAD_USER_INPUT", ["customer", "activities"]), given


@pytest.mark.parametrize("way_in", ["customer(by: {id: $id})", "node(id: $id)", "customers"])
async def test_whatever_source_an_activity_was_imported_from_can_be_filtered_by(
    way_in: str, ask: Ask, world: World, commands: Commands
) -> None:
    ada, eve = await world.customer(), await world.customer()
    theirs = [await world.activity(each, "OLD_IMPORT", source="oldcrm") for each in (ada, eve)]
    await world.activity(ada, "SUBSCRIPTION_RENEWED", source="esuite")
    listed = "activities(filter: {legacy: true, sources: $s}) { totalCount nodes { id } }"
    fields = f"... on Customer {{ {listed} }}" if "node" in way_in else listed
    inner = f"nodes {{ {fields} }}" if way_in == "customers" else fields
    given = "" if way_in == "customers" else "$id: ID!, "
    query = f"query({given}$s: [String!]) {{ found: {way_in} {{ {inner} }} }}"
    own = {} if way_in == "customers" else {"id": ada["_id"]}

    answer = await ask(query, s=["oldcrm"], **own)
    assert {error["message"] for error in answer["errors"]} == {'There is no source "oldcrm".'}
    await indexes.refresh_copies(world.store)  # of what an earlier version imported
    for names in (["oldcrm"], ["oldcrm", "billing"]):
        answer = await ask(query, s=names, **own)
        assert "errors" not in answer, answer
        found = answer["data"]["found"]
        pages = [each["activities"] for each in (found["nodes"] if way_in == "customers" else [found])]
        expected = theirs if way_in == "customers" else theirs[:1]
        assert [page["nodes"] for page in pages] == [[{"id": each["_id"]}] for each in expected]
        assert {page["totalCount"] for page in pages} == {1}
    answer = await ask(query, s=["oldcrm", "oldcmr"], **own)
    assert {error["message"] for error in answer["errors"]} == {'There is no source "oldcmr".'}
    commands.clear()
    await ask(query, s=["esuite"], **own)
    assert "sources" not in [body.get("find") for _, body in commands.sent]


# ---------------------------------------------------------------- cursors

Forge = Callable[[list[Any]], Any]

FORGERIES: Mapping[str, Forge] = {
    "an operator for an id": lambda items: [*items[:-1], {"$gt": ""}],
    "an operator for a time": lambda items: [items[0], {"$gt": 0}, *items[2:]],
    "a list for an id": lambda items: [*items[:-1], ["x"]],
    "null for an id": lambda items: [*items[:-1], None],
    "null for a time": lambda items: [items[0], None, *items[2:]],
    "text for a time": lambda items: [items[0], "2026-01-01", *items[2:]],
    "a fraction for a time": lambda items: [items[0], 0.5, *items[2:]],
    "not a number for a time": lambda items: [items[0], float("nan"), *items[2:]],
    "true for a time": lambda items: [items[0], True, *items[2:]],
    "a time beyond the calendar": lambda items: [items[0], 10**18, *items[2:]],
    "a time beyond 64 bits": lambda items: [items[0], 10**40, *items[2:]],
    "half a character for an id": lambda items: [*items[:-1], "act_\ud800"],
    "too few values": lambda items: items[:-1],
    "too many values": lambda items: [*items, 1],
    "no values": lambda items: items[:1],
    "another tag": lambda items: ["AAAAAAAA", *items[1:]],
    "a list for a tag": lambda items: [[], *items[1:]],
    "an object": lambda items: {"tag": items[0]},
    "a number": lambda items: 5,
    "null": lambda items: None,
    "an empty list": lambda items: [],
}


def opened(cursor: str) -> list[Any]:
    """What only this process can read: cursors are encrypted."""
    return json.loads(CIPHER.decrypt(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), None))


def closed(items: Any) -> str:
    return base64.urlsafe_b64encode(CIPHER.encrypt(json.dumps(items).encode(), None)).rstrip(b"=").decode()


async def cursor_of(ask: Ask, customer: Document, field: str = "activities", arguments: str = "first: 1") -> str:
    answer = await asked_of(ask, customer, f"page: {field}({arguments}) {{ pageInfo {{ endCursor }} }}")
    return answer["data"]["customer"]["page"]["pageInfo"]["endCursor"]


async def is_refused(ask: Ask, customer: Document, cursor: str, page: str = "activities(%s)") -> bool:
    """Whether the cursor costs the field that it was given to, with ``after`` and with ``before``."""
    for argument in ("after", "before"):
        selection = f"page: {page % f'{argument}: $cursor'} {{ nodes {{ id }} }}"
        answer = await asked_of(ask, customer, selection, cursor=("String", cursor))
        if refused(answer) != ("BAD_CURSOR", ["customer", "page"]) or answer["data"]["customer"]["page"]:
            return False
    return True


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
async def test_an_altered_cursor_is_refused(ask: Ask, world: World, forge: Forge) -> None:
    ada = await world.customer()
    await world.many("activities", ada, {}, {})
    cursor = await cursor_of(ask, ada)
    assert closed(opened(cursor)) != closed(forge(opened(cursor)))
    assert await is_refused(ask, ada, closed(forge(opened(cursor))))


async def test_what_was_never_a_cursor_is_refused(ask: Ask, world: World) -> None:
    ada = await world.customer()
    await world.many("activities", ada, {}, {})
    cursor = await cursor_of(ask, ada)
    texts = ("", " ", "garbage", "ünïcode", "====", "null", "AAAA", "W10", ada["_id"], cursor[:-5], cursor[5:])
    for text in (*texts, cursor * 2, cursor + "A" * 1_000_000, "[" * 500, base64.b64encode(b"[" * 300).decode()):
        assert await is_refused(ask, ada, text), text[:50]


async def test_a_cursor_of_another_list_is_refused(ask: Ask, world: World) -> None:
    ada, eve = await world.everything(), await world.everything()
    cursor = await cursor_of(ask, ada)
    assert await is_refused(ask, eve, cursor)
    for page in (
        "activities(%s, filter: {hideSystem: true})",
        "activities(%s, filter: {notes: EXCLUDE})",
        "activities(%s, orderBy: {direction: ASC})",
        "activities(%s, orderBy: {field: TYPE})",
        "activities(%s, orderBy: {field: POINTS})",
        "transactions(%s)",
        "coupons(%s)",
        "pointsHistory(%s, orderBy: {field: OCCURRED_AT})",
    ):
        assert await is_refused(ask, ada, cursor, page), page
    assert await is_refused(ask, ada, await cursor_of(ask, ada, "passes"), "statusHistory(%s)")


SPELLINGS = [
    (
        "activities",
        ['filter: {types: ["NOTE_ADDED", "SUBSCRIPTION_RENEWED"], actorKinds: [AGENT, CUSTOMER]}'],
        [
            'filter: {actorKinds: [CUSTOMER, AGENT], types: ["SUBSCRIPTION_RENEWED", "NOTE_ADDED"]}',
            'filter: {types: ["NOTE_ADDED", "SUBSCRIPTION_RENEWED", "NOTE_ADDED"], actorKinds: [AGENT, CUSTOMER]}',
            'filter: {types: ["NOTE_ADDED", "SUBSCRIPTION_RENEWED"], actorKinds: [AGENT, CUSTOMER], groups: null, '
            "notes: INCLUDE, hideSystem: false}, orderBy: {field: OCCURRED_AT, direction: DESC}",
        ],
    ),
    ("activities", ["", "filter: null", "filter: {}", "filter: {types: null}, orderBy: null", "orderBy: {}"], [""]),
    (
        "activities",
        ['filter: {occurredAt: {from: "2020-01-31T09:30:00.0001Z"}}'],
        [
            'filter: {occurredAt: {from: "2020-01-31T10:30:00.001+01:00", to: null}}',
            'filter: {occurredAt: {from: "2020-01-31t09:30:00.0010z"}}',
        ],
    ),
]


@pytest.mark.parametrize(("field", "given", "spellings"), SPELLINGS)
async def test_a_cursor_survives_another_spelling_of_the_same_set(
    ask: Ask, world: World, field: str, given: list[str], spellings: list[str]
) -> None:
    ada = await world.customer()
    await world.many("activities", ada, *[{"type": "NOTE_ADDED", "actor": AGENT, "occurredAt": NOW}] * 3)
    for one in given:
        first = await asked_of(ask, ada, f"page: {field}({one} first: 1) {{ pageInfo {{ endCursor }} }}")
        cursor = first["data"]["customer"]["page"]["pageInfo"]["endCursor"]
        assert cursor
        for spelling in (*given, *spellings):
            asked = f'page: {field}({spelling} first: 5, after: "{cursor}") {{ nodes {{ type }} }}'
            assert len((await asked_of(ask, ada, asked))["data"]["customer"]["page"]["nodes"]) == 2
        asked = f'page: {field}(filter: {{types: ["NOTE_ADDED"]}} first: 5, after: "{cursor}") {{ totalCount }}'
        assert refused(await asked_of(ask, ada, asked)) == ("BAD_CURSOR", ["customer", "page"])


async def test_a_cursor_of_a_row_that_is_gone_still_holds_its_place(ask: Ask, world: World, store: Store) -> None:
    ada = await world.customer()
    gone, left = await world.many("activities", ada, {"occurredAt": NOW}, {"occurredAt": ago(days=1)})
    cursor = await cursor_of(ask, ada)
    await store.command({"delete": "activities", "deletes": [{"q": {"_id": gone["_id"]}, "limit": 1}]})
    answer = await asked_of(ask, ada, f'activities(after: "{cursor}") {{ nodes {{ id }} }}')
    assert answer["data"]["customer"]["activities"]["nodes"] == [{"id": left["_id"]}]


async def test_a_forged_place_in_a_list_that_matches_nothing_finds_nothing(ask: Ask, world: World) -> None:
    """The tag is no secret: whoever makes a cursor for an empty filter gets an empty page."""
    ada = await world.customer()
    await world.many("activities", ada, {}, {})
    selection = Selection(ACTIVITIES, (("type", In(())), ("legacy", In((False,)))), ActivityOrderField.OCCURRED_AT)
    cursor = encode(selection, ada["_id"], (NOW, None, "act_x"))
    answer = await asked_of(ask, ada, f'activities(filter: {{types: []}}, after: "{cursor}") {{ nodes {{ id }} }}')
    assert answer["data"]["customer"]["activities"] == {"nodes": []}


# ---------------------------------------------------------------- ways in


@pytest.mark.parametrize("given", ["act_x", "cus_", "CUS_x", "cus", "", "8812", "parked_x", "../etc/passwd"])
async def test_an_id_of_another_kind_is_refused_and_an_unknown_one_is_null(ask: Ask, given: str) -> None:
    answer = await ask("query($id: ID!) { found: customer(by: {id: $id}) { id } }", id=given)
    assert refused(answer) == ("BAD_USER_INPUT", ["found"])
    if not given.startswith("act_"):
        answer = await ask("query($id: ID!) { found: node(id: $id) { id } }", id=given)
        assert refused(answer) == ("BAD_USER_INPUT", ["found"])


async def test_an_unknown_customer_is_null_by_whatever_name(ask: Ask, world: World) -> None:
    await world.customer()
    for by in (
        {"id": "cus_x"},
        {"number": "C-0"},
        {"number": "C-1\0"},
        {"email": "nobody@example.com"},
        {"identity": {"source": "esuite", "id": "0"}},
    ):
        assert await ask("query($by: CustomerBy!) { customer(by: $by) { id } }", by=by) == {"data": {"customer": None}}
    assert await ask('{ node(id: "act_x") { id } }') == {"data": {"node": None}}


@pytest.mark.parametrize("by", [{}, {"id": "cus_x", "number": "C-1"}, {"id": None}, {"id": None, "number": "C-1"}])
async def test_a_customer_is_named_in_exactly_one_way(ask: Ask, by: Document) -> None:
    written = ", ".join(f"{name}: {json.dumps(value)}" for name, value in by.items())
    for answer in (
        await ask("query($by: CustomerBy!) { found: customer(by: $by) { id } }", by=by),
        await ask(f"{{ found: customer(by: {{{written}}}) {{ id }} }}"),
    ):
        assert "data" not in answer
        assert {(error["extensions"]["code"], *error["path"]) for error in answer["errors"]} == {
            ("BAD_USER_INPUT", "found")
        }


async def test_one_bad_id_of_several_costs_its_own_place(ask: Ask, world: World) -> None:
    ada = await world.customer()
    answer = await ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[ada["_id"], "nonsense", "cus_x"])
    assert refused(answer) == ("BAD_USER_INPUT", ["nodes", 1])
    assert answer["data"] == {"nodes": [{"id": ada["_id"]}, None, None]}


async def test_a_hundred_ids_may_be_asked_for_and_no_more(ask: Ask) -> None:
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert await ask(query, ids=["cus_x"] * 100) == {"data": {"nodes": [None] * 100}}
    assert refused(await ask(query, ids=["cus_x"] * 101)) == ("BAD_USER_INPUT", ["nodes"])


async def test_an_unknown_source_of_activity_types_suggests_the_nearest(ask: Ask) -> None:
    answer = await ask('{ activityTypes(source: "esuit") { code } }')
    assert refused(answer) == ("BAD_USER_INPUT", ["activityTypes"])
    assert 'Did you mean "esuite"?' in answer["errors"][0]["message"]


async def test_an_e_mail_that_two_share_names_how_many_and_none_of_them(ask: Ask, world: World) -> None:
    await world.customer(email="Info@example.com")
    await world.customer(emails=[{"value": "info@example.com", "primary": False}])
    answer = await ask('{ customer(by: {email: " INFO@example.com "}) { id } }')
    assert refused(answer) == ("AMBIGUOUS", ["customer"])
    assert "2 customers" in answer["errors"][0]["message"]
    assert answer["data"] == {"customer": None}


async def test_a_customer_who_was_merged_steps_aside_for_the_one_they_live_on_in(ask: Ask, world: World) -> None:
    ada = await world.customer(email="ada@example.com")
    await world.customer(email="ada@example.com", status="MERGED", mergedIntoId=ada["_id"])
    answer = await ask('{ customer(by: {email: "ada@example.com"}) { id } }')
    assert answer == {"data": {"customer": {"id": ada["_id"]}}}


async def test_who_was_merged_away_answers_with_the_survivor_or_with_themselves_if_nobody_says_whose(
    ask: Ask, world: World
) -> None:
    ada = await world.customer()
    await world.customer(number="C-OLD", status="MERGED", mergedIntoId=ada["_id"])
    await world.customer(number="C-LOST", status="MERGED")
    for number, found in (("C-OLD", {"id": ada["_id"], "status": "ACTIVE"}), ("C-LOST", {"status": "MERGED"})):
        answer = await ask("query($n: String!) { customer(by: {number: $n}) { id status } }", n=number)
        assert {**answer["data"]["customer"], **found} == answer["data"]["customer"]


async def test_half_a_character_is_no_text(client: httpx2.AsyncClient) -> None:
    body = r'{"query": "query($n: String!) { customer(by: {number: $n}) { id } }", "variables": {"n": "\ud800"}}'
    headers = {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"}
    response = await client.post("/graphql", content=body, headers=headers)
    assert response.status_code == 400
    assert not [word for word in INTERNALS if word in response.text.lower()]


# ---------------------------------------------------------------- stored documents that break their shape

CANARY = "canary-7f3a"


def key_of(place: Place) -> str:
    """What the field's document calls it."""
    names = {"links": "linkIds", "mergedInto": "mergedIntoId", "refundOf": "refundOfId"}
    follows = place.on == "Activity" and place.name in ("email", "note", "subject", "customer")
    follows |= place.coordinate == "PointsEntry.transaction"
    return names.get(place.name) or (f"{place.name}Id" if follows else place.name)


def stored_fields() -> list[tuple[str, str, Place]]:
    """Every field that shows what is stored under one key: the document's collection, that key, and the field."""
    declared = {name: {**each.required, **each.optional} for name, each in COLLECTIONS.items()}
    return [
        (collection, key_of(place), place)
        for collection, type_ in TYPE_OF.items()
        for place in below(type_).values()
        if place.on == type_ and key_of(place) in declared[collection]
    ]


def selection_of(place: Place) -> str:
    if place.is_leaf:
        return place.asked("")
    leaves = [inner for inner in below(place.type_name).values() if inner.above is None and inner.is_leaf]
    return place.asked(" ".join(leaf.asked("") for leaf in leaves))


def is_empty(value: Any) -> bool:
    match value:
        case {**fields}:
            return all(map(is_empty, fields.values()))
        case [*items]:
            return all(map(is_empty, items))
        case _:
            return value is None


async def test_a_stored_value_of_another_shape_costs_its_field_and_is_not_repeated(
    ask: Ask, world: World, store: Store
) -> None:
    """In each field of each document in turn, beside a healthy document of the same kind.

    A field that must not be null takes its document with it.
    """
    broken, healthy = await world.everything(), await world.everything()
    wrong: dict[str, object] = {}
    for collection, key, place in stored_fields():
        owner = "_id" if collection == "customers" else "customerId"
        with_key = {} if place.coordinate == "Customer.country" else {key: {"$exists": True}}
        sick, well = [
            (await store.find(collection, {**with_key, owner: customer["_id"]}, limit=1))[0]
            for customer in (broken, healthy)
        ]
        query = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {place.on} {{ {selection_of(place)} }} }} }}"
        before = await ask(query, ids=[sick["_id"], well["_id"]])
        assert "errors" not in before, before

        await spoil(store, collection, sick["_id"], **{key: {CANARY: CANARY} if place.is_leaf else CANARY})
        with capture_logs() as logs:
            after = await ask(query, ids=[sick["_id"], well["_id"]])
        await store.write(collection, [ReplaceOne({"_id": sick["_id"]}, sick)])

        lost, kept = after["data"]["nodes"]
        seen = {
            "codes": {error["extensions"]["code"] for error in after.get("errors", ())},
            "lost": is_empty(lost) and (lost is not None or not place.is_nullable),
            "kept": _without_links(kept) == _without_links(before["data"]["nodes"][1]),
            "repeated": CANARY in json.dumps(after) or CANARY in json.dumps(logs),
            "logged": {log["document"] for log in logs},
        }
        if seen != {"codes": {"INTERNAL"}, "lost": True, "kept": True, "repeated": False, "logged": {sick["_id"]}}:
            wrong[place.coordinate] = seen, after
    assert wrong == {}, "\n".join(map(str, wrong.items()))


def _without_links(value: Any) -> str:
    """A link says until when it is good: one that is made in the next second is another one."""
    return re.sub(r'"/attachments/[^"]*"', '"/attachments/…"', json.dumps(value, sort_keys=True))


async def asked_with_logs(ask: Ask, query: str, **variables: Any) -> tuple[Document, list[tuple[str, str]]]:
    """The answer, and which field of which document the log names."""
    with capture_logs() as logs:
        answer = await ask(query, **variables)
    assert CANARY not in json.dumps([answer, logs])
    assert {error["extensions"]["code"] for error in answer.get("errors", ())} <= {"INTERNAL"}
    return answer, [(log["field"], log["document"]) for log in logs]


async def test_an_unreadable_attribute_costs_the_attributes_and_itself_but_not_its_neighbours(
    ask: Ask, world: World, store: Store
) -> None:
    ada = await world.customer()
    activity = await world.activity(ada, "BILLING_DATE_CHANGED", attributes={"billDayFrom": 1, "billDayTo": 2})
    for unreadable in ({CANARY: CANARY}, [{CANARY: CANARY}], [5]):
        await spoil(store, "activities", activity["_id"], attributes={"billDayFrom": unreadable, "billDayTo": 2})
        query = """query($id: ID!) { node(id: $id) { ... on Activity {
            message attributes { value }
            from: attribute(name: "billDayFrom") to: attribute(name: "billDayTo")
        } } }"""
        answer, logged = await asked_with_logs(ask, query, id=activity["_id"])
        assert answer["data"]["node"] == {"message": None, "attributes": None, "from": None, "to": "2"}
        assert sorted(logged) == [("Activity.attributes", activity["_id"]), ("Activity.from", activity["_id"])]


async def test_a_row_whose_place_in_the_list_cannot_be_read_is_null_and_not_passed_over(
    ask: Ask, world: World, store: Store
) -> None:
    ada = await world.customer()
    sick, well = await world.many("activities", ada, {}, {})
    await spoil(store, "activities", sick["_id"], occurredAt=CANARY)
    query = "query($id: ID!) { node(id: $id) { ... on Customer { activities { nodes { id occurredAt } } } } }"
    answer, logged = await asked_with_logs(ask, query, id=ada["_id"])
    nodes = answer["data"]["node"]["activities"]["nodes"]
    assert nodes == [{"id": well["_id"], "occurredAt": "2026-01-31T12:00:00.000Z"}, None]
    assert logged == [("Activity.occurredAt", sick["_id"])]


async def test_an_entry_that_cannot_be_read_costs_its_own_customers_audit_only(
    ask: Ask, world: World, store: Store
) -> None:
    sick, well = await world.everything(), await world.everything()
    (entry,) = await store.find("points", {"customerId": sick["_id"]})
    await spoil(store, "points", entry["_id"], kind=CANARY)
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { points { earned audit { ok } } } } }"
    answer, logged = await asked_with_logs(ask, query, ids=[sick["_id"], well["_id"]])
    audits = [{"points": {"earned": 70, "audit": audit}} for audit in (None, {"ok": True})]
    assert answer["data"]["nodes"] == audits
    assert logged == [("PointsBalance.audit", sick["_id"])]


async def test_a_link_that_leads_nowhere_costs_its_own_place(ask: Ask, world: World, store: Store) -> None:
    ada = await world.customer()
    sick = await world.note(ada, linkIds=[ada["_id"], CANARY, "not_gone"])
    well = await world.note(ada, linkIds=[ada["_id"]])
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Note { links { id } } } }"
    answer, _ = await asked_with_logs(ask, query, ids=[sick["_id"], well["_id"]])
    first, second = answer["data"]["nodes"]
    assert second == {"links": [{"id": ada["_id"]}]}
    assert first == {"links": [{"id": ada["_id"]}, None, None]}


async def test_a_customer_is_found_though_their_document_is_broken(ask: Ask, world: World, store: Store) -> None:
    identity = {"source": "esuite", "id": "8812"}
    for key in ("emails", "status", "identities", "tags", "name"):
        ada = await world.customer(email=f"{key}@example.com".lower())
        await spoil(store, "customers", ada["_id"], **{key: CANARY})
        for by in ({"email": ada["email"]}, {"number": ada["number"]}, {"id": ada["_id"]}):
            answer = await ask("query($by: CustomerBy!) { customer(by: $by) { id } }", by=by)
            assert answer == {"data": {"customer": {"id": ada["_id"]}}}, (key, by)
    assert await ask("query($by: CustomerBy!) { customer(by: $by) { id } }", by={"identity": identity}) == {
        "data": {"customer": None}
    }
