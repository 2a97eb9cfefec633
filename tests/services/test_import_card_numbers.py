"""No line that holds a card number comes in: it is neither stored, nor parked, nor repeated in the rejects file.

Generated from the shapes of lines, and from every text of the examples.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.domain import card_numbers
from app.domain.import_lines import LINE_SHAPES
from app.services.importing import LineOutcome
from app.store.driver import Store
from app.store.schema import COLLECTIONS
from tests.support.import_lines import Bring, activity, customer

CARD = "5555 5555 5555 4444"
STARS = "**** **** **** ****"
EXAMPLES: list[dict[str, Any]] = [
    json.loads(line)
    for file in sorted(Path("examples/import").glob("*.ndjson"))
    for line in file.read_text().splitlines()
]


def texts(value: Any, *place: str | int) -> Iterator[tuple[str | int, ...]]:
    """Yields where the texts of a line are."""
    match value:
        case str():
            yield place
        case dict():
            for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType] # of JSON
                yield from texts(inner, *place, key)  # pyright: ignore[reportUnknownArgumentType] # of JSON
        case list():
            for at, inner in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] # of JSON
                yield from texts(inner, *place, at)
        case _:
            pass


def planted(line: dict[str, Any], place: tuple[str | int, ...], text: str) -> dict[str, Any]:
    changed: Any = copy.deepcopy(line)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = text
    return changed


async def is_stored(store: Store, text: str) -> bool:
    return any([text in str(await store.find(each, {})) for each in COLLECTIONS])


@pytest.mark.parametrize("kind", LINE_SHAPES)
async def test_no_key_of_a_kind_takes_one(kind: str, bring: Bring, store: Store) -> None:
    shape = LINE_SHAPES[kind]
    keys = [*shape.required, *shape.optional]
    run = await bring(*({"kind": kind, key: f"No. {CARD}."} for key in keys))
    assert run.reasons == {at: f"{key} holds the number of a card." for at, key in enumerate(keys, start=1)}
    assert [json.loads(reject.input) for reject in run.rejects] == [
        {"kind": kind, key: f"No. {STARS}."} for key in keys
    ]
    assert not await is_stored(store, CARD)


async def test_no_text_of_the_examples_takes_one(bring: Bring, store: Store) -> None:
    planted_ = [(place, planted(line, place, CARD)) for line in EXAMPLES for place in texts(line) if place != ("kind",)]
    assert {line["kind"] for _, line in planted_} == {*LINE_SHAPES}
    run = await bring(*(line for _, line in planted_))
    assert run.totals == {LineOutcome.REJECTED: len(planted_)}
    assert run.reasons == {
        at: f"{'.'.join(map(str, place))} holds the number of a card."
        for at, (place, _) in enumerate(planted_, start=1)
    }
    assert not [reject for reject in run.rejects if CARD in reject.input]
    assert not await is_stored(store, CARD)


async def test_all_places_of_a_line_are_named_and_nothing_else_is_said_of_it(bring: Bring) -> None:
    line = {**customer(name=CARD, nmae=CARD), CARD: 1, "paymentCount": 5555555555554444, "kind": "customer"}
    run = await bring(line)
    assert run.reasons[1].split(". ") == [
        "name holds the number of a card",
        "nmae holds the number of a card",
        "The line holds the number of a card",
        "paymentCount holds the number of a card.",
    ]
    [reject] = run.rejects
    assert "5555" not in reject.input
    assert json.loads(reject.input)["number"] == "1001"


@pytest.mark.parametrize(
    "line",
    [f'{{"kind": "customer", "name": "{CARD}"'.encode(), f'["{CARD}"]'.encode(), f"\xff {CARD}".encode("latin-1")],
    ids=["no JSON", "no object", "no UTF-8"],
)
async def test_a_line_that_cannot_be_read_is_not_repeated_either(line: bytes, bring: Bring) -> None:
    run = await bring(line)
    [reject] = run.rejects
    assert "5555" not in reject.input
    assert STARS in reject.input


async def test_a_line_that_would_wait_for_its_customer_is_rejected_and_not_parked(bring: Bring, store: Store) -> None:
    run = await bring(activity("a", of="lost/1", message=CARD), activity("b", of="lost/1", message="Cash"))
    assert run.totals == {LineOutcome.REJECTED: 1, LineOutcome.PARKED: 1}
    assert not await is_stored(store, CARD)


async def test_numbers_of_no_issuer_come_in_where_numbers_are_ordinary(bring: Bring) -> None:
    """Each passes Luhn's check, as one in ten does."""
    phone, siret = "+49 1512 3456787", "73282932000074"
    run = await bring(
        customer(siret, id=siret, name="Ada", phones=[{"value": phone}, {"value": "4915123456787"}]),
        activity("1000000000000008", of=f"esuite/{siret}", message=f"Called {phone}."),
        activity("b", of=f"esuite/{siret}", message="411111******1111", attributes={"trackingNumber": siret}),
    )
    assert run.reasons == {}
    assert run.totals == {LineOutcome.IMPORTED: 3}


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_text_that_is_seen_through_at_once_holds_no_card_number(ascii_only: bool) -> None:
    """The short cut may only be taken where the whole check finds nothing."""
    hidden = [
        CARD,
        f"\n{CARD}\t",
        f"é {CARD}",
        4111111111111111,
        4.111111111111111e15,
        4111111111111111.0,
        "５５５５555555554444",
    ]
    for value in hidden:
        for given in ({"message": value}, {"message": [value]}, {f"{value}": "x"}):
            if [*card_numbers.places_of(given)]:
                assert card_numbers.may_hold(json.dumps(given, ensure_ascii=ascii_only))
    assert not card_numbers.may_hold('{"id": "C-2041", "occurredAt": "2024-03-01T06:00:11.250+01:00"}')
