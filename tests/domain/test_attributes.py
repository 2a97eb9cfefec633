"""The forms of attribute values: raw, text and JSON."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalogue.model import AttributeKind, CatalogueAttribute
from app.domain.attributes import Amount, AttributeProblems, Raw, items, kind_of, label_of, parse, parse_all, to_text

K = AttributeKind

# The characters that separators, quoting and encodings trip over; hypothesis' whole Unicode takes seconds to load.
texts = st.text(st.sampled_from('aZ0 ,.-:"\\\u00e9\u0661\u2028\U0001f600'))
# Up to 34 plain digits, written with an exponent where Decimal likes to.
decimals = st.builds(Decimal, st.integers(-(10**20), 10**20)).flatmap(
    lambda number: st.integers(-13, 13).map(number.scaleb)
)
moments = st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
RAWS: dict[AttributeKind, st.SearchStrategy[Raw]] = {
    K.TEXT: texts,
    K.INTEGER: st.integers(-(2**63), 2**63 - 1),
    K.DECIMAL: decimals,
    K.MONEY: st.builds(Amount, amount=decimals, currency=st.sampled_from(["EUR", "JPY", "XXX"])),
    K.BOOLEAN: st.booleans(),
    K.DATE: st.dates().map(date.isoformat),
    K.DATETIME: moments,
    K.JSON: (st.lists(texts) | st.dictionaries(texts, texts | st.integers() | st.none())).map(
        lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    ),
    K.LIST: st.lists(texts.filter(lambda item: item and ", " not in item)),
}
raws = st.sampled_from(AttributeKind).flatmap(lambda kind: st.tuples(st.just(kind), RAWS[kind]))


@given(raws)
def test_the_text_of_a_value_reads_back_as_the_value(kind_and_raw: tuple[AttributeKind, Raw]) -> None:
    kind, raw = kind_and_raw
    assert parse(kind, to_text(raw)) == raw


@given(raws)
def test_a_raw_value_reads_as_itself(kind_and_raw: tuple[AttributeKind, Raw]) -> None:
    kind, raw = kind_and_raw
    assert parse(kind, raw) == raw


@given(raws)
def test_a_value_shows_its_kind(kind_and_raw: tuple[AttributeKind, Raw]) -> None:
    kind, raw = kind_and_raw
    assert kind_of(raw) == kind or (kind, kind_of(raw)) in ((K.TEXT, K.DATE), (K.TEXT, K.JSON))


@given(decimals)
def test_a_decimal_is_never_written_with_an_exponent(number: Decimal) -> None:
    assert "E" not in to_text(number)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Ada", "Ada"),
        (-12, "-12"),
        (Decimal("1E+3"), "1000"),
        ({"amount": Decimal("12.50"), "currency": "EUR"}, "12.50 EUR"),
        (True, "true"),
        (False, "false"),
        ("2024-02-29", "2024-02-29"),
        (datetime(2024, 2, 29, 12, 30, tzinfo=UTC), "2024-02-29T12:30:00.000Z"),
        (datetime(2024, 2, 29, 12, 30, tzinfo=timezone(timedelta(hours=2))), "2024-02-29T10:30:00.000Z"),
        (["street", "city"], "street, city"),
        ([], ""),
    ],
)
def test_each_kind_has_one_canonical_text(raw: Raw, text: str) -> None:
    assert to_text(raw) == text


@pytest.mark.parametrize(
    ("kind", "value", "raw"),
    [
        (K.DECIMAL, 12, Decimal(12)),
        (K.DECIMAL, 0.1, Decimal("0.1")),
        (K.MONEY, {"amount": "12.50", "currency": "EUR"}, {"amount": Decimal("12.50"), "currency": "EUR"}),
        (K.MONEY, {"amount": 12, "currency": "EUR"}, {"amount": Decimal(12), "currency": "EUR"}),
        (K.DATETIME, "2024-02-29T12:30:00+02:00", datetime(2024, 2, 29, 10, 30, tzinfo=UTC)),
        (K.DATETIME, "2024-02-29T12:30:00.123999Z", datetime(2024, 2, 29, 12, 30, 0, 123000, tzinfo=UTC)),
        (K.LIST, ["Berlin, Germany"], ["Berlin, Germany"]),
        (K.LIST, "Berlin, Germany", ["Berlin", "Germany"]),
    ],
)
def test_the_natural_json_form_is_read(kind: AttributeKind, value: object, raw: Raw) -> None:
    assert parse(kind, value) == raw


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (K.TEXT, "a\x00b"),
        (K.TEXT, "a\nb"),
        (K.TEXT, "\ud800"),
        (K.TEXT, 12),
        (K.INTEGER, True),
        (K.INTEGER, 1.0),
        (K.INTEGER, "1.0"),
        (K.INTEGER, " 1"),
        (K.INTEGER, "\u0661"),
        (K.INTEGER, 2**63),
        (K.INTEGER, str(-(2**63) - 1)),
        (K.DECIMAL, "NaN"),
        (K.DECIMAL, float("nan")),
        (K.DECIMAL, float("inf")),
        (K.DECIMAL, Decimal("-Infinity")),
        (K.DECIMAL, True),
        (K.DECIMAL, "1e3"),
        (K.DECIMAL, Decimal("1E+6000")),
        (K.DECIMAL, Decimal("1E-6000")),
        (K.DECIMAL, "1" * 35),
        (K.MONEY, 12.5),
        (K.MONEY, "12.50"),
        (K.MONEY, "12.50 eur"),
        (K.MONEY, "12.50 EURO"),
        (K.MONEY, "NaN EUR"),
        (K.MONEY, {"amount": 12.5, "currency": "EUR"}),
        (K.MONEY, {"amount": True, "currency": "EUR"}),
        (K.MONEY, {"amount": "12.50"}),
        (K.MONEY, {"amount": "12.50", "currency": "EUR", "vat": "2.00"}),
        (K.BOOLEAN, 1),
        (K.BOOLEAN, "yes"),
        (K.DATE, "2023-02-29"),
        (K.DATE, "20240229"),
        (K.DATE, "2024-02-29T00:00:00Z"),
        (K.DATETIME, "2024-02-29T12:30:00"),
        (K.DATETIME, "2024-02-29"),
        (K.DATETIME, "0001-01-01T00:00:00+14:00"),
        (K.DATETIME, 1709209800),
        (K.LIST, ["street", 1]),
        (K.LIST, ["street", ""]),
        (K.LIST, "street, , city"),
        (K.LIST, {"street": "city"}),
    ],
)
def test_what_a_kind_cannot_hold_is_refused_in_one_sentence(kind: AttributeKind, value: object) -> None:
    with pytest.raises(ValueError, match=r"^The value must be .+\.$"):
        parse(kind, value)


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(ValueError, match="whole number") as refused:
        parse(K.INTEGER, "4111 1111 1111 1111")
    assert "4111" not in str(refused.value)


def test_only_a_list_has_items() -> None:
    assert items(["street", "city"]) == ["street", "city"]
    assert items("street, city") is None


@pytest.mark.parametrize("value", [None, {"nested": "document"}, b"bytes"])
def test_a_value_of_no_kind_is_an_error(value: object) -> None:
    with pytest.raises(TypeError):
        kind_of(value)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("dibsAcquirerResponseCode", "Dibs acquirer response code"),
        ("order_id", "Order id"),
        ("maskedPAN", "Masked PAN"),
        ("URLShared", "URL shared"),
        ("address2Line", "Address2 line"),
        ("from", "From"),
        ("_", "_"),
        ("", ""),
    ],
)
def test_a_name_becomes_a_label(name: str, label: str) -> None:
    assert label_of(name) == label


BILL_DAYS = (
    CatalogueAttribute("billDayFrom", "Bill day from", K.INTEGER, between=(1, 31)),
    CatalogueAttribute("billDayTo", "Bill day to", K.INTEGER, between=(1, 31)),
    CatalogueAttribute("reference", "Reference", required=False),
)


def test_attributes_are_read_by_their_definitions() -> None:
    assert parse_all(BILL_DAYS, {"billDayTo": "31", "billDayFrom": 1}) == {"billDayFrom": 1, "billDayTo": 31}


def test_null_counts_as_not_given() -> None:
    given = {"billDayFrom": 1, "billDayTo": 31, "reference": None}
    assert parse_all(BILL_DAYS, given) == {"billDayFrom": 1, "billDayTo": 31}


def test_everything_wrong_is_named_at_once() -> None:
    with pytest.raises(AttributeProblems) as refused:
        parse_all(BILL_DAYS, {"billDayFrom": 32, "reference": 7, "bilDayTo": 2, "zzz": 1})
    assert refused.value.problems == [
        ("billDayFrom", "billDayFrom must be a whole number from 1 to 31."),
        ("billDayTo", "billDayTo is required."),
        ("reference", "reference must be text of at most 1,000 characters, without control characters."),
        ("bilDayTo", "bilDayTo is unknown; did you mean billDayTo?"),
        ("zzz", "zzz is unknown."),
    ]
    assert str(refused.value).startswith("billDayFrom must be a whole number from 1 to 31. billDayTo is required.")


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        (AttributeKind.TEXT, "x" * 1_000),
        (AttributeKind.LIST, ["x" * 1_000] * 100),
        (AttributeKind.INTEGER, "9" * 18),
        (AttributeKind.DECIMAL, "9" * 34),
        (AttributeKind.MONEY, "9" * 34 + " EUR"),
    ],
)
def test_a_value_has_a_longest(kind: AttributeKind, most: str | list[str]) -> None:
    parse(kind, most)
    for longer in (
        [[*most, "x"], [*most[1:], "x" * 1_001]] if isinstance(most, list) else ["9" + most, most + "9" * 950_000]
    ):
        with pytest.raises(ValueError, match="The value must be"):
            parse(kind, longer)


@pytest.mark.parametrize("text", ["[" * 4_000 + "]" * 4_000, '{"a":' * 2_000 + "1" + "}" * 2_000, "[1e400]", '"text"'])
def test_what_is_no_json_that_can_be_kept_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        parse(K.JSON, text)


def test_the_numbers_of_json_stay_as_exact_as_they_came() -> None:
    text = (
        '{"lines":[{"price":12.50,"rate":0.1234567890123456789,"count":12345678901234567890,"big":1E+3}],"none":null}'
    )
    assert parse(K.JSON, text) == text
    assert parse(K.JSON, json.loads(text, parse_float=Decimal)) == text
    assert kind_of(text) == K.JSON
    assert kind_of("[sic]") == K.TEXT


def test_json_is_at_most_twenty_deep() -> None:
    assert parse(K.JSON, "[" * 20 + "]" * 20) == "[" * 20 + "]" * 20
    with pytest.raises(ValueError, match="at most 20 deep"):
        parse(K.JSON, "[" * 21 + "]" * 21)
