"""Merging customers: every rule of it, what keeps it from being done, and that it is undone."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain import points
from app.domain.access import PERMITTED, Permission, Role
from app.domain.access import STAFF as STAFF_ROLES
from app.services.merge_job import Mover
from app.store.driver import Document, Store
from app.store.indexes import wrong_copies
from app.store.schema import COLLECTIONS, ROWS_OF_CUSTOMERS
from tests.support.commands import Commands
from tests.support.gateway import Ask
from tests.support.mutations import (
    ADD_NOTE,
    ADJUST,
    ANONYMISE,
    MERGE_CUSTOMERS,
    REQUEST_DATA_EXPORT,
    UNMERGE,
    UPDATE_CUSTOMER,
)
from tests.support.tokens import token
from tests.support.world import LATER, WHOLE, World, ago

PREVIEW = """query($into: ID!, $ids: [ID!]!, $keep: [MergeKeepInput!]) {
  previewMerge(intoId: $into, ids: $ids, keep: $keep) {
  fields { field kept fromId dropped } counts { list count } warnings
  points { before { points customer { id } } after } blockers { error { code field message } customer { id } } } }"""
CREDIT = """mutation($input: RequestCreditMemoInput!) {
  requestCreditMemo(input: $input) { request { id } userErrors { code field message } } }"""
STAFF = Role.CS_ADMIN
STAYING = {
    "points": "the ledger of an account that came to its end, with numbers of its own",
    "statuses": "how that account came to its end",
    "idempotency": "keys of changes that were made there",
    "audit": "who did what, as it was done",
    "merges": "the survivor's",
    "erasures": "what was done to that account",
    "exports": "what was asked for",
    "looks": "who read that account, as it was read",
    "feed": "what was committed, as it was committed",
    "presence": "who has that account open",
    "webhookDeliveries": "what others were told of it",
}


async def _merge(ask: Ask, into: Document, *sources: Document, key: str = "m", **given: Any) -> dict[str, Any]:
    asked = {"intoId": into["_id"], "ids": [each["_id"] for each in sources], "reason": "The same person", **given}
    answer = await ask(MERGE_CUSTOMERS, token=token(STAFF), input={"idempotencyKey": key, **asked})
    assert "errors" not in answer, answer
    return answer["data"]["mergeCustomers"]


async def _merged(ask: Ask, store: Store, into: Document, *sources: Document, **given: Any) -> dict[str, Any]:
    payload = await _merge(ask, into, *sources, **given)
    assert payload["userErrors"] == [], payload
    await Mover(store).once()
    return payload["merge"]


async def _unmerged(ask: Ask, store: Store, merge: dict[str, Any], key: str = "u") -> dict[str, Any]:
    asked = {"mergeId": merge["id"], "reason": "Two persons after all", "idempotencyKey": key}
    answer = await ask(UNMERGE, token=token(STAFF), input=asked)
    assert "errors" not in answer, answer
    await Mover(store).once()
    return answer["data"]["unmerge"]


async def _preview(ask: Ask, into: Document, *sources: Document, **given: Any) -> dict[str, Any]:
    ids = [each["_id"] for each in sources]
    answer = await ask(PREVIEW, token=token(STAFF), into=into["_id"], ids=ids, **given)
    assert "errors" not in answer, answer
    return answer["data"]["previewMerge"]


async def _stored(store: Store, customer: Document) -> Document:
    return (await store.find("customers", {"_id": customer["_id"]}))[0]


def _codes(payload: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    return [(error["code"], tuple(error["field"])) for error in payload["userErrors"]]


async def _points(ask: Ask, *customers: Document) -> list[dict[str, Any]]:
    ids = [each["_id"] for each in customers]
    query = """query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { points { spendable pending
      audit { ok } expiries { points expiresAt } } } } }"""
    nodes = (await ask(query, ids=ids))["data"]["nodes"]
    return [node["points"] for node in nodes]


# ---------------------------------------------------------------- what stands, and what is united


async def test_the_survivors_values_stand_blanks_are_filled_and_keep_says_otherwise(
    ask: Ask, world: World, store: Store
) -> None:
    into = await world.customer(name="Ann Lee", firstName="Ann", lastName="Lee", organization="Old Ltd")
    other = await world.customer(**{**WHOLE, "identities": []})
    preview = await _preview(ask, into, other)
    fields = {each["field"]: each for each in preview["fields"]}
    assert fields["NAME"] == {
        "field": "NAME", "kept": "Ann Lee", "fromId": into["_id"], "dropped": [other["name"]]
    }  # fmt: skip
    assert fields["ORGANIZATION"]["dropped"] == ["Analytical Engines"]
    assert (fields["JOB_TITLE"]["kept"], fields["JOB_TITLE"]["fromId"]) == ("Countess", other["_id"])
    kept = [{"field": "ORGANIZATION", "fromId": other["_id"]}]
    [organization] = [
        each for each in (await _preview(ask, into, other, keep=kept))["fields"] if each["field"] == "ORGANIZATION"
    ]
    assert (organization["kept"], organization["dropped"]) == ("Analytical Engines", ["Old Ltd"])
    await _merged(ask, store, into, other, keep=kept)
    now = await _stored(store, into)
    assert (now["name"], now["organization"], now["jobTitle"], now["dateOfBirth"], now["locale"]) == (
        "Ann Lee", "Analytical Engines", "Countess", "1815-12-10", "en-GB"
    )  # fmt: skip
    assert now["leadSource"]["original"] == WHOLE["leadSource"]["original"]


async def test_a_name_that_was_an_address_gives_way_to_a_person(ask: Ask, world: World, store: Store) -> None:
    emails = [{"value": "ann@example.com", "primary": True}]
    into = await world.customer(name="ann@example.com", email="ann@example.com", emails=emails)
    other = await world.customer(name="Ann Lee", firstName="Ann", lastName="Lee")
    await _merged(ask, store, into, other)
    assert (await _stored(store, into))["name"] == "Ann Lee"


async def test_what_there_may_be_several_of_is_united_with_the_survivors_primary_one(
    ask: Ask, world: World, store: Store
) -> None:
    def having(name: str, number: str) -> dict[str, Any]:
        return {
            "email": f"{name}@example.com",
            "emails": [
                {"value": f"{name}@example.com", "primary": True},
                {"value": "Both@example.com", "primary": False},
            ],
            "phones": [{"value": number, "primary": True}],
            "tags": ["both", name],
            "taxIds": [{"type": "OTHER", "value": name, "isDefault": True, "validity": "UNCHECKED"}],
            "identities": [{"source": "esuite", "id": name}],
        }

    into, other = await world.customer(**having("ann", "+47 1")), await world.customer(**having("bea", "+47 2"))
    for customer, campaign in ((into, "ann"), (other, "bea")):
        await world.activity(customer, campaign=campaign)
    await _merged(ask, store, into, other)
    now = await _stored(store, into)
    assert [(each["value"], each["primary"]) for each in now["emails"]] == [
        ("ann@example.com", True), ("Both@example.com", False), ("bea@example.com", False)
    ]  # fmt: skip
    assert (now["email"], [each["value"] for each in now["phones"]]) == ("ann@example.com", ["+47 1", "+47 2"])
    assert now["tags"] == ["both", "ann", "bea"]
    assert [(each["value"], each["isDefault"]) for each in now["taxIds"]] == [("ann", True), ("bea", False)]
    assert (now["identities"], sorted(now["campaigns"])) == (
        [{"source": "esuite", "id": "ann"}, {"source": "esuite", "id": "bea"}], ["ann", "bea"]
    )  # fmt: skip
    assert {"ann@example.com", "bea@example.com"} <= {*now["searchEmails"]}


async def test_payments_add_up_the_earliest_registration_and_the_latest_activity_count(
    ask: Ask, world: World, store: Store
) -> None:
    into = await world.customer(paymentCount=2, registeredAt=ago(days=10))
    others = [await world.customer(paymentCount=count, registeredAt=ago(days=count * 100)) for count in (1, 3)]
    await world.activity(others[0], "SUBSCRIPTION_RENEWED", occurredAt=ago(days=1))
    await world.activity(into, "SUBSCRIPTION_RENEWED", occurredAt=ago(days=2))
    await _merged(ask, store, into, *others)
    now = await _stored(store, into)
    assert (now["paymentCount"], now["registeredAt"]) == (6, ago(days=300))
    assert now["lastByType"]["SUBSCRIPTION_RENEWED"] == ago(days=1)


async def test_one_who_brings_nothing_newer_takes_nothing_from_what_the_survivor_is_found_by(
    ask: Ask, world: World, store: Store
) -> None:
    into, other = await world.customer(), await world.customer()
    await world.activity(into, "SUBSCRIPTION_RENEWED", occurredAt=ago(days=1))
    await world.activity(other, "SUBSCRIPTION_RENEWED", occurredAt=ago(days=2))
    assert (await _merge(ask, into, other))["userErrors"] == []
    assert (await _stored(store, into))["lastByType"]["SUBSCRIPTION_RENEWED"] == ago(days=1)
    found = await ask('{ customers(filter: {hasActivity: {type: "SUBSCRIPTION_RENEWED"}}) { nodes { id } } }')
    assert into["_id"] in {each["id"] for each in found["data"]["customers"]["nodes"]}


async def test_blocked_wins_and_the_preview_warns(ask: Ask, world: World, store: Store) -> None:
    into, other = await world.customer(), await world.customer(status="BLOCKED")
    assert (await _preview(ask, into, other))["warnings"] == ["BLOCKED"]
    await _merged(ask, store, into, other)
    assert (await _stored(store, into))["status"] == "BLOCKED"
    history = await store.find("statuses", {"customerId": into["_id"]})
    assert [(each["from"], each["to"]) for each in history] == [("ACTIVE", "BLOCKED")]


async def test_a_reward_that_is_given_once_is_warned_about(ask: Ask, world: World, store: Store) -> None:
    into, other = await world.customer(), await world.customer()
    for each in (into, other):
        await world.activity(each, "OPT_IN")
    assert (await _preview(ask, into, other))["warnings"] == ["REWARDED_TWICE"]


# ---------------------------------------------------------------- ids


async def test_old_names_answer_with_the_survivor_and_the_old_id_with_the_stub(
    ask: Ask, world: World, store: Store
) -> None:
    into = await world.customer()
    emails = [{"value": "old@example.com", "primary": True}]
    identities = [{"source": "esuite", "id": "8812"}]
    other = await world.customer(email="old@example.com", emails=emails, identities=identities)
    await _merged(ask, store, into, other)
    by: Sequence[dict[str, Any]] = (
        {"number": other["number"]},
        {"email": "old@example.com"},
        {"identity": {"source": "esuite", "id": "8812"}},
        {"id": into["_id"]},
    )
    query = """query($by: CustomerBy!) { customer(by: $by) {
      id mergedFrom { id } activities { nodes { type customer { id } } } } }"""
    for each in by:
        found = (await ask(query, by=each))["data"]["customer"]
        assert (found["id"], found["mergedFrom"]) == (into["_id"], [{"id": other["_id"]}]), each
        assert [row["type"] for row in found["activities"]["nodes"]] == ["CUSTOMERS_MERGED"]
    query = """query($id: ID!) { node(id: $id) { ... on Customer {
      status mergedInto { id } activities { nodes { type } } statusHistory { nodes { to } } } } }"""
    stub = (await ask(query, id=other["_id"]))["data"]["node"]
    assert (stub["status"], stub["mergedInto"]["id"]) == ("MERGED", into["_id"])
    assert [row["type"] for row in stub["activities"]["nodes"]] == ["CUSTOMER_MERGED_AWAY"]
    assert [row["to"] for row in stub["statusHistory"]["nodes"]] == ["MERGED"]


async def test_writes_to_the_old_one_are_refused_and_name_the_survivor(ask: Ask, world: World, store: Store) -> None:
    into, other = await world.customer(), await world.customer()
    await _merged(ask, store, into, other)
    for mutation, given in (
        (ADD_NOTE, {"message": "x"}),
        (ADJUST, {"points": 5, "reason": "x"}),
        (UPDATE_CUSTOMER, {"jobTitle": "x"}),
    ):
        answer = await ask(mutation, input={"customerId": other["_id"], "idempotencyKey": "k", **given})
        [payload] = answer["data"].values()
        assert _codes(payload) == [("CUSTOMER_MERGED", ("customerId",))]
        assert into["_id"] in payload["userErrors"][0]["message"]


async def test_chains_are_flattened(ask: Ask, world: World, store: Store) -> None:
    first, second, third = [await world.customer() for _ in range(3)]
    await world.activity(first, "SUBSCRIPTION_RENEWED")
    await _merged(ask, store, second, first, key="1")
    await _merged(ask, store, third, second, key="2")
    for each in (first, second):
        assert (await _stored(store, each))["mergedIntoId"] == third["_id"]
    assert sorted((await _stored(store, third))["mergedFromIds"]) == sorted([first["_id"], second["_id"]])
    [row] = await store.find("activities", {"type": "SUBSCRIPTION_RENEWED"})
    assert row["customerId"] == third["_id"]
    assert [each["customerId"] for each in row["formerOwners"]] == [first["_id"], second["_id"]]


# ---------------------------------------------------------------- rows


def test_every_collection_of_customers_rows_is_said_to_move_or_to_stay() -> None:
    having = {name for name, each in COLLECTIONS.items() if "customerId" in {**each.required, **each.optional}}
    assert having == {*ROWS_OF_CUSTOMERS, *STAYING}
    assert not {*ROWS_OF_CUSTOMERS} & STAYING.keys()


async def test_every_row_moves_and_every_list_is_whole_before_it_has(ask: Ask, world: World, store: Store) -> None:
    into, other = await world.customer(), await world.everything()
    lists = "activities coupons transactions passes notes emailHistory"
    pages = " ".join(f"{name}(first: 100) {{ totalCount nodes {{ id }} }}" for name in lists.split())
    query = f"query($id: ID!) {{ node(id: $id) {{ ... on Customer {{ {pages} activityFacets {{ count }} }} }} }}"

    async def seen(customer: Document) -> dict[str, Any]:
        return (await ask(query, id=customer["_id"]))["data"]["node"]

    def ids(lists_: dict[str, Any]) -> Counter[str]:
        assert all(page["totalCount"] == len(page["nodes"]) for page in lists_.values() if "nodes" in page)
        return Counter(node["id"] for page in lists_.values() if "nodes" in page for node in page["nodes"])

    before = ids(await seen(other))
    payload = await _merge(ask, into, other)
    told = payload["activity"]["id"]
    moving = await seen(into)
    assert ids(moving) == before + Counter([told])
    assert sum(facet["count"] for facet in moving["activityFacets"]) >= 1
    stub = await seen(other)
    assert not ids(stub)
    assert stub["activityFacets"] == []
    await Mover(store, batch=2).once()
    assert await seen(into) == moving
    for collection in ROWS_OF_CUSTOMERS:
        assert not [
            row
            for row in await store.find(collection, {"customerId": other["_id"]})
            if row.get("type") != "CUSTOMER_MERGED_AWAY"
        ]
    merge = (await store.find("merges", {}))[0]
    assert (merge["status"], merge["moved"] >= merge["total"]) == ("DONE", True)


async def test_points_move_bucket_by_bucket(ask: Ask, world: World, store: Store) -> None:
    soon, late = datetime(2998, 1, 1, tzinfo=UTC), LATER
    into, other = await world.customer(), await world.customer()
    one = points.earn(points.empty(), 100, now=ago(days=9), expires_at=soon)
    await world.ledger(into, one, points.earn(one.state, 7, now=ago(days=8)))
    two = points.earn(points.empty(), 40, now=ago(days=9), expires_at=soon)
    three = points.earn(two.state, 60, now=ago(days=8), expires_at=late)
    await world.ledger(other, two, three, points.pend(three.state, 5, now=ago(days=7)))
    preview = await _preview(ask, into, other)
    assert [each["points"] for each in preview["points"]["before"]] == [107, 100]
    assert preview["points"]["after"] == 207
    await _merged(ask, store, into, other)
    survivor, stub = await _points(ask, into, other)
    assert (survivor["spendable"], survivor["pending"], survivor["audit"]["ok"]) == (207, 5, True)
    assert (stub["spendable"], stub["pending"], stub["audit"]["ok"]) == (0, 0, True)
    assert [each["points"] for each in survivor["expiries"]] == [140, 60]
    query = """query($id: ID!) { node(id: $id) { ... on Customer { pointsHistory { nodes {
      kind points transferOf { kind points customer { id } } } } } } }"""
    history = (await ask(query, id=into["_id"]))["data"]["node"]["pointsHistory"]["nodes"]
    came = [each for each in history if each["kind"] == "TRANSFERRED_IN"]
    assert sorted(each["points"] for each in came) == [40, 60]
    for each in came:
        assert each["transferOf"] == {
            "kind": "TRANSFERRED_OUT",
            "points": -each["points"],
            "customer": {"id": other["_id"]},
        }


# ---------------------------------------------------------------- what is refused


async def test_what_cannot_be_merged_is_coded_and_changes_nothing(ask: Ask, world: World, store: Store) -> None:
    into, other, closed = await world.customer(), await world.customer(), await world.customer(status="ANONYMISED")
    reserving = await world.customer()
    earned = points.earn(points.empty(), 50, now=ago(days=9))
    await world.ledger(reserving, earned, points.reserve(earned.state, 20, now=ago(days=8)))
    gone, busy = await world.customer(), await world.customer()
    await _merged(ask, store, into, gone, key="gone")
    await _merge(ask, busy, await world.customer(), key="busy")
    eleven = [await world.customer() for _ in range(11)]
    before = await _all_but_refusals(store)
    cases: Sequence[tuple[tuple[Document, ...], dict[str, Any], list[tuple[str, tuple[str, ...]]]]] = (
        ((into, into), {}, [("INVALID", ("ids", "0"))]),
        ((into, other, other), {}, [("INVALID", ("ids",))]),
        ((into,), {}, [("INVALID", ("ids",))]),
        ((into, *eleven), {}, [("INVALID", ("ids",))]),
        ((into, closed), {}, [("CUSTOMER_CLOSED", ("ids", "0"))]),
        ((closed, other), {}, [("CUSTOMER_CLOSED", ("customerId",))]),
        ((gone, into), {}, [("CUSTOMER_MERGED", ("customerId",))]),
        ((other, gone), {}, [("CUSTOMER_MERGED", ("ids", "0"))]),
        ((into, reserving, closed), {}, [("RESERVATION_OPEN", ("ids", "0")), ("CUSTOMER_CLOSED", ("ids", "1"))]),
        ((other, busy), {}, [("MERGE_IN_PROGRESS", ("ids", "0"))]),
        ((busy, other), {}, [("MERGE_IN_PROGRESS", ("intoId",))]),
        ((into, other), {"reason": " "}, [("INVALID", ("reason",))]),
        ((into, other), {"keep": [{"field": "NAME", "fromId": gone["_id"]}]}, [("NOT_FOUND", ("keep", "0", "fromId"))]),
        ((into, {"_id": "cus_nobody"}), {}, [("NOT_FOUND", ("ids", "0"))]),
        (
            (into, other),
            {"expectedRevisions": [{"customerId": into["_id"], "revision": 0}]},
            [("STALE", ("expectedRevision",))],
        ),
    )
    for customers, given, codes in cases:
        payload = await _merge(ask, *customers, key="k", **given)
        assert _codes(payload) == codes, (codes, payload)
        assert (payload["merge"], payload["activity"]) == (None, None)
    assert await _all_but_refusals(store) == before
    blockers = (await _preview(ask, into, reserving, closed))["blockers"]
    assert [(each["error"]["code"], each["customer"]["id"]) for each in blockers] == [
        ("RESERVATION_OPEN", reserving["_id"]), ("CUSTOMER_CLOSED", closed["_id"])
    ]  # fmt: skip


async def _all_but_refusals(store: Store) -> dict[str, list[Document]]:
    """Refusals leave rows in the audit log, and nothing else."""
    return {name: await store.find(name, {}, sort={"_id": 1}) for name in COLLECTIONS.keys() - {"audit", "counters"}}


# ---------------------------------------------------------------- undone


async def test_an_undone_merge_gives_each_what_was_theirs_and_leaves_what_came_since(
    ask: Ask, world: World, store: Store
) -> None:
    soon = datetime(2998, 1, 1, tzinfo=UTC)
    into = await world.customer(name="Ann Lee", firstName="Ann", lastName="Lee", tags=["own"])
    other = await world.customer(**WHOLE, identities=[{"source": "esuite", "id": "8812"}])
    await world.ledger(other, points.earn(points.empty(), 40, now=ago(days=9), expires_at=soon))
    await world.activity(other, "SUBSCRIPTION_RENEWED", occurredAt=ago(days=1))
    own = await world.activity(into, "SUBSCRIPTION_RENEWED", occurredAt=ago(days=2))
    merge = await _merged(ask, store, into, other)
    spent = await ask(ADJUST, input={"customerId": into["_id"], "points": -15, "reason": "x", "idempotencyKey": "s"})
    assert spent["data"]["adjustPoints"]["userErrors"] == []
    edited = await ask(UPDATE_CUSTOMER, input={"customerId": into["_id"], "jobTitle": "Duke", "idempotencyKey": "e"})
    assert edited["data"]["updateCustomer"]["userErrors"] == []
    payload = await _unmerged(ask, store, merge)
    assert (payload["userErrors"], payload["merge"]["pointsKept"]) == ([], 15)
    survivor, back = await _stored(store, into), await _stored(store, other)
    assert (back["status"], back["identities"], back["name"]) == (
        "ACTIVE", [{"source": "esuite", "id": "8812"}], other["name"]
    )  # fmt: skip
    assert not {"mergedIntoId", "mergeId", "rowsMoving"} & back.keys()
    assert (survivor["jobTitle"], survivor["tags"], survivor["identities"]) == ("Duke", ["own"], [])
    assert not {"dateOfBirth", "emails", "email", "phones", "mergedFromIds", "absorbingIds"} & survivor.keys()
    now = {each["spendable"] for each in await _points(ask, into, other)}
    assert now == {0, 25}
    assert all(each["audit"]["ok"] for each in await _points(ask, into, other))
    renewed = await store.find("activities", {"type": "SUBSCRIPTION_RENEWED"})
    assert {row["customerId"] for row in renewed if row["_id"] != own["_id"]} == {other["_id"]}
    assert survivor["lastByType"]["SUBSCRIPTION_RENEWED"] == ago(days=2)
    assert (await store.find("merges", {}))[0]["status"] == "UNDONE"
    again = await _unmerged(ask, store, merge, key="again")
    assert _codes(again) == [("ALREADY_UNDONE", ("mergeId",))]
    assert (await _merge(ask, into, other, key="2"))["userErrors"] == []


async def test_whoever_is_found_by_what_happened_stays_found_when_nothing_newer_came_with_others(
    ask: Ask, world: World, store: Store
) -> None:
    into, other, third = [await world.customer() for _ in range(3)]
    for days, customer in enumerate([into, other, third]):
        await world.activity(customer, "SUBSCRIPTION_RENEWED", occurredAt=ago(days=days), campaign="Spring")

    async def found() -> set[str]:
        query = "query($filter: CustomerFilter) { customers(filter: $filter) { nodes { id } } }"
        asked = {"hasActivity": {"type": "SUBSCRIPTION_RENEWED"}, "campaigns": ["Spring"], "statuses": ["ACTIVE"]}
        return {node["id"] for node in (await ask(query, filter=asked))["data"]["customers"]["nodes"]}

    first = await _merged(ask, store, into, other)
    assert await found() == {into["_id"], third["_id"]}
    assert await wrong_copies(store) == []
    await _merged(ask, store, into, third, key="2")
    assert await found() == {into["_id"]}
    await _unmerged(ask, store, first)
    assert await found() == {into["_id"], other["_id"]}
    assert await wrong_copies(store) == []


async def test_what_several_brought_stays_with_the_survivor_while_one_of_them_stays(
    ask: Ask, world: World, store: Store
) -> None:
    into = await world.customer()
    same: Document = {
        "status": "BLOCKED",
        "organization": "Engines Ltd",
        "tags": ["vip"],
        "registeredAt": ago(days=900),
        "dueDiligence": {"required": True, "factors": []},
    }
    contact = {"value": "ada@example.com", "primary": False}
    own = {"value": "a.king@example.com", "primary": True}
    first = await world.customer(**same, emails=[own, contact], email=own["value"])
    second = await world.customer(**same, emails=[{**contact, "primary": True}], email=contact["value"])
    merges = [await _merged(ask, store, into, each, key=each["_id"]) for each in (first, second)]
    assert (await _unmerged(ask, store, merges[0]))["userErrors"] == []
    left = await _stored(store, into)
    assert {key: left[key] for key in same} == same
    assert (left["email"], left["emails"]) == (contact["value"], [{**contact, "primary": True}])
    assert (await _unmerged(ask, store, merges[1], key="2"))["userErrors"] == []
    left = await _stored(store, into)
    assert (left["status"], left["tags"], left["registeredAt"]) == ("ACTIVE", [], into["registeredAt"])
    assert not {"organization", "dueDiligence", "email", "emails"} & left.keys()


async def test_a_contact_that_came_with_another_goes_with_them_though_others_were_added(
    ask: Ask, world: World, store: Store
) -> None:
    own, theirs, new = ({"value": f"{each}@example.com", "primary": each == "own"} for each in ("own", "theirs", "new"))
    into = await world.customer(emails=[own], email=own["value"])
    other = await world.customer(emails=[{**theirs, "primary": True}], email=theirs["value"])
    merge = await _merged(ask, store, into, other)
    added = {"customerId": into["_id"], "emails": [own, theirs, new], "idempotencyKey": "e"}
    assert (await ask(UPDATE_CUSTOMER, input=added))["data"]["updateCustomer"]["userErrors"] == []
    await _unmerged(ask, store, merge)
    assert (await _stored(store, into))["emails"] == [own, new]


async def test_who_has_an_address_and_no_list_of_them_has_it_after_an_undone_merge(
    ask: Ask, world: World, store: Store
) -> None:
    into = await world.customer(email="own@example.com")
    other = await world.customer(email="theirs@example.com")
    await _unmerged(ask, store, await _merged(ask, store, into, other))
    left = await _stored(store, into)
    assert (left["email"], "emails" in left) == ("own@example.com", False)


async def test_what_one_owed_and_was_promised_goes_back_with_them(ask: Ask, world: World, store: Store) -> None:
    into, other = await world.customer(), await world.customer()
    await world.ledger(into, points.earn(points.empty(), 300, now=ago(days=9)))
    taken_back: points.Movement = {
        "kind": points.PointsKind.ADJUSTED,
        "points": -100,
        "occurredAt": ago(days=8),
        "source": "loyalty",
    }
    promised = points.pend(points.empty(), 30, now=ago(days=9))
    owing = points.enter(promised.state, [taken_back], promised.entries).posting
    await world.ledger(other, points.Posting(owing.state, (*promised.entries, *owing.entries)))
    before = await _points(ask, into, other)
    merge = await _merged(ask, store, into, other)
    assert [(each["spendable"], each["pending"]) for each in await _points(ask, into)] == [(200, 30)]
    payload = await _unmerged(ask, store, merge)
    assert (payload["userErrors"], payload["merge"]["pointsKept"]) == ([], 0)
    assert await _points(ask, into, other) == before
    assert [points.owed((await _stored(store, each))["points"]) for each in (into, other)] == [0, 100]


async def test_a_merge_is_not_undone_while_it_moves_or_once_its_survivor_is_gone(
    ask: Ask, world: World, store: Store
) -> None:
    into, other, last = [await world.customer() for _ in range(3)]
    merge = (await _merge(ask, into, other))["merge"]
    asked = {"mergeId": merge["id"], "reason": "x", "idempotencyKey": "u"}
    moving = (await ask(UNMERGE, input=asked))["data"]["unmerge"]
    assert _codes(moving) == [("MERGE_IN_PROGRESS", ("mergeId",))]
    await Mover(store).once()
    await _merged(ask, store, last, into, key="2")
    assert _codes(await _unmerged(ask, store, merge)) == [("CUSTOMER_MERGED", ("mergeId",))]


async def test_nobody_is_merged_erased_or_asked_for_while_their_rows_are_on_the_way_back(
    ask: Ask, world: World, store: Store
) -> None:
    into, other, third = [await world.customer() for _ in range(3)]
    note = await world.note(other)
    asked = {"category": "WAIVER", "amount": {"amount": "5.00", "currency": "EUR"}}
    first = await ask(CREDIT, input={"customerId": other["_id"], "idempotencyKey": "1", **asked})
    assert first["data"]["requestCreditMemo"]["userErrors"] == []
    merge = await _merged(ask, store, into, other)
    undo = {"mergeId": merge["id"], "reason": "Two persons after all", "idempotencyKey": "u"}
    assert (await ask(UNMERGE, input=undo))["data"]["unmerge"]["userErrors"] == []
    for each in (into, other):
        assert _codes(await _merge(ask, third, each, key="2")) == [("MERGE_IN_PROGRESS", ("ids", "0"))]
        assert _codes(await _merge(ask, each, third, key="3")) == [("MERGE_IN_PROGRESS", ("intoId",))]
        [blocker] = (await _preview(ask, third, each))["blockers"]
        assert blocker["error"]["code"] == "MERGE_IN_PROGRESS"
        confirmed = {"customerId": each["_id"], "confirmNumber": each["number"], "reason": "x", "idempotencyKey": "4"}
        erased = (await ask(ANONYMISE, input=confirmed))["data"]["anonymiseCustomer"]
        assert ("MERGE_IN_PROGRESS", ("customerId",)) in _codes(erased)
        again = await ask(CREDIT, input={"customerId": each["_id"], "idempotencyKey": "5", **asked})
        assert _codes(again["data"]["requestCreditMemo"]) == [("MERGE_IN_PROGRESS", ())]
        handed_out = await ask(REQUEST_DATA_EXPORT, input={"customerId": each["_id"], "idempotencyKey": "6"})
        assert _codes(handed_out["data"]["requestDataExport"]) == [("MERGE_IN_PROGRESS", ())]
    await Mover(store).once()
    again = await ask(CREDIT, input={"customerId": other["_id"], "idempotencyKey": "5", **asked})
    assert _codes(again["data"]["requestCreditMemo"]) == [("REQUEST_OPEN", ())]
    await _merged(ask, store, third, other, key="2")
    assert (await store.find("notes", {"_id": note["_id"]}))[0]["customerId"] == third["_id"]


# ---------------------------------------------------------------- what it costs others


async def test_reading_a_customer_who_is_not_merged_costs_no_command_more(
    ask: Ask, world: World, store: Store, commands: Commands
) -> None:
    into, other = await world.customer(), await world.customer()
    await _merged(ask, store, into, other)
    query = (
        "query($id: ID!) { node(id: $id) { ... on Customer { activities { nodes { id } } coupons { nodes { id } } } } }"
    )
    commands.clear()
    await ask(query, id=into["_id"])
    assert len(commands.sent) == 1


@pytest.mark.parametrize("role", sorted(STAFF_ROLES - PERMITTED[Permission.MERGE_CUSTOMERS]))
async def test_others_may_not_merge(role: Role, ask: Ask, world: World) -> None:
    into, other = await world.customer(), await world.customer()
    asked = {"intoId": into["_id"], "ids": [other["_id"]], "reason": "x", "idempotencyKey": "k"}
    for query, given in ((MERGE_CUSTOMERS, {"input": asked}), (PREVIEW, {"into": into["_id"], "ids": [other["_id"]]})):
        answer = await ask(query, token=token(role), **given)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
