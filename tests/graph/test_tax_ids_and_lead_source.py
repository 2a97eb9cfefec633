"""Tax ids, of which one is the default, and where a customer came from, of which the first answer is kept."""

from typing import Any

import pytest

from app.domain.changes import fingerprint
from app.store.driver import Document
from tests.support.gateway import Ask
from tests.support.mutations import ADD_TAX_ID, REMOVE_TAX_ID, SET_DEFAULT_TAX_ID, UPDATE_LEAD_SOURCE
from tests.support.world import World

VAT: dict[str, Any] = {"type": "EU_VAT", "value": "DE123456789"}
OTHER: dict[str, Any] = {"type": "OTHER", "value": "12-3456789"}


async def _change(ask: Ask, mutation: str, customer: Document, **given: Any) -> dict[str, Any]:
    key = fingerprint({"mutation": mutation, **given})
    answer = await ask(mutation, input={"customerId": customer["_id"], "idempotencyKey": key, **given})
    assert "errors" not in answer, answer
    (payload,) = answer["data"].values()
    return payload


def _tax_ids(payload: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(each["value"], each["isDefault"]) for each in payload["customer"]["taxIds"]]


async def test_one_of_the_tax_ids_is_always_the_default(ask: Ask, world: World) -> None:
    ada = await world.customer()
    first = await _change(ask, ADD_TAX_ID, ada, type="EU_VAT", value="de 123.456-789")
    assert _tax_ids(first) == [("DE123456789", True)]
    assert first["customer"]["taxIds"][0]["validity"] == "UNCHECKED"
    assert first["activity"]["changes"] == [{"field": "taxIds", "from": None, "to": "DE123456789"}]
    second = await _change(ask, ADD_TAX_ID, ada, **OTHER)
    assert _tax_ids(second) == [("DE123456789", True), ("12-3456789", False)]
    chosen = await _change(ask, SET_DEFAULT_TAX_ID, ada, **OTHER)
    assert _tax_ids(chosen) == [("DE123456789", False), ("12-3456789", True)]
    assert _tax_ids(await _change(ask, REMOVE_TAX_ID, ada, **OTHER)) == [("DE123456789", True)]
    assert _tax_ids(await _change(ask, REMOVE_TAX_ID, ada, **VAT)) == []
    [stored] = await world.store.find("customers", {"_id": ada["_id"]})
    assert "taxIds" not in stored
    assert len(await world.store.find("activities", {"type": "CUSTOMER_UPDATED"})) == 5


async def test_what_is_the_default_already_is_no_change(ask: Ask, world: World) -> None:
    ada = await world.customer()
    await _change(ask, ADD_TAX_ID, ada, **VAT)
    payload = await _change(ask, SET_DEFAULT_TAX_ID, ada, **VAT)
    assert (payload["userErrors"], payload["activity"]) == ([], None)


@pytest.mark.parametrize(
    ("mutation", "given", "code"),
    [
        (ADD_TAX_ID, {"type": "EU_VAT", "value": "123456789"}, "INVALID"),
        (ADD_TAX_ID, {"type": "EU_VAT", "value": "DE" + "1" * 13}, "INVALID"),
        (ADD_TAX_ID, {"type": "OTHER", "value": "1" * 51}, "INVALID"),
        (ADD_TAX_ID, {"type": "EU_VAT", "value": "AT U1234 5678"}, "INVALID"),
        (REMOVE_TAX_ID, VAT, "NOT_FOUND"),
        (SET_DEFAULT_TAX_ID, OTHER, "NOT_FOUND"),
    ],
)
async def test_a_tax_id_that_cannot_be_is_refused(
    mutation: str, given: dict[str, Any], code: str, ask: Ask, world: World
) -> None:
    present = {"type": "EU_VAT", "value": "ATU12345678", "isDefault": True, "validity": "VALID"}
    ada = await world.customer(taxIds=[present])
    payload = await _change(ask, mutation, ada, **given)
    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [(code, ["value"])]
    assert await world.store.find("activities", {}) == []


async def test_a_change_of_the_default_keeps_what_a_source_found_out(ask: Ask, world: World) -> None:
    present = {"type": "EU_VAT", "value": "ATU12345678", "isDefault": True, "validity": "VALID"}
    ada = await world.customer(taxIds=[present])
    payload = await _change(ask, ADD_TAX_ID, ada, **OTHER)
    assert [each["validity"] for each in payload["customer"]["taxIds"]] == ["VALID", "UNCHECKED"]


async def test_the_first_lead_source_is_kept_as_the_original_for_ever(ask: Ask, world: World) -> None:
    ada = await world.customer()
    first = await _change(ask, UPDATE_LEAD_SOURCE, ada, medium="search", source="google", term="tea")
    source = first["customer"]["leadSource"]
    assert (source["medium"], source["term"], source["campaign"]) == ("search", "tea", None)
    assert {key: source[key] for key in source["original"]} == source["original"]
    second = await _change(ask, UPDATE_LEAD_SOURCE, ada, medium="email", term=None)
    later = second["customer"]["leadSource"]
    assert (later["medium"], later["source"], later["term"]) == ("email", "google", None)
    assert later["original"] == source["original"]
    assert second["activity"]["changes"] == [
        {"field": "leadSource", "from": "search, google, tea", "to": "email, google"}
    ]
    cleared = await _change(ask, UPDATE_LEAD_SOURCE, ada, medium=None, source=None)
    assert cleared["customer"]["leadSource"]["original"] == source["original"]
    assert cleared["customer"]["leadSource"]["medium"] is None


async def test_faults_of_a_lead_source_come_at_once_and_one_of_nothing_is_refused(ask: Ask, world: World) -> None:
    ada = await world.customer()
    payload = await _change(ask, UPDATE_LEAD_SOURCE, ada, medium="x" * 513, path="\n", referrer="x" * 2_083)
    assert {error["field"][0] for error in payload["userErrors"]} == {"medium", "path"}
    assert [error["code"] for error in (await _change(ask, UPDATE_LEAD_SOURCE, ada))["userErrors"]] == ["INVALID"]
    assert await world.store.find("activities", {}) == []
