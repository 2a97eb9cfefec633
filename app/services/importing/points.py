"""Imports points lines: each at its own time, among all entries of its customer.

What cannot be right yet, because what it needs comes later in the file, is held until the end of the import.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, tzinfo
from typing import Any, Final, NamedTuple, cast

from app.domain.ids import derived_id
from app.domain.import_lines import Line, LineKind
from app.domain.moments import ORDER, order_of
from app.domain.points import (
    HERE,
    Entry,
    Judgement,
    Movement,
    PointsKind,
    PointsState,
    empty,
    end_of_day,
    enter,
    expiry,
    needs_entries,
    owed,
)
from app.domain.refusals import Refusal
from app.domain.statuses import CLOSED
from app.domain.vocabulary import LineOutcome
from app.services.importing.steps import WHOSE, Arrival, HistoryRewritten, NotImported, Verdict
from app.services.points import GIVEN_BACK, SYSTEM, expiry_activity
from app.store.driver import Document, Store

_DECIDED: Final = {
    "seq", "balanceAfter", "allocations", "settlements", "shortfall", "refundOf", "graceEndsAt", "recordedAt"
}  # fmt: skip
_HELD_AT_MOST: Final = 20_000
_DEBTORS_AT_MOST: Final = 100_000


class PointsClosed(NotImported):
    """Raised for a points line after its account was closed, or if no status says since when it is. A reject.

    A merged account's is rejected if nobody has said into which it was merged.
    """

    def __init__(self, status: str, *, is_dated: bool) -> None:
        way_out = " Give mergedInto on its customer line, and they follow." if status == "MERGED" else ""
        if is_dated:
            super().__init__(f"The account is closed ({status}) and takes no points any more.{way_out}", "customer")
        else:
            super().__init__(
                f"The account is closed ({status}), and no status in its history says since when: points of any time "
                f"are rejected.{way_out}",
                "customer",
            )


@dataclass(slots=True)
class Held:
    """It holds lines that wait for others of this import, by customer, each with the reason to reject it in the end."""

    by_customer: dict[str, list[tuple[Arrival, Refusal]]] = field(
        default_factory=dict[str, list[tuple[Arrival, Refusal]]]
    )

    @property
    def count(self) -> int:
        return sum(map(len, self.by_customer.values()))

    @property
    def is_full(self) -> bool:
        return self.count >= _HELD_AT_MOST

    def rejected(self) -> list[Verdict]:
        return [arrival.rejected(reason) for held in self.by_customer.values() for arrival, reason in held]


class Debt(NamedTuple):
    """A debt says what a customer owed before and after."""

    before: int
    after: int


@dataclass
class Debts:
    """The debts are what customers owe more than before this import: what was taken was not there any more.

    The first ``_DEBTORS_AT_MOST`` customers are remembered. Of all others the steps are added up, which is the same for
    those who owed nothing when the import began.
    """

    _by_customer: dict[str, Debt] = field(default_factory=dict[str, Debt])
    _is_full: bool = False
    _other_points: int = 0
    _other_customers: int = 0

    @property
    def points(self) -> int:
        more = sum(max(0, debt.after - debt.before) for debt in self._by_customer.values())
        return more + max(0, self._other_points)

    @property
    def customers(self) -> int:
        more = sum(debt.after > debt.before for debt in self._by_customer.values())
        return more + max(0, self._other_customers)

    def note(self, debts: Mapping[str, Debt]) -> None:
        for customer_id, debt in debts.items():
            before = self._by_customer.get(customer_id, debt).before
            if not (before or debt.after):
                self._by_customer.pop(customer_id, None)
            elif customer_id in self._by_customer or not self._is_full:
                self._by_customer[customer_id] = Debt(before, debt.after)
                self._is_full = self._is_full or len(self._by_customer) >= _DEBTORS_AT_MOST
            else:
                self._other_points += debt.after - debt.before
                self._other_customers += bool(debt.after) - bool(debt.before)


async def read_ledger(
    store: Store,
    lines: Sequence[tuple[Line, Document]],
    held: Held,
    *,
    now: datetime,
    zone: tzinfo,
    session: Any,
) -> "Ledger":
    """Returns the ledger of these lines' owners.

    At most two commands; all entries of those where the state is not enough.
    """
    owners = {owner["_id"]: owner for _, owner in lines}
    waiting = [arrival for owner in owners for arrival, _ in held.by_customer.get(owner, ())]
    all_lines = [*(line for line, _ in lines), *(arrival.line for arrival in waiting)]
    ids = {line.id for line in all_lines}
    # What is undone may stand in the ledger of an account that was merged into this one.
    ids |= {
        line.document["refundOfId"]
        for line, owner in lines
        if "refundOfId" in line.document and owner.get("mergedFromIds")
    }
    known = await store.find("points", {"_id": {"$in": list(ids)}}, session=session) if ids else []
    seen = {entry["_id"] for entry in known}
    told: defaultdict[str, list[Movement]] = defaultdict(list)
    for line, owner in lines:
        if line.id not in seen:
            told[owner["_id"]].append(cast(Movement, line.document))
    for owner in owners:
        told[owner] += [cast(Movement, arrival.line.document) for arrival, _ in held.by_customer.get(owner, ())]
    whole = [each for each, movements in told.items() if needs_entries(_state(owners[each]), movements)]
    entries: list[Document] = []
    if whole:
        everything = {"customerId": {"$in": whole}, "seq": {"$gte": 1}}
        entries = await store.find("points", everything, sort={"customerId": 1, "seq": 1}, session=session)
    return Ledger(known, entries, held, now=now, zone=zone)


class Ledger:
    """A ledger takes lines, then decides on all lines of a customer together."""

    def __init__(
        self, known: Iterable[Document], entries: Iterable[Document], held: Held, *, now: datetime, zone: tzinfo
    ) -> None:
        self._now, self._zone = now, zone
        self._entries: defaultdict[str, list[Document]] = defaultdict(list)
        for entry in entries:
            self._entries[entry["customerId"]].append(entry)
        self.entries = {entry["_id"]: entry for entry in [*known, *(e for es in self._entries.values() for e in es)]}
        self._held_before = held
        self._lines: defaultdict[str, list[tuple[Arrival, Document]]] = defaultdict(list)
        self._owners: dict[str, Document] = {}
        self.added: list[Document] = []
        self.activities: list[Document] = []
        self.states: dict[str, PointsState] = {}
        self.debts: dict[str, Debt] = {}
        self.held: dict[str, list[tuple[Arrival, Refusal]]] = {}

    def take(self, arrival: Arrival, document: Document, owner: Document) -> LineOutcome | None:
        """Takes a line, and returns its outcome; None if it is decided with the others. Raises NotImported."""
        facts = self._facts(document)
        if stored := self.entries.get(arrival.line.id):
            before, after = self._compared(stored, facts)
            if before != after:
                raise HistoryRewritten(LineKind.POINTS, before, after)
            return LineOutcome.UNCHANGED
        self._owners[owner["_id"]] = owner
        self._lines[owner["_id"]].append((arrival, facts))
        return None

    def differing(self, document: Document) -> set[str]:
        """Returns the keys in which an entry that is here is not what its line says."""
        before, after = self._compared(self.entries[document["_id"]], self._facts(document))
        return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}

    def decide(self, statuses: Mapping[str, Document]) -> list[Verdict]:
        """Returns the verdicts on all lines. ``statuses`` are the newest of the customers who have any."""
        verdicts: list[Verdict] = []
        for customer_id, lines in self._lines.items():
            owner = self._owners[customer_id]
            verdicts += self._decide(owner, lines, statuses.get(customer_id))
        return verdicts

    def _decide(
        self, owner: Document, lines: Sequence[tuple[Arrival, Document]], status: Document | None
    ) -> list[Verdict]:
        verdicts: list[Verdict] = []
        taken: dict[str, tuple[Arrival, Document]] = {}
        repeated: list[tuple[Arrival, Document]] = []
        for arrival, facts in lines:
            if closed := _closed(owner, status, facts["occurredAt"]):
                verdicts.append(arrival.rejected(closed))
            elif stored := self._stored(arrival, facts):
                verdicts.append(stored)
            elif arrival.line.id in taken:
                repeated.append((arrival, facts))
            else:
                taken[arrival.line.id] = arrival, facts
        earlier: dict[str, Refusal] = {}
        for arrival, reason in self._held_before.by_customer.get(owner["_id"], ()):
            document = {"_id": arrival.line.id, "customerId": owner["_id"], **arrival.line.document}
            facts = self._facts(_named(document, owner))
            if stored := self._stored(arrival, facts):
                verdicts.append(stored)
                continue
            earlier[arrival.line.id] = reason
            taken.setdefault(arrival.line.id, (arrival, facts))
        refused = self._enter(owner, list(taken.values()))
        self.held[owner["_id"]] = []
        for line_id, (arrival, _) in taken.items():
            if (refusal := refused.get(line_id)) is None:
                verdicts.append(arrival.becomes(LineOutcome.IMPORTED))
            elif arrival.was_parked or self._held_before.is_full:
                verdicts.append(arrival.rejected(refusal))
            else:
                self.held[owner["_id"]].append((arrival, earlier.get(line_id, refusal)))
        for arrival, facts in repeated:
            if refusal := refused.get(arrival.line.id):
                verdicts.append(arrival.rejected(refusal))
            elif facts == taken[arrival.line.id][1]:
                verdicts.append(arrival.becomes(LineOutcome.UNCHANGED))
            else:
                rewritten = HistoryRewritten(LineKind.POINTS, taken[arrival.line.id][1], facts)
                verdicts.append(arrival.rejected(rewritten))
        return verdicts

    def _stored(self, arrival: Arrival, facts: Document) -> Verdict | None:
        """Returns the verdict on a line whose id came in meanwhile, of another customer; None if it did not."""
        if not (stored := self.entries.get(arrival.line.id)):
            return None
        before, after = self._compared(stored, facts)
        if before == after:
            return arrival.becomes(LineOutcome.UNCHANGED)
        return arrival.rejected(HistoryRewritten(LineKind.POINTS, before, after))

    def _enter(self, owner: Document, taken: Sequence[tuple[Arrival, Document]]) -> Mapping[str, Refusal]:
        """Returns why lines are refused, by their id."""
        state = _state(owner)
        refused: dict[str, Refusal] = {}
        lines = list(taken)
        while True:  # what undoes a line that is not here is not here itself
            places = {facts["_id"]: place for place, (_, facts) in enumerate(lines)}
            orphans = [f["_id"] for _, f in lines if self._original(f, owner, places, state) is None]
            if not orphans:
                break
            refused |= {
                orphan: NotImported("refundOf names no points of this customer that came in before.", "refundOf")
                for orphan in orphans
            }
            lines = [(arrival, facts) for arrival, facts in lines if facts["_id"] not in refused]
        movements = [self._movement(facts, self._original(facts, owner, places, state) or 0) for _, facts in lines]
        entered = enter(state, movements, cast(Sequence[Entry], self._entries[owner["_id"]]))
        refused |= {lines[place][1]["_id"]: reason for place, reason in entered.refused.items()}
        self._write(owner, state, [facts for _, facts in lines], entered)
        return refused

    def _original(self, facts: Document, owner: Document, places: Mapping[str, int], state: PointsState) -> int | None:
        """Returns the number of the entry that is undone, as ``enter`` counts; 0 without one, None if it is missing."""
        original_id = facts.get("refundOfId")
        if original_id is None:
            return 0
        if original_id in places and original_id != facts["_id"]:
            return state["seq"] + 1 + places[original_id]
        original = self.entries.get(original_id)
        if original and original["customerId"] in owner.get("mergedFromIds", ()):
            return 0  # in the ledger of an account that was merged into this one, where nothing is undone any more
        return original["seq"] if original and original["customerId"] == owner["_id"] else None

    def _movement(self, facts: Document, original: int) -> Movement:
        movement: Movement = {
            "kind": PointsKind(facts["kind"]),
            "points": facts["points"],
            "occurredAt": facts["occurredAt"],
            "source": facts["source"],
        }
        if "expiresAt" in facts:
            movement["expiresAt"] = facts["expiresAt"]
        if original:
            movement["refundOf"] = original
        if movement["points"] > 0 and movement["kind"] in (PointsKind.RELEASED, PointsKind.REFUNDED):
            movement["graceEndsAt"] = end_of_day(movement["occurredAt"], self._zone)
        return movement

    def _write(self, owner: Document, before: PointsState, lines: Sequence[Document], entered: Judgement) -> None:
        if not entered.posting.entries:
            return
        owner["points"] = self.states[owner["_id"]] = entered.posting.state
        self.debts[owner["_id"]] = Debt(owed(before), owed(entered.posting.state))
        lines_by_seq = {seq: lines[place] for place, seq in entered.seqs.items()}
        for entry in entered.posting.entries:
            facts = lines_by_seq.get(entry["seq"])
            if facts is None:
                name = f"{owner['_id']}/{entry['seq']}"
                facts = {
                    "_id": derived_id("points", source=HERE, source_id=name),
                    "customerId": owner["_id"],
                    "actor": SYSTEM,
                    "reason": GIVEN_BACK,
                }
            kept = {key: value for key, value in facts.items() if key not in ("refundOfId", "expiresAt")}
            document = {**kept, **entry, "kind": entry["kind"].value, "recordedAt": self._now}
            if entry["seq"] not in lines_by_seq:
                activity = expiry_activity(document, self._now)
                activity |= {"_id": derived_id("activities", source=HERE, source_id=name)}  # pyright: ignore[reportPossiblyUnboundVariable]
                self.activities.append({**activity, ORDER: order_of(self._now, entry["seq"])})
            self.added.append(document)
            self.entries[document["_id"]] = document

    def _facts(self, document: Document) -> Document:
        """Returns what the line says. A date as its expiry is the end of that day, where the programme is."""
        facts = dict(document)
        facts.pop("balanceAfter", None)  # it is compared in the end, services/importing/balances.py
        expires_at = facts.pop("expiresAt", None)
        if isinstance(expires_at, str):
            day = datetime.combine(date.fromisoformat(expires_at), time(12), self._zone)
            expires_at = day if expiry(day) is None else end_of_day(day, self._zone)
        if expires_at and (kept := expiry(expires_at)):
            facts["expiresAt"] = kept
        return facts

    def _compared(self, stored: Document, facts: Document) -> tuple[Document, Document]:
        """Returns what a stored entry was said to be, and what the line says; not what the rules made of it."""
        said = {key: value for key, value in stored.items() if key not in _DECIDED | WHOSE}
        given = {key: value for key, value in facts.items() if key not in WHOSE}
        original = self.entries.get(given.pop("refundOfId", ""))
        said["points"] = points_told(stored)
        if "expiresAt" in said and "expiresAt" in given and said["expiresAt"] == end_of_day(given["expiresAt"]):
            given["expiresAt"] = said["expiresAt"]  # and kept the end of the day
        undone = original["seq"] if original and original["customerId"] == stored["customerId"] else None
        return {**said, "refundOf": stored.get("refundOf")}, {**given, "refundOf": undone}


def points_told(entry: Mapping[str, Any]) -> int:
    """Returns the points of an entry as its source told them; not what the rules made of them."""
    settled: int = sum(portion["points"] for portion in entry.get("settlements", ()))
    # Earlier versions wrote what they took, and the rest as a shortfall.
    short: int = entry.get("shortfall", 0) if "allocations" in entry else 0
    return entry["points"] - settled - short


def _state(owner: Document) -> PointsState:
    return owner.get("points") or empty()


def _named(document: Document, owner: Document) -> Document:
    """Calls a customer by their own name."""
    if "name" in document["actor"]:
        return document
    return {**document, "actor": {**document["actor"], "name": owner["name"]}}


def _closed(owner: Document, status: Document | None, at: datetime) -> PointsClosed | None:
    """Returns why an account takes no points of ``at``: what happened before it was closed is history."""
    now = status["to"] if status else owner["status"]
    if now not in CLOSED or (status and at <= status["changedAt"]):
        return None
    return PointsClosed(now, is_dated=status is not None)
