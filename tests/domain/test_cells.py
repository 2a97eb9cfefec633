"""Cells of a file: what a spreadsheet reads back is what was written, and never a formula."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.access import Forbidden
from app.domain.cells import Layout, Separator, cell, head, lines, zone_of
from app.domain.refusals import BadUserInput
from app.domain.vocabulary import ExportFormat

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["=1", "-1", "+1", "@x", "\t=1", "\r\n=1", "", "+1-800-555", "+49 171-2345"]
)
FORMULA = re.compile(r"[=+\-@＝＋－＠]")
PHONE_NUMBER = re.compile(r"\+\d[\d\s()./-]{3,}")


def is_computed(text: str) -> bool:
    """Whether there is an operator between any two numbers of it, and so a sum."""
    numbers = re.split(r"[-/]+", re.sub(r"[\s()]+", " ", text.removeprefix("+")))
    return len(numbers) > 1 and all(re.fullmatch(r" ?\d+(\.\d+)? ?", number) for number in numbers)


def is_same_but_for_apostrophes(made: str, text: str) -> bool:
    """Whether ``made`` is the text with apostrophes put in."""
    rest = iter(made)
    return all(any(each == character or each != "'" for each in rest) for character in text) and (
        len(made) - len(text) == made.count("'") - text.count("'")
    )


ROWS = st.lists(st.lists(TEXT, min_size=1, max_size=5), min_size=1)


@given(ROWS, st.sampled_from(Separator), st.sampled_from(",;\t\r\n"))
def test_csv_read_back_is_the_text_and_no_formula_at_whatever_separator_it_is_split(
    rows: list[list[str]], separator: Separator, other: str
) -> None:
    rows, layout = [(row * 5)[:3] for row in rows], Layout(separator)
    names = ["a", "b", "c"]
    written = head(ExportFormat.CSV, names, layout) + lines(ExportFormat.CSV, names, rows, layout)
    between = {Separator.COMMA: ",", Separator.SEMICOLON: ";", Separator.TAB: "\t"}[separator]
    read = list(csv.reader(io.StringIO(written.decode(), newline=""), strict=True, delimiter=between))
    assert read[0] == names
    for texts, cells in zip(rows, read[1:], strict=True):
        assert all(map(is_same_but_for_apostrophes, cells, texts))
        pieces = [piece.lstrip(' "') for each in cells for piece in each.split(other)]
        formulas = [piece for piece in pieces if FORMULA.match(piece)]
        assert all(PHONE_NUMBER.fullmatch(piece) and not is_computed(piece) for piece in formulas)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1", "'=1"),
        ("a;=1", "a;'=1"),
        ("a,b\t@x", "a,b\t'@x"),
        ('a; "=1"', 'a; \'"=1"'),
        ("＝1", "'＝1"),
        ("a\n-1", "a\n'-1"),
        ("\tx", "'\tx"),
        ("a = b; c - d", "a = b; c - d"),
        ("it's", "it's"),
        ("+49 171 2345678", "+49 171 2345678"),
        ("+49 (0)171/234-56.78, +47 91 23 45 67", "+49 (0)171/234-56.78, +47 91 23 45 67"),
        ("+4917123456", "+4917123456"),
        ("+1 (800) 555-0100", "+1 (800) 555-0100"),
        ("+1-800-555", "'+1-800-555"),
        (" +49/171/(234) - 5", " '+49/171/(234) - 5"),
        ("+1.800.555-0100", "+1.800.555-0100"),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-5", "'-5"),
    ],
)
def test_a_formula_is_one_wherever_it_is_split_and_a_phone_number_is_none(text: str, written: str) -> None:
    assert cell(text) == written


def test_a_file_begins_with_the_mark_and_has_the_separator_and_the_zone_that_were_asked_for() -> None:
    layout = Layout(Separator.SEMICOLON, byte_order_mark=True, zone=zone_of("Europe/Berlin"))
    moment = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    assert head(ExportFormat.CSV, ["a", "b"], layout) == b"\xef\xbb\xbfa;b\r\n"
    assert lines(ExportFormat.CSV, ["a", "b"], [[moment, "x,y"]], layout) == b"2026-07-02T00:30:00.000+02:00;x,y\r\n"
    assert head(ExportFormat.NDJSON, ["a"], layout) == b""
    assert lines(ExportFormat.NDJSON, ["a"], [[moment]], layout) == b'{"a":"2026-07-02T00:30:00.000+02:00"}\n'


@pytest.mark.parametrize("name", ["", "Nowhere", "../etc/passwd", "/etc/passwd", "Europe", "x" * 5_000, "\0"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(BadUserInput, match="no time zone"):
        zone_of(name)


@given(st.lists(st.tuples(TEXT, st.none() | st.booleans() | st.integers(-(2**31), 2**31), st.lists(TEXT))))
def test_ndjson_read_back_is_what_was_written(rows: list[tuple[Any, ...]]) -> None:
    written = lines(ExportFormat.NDJSON, ["z", "a", "m"], rows)
    assert written.count(b"\n") == len(rows)
    read = [json.loads(line) for line in written.split(b"\n")[:-1]]
    assert [list(each) for each in read] == [["z", "a", "m"]] * len(rows)
    assert [tuple(each.values()) for each in read] == [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("value", "text", "json_"),
    [
        (None, "", None),
        (-5, "-5", -5),
        (Decimal("-12.50"), "-12.50", "-12.50"),
        ({"amount": Decimal("-12.50"), "currency": "EUR"}, "-12.50 EUR", "-12.50 EUR"),
        (True, "true", True),
        (datetime(2026, 1, 31, 9, 30, tzinfo=UTC), "2026-01-31T09:30:00.000Z", "2026-01-31T09:30:00.000Z"),
        ("-5", "'-5", "-5"),
        (["=a", "-b"], "'=a, '-b", ["=a", "-b"]),
        ([], "", []),
        (Forbidden("Not for you."), "", None),
    ],
)
def test_each_kind_of_value(value: Any, text: str, json_: Any) -> None:
    assert cell(value) == text
    assert json.loads(lines(ExportFormat.NDJSON, ["v"], [[value]])) == {"v": json_}


@pytest.mark.parametrize("format_", ExportFormat)
def test_what_no_kind_holds_is_an_error_and_no_guess(format_: ExportFormat) -> None:
    for odd in (object(), {"secret": 1}, b"bytes"):
        with pytest.raises(TypeError):
            lines(format_, ["v"], [[odd]])
