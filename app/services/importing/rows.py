"""Reads rows of another system's export from a file, and yields the lines of an import that a mapping makes of them.

CSV, TSV, NDJSON and JSON, also compressed by gzip, in the encoding of the mapping or of the file's own mark. CSV, TSV
and NDJSON are read row by row; a JSON document is read whole.
"""

import codecs
import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, BinaryIO, Final, NamedTuple, TextIO

import orjson

from app.domain import card_numbers
from app.domain.mappings import Mapping, RowProblem
from app.services.importing.steps import LINES_OF_REJECTS, MappedLine

_GZIP: Final = b"\x1f\x8b"
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_MEBIBYTE: Final = 1024 * 1024
DOCUMENT_AT_MOST: Final = 256 * _MEBIBYTE
_RAW_KEPT: Final = 20_000


class UnreadableExport(ValueError):
    """Raised for a file that is not what the mapping reads; nothing of it was imported from there on."""


class _Row(NamedTuple):
    number: int
    value: Any
    raw: str
    problem: str = ""


class MappedLines:
    """It yields lines, and remembers the rows that they were made of, and what was left out on purpose.

    Of rows before the ``first`` there are no lines: they only say what is known by then.
    """

    def __init__(
        self, file: BinaryIO, mapping: Mapping, *, first: int = 1, document_at_most: int = DOCUMENT_AT_MOST
    ) -> None:
        self._file, self._mapping, self._first, self._document_at_most = file, mapping, first, document_at_most
        self._raw: dict[int, str] = {}
        self.dropped = Counter[str]()

    def __iter__(self) -> Iterator[MappedLine]:
        """Raises UnreadableExport."""
        for lines in self.by_row():
            yield from lines

    def by_row(self) -> Iterator[Sequence[MappedLine]]:
        """Yields the lines of each row, none of some. Raises UnreadableExport."""
        told: dict[tuple[str, str], str] = {}
        for row in _rows(self._file, self._mapping, self._document_at_most):
            if len(self._raw) >= _RAW_KEPT:
                del self._raw[next(iter(self._raw))]
            self._raw[row.number] = row.raw
            try:
                if row.problem:
                    raise RowProblem(row.problem)
                mapped = self._mapping.mapped(row.value)
            except RowProblem as wrong:
                yield [MappedLine.bad(row.number, row.raw, str(wrong))] if row.number >= self._first else []
                continue
            self.dropped.update(mapped.dropped)
            lines: list[MappedLine] = []
            for line in mapped.lines:
                if line.kind in self._mapping.once or line.as_of is not None:
                    last = told.get(key := (line.kind, line.id), "")
                    if key in told and (line.as_of is None or str(line.as_of) < last):
                        continue  # what is known by now is newer
                    told[key] = str(line.as_of)
                lines.append(MappedLine.of(row.number, line.text))
            for line in lines[:-1]:
                line.ends_row = False
            yield lines if row.number >= self._first else []

    def dropped_as_json(self) -> dict[str, Any]:
        """Returns what a summary says of rows that were left out."""
        return {"dropped": [{"what": what, "rows": count} for what, count in self.dropped.most_common()]}

    def raw(self, number: int, otherwise: str) -> str:
        """Returns the row of that number as the file had it, as far as it is remembered; card numbers in stars."""
        return card_numbers.masked(self._raw[number]) if number in self._raw else otherwise


def _rows(file: BinaryIO, mapping: Mapping, document_at_most: int) -> Iterator[_Row]:
    encoding = mapping.encoding
    with _unpacked(file) as stream:
        try:
            beginning = stream.peek(4)
            encoding = next((name for mark, name in _MARKS if beginning.startswith(mark)), encoding)
            text = io.TextIOWrapper(stream, encoding=encoding, newline="")
            try:
                if _is_of_rejects(beginning):
                    yield from _mended(text, mapping)
                elif mapping.reads == "json":
                    yield from _document(text, mapping, document_at_most)
                else:
                    yield from (_lines if mapping.reads == "ndjson" else _table)(text, mapping)
            finally:
                text.detach()  # the file is whoever's opened it
        except UnicodeDecodeError as wrong:
            message = f"It is not {encoding} at byte {wrong.start + 1} of a block; set `encoding`."
            raise UnreadableExport(message) from None
        except (OSError, EOFError) as torn:
            raise UnreadableExport(f"It cannot be unpacked to its end: {torn}.") from None


@contextmanager
def _unpacked(file: BinaryIO) -> Generator[io.BufferedReader]:
    raw: Any = file
    stream = io.BufferedReader(raw)
    try:
        if stream.peek(2)[:2] != _GZIP:
            yield stream
            return
        with gzip.GzipFile(fileobj=stream) as packed:
            unpacked: Any = packed
            inner = io.BufferedReader(unpacked)
            try:
                yield inner
            finally:
                inner.detach()
    finally:
        stream.detach()


def _is_of_rejects(beginning: bytes) -> bool:
    return beginning.startswith(b'{"li')


def _mended(text: TextIO, mapping: Mapping) -> Iterator[_Row]:
    """Yields rows of a rejects file of the same mapping, whose inputs were mended."""
    for line in text:
        try:
            given = orjson.loads(line)
            if given.keys() not in LINES_OF_REJECTS:
                raise ValueError
            rows = (
                [_json(given["input"])] if mapping.reads in ("csv", "tsv") else mapping.rows_of(_json(given["input"]))
            )
            yield from (_Row(given["line"], row, given["input"]) for row in rows)
        except (ValueError, AttributeError):
            raise UnreadableExport("It begins as a rejects file, and has a line of something else.") from None


def _table(text: TextIO, mapping: Mapping) -> Iterator[_Row]:
    reader = csv.reader(text, delimiter=mapping.delimiter)
    header = list(mapping.columns)
    try:
        for cells in reader:
            if not header:
                header = [cell.strip() for cell in cells]
                if len({*header}) < len(header):
                    raise UnreadableExport("Two columns have the same name; name them all in `columns`.")
                continue
            if not any(cell.strip() for cell in cells):
                continue
            row: dict[str, Any] = dict(zip(header, cells, strict=False))
            if len(cells) > len(header):
                row["more cells than columns"] = cells[len(header) :]
            yield _Row(reader.line_num, row, json.dumps(row, ensure_ascii=False))
    except csv.Error as wrong:
        raise UnreadableExport(f"Line {reader.line_num}: {wrong}.") from None


def _lines(text: TextIO, mapping: Mapping) -> Iterator[_Row]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            rows = mapping.rows_of(_json(line))
        except json.JSONDecodeError as wrong:
            yield _Row(number, None, line.strip(), f"The line is not JSON: {wrong.msg} at character {wrong.pos + 1}.")
        except RowProblem as wrong:
            yield _Row(number, None, line.strip(), str(wrong))
        else:
            yield from (_Row(number, row, line.strip()) for row in rows)


def _document(text: TextIO, mapping: Mapping, at_most: int) -> Iterator[_Row]:
    content = text.read(at_most + 1)
    if len(content) > at_most:
        raise UnreadableExport(
            f"A JSON document has at most {at_most // _MEBIBYTE} MiB; make NDJSON of it: jq -c '.[]'."
        )
    try:
        document = _json(content)
    except json.JSONDecodeError as wrong:
        raise UnreadableExport(f"It is not JSON: {wrong.msg} in line {wrong.lineno}, column {wrong.colno}.") from None
    try:
        for number, row in enumerate(mapping.rows_of(document), 1):
            yield _Row(number, row, json.dumps(row, ensure_ascii=False))
    except RowProblem as wrong:
        raise UnreadableExport(str(wrong)) from None


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)
