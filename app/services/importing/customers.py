"""Imports the lines that say who a customer is: customers, and links between two of their identities.

Taken in their order. A link that reaches nobody waits, and is joined the moment that a later line makes one of its
identities known: where a chunk ends makes no difference.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from app.domain import customer_fields, details, merging
from app.domain.customers import DENORMALISED_FIELDS, NEW, primary_first
from app.domain.import_forms import Identity
from app.domain.import_lines import IMPORTER, NEEDED_OF_NEW_CUSTOMERS, Line, LineKind
from app.domain.refusals import Refusal
from app.domain.search import folded
from app.domain.statuses import CLOSED
from app.domain.vocabulary import CustomerStatus, LineOutcome
from app.services.changes import activity_of
from app.services.importing.parking import leave, park, parked, parked_line
from app.services.importing.steps import (
    AccountClosed,
    Arrival,
    NotImported,
    Updated,
    Verdict,
    by_identity,
    customers_known_as,
    fingerprint,
)
from app.services.writing import CustomerRows, change_customers
from app.store.driver import Document, InsertOne, ReplaceOne, Store
from app.store.previews import StaleCopies
from app.store.tombstones import erased_of

_AT_MOST: Final = 100
_OTHERS: Final = {"revision", "points", *DENORMALISED_FIELDS}
"""What of a customer other lines change."""
_MEMORY: Final = {"revision", "detailsRevision", "sourceValues", "edited"}
"""What of a customer nobody sees: whether a line updates them does not depend on it."""


class Introduced(NamedTuple):
    verdicts: list[Verdict]
    updated: Sequence[Updated]


async def import_identities(
    store: Store, arrivals: Sequence[Arrival], *, now: datetime, stale: StaleCopies, import_id: str | None = None
) -> Introduced:
    """Imports lines about identities in one transaction, by a handful of commands."""

    async def body(rows: CustomerRows) -> Introduced:
        register = await _read_register(store, arrivals, rows)
        for arrival in arrivals:
            register.take(arrival)
        register.settle()
        rows.import_id = import_id
        rows.put_customers(register.operations, after=register.written, changed=register.changed, new=register.new)
        rows.insert("activities", (_overruling(each, now) for each in register.overruled))
        await store.write("parked", leave(register.joined), ordered=False, session=rows.session)
        verdicts = register.verdicts + await park(store, register.new_waiting(), now=now, session=rows.session)
        return Introduced(verdicts, register.updated)

    return await change_customers(store, body, now=now, stale=stale)


async def _read_register(store: Store, arrivals: Sequence[Arrival], rows: CustomerRows) -> "_Register":
    session = rows.session
    known: set[Identity] = set()
    links: dict[str, Arrival] = {}
    # A parked link leads to another identity, for which another link may be parked.
    reached = {identity for arrival in arrivals for identity in arrival.line.names}
    while reached:
        known |= reached
        held = await parked(store, reached, {"line.kind": LineKind.CUSTOMER_LINK.value}, session=session)
        found = [arrival for document in held if isinstance(arrival := parked_line(document), Arrival)]
        links |= {arrival.key: arrival for arrival in found}
        reached = {identity for arrival in found for identity in arrival.line.names} - known
    known |= {arrival.line.document["mergedInto"] for arrival in arrivals if "mergedInto" in arrival.line.document}
    numbers = {arrival.line.document["number"] for arrival in arrivals if "number" in arrival.line.document}
    customers = await customers_known_as(store, known, numbers=numbers, session=session)
    rows.note_read(customers)
    strangers = {identity for arrival in arrivals for identity in arrival.line.names} - by_identity(customers).keys()
    erased = await erased_of(store, strangers, session=session)
    new = [arrival.line.id for arrival in arrivals if arrival.line.kind is LineKind.CUSTOMER]
    told = {"customerId": {"$in": sorted({*new}.difference(each["_id"] for each in customers))}}
    # Who was taken back by an undo may come again: the feed goes on where it was.
    entries = await store.find("feed", told, fields={"customerId": 1, "revision": 1}, session=session)
    revisions: dict[str, int] = {}
    for entry in entries:
        revisions[entry["customerId"]] = max(entry["revision"], revisions.get(entry["customerId"], 0))
    return _Register(customers, links.values(), erased, revisions)


class _Register:
    """The register holds the customers concerned, as they are after each line taken."""

    def __init__(
        self,
        customers: Iterable[Document],
        links: Iterable[Arrival],
        erased: Set[Identity],
        revisions: Mapping[str, int],
    ) -> None:
        customers = list(customers)
        self._revisions = revisions
        self._erased = erased
        self._before = {customer["_id"]: customer for customer in customers}
        self._now = dict(self._before)
        self._updates: defaultdict[str, list[int]] = defaultdict(list)
        self._by_identity = by_identity(customers)
        self._by_number = {customer["number"]: customer for customer in customers}
        self._waiting: defaultdict[Identity, dict[str, Arrival]] = defaultdict(dict)
        self.verdicts: list[Verdict] = []
        self.changed: set[str] = set()
        self.new: dict[str, int] = {}
        """The revisions of those who are new."""
        self.overruled: list[_Overruled] = []
        self.written: list[Document] = []
        self.operations: list[InsertOne[Document] | ReplaceOne[Document]] = []
        self._operations: list[tuple[str, InsertOne[Document] | ReplaceOne[Document]]] = []
        self.joined: list[Arrival] = []
        self.updated: list[Updated] = []
        for arrival in links:
            self._wait(arrival)

    def take(self, arrival: Arrival) -> None:
        line = arrival.line
        found = {customer["_id"]: customer for i in line.names if (customer := self._by_identity.get(i))}
        if not self._erased.isdisjoint(line.names):
            self.verdicts.append(arrival.becomes(LineOutcome.ERASED))
            return
        if line.kind is LineKind.CUSTOMER_LINK and not found:
            self._wait(arrival)
            return
        try:
            outcome = self._decide(line, list(found.values()))
            if outcome is LineOutcome.UPDATED:
                self._updates[next(iter(found))].append(len(self.verdicts))
            self.verdicts.append(arrival.becomes(outcome))
            if arrival.was_parked:
                self.joined.append(arrival)
        except Refusal as refusal:
            self.verdicts.append(arrival.rejected(refusal))
        for identity in line.names:
            if identity in self._by_identity:
                self._retry_waiting(identity)

    def settle(self) -> None:
        """Decides, once it is known what the lines left together: a customer who is as before was not updated."""
        unseen = {
            key for key in self._updates if key in self._before and _shown(self._now[key]) == _shown(self._before[key])
        }
        same = {key for key in unseen if _remembered(self._now[key]) == _remembered(self._before[key])}
        self.operations = self._coalesced(same)
        revisions = {key: before.get("revision") for key, before in self._before.items()}
        written = {key for key, _ in self._operations} - same
        self.written = [self._now[key] for key in written]
        self.new = {key: self._now[key]["revision"] for key in sorted(written - self._before.keys())}
        self.changed = {key for key in written if self._now[key].get("revision") != revisions.get(key)}
        self.updated = [
            Updated(LineKind.CUSTOMER, key, _print(self._before[key]), _print(self._now[key]), len(places))
            for key, places in self._updates.items()
            if key in self._before and key not in unseen
        ]
        for key in unseen:
            for place in self._updates[key]:
                self.verdicts[place] = self.verdicts[place]._replace(outcome=LineOutcome.UNCHANGED)

    def _coalesced(self, same: Set[str]) -> list[InsertOne[Document] | ReplaceOne[Document]]:
        """Returns one operation for each customer, the new ones first; if a number changes hands, one for each line."""
        after = {key: self._now[key] for key, _ in self._operations if key not in same}
        if any(key in self._before and self._before[key]["number"] != after[key]["number"] for key in after):
            return [operation for key, operation in self._operations if key not in same]
        new = [InsertOne(customer) for key, customer in after.items() if key not in self._before]
        return [*new, *(ReplaceOne({"_id": key}, after[key]) for key in after if key in self._before)]

    def new_waiting(self) -> list[Arrival]:
        """Returns the links that still reach nobody, without those that are parked already."""
        waiting = {key: arrival for links in self._waiting.values() for key, arrival in links.items()}
        return [arrival for arrival in waiting.values() if not arrival.was_parked]

    def _decide(self, line: Line, found: Sequence[Document]) -> LineOutcome:
        if len(found) > 1:
            numbers = " and ".join(sorted(customer["number"] for customer in found))
            raise NotImported(f"These identities belong to different customers, numbers {numbers}.")
        customer = found[0] if found else None
        if not customer and (missing := [key for key in NEEDED_OF_NEW_CUSTOMERS if key not in line.document]):
            needed = (f"{key} is required of a customer who is new here." for key in missing)
            raise NotImported(" ".join((*line.warnings, *needed)), missing[0])
        line = self._with_survivor(_without_what_is_known(line, customer), customer)
        before: Document = customer or {**NEW, "_id": line.id, "revision": self._revisions.get(line.id, 0)}
        said = _said(line, before)
        new = details.news(before, line.identity, said)
        owner = self._by_number.get(new.get("number", ""))
        if owner and owner is not customer:
            raise NotImported(f"Customer number {owner['number']} belongs to another customer.", "number")
        after = _merged(before, line, new)
        seen = _shown(after) != _shown(before)
        if customer and seen and customer["status"] in CLOSED:
            raise AccountClosed(customer["status"])
        marks, lost = details.overruled(before, after, new)
        after |= marks | details.remembered(before, line.identity, said)
        if after == customer:
            return LineOutcome.UNCHANGED
        if seen:
            after |= {"revision": (revision := before.get("revision", 0) + 1), "detailsRevision": revision}
        if lost:
            self.overruled.append(_Overruled(after["_id"], line.identity.source, lost))
        # One operation a line, in their order: a number may pass from one customer to another between them.
        operation = ReplaceOne({"_id": after["_id"]}, after) if customer else InsertOne(after)
        self._operations.append((after["_id"], operation))
        if customer:
            del self._by_number[customer["number"]]
        self._now[after["_id"]] = self._by_number[after["number"]] = after
        self._by_identity |= by_identity([after])
        return LineOutcome.UPDATED if customer and line.kind is LineKind.CUSTOMER else LineOutcome.IMPORTED

    def _with_survivor(self, line: Line, customer: Document | None) -> Line:
        """Returns the line with the customer that this one was merged into, by id. Raises NotImported."""
        if not (into := line.document.get("mergedInto")):
            return line
        survivor = self._by_identity.get(into)
        if survivor is None:
            raise NotImported(f"mergedInto names {into}, a customer who did not come in before.", "mergedInto")
        if customer and customer["_id"] in (survivor["_id"], survivor.get("mergedIntoId")):
            raise NotImported("mergedInto must be another customer, who was not merged into this one.", "mergedInto")
        rest = {key: value for key, value in line.document.items() if key != "mergedInto"}
        merged = {"status": CustomerStatus.MERGED.value, "mergedIntoId": survivor["_id"]}
        return replace(line, document={**rest, **merged})

    def _wait(self, arrival: Arrival) -> None:
        key = arrival.key
        if key in self._waiting[arrival.line.identity]:
            self.verdicts.append(arrival.becomes(LineOutcome.PARKED))
            return
        for identity in arrival.line.names:
            self._waiting[identity][key] = arrival

    def _retry_waiting(self, identity: Identity) -> None:
        while waiting := self._waiting[identity]:
            key, arrival = next(iter(waiting.items()))
            for end in arrival.line.names:
                del self._waiting[end][key]
            self.take(arrival)


def _without_what_is_known(line: Line, customer: Document | None) -> Line:
    """Returns what a line says of a customer whose account was merged into this one.

    That they are called by another number there, or that they were merged, is nothing to say of the survivor.
    """
    if not customer or line.identity._asdict() not in customer.get("mergedIdentities", ()):
        return line
    known = {"number", "mergedInto"}
    if line.document.get("status") == CustomerStatus.MERGED:
        known.add("status")
    return replace(line, document={key: value for key, value in line.document.items() if key not in known})


def _print(customer: Document) -> bytes:
    """Returns a fingerprint of what lines of this kind say."""
    return fingerprint({key: value for key, value in customer.items() if key not in _OTHERS | _MEMORY})


def _shown(customer: Document) -> Document:
    return {key: value for key, value in customer.items() if key not in _MEMORY}


def _remembered(customer: Document) -> Sequence[Any]:
    return [customer.get("sourceValues"), customer.get("edited")]


class _Overruled(NamedTuple):
    """Edits are overruled when a source says something new; the timeline tells of it."""

    customer_id: str
    source: str
    changes: Sequence[Document]


def _overruling(overruled: _Overruled, now: datetime) -> Document:
    told = {"source": overruled.source, **details.told(overruled.changes)}
    return activity_of(overruled.customer_id, "CUSTOMER_UPDATED", {**IMPORTER}, now, **told)


def _labelled(customer: Document, identity: Identity, given: Sequence[str]) -> Document:
    """Returns the labels after a source gave these: those that it gave before and gives no more are gone.

    Unless another source gives them; people's stay, and what people took off stays off. In an older database, what it
    gives now counts as given before.
    """
    source = identity.source
    given = details.labels_to_put(customer["tags"], (details.said_before(customer, identity) or {}).get("tags"), given)
    sources: list[Document] = customer.get("tagSources") or []
    by_source = {folded(each["tag"]) for each in sources}
    if "tagSources" not in customer:
        by_source = {folded(tag) for tag in given}
    peoples = [tag for tag in customer["tags"] if folded(tag) not in by_source]
    own = [{"tag": tag, "source": source} for tag in given]
    others = [each for each in sources if each["source"] != source]
    labels: dict[str, str] = {}
    for tag in (*customer["tags"], *peoples, *(each["tag"] for each in (*others, *own))):
        labels.setdefault(folded(tag), tag)
    there = {folded(tag) for tag in peoples} | {folded(each["tag"]) for each in (*others, *own)}
    tags = [tag for key, tag in labels.items() if key in there]
    if len(tags) > _AT_MOST:
        raise NotImported(f"This would make {len(tags)} tags; a customer has at most {_AT_MOST}.", "tags")
    return {"tags": tags, "tagSources": [*others, *own]}


def _said(line: Line, customer: Document) -> Document:
    """Returns what the line says of the customer, by field; None for what it removes.

    A null takes away what this source gave, while it is still there: another's value, or a colleague's, is not its.
    """
    removed = dict.fromkeys(line.document.get("remove", ()))
    told = {key: value for key, value in line.document.items() if key not in ("identities", "remove", "cleared")}
    gave = details.said_before(customer, line.identity) or {}
    for key in line.document.get("cleared", ()):
        given = (
            gave.get("emails") and gave["emails"][0]["value"] if key == "email" and "emails" in gave else gave.get(key)
        )
        if key == "tags":
            told |= {"tags": []} if given else {}
        elif given is not None and given == customer_fields.value_of(customer, key):
            removed[key] = None
    if "emails" in told:  # its primary one is the e-mail
        del told["email"]
    if "email" in removed:
        removed["emails"] = None
    return removed | told


def _merged(customer: Document, line: Line, new: Document) -> Document:
    """Changes only what the line says anew. A status that has a history follows the history alone."""
    own = {key: value for key, value in new.items() if not customer_fields.is_key(key)}
    set_ = {key: value for key, value in own.items() if value is not None and key != "tags"}
    if "tags" in new:
        set_ |= _labelled(customer, line.identity, new["tags"])
    if "paymentCount" in set_ and "mergedPayments" in customer:
        names = [identity._asdict() for identity in line.names]
        set_ |= merging.told_payments(customer, names, set_["paymentCount"])
    if customer.get("hasStatusDetails"):
        set_.pop("status", None)
    if "emails" in set_:
        set_["email"] = set_["emails"][0]["value"]
    elif "email" in set_:
        set_["emails"] = primary_first(customer.get("emails", []), set_["email"])
    identities: list[Document] = customer["identities"]
    if added := set(line.names) - by_identity([customer]).keys():
        identities = [identity._asdict() for identity in sorted({*by_identity([customer]), *added})]
    for key, values in (("identities", identities), ("emails", set_.get("emails", []))):
        if len(values) > _AT_MOST:
            raise NotImported(f"This would make {len(values)} {key}; a customer has at most {_AT_MOST}.", key)
    after = {**customer, **set_, "identities": identities}
    after = {key: value for key, value in after.items() if key not in own or own[key] is not None}
    return details.searchable(customer_fields.with_values(after, new))
