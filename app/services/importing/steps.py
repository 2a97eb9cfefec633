"""Defines what the steps of an import share: a line that arrived, its verdict, and whom it is about."""

import json
import re
import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from hashlib import blake2b
from itertools import chain
from typing import Any, Final, NamedTuple, cast

import orjson

from app.catalogue import CATALOGUE
from app.catalogue.model import did_you_mean
from app.domain import card_numbers
from app.domain.import_forms import Identity, Problems
from app.domain.import_lines import KEYS_OF_LINES, LINE_SHAPES, Line, LineKind, parse
from app.domain.moments import order_of
from app.domain.refusals import Refusal
from app.domain.vocabulary import LineOutcome
from app.jobs import AT_FULL_PACE, Pace, log_failure
from app.store.driver import Document, Store

UNREADABLE: Final = "unreadable"
"""Stands for the kind of a line that tells none."""


HAD_BEEN_PARKED: Final = "(This line had been parked.)"
LINES_OF_REJECTS: Final = ({"line", "reason", "input"}, {"line", "warning", "input"})
WHOSE: Final = frozenset(("source", "sourceId"))
"""They follow from the id of a row; those of earlier versions do not have them."""
_LONG_NUMBER: Final = re.compile(r"[0-9][0-9.eE+-]{15,}")
"""More digits than a float can tell apart."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The options are what whoever imports says of all lines.

    ``zone`` is the programme's, where days of points end. ``strict`` rejects a customer for one bad value;
    ``corrects`` lets history be told anew; ``refuses_unknown_types`` rejects activities that would be legacy. Lines of
    different customers are brought in at a time, in so many ``lanes``. By a gentle ``pace`` few lines come in at a
    time, and others have their turn after each of these.
    """

    zone: tzinfo = UTC
    strict: bool = False
    corrects: bool = False
    refuses_unknown_types: bool = False
    lanes: int = 1
    pace: Pace = AT_FULL_PACE


class NotImported(Refusal):
    """Raised if a line contradicts what is stored; the import catches it and writes a reject."""

    code = "INVALID"


class HistoryRewritten(NotImported):
    """Raised for a line of history that is here already and says something else now; it names the keys that differ."""

    def __init__(self, kind: LineKind, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        differ = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
        named = ", ".join(sorted(KEYS_OF_LINES[kind].get(key, key) for key in differ))
        super().__init__(
            f"This id is here already with other content ({named}), and what happened is never rewritten.", "id"
        )


class AccountClosed(NotImported):
    def __init__(self, status: str) -> None:
        super().__init__(
            f"This account is closed for good ({status}): it takes what happened before, and nothing else.", "customer"
        )


class UnknownType(NotImported):
    """Raised for an activity whose type the catalogue does not have, where such are refused."""

    def __init__(self, word: str) -> None:
        super().__init__(f"type {word[:100]} is unknown{did_you_mean(word, CATALOGUE)}", "type")


class Unforeseen(NotImported):
    """Raised for a fault of ours: a reject names the id under which the log has it."""

    def __init__(self, fault: Exception) -> None:
        request_id = secrets.token_hex(8)
        log_failure("import", fault, request_id=request_id)
        super().__init__(f"This line could not be imported. The fault is ours, and is in the log under {request_id}.")


class Verdict(NamedTuple):
    """A verdict says what became of a line. ``number`` counts in the file that it came with, even an earlier one."""

    kind: str
    number: int
    text: str
    outcome: LineOutcome
    reason: str = ""
    warnings: tuple[str, ...] = ()
    """What was left out of a line that came in, or is doubtful about it."""
    parked_as: tuple[str, ...] = ()
    """Where a line that is rejected still waits: it leaves when its reject is written, and not before."""


class MappedLine(bytes):
    """A mapped line was made of a row of another system's export, whose number and text it has.

    One whose row could not be read says why; it is rejected.
    """

    row: int
    raw: str
    problem: str
    ends_row: bool = True
    """Whether no more lines of its row follow: an import that breaks off has decided whole rows."""

    @classmethod
    def of(cls, row: int, line: bytes) -> "MappedLine":
        made = cls(line)
        made.row, made.raw, made.problem = row, "", ""
        return made

    @classmethod
    def bad(cls, row: int, raw: str, problem: str) -> "MappedLine":
        made = cls(b"{}")
        made.row, made.raw, made.problem = row, raw, problem
        return made


class Updated(NamedTuple):
    """An update is a row that lines of one chunk changed, with fingerprints of what it was before and is after them."""

    kind: str
    row: str
    before: bytes
    after: bytes
    lines: int


def fingerprint(document: Document) -> bytes:
    return blake2b(json.dumps(document, sort_keys=True, default=repr).encode(), digest_size=16).digest()


@dataclass(slots=True)
class _Net:
    """It counts what lines of this import have done to a row that was there before."""

    before: bytes
    lines: int = 0
    unchanged: int = 0
    """How many of the lines are counted as having changed nothing."""


@dataclass(slots=True)
class Updates:
    """The updates are the rows that this import has changed.

    A row that its last line makes what it was before was not updated. Of ``_ROWS_AT_MOST`` rows; a line of any other
    counts as what it did to what it found.
    """

    _rows: dict[str, _Net] = field(default_factory=dict[str, _Net])

    def unchanged(self, updated: Updated) -> int:
        """Returns how many lines more, of earlier chunks, too, have changed nothing after all; fewer if negative."""
        if updated.row not in self._rows and len(self._rows) >= _ROWS_AT_MOST:
            return 0
        net = self._rows.setdefault(updated.row, _Net(updated.before))
        net.lines += updated.lines
        counted, net.unchanged = net.unchanged, net.lines if net.before == updated.after else 0
        return net.unchanged - counted


_ROWS_AT_MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """An arrival is a line that says what its kind has to say."""

    number: int
    text: str
    line: Line
    parked_at: datetime | None = None

    @property
    def was_parked(self) -> bool:
        return self.parked_at is not None

    def order(self, now: datetime) -> int:
        """Returns its order among the rows of one moment: when it first came, and its place in its file."""
        return order_of(self.parked_at or now, self.number)

    def becomes(self, outcome: LineOutcome) -> Verdict:
        came_in = self.was_parked and outcome is not LineOutcome.PARKED
        outcome = LineOutcome.UNPARKED if came_in else outcome
        return Verdict(self.line.kind, self.number, self.text, outcome, warnings=self.line.warnings)

    def rejected(self, reason: Refusal) -> Verdict:
        verdict = _rejected(self.line.kind, self.number, self.text, str(reason), was_parked=self.was_parked)
        return verdict._replace(parked_as=tuple(self.places)) if self.was_parked else verdict

    @property
    def key(self) -> str:
        """Returns what it tells of, and about whom."""
        return orjson.dumps([self.line.kind, *self.line.identity, *chain.from_iterable(self.line.names)]).decode()

    @property
    def places(self) -> list[str]:
        return [self.place(identity) for identity in self.line.names]

    def place(self, identity: Identity) -> str:
        """Returns the ``_id`` under which this waits for ``identity``: the same in every run."""
        return f"{self.key} for {identity}"


def read(number: int, text: str, *, parked_at: datetime | None = None, strict: bool = False) -> Arrival | Verdict:
    """Returns the line that was read, or the verdict on one that cannot be read; ``strict`` as in `parse`."""
    kind = UNREADABLE
    try:
        given: object = orjson.loads(text)
        # A float is not what people wrote, where it has many digits, or is kept as it came: inside of an attribute.
        if _LONG_NUMBER.search(text) or _has_nested_attributes(given):
            given = json.loads(text, parse_float=Decimal)
        if not isinstance(given, dict):
            raise Problems("The line is JSON, but no object.")
        given = cast(dict[str, Any], given)
        if given.keys() in LINES_OF_REJECTS and isinstance(given["input"], str):
            return read(number, given["input"], strict=strict)  # a line of a rejects file, which was mended
        kind = (
            given["kind"] if given.get("kind") in list(LINE_SHAPES) else UNREADABLE
        )  # a list: it may be no hashable thing
        line = parse(given, may_hold_card_number=card_numbers.may_hold(text), strict=strict)
        return Arrival(number, text, line, parked_at)
    except orjson.JSONDecodeError as wrong:
        reason = f"The line is not JSON: {wrong.msg} at character {wrong.pos + 1}."
        if "\r" in text.strip():
            reason += " Where lines end by CR alone: tr '\\r' '\\n'."
        text = card_numbers.masked(text)
    except Problems as wrong:
        text = _masked(text)
        reason = str(wrong)
    except Exception as fault:  # whatever it is, it is this line's alone
        text = _masked(text)
        reason = str(Unforeseen(fault))
    return _rejected(kind, number, text, reason, was_parked=parked_at is not None)


def _has_nested_attributes(given: object) -> bool:
    if not isinstance(given, dict):
        return False
    attributes: object = cast(dict[str, Any], given).get("attributes")
    return isinstance(attributes, dict) and any(
        isinstance(each, dict | list) for each in cast(dict[str, object], attributes).values()
    )


def _masked(text: str) -> str:
    """Returns a line as it was, or written anew with stars for the digits of its card numbers."""
    given = json.loads(text, parse_float=Decimal)
    stars = card_numbers.masked(given)
    return text if stars == given else json.dumps(stars, ensure_ascii=False, default=str)


def _rejected(kind: str, number: int, text: str, reason: str, *, was_parked: bool = False) -> Verdict:
    told = f"{reason} {HAD_BEEN_PARKED}" if was_parked else reason
    return Verdict(kind, number, text, LineOutcome.REJECTED, told)


# ---------------------------------------------------------------- customers


async def customers_known_as(
    store: Store,
    identities: Iterable[Identity],
    *,
    numbers: Collection[str] = (),
    fields: Mapping[str, Any] | None = None,
    session: Any = None,
) -> list[Document]:
    """Returns the customers who have one of these identities or numbers. One command; both are indexed."""
    anyone: list[Mapping[str, Any]] = [
        # The index is partial on the id, and the planner does not look into $elemMatch for it.
        {"identities": {"$elemMatch": {"source": source, "id": {"$in": ids}}}, "identities.id": {"$exists": True}}
        for source, ids in ids_by_source(identities).items()
    ]
    if numbers:
        anyone.append({"number": {"$in": list(numbers)}})
    return await store.find("customers", {"$or": anyone}, fields=fields, session=session) if anyone else []


def by_identity(customers: Iterable[Document]) -> dict[Identity, Document]:
    return {
        Identity(identity["source"], identity["id"]): customer
        for customer in customers
        for identity in customer.get("identities", [])
    }


def ids_by_source(identities: Iterable[Identity]) -> Mapping[str, list[str]]:
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for source, source_id in dict.fromkeys(identities):
        ids[source].append(source_id)
    return ids
