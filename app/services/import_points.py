"""The points lines of an import: each by the rule for its kind, on the balance that the line before it left."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, cast

from app.domain.ids import derived_id
from app.domain.import_lines import Line
from app.domain.points import Entry, PointsKind, PointsState, empty, expiry_day, post
from app.domain.vocabulary import ActorKind
from app.services.import_steps import HistoryRewritten, NotImported, Outcome
from app.store.driver import Document, Store

_DECIDED: Final = {"seq", "balanceAfter", "allocations", "shortfall", "refundOf", "recordedAt"}
_GATEWAY: Final = {"source": "platform", "actor": {"kind": ActorKind.SYSTEM.value, "name": "System"}}


async def read_ledger(store: Store, lines: Sequence[Line], *, now: datetime, session: Any) -> "Ledger":
    """At most two commands: the entries that the lines are or undo; what else undid these."""
    undone = {line.document["refundOfId"] for line in lines if "refundOfId" in line.document}
    ids = {line.id for line in lines} | undone
    entries = await store.find("points", {"_id": {"$in": list(ids)}}, session=session) if ids else []
    if originals := [entry for entry in entries if entry["_id"] in undone]:
        undoing = {
            "customerId": {"$in": list({entry["customerId"] for entry in originals})},
            "kind": PointsKind.REFUNDED.value,
            "refundOf": {"$in": list({entry["seq"] for entry in originals})},
        }
        entries += await store.find("points", undoing, session=session)
    return Ledger(entries, now=now)


class Ledger:
    """The entries concerned, as they are after each line posted. Their owners carry the balance."""

    def __init__(self, entries: Iterable[Document], *, now: datetime) -> None:
        self._now = now
        self.entries: dict[str, Document] = {}
        self.added: list[Document] = []
        self.states: dict[str, PointsState] = {}
        self._undoing: defaultdict[tuple[str, int], list[Entry]] = defaultdict(list)
        for entry in entries:
            self._know(entry)

    def post(self, line: Line, document: Document, owner: Document) -> Outcome:
        """``document`` is the line's, with id and owner. Raises what the rule for its kind raises, and NotImported."""
        facts = dict(document)
        original = self._original(facts.pop("refundOfId", None), owner)
        if stored := self.entries.get(line.id):
            if not _says(stored, facts, original):
                raise HistoryRewritten
            return Outcome.UNCHANGED
        kind = PointsKind(facts["kind"])
        state, entries = post(
            owner.get("points") or empty(),
            kind,
            facts["points"],
            now=facts["occurredAt"],
            expires_at=facts.pop("expiresAt", None),
            original=original,
            refunds=self._undoing[owner["_id"], original["seq"]] if original else (),
        )
        for entry in entries:
            self._add({**(facts if entry["kind"] == kind else _expiry_of(entry, facts, line)), **entry})
        owner["points"] = self.states[owner["_id"]] = state
        return Outcome.IMPORTED

    def _original(self, entry_id: str | None, owner: Document) -> Entry | None:
        if entry_id is None:
            return None
        original = self.entries.get(entry_id)
        if original is None or original["customerId"] != owner["_id"]:
            raise NotImported("refundOf names no points of this customer that came in before.", "refundOf")
        return cast(Entry, original)

    def _add(self, entry: Document) -> None:
        entry = {**entry, "kind": str(entry["kind"]), "recordedAt": self._now}
        self.added.append(entry)
        self._know(entry)

    def _know(self, entry: Document) -> None:
        if entry["_id"] not in self.entries and "refundOf" in entry:
            self._undoing[entry["customerId"], entry["refundOf"]].append(cast(Entry, entry))
        self.entries[entry["_id"]] = entry


def _expiry_of(entry: Entry, facts: Document, line: Line) -> Document:
    """What a rule adds to a line by itself is the expiry of a bucket, at the moment when it was due."""
    expires_at = entry.get("allocations", [{"expiresAt": None, "points": 0}])[0]["expiresAt"]
    source, source_id = line.identity
    return {
        # No source can call anything so: a line's id has no control characters.
        "_id": derived_id("points", source=source, source_id=f"{source_id}\0{entry['seq']}"),
        "customerId": facts["customerId"],
        "occurredAt": expires_at or facts["occurredAt"],
        **_GATEWAY,
    }


def _says(stored: Document, facts: Document, original: Entry | None) -> bool:
    """Whether a stored entry is what the line says: what the rule made of it is not the line's to say."""
    said = {key: value for key, value in stored.items() if key not in _DECIDED}
    said["points"] -= stored.get("shortfall", 0)
    given = dict(facts)
    if "expiresAt" in facts and (day := expiry_day(given.pop("expiresAt"))):
        given["expiresAt"] = day
    return said == given and stored.get("refundOf") == (original["seq"] if original else None)
