"""Imports other systems' data: lines in, verdicts counted. docs/import.md describes the lines.

What a line is, and what it may say, is decided in ``domain/import_lines.py``. Here lines are taken in chunks, each in
up to three steps, each step in transactions of its own: who the customers are; what had been parked for them; all
else. Interrupted anywhere, the same file imported again completes it.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from math import ceil
from typing import Any, Final, TypeAlias

from app.catalogue import CATALOGUE, SOURCES
from app.catalogue.model import did_you_mean, nearest
from app.domain import card_numbers
from app.domain.import_lines import LineKind
from app.domain.vocabulary import LineOutcome
from app.jobs import Pace, at_once
from app.services.importing.balances import ToldBalances
from app.services.importing.customers import import_identities
from app.services.importing.lanes import in_lanes
from app.services.importing.lines import LINE_LIMIT_BYTES, Chunk, Lines, chunks_of
from app.services.importing.owned import import_owned
from app.services.importing.parking import in_groups, is_anything_parked, leave_places, parked, parked_line
from app.services.importing.points import Debts, Held
from app.services.importing.reach import Unreached
from app.services.importing.steps import (
    HAD_BEEN_PARKED,
    LINES_OF_REJECTS,
    UNREADABLE,
    Arrival,
    ImportOptions,
    MappedLine,
    Unforeseen,
    UnknownType,
    Updated,
    Updates,
    Verdict,
    customers_known_as,
    read,
)
from app.services.row_jobs import clock
from app.store.driver import Document, Store, StoreError, is_transient
from app.store.indexes import note_sources
from app.store.previews import StaleCopies
from app.store.scratch import scratch_of

__all__ = [
    "DEFAULTS",
    "HAD_BEEN_PARKED",
    "LINES_OF_REJECTS",
    "LINE_LIMIT_BYTES",
    "UNREADABLE",
    "ImportOptions",
    "LineOutcome",
    "MappedLine",
    "Pace",
    "Reject",
    "Summary",
    "Verdict",
    "Warned",
    "check_lines",
    "import_lines",
    "read_line",
]

_LINES_AT_ONCE: Final = 24_000
"""Of several lanes. The more lines are looked at together, the more of one customer are in one transaction."""
_LINES_PER_LANE: Final = 2_000
_MINUTE: Final = timedelta(minutes=1)
_LINES_OF_ONE_LANE: Final = 1_000
"""Where it is the only one: whoever leaves most to those who are served holds a customer for a shorter time, too."""
_LINES_OF_A_GENTLE_CHUNK: Final = 50
_INTRODUCED_AT_ONCE: Final = 1_000
_FOR_LANES: Final = {"identities": 1, "number": 1, "mergedIntoId": 1}
_Step: TypeAlias = Callable[[Sequence[Arrival]], Awaitable[list[Verdict]]]
_PARKED_AT_ONCE: Final = 250  # unlike a chunk they cannot be bounded by their bytes before they are read
DEFAULTS: Final = ImportOptions()
_BEGINNING_BYTES: Final = 1_000
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_TEXTS_AT_MOST: Final = 1_000
_TEXTS_SHOWN: Final = 20
_TYPE_AT_MOST: Final = 100
_NUMBERS: Final = re.compile(r"\b[0-9a-f]{16}\b|[0-9]+")
"""What differs in reasons that are one: numbers, and ids under which the log has a fault."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A reject is one line of the rejects file.

    ``line`` of one that had been parked counts in the file from which it was parked.
    """

    line: int
    reason: str
    input: str


@dataclass(frozen=True, slots=True)
class Warned:
    """A line is warned of that came in although something about it is wrong; it stands in the rejects file, too."""

    line: int
    warning: str
    input: str


@dataclass(slots=True)
class TextCounts:
    """It counts texts. Of more than 1,000 different ones, the lines of all others count under ``OTHERS``."""

    OTHERS = "others"
    counts: Counter[str] = field(default_factory=Counter[str])
    _first: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, text: str, *, like: str | None = None) -> None:
        """Counts a text. Those that are ``like`` the same count as one, under the first of them."""
        key = text if like is None else like
        if key not in self._first and len(self._first) < _TEXTS_AT_MOST:
            self._first[key] = text
        self.counts[self._first.get(key, self.OTHERS)] += 1

    def sentences(self, sentence: Callable[[str, int], str], more: str) -> list[str]:
        """Returns a sentence for each of the most frequent texts, and one that says how many ``more`` there are."""
        shown = [sentence(text, count) for text, count in self.counts.most_common(_TEXTS_SHOWN)]
        rest = len(self.counts) - len(shown)
        return [*shown, f"and {rest:,} {more}"] if rest else shown


@dataclass(slots=True)
class Summary:
    """A summary counts the lines of each kind by outcome. A line that was parked and came in counts under both."""

    lines: int = 0
    """Those of the file that are decided, blank ones included."""

    last: int = 0
    """The number of the last line that is decided, or of the last row of an export whose lines all are."""

    held: int = 0
    """How many of them wait for others of the file, and are rejected at its end unless those come."""

    counts: Counter[tuple[str, LineOutcome]] = field(default_factory=Counter[tuple[str, LineOutcome]])
    debts: Debts = field(default_factory=Debts)
    reasons: TextCounts = field(default_factory=TextCounts)
    """Why lines were rejected."""
    warnings: TextCounts = field(default_factory=TextCounts)
    """What was left out of lines that came in, or is doubtful about them."""
    unknown_types: TextCounts = field(default_factory=TextCounts)
    """The types of activities that the catalogue does not have, and that were kept as legacy."""

    def warn(self, verdict: Verdict) -> None:
        for warning in verdict.warnings:
            self.warnings.add(warning, like=_NUMBERS.sub("0", warning))

    def total(self, outcome: LineOutcome) -> int:
        return sum(count for (_, counted), count in self.counts.items() if counted is outcome)

    @property
    def rejected(self) -> int:
        return self.total(LineOutcome.REJECTED)

    @property
    def exit_code(self) -> int:
        """Returns 1 if any line was rejected, else 0. Parked lines are no failure: they wait for their customer."""
        return 1 if self.rejected else 0

    def __str__(self) -> str:
        """Returns a sentence for each kind, in the order of the manual: ``activity: 12 imported, 1 rejected``."""
        sentences: list[str] = []
        for kind in (*LineKind, UNREADABLE):
            counts = [(self.counts[kind, outcome], outcome) for outcome in LineOutcome if self.counts[kind, outcome]]
            if counts:
                sentences.append(f"{kind}: " + ", ".join(f"{count:,} {outcome.lower()}" for count, outcome in counts))
        if points := self.debts.points:
            sentences.append(
                f"points owed: {points:,} more, by {self.debts.customers:,} customers; earnings pay them first"
            )
        sentences += self.unknown_types.sentences(_unknown_type, "unknown types")
        sentences += self.warnings.sentences(lambda text, count: f"{count:,} warned: {text}", "other warnings")
        sentences += self.reasons.sentences(lambda reason, count: f"{count:,} rejected: {reason}", "other reasons")
        return "\n".join(sentences) or "There were no lines."

    @property
    def counts_by_kind(self) -> list[dict[str, Any]]:
        """Returns the counts as the batch and `--json` have them."""
        return [
            {"kind": kind, "outcome": outcome.value, "lines": lines}
            for (kind, outcome), lines in sorted(self.counts.items())
            if lines
        ]

    def as_json(self) -> dict[str, Any]:
        """Returns what `--json` prints: docs/import.md lists the keys."""
        return {
            "lines": self.lines,
            "counts": self.counts_by_kind,
            "reasons": [{"reason": text, "lines": count} for text, count in self.reasons.counts.most_common()],
            "warnings": [{"warning": text, "lines": count} for text, count in self.warnings.counts.most_common()],
            "unknownTypes": [
                {"type": text, "lines": count, "suggestion": nearest(text, CATALOGUE)}
                for text, count in self.unknown_types.counts.most_common()
            ],
            "pointsOwed": {"points": self.debts.points, "customers": self.debts.customers},
        }


def _unknown_type(word: str, count: int) -> str:
    return f"{count:,} of the unknown type {word}, kept as legacy" + did_you_mean(word, CATALOGUE, otherwise="")


async def import_lines(
    store: Store,
    lines: Lines,
    *,
    now: datetime,
    reject: Callable[[Reject], None],
    warn: Callable[[Warned], None] = lambda warned: None,
    advance: Callable[[int], None] = lambda lines: None,
    first: int = 1,
    before: Summary | None = None,
    lines_per_chunk: int | None = None,
    options: ImportOptions = DEFAULTS,
    import_id: str | None = None,
    note: Callable[[Summary], Awaitable[None]] | None = None,
    on_verdict: Callable[[Verdict], None] = lambda verdict: None,
    makes_copies: bool = True,
) -> Summary:
    """Takes each line in, parks it or rejects it. Raises StoreError.

    ``advance`` hears how many lines more are done, ``note`` what became of all so far, and ``on_verdict`` what became
    of each, counted from ``first`` on. ``before`` is what became of lines that were settled before, which count once
    though some of them may come again. ``warn`` gets those that came in although something about them is wrong. While
    whoever sends the lines pauses, what has come is brought in and settled, and ``note`` hears once a second that it
    waits. What is written is listed under ``import_id`` (services/importing/batches.py).
    """
    summary, stale = before or Summary(lines=first - 1, last=first - 1), StaleCopies(options.pace)
    run = _Run(store, now, options, import_id, summary, stale, settled=summary.last)

    def tell(verdicts: Iterable[Verdict]) -> None:
        for verdict in sorted(verdicts, key=lambda verdict: verdict.number):
            on_verdict(verdict)
            if verdict.outcome is LineOutcome.REJECTED:
                reject(Reject(verdict.number, verdict.reason, verdict.text))
            elif verdict.warnings:
                warn(Warned(verdict.number, " ".join(verdict.warnings), verdict.text))

    def tell_doubts(verdicts: Iterable[Verdict]) -> None:
        """Tells warnings about lines whose verdicts were told before."""
        for verdict in verdicts:
            run.summary.warn(verdict)
            warn(Warned(verdict.number, " ".join(verdict.warnings), verdict.text))

    decided: list[Verdict] = []
    if lines_per_chunk is None:
        own = _LINES_OF_ONE_LANE if options.lanes == 1 else _LINES_AT_ONCE
        lines_per_chunk = _LINES_OF_A_GENTLE_CHUNK if options.pace.is_gentle else own
    chunks = _read(chunks_of(lines, lines_per_chunk, first, ends_at=run.settled), options)
    try:
        async with aclosing(chunks):
            async for chunk, taken in chunks:
                if not chunk:  # whoever sends them pauses, and might for long
                    if makes_copies:
                        await run.stale.finish(store, options.lanes)
                    if note:
                        await note(run.summary)
                    continue
                start = time.monotonic()
                run.comes_again = chunk[-1][0] <= run.settled
                async for verdicts in run.steps(taken):
                    run.count(verdicts)
                    # What was parked is in no file that is imported again: it is told before it leaves.
                    tell(parked := [verdict for verdict in verdicts if verdict.parked_as])
                    await leave_places(store, (place for verdict in parked for place in verdict.parked_as))
                    decided += [verdict for verdict in verdicts if not verdict.parked_as]
                told, decided = decided, []
                tell(told)
                if not run.comes_again:
                    run.summary.lines += len(chunk)
                    number, line = chunk[-1]
                    run.summary.last = number - (isinstance(line, MappedLine) and not line.ends_row)
                run.summary.held = run.held.count
                advance(len(chunk))
                if note:
                    await note(run.summary)
                await run.stale.settle_if_due(store)
                if run.balances.is_full:
                    tell_doubts(await run.balances.wrong(store))
                await options.pace.rest(start)
        tell_doubts(await run.balances.wrong(store))
        for warning in run.unreached.warnings():
            run.summary.warnings.add(warning)
        run.summary.held = 0  # they are told below
        if makes_copies:
            await run.stale.finish(store, options.lanes)
    except StoreError:
        raise  # the database is away: a worker settles it later
    except BaseException:  # whatever breaks the lines off, their sender's leaving too
        if makes_copies:
            with suppress(StoreError):
                await asyncio.shield(run.stale.settle(store))
        raise
    finally:
        # Should the database fail now, what is decided still has to be told. What waited for other lines of this import
        # waited in vain.
        run.count(left := run.held.rejected())
        tell([*decided, *left])
    return run.summary


async def check_lines(
    live: Store,
    lines: Lines,
    *,
    now: datetime,
    on_verdict: Callable[[Verdict], None],
    advance: Callable[[int], None] = lambda lines: None,
    lines_per_chunk: int | None = None,
    options: ImportOptions = DEFAULTS,
) -> Summary:
    """Returns what an import of these lines would come to, and writes nothing to ``live``: it is done in a scratch."""
    async with scratch_of(live, now) as scratch:
        return await import_lines(
            scratch,
            lines,
            now=now,
            reject=lambda rejected: None,
            advance=advance,
            lines_per_chunk=lines_per_chunk,
            options=options,
            on_verdict=on_verdict,
            makes_copies=False,
        )


@dataclass(slots=True)
class _Run:
    store: Store
    began_at: datetime
    options: ImportOptions
    import_id: str | None
    summary: Summary
    stale: StaleCopies
    settled: int
    """The last line that was counted before this run: those up to it come again, and are not counted again."""
    comes_again: bool = False
    """Whether that is so of the chunk at hand."""
    held: Held = field(default_factory=Held)
    sources: set[str] = field(default_factory=set[str])
    """Those outside the catalogue that it has met."""
    updates: Updates = field(default_factory=Updates)
    balances: ToldBalances = field(default_factory=ToldBalances)
    unreached: Unreached = field(default_factory=Unreached)
    _began: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._began = clock()

    @property
    def now(self) -> datetime:
        """Returns the time, to the minute since it began: some lines come for days, and tell of what happens meanwhile.

        What was in the future then is not by now, and days that were not over have been counted for reports.
        """
        passed = max(clock() - self._began, timedelta())
        return self.began_at + passed // _MINUTE * _MINUTE

    def count(self, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            was_parked = verdict.outcome is LineOutcome.UNPARKED or verdict.parked_as
            if verdict.number <= self.settled and not was_parked:
                continue
            self.summary.counts[verdict.kind, verdict.outcome] += 1
            if verdict.outcome is LineOutcome.REJECTED:
                self.summary.reasons.add(verdict.reason, like=_NUMBERS.sub("0", verdict.reason))
            else:
                self.summary.warn(verdict)

    async def steps(self, lines: Iterable[Arrival | Verdict]) -> AsyncGenerator[list[Verdict]]:
        taken = [*map(self._known, lines)]
        yield [verdict for verdict in taken if isinstance(verdict, Verdict)]
        arrivals = [arrival for arrival in taken if isinstance(arrival, Arrival)]
        if who := [arrival for arrival in arrivals if arrival.line.owner is None]:
            groups = max(self.options.lanes, ceil(len(who) / _INTRODUCED_AT_ONCE))
            yield await self._in_lanes(self._introduce, who, await self._known_before(who), groups)
        things = [arrival for arrival in arrivals if arrival.line.owner]
        waits = await is_anything_parked(self.store)
        customers: Sequence[Document] = ()
        if waits or (things and self.options.lanes > 1):
            # All that they are called: a link that waited, too, may have joined what other lines wait for.
            names = [name for arrival in arrivals for name in arrival.line.names]
            customers = await customers_known_as(self.store, names, fields=_FOR_LANES)
        # What waited comes in before what came later: the order matters to points.
        async for verdicts in self._unpark(customers if waits else ()):
            yield verdicts
        if things:
            await self._note_sources(things)
            groups = max(self.options.lanes, ceil(len(things) / _LINES_PER_LANE))
            yield await self._in_lanes(self._bring_in, things, customers, groups)

    async def _known_before(self, arrivals: Sequence[Arrival]) -> Sequence[Document] | None:
        """Returns the customers of whom lines tell who they are; None if parked links may make one of several."""
        if self.options.lanes == 1 or await is_anything_parked(self.store):
            return None
        names = [name for arrival in arrivals for name in arrival.line.names]
        documents = [arrival.line.document for arrival in arrivals]
        names += [document["mergedInto"] for document in documents if "mergedInto" in document]
        numbers = {document["number"] for document in documents if "number" in document}
        return await customers_known_as(self.store, names, numbers=numbers, fields=_FOR_LANES)

    def _known(self, taken: Arrival | Verdict) -> Arrival | Verdict:
        """Returns the line, or the verdict on an activity of an unknown type."""
        if isinstance(taken, Verdict) or not taken.line.document.get("legacy"):
            return taken
        word = taken.line.document["type"]
        if self.options.refuses_unknown_types:
            return taken.rejected(UnknownType(word))
        self.summary.unknown_types.add(word[:_TYPE_AT_MOST])
        return taken

    async def _in_lanes(
        self, step: _Step, arrivals: Sequence[Arrival], customers: Sequence[Document] | None, groups: int
    ) -> list[Verdict]:
        """Takes lines in so many ``groups`` at most, at a time those that have nothing to do with each other.

        Where the ``customers`` are not known, they are taken one lane after the other.
        """
        if self.options.lanes == 1:
            return await self._each(step, arrivals)
        if customers is None:
            starts = range(0, len(arrivals), _LINES_PER_LANE)
            lanes, at_most = [arrivals[start : start + _LINES_PER_LANE] for start in starts], 1
        else:
            lanes, at_most = in_lanes(arrivals, customers, groups), self.options.lanes
        verdicts = await at_once((partial(self._each, step, lane) for lane in lanes), at_most)
        return [*chain.from_iterable(verdicts)]

    async def _unpark(self, customers: Sequence[Document]) -> AsyncGenerator[list[Verdict]]:
        for group in await in_groups(self.store, customers, lines=_PARKED_AT_ONCE):
            things = {"line.kind": {"$ne": LineKind.CUSTOMER_LINK.value}}
            while documents := await parked(self.store, group, things, limit=2 * _PARKED_AT_ONCE):
                taken = {document["_id"]: parked_line(document) for document in documents}
                # The catalogue may demand more by now than when they were parked.
                yield [verdict for verdict in taken.values() if isinstance(verdict, Verdict)]
                arrivals = [arrival for arrival in taken.values() if isinstance(arrival, Arrival)]
                await self._note_sources(arrivals)
                yield await self._each(self._bring_in, arrivals)

    async def _introduce(self, arrivals: Sequence[Arrival]) -> list[Verdict]:
        introduced = await import_identities(
            self.store, arrivals, now=self.now, stale=self.stale, import_id=self.import_id
        )
        self._recount(introduced.updated)
        return introduced.verdicts

    async def _bring_in(self, arrivals: Sequence[Arrival]) -> list[Verdict]:
        self.balances.note(arrivals)
        brought = await import_owned(
            self.store,
            arrivals,
            now=self.now,
            held=self.held,
            stale=self.stale,
            options=self.options,
            import_id=self.import_id,
        )
        self.summary.debts.note(brought.debts)
        self._recount(brought.updated)
        bad = {verdict.number for verdict in brought.verdicts if verdict.outcome is LineOutcome.REJECTED}
        self.unreached.note(arrival for arrival in arrivals if arrival.number not in bad)
        return brought.verdicts

    def _recount(self, updated: Iterable[Updated]) -> None:
        """Counts what two lines of a file say of one thing as its last says: the same file again updates nothing."""
        for each in updated if not self.comes_again else ():
            lines = self.updates.unchanged(each)
            self.summary.counts[each.kind, LineOutcome.UPDATED] -= lines
            self.summary.counts[each.kind, LineOutcome.UNCHANGED] += lines

    async def _note_sources(self, arrivals: Sequence[Arrival]) -> None:
        """Makes imported activities findable by their source. A command for those that this import meets first."""
        told = {arrival.line.identity.source for arrival in arrivals if arrival.line.kind is LineKind.ACTIVITY}
        new = sorted(told.difference(SOURCES, self.sources))
        await note_sources(self.store, new)
        self.sources.update(new)

    async def _each(self, step: _Step, arrivals: Sequence[Arrival]) -> list[Verdict]:
        """Returns what became of each line. Raises StoreError if the database is away.

        ``step`` is halved for as long as something unforeseen is in it: no line stops another.
        """
        try:
            return await step(arrivals)
        except Exception as fault:
            if is_transient(fault):
                raise
            if len(arrivals) == 1:
                return [arrivals[0].rejected(Unforeseen(fault))]
        middle = len(arrivals) // 2
        return [*(await self._each(step, arrivals[:middle])), *(await self._each(step, arrivals[middle:]))]


async def _read(
    chunks: AsyncGenerator[Chunk], options: ImportOptions
) -> AsyncGenerator[tuple[Chunk, list[Arrival | Verdict]]]:
    """Yields chunks with what their lines say, read in a thread; the next one while the last one is brought in."""

    def read_all(chunk: Chunk) -> list[Arrival | Verdict]:
        return [read_line(number, line, strict=options.strict) for number, line in chunk if line.strip()]

    async def read_next() -> tuple[Chunk, list[Arrival | Verdict]] | None:
        chunk = await anext(chunks, None)
        return None if chunk is None else (chunk, await asyncio.to_thread(read_all, chunk) if chunk else [])

    reading = asyncio.create_task(read_next())
    try:
        while found := await reading:
            reading = asyncio.create_task(read_next())
            yield found
    finally:
        reading.cancel()
        await asyncio.wait([reading])


def read_line(number: int, line: bytes, *, strict: bool = False) -> Arrival | Verdict:
    """Returns what a line of a file says, or the verdict on one that cannot be read."""
    if isinstance(line, MappedLine) and line.problem:
        return _rejected(number, line.raw.encode(), line.problem)
    line = line.removeprefix(_BYTE_ORDER_MARK).strip()
    if len(line) > LINE_LIMIT_BYTES:
        return _rejected(number, line[:_BEGINNING_BYTES], "The line is longer than 1 MiB; this is its beginning.")
    try:
        return read(number, line.decode(), strict=strict)
    except UnicodeDecodeError as wrong:
        return _rejected(number, line, f"The line is not UTF-8 at byte {wrong.start + 1}.")


def _rejected(number: int, line: bytes, reason: str) -> Verdict:
    text = card_numbers.masked(line.decode(errors="backslashreplace"))
    return Verdict(UNREADABLE, number, text, LineOutcome.REJECTED, reason)
