"""Customers who are created and edited here: patches, faults, who comes first, and whom they resemble."""

import asyncio
from typing import Any

import pytest

from app.domain.access import PERMITTED, Permission, Role
from app.domain.search import search_copies
from app.store.driver import Document, Store
from tests.support.gateway import Ask
from tests.support.mutations import CREATE_CUSTOMER, UPDATE_CUSTOMER
from tests.support.tokens import token
from tests.support.world import WHOLE, World

ADA: dict[str, Any] = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "organization": "Analytical Engines",
    "jobTitle": "Countess",
    "dateOfBirth": "1815-12-10",
    "website": "https://example.com",
    "locale": "en-GB",
    "emails": [{"value": "Ada@Example.com"}, {"value": "work@example.com", "label": "work", "primary": True}],
    "phones": [{"value": "+44 20 7946 0000", "label": "home"}],
    "billingAddress": {"line1": "12 St James's Square", "city": "London", "postalCode": "SW1Y 4JH", "country": "GB"},
}


async def _create(ask: Ask, key: str = "k", **given: Any) -> dict[str, Any]:
    answer = await ask(CREATE_CUSTOMER, input={**given, "idempotencyKey": key})
    assert "errors" not in answer, answer
    return answer["data"]["createCustomer"]


async def _update(ask: Ask, customer: Document | str, key: str = "u", **given: Any) -> dict[str, Any]:
    node_id = customer if isinstance(customer, str) else customer["_id"]
    answer = await ask(UPDATE_CUSTOMER, input={"customerId": node_id, "idempotencyKey": key, **given})
    assert "errors" not in answer, answer
    return answer["data"]["updateCustomer"]


def _codes(payload: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    return [(error["code"], tuple(error["field"])) for error in payload["userErrors"]]


# ---------------------------------------------------------------- created


async def test_a_customer_is_created_with_all_that_is_given_and_one_activity(ask: Ask, store: Store) -> None:
    payload = await _create(ask, **ADA, identity={"source": "shop", "id": "77"})
    customer = payload["customer"]
    assert payload["userErrors"] == []
    assert {key: customer[key] for key in ADA if key not in ("emails", "phones", "billingAddress")} == {
        key: value for key, value in ADA.items() if key not in ("emails", "phones", "billingAddress")
    }
    assert customer["name"] == "Ada Lovelace"
    assert customer["email"] == "work@example.com"
    assert [(each["value"], each["primary"]) for each in customer["emails"]] == [
        ("work@example.com", True),
        ("Ada@example.com", False),
    ]
    assert customer["phones"] == [{"value": "+44 20 7946 0000", "label": "home", "primary": True}]
    assert customer["country"] == "GB"
    assert customer["identities"] == [{"source": "shop", "externalId": "77"}]
    assert payload["activity"]["type"] == "CUSTOMER_CREATED"
    [stored] = await store.find("customers", {})
    assert {key: value for key, value in stored.items() if key in search_copies(stored)} == search_copies(stored)
    found = (await ask('{ customer(by: {email: "work@example.com"}) { id number } }'))["data"]["customer"]
    assert found["id"] == customer["id"]
    assert found["number"].startswith("G")
    assert len(await store.find("activities", {})) == 1


async def test_a_customer_is_created_once_for_a_key_however_often_and_at_once_it_is_sent(
    ask: Ask, store: Store
) -> None:
    payloads = await asyncio.gather(*(_create(ask, firstName="Ada") for _ in range(6)))
    assert len({payload["customer"]["id"] for payload in payloads}) == 1
    assert len(await store.find("customers", {})) == len(await store.find("activities", {})) == 1
    other = await _create(ask, firstName="Grace")
    assert _codes(other) == [("IDEMPOTENCY_CONFLICT", ("idempotencyKey",))]
    assert len(await store.find("customers", {})) == 1


async def test_one_of_many_gets_a_number_or_an_identity_and_the_others_are_told(ask: Ask, store: Store) -> None:
    given = {"firstName": "Ada", "number": "100", "identity": {"source": "shop", "id": "1"}}
    payloads = await asyncio.gather(*(_create(ask, f"{at}", **given) for at in range(5)))
    assert sorted(_codes(payload) for payload in payloads) == [[], *[[("NUMBER_TAKEN", ("number",))]] * 4]
    taken = await _create(ask, "x", **{**given, "number": "101"})
    assert _codes(taken) == [("IDENTITY_TAKEN", ("identity",))]
    assert len(await store.find("customers", {})) == 1


FAULTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "no name": ({}, ("name",)),
    "an empty name": ({"name": " \u200b"}, ("name",)),
    "a long first name": ({"firstName": "x" * 46}, ("firstName",)),
    "a long organization": ({"organization": "x" * 256}, ("organization",)),
    "a birth in the future": ({"name": "A", "dateOfBirth": "2999-01-01"}, ("dateOfBirth",)),
    "two primaries": (
        {"name": "A", "emails": [{"value": "a@b.co", "primary": True}, {"value": "c@b.co", "primary": True}]},
        ("emails",),
    ),
    "one address twice": ({"name": "A", "emails": [{"value": "a@b.co"}, {"value": "A@B.co"}]}, ("emails",)),
    "no address": ({"name": "A", "emails": [{"value": "a@b.co"}, {"value": "nobody"}]}, ("emails", "1", "value")),
    "a long label": ({"name": "A", "phones": [{"value": "12345", "label": "x" * 46}]}, ("phones", "0", "label")),
    "no phone": ({"name": "A", "phones": [{"value": "call me"}]}, ("phones", "0", "value")),
    "a long postal code": ({"name": "A", "billingAddress": {"postalCode": "1" * 11}}, ("billingAddress", "postalCode")),
    "a country's name": ({"name": "A", "billingAddress": {"country": "Norway"}}, ("billingAddress", "country")),
    "a small country": ({"name": "A", "country": "no"}, ("country",)),
    "no language": ({"name": "A", "locale": "German"}, ("locale",)),
    "a script": ({"name": "A", "website": "javascript:alert(1)"}, ("website",)),
    "our own name": ({"name": "A", "identity": {"source": "Platform", "id": "1"}}, ("identity", "source")),
    "a broken number": ({"name": "A", "number": "1\n2"}, ("number",)),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_a_new_customer_is_told_at_its_field_and_nothing_is_written(
    fault: str, ask: Ask, store: Store
) -> None:
    given, field = FAULTS[fault]
    payload = await _create(ask, **given)
    assert _codes(payload) == [("INVALID", field)]
    assert payload["customer"] is None
    assert await store.find("customers", {}) == await store.find("activities", {}) == []
    [row] = await store.find("audit", {})
    assert row["outcome"] == "REFUSED"


async def test_all_faults_come_at_once(ask: Ask) -> None:
    payload = await _create(ask, "", dateOfBirth="2999-01-01", country="x", emails=[{"value": "a"}, {"value": "b"}])
    assert {field for _, field in _codes(payload)} == {
        ("dateOfBirth",),
        ("country",),
        ("emails", "0", "value"),
        ("emails", "1", "value"),
        ("idempotencyKey",),
    }


# ---------------------------------------------------------------- edited


async def test_an_edit_changes_what_it_names_clears_what_is_null_and_tells_from_and_to(ask: Ask, world: World) -> None:
    ada = await world.customer(**{**WHOLE, "name": "Ada Lovelace"})
    phones = [{"value": "+47 91 23 45 67", "label": "mobile"}]
    payload = await _update(ask, ada, jobTitle=None, lastName="King", phones=phones, emails=None, website=None)
    customer = payload["customer"]
    assert (customer["jobTitle"], customer["lastName"], customer["emails"]) == (None, "King", [])
    assert (customer["email"], customer["website"], customer["firstName"]) == (None, None, "Ada")
    assert customer["name"] == "Ada King"  # made of the others, it follows them
    assert payload["activity"]["changes"] == [
        {"field": "name", "from": "Ada Lovelace", "to": "Ada King"},
        {"field": "lastName", "from": "Lovelace", "to": "King"},
        {"field": "jobTitle", "from": "Countess", "to": None},
        {"field": "website", "from": "https://example.com", "to": None},
        {"field": "emails", "from": "ada@example.com", "to": None},
        {"field": "phones", "from": "+44 20 7946 0000", "to": "+47 91 23 45 67"},
    ]
    [stored] = await world.store.find("customers", {})
    assert {key: stored[key] for key in stored if key.startswith("search")} == search_copies(stored)


async def test_a_name_that_somebody_gave_stays_when_others_change(ask: Ask, world: World) -> None:
    ada = await world.customer(firstName="Ada", lastName="Lovelace", name="The Countess")
    assert (await _update(ask, ada, lastName="King"))["customer"]["name"] == "The Countess"


async def test_an_edit_that_changes_nothing_writes_nothing(ask: Ask, world: World) -> None:
    ada = await world.customer(firstName="Ada")
    payload = await _update(ask, ada, firstName=" Ada ")
    assert (payload["userErrors"], payload["activity"]) == ([], None)
    assert payload["customer"]["firstName"] == "Ada"
    assert await world.store.find("activities", {}) == []


async def test_an_edit_of_what_was_changed_since_is_refused_with_the_customer_as_they_are(
    ask: Ask, world: World
) -> None:
    ada = await world.customer(firstName="Ada")
    first = await _update(ask, ada, "1", firstName="Augusta", expectedRevision=0)
    revision = first["customer"]["revision"]
    stale = await _update(ask, ada, "2", firstName="Adeline", expectedRevision=revision - 1)
    assert _codes(stale) == [("STALE", ("expectedRevision",))]
    assert (stale["customer"]["firstName"], stale["customer"]["revision"]) == ("Augusta", revision)
    note = "mutation ($i: AddNoteInput!) { addNote(input: $i) { userErrors { code } } }"
    await ask(note, i={"customerId": ada["_id"], "message": "Called.", "idempotencyKey": "n"})
    after = await _update(ask, ada, "3", firstName="Adeline", expectedRevision=revision)  # the note changes no detail
    assert after["customer"]["firstName"] == "Adeline"


async def test_of_many_who_edit_the_same_revision_one_comes_first(ask: Ask, world: World) -> None:
    ada = await world.customer(firstName="Ada")
    edits = (_update(ask, ada, f"{at}", firstName=f"Ada {at}", expectedRevision=0) for at in range(6))
    payloads = await asyncio.gather(*edits)
    assert sorted(_codes(payload) for payload in payloads) == [[], *[[("STALE", ("expectedRevision",))]] * 5]
    assert len(await world.store.find("activities", {})) == 1


@pytest.mark.parametrize("key", ["number", "name"])
async def test_what_every_customer_has_cannot_be_cleared(key: str, ask: Ask, world: World) -> None:
    cleared: dict[str, Any] = {key: None}
    assert _codes(await _update(ask, await world.customer(), **cleared)) == [("INVALID", (key,))]
    assert await world.store.find("activities", {}) == []


async def test_an_edit_of_nothing_or_to_anothers_number_is_refused(ask: Ask, world: World) -> None:
    ada, grace = await world.customer(), await world.customer()
    assert _codes(await _update(ask, ada)) == [("INVALID", ())]
    taken = await _update(ask, ada, "2", number=grace["number"])
    assert _codes(taken) == [("NUMBER_TAKEN", ("number",))]
    own = await _update(ask, ada, "3", number=ada["number"], firstName="Ada")
    assert _codes(own) == []


async def test_a_closed_account_is_not_edited(ask: Ask, world: World) -> None:
    gone = await world.customer(status="MERGED")
    assert _codes(await _update(ask, gone, firstName="Ada")) == [("CUSTOMER_CLOSED", ("customerId",))]


@pytest.mark.parametrize("role", list(Role))
async def test_only_those_with_the_permission_create_and_edit(role: Role, ask: Ask, world: World) -> None:
    ada = await world.customer(affiliateId="aff-7")
    own = token(role, customer_id=ada["_id"]) if role is Role.CUSTOMER else token(role)
    for query, permission, given in (
        (CREATE_CUSTOMER, Permission.CREATE_CUSTOMER, {"name": "Grace"}),
        (UPDATE_CUSTOMER, Permission.UPDATE_CUSTOMER, {"customerId": ada["_id"], "firstName": "Ada"}),
    ):
        answer = await ask(query, input={**given, "idempotencyKey": "k"}, token=own)
        refused = [error["extensions"]["code"] for error in answer.get("errors", [])]
        assert refused == ([] if role in PERMITTED[permission] else ["FORBIDDEN"]), role


# ---------------------------------------------------------------- duplicates


async def test_those_who_may_be_the_same_person_are_told_with_the_reason_most_in_common_first(
    ask: Ask, world: World
) -> None:
    email, phone = [{"value": "ada@example.com", "primary": True}], [{"value": "020 7946 0000", "primary": True}]
    both = await world.customer(emails=email, email="ada@example.com", phones=phone, country="GB")
    namesake = await world.customer(name="ADA LOVELÁCE", dateOfBirth="1815-12-10")
    await world.customer(name="Ada Lovelace", dateOfBirth="1999-01-01")
    await world.customer(email="ada@example.com", status="MERGED")
    payload = await _create(
        ask,
        firstName="Ada",
        lastName="Lovelace",
        dateOfBirth="1815-12-10",
        emails=[{"value": "ADA@example.com"}],
        phones=[{"value": "+44 20 7946 0000"}],
    )
    assert payload["customer"]["possibleDuplicates"] == [
        {"reasons": ["EMAIL", "PHONE"], "customer": {"id": both["_id"]}},
        {"reasons": ["NAME_AND_DATE_OF_BIRTH"], "customer": {"id": namesake["_id"]}},
    ]
    query = "query ($id: ID!) { customer(by: {id: $id}) { possibleDuplicates(first: 1) { reasons } } }"
    answer = await ask(query, id=payload["customer"]["id"])
    assert answer["data"]["customer"]["possibleDuplicates"] == [{"reasons": ["EMAIL", "PHONE"]}]
