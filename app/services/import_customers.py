"""The lines of an import that say who a customer is: customers, and links between two of their identities.

Taken in their order. A link that reaches nobody waits, and is joined the moment that a later line makes one of its
identities known: where a chunk ends makes no difference.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from app.domain.import_forms import Identity
from app.domain.import_lines import Kind, Line, primary_first
from app.domain.refusals import Refusal
from app.domain.vocabulary import CustomerStatus
from app.services.import_steps import (
    Arrival,
    NotImported,
    Outcome,
    Verdict,
    by_identity,
    customers_known_as,
    leave,
    park,
    parked,
    read,
)
from app.store.driver import Document, InsertOne, ReplaceOne, Store

_NEW: Final[Document] = {
    "paymentCount": 0,
    "tags": [],
    "status": CustomerStatus.ACTIVE.value,
    "hasStatusDetails": False,
    "identities": [],
}


async def introduce(store: Store, arrivals: Sequence[Arrival], *, now: datetime) -> list[Verdict]:
    """One transaction; a handful of commands."""

    async def body(session: Any) -> list[Verdict]:
        register = await _read_register(store, arrivals, session)
        for arrival in arrivals:
            register.take(arrival)
        await store.write("customers", register.operations, session=session)
        await store.write("parked", leave(register.joined), ordered=False, session=session)
        return register.verdicts + await park(store, register.new_waiting(), now=now, session=session)

    return await store.transaction(body)


async def _read_register(store: Store, arrivals: Sequence[Arrival], session: Any) -> "_Register":
    known: set[Identity] = set()
    links: dict[str, Arrival] = {}
    # A parked link leads to another identity, for which another link may be parked.
    reached = {identity for arrival in arrivals for identity in arrival.line.names}
    while reached:
        known |= reached
        found = [
            arrival
            for document in await parked(store, reached, {"line.kind": Kind.CUSTOMER_LINK.value}, session=session)
            if isinstance(
                arrival := read(document["line"]["number"], document["line"]["text"], was_parked=True), Arrival
            )
        ]
        links |= {_key(arrival.line): arrival for arrival in found}
        reached = {identity for arrival in found for identity in arrival.line.names} - known
    numbers = {arrival.line.document["number"] for arrival in arrivals if arrival.line.kind is Kind.CUSTOMER}
    customers = await customers_known_as(store, known, numbers=numbers, session=session)
    return _Register(customers, links.values())


class _Register:
    """The customers concerned, as they are after each line taken."""

    def __init__(self, customers: Iterable[Document], waiting: Iterable[Arrival]) -> None:
        customers = list(customers)
        self._by_identity = by_identity(customers)
        self._by_number = {customer["number"]: customer for customer in customers}
        self._waiting: defaultdict[Identity, dict[str, Arrival]] = defaultdict(dict)
        self.verdicts: list[Verdict] = []
        self.operations: list[InsertOne[Document] | ReplaceOne[Document]] = []
        self.joined: list[Arrival] = []
        for arrival in waiting:
            self._wait(arrival)

    def take(self, arrival: Arrival) -> None:
        found = {customer["_id"]: customer for i in arrival.line.names if (customer := self._by_identity.get(i))}
        if arrival.line.kind is Kind.CUSTOMER_LINK and not found:
            self._wait(arrival)
            return
        try:
            self.verdicts.append(arrival.becomes(self._decide(arrival.line, list(found.values()))))
        except Refusal as refusal:
            self.verdicts.append(arrival.rejected(refusal))
        if arrival.was_parked:
            self.joined.append(arrival)
        for identity in arrival.line.names:
            if identity in self._by_identity:
                self._rouse(identity)
