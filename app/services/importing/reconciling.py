"""Compares a source's file with what is here: what is missing, what differs, what is here and not in the file.

Lines are read as an import reads them, and kept in a file of their own on the disk, of each thing what counts of it: so
that memory does not grow with them. Nothing is written to the database.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from app.domain import customer_fields, details
from app.domain.amounts import total
from app.domain.ids import derived_id
from app.domain.import_lines import COLLECTION_OF, HISTORY, KEYS_OF_LINES, TIMES, Line, LineKind
from app.services.importing import read_line
from app.services.importing.owned import differing
from app.services.importing.points import Held, Ledger, points_told
from app.services.importing.steps import Arrival, by_identity, customers_known_as
from app.store.driver import Document, Store

_AT_ONCE: Final = 500
_SHOWN: Final = 20
_SORTS: Final = {
    "missing": "missing here",
    "different": "different",
    "notInFile": "not in the file",
    "rejected": "cannot be read",
}
_OWNERS: Final = {"identities": 1, "name": 1, "mergedFromIds": 1}


class Deviation(NamedTuple):
    """A deviation is one thing that is not the same in the file and here. ``line`` is None of what is not in it."""

    kind: str
    line: int | None
    id: str
    keys: Sequence[str] = ()


@dataclass(slots=True)
class Compared:
    """It counts things of one kind. ``not_in_file`` is None where no line says when its thing is of."""

    in_file: int = 0
    here: int = 0
    missing: int = 0
    different: int = 0
    not_in_file: int | None = None


@dataclass(slots=True)
class Reconciliation:
    """A reconciliation says how a file and what is here differ."""

    lines: int = 0
    unreadable: int = 0
    kinds: defaultdict[str, Compared] = field(default_factory=lambda: defaultdict[str, Compared](Compared))
    sums: dict[tuple[str, str], tuple[Decimal, Decimal]] = field(
        default_factory=dict[tuple[str, str], tuple[Decimal, Decimal]]
    )
    """By day and currency, of transactions, or "points": what the file says, and what is here of the same."""
    shown: defaultdict[str, list[Deviation]] = field(
        default_factory=lambda: defaultdict[str, list[Deviation]](list[Deviation])
    )
    """The first of each sort."""

    @property
    def is_equal(self) -> bool:
        """Returns whether something was compared, and all of it is the same."""
        counted = any(each.missing or each.different or each.not_in_file for each in self.kinds.values())
        return bool(self.kinds) and not (self.unreadable or counted)

    def as_json(self) -> dict[str, Any]:
        """Returns what `--json` prints: docs/import.md lists the keys."""
        return {
            "lines": self.lines,
            "unreadable": self.unreadable,
            "isEqual": self.is_equal,
            "kinds": [
                {
                    "kind": kind.value,
                    "inFile": each.in_file,
                    "here": each.here,
                    "missing": each.missing,
                    "different": each.different,
                    "notInFile": each.not_in_file,
                }
                for kind in LineKind
                if (each := self.kinds.get(kind))
            ],
            "sums": [
                {"day": day, "currency": currency, "inFile": f"{in_file:f}", "here": f"{here:f}"}
                for (day, currency), (in_file, here) in sorted(self.sums.items())
            ],
            **{sort: [each._asdict() for each in self.shown[sort]] for sort in _SORTS},
        }

    def __str__(self) -> str:
        sentences: list[str] = []
        for kind, each in ((kind, self.kinds[kind]) for kind in LineKind if kind in self.kinds):
            counted = f"{kind}: {each.in_file:,} in the file, {each.here:,} of them here"
            parts = [(each.missing, "missing"), (each.different, "different"), (each.not_in_file, "not in the file")]
            sentences.append(", ".join([counted, *(f"{count:,} {word}" for count, word in parts if count)]))
        for (day, currency), (in_file, here) in sorted(self.sums.items()):
            if in_file != here:
                sentences.append(f"{day}: {in_file:,f} {currency} in the file, {here:,f} here")
        if self.unreadable:
            sentences.append(f"{self.unreadable:,} lines cannot be read")
        for sort, word in _SORTS.items():
            for each in self.shown[sort]:
                keys = f" ({', '.join(each.keys)})" if each.keys else ""
                sentences.append(f"{word}: {f'line {each.line}, ' if each.line else ''}{each.kind} {each.id}{keys}")
        if not sentences:
            return "Nothing was compared: there were no lines."
        return "\n".join([*sentences, "The file and what is here are the same." if self.is_equal else "They differ."])

    def show(self, sort: str, deviation: Deviation) -> None:
        if len(self.shown[sort]) < _SHOWN:
            self.shown[sort].append(deviation)

    def add(self, day: datetime, currency: str, in_file: Decimal, here: Decimal) -> None:
        key = f"{day:%Y-%m-%d}", currency
        before = self.sums.get(key, (Decimal(0), Decimal(0)))
        self.sums[key] = total([before[0], in_file]), total([before[1], here])


async def reconcile(
    store: Store,
    lines: Iterable[bytes],
    *,
    now: datetime,
    zone: tzinfo,
    advance: Callable[[int], None] = lambda lines: None,
) -> Reconciliation:
    """Raises StoreError."""
    with TemporaryDirectory() as folder, closing(_Kept(Path(folder, "lines"))) as kept:
        found = Reconciliation()
        for number, line in _numbered(lines):
            found.lines = number
            if line.strip():
                kept.take(found, number, line)
            advance(1)
        for arrivals in kept.arrivals():
            await _compare(store, arrivals, found, now=now, zone=zone)
        for kind, spans in kept.spans.items():
            await _find_others(store, kept, found, kind, spans)
        return found


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for at, line in enumerate(lines, 1):
        yield getattr(line, "row", at), line


_Spans = Mapping[str, tuple[datetime, datetime]]
"""By source: the first and the last time of which its lines of one kind are."""


class _Kept:
    """It keeps lines on the disk, one of each thing: of history the first, of what has a present the last."""

    def __init__(self, path: Path) -> None:
        self.database = sqlite3.connect(path)
        self.database.execute("CREATE TABLE lines (id TEXT PRIMARY KEY, number INTEGER, text TEXT) WITHOUT ROWID")
        self.spans: defaultdict[LineKind, dict[str, tuple[datetime, datetime]]] = defaultdict(dict)

    def close(self) -> None:
        self.database.close()

    def take(self, found: Reconciliation, number: int, line: bytes) -> None:
        read = read_line(number, line)
        if not isinstance(read, Arrival):
            found.unreadable += 1
            found.show("rejected", Deviation(read.kind, number, read.reason))
            return
        what = "IGNORE" if read.line.kind in HISTORY else "REPLACE"
        self.database.execute(f"INSERT OR {what} INTO lines VALUES (?, ?, ?)", (_key(read.line), number, read.text))  # noqa: S608 # of two words
        if (key := TIMES.get(read.line.kind)) and (at := read.line.document.get(key)):
            spans, source = self.spans[read.line.kind], read.line.identity.source
            since, until = spans.get(source, (at, at))
            spans[source] = min(since, at), max(until, at)

    def arrivals(self) -> Iterator[Sequence[Arrival]]:
        self.database.execute("CREATE INDEX in_order ON lines (number, id)")
        last = (0, "")
        while rows := self.database.execute(
            "SELECT number, id, text FROM lines WHERE (number, id) > (?, ?) ORDER BY number, id LIMIT ?",
            (*last, _AT_ONCE),
        ).fetchall():
            last = rows[-1][:2]
            read = (read_line(number, text.encode()) for number, _, text in rows)
            yield [each for each in read if isinstance(each, Arrival)]

    def has(self, key: str) -> bool:
        return self.database.execute("SELECT 1 FROM lines WHERE id = ?", (key,)).fetchone() is not None


def _key(line: Line) -> str:
    """Returns what tells the thing of a line from all others."""
    if line.kind is LineKind.CUSTOMER_LINK:
        return f"{line.kind} {line.identity} {line.names[-1]}"
    return line.id


# ---------------------------------------------------------------- what is in the file


async def _compare(
    store: Store, arrivals: Sequence[Arrival], found: Reconciliation, *, now: datetime, zone: tzinfo
) -> None:
    lines = [arrival.line for arrival in arrivals]
    names = {name for line in lines for name in line.names}
    whole = any(line.owner is None for line in lines)
    owners = by_identity(await customers_known_as(store, names, fields=None if whole else _OWNERS))
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.owner:
            ids[COLLECTION_OF[line.kind]].add(line.id)
            if line.kind is LineKind.POINTS and "refundOfId" in line.document:
                ids["points"].add(line.document["refundOfId"])
    stored: dict[str, Document] = {}
    for collection, those in ids.items():
        stored |= {each["_id"]: each for each in await store.find(collection, {"_id": {"$in": sorted(those)}})}
    ledger = Ledger((each for key, each in stored.items() if key in ids["points"]), (), Held(), now=now, zone=zone)
    for arrival in arrivals:
        line, row = arrival.line, stored.get(arrival.line.id) if arrival.line.owner else None
        counted = found.kinds[line.kind]
        counted.in_file += 1
        deletes = bool(line.document.get("deleted"))
        if line.owner is None:
            keys, is_here = _of_customer(line, [owners.get(name) for name in line.names])
        else:
            owner = owners.get(line.owner)
            is_here = row is not None
            if row is None or deletes:
                keys = {"deleted"} if row else set[str]()
            else:
                keys = differing(line, row, owner, ledger) if owner else {"customer"}
        counted.here += is_here
        name = f"{line.identity.source} {line.identity.id}"
        if not is_here and not deletes:
            counted.missing += 1
            found.show("missing", Deviation(line.kind, arrival.number, name))
        elif keys:
            counted.different += 1
            named = KEYS_OF_LINES[line.kind]
            told = sorted(named.get(key, key) for key in keys)
            found.show("different", Deviation(line.kind, arrival.number, name, told))
        if not deletes:
            _add_up(found, line, row)


def _of_customer(line: Line, known: Sequence[Document | None]) -> tuple[set[str], bool]:
    """Returns the keys in which a customer is not as this source says, and whether they are here."""
    customer = known[0]
    is_same = all(each is not None and customer is not None and each["_id"] == customer["_id"] for each in known)
    if customer is None or line.kind is LineKind.CUSTOMER_LINK:
        return set(), is_same
    said = details.said_before(customer, line.identity) or {}
    given = {
        key: value
        for key, value in line.document.items()
        if key not in ("identities", "remove", "cleared", "mergedInto")
        and not (key == "email" and "emails" in line.document)
    }
    keys = {
        key.removeprefix("fields.") if customer_fields.is_key(key) else key
        for key, value in given.items()
        if (said[key] if key in said else customer_fields.value_of(customer, key)) != value
    }
    keys |= {key for key in line.document["cleared"] if said.get(key) is not None}
    return keys if is_same else {*keys, "identities"}, True


def _add_up(found: Reconciliation, line: Line, row: Document | None) -> None:
    if line.kind is LineKind.POINTS:
        here = Decimal(points_told(row)) if row else Decimal(0)
        found.add(line.document["occurredAt"], "points", Decimal(line.document["points"]), here)
    if line.kind is LineKind.TRANSACTION:
        day = line.document["occurredAt"]
        if amount := line.document.get("amount"):
            found.add(day, amount["currency"], amount["amount"], Decimal(0))
        if row and (amount := row.get("amount")):
            found.add(row["occurredAt"], amount["currency"], Decimal(0), amount["amount"])


# ---------------------------------------------------------------- what is not in it


async def _find_others(store: Store, kept: _Kept, found: Reconciliation, kind: LineKind, spans: _Spans) -> None:
    """Counts what these sources told within the time of the file, and the file does not tell.

    A collection is read once, a page at a time: no index is kept for this alone.
    """
    counted, time = found.kinds[kind], TIMES[kind]
    counted.not_in_file = 0
    whose = "identities.source" if kind is LineKind.CUSTOMER else "source"
    told = [{whose: source, time: {"$gte": since, "$lte": until}} for source, (since, until) in sorted(spans.items())]
    last = ""
    while rows := await store.find(
        COLLECTION_OF[kind],
        {"$or": told, "_id": {"$gt": last}},
        sort={"_id": 1},
        limit=_AT_ONCE,
        fields={"identities": 1, "source": 1, time: 1},
    ):
        last = rows[-1]["_id"]
        for row in rows:
            for source, ids in _by_source(kind, row).items():
                span = spans.get(source)
                if span and span[0] <= row[time] <= span[1] and not any(map(kept.has, ids)):
                    counted.not_in_file += 1
                    found.show("notInFile", Deviation(kind, None, row["_id"]))


def _by_source(kind: LineKind, row: Document) -> Mapping[str, Sequence[str]]:
    """Returns under which ids a file of each source may tell of a row."""
    if kind is not LineKind.CUSTOMER:
        return {row["source"]: [row["_id"]]}
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for each in row["identities"]:
        ids[each["source"]].append(derived_id("customers", source=each["source"], source_id=each["id"]))
    return ids
