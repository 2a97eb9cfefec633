"""Writes rows as they stand in a file: CSV for people's spreadsheets, NDJSON for programs. Pure.

CSV is RFC 4180: commas (or another separator), CRLF, quotes where they are needed, UTF-8. A cell of *text* that a
spreadsheet would take for a formula, whole or split at another separator, gets an apostrophe there; figures and times
are typed here, so -5 stays a number; and a phone number gets none unless a spreadsheet would compute it. NDJSON alters
no value.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from app.domain.attributes import to_text
from app.domain.refusals import BadUserInput, Refusal
from app.domain.vocabulary import ExportFormat

MEDIA_TYPES: Final = {
    ExportFormat.CSV: "text/csv; charset=utf-8; header=present",
    ExportFormat.NDJSON: "application/x-ndjson; charset=utf-8",
    ExportFormat.ZIP: "application/zip",
}


class Separator(StrEnum):
    """A separator stands between the cells of a line."""

    COMMA = "COMMA"
    SEMICOLON = "SEMICOLON"
    TAB = "TAB"


_CHARACTERS: Final = {Separator.COMMA: ",", Separator.SEMICOLON: ";", Separator.TAB: "\t"}
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout says how a file is written.

    The mark is what some spreadsheets know UTF-8 by; times are in UTC without a ``zone``.
    """

    separator: Separator = Separator.COMMA
    byte_order_mark: bool = False
    zone: ZoneInfo | None = None


PLAIN: Final = Layout()


def zone_of(name: str) -> ZoneInfo:
    """Returns the time zone of this name. Raises BadUserInput for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadUserInput(
            f'There is no time zone "{name[:100]}": give its name, such as "Europe/Berlin".', "timeZone"
        ) from None


def head(format_: ExportFormat, titles: Sequence[str], layout: Layout = PLAIN) -> bytes:
    """Returns what a file begins with."""
    if format_ != ExportFormat.CSV:
        return b""
    return (_BYTE_ORDER_MARK if layout.byte_order_mark else b"") + _csv([titles], layout)


def lines(format_: ExportFormat, names: Sequence[str], rows: Iterable[Sequence[Any]], layout: Layout = PLAIN) -> bytes:
    """Returns rows, with values in the order of ``names``, as lines of a file. Raises TypeError for unknown kinds."""
    if format_ == ExportFormat.CSV:
        return _csv(([cell(value, layout.zone) for value in row] for row in rows), layout)
    return b"".join(
        orjson.dumps(
            {name: _natural(value, layout.zone) for name, value in zip(names, row, strict=True)},
            None,
            orjson.OPT_APPEND_NEWLINE,
        )
        for row in rows
    )


def cell(value: Any, zone: ZoneInfo | None = None) -> str:
    """Returns a value as text; empty for what was masked."""
    match value:
        case str():
            return _harmless(value)
        case None | Refusal():
            return ""
        case list():
            return cell(to_text(cast(list[str], value)))
        case datetime() if zone:
            return _local(value, zone)
        case _:
            return to_text(value)


# ---------------------------------------------------------------- formulas

_SEPARATORS: Final = re.compile(r"([,;\t\r\n])")
_BEGINNING: Final = r"""[\s"']*[=+\-@＝＋－＠]"""
_FORMULA: Final = re.compile(_BEGINNING)
_MAY_BE_FORMULA: Final = re.compile(rf"(?:\A|{_SEPARATORS.pattern}){_BEGINNING}|\A[\t\r\n]")
_PHONE_NUMBER: Final = re.compile(r"\s*\+\d[\d\s()./\-]{3,}")
_SUM: Final = re.compile(r"[\s()]*\+[\s()]*\d+(?:\.\d+)?[\s()]*(?:[-/]+[\s()]*\d+(?:\.\d+)?[\s()]*)+")
"""A phone number that a spreadsheet would compute: of +1-800-555 it shows -1354. Others it shows as they are."""


def _harmless(text: str) -> str:
    """Returns the text with an apostrophe in front of all that a spreadsheet would take for a formula.

    Also inside of it: a spreadsheet that is told another separator splits it there.
    """
    if not _MAY_BE_FORMULA.search(text):
        return text
    pieces = _SEPARATORS.split(text)
    made = "".join(_quoted(piece) if index % 2 == 0 else piece for index, piece in enumerate(pieces))
    return f"'{made}" if made[:1] in ("\t", "\r", "\n") else made


def _quoted(piece: str) -> str:
    if not _FORMULA.match(piece) or (_PHONE_NUMBER.fullmatch(piece) and not _SUM.fullmatch(piece)):
        return piece
    blank = len(piece) - len(piece.lstrip(" "))
    return f"{piece[:blank]}'{piece[blank:]}"


# ---------------------------------------------------------------- how they are written


def _csv(rows: Iterable[Sequence[str]], layout: Layout) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=_CHARACTERS[layout.separator], lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="milliseconds")


def _natural(value: Any, zone: ZoneInfo | None) -> Any:
    match value:
        case datetime() if zone:
            return _local(value, zone)
        case datetime() | Decimal() | dict():
            return to_text(cast(Any, value))
        case Refusal():
            return None
        case _:
            return value
