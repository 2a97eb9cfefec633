"""Rows as they stand in a file: CSV for people's spreadsheets, NDJSON for programs. Pure.

CSV is RFC 4180: commas, CRLF, quotes where they are needed, UTF-8. A cell of *text* that a spreadsheet would take for a
formula begins with an apostrophe; figures and times are typed here, so -5 stays a number. NDJSON alters no value.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast

import orjson

from app.domain.attributes import to_text
from app.domain.refusals import Refusal
from app.domain.vocabulary import ExportFormat

MEDIA_TYPES: Final = {
    ExportFormat.CSV: "text/csv; charset=utf-8; header=present",
    ExportFormat.NDJSON: "application/x-ndjson; charset=utf-8",
}
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def head(format_: ExportFormat, titles: Sequence[str]) -> bytes:
    """What a file begins with."""
    return _csv([titles]) if format_ == ExportFormat.CSV else b""


def lines(format_: ExportFormat, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Values as documents hold them, in the order of ``names``. Raises TypeError for one of no known kind."""
    if format_ == ExportFormat.CSV:
        return _csv([cell(value) for value in row] for row in rows)
    return b"".join(
        orjson.dumps(dict(zip(names, map(_natural, row), strict=True)), None, orjson.OPT_APPEND_NEWLINE) for row in rows
    )


def cell(value: Any) -> str:
    """A value as text. What was masked is empty."""
    match value:
        case str():
            return f"'{value}" if value.startswith(_FORMULAS) else value
        case None | Refusal():
            return ""
        case list():
            return cell(to_text(cast(list[str], value)))
        case _:
            return to_text(value)


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


def _natural(value: Any) -> Any:
    match value:
        case datetime() | Decimal() | dict():
            return to_text(cast(Any, value))
        case Refusal():
            return None
        case _:
            return value
