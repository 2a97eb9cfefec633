"""Compares the balances that lines of points tell with the ledgers, once all lines of an import are in.

Lines may come in any order, so what a customer had at the time of a line is known in the end only.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from app.domain.import_lines import LineKind
from app.domain.points import HISTORY
from app.domain.vocabulary import LineOutcome
from app.services.importing.steps import Arrival, Verdict
from app.store.driver import Document, Store

_AT_MOST: Final = 10_000
_AT_ONCE: Final = 500
_FIELDS: Final[Mapping[str, int]] = dict.fromkeys(("customerId", "kind", "points", "occurredAt", "seq"), 1)


class ToldBalances:
    """It holds lines that tell a balance. Of more than 10,000 the first are compared early."""

    def __init__(self) -> None:
        self._arrivals: list[Arrival] = []

    @property
    def is_full(self) -> bool:
        return len(self._arrivals) >= _AT_MOST

    def note(self, arrivals: Iterable[Arrival]) -> None:
        self._arrivals += [
            arrival
            for arrival in arrivals
            if arrival.line.kind is LineKind.POINTS and "balanceAfter" in arrival.line.document
        ]

    async def wrong(self, store: Store) -> list[Verdict]:
        """Returns a verdict with a warning for each line that tells another balance, and forgets them all.

        Two commands for every 500 lines.
        """
        told, self._arrivals = self._arrivals, []
        return [
            verdict
            for first in range(0, len(told), _AT_ONCE)
            for verdict in await _wrong_of(store, told[first : first + _AT_ONCE])
        ]


async def _wrong_of(store: Store, arrivals: Sequence[Arrival]) -> list[Verdict]:
    ids = {"_id": {"$in": [arrival.line.id for arrival in arrivals]}}
    owners = {entry["customerId"] for entry in await store.find("points", ids, fields={"customerId": 1})}
    theirs = {"customerId": {"$in": sorted(owners)}}
    entries: defaultdict[str, list[Document]] = defaultdict(list)
    for entry in await store.find("points", theirs, fields=_FIELDS):
        entries[entry["customerId"]].append(entry)
    left: dict[str, int] = {}
    for ledger in entries.values():
        balance = 0
        for entry in sorted(ledger, key=lambda entry: (entry["occurredAt"], entry["seq"])):
            balance += entry["points"] if entry["kind"] in HISTORY else 0
            left[entry["_id"]] = balance
    return [
        arrival.becomes(LineOutcome.IMPORTED)._replace(
            warnings=(f"balanceAfter is {told:,}, and the ledger here has {left[arrival.line.id]:,} at that time.",)
        )
        for arrival in arrivals
        if (told := arrival.line.document["balanceAfter"]) != left.get(arrival.line.id, told)
    ]
