"""The import of other systems' data: lines in, verdicts counted. docs/import.md describes the lines.

What a line is, and what it may say, is decided in ``domain/import_lines.py``. Here lines are taken in chunks, each in
up to three steps, each step in transactions of its own: who the customers are; what had been parked for them; all
else. Interrupted anywhere, the same file imported again completes it.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Final, Protocol

from app.domain.import_forms import Identity
from app.domain.import_lines import Kind
from app.services.import_customers import introduce
from app.services.import_parking import anything_parked, in_groups, leave, parked, parked_line
from app.services.import_steps import UNREADABLE, Arrival, Outcome, Unforeseen, Verdict, customers_known_as, read
from app.services.import_things import bring_in
from app.store.driver import DeleteOne, Store, is_transient

__all__ = ["LINE_LIMIT_BYTES", "UNREADABLE", "Outcome", "Reject", "Summary", "import_lines", "lines_of"]

LINE_LIMIT_BYTES: Final = 1024 * 1024
_CHUNK_BYTES: Final = 8 * LINE_LIMIT_BYTES
_PARKED_AT_ONCE: Final = 250  # unlike a chunk they cannot be bounded by their bytes before they are read
_BEGINNING_BYTES: Final = 1_000
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Reject:
    """One line of the rejects file. Of a line that had been parked, ``line`` counts in the file it was parked from."""

    line: int
    reason: str
    input: str


@dataclass(frozen=True, slots=True)
class Summary:
    """How many lines of each kind had which outcome. A line that was parked and came in counts under both."""

    counts: Counter[tuple[str, Outcome]] = field(default_factory=Counter[tuple[str, Outcome]])

    def total(self, outcome: Outcome) -> int:
        return sum(count for (_, counted), count in self.counts.items() if counted is outcome)

    @property
    def rejected(self) -> int:
        return self.total(Outcome.REJECTED)

    @property
    def exit_code(self) -> int:
        """1 if any line was rejected. Parked lines are no failure: they wait for their customer."""
        return 1 if self.rejected else 0

    def __str__(self) -> str:
        """A sentence a kind, in the order of the manual: ``activity: 12 imported, 1 rejected``."""
        sentences: list[str] = []
        for kind in (*Kind, UNREADABLE):
            counts = [(self.counts[kind, outcome], outcome) for outcome in Outcome if self.counts[kind, outcome]]
            if counts:
                sentences.append(f"{kind}: " + ", ".join(f"{count:,} {outcome}" for count, outcome in counts))
        return "\n".join(sentences) or "There were no lines."


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Its lines; of one beyond the limit, however long, only as much as shows that it is."""
    while line := file.readline(LINE_LIMIT_BYTES + 1):
        yield line
        while len(line) > LINE_LIMIT_BYTES and not line.endswith(b"\n"):
            line = file.readline(LINE_LIMIT_BYTES + 1)


async def import_lines(
    store: Store,
    lines: Iterable[bytes],
    *,
    now: datetime,
    reject: Callable[[Reject], None],
    advance: Callable[[int], None] = lambda lines: None,
    lines_per_chunk: int = 1_000,
) -> Summary:
    """Takes each line in, parks it or rejects it. ``advance`` hears how many lines more are done. Raises StoreError."""
    summary = Summary()
    for chunk in _chunks(lines, lines_per_chunk):
        rejects: list[Reject] = []
        try:
            async for verdicts in _steps(store, chunk, now):
                summary.counts.update((verdict.kind, verdict.outcome) for verdict in verdicts)
                rejects += [Reject(v.number, v.reason, v.text) for v in verdicts if v.outcome is Outcome.REJECTED]
        finally:
            # Should the database fail now, what is decided still has to be told: it may be parked no longer.
            for rejected in sorted(rejects, key=lambda rejected: rejected.line):
                reject(rejected)
        advance(len(chunk))
    return summary


async def _steps(store: Store, chunk: Sequence[tuple[int, bytes]], now: datetime) -> AsyncGenerator[list[Verdict]]:
    taken = [_read(number, line) for number, line in chunk if line.strip()]
    yield [verdict for verdict in taken if isinstance(verdict, Verdict)]
    arrivals = [arrival for arrival in taken if isinstance(arrival, Arrival)]
    if who := [arrival for arrival in arrivals if arrival.line.owner is None]:
        yield await _each(introduce, store, who, now)
    # What waited comes in before what came later: the order matters to points.
    async for verdicts in _unpark(store, [name for arrival in arrivals for name in arrival.line.names], now):
        yield verdicts
    if things := [arrival for arrival in arrivals if arrival.line.owner]:
        yield await _each(bring_in, store, things, now)


class Step(Protocol):
    """Takes lines in, in transactions of its own: all of them or none."""

    async def __call__(self, store: Store, arrivals: Sequence[Arrival], /, *, now: datetime) -> list[Verdict]: ...


async def _each(step: Step, store: Store, arrivals: Sequence[Arrival], now: datetime) -> list[Verdict]:
    """The same, halved for as long as something unforeseen is in it: no line stops another. Raises StoreError where
    the database is away."""
    try:
        return await step(store, arrivals, now=now)
    except Exception as fault:
        if is_transient(fault):
            raise
        if len(arrivals) == 1:
            (arrival,) = arrivals
            if arrival.was_parked:
                await store.write("parked", leave(arrivals))
            return [arrival.rejected(Unforeseen(fault))]
    middle = len(arrivals) // 2
    return [
        *(await _each(step, store, arrivals[:middle], now)),
        *(await _each(step, store, arrivals[middle:], now)),
    ]


async def _unpark(store: Store, identities: Sequence[Identity], now: datetime) -> AsyncGenerator[list[Verdict]]:
    if not await anything_parked(store, identities):
        return
    customers = await customers_known_as(store, identities, fields={"identities": 1})
    for group in await in_groups(store, customers, lines=_PARKED_AT_ONCE):
        things = {"line.kind": {"$ne": Kind.CUSTOMER_LINK.value}}
        while documents := await parked(store, group, things, limit=2 * _PARKED_AT_ONCE):
            taken = {document["_id"]: parked_line(document) for document in documents}
            # The catalogue may demand more by now than when they were parked.
            unreadable = {place: verdict for place, verdict in taken.items() if isinstance(verdict, Verdict)}
            await store.write("parked", [DeleteOne({"_id": place}) for place in unreadable])
            yield list(unreadable.values())
            arrivals = [arrival for arrival in taken.values() if isinstance(arrival, Arrival)]
            yield await _each(bring_in, store, arrivals, now)


def _chunks(lines: Iterable[bytes], lines_per_chunk: int) -> Iterator[list[tuple[int, bytes]]]:
    chunk: list[tuple[int, bytes]] = []
    length = 0
    for number, line in enumerate(lines, start=1):
        chunk.append((number, line))
        length += len(line)
        if len(chunk) == lines_per_chunk or length >= _CHUNK_BYTES:
            yield chunk
            chunk, length = [], 0
    if chunk:
        yield chunk


def _read(number: int, line: bytes) -> Arrival | Verdict:
    line = line.removeprefix(_BYTE_ORDER_MARK).strip()
    if len(line) > LINE_LIMIT_BYTES:
        return _rejected(number, line[:_BEGINNING_BYTES], "The line is longer than 1 MiB; this is its beginning.")
    try:
        return read(number, line.decode())
    except UnicodeDecodeError as wrong:
        return _rejected(number, line, f"The line is not UTF-8 at byte {wrong.start + 1}.")


def _rejected(number: int, line: bytes, reason: str) -> Verdict:
    return Verdict(UNREADABLE, number, line.decode(errors="backslashreplace"), Outcome.REJECTED, reason)
