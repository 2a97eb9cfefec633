"""Nested values of activities, such as the lines of an order: kept exactly, shown, bounded, as private as others."""

import json
from decimal import Decimal
from typing import Any

import pytest

from app.domain.access import Role
from app.store.driver import Store
from app.store.personal import without_personal
from tests.support.gateway import Ask
from tests.support.import_lines import ADA, Bring, activity, customer, only
from tests.support.tokens import token

LINES = '[{"sku":"MUG-2","quantity":2,"price":12.50,"tax":{"rate":0.1900000000000000000001,"of":["DE",null]}}]'
SHOWN = """{ customer(by: {number: "1001"}) { activities { nodes { id attribute(name: "lines")
  attributes { name kind value values money { amount } } } } } }"""


def as_line(attributes: str) -> bytes:
    """Writes the line of an activity with these attributes, as its source has written them."""
    return (
        json.dumps(activity("A-1", type="ORDER_CREATED", attributes={}))
        .replace('"attributes": {}', f'"attributes": {attributes}')
        .encode()
    )


async def test_nested_values_are_kept_exactly_and_shown(ask: Ask, bring: Bring, store: Store) -> None:
    line = as_line(f'{{"lines": {LINES}, "empty": {{}}, "sizes": [38, 39.0], "colours": ["red"]}}')
    run = await bring(customer(), line)
    assert run.rejects == []
    stored = (await only(store, "activities"))["attributes"]
    assert stored == {"lines": LINES, "empty": "{}", "sizes": "[38,39.0]", "colours": ["red"]}
    assert json.loads(stored["lines"], parse_float=Decimal)[0]["price"].as_tuple().digits == (1, 2, 5, 0)
    [node] = (await ask(SHOWN))["data"]["customer"]["activities"]["nodes"]
    assert node["attribute"] == LINES
    shown = {each["name"]: (each["kind"], each["value"]) for each in node["attributes"]}
    assert shown == {
        "lines": ("JSON", LINES),
        "empty": ("JSON", "{}"),
        "sizes": ("JSON", "[38,39.0]"),
        "colours": ("LIST", "red"),
    }
    assert (await bring(line)).totals == {"UNCHANGED": 1}
    changed = await bring(line.replace(b"12.50", b"12.51"))
    assert "with other content (attributes)" in changed.reasons[1]


@pytest.mark.parametrize(
    "value",
    [
        {"wide": "x" * 16_000},
        json.loads("[" * 21 + "]" * 21),
        {"amount": 12.5, "currency": "Euro"},
    ],
    ids=["wide", "deep", "money"],
)
async def test_what_is_too_much_is_rejected_with_its_name(bring: Bring, value: Any) -> None:
    run = await bring(customer(), activity("A-1", attributes={"lines": value}))
    assert run.reasons[2].startswith("attributes.lines must be text on one line, a number, true or false, a list of ")
    assert run.reasons[2].endswith("or a JSON object or list of at most 16,000 characters, at most 20 deep.")


async def test_a_card_number_inside_is_found(bring: Bring) -> None:
    run = await bring(customer(), activity("A-1", attributes={"lines": [{"paid": {"with": "4111 1111 1111 1111"}}]}))
    assert run.reasons == {2: "attributes.lines.0.paid.with holds the number of a card."}
    assert "4111" not in run.rejects[0].input


async def test_nested_values_are_personal_unless_a_catalogue_says_otherwise(
    ask: Ask, bring: Bring, store: Store
) -> None:
    await bring(customer(affiliateId="aff"), as_line(f'{{"lines": {LINES}}}'))
    [node] = (await ask(SHOWN, token=token(Role.AFFILIATE, affiliate_id="aff")))["data"]["customer"]["activities"][
        "nodes"
    ]
    assert node["attributes"] == []
    [node] = (await ask(SHOWN, token=token(Role.CUSTOMER, customer_id=ADA)))["data"]["customer"]["activities"]["nodes"]
    assert node["attribute"] == LINES
    assert without_personal("activities", await only(store, "activities"))["attributes"] == {}
