"""Lines of an import, and what a test sees of one: verdicts, rejects and a fingerprint of the whole database."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final, Protocol

from app.domain.ids import derived_id
from app.services.importing import DEFAULTS, ImportOptions, LineOutcome, Reject, Summary, Warned
from app.store.driver import Document, Store
from app.store.schema import COLLECTIONS

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)

ADA = derived_id("customers", source="esuite", source_id="E1001")
AGENT = {"kind": "AGENT", "id": "mira", "name": "Mira Sol", "accessLevel": "FINANCE"}
SYSTEM = {"kind": "IMPORT", "name": "System"}

Line = Mapping[str, Any]


@dataclass
class Run:
    """What an import says of its lines."""

    summary: Summary
    rejects: list[Reject] = field(default_factory=list[Reject])
    warned: list[Warned] = field(default_factory=list[Warned])

    @property
    def reasons(self) -> dict[int, str]:
        return {reject.line: reject.reason for reject in self.rejects}

    @property
    def warnings(self) -> dict[int, str]:
        return {each.line: each.warning for each in self.warned}

    @property
    def totals(self) -> dict[LineOutcome, int]:
        return {outcome: count for outcome in LineOutcome if (count := self.summary.total(outcome))}


class Bring(Protocol):
    """Imports lines."""

    async def __call__(
        self, *lines: Line | bytes, lines_per_chunk: int = 1_000, options: ImportOptions = DEFAULTS
    ) -> Run: ...


class Killed(Exception):
    """The process dies here."""


async def fingerprint(store: Store, *, without: Callable[[Document], object] = lambda document: None) -> str:
    """Hashes every document in every collection, order aside. ``without`` may take out of each what is not to count.

    The feed is left out: it tells how all that came to be, in how many steps.
    """
    digest = blake2b()
    for collection in COLLECTIONS:
        if collection == "feed":
            continue
        for document in await store.find(collection, {}, sort={"_id": 1}):
            without(document)
            digest.update(json.dumps([collection, document], sort_keys=True, default=str).encode())
    return digest.hexdigest()


async def only(store: Store, collection: str) -> Document:
    """Returns the one document there."""
    [document] = await store.find(collection, {})
    return document


async def ada(store: Store) -> Document:
    """Returns the customer whom lines are about by default."""
    [found] = await store.find("customers", {"_id": ADA})
    return found


def customer(number: str = "1001", **details: Any) -> Line:
    """Writes the line of a customer, known to esuite by ``E`` and their number."""
    return {
        "kind": "customer",
        "source": "esuite",
        "id": f"E{number}",
        "number": number,
        "name": f"Customer {number}",
        "registeredAt": "2023-01-01T00:00:00Z",
        **details,
    }


def link(one: str, two: str) -> Line:
    """Writes the line that links two identities, each given as ``source/id``."""
    return {"kind": "customerLink", **_identity(one), "to": _identity(two)}


def thing(kind: str, source_id: str, *, of: str = "esuite/E1001", **content: Any) -> Line:
    """Writes a line about something that a customer has."""
    return {"kind": kind, "source": "loyalty", "id": source_id, "customer": _identity(of), **content}


def activity(source_id: str, *, of: str = "esuite/E1001", **content: Any) -> Line:
    """Writes the line of an activity."""
    given = {"type": "BIRTHDAY", "occurredAt": "2024-01-01T00:00:00Z", **content}
    return thing("activity", source_id, of=of, **given)


def points(source_id: str, kind: str, amount: int, *, of: str = "esuite/E1001", **content: Any) -> Line:
    """Writes the line of a movement of points."""
    given = {"pointsKind": kind, "points": amount, "occurredAt": "2024-01-01T00:00:00Z", **content}
    return thing("points", source_id, of=of, **given)


def status(source_id: str, to: str, changed_at: str, *, of: str = "esuite/E1001", **content: Any) -> Line:
    """Writes the line of a change of status."""
    return thing("status", source_id, of=of, to=to, changedAt=changed_at, **content)


def coupon(source_id: str, *, of: str = "esuite/E1001", **content: Any) -> Line:
    """Writes the line of a coupon."""
    given = {"code": "TEN", "type": "percentage", "value": "10 %", "addedAt": "2024-01-01T00:00:00Z", "origin": "RULE"}
    return thing("coupon", source_id, of=of, **{**given, **content})


def _identity(written: str) -> Line:
    source, _, source_id = written.partition("/")
    return {"source": source, "id": source_id}
