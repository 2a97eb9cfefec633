"""Card numbers are found however they are written, and other numbers are not."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from app.domain.card_numbers import holds_card_number, masked, places_of

ISSUED = (
    "4111111111111111",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "6011000990139424",
    "30569309025904",
    "3530111333300000",
    "6759649826438453",
    "6200000000000005",
)
WRITTEN = (
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111.1111.1111.1111",
    "3782 822463 10005",
    "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    "４１１１１１１１１１１１１１１１",
    "٤١١١١١١١١١١١١١١١",
    "4111\u00a01111\u20091111\u202f1111",
    "4111\u20111111\u20131111\u22121111",
    "41\u200b11\u00ad11\u206011\ufeff1111 1111",
    "④①①①①①①①①①①①①①①①",
)


def with_check_digit(digits: str) -> str:
    """Returns the digits with the one that makes them pass Luhn's check."""
    doubled = [sum(divmod(int(each) * (2 - place % 2), 10)) for place, each in enumerate(reversed(digits))]
    return f"{digits}{-sum(doubled) % 10}"


NUMBERS = st.text("0123456789", min_size=11, max_size=18).map(with_check_digit)
SURROUNDINGS = st.text(st.characters(exclude_categories=["Nd", "No", "Nl", "Cf", "Cs"]), max_size=20)
"""Texts without digits: those beside a number would belong to it."""


@st.composite
def grouped(draw: st.DrawFn, numbers: st.SearchStrategy[str]) -> str:
    """Draws a number in groups of four, as cards have it, or in one."""
    number, separator = draw(numbers), draw(st.sampled_from(["", " ", "-", "\u2013", "\u00a0"]))
    return separator.join(number[at : at + 4] for at in range(0, len(number), 4))


@given(SURROUNDINGS, grouped(NUMBERS), SURROUNDINGS)
@example("", "0000 0000 0000", "")
def test_a_number_that_passes_the_check_is_found_in_any_text(before: str, number: str, after: str) -> None:
    assume(not before.endswith("+"))
    assert holds_card_number(f"{before} {number} {after}".replace("+ ", "  "))


@given(SURROUNDINGS, grouped(st.sampled_from(ISSUED)), SURROUNDINGS)
def test_a_number_of_an_issuer_is_found_also_where_other_numbers_are_ordinary(
    before: str, number: str, after: str
) -> None:
    assert holds_card_number(f"{before}\n{number}\n{after}", numbered=True)


@given(SURROUNDINGS, grouped(NUMBERS), st.integers(1, 9), SURROUNDINGS)
def test_a_number_that_fails_the_check_is_not_found(before: str, number: str, more: int, after: str) -> None:
    wrong = f"{number[:-1]}{(int(number[-1]) + more) % 10}"
    parts = wrong.replace("\u2013", "-").replace("\u00a0", "-").replace(" ", "-").split("-")
    several = ["".join(parts[first:last]) for first in range(len(parts)) for last in range(first, len(parts) + 1)]
    assume(not any(holds_card_number(each, numbered=True) for each in several))  # a part that an issuer could have made
    assert not holds_card_number(f"{before}\n{wrong}\n{after}")


@pytest.mark.parametrize("number", [*ISSUED, *WRITTEN])
@pytest.mark.parametrize("numbered", [False, True], ids=["text", "numbered"])
@pytest.mark.parametrize(
    "around",
    ["{}", "card {}, 12/30", "{} 12/30 123", "{} 2026-11-27", "2026-11-27 {}", "{}@example.com", "cus_{}", "({})."],
)
def test_what_stands_around_a_number_does_not_hide_it(number: str, around: str, numbered: bool) -> None:
    assert holds_card_number(around.format(number), numbered=numbered)


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "41111111111",
        "a4111111111111111",
        "411111******1111",
        "41111111111111110000",
        "0" * 64,
        "DE89 3704 0044 0532 0130 00",
        "NO9386011117947",
        "192.168.100.209",
        "2026-11-27 18:00:16",
        "550e8400-4111-1111-8111-111111111111",
        "+49 1512 3456787",
        "1,234,567,890,123",
        "cus_2y6ucbqffk7okjiyhltsvcbf",
    ],
)
def test_other_numbers_are_none(text: str) -> None:
    assert not holds_card_number(text)


@pytest.mark.parametrize(
    "number",
    ["4915123456787", "004915123456787", "73282932000074", "1000000000000008", "350123451234567"],
    ids=["phone", "phone with zeros", "SIRET", "counter", "IMEI"],
)
def test_a_number_of_no_issuer_is_taken_where_numbers_are_ordinary_and_nowhere_else(number: str) -> None:
    assert with_check_digit(number[:-1]) == number
    assert not holds_card_number(number, numbered=True)
    assert holds_card_number(number)


CARD = ISSUED[0]


@pytest.mark.parametrize(
    ("said", "places", "stars"),
    [
        ({"name": CARD}, [("name",)], {"name": "*" * 16}),
        ({"a": [{"b": f"x {CARD} 12/30"}]}, [("a", "0", "b")], {"a": [{"b": f"x {'*' * 16} 12/30"}]}),
        ({"a": {CARD: 1}}, [("a",)], {"a": {"*" * 16: 1}}),
        ({CARD: 1}, [()], {"*" * 16: 1}),
        ({"a": int(CARD)}, [("a",)], {"a": "*" * 16}),
        ({"a": float(CARD)}, [("a",)], {"a": f"{'*' * 16}.0"}),
        ({"a": f"41\u200b{CARD[2:]}"}, [("a",)], {"a": f"**\u200b{'*' * 14}"}),
        ({"a": 12, "b": None, "c": True, "d": ["x"]}, [], {"a": 12, "b": None, "c": True, "d": ["x"]}),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_places_are_named_and_digits_become_stars(said: Any, places: Sequence[tuple[str, ...]], stars: Any) -> None:
    assert [*places_of(said)] == places
    assert masked(said) == stars


def test_no_line_of_the_examples_holds_one() -> None:
    examples = Path("examples/import")
    lines = [json.loads(line) for file in examples.rglob("*.ndjson") for line in file.read_text().splitlines()]
    rows = [row for file in examples.rglob("*.csv") for row in csv.DictReader(file.read_text().splitlines())]
    assert (len(lines) > 50, len(rows) > 5) == (True, True)
    assert [line for line in (*lines, *rows) if [*places_of(line)]] == []


def test_a_hostile_text_is_looked_through_once() -> None:
    assert not holds_card_number("9 1 " * 20_000)
    assert not holds_card_number("DE12 3456 7890 " * 10_000)
