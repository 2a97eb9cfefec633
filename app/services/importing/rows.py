"""Reads rows of another system's export from a file, and yields the lines of an import that a mapping makes of them.

CSV, TSV, NDJSON and JSON, also compressed by gzip, in the encoding of the mapping or of the file's own mark. CSV, TSV
and NDJSON are read row by row, and what is wrong with a row is its own; a JSON document is read whole.
"""

import codecs
import csv
import gzip
import io
import json
import re
import sqlite3
import zlib
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO, Final, NamedTuple, TextIO, cast

import orjson

from app.catalogue.model import nearest
from app.domain import card_numbers
from app.domain.mappings import Mapping, RowProblem
from app.services.importing.steps import LINES_OF_REJECTS, MappedLine

_GZIP: Final = b"\x1f\x8b"
_MEBIBYTE: Final = 1024 * 1024
DOCUMENT_AT_MOST: Final = 256 * _MEBIBYTE
_RAW_KEPT: Final = 20_000
_TOLD_KIBIBYTES: Final = 32 * 1024
BEGINNING_BYTES: Final = 64
"""So many show what a file is: packed, marked, or one of rejects."""
_REJECT: Final = re.compile(rb'\{ ?"line": ?\d+, ?"(?:reason|warning)":')
_DIGITS_AT_MOST: Final = 4_300
_TOO_LONG: Final = f"A number of the JSON has more than {_DIGITS_AT_MOST:,} digits."
_BYTE_ORDER_MARK: Final = "\ufeff"
_REST: Final = "more cells than columns"
_ROWS_TRIED: Final = 20
_WRONG: Final = "remove once mended"
"""The key that says in a reject why a row of a table could not be read: what was read of it is not what it says."""
_NO_LINE: Final = "rows of which it made no line"
_MARK: Final = 0xDC00
"""What is not in the encoding is marked by this and its byte: no text that was decoded has such a character alone."""
_MARKED: Final = re.compile("[\udc00-\udcff]")


def _marked(wrong: UnicodeError) -> tuple[str, int]:
    if not isinstance(wrong, UnicodeDecodeError):
        raise wrong
    return "".join(chr(_MARK + byte) for byte in wrong.object[wrong.start : wrong.end]), wrong.end


codecs.register_error("marked", _marked)


_OTHER_FILES: Final = (
    (b"PK\x03\x04", "It is a ZIP archive, as workbooks of Excel (.xlsx) are: save its sheet as CSV, or unpack it."),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "It is a workbook of Excel (.xls): save its sheet as CSV."),
    (b"\xfd7zXZ\0", "It is packed by xz: unpack it, or pack it by gzip."),
    (b"\x28\xb5\x2f\xfd", "It is packed by zstd: unpack it, or pack it by gzip."),
)
"""What files that hold no text begin with."""


class UnreadableExport(ValueError):
    """Raised for a file that cannot be read, or is not what the mapping reads; what came before that is imported."""


def check_is_text(beginning: bytes) -> None:
    """Raises UnreadableExport for a file that begins as one that holds no text."""
    for mark, sentence in _OTHER_FILES:
        if beginning.startswith(mark):
            raise UnreadableExport(sentence)


def check_is_lines(beginning: bytes) -> None:
    """Raises UnreadableExport for a file that begins as one that holds no UTF-8, as lines of an import are."""
    check_is_text(beginning)
    if beginning.startswith(_GZIP):
        raise UnreadableExport("It is packed by gzip: unpack it (gunzip), or send it with Content-Encoding: gzip.")
    if _utf_16(beginning):
        raise UnreadableExport("It is UTF-16, and lines are UTF-8: iconv -f UTF-16 -t UTF-8.")


def _utf_16(beginning: bytes) -> str | None:
    """Returns as which UTF-16 a file begins, by its mark, or by the half of its first character that is zero."""
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(beginning) < 2 or all(beginning[:2]) or not any(beginning[:2]):
        return None
    return "utf-16-le" if beginning[0] else "utf-16-be"


class Coming(io.RawIOBase):
    """What comes piece by piece is a file that is read as far as it has come; first, far enough to show what it is."""

    def __init__(self) -> None:
        self._rest, self._at_least = memoryview(b""), BEGINNING_BYTES

    def take(self) -> bytes:
        """Waits for the next piece; an empty one is the end."""
        raise NotImplementedError

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Raises what `take` raises."""
        if not self._rest:
            taken = self.take()
            while len(taken) < self._at_least and (more := self.take()):
                taken += more
            self._rest, self._at_least = memoryview(taken), 0
        read = min(len(buffer), len(self._rest))
        buffer[:read], self._rest = self._rest[:read], self._rest[read:]
        return read


class _Row(NamedTuple):
    number: int
    value: Any
    raw: str
    problem: str = ""
    is_last: bool = True
    """Whether no more rows have this number."""


class _Lines:
    """The lines of a text, numbered, of which some may be read anew. ``taken`` are those since the last `begin`."""

    def __init__(self, text: TextIO, encoding: str) -> None:
        self._text, self._encoding = text, encoding
        self._again = deque[str]()
        self.number, self.taken, self.has_ended = 0, list[str](), False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Returns the next line, and of one beyond a mebibyte, however long, only as much as shows that it is."""
        line = self._again.popleft() if self._again else self._read()
        if not line:
            self.has_ended = True
            raise StopIteration
        self.number += 1
        line = line.removeprefix(_BYTE_ORDER_MARK)  # where files were put together, each with its own
        self.taken.append(line)
        return line

    def _read(self) -> str:
        line = self._text.readline(_MEBIBYTE + 1)
        rest = line
        while len(rest) > _MEBIBYTE and not rest.endswith(("\n", "\r")):
            rest = self._text.readline(_MEBIBYTE + 1)
        return line

    def begin(self) -> None:
        self.taken, self.has_ended = [], False

    def give_back(self) -> None:
        """Leaves the first of the lines that were taken; the others come again."""
        self._again.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1
        del self.taken[1:]

    @property
    def problem(self) -> str:
        """Returns what is wrong with the lines that were taken, or nothing."""
        for line in self.taken:
            if len(line) > _MEBIBYTE:
                return "The row is longer than 1 MiB."
            if found := _MARKED.search(line):
                byte = ord(found[0]) - _MARK
                return f"The row is not {self._encoding} at character {found.start() + 1} (byte 0x{byte:02x})."
        return ""


def _shown(line: str) -> str:
    """Returns a line as a reject has it: what could not be decoded as `\\xNN`."""
    return _MARKED.sub(lambda found: f"\\x{ord(found[0]) - _MARK:02x}", line[:_MEBIBYTE].strip("\r\n"))


class _Told:
    """It remembers as of when each thing was told last: what does not fit into its cache, in a temporary file."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for statement in (
            f"PRAGMA cache_size = -{_TOLD_KIBIBYTES}",
            "PRAGMA journal_mode = OFF",
            "CREATE TABLE told (kind TEXT, id TEXT, as_of TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID",
        ):
            self._database.execute(statement)

    def close(self) -> None:
        self._database.close()

    def is_news(self, kind: str, id_: str, as_of: str | None) -> bool:
        """Returns whether nothing newer was told, and remembers it. Without a time only the first is news."""
        told = self._database.execute(
            "INSERT INTO told VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET as_of = excluded.as_of WHERE ? AND excluded.as_of >= told.as_of",
            (kind, id_, as_of or "", as_of is not None),
        )
        return told.rowcount > 0


class MappedLines:
    """It yields lines, and remembers the rows that they were made of, and what was left out.

    Of rows before the ``first`` there are no lines: they only say what is known by then.
    """

    def __init__(
        self, file: BinaryIO | Coming, mapping: Mapping, *, first: int = 1, document_at_most: int = DOCUMENT_AT_MOST
    ) -> None:
        self._file, self._mapping, self._first, self._document_at_most = file, mapping, first, document_at_most
        self._raw: dict[int, str] = {}
        self._rows_to_try = _ROWS_TRIED if mapping.reads in ("csv", "tsv") else 0
        self.dropped = Counter[str]()
        self.lacking = dict[str, str | None]()
        """Columns that the mapping reads and the table lacks, as its first rows show, with what may be meant."""

    def __iter__(self) -> Iterator[MappedLine]:
        """Raises UnreadableExport."""
        for lines in self.by_row():
            yield from lines

    def by_row(self) -> Generator[Sequence[MappedLine]]:
        """Yields the lines of each row, none of some. Raises UnreadableExport."""
        with closing(_Told()) as told:
            yield from self._by_row(told)

    def _by_row(self, told: "_Told") -> Iterator[Sequence[MappedLine]]:
        for row in _rows(self._file, self._mapping, self._document_at_most):
            if len(self._raw) >= _RAW_KEPT:
                del self._raw[next(iter(self._raw))]
            self._raw[row.number] = row.raw
            try:
                if row.problem:
                    raise RowProblem(row.problem)
                self._try(row.value)
                mapped = self._mapping.mapped(row.value)
            except RowProblem as wrong:
                yield [MappedLine.bad(row.number, row.raw, str(wrong))] if row.number >= self._first else []
                continue
            self.dropped.update(mapped.dropped or ([] if mapped.lines else [_NO_LINE]))
            lines: list[MappedLine] = []
            for line in mapped.lines:
                may_be_told = line.kind in self._mapping.once or line.as_of is not None
                if may_be_told and not told.is_news(line.kind, line.id, line.as_of):
                    continue  # what is known by now is newer
                lines.append(MappedLine.of(row.number, line.text))
            for line in lines if not row.is_last else lines[:-1]:
                line.ends_row = False
            yield lines if row.number >= self._first else []

    def _try(self, row: Any) -> None:
        if self._rows_to_try:
            self._rows_to_try -= 1
            self.lacking |= {name: nearest(name, row) for name in self._mapping.columns_lacking(row)}

    def as_json(self) -> dict[str, Any]:
        """Returns what a summary says of rows that were left out, and of columns that are not there."""
        return {
            "dropped": [{"what": what, "rows": count} for what, count in self.dropped.most_common()],
            "lackingColumns": [{"column": name, "suggestion": meant} for name, meant in self.lacking.items()],
        }

    def sentences(self) -> list[str]:
        """Returns the same in sentences."""
        lacking = [
            f"`lines` reads the column {name[:50]}, which the export does not have"
            + (f"; did you mean {meant[:50]}?" if meant else ".")
            for name, meant in self.lacking.items()
        ]
        dropped = [f"{count:,} {what}" for what, count in self.dropped.most_common()]
        return [*lacking, f"dropped by the mapping: {', '.join(dropped)}"] if dropped else lacking

    def raw(self, number: int, otherwise: str) -> str:
        """Returns the row of that number as the file had it, as far as it is remembered; card numbers in stars."""
        raw = self._raw.get(number)  # a thread may be making room for others
        return card_numbers.masked(raw) if raw is not None else otherwise


def _rows(file: BinaryIO | Coming, mapping: Mapping, document_at_most: int) -> Iterator[_Row]:
    encoding = mapping.encoding
    with _unpacked(file) as stream:
        try:
            beginning = stream.peek(BEGINNING_BYTES)
            check_is_text(beginning)
            encoding = "utf-8-sig" if beginning.startswith(codecs.BOM_UTF8) else _utf_16(beginning) or encoding
            text = io.TextIOWrapper(stream, encoding=encoding, errors="marked", newline="")
            lines = _Lines(text, encoding)
            try:
                if _is_of_rejects(beginning):
                    yield from _mended(text, mapping)
                elif mapping.reads == "json":
                    yield from _document(text, encoding, mapping, document_at_most)
                else:
                    yield from (_values if mapping.reads == "ndjson" else _table)(lines, mapping)
            finally:
                text.detach()  # the file is whoever's opened it
        except (OSError, EOFError, zlib.error) as torn:
            raise UnreadableExport(f"It cannot be unpacked to its end: {torn}.") from None


@contextmanager
def _unpacked(file: BinaryIO | Coming) -> Generator[io.BufferedReader]:
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
    return _REJECT.match(beginning) is not None


def _mended(text: TextIO, mapping: Mapping) -> Iterator[_Row]:
    """Yields rows of a rejects file of the same mapping, whose inputs were mended."""
    for line in text:
        try:
            given = orjson.loads(line)
            number, raw = given["line"], given["input"]
            if given.keys() not in LINES_OF_REJECTS or not isinstance(raw, str):
                raise ValueError
        except (ValueError, LookupError, TypeError, AttributeError):
            raise UnreadableExport("It begins as a rejects file, and has a line of something else.") from None
        yield from _of_row(number, raw, raw, mapping)


def _of_one(number: int, rows: Sequence[Any], raw: str) -> Iterator[_Row]:
    for at, row in enumerate(rows, 1):
        yield _Row(number, row, raw, is_last=at == len(rows))


def _table(lines: _Lines, mapping: Mapping) -> Iterator[_Row]:
    """Yields the rows of a table. One that cannot be read ends with its first line: the next one begins another row."""
    header = list(mapping.columns)
    while True:
        lines.begin()
        problem, cells = "", list[str]()
        try:
            cells = next(csv.reader(lines, delimiter=mapping.delimiter))
        except StopIteration:
            return
        except csv.Error as wrong:
            problem = f"The row cannot be read: {wrong}."
        if lines.has_ended or (problem and len(lines.taken) > 1):
            problem = "A quote of the row is not closed."
        if problem:
            lines.give_back()
            cells = lines.taken[0].strip("\r\n").split(mapping.delimiter)
        problem = lines.problem or problem
        if not header:
            header = _header(cells, problem)
            continue
        if not any(cell.strip() for cell in cells):
            continue
        cells = [_shown(cell) for cell in cells] if problem else cells
        if mapping.fills_short_rows:
            cells += [""] * (len(header) - len(cells))
        row: dict[str, Any] = dict(zip(header, cells, strict=False))
        if any(cell.strip() for cell in cells[len(header) :]):
            row[_REST] = cells[len(header) :]
            problem = problem or f"The row has {len(cells)} cells for {len(header)} columns."
        elif len(cells) < len(header):
            problem = problem or (
                f"The row has {len(cells)} cells for {len(header)} columns. Where the rest is empty, the mapping says "
                '`short_rows = "empty"`.'
            )
        if problem:
            row[_WRONG] = problem
        yield _Row(lines.number, row, json.dumps(row, ensure_ascii=False), problem)


def _header(cells: Sequence[str], problem: str) -> list[str]:
    """Returns the names of columns; one without a name has its number. Raises UnreadableExport."""
    if problem or any("\0" in cell for cell in cells):
        problem = problem or "They have zeros, which no text has."
        raise UnreadableExport(f"The names of its columns cannot be read. {problem} Set `encoding`.")
    header = [cell.strip() or f"column {number}" for number, cell in enumerate(cells, 1)]
    counts = Counter(header)
    if twice := [name for name, count in counts.items() if count > 1]:
        first = next((name for name in cells if counts[name] == 1), twice[0])[:50]
        raise UnreadableExport(
            f"Two columns are called {twice[0][:50]}. Name them all in `columns`; the row of their names is then "
            f'one to leave out in `lines`: if .["{first}"] == "{first}" then dropped("names of columns") else … end.'
        )
    return header


def _values(lines: _Lines, mapping: Mapping) -> Iterator[_Row]:
    while True:
        lines.begin()
        line = next(lines, None)
        if line is None:
            return
        if not line.strip():
            continue
        raw = _shown(line.strip())
        if problem := lines.problem:
            yield _Row(lines.number, None, raw, problem)
        else:
            yield from _of_row(lines.number, line, raw, mapping)


def _of_row(number: int, text: str, raw: str, mapping: Mapping) -> Iterator[_Row]:
    """Yields the rows of one line or input, or one with what is wrong with it."""
    try:
        value = _json(text)
        if mapping.reads == "ndjson":
            yield from _of_one(number, mapping.rows_of(value), raw)
        elif mapping.reads == "json":  # whose rejects hold rows, and not what they were found in
            yield _Row(number, value, raw)
        elif isinstance(value, dict):
            yield _Row(number, value, raw, str(cast(dict[str, Any], value).get(_WRONG, "")))
        else:
            yield _Row(number, None, raw, "The input is not a JSON object of columns.")
    except json.JSONDecodeError as wrong:
        yield _Row(number, None, raw, f"The line is not JSON: {wrong.msg} at character {wrong.pos + 1}.")
    except RowProblem as wrong:
        yield _Row(number, None, raw, str(wrong))


def _document(text: TextIO, encoding: str, mapping: Mapping, at_most: int) -> Iterator[_Row]:
    content = text.read(at_most + 1)
    if len(content) > at_most:
        raise UnreadableExport(
            f"A JSON document has at most {at_most // _MEBIBYTE} MiB; make NDJSON of it: jq -c '.[]'."
        )
    if found := _MARKED.search(content):
        line = content.count("\n", 0, found.start()) + 1
        raise UnreadableExport(f"It is not {encoding} in line {line}; set `encoding`, or mend it there.")
    try:
        document = _json(content)
    except json.JSONDecodeError as wrong:
        raise UnreadableExport(f"It is not JSON: {wrong.msg} in line {wrong.lineno}, column {wrong.colno}.") from None
    except RowProblem as wrong:
        raise UnreadableExport(str(wrong)) from None
    try:
        for number, row in enumerate(mapping.rows_of(document), 1):
            yield _Row(number, row, json.dumps(row, ensure_ascii=False))
    except RowProblem as wrong:
        raise UnreadableExport(str(wrong)) from None


def _json(text: str) -> Any:
    """Returns a JSON value, of which NaN is a text. Raises JSONDecodeError, RowProblem."""
    try:
        return json.loads(text, parse_float=_decimal, parse_constant=str)
    except RecursionError:
        raise RowProblem("The JSON is nested too deep.") from None
    except ValueError as wrong:
        if isinstance(wrong, json.JSONDecodeError | RowProblem):
            raise
        raise RowProblem(_TOO_LONG) from None  # of a whole number, which Python does not read


def _decimal(text: str) -> Decimal:
    """Returns a decimal that can be written out in digits. Raises RowProblem."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise RowProblem(_TOO_LONG) from None
    if abs(number.adjusted()) > _DIGITS_AT_MOST:
        raise RowProblem(_TOO_LONG)
    return number
