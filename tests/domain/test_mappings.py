"""Mappings: values as other systems write them, exactly; and what is wrong with a mapping, before its first row."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.import_lines import LINE_SHAPES, LineKind
from app.domain.mappings import BadMapping, Habits, RowProblem, exact_line, read_mapping

BERLIN = Habits(zone=ZoneInfo("Europe/Berlin"), nulls=frozenset({"", "NULL"}))
MAPPING = """
system = "Shop"
source = "shop"
reads = "ndjson"
lines = '{kind: "transaction", id, amount: money(.total; .currency)}'
"""


def time_of(value: object, habits: Habits = BERLIN) -> Any:
    return exact_line({"occurredAt": value}, habits)["occurredAt"]


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        (1709272800, "2024-03-01T06:00:00.000Z"),
        ("1709272800", "2024-03-01T06:00:00.000Z"),
        ("1709272800.25", "2024-03-01T06:00:00.250Z"),
        (1709272800123, "2024-03-01T06:00:00.123Z"),
        (1709272800123456, "2024-03-01T06:00:00.123Z"),
        ("2024-03-01T06:00:00Z", "2024-03-01T06:00:00.000Z"),
        ("2024-03-01T06:00:00.123456789Z", "2024-03-01T06:00:00.123Z"),
        ("2024-03-01T06:00:00+05:30", "2024-03-01T00:30:00.000Z"),
        ("2024-03-01 06:00:00 +0100", "2024-03-01T05:00:00.000Z"),
        ("2024-03-01 06:00", "2024-03-01T05:00:00.000Z"),
        ("2024-07-01T06:00:00", "2024-07-01T04:00:00.000Z"),
        ("2024-07-01", "2024-06-30T22:00:00.000Z"),
        ("2024-10-27 02:30", "2024-10-27T00:30:00.000Z"),
    ],
)
def test_a_time_is_a_moment_however_it_is_written(given: object, moment: str) -> None:
    assert time_of(given) == moment


def test_a_form_of_its_own_is_read_before_any_other() -> None:
    habits = Habits(zone=ZoneInfo("America/Sao_Paulo"), times=["%m/%d/%Y %H:%M", "%Y%m%d"])
    assert time_of("1/2/2024 9:05", habits) == "2024-01-02T12:05:00.000Z"
    assert time_of("20240102", habits) == "2024-01-02T03:00:00.000Z"


def test_a_date_in_a_form_of_its_own_is_a_date_and_not_the_first_moment_of_its_day() -> None:
    """Points that expire on a date can be spent until that day ends."""
    habits = Habits(zone=ZoneInfo("Europe/Berlin"), times=["%d.%m.%Y %H:%M", "%d.%m.%Y"])
    given: Any = {"expiresAt": "01.03.2030", "dateOfBirth": "04.03.1980", "occurredAt": "01.03.2030"}
    assert exact_line(given, habits) == {
        "expiresAt": "2030-03-01",
        "dateOfBirth": "1980-03-04",
        "occurredAt": "2030-02-28T23:00:00.000Z",
    }
    assert exact_line({"expiresAt": "01.03.2030 06:00"}, habits) == {"expiresAt": "2030-03-01T05:00:00.000Z"}
    quote = {"type": "QUOTE_ISSUED", "attributes": {"expirationDate": "01.03.2030"}}
    assert exact_line(quote, habits)["attributes"] == {"expirationDate": "2030-03-01"}


@pytest.mark.parametrize("zone", ["UTC", "GMT"])
def test_a_zone_that_a_time_names_is_not_forgotten(zone: str) -> None:
    habits = Habits(zone=ZoneInfo("Europe/Berlin"), times=["%a, %d %b %Y %H:%M:%S %Z"])
    assert time_of(f"Fri, 01 Mar 2024 12:00:00 {zone}", habits) == "2024-03-01T12:00:00.000Z"


@pytest.mark.parametrize(
    ("given", "habits", "words"),
    [
        ("2024-03-31 02:30", BERLIN, "occurredAt: 2024-03-31 02:30 does not exist in Europe/Berlin"),
        ("2024-03-01 06:00", Habits(), "has no offset. Name the zone: --timezone Europe/Berlin, or `time_zone`."),
        ("yesterday", BERLIN, "occurredAt: yesterday is no time that the mapping knows; name its form in `times`."),
        ("2024-02-30", BERLIN, "is no time"),
        ("202403011200", BERLIN, "is no time that the mapping knows; name its form in `times`."),
        ("20240301120000", BERLIN, "is no time that the mapping knows; name its form in `times`."),
        ("2024-03-01 EST", Habits(times=["%Y-%m-%d %Z"]), "2024-03-01 EST "),
        ("2024-03-01T06:00:00+14:99", BERLIN, "is no time that the mapping knows; name its form in `times`."),
        ("2024-03-01T06:00:00-2400", BERLIN, "is no time that the mapping knows; name its form in `times`."),
    ],
)
def test_a_time_that_cannot_be_known_is_not_guessed(given: str, habits: Habits, words: str) -> None:
    with pytest.raises(RowProblem, match=None) as raised:
        time_of(given, habits)
    assert words in str(raised.value)


@pytest.mark.parametrize("key", ["occurredAt", "dateOfBirth", "expiresAt"])
def test_a_time_that_two_forms_read_differently_is_not_guessed(key: str) -> None:
    habits = Habits(zone=ZoneInfo("Europe/Berlin"), times=["%d/%m/%Y", "%m/%d/%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"])
    with pytest.raises(RowProblem) as raised:
        exact_line({key: "03/04/2024"}, habits)
    assert str(raised.value) == (
        f"{key}: 03/04/2024 is one time as %d/%m/%Y and another as %m/%d/%Y. Leave one of them in `times`, or tell "
        "them apart in `lines`."
    )
    assert exact_line({key: "13/04/2024"}, habits)[key].startswith("2024-04-1")
    assert exact_line({key: "04/04/2024"}, habits)[key].startswith("2024-04-0")
    if key == "occurredAt":
        with pytest.raises(RowProblem, match="03/04/2024 06:00 is one time as"):
            exact_line({key: "03/04/2024 06:00"}, habits)


@pytest.mark.parametrize(
    ("amount", "currency", "habits", "exact"),
    [
        (2490, "eur", Habits(minor=True), ("24.90", "EUR")),
        (2490, "jpy", Habits(minor=True), ("2490", "JPY")),
        (2490, "KWD", Habits(minor=True), ("2.490", "KWD")),
        ("-5", "USD", Habits(minor=True), ("-0.05", "USD")),
        (7, "XBT", Habits(minor=True, digits={"XBT": 8}), ("0.00000007", "XBT")),
        ("12.10", "USD", Habits(), ("12.10", "USD")),
        ("1,234,567.80", "USD", Habits(), ("1234567.80", "USD")),
        ("1'234.50", "CHF", Habits(), ("1234.50", "CHF")),
        ("1’234.50", "CHF", Habits(), ("1234.50", "CHF")),
        ("1’234,50", "CHF", Habits(comma=True), ("1234.50", "CHF")),
        ("(5.00)", "USD", Habits(), ("-5.00", "USD")),
        ("(1,234.50)", "USD", Habits(), ("-1234.50", "USD")),
        ("5.00-", "USD", Habits(), ("-5.00", "USD")),
        ("1.234,50 -", "EUR", Habits(comma=True), ("-1234.50", "EUR")),
        ("−5.00", "USD", Habits(), ("-5.00", "USD")),
        ("(5)", "USD", Habits(minor=True), ("-0.05", "USD")),
        (".5", "USD", Habits(), ("0.5", "USD")),
        ("1.234,50", "EUR", Habits(comma=True), ("1234.50", "EUR")),
        ("1 234,50", "NOK", Habits(comma=True), ("1234.50", "NOK")),
        ("- 1\u202f234\u00a0567,50", "EUR", Habits(comma=True), ("-1234567.50", "EUR")),
        ("1,250", "USD", Habits(minor=True), ("12.50", "USD")),
        ("1.250", "EUR", Habits(minor=True, comma=True), ("12.50", "EUR")),
    ],
)
def test_an_amount_is_exact(amount: object, currency: str, habits: Habits, exact: tuple[str, str]) -> None:
    line = exact_line({"amount": {"amount": amount, "currency": currency}}, habits)
    assert tuple(line["amount"].values()) == exact


@pytest.mark.parametrize(
    ("amount", "currency", "habits", "words"),
    [
        ("12,50", "EUR", Habits(), "12,50 is no amount whose decimals come after a point"),
        ("12.50", "EUR", Habits(comma=True), "12.50 is no amount whose decimals come after a comma"),
        ("1,23,456", "INR", Habits(), "is no amount"),
        ("49 99", "EUR", Habits(), "49 99 is no amount"),
        ("1'5", "CHF", Habits(), "1'5 is no amount"),
        (
            "1250.0",
            "USD",
            Habits(minor=True),
            "1250.0 has decimals, and `amounts` of the mapping says that amounts are",
        ),
        ("12,50", "EUR", Habits(minor=True, comma=True), "12,50 has decimals"),
        ("free", "EUR", Habits(), "free is no amount"),
        ("€5", "EUR", Habits(), 'Take a sign of a currency away in `lines`: money(.amount | ltrimstr("€"); "EUR").'),
        ("(-5.00)", "EUR", Habits(), "(-5.00) is no amount"),
        ("-5.00-", "EUR", Habits(), "-5.00- is no amount"),
        ("(5.00", "EUR", Habits(), "(5.00 is no amount"),
        ("1-2", "EUR", Habits(), "1-2 is no amount"),
        ("-", "EUR", Habits(), "- is no amount"),
        ("1", "XBT", Habits(), "the currency XBT is unknown; say how many digits it has in `currencies`."),
    ],
)
def test_an_amount_that_may_be_two_is_not_guessed(amount: str, currency: str, habits: Habits, words: str) -> None:
    with pytest.raises(RowProblem) as raised:
        exact_line({"amount": {"amount": amount, "currency": currency}}, habits)
    assert words in str(raised.value)


def test_ids_and_names_are_texts_on_one_line_and_nothing_is_left_out() -> None:
    given: Any = {
        "id": 207119551,
        "number": 7,
        "name": " Ada\n Lovelace ",
        "customer": {"source": "shop", "id": 5},
        "organization": "NULL",
        "email": None,
        "country": "no",
        "paymentCount": "3",
        "points": "250.0",
        "message": "Two\nlines",
        "tags": ["a ", None],
    }
    assert exact_line(given, BERLIN) == {
        "id": "207119551",
        "number": "7",
        "name": "Ada Lovelace",
        "customer": {"source": "shop", "id": "5"},
        "country": "NO",
        "paymentCount": 3,
        "points": 250,
        "message": "Two\nlines",
        "tags": ["a"],
    }


def test_attributes_are_of_the_kinds_of_the_catalogue() -> None:
    given = {
        "type": "QUOTE_ISSUED",
        "attributes": {"amount": {"amount": "5", "currency": "eur"}, "expirationDate": "2024-03-01T00:00"},
    }
    assert exact_line(given, BERLIN)["attributes"] == {
        "amount": {"amount": "5", "currency": "EUR"},
        "expirationDate": "2024-03-01",
    }
    assert exact_line({"type": "ORDER_CREATED", "attributes": {"orderId": 12, "other": 12}}, BERLIN)["attributes"] == {
        "orderId": "12",
        "other": 12,
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("reads =", "read ="), "read is unknown; did you mean reads?"),
        (('"ndjson"', '"ndjsn"'), "reads must be one of csv, tsv, ndjson, json; did you mean ndjson?"),
        (('source = "shop"', ""), "source is required, as a text."),
        (("{kind", "{{kind"), "lines is no program of jq: jq: error: syntax error"),
        (
            ('system = "Shop"', 'system = "Shop"\ntime_zone = "Berlin"'),
            "time_zone Berlin is no zone of the IANA database",
        ),
        (
            ('system = "Shop"', 'system = "Shop"\nonce = ["customers"]'),
            "once names customers, which is no kind of line.",
        ),
        (('system = "Shop"', 'system = "Shop"\ncurrencies = { X = "2" }'), "currencies must say the digits of each"),
        (('system = "Shop"', 'system = "Shop"\ndelimiter = "ab"'), "delimiter must be one character."),
        (('system = "Shop"', 'system = "Shop"\nnulls = "x"'), "nulls must be a list of texts."),
        (('system = "Shop"', "system = "), "It is not TOML"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_said_before_the_first_row(change: tuple[str, str], sentence: str) -> None:
    with pytest.raises(BadMapping) as raised:
        read_mapping(MAPPING.replace(*change))
    assert any(sentence in each for each in raised.value.sentences), raised.value.sentences


def test_a_mapping_makes_lines_of_a_row() -> None:
    made = read_mapping(MAPPING).mapped({"id": 2**60 + 1, "total": "5.00", "currency": "usd"})
    [line] = made.lines
    assert (line.kind, line.id) == ("transaction", "1152921504606846977")
    amount = {"amount": "5.00", "currency": "USD"}
    assert json.loads(line.text) == {"source": "shop", "kind": "transaction", "id": line.id, "amount": amount}


def test_what_no_row_can_be_is_said() -> None:
    with pytest.raises(RowProblem, match="The mapping cannot read this row: Cannot index"):
        read_mapping(MAPPING).mapped([1])
    with pytest.raises(RowProblem, match="which is no line"):
        read_mapping(MAPPING.replace("{kind", '"x", {kind')).mapped({})
    table = MAPPING + '[tables.status]\npaid = "ACCEPTED"\n'
    mapping = read_mapping(table.replace("id, ", 'id, status: (.status | word("status")), '))
    with pytest.raises(RowProblem, match="void is not in the table status of the mapping"):
        mapping.mapped({"id": 1, "status": "void"})


def test_every_kind_of_line_may_be_made() -> None:
    for kind in LineKind:
        assert exact_line({"kind": kind.value}, BERLIN) == {"kind": kind.value}
    assert len(LINE_SHAPES) == len(LineKind)
