"""Saved segments: what is saved, seen, starred, refused and deleted, by whom, and whom lists and exports find by it."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast

import pytest
from graphql import parse

from app.context import Context
from app.domain import segments
from app.domain.access import PERMITTED, Delegate, Permission, Role, Viewer
from app.domain.changes import LimitExceeded
from app.domain.vocabulary import SegmentScope
from app.execution import Execution
from app.graph import executable, input_of, masks_for
from app.loaders import Loaders
from app.loaders.gate import Gate
from app.operations.cost import COMMAND
from app.operations.errors import format_error
from app.schema.customer_lists import CustomerFilter
from app.schema.inputs import as_json
from app.services.export_job import Exporter
from app.store.driver import Document, Store, UpdateOne
from tests.support.execution_cases import executed
from tests.support.gateway import Ask
from tests.support.mutations import CREATE_SEGMENT, DELETE_SEGMENT, STAR_SEGMENT, UPDATE_SEGMENT
from tests.support.prices import cost
from tests.support.tokens import token
from tests.support.world import AGENT, NOW, World, ago

LISTED = """query($filter: SegmentFilter, $first: Int, $after: String) {
  segments(filter: $filter, first: $first, after: $after) { totalCount nodes { id } pageInfo { endCursor } } }"""
CUSTOMERS = """query($segmentId: ID, $filter: CustomerFilter, $orderBy: CustomerOrder, $first: Int, $after: String) {
  customers(segmentId: $segmentId, filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
    totalCount nodes { name } pageInfo { endCursor } } }"""
NODE = "query($id: ID!) { node(id: $id) { id } }"
EXPORT = """mutation($input: ExportCustomersInput!) { exportCustomers(input: $input) {
  export { id columns } userErrors { code field } } }"""
FILTER: Mapping[str, Any] = {
    "segment": "CUSTOMERS",
    "tags": ["vip"],
    "registeredAt": {"from": ago(days=30).isoformat()},
}
GRACE = {"subject": "grace", "name": "Grace Hopper"}
AGENTS = Role.CUSTOMER_SERVICE_AGENT


async def _create(ask: Ask, key: str = "k", *, bearer: str | None = None, **given: Any) -> dict[str, Any]:
    asked = {"name": "New VIPs", "filter": FILTER, "idempotencyKey": key, **given}
    return await _done(ask, CREATE_SEGMENT, asked, bearer)


async def _update(ask: Ask, segment_id: str, key: str = "u", *, bearer: str | None = None, **given: Any) -> Any:
    return await _done(ask, UPDATE_SEGMENT, {"segmentId": segment_id, "idempotencyKey": key, **given}, bearer)


async def _star(ask: Ask, segment_id: str, key: str, *, starred: bool, bearer: str | None = None) -> Any:
    given = {"segmentId": segment_id, "starred": starred, "idempotencyKey": key}
    return await _done(ask, STAR_SEGMENT, given, bearer)


async def _delete(ask: Ask, segment_id: str, key: str = "d", *, bearer: str | None = None) -> Any:
    return await _done(ask, DELETE_SEGMENT, {"segmentId": segment_id, "idempotencyKey": key}, bearer)


async def _done(ask: Ask, mutation: str, given: Mapping[str, Any], bearer: str | None) -> Any:
    answer = await ask(mutation, input=given, token=bearer or token())
    assert "errors" not in answer, answer
    (payload,) = answer["data"].values()
    return payload


async def _names(ask: Ask, bearer: str | None = None, **given: Any) -> list[str]:
    answer = await ask(CUSTOMERS, token=bearer or token(), **given)
    assert "errors" not in answer, answer
    page = answer["data"]["customers"]
    assert page["totalCount"] == len(page["nodes"])
    return [each["name"] for each in page["nodes"]]


async def _refusal(ask: Ask, query: str, bearer: str | None = None, **given: Any) -> tuple[str, list[str] | None]:
    [error] = (await ask(query, token=bearer or token(), **given))["errors"]
    return error["extensions"]["code"], error["extensions"].get("field")


async def _listed(ask: Ask, bearer: str | None = None, **filter_: Any) -> list[str]:
    page = (await ask(LISTED, filter=filter_, token=bearer or token()))["data"]["segments"]
    assert page["totalCount"] == len(page["nodes"])
    return [node["id"] for node in page["nodes"]]


def _codes(payload: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    return [(error["code"], tuple(error["field"])) for error in payload["userErrors"]]


async def _counts(store: Store) -> list[int]:
    return [len(await store.find(name, {})) for name in ("segments", "activities", "audit", "idempotency")]


# ---------------------------------------------------------------- saved


async def test_a_segment_is_saved_as_it_was_given_with_an_audit_row_and_no_activity(ask: Ask, store: Store) -> None:
    given: dict[str, Any] = {
        "description": "For the\nletter",
        "columns": ["number", "name"],
        "orderBy": {"field": "NUMBER"},
    }
    payload = await _create(ask, **given)
    segment = payload["segment"]
    assert payload["userErrors"] == []
    assert segment == {
        "id": segment["id"],
        "name": "New VIPs",
        "description": "For the\nletter",
        "scope": "PRIVATE",
        "owner": {"userId": "tess"},
        "sharedWith": [],
        "starred": False,
        "filter": {"segment": "CUSTOMERS", "tags": ["vip"], "registeredAt": {"from": "2026-01-01T12:00:00.000Z"}},
        "columns": ["number", "name"],
        "orderBy": {"field": "NUMBER", "direction": "ASC"},
    }
    assert segment["id"].startswith("seg_")
    assert await _counts(store) == [1, 0, 1, 1]
    [row] = await store.find("audit", {})
    assert (row["action"], row["outcome"], row["wrote"]) == ("createSegment", "ACCEPTED", [segment["id"]])
    assert "customerId" not in row
    assert await _listed(ask) == [segment["id"]]


async def test_the_filter_that_is_shown_is_one_to_send(ask: Ask, world: World) -> None:
    await world.customer(name="Ada", tags=["vip"], registeredAt=ago(days=1))
    await world.customer(name="Eve", registeredAt=ago(days=1))
    filter_ = (await _create(ask))["segment"]["filter"]
    assert await _names(ask, filter=filter_) == ["Ada"]
    again = (await _create(ask, "l", name="Again", filter=filter_))["segment"]
    assert again["filter"] == filter_


WHOLE: Mapping[str, Any] = {
    "segment": "LEADS",
    "statuses": ["ACTIVE", "BLOCKED"],
    "tags": ["vip"],
    "countries": ["SE"],
    "registeredAt": {"from": "2026-01-01T00:00:00.000Z", "to": "2026-02-01T00:00:00.001Z"},
    "payments": {"min": 1, "max": 2**40},
    "campaigns": [],
    "hasActivity": {"type": "ORDER_CREATED", "since": "2025-01-01T00:00:00.000Z"},
    "spendablePoints": {"min": -5},
    "number": "C-1",
    "name": "Zoë",
    "lastName": "Å",
    "email": "ada@example.com",
    "emailPrefix": "ad",
    "fields": [{"name": "loyaltyTier", "values": ["GOLD"]}, {"name": "creditLimit", "from": "1", "to": "2"}],
}


def test_every_condition_is_stored_and_read_back_as_it_is() -> None:
    filter_ = input_of(CustomerFilter, WHOLE)
    assert WHOLE.keys() == as_json(filter_).keys(), "a condition came or went: it is to be saved"
    assert as_json(filter_) == WHOLE
    assert input_of(CustomerFilter, as_json(filter_)) == filter_
    assert {*as_json(input_of(CustomerFilter, {**WHOLE, "name": None}))} == {*WHOLE} - {"name"}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00.000Z"),
        ("2026-01-31T12:00:00.0004Z", "2026-01-31T12:00:00.001Z"),  # the same rows: stored times are milliseconds
    ],
)
def test_a_bound_is_stored_as_the_millisecond_that_it_means(given: str, stored: str) -> None:
    filter_ = input_of(CustomerFilter, {"registeredAt": {"from": given}})
    assert as_json(filter_) == {"registeredAt": {"from": stored}}


async def test_a_change_is_made_once_for_its_key(ask: Ask, world: World) -> None:
    payloads = await asyncio.gather(*(_create(ask) for _ in range(4)))
    assert payloads == [payloads[0]] * 4
    segment_id = payloads[0]["segment"]["id"]
    assert _codes(await _create(ask, description="Else")) == [("IDEMPOTENCY_CONFLICT", ("idempotencyKey",))]
    assert _codes(await _delete(ask, segment_id, "k")) == [("IDEMPOTENCY_CONFLICT", ("idempotencyKey",))]
    updates = await asyncio.gather(*(_update(ask, segment_id, name="VIPs") for _ in range(4)))
    assert updates == [updates[0]] * 4
    stars = await asyncio.gather(*(_star(ask, segment_id, "s", starred=True) for _ in range(4)))
    assert stars == [stars[0]] * 4
    deletions = await asyncio.gather(*(_delete(ask, segment_id) for _ in range(4)))
    assert deletions == [{"deletedSegmentId": segment_id, "userErrors": []}] * 4
    assert await _counts(world.store) == [0, 0, 6, 4]
    assert _codes(await _delete(ask, segment_id, "again")) == [("NOT_FOUND", ("segmentId",))]


async def test_of_an_owners_segments_no_two_have_one_name(ask: Ask, world: World) -> None:
    await world.segment(name="Été", subject="grace")
    payloads = await asyncio.gather(*(_create(ask, f"{at}", name=name) for at, name in enumerate(["Été", "ete"] * 3)))
    refused = [payload for payload in payloads if payload["userErrors"]]
    assert [_codes(each) for each in refused] == [[("NAME_TAKEN", ("name",))]] * 5
    other = (await _create(ask, "o", name="Other"))["segment"]
    assert _codes(await _update(ask, other["id"], name="ÉTÉ")) == [("NAME_TAKEN", ("name",))]
    assert (await _update(ask, other["id"], name="OTHER"))["segment"]["name"] == "OTHER"
    third = (await _create(ask, "t", name="Third"))["segment"]
    renamed = await asyncio.gather(  # of several subjects, whom no lock of this process keeps apart
        *(
            _update(ask, each["id"], name="One", bearer=token(subject=f"admin-{at}"))
            for at, each in enumerate((other, third))
        ),
        _create(ask, "one", name="one"),
    )
    assert sum(not payload["userErrors"] for payload in renamed) == 1


async def test_nobody_has_more_than_two_hundred_segments(
    ask: Ask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "MAX_OWN", 3)
    for number in range(2):
        await world.segment(name=f"{number}", slot=number)
    await world.segment(subject="grace", slot=2)
    payloads = await asyncio.gather(*(_create(ask, f"{at}", name=f"Another {at}") for at in range(3)))
    assert sorted(len(each["userErrors"]) for each in payloads) == [0, 1, 1]
    assert {code for each in payloads for code in _codes(each)} == {("LIMIT_EXCEEDED", ())}
    [gone, *_] = await world.store.find("segments", {"subject": "tess"})
    await _delete(ask, gone["_id"])
    assert (await _create(ask, "room", name="Room"))["userErrors"] == []


async def test_all_faults_come_at_once_and_nothing_is_written(ask: Ask, store: Store) -> None:
    payload = await _create(ask, "", name=" ", description="\u200b", sharedWith=["x" * 256])
    assert _codes(payload) == [("INVALID", (each,)) for each in ("name", "description", "sharedWith", "idempotencyKey")]
    assert _codes(await _create(ask, name="x" * 101)) == [("INVALID", ("name",))]
    assert _codes(await _create(ask, sharedWith=[f"{at}" for at in range(101)])) == [("INVALID", ("sharedWith",))]
    assert await _counts(store) == [0, 0, 3, 0]


@pytest.mark.parametrize(
    ("scope", "shared", "is_refused"),
    [
        ("PRIVATE", None, False),
        ("PRIVATE", ["grace"], True),
        ("SHARED", ["grace", "grace"], False),
        ("SHARED", [], True),
        ("SHARED", None, True),
        ("PUBLIC", [], False),
        ("PUBLIC", ["grace"], True),
        (None, None, False),
    ],
)
async def test_people_are_named_for_a_shared_segment_and_for_no_other(
    scope: str | None, shared: list[str] | None, is_refused: bool, ask: Ask
) -> None:
    payload = await _create(ask, scope=scope, sharedWith=shared)
    assert _codes(payload) == [("INVALID", ("sharedWith",))] * is_refused
    if not is_refused:
        shown = payload["segment"]
        assert (shown["scope"], shown["sharedWith"]) == (scope or "PRIVATE", [*dict.fromkeys(shared or [])])


UNUSABLE: list[tuple[dict[str, Any], str, str]] = [
    ({"filter": {"hasActivity": {"type": "ORDER_CRATED"}}}, "BAD_USER_INPUT", "hasActivity"),
    ({"filter": {"payments": {"min": 2, "max": 1}}}, "BAD_USER_INPUT", "payments"),
    ({"filter": {"name": "\u200b"}}, "BAD_USER_INPUT", "name"),
    ({"filter": {"registeredAt": {"to": "9999-12-31T23:59:59.9999Z"}}}, "BAD_USER_INPUT", "to"),
    ({"columns": []}, "BAD_USER_INPUT", "columns"),
    ({"columns": ["name", "shoeSize"]}, "BAD_USER_INPUT", "columns"),
    ({"columns": ["name", "name"]}, "BAD_USER_INPUT", "columns"),
]


@pytest.mark.parametrize(("given", "code", "field"), UNUSABLE)
async def test_what_could_not_be_listed_or_exported_is_not_saved(
    given: dict[str, Any], code: str, field: str, ask: Ask, world: World
) -> None:
    segment = await world.segment()
    asked: dict[str, Any] = {"name": "N", "filter": {}, "idempotencyKey": "k", **given}
    assert await _refusal(ask, CREATE_SEGMENT, input=asked) == (code, [field])
    asked = {"segmentId": segment["_id"], "idempotencyKey": "k", **given}
    assert await _refusal(ask, UPDATE_SEGMENT, input=asked) == (code, [field])
    assert await world.store.find("segments", {}) == [segment]
    assert [row["outcome"] for row in await world.store.find("audit", {})] == ["REFUSED"] * 2


# ---------------------------------------------------------------- changed


async def test_what_is_left_out_stays_and_null_takes_away(ask: Ask, store: Store) -> None:
    given: dict[str, Any] = {"description": "Why", "columns": ["name"], "orderBy": {"field": "NUMBER"}}
    created = (await _create(ask, **given, scope="SHARED", sharedWith=["grace"]))["segment"]
    segment_id = created["id"]
    changed = await _update(ask, segment_id, "1", filter={"name": "ada"}, sharedWith=["eve"])
    assert changed["segment"] == {**created, "filter": {"name": "ada"}, "sharedWith": ["eve"]}
    nulls = {"description": None, "columns": None, "orderBy": None}
    changed = await _update(ask, segment_id, "2", **nulls, scope="PUBLIC")
    assert changed["segment"] == {
        **created,
        **nulls,
        "filter": {"name": "ada"},
        "scope": "PUBLIC",
        "sharedWith": [],
    }
    [before] = await store.find("segments", {})
    assert (await _update(ask, segment_id, "3", name="New VIPs", description=None))["userErrors"] == []
    assert await store.find("segments", {}) == [before]
    assert before["updatedAt"] > before["createdAt"]
    assert _codes(await _update(ask, segment_id, "4")) == [("INVALID", ())]
    assert _codes(await _update(ask, segment_id, "5", scope="SHARED")) == [("INVALID", ("sharedWith",))]
    assert _codes(await _update(ask, segment_id, "6", sharedWith=["eve"])) == [("INVALID", ("sharedWith",))]
    cleared = await _update(ask, segment_id, "7", name=None, filter=None, scope=None)
    assert _codes(cleared) == [("INVALID", (each,)) for each in ("name", "filter", "scope")]
    assert await store.find("segments", {}) == [before]


async def test_a_star_is_each_readers_own(ask: Ask, world: World) -> None:
    segment = await world.segment(scope="PUBLIC")
    grace = token(AGENTS, **GRACE)
    starred = await _star(ask, segment["_id"], "s", starred=True, bearer=grace)
    assert starred["segment"]["starred"]
    assert await _listed(ask, grace, starred=True) == [segment["_id"]]
    assert await _listed(ask, starred=True) == []
    assert (await _star(ask, segment["_id"], "t", starred=True))["segment"]["starred"]
    assert not (await _star(ask, segment["_id"], "n", starred=False, bearer=grace))["segment"]["starred"]
    [stored] = await world.store.find("segments", {})
    assert stored == {**segment, "starredBy": ["tess"]}
    again = [await _star(ask, segment["_id"], f"{at}", starred=True) for at in range(2)]
    assert [each["userErrors"] for each in again] == [[], []]
    assert (await world.store.find("segments", {}))[0]["starredBy"] == ["tess"]


def test_the_thousand_and_first_star_is_refused() -> None:
    full = {"starredBy": [f"s{at}" for at in range(segments.MAX_STARS)]}
    with pytest.raises(LimitExceeded):
        segments.star(full, "tess", starred=True)
    assert len(segments.star(full, "s7", starred=True)) == segments.MAX_STARS
    assert len(segments.star(full, "s7", starred=False)) == segments.MAX_STARS - 1


# ---------------------------------------------------------------- whose it is


@pytest.mark.parametrize("role", Role)
async def test_each_role_gets_what_it_may(role: Role, ask: Ask, world: World) -> None:
    """Staff see public segments, those shared with them and their own; administrators all; others none."""
    others = {scope: (await world.segment(subject="eve", scope=scope))["_id"] for scope in ("PRIVATE", "PUBLIC")}
    others["SHARED"] = (await world.segment(subject="eve", scope="SHARED", sharedWith=["grace"]))["_id"]
    others["ELSE"] = (await world.segment(subject="eve", scope="SHARED", sharedWith=["Grace", "grac"]))["_id"]
    others["OWN"] = (await world.segment(subject="grace", owner={**AGENT, "id": "grace"}))["_id"]
    ada = await world.customer(affiliateId="grace")
    claims: dict[str, Any] = {"customer_id": ada["_id"]} if role is Role.CUSTOMER else {}
    claims |= {"affiliate_id": "grace"} if role is Role.AFFILIATE else {}
    grace = token(role, **GRACE, **claims)
    uses, manages = role in PERMITTED[Permission.USE_SEGMENTS], role in PERMITTED[Permission.MANAGE_SEGMENTS]
    seen = {"PUBLIC", "SHARED", "OWN"} if uses else set[str]()
    seen |= {*others} if manages else set()
    if uses:
        assert {*await _listed(ask, grace)} == {others[each] for each in seen}
        assert await _listed(ask, grace, own=True) == [others["OWN"]]
        assert {*await _listed(ask, grace, scopes=["PUBLIC"])} == {others["PUBLIC"]}
    else:
        assert await _refusal(ask, LISTED, grace) == ("FORBIDDEN", None)
    for name, segment_id in others.items():
        node = (await ask(NODE, id=segment_id, token=grace))["data"]["node"]
        assert (node is not None) is (name in seen), name
        if name in seen:
            await _names(ask, grace, segmentId=segment_id)
        else:
            assert await _refusal(ask, CUSTOMERS, grace, segmentId=segment_id) == ("NOT_FOUND", ["segmentId"])
        changed: list[tuple[str, dict[str, Any]]] = [
            (UPDATE_SEGMENT, {"name": f"Changed {name}"}),
            (STAR_SEGMENT, {"starred": True}),
            (DELETE_SEGMENT, {}),
        ]
        for mutation, given in changed:
            asked = {"segmentId": segment_id, "idempotencyKey": f"{name}{len(given)}{mutation[9:20]}", **given}
            answer = await ask(mutation, input=asked, token=grace)
            if not uses or (name in seen and mutation is not STAR_SEGMENT and name != "OWN" and not manages):
                assert [each["extensions"]["code"] for each in answer["errors"]] == ["FORBIDDEN"]
            else:
                (payload,) = answer["data"].values()
                assert _codes(payload) == [("NOT_FOUND", ("segmentId",))] * (name not in seen)
    asked: dict[str, Any] = {"name": "N", "filter": {}, "idempotencyKey": "c"}
    answer = await ask(CREATE_SEGMENT, input=asked, token=grace)
    assert ("errors" not in answer) is uses


def test_a_list_and_a_single_look_agree_on_what_exists() -> None:
    """The condition of the list is judged here by hand: it is the same as that of the gate."""
    for role in PERMITTED[Permission.USE_SEGMENTS]:
        viewer = Viewer("grace", "Grace", frozenset({role}))
        for scope in SegmentScope:
            for subject in ("grace", "eve"):
                for shared in ([], ["grace"], ["eve"]):
                    segment = {"scope": scope.value, "subject": subject, "sharedWith": shared}
                    expected = subject == "grace" or scope is SegmentScope.PUBLIC or "grace" in shared
                    assert segments.is_visible(segment, viewer) is (expected or role is Role.ADMIN)


async def test_what_a_delegate_saves_belongs_to_whom_they_act_for(ask: Ask, world: World) -> None:
    acting = token(AGENTS, **GRACE, delegate=Delegate("eve", "Eve"))
    segment = (await _create(ask, bearer=acting))["segment"]
    assert segment["owner"] == {"userId": "eve"}
    assert await _listed(ask, token(AGENTS, **GRACE), own=True) == [segment["id"]]
    assert await _listed(ask, token(AGENTS, subject="eve")) == []


# ---------------------------------------------------------------- used


async def _population(world: World) -> None:
    await world.customer(name="Ada", number="3", paymentCount=1, tags=["vip"], spendable=5)
    await world.customer(name="Bob", number="2", paymentCount=0, tags=["vip"], spendable=10)
    await world.customer(name="Cay", number="1", paymentCount=3, tags=["vip"], spendable=20)
    await world.customer(name="Dan", number="0", paymentCount=3, spendable=30)


async def test_a_segment_a_filter_and_an_order_hold_together(ask: Ask, world: World) -> None:
    await _population(world)
    segment = await world.segment(
        filter={"tags": ["VIP"], "payments": {"max": 2}, "spendablePoints": {"max": 15}},
        orderBy={"field": "NUMBER", "direction": "ASC"},
    )
    by = segment["_id"]
    assert await _names(ask, segmentId=by) == ["Bob", "Ada"]
    assert await _names(ask, segmentId=by, orderBy={"field": "NAME"}) == ["Ada", "Bob"]
    # on a key that both have, both hold: neither takes the other's place
    assert await _names(ask, segmentId=by, filter={"payments": {"min": 1}}) == ["Ada"]
    assert await _names(ask, segmentId=by, filter={"segment": "LEADS"}) == ["Bob"]
    assert await _names(ask, segmentId=by, filter={"tags": ["vip", "new"]}) == ["Bob", "Ada"]
    assert await _names(ask, segmentId=by, filter={"tags": []}) == []
    assert await _names(ask, segmentId=by, filter={"spendablePoints": {"min": 15}}) == []
    assert await _names(ask, segmentId=None, filter={"payments": {"min": 1}}) == ["Ada", "Cay", "Dan"]


async def test_both_may_search_by_name(ask: Ask, world: World) -> None:
    for name in ("Zoe Adams", "Zoë Berg", "Zora"):
        await world.customer(name=name)
    segment = await world.segment(filter={"name": "zo"})
    assert await _names(ask, segmentId=segment["_id"]) == ["Zoe Adams", "Zoë Berg", "Zora"]
    assert await _names(ask, segmentId=segment["_id"], filter={"name": "zoe"}) == ["Zoe Adams", "Zoë Berg"]


async def test_a_cursor_is_good_for_as_long_as_the_segment_says_the_same(ask: Ask, world: World) -> None:
    await _population(world)
    created = (await _create(ask, filter={"tags": ["vip"]}))["segment"]

    async def page(**given: Any) -> dict[str, Any]:
        return await ask(CUSTOMERS, segmentId=created["id"], first=1, **given)

    first = (await page())["data"]["customers"]
    after = first["pageInfo"]["endCursor"]
    await _update(ask, created["id"], "1", name="Renamed", columns=["name"])
    assert [each["name"] for each in (await page(after=after))["data"]["customers"]["nodes"]] == ["Bob"]
    await _update(ask, created["id"], "2", filter={"tags": ["vip", "new"]})
    assert [each["extensions"]["code"] for each in (await page(after=after))["errors"]] == ["BAD_CURSOR"]
    await _update(ask, created["id"], "3", filter={"tags": ["vip"]}, orderBy={"field": "NUMBER"})
    assert [each["extensions"]["code"] for each in (await page(after=after))["errors"]] == ["BAD_CURSOR"]


@pytest.mark.parametrize("segment_id", ["seg_nobody", "seg_" + "a" * 24])
async def test_a_segment_that_does_not_exist_is_refused(segment_id: str, ask: Ask) -> None:
    assert await _refusal(ask, CUSTOMERS, segmentId=segment_id) == ("NOT_FOUND", ["segmentId"])
    given = {"format": "CSV", "idempotencyKey": "k", "segmentId": segment_id}
    answer = await ask(EXPORT, input=given)
    assert _codes(answer["data"]["exportCustomers"]) == [("NOT_FOUND", ("segmentId",))]


STALE: list[tuple[dict[str, Any], str]] = [
    ({"filter": {"shoeSize": 44}}, "shoeSize"),
    ({"filter": {"statuses": ["SLEEPING"]}}, "SLEEPING"),
    ({"filter": {"registeredAt": {"since": "2026-01-01T00:00:00.000Z"}}}, "since"),
    ({"filter": {"hasActivity": {"type": "MOON_PHASE_SEEN"}}}, "MOON_PHASE_SEEN"),
    ({"filter": {"payments": {"min": 2, "max": 1}}}, "payments"),
    ({"orderBy": {"field": "SHOE_SIZE", "direction": "ASC"}}, "SHOE_SIZE"),
]


@pytest.mark.parametrize(("stored", "named"), STALE)
async def test_what_this_version_does_not_know_is_refused_and_named(
    stored: dict[str, Any], named: str, ask: Ask, world: World
) -> None:
    """A field that is gone is never left out in silence: the list would have other customers."""
    await _population(world)
    segment = await world.segment(**stored)
    [error] = (await ask(CUSTOMERS, segmentId=segment["_id"]))["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("SEGMENT_INVALID", ["segmentId"])
    assert named in error["message"]
    given = {"format": "CSV", "idempotencyKey": "k", "segmentId": segment["_id"]}
    [refused] = (await ask(EXPORT, input=given))["data"]["exportCustomers"]["userErrors"]
    assert (refused["code"], refused["field"]) == ("SEGMENT_INVALID", ["segmentId"])
    assert await world.store.find("exports", {}) == []
    repaired = await _update(ask, segment["_id"], filter={}, orderBy=None)
    assert repaired["userErrors"] == []
    assert await _names(ask, segmentId=segment["_id"]) == ["Ada", "Bob", "Cay", "Dan"]


async def test_a_column_that_is_gone_is_refused_in_an_export_and_not_missed_in_a_list(ask: Ask, world: World) -> None:
    await _population(world)
    segment = await world.segment(columns=["name", "shoeSize"])
    given = {"format": "CSV", "idempotencyKey": "k", "segmentId": segment["_id"]}
    [refused] = (await ask(EXPORT, input=given))["data"]["exportCustomers"]["userErrors"]
    assert (refused["code"], refused["field"]) == ("SEGMENT_INVALID", ["segmentId"])
    assert (await ask(EXPORT, input={**given, "columns": ["name"]}))["data"]["exportCustomers"]["userErrors"] == []
    assert len(await _names(ask, segmentId=segment["_id"])) == 4


async def test_a_filter_is_judged_with_the_readers_rights_and_not_the_owners(ask: Ask, world: World) -> None:
    """Notes do not exist for programs: neither may a program save such a filter, nor find anybody by one."""
    ada = await world.customer(name="Ada")
    await world.activity(ada, "NOTE_ADDED")
    await world.customer(name="Eve")
    filter_ = {"hasActivity": {"type": "NOTE_ADDED"}}
    segment = (await _create(ask, filter=filter_, scope="PUBLIC"))["segment"]
    by = {"segmentId": segment["id"]}
    agent, program = token(AGENTS, **GRACE), token(Role.API_USER, subject="robot")
    assert await _names(ask, agent, **by) == ["Ada"]
    as_itself = await _refusal(ask, CUSTOMERS, program, filter=filter_)
    assert as_itself == ("BAD_USER_INPUT", ["hasActivity"])
    assert await _refusal(ask, CUSTOMERS, program, **by) == as_itself
    before = await _counts(world.store)
    given = {"name": "N", "filter": filter_, "idempotencyKey": "k"}
    assert await _refusal(ask, CREATE_SEGMENT, program, input=given) == as_itself
    own = await world.segment(subject="robot")
    update = {"segmentId": own["_id"], "filter": filter_, "idempotencyKey": "k"}
    assert await _refusal(ask, UPDATE_SEGMENT, program, input=update) == as_itself
    segments_, activities, audit, keys = before
    assert await _counts(world.store) == [segments_ + 1, activities, audit + 2, keys]
    assert await world.store.find("segments", {"_id": own["_id"]}) == [own]


@pytest.mark.parametrize("role", [Role.AFFILIATE, Role.CUSTOMER])
async def test_nobody_outside_sees_more_customers_by_a_segment(role: Role, ask: Ask, world: World) -> None:
    own = await world.customer(name="Own", affiliateId="grace")
    await world.customer(name="Else")
    claims = {"customer_id": own["_id"]} if role is Role.CUSTOMER else {"affiliate_id": "grace"}
    grace = token(role, **GRACE, **claims)
    for scope in ({"scope": "PUBLIC"}, {"scope": "SHARED", "sharedWith": ["grace"]}, {"subject": "grace"}):
        segment = await world.segment(**{"subject": "eve", **scope})
        assert await _refusal(ask, CUSTOMERS, grace, segmentId=segment["_id"]) == ("NOT_FOUND", ["segmentId"])
    assert await _names(ask, grace) == ["Own"]


# ---------------------------------------------------------------- exported


async def _stored_export(ask: Ask, store: Store, key: str = "k", **given: Any) -> Document:
    answer = await ask(EXPORT, input={"format": "NDJSON", "idempotencyKey": key, **given})
    payload = answer["data"]["exportCustomers"]
    assert payload["userErrors"] == []
    [export] = await store.find("exports", {"_id": payload["export"]["id"]})
    return export


async def test_an_export_has_the_customers_columns_and_order_of_the_segment(ask: Ask, world: World) -> None:
    await _population(world)
    segment = await world.segment(
        filter={"tags": ["vip"]}, columns=["number", "name"], orderBy={"field": "NUMBER", "direction": "DESC"}
    )
    by = {"segmentId": segment["_id"]}
    export = await _stored_export(ask, world.store, **by, filter={"payments": {"min": 1}})
    assert (export["columns"], export["order"], export["descending"]) == (["number", "name"], "NUMBER", True)
    await _delete(ask, segment["_id"])  # the export keeps what it began with
    assert await _rows(world.store, export["_id"]) == [
        {"number": "3", "name": "Ada"},
        {"number": "1", "name": "Cay"},
    ]


async def test_columns_and_an_order_of_an_export_go_before_the_segments(ask: Ask, world: World) -> None:
    segment = await world.segment(columns=["number"], orderBy={"field": "NUMBER", "direction": "DESC"})
    given: dict[str, Any] = {"columns": ["name", "id"], "orderBy": {"field": "REGISTERED_AT"}}
    export = await _stored_export(ask, world.store, segmentId=segment["_id"], **given)
    assert (export["columns"], export["order"], export["descending"]) == (["name", "id"], "REGISTERED_AT", False)


async def test_an_export_that_is_asked_for_again_is_the_same_whatever_became_of_the_segment(
    ask: Ask, world: World
) -> None:
    segment = await world.segment(filter={"tags": ["vip"]})
    by = {"segmentId": segment["_id"]}
    export = await _stored_export(ask, world.store, **by)
    changed = UpdateOne({"_id": segment["_id"]}, {"$set": {"filter": {"tags": ["new"]}}})
    await world.store.write("segments", [changed])
    assert await _stored_export(ask, world.store, **by) == export
    await _delete(ask, segment["_id"])
    assert await _stored_export(ask, world.store, **by) == export
    other = await ask(EXPORT, input={"format": "CSV", "idempotencyKey": "k", **by})
    assert _codes(other["data"]["exportCustomers"]) == [("IDEMPOTENCY_CONFLICT", ("idempotencyKey",))]


async def _rows(store: Store, export_id: str) -> list[Document]:
    await Exporter(store, masks_for).once()
    chunks = await store.find("exported.chunks", {"files_id": export_id}, sort={"n": 1})
    return [json.loads(line) for line in b"".join(each["data"] for each in chunks).splitlines()]


async def test_the_list_is_by_name_and_paged(ask: Ask, world: World) -> None:
    names = ["beta", "Älg", "Alpha", "gamma"]
    ids = {name: (await world.segment(name=name, createdAt=NOW))["_id"] for name in names}
    expected = [ids[name] for name in ("Älg", "Alpha", "beta", "gamma")]
    assert await _listed(ask) == expected
    found: list[str] = []
    after = None
    while len(found) < len(names):
        page = (await ask(LISTED, first=1, after=after))["data"]["segments"]
        found += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert found == expected


# ---------------------------------------------------------------- executed and priced


@pytest.mark.parametrize("roles", [{Role.ADMIN}, {Role.API_USER}, {Role.AFFILIATE}])
async def test_both_executors_answer_alike(roles: set[Role], store: Store, world: World) -> None:
    await _population(world)
    stored: list[Document] = [{"tags": ["vip"]}, {"hasActivity": {"type": "NOTE_ADDED"}}, {"shoeSize": 44}]
    ids = [(await world.segment(filter=filter_, scope="PUBLIC"))["_id"] for filter_ in stored]
    viewer = Viewer("grace", "Grace", frozenset(roles), affiliate_id="grace")
    gate = Gate(store, viewer, masks_for)
    for segment_id in [*ids, "seg_nobody", "cus_x", None]:
        answers: list[Any] = []
        for execution in (Execution(), Execution("graphql-core")):
            context = Context(viewer, NOW, cast(Any, None), lambda: Loaders(store, gate))
            document = parse(CUSTOMERS)
            result = await executed(execution, executable, document, {"segmentId": segment_id}, context)
            answers.append((result.data, [format_error(error, document) for error in result.errors or ()]))
        assert answers[0] == answers[1]


def test_a_list_by_a_segment_costs_what_the_dearest_filter_costs() -> None:
    """What the segment says is read later: its price may not depend on it."""
    query = "query($id: ID, $f: CustomerFilter) { customers(segmentId: $id, filter: $f) { %s nodes { id } } }"
    for counted in ("", "totalCount"):
        asked = query % counted
        dearest = cost(asked, f={"emailPrefix": "a"})
        assert cost(asked, id="seg_x") == cost(asked, id="seg_x", f={"emailPrefix": "a"}) == dearest + COMMAND
        assert cost(asked, id="seg_x", f={"number": "C-1"}) == dearest + COMMAND
        assert cost(asked, id=None) == cost(asked) < dearest
        inline = f'{{ customers(segmentId: "seg_x") {{ {counted} nodes {{ id }} }} }}'
        assert cost(inline) == dearest + COMMAND
