"""Erasing a customer: nothing personal is left anywhere, what happened stays, and nobody brings them back."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import EnumType
from typing import Any, cast

import pytest

from app.catalogue import CATALOGUE, SOURCES
from app.catalogue.model import AttributeKind
from app.demo.sample import people, seed
from app.domain import points, vocabulary
from app.domain.access import PERMITTED, STAFF, Permission, Role
from app.domain.details import DETAILS
from app.domain.kinds import KINDS
from app.graph import RULES
from app.schema.rules import CODE, CONTACT, LABELS, WORDS, Rule
from app.services.erase_job import Eraser
from app.store.driver import Document, Store
from app.store.forms import Declared, Schema
from app.store.personal import ERASED, personal_texts, undeclared
from app.store.schema import COLLECTIONS
from tests.support.gateway import Ask
from tests.support.haystack import is_word_in
from tests.support.import_lines import Bring, activity, customer
from tests.support.mutations import ANONYMISE, CREATE_CUSTOMER, MERGE_CUSTOMERS, complete_all
from tests.support.tokens import token
from tests.support.world import World, ago

PREVIEW = """query($id: ID!) { previewAnonymise(customerId: $id) {
  counts { list erased kept } blockers { code field } } }"""


async def _anonymise(ask: Ask, who: Document, key: str = "k", **given: Any) -> dict[str, Any]:
    asked = {"customerId": who["_id"], "confirmNumber": who["number"], "reason": "Article 17", **given}
    answer = await ask(ANONYMISE, input={"idempotencyKey": key, **asked})
    assert "errors" not in answer, answer
    return answer["data"]["anonymiseCustomer"]


def _codes(payload: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    return [(error["code"], tuple(error["field"])) for error in payload["userErrors"]]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("latin-1")
    elif isinstance(value, dict):
        for each in cast(Document, value).values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in cast(list[Any], value):
            yield from _texts(each)


async def _all(store: Store) -> dict[str, list[Document]]:
    return {name: await store.find(name, {}) for name in COLLECTIONS}


# ---------------------------------------------------------------- the declaration


def test_every_stored_value_that_may_hold_a_text_says_whether_it_is_personal() -> None:
    assert [path for name, each in COLLECTIONS.items() for path in undeclared(name, each)] == []


def test_every_attribute_that_is_a_text_says_whether_it_is_personal() -> None:
    texts = (AttributeKind.TEXT, AttributeKind.LIST)
    silent = {
        f"{row.code}.{each.name}"
        for row in CATALOGUE.values()
        for each in row.attributes
        if each.kind in texts and each.personal is None
    }
    assert silent == set()


@pytest.mark.parametrize("rule", [CONTACT, WORDS, CODE, LABELS], ids=lambda rule: rule.label)
def test_what_is_masked_as_personal_is_declared_so(rule: Rule) -> None:
    """Rules mask fields, and an erasure empties keys: of the same data both have to speak."""
    stored = {
        (kind.collection, name): {**collection.required, **collection.optional}[name]
        for kind in KINDS
        for name in (field for (type_, field), its in RULES.items() if type_ == kind.type and its is rule)
        if name in {**(collection := COLLECTIONS[kind.collection]).required, **collection.optional}
    }
    assert stored
    assert [place for place, schema in stored.items() if not _has_personal(schema)] == []


def _has_personal(schema: Schema) -> bool:
    if isinstance(schema, Declared):
        return schema.personal
    inner: list[Schema] = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return any(map(_has_personal, inner))


# ---------------------------------------------------------------- what is left


async def test_nothing_personal_is_found_in_any_collection_afterwards(ask: Ask, store: Store) -> None:
    """The sample's messy customer has something in every collection; a value that a colleague shares is not theirs."""
    await seed.seed(store, customers=8, now=datetime(2026, 3, 1, tzinfo=UTC))
    messy = (await store.find("customers", {"number": "C-100001"}))[0]
    await complete_all(ask, store, messy)
    accounts = [messy["_id"], *messy.get("mergedFromIds", [])]
    before = await _all(store)
    own = {
        text
        for name, rows in before.items()
        for row in rows
        if row["_id"] in accounts or row.get("customerId") in accounts
        if name != "heads"  # copies of the other rows
        for text in personal_texts(name, row)
    }
    others = "\n".join(
        text
        for rows in before.values()
        for row in rows
        if not (row["_id"] in accounts or row.get("customerId") in accounts)
        for text in _texts(row)
    )
    # Words of ours, numbers and colleagues' names that stand beside what is theirs, in copies of whole documents.
    named = {*SOURCES, *DETAILS, *(each["number"] for each in before["customers"])}
    named |= {word for each in vars(vocabulary).values() if isinstance(each, EnumType) for word in each.__members__}
    named |= {each[key] for each in people.AGENTS for key in ("id", "name")}
    sought = {text for text in own - named if len(text) >= 4 and text not in others}
    assert len(sought) > 500
    payload = await _anonymise(ask, messy)
    assert payload["userErrors"] == [], payload
    await Eraser(store).once()
    after = await _all(store)
    haystack = "\n".join(text for rows in after.values() for row in rows for text in _texts(row))
    kept = {text for rows in after.values() for row in rows for text in _texts(row) if text in sought}
    assert kept == set()
    # A label such as "work" is part of other words.
    sought = {text for text in sought if text not in messy["number"]}  # which the overview takes for its id
    assert [text for text in sought if is_word_in(text, haystack)] == []
    assert (await store.find("erasures", {}))[0]["status"] == "DONE"


async def test_what_happened_stays_and_the_points_still_add_up(ask: Ask, store: Store) -> None:
    await seed.seed(store, customers=8, now=datetime(2026, 3, 1, tzinfo=UTC))
    messy = (await store.find("customers", {"number": "C-100001"}))[0]
    await complete_all(ask, store, messy)
    before = await _all(store)
    assert (await _anonymise(ask, messy))["userErrors"] == []
    await Eraser(store, batch=50).once()
    after = await _all(store)
    for name, keys in (
        ("activities", ("type", "occurredAt", "points", "group")),
        ("points", ("seq", "kind", "points", "balanceAfter", "occurredAt")),
        ("transactions", ("number", "amount", "status", "occurredAt")),
        ("statuses", ("from", "to", "changedAt")),
    ):
        left = {row["_id"]: row for row in after[name]}
        for row in before[name]:
            assert [left[row["_id"]].get(key) for key in keys] == [row.get(key) for key in keys]
    query = """query($id: ID!) { node(id: $id) { ... on Customer { name status number points { spendable audit { ok } }
      activities(first: 100) { nodes { title message attributes { name } actor { kind name } } } emailHistory {
        nodes { subject to } } } } }"""
    answer = await ask(query, id=messy["_id"])
    assert "errors" not in answer, answer
    seen = answer["data"]["node"]
    assert (seen["name"], seen["status"], seen["number"]) == ("Anonymised customer", "ANONYMISED", "C-100001")
    assert seen["points"]["audit"]["ok"]
    assert {row["message"] for row in seen["activities"]["nodes"]} == {None}
    names = {row["actor"]["name"] for row in seen["activities"]["nodes"] if row["actor"]["kind"] == "CUSTOMER"}
    assert names <= {"Anonymised customer"}
    assert {row["subject"] for row in seen["emailHistory"]["nodes"]} == {ERASED}


async def test_country_region_and_the_beginning_of_the_postal_code_stay(ask: Ask, world: World, store: Store) -> None:
    address = {"line1": "Main Street 1", "city": "Bergen", "region": "Vestland", "postalCode": "5003", "country": "NO"}
    ada = await world.customer(billingAddress=address)
    await _anonymise(ask, ada)
    left = (await store.find("customers", {"_id": ada["_id"]}))[0]
    assert left["billingAddress"] == {"region": "Vestland", "postalCode": "50", "country": "NO"}


# ---------------------------------------------------------------- nobody brings them back


async def test_no_import_brings_the_person_back_and_what_is_parked_for_them_goes(
    ask: Ask, store: Store, bring: Bring
) -> None:
    lines = [customer("1001", email="ada@example.com"), activity("a1")]
    await bring(*lines)
    ada = (await store.find("customers", {}))[0]
    await _anonymise(ask, ada)
    await Eraser(store).once()
    before = await _all(store)
    run = await bring(*lines, activity("a2"), customer("2001", identities=[{"source": "esuite", "id": "E1001"}]))
    assert (run.reasons, {each.value for each in run.totals}) == ({}, {"ERASED"})
    assert await _all(store) == before
    assert await store.find("parked", {}) == []


async def test_a_new_registration_with_the_same_address_is_a_new_person(ask: Ask, world: World, store: Store) -> None:
    emails = [{"value": "ada@example.com", "primary": True}]
    ada = await world.customer(email="ada@example.com", emails=emails)
    await _anonymise(ask, ada)
    given = {"name": "Ada", "emails": [{"value": "ada@example.com"}], "idempotencyKey": "n"}
    payload = (await ask(CREATE_CUSTOMER, input=given))["data"]["createCustomer"]
    assert payload["userErrors"] == []
    assert payload["customer"]["possibleDuplicates"] == []


async def test_what_is_queued_is_called_off_and_files_that_may_hold_them_are_deleted(
    ask: Ask, world: World, store: Store
) -> None:
    ada = await world.customer(email="ada@example.com")
    email = await world.email(ada)
    await world.delivery(email, status="QUEUED", dueAt=ago(hours=1), giveUpAt=ago(hours=-1))
    made, waiting = await world.export(status="DONE", dueAt=ago(days=-1)), await world.export()
    await _anonymise(ask, ada)
    answered = datetime.now(UTC)
    [delivery] = await store.find("deliveries", {})
    assert (delivery["status"], "dueAt" in delivery) == ("FAILED", False)
    exports = {each["_id"]: each for each in await store.find("exports", {})}
    assert exports[made["_id"]]["dueAt"] <= answered
    assert exports[waiting["_id"]]["status"] == "FAILED"


# ---------------------------------------------------------------- refused, previewed


async def test_the_audit_log_loses_the_name_of_the_person_and_of_nobody_else(
    ask: Ask, world: World, store: Store
) -> None:
    ada, bea = await world.customer(), await world.customer()
    redeem = "mutation($input: RedeemCouponInput!) { redeemCoupon(input: $input) { userErrors { code } } }"
    given = {"couponIds": ["cpn_none"], "idempotencyKey": "1"}
    for who in (ada, bea):
        own = token(Role.CUSTOMER, customer_id=who["_id"], subject=f"web-{who['_id']}", name=f"Own {who['_id']}")
        for by in (own, token(name="Tess Tester")):
            await ask(redeem, token=by, input={"customerId": who["_id"], **given})
    assert not (await _anonymise(ask, ada))["userErrors"]
    await Eraser(store).once()
    rows = await store.find("audit", {"action": "redeemCoupon"})
    names = Counter((row["customerId"], row["actor"]["name"]) for row in rows)
    assert names == {
        (ada["_id"], "Anonymised customer"): 1,
        (ada["_id"], "Tess Tester"): 1,
        (bea["_id"], f"Own {bea['_id']}"): 1,
        (bea["_id"], "Tess Tester"): 1,
    }


async def test_what_cannot_be_erased_is_coded_and_changes_nothing(ask: Ask, world: World, store: Store) -> None:
    ada, other, closed = await world.customer(), await world.customer(), await world.customer(status="ANONYMISED")
    asked = {"intoId": ada["_id"], "ids": [other["_id"]], "reason": "x", "idempotencyKey": "m"}
    assert (await ask(MERGE_CUSTOMERS, input=asked))["data"]["mergeCustomers"]["userErrors"] == []
    bea = await world.customer()
    cases: Sequence[tuple[Document, dict[str, Any], list[tuple[str, tuple[str, ...]]]]] = (
        (bea, {"confirmNumber": "C-0"}, [("INVALID", ("confirmNumber",))]),
        (bea, {"reason": " "}, [("INVALID", ("reason",))]),
        (ada, {}, [("MERGE_IN_PROGRESS", ("customerId",))]),
        (other, {}, [("CUSTOMER_MERGED", ("customerId",))]),
        (closed, {}, [("CUSTOMER_CLOSED", ("customerId",))]),
    )
    before = await _all(store)
    for who, given, codes in cases:
        assert _codes(await _anonymise(ask, who, **given)) == codes
    after = await _all(store)
    assert {name for name, rows in after.items() if rows != before[name]} <= {"audit", "counters"}
    blockers = (await ask(PREVIEW, id=ada["_id"]))["data"]["previewAnonymise"]["blockers"]
    assert [each["code"] for each in blockers] == ["MERGE_IN_PROGRESS"]


async def test_a_preview_counts_the_rows(ask: Ask, world: World) -> None:
    ada = await world.customer()
    await world.activity(ada)
    await world.ledger(ada, points.earn(points.empty(), 5, now=ago(days=1)))
    preview = (await ask(PREVIEW, id=ada["_id"]))["data"]["previewAnonymise"]
    assert preview["blockers"] == []
    counts = {each["list"]: each["kept"] for each in preview["counts"] if each["kept"] or each["erased"]}
    assert counts == {"activities": 1, "points": 1}


async def test_accounts_that_were_merged_into_theirs_are_erased_with_them(ask: Ask, world: World, store: Store) -> None:
    gone = await world.customer(name="Ada Before", status="MERGED")
    ada = await world.customer(mergedFromIds=[gone["_id"]])
    await world.status(gone, reason="Ada Before was a duplicate")
    await _anonymise(ask, ada)
    await Eraser(store).once()
    assert "Ada Before" not in json.dumps(await _all(store), default=str)


@pytest.mark.parametrize("role", sorted(STAFF - PERMITTED[Permission.ANONYMISE_CUSTOMER]))
async def test_others_may_not_erase(role: Role, ask: Ask, world: World) -> None:
    ada = await world.customer()
    given = {"customerId": ada["_id"], "confirmNumber": ada["number"], "reason": "x", "idempotencyKey": "k"}
    for query, asked in ((ANONYMISE, {"input": given}), (PREVIEW, {"id": ada["_id"]})):
        answer = await ask(query, token=token(role), **asked)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
