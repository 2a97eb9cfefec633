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
from app.domain.cells import cell, head, lines
from app.domain.vocabulary import ExportFormat

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["=1", "-1", "+1", "@x", "\t=1", "\r\n=1", ""]
)
FORMULA = re.compile(r"[=+\-@\t\r\n]")


@given(st.lists(st.lists(TEXT, min_size=1, max_size=5), min_size=1))
def test_csv_read_back_is_the_text_with_an_apostrophe_where_a_formula_would_be(rows: list[list[str]]) -> None:
    rows = [(row * 5)[:3] for row in rows]
    written = head(ExportFormat.CSV, ["a", "b", "c"]) + lines(ExportFormat.CSV, ["a", "b", "c"], rows)
    read = list(csv.reader(io.StringIO(written.decode(), newline=""), strict=True))
    assert read[0] == ["a", "b", "c"]
    assert read[1:] == [[f"'{text}" if FORMULA.match(text) else text for text in row] for row in rows]
    assert not [each for row in read[1:] for each in row if FORMULA.match(each)]


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
        (["=a", "b"], "'=a, b", ["=a", "b"]),
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
