"""Reads mappings, and makes lines of rows by them."""

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from datetime import tzinfo
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast
from zoneinfo import ZoneInfo

import orjson

from app.catalogue.model import did_you_mean
from app.domain.import_lines import LINE_SHAPES
from app.domain.mappings.natural import Habits, RowProblem, exact_line, order_of

READS: Final = ("csv", "tsv", "ndjson", "json")
ENCODINGS: Final = ("utf-8", "utf-16", "latin-1", "cp1252")
_KEYS: Final = (
    *("system", "source", "reads", "rows", "encoding", "delimiter", "columns", "time_zone", "times", "amounts"),
    *("decimal", "nulls", "currencies", "once", "short_rows", "tables", "lines"),
)
_EXACT_UP_TO: Final = 2**53
_NO_COLUMN: Final = "a column that nobody has"
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_QUOTED: Final = re.compile(r'(?="([^"\\\n]+)")')
_NULL: Final = re.compile(r"\bnull\b")
_PRELUDE: Final = r"""
def blank: . == null or . == "" or . == [] or . == {};
def named_by(source; id): (source | tostring) as $by | id | if blank then null else {source: $by, id: tostring} end;
def named(id): named_by($source; id);
def given: if blank then null else . end;
def first_given: map(select(blank | not)) | .[0];
def words: map(select(blank | not) | tostring) | join(" ");
def plain_text: if . == null then null else
  gsub("<br[^>]*>|</p>|</div>"; "\n") | gsub("<[^>]*>"; "") | gsub("&nbsp;"; " ") | gsub("&lt;"; "<")
  | gsub("&gt;"; ">") | gsub("&quot;"; "\"") | gsub("&#39;"; "'") | gsub("&amp;"; "&") end;
def money(amount; currency): if (amount | blank) or (currency | blank) then null
  else {amount: amount, currency: currency} end;
def word(table): . as $word | if $word == null then null
  else $tables[table][$word | tostring] // error("\($word) is not in the table \(table) of the mapping") end;
def decimal: if blank then null else {"$decimal": tostring} end;
def dropped(what): {dropped: (what | tostring)};
"""


class BadMapping(ValueError):
    """Raised with all that is wrong with a mapping, before its first row is read."""

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class BadZone(ValueError):
    """Raised for a name that no zone has."""


class MadeLine(NamedTuple):
    """A line was made of a row. ``as_of`` sorts rows that tell of one thing: the newest of them counts."""

    kind: str
    id: str
    as_of: str | None
    text: bytes


class Mapped(NamedTuple):
    """It says what a row became: lines of an import, and names of what the mapping leaves out on purpose."""

    lines: Sequence[MadeLine]
    dropped: Sequence[str]


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping says how a system writes its export, and what each row of it is here."""

    system: str
    source: str
    reads: str
    encoding: str
    delimiter: str
    columns: Sequence[str]
    once: frozenset[str]
    """Kinds of which a thing is told by its first row only: where each row repeats whose it is."""
    fills_short_rows: bool
    """Whether a row of a table may have fewer cells than there are columns: the rest is empty."""
    habits: Habits
    _words: Sequence[str]
    """All that may be names of columns in its program."""
    _lines: Any
    _rows: Any

    def in_zone(self, zone: tzinfo) -> "Mapping":
        """Returns this mapping for an export whose times are those of that zone, where they have no offset."""
        return replace(self, habits=replace(self.habits, zone=zone))

    def rows_of(self, document: Any) -> Sequence[Any]:
        """Returns the rows of a JSON document. Raises RowProblem."""
        try:
            return list(self._rows.input_value(self._as_jq_has_it(document)))
        except ValueError as wrong:
            raise RowProblem(f"rows: {_reason(wrong)}") from None

    def columns_lacking(self, row: MappingType[str, Any]) -> Sequence[str]:
        """Returns the columns that make a difference to what a row is here, and that it does not have."""
        made, other = self._tried(row), self._tried({**row, _NO_COLUMN: _NO_COLUMN})
        if made != other:  # any column does
            return []
        words = [word for word in self._words if word not in row]
        return [word for word in words if self._tried({**row, word: _NO_COLUMN}) != made]

    def _tried(self, row: MappingType[str, Any]) -> object:
        try:
            return list(self._lines.input_value(self._as_jq_has_it(row)))
        except ValueError as wrong:
            return str(wrong)

    def mapped(self, row: Any) -> Mapped:
        """Returns what a row is here. Raises RowProblem with what is wrong with it."""
        try:
            given = self._as_jq_has_it(row)
            made = list(self._lines.input_value(given))
        except ValueError as wrong:
            raise RowProblem(_reason(wrong)) from None
        lines: list[MadeLine] = []
        dropped: list[str] = []
        for each in made:
            if each is None:
                continue
            if not isinstance(each, dict):
                raise RowProblem(f"The mapping makes {json.dumps(each)[:50]} of this row, which is no line.")
            line = cast(dict[str, Any], each)
            if line.keys() == {"dropped"}:
                dropped.append(str(line["dropped"])[:100])
                continue
            exact = {"source": self.source, **exact_line(line, self.habits)}
            as_of = order_of(exact.pop("asOf", None), self.habits)
            text = orjson.dumps(exact) + b"\n"
            if b"null" in text and (wrong := _made_of_nothing(exact, given)):
                raise RowProblem(wrong)
            lines.append(MadeLine(str(exact.get("kind")), str(exact.get("id")), as_of, text))
        return Mapped(lines, dropped)

    def _as_jq_has_it(self, value: Any) -> Any:
        """Returns the value with null for words that stand for nothing, and texts for numbers that jq would round.

        Those are decimals, and whole numbers beyond 2^53.
        """
        match value:
            case str():
                return None if value.strip() in self.habits.nulls else value
            case bool():
                return value
            case int() if abs(value) >= _EXACT_UP_TO:
                return str(value)
            case Decimal():
                return f"{value:f}"
            case dict():
                return {key: self._as_jq_has_it(each) for key, each in cast(dict[str, Any], value).items()}
            case list():
                return [self._as_jq_has_it(each) for each in cast(list[Any], value)]
            case _:
                return value


def _made_of_nothing(line: MappingType[str, Any], row: Any) -> str | None:
    """Returns what is wrong with a line that has the word null where the row has none, as "\\(.x)" of nothing is.

    JSON that a line has as a text may hold it.
    """
    if any(_NULL.search(text) for _, text in _texts_in(row, "")):
        return None
    for place, text in _texts_in(line, ""):
        if _NULL.search(text) and not text.startswith(("{", "[")):
            return (
                f"{place}: {text[:50]} was made of nothing, which a text of jq has as null. Say in `lines` what it is "
                'then, (.x // ""), or leave the line out: if .x | blank then empty else … end.'
            )
    return None


def _texts_in(value: Any, place: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield place, value
        case dict():
            for key, each in cast(dict[str, Any], value).items():
                yield from _texts_in(each, f"{place}.{key}" if place else key)
        case list():
            for at, each in enumerate(cast(list[Any], value)):
                yield from _texts_in(each, f"{place}.{at}")
        case _:
            pass


def _reason(wrong: ValueError) -> str:
    return f"The mapping cannot read this row: {' '.join(str(wrong).removeprefix('jq: error: ').split())[:300]}."


# ---------------------------------------------------------------- the file


def read_mapping(text: str) -> Mapping:
    """Returns the mapping that a file says. Raises BadMapping, ImportError without jq."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise BadMapping(f"It is not TOML: {wrong}.") from None
    problems = [*_strangers(given)]
    texts = {key: _text(given, key, problems) for key in ("system", "source", "lines")}
    reads = _choice(given, "reads", READS, None, problems)
    encoding = _choice(given, "encoding", ENCODINGS, "utf-8", problems)
    amounts = _choice(given, "amounts", ("major", "minor"), "major", problems)
    decimal = _choice(given, "decimal", (".", ","), ".", problems)
    delimiter = given.get("delimiter", "\t" if reads == "tsv" else ",")
    if not (isinstance(delimiter, str) and len(delimiter) == 1):
        problems.append("delimiter must be one character.")
    habits = Habits(
        zone=_zone(given, problems),
        times=_texts(given, "times", problems),
        minor=amounts == "minor",
        comma=decimal == ",",
        nulls=frozenset(["", *_texts(given, "nulls", problems)]),
        digits=_digits(given, problems),
    )
    short_rows = _choice(given, "short_rows", ("refused", "empty"), "refused", problems)
    columns, rows = _texts(given, "columns", problems), given.get("rows", ".")
    once = frozenset(_texts(given, "once", problems))
    problems += [f"once names {each[:50]}, which is no kind of line." for each in sorted(once - LINE_SHAPES.keys())]
    tables: Any = given.get("tables", {})
    if not isinstance(tables, dict) or not all(
        isinstance(each, dict) for each in cast(dict[str, Any], tables).values()
    ):
        problems.append("tables must be tables of words: [tables.status].")
        tables = {}
    arguments: dict[str, Any] = {"tables": tables, "source": texts["source"]}
    lines_of, rows_of = (
        _compiled(program, arguments, key, problems) for key, program in (("lines", texts["lines"]), ("rows", rows))
    )
    if problems:
        raise BadMapping(*problems)
    return Mapping(
        system=texts["system"],
        source=texts["source"],
        reads=reads,
        encoding=encoding,
        delimiter=str(delimiter),
        columns=columns,
        once=once,
        fills_short_rows=short_rows == "empty",
        habits=habits,
        _words=sorted({*_WORD.findall(texts["lines"]), *_QUOTED.findall(texts["lines"])}),
        _lines=lines_of,
        _rows=rows_of,
    )


def _strangers(given: MappingType[str, Any]) -> Iterator[str]:
    for key in sorted(given.keys() - set(_KEYS)):
        yield f"{key[:50]} is unknown{did_you_mean(key, _KEYS)}"


def _text(given: MappingType[str, Any], key: str, problems: list[str]) -> str:
    value = given.get(key)
    if isinstance(value, str) and value.strip():
        return value
    problems.append(f"{key} is required, as a text.")
    return ""


def _texts(given: MappingType[str, Any], key: str, problems: list[str]) -> Sequence[str]:
    value = given.get(key, [])
    if isinstance(value, list) and all(isinstance(each, str) for each in cast(list[Any], value)):
        return cast(list[str], value)
    problems.append(f"{key} must be a list of texts.")
    return []


def _choice(
    given: MappingType[str, Any], key: str, words: Sequence[str], otherwise: str | None, problems: list[str]
) -> str:
    value = given.get(key, otherwise)
    if value in words:
        return str(value)
    problems.append(f"{key} must be one of {', '.join(words)}{did_you_mean(value, words)}")
    return words[0]


def _zone(given: MappingType[str, Any], problems: list[str]) -> tzinfo | None:
    name = given.get("time_zone")
    if name is None:
        return None
    try:
        return zone_named(str(name))
    except BadZone as bad:
        problems.append(f"time_zone {bad}")
        return None


def zone_named(name: str) -> tzinfo:
    """Returns a zone of the IANA database. Raises BadZone."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise BadZone(f"{name[:50]} is no zone of the IANA database, such as Europe/Berlin.") from None


def _digits(given: MappingType[str, Any], problems: list[str]) -> MappingType[str, int]:
    value = given.get("currencies", {})
    if isinstance(value, dict) and all(
        isinstance(each, int) and 0 <= each <= 8 for each in cast(dict[str, Any], value).values()
    ):
        return {code.upper(): digits for code, digits in cast(dict[str, int], value).items()}
    problems.append("currencies must say the digits of each: currencies = { XBT = 8 }.")
    return {}


def _compiled(program: object, arguments: MappingType[str, Any], key: str, problems: list[str]) -> Any:
    import jq  # an extra: nothing but mappings needs it

    engine: Any = jq  # it has no types
    if not isinstance(program, str):
        problems.append(f"{key} must be a program of jq, as a text.")
        return None
    try:
        return engine.compile(f"{_PRELUDE}\n{program}", args=arguments)
    except ValueError as wrong:
        lines = [line for line in str(wrong).splitlines() if "compile error" not in line]
        problems.append(f"{key} is no program of jq: {' '.join(' '.join(lines).split())[:300]}")
        return None
