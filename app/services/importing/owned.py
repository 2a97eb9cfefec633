"""Imports the lines that say what a customer has, or what happened to them: all kinds that name an owner."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

import orjson

from app.catalogue import copied
from app.domain import details, due_diligence
from app.domain.customers import PENDING, balance
from app.domain.ids import collection_of, file_id
from app.domain.import_forms import Identity
from app.domain.import_lines import (
    ACTOR_KEYS,
    COLLECTION_OF,
    CORRECTABLE,
    HISTORY,
    IMPORTER,
    KEYS_OF_LINES,
    REFERENCES,
    Line,
    LineKind,
)
from app.domain.moments import ORDER
from app.domain.notes import as_written
from app.domain.refusals import Refusal
from app.domain.search import cleaned
from app.domain.statuses import CLOSED, in_order, is_pending, places, status_now
from app.domain.times import lies_ahead
from app.domain.vocabulary import CustomerStatus, LineOutcome
from app.services.changes import activity_of
from app.services.importing.parking import leave, park
from app.services.importing.points import Debt, Held, Ledger, read_ledger
from app.services.importing.steps import (
    WHOSE,
    AccountClosed,
    Arrival,
    HistoryRewritten,
    ImportOptions,
    NotImported,
    Updated,
    Verdict,
    by_identity,
    customers_known_as,
    fingerprint,
)
from app.services.writing import CustomerRows, change_customers
from app.store.driver import Document, Store, UpdateOne
from app.store.previews import StaleCopies

_OWNER: Final[Mapping[str, int]] = dict.fromkeys(
    (
        *("identities", "revision", "name", "points", "status", "dueDiligence", PENDING),
        *("mergedIntoId", "mergedFromIds", "mergedIdentities"),
    ),
    1,
)
_MERGES_AT_MOST: Final = 10
_TOLD_AT_MOST: Final = 1_000
# What this gateway adds to a line, or refreshes by itself, is not part of what the line says.
_OURS: Final = {"recordedAt", "arrival", "dueAt", "formerOwners", *WHOSE, ORDER, *copied("")}
_PAST: Final[Mapping[LineKind, str]] = {
    **dict.fromkeys((LineKind.ACTIVITY, LineKind.POINTS), "occurredAt"),
    LineKind.DUE_DILIGENCE_SEARCH: "searchedAt",  # one of the future would be the newest for good
}
"""When it happened what a line tells of, where that must not lie in the future."""
_PKPASS: Final = "application/vnd.apple.pkpass"
_REDEMPTION: Final = ("redeemed", "redeemedAt", "redeemedBy")


class ImportedOwned(NamedTuple):
    verdicts: list[Verdict]
    debts: Mapping[str, Debt]
    """Of the customers whose points changed."""
    updated: Sequence[Updated]


async def import_owned(
    store: Store,
    arrivals: Sequence[Arrival],
    *,
    now: datetime,
    held: Held,
    stale: StaleCopies,
    options: ImportOptions,
    import_id: str | None = None,
) -> ImportedOwned:
    """Imports lines in one transaction; ``held`` is kept up to date.

    At most two commands a collection, and one or two more for owners, points and statuses. ``stale`` gets those whose
    lists have changed.
    """

    async def body(rows: CustomerRows) -> tuple[list[Verdict], Ledger, list[Updated]]:
        session, rows.import_id = rows.session, import_id
        named = [identity for arrival in arrivals for identity in arrival.line.names]
        found = await customers_known_as(store, named, fields=_OWNER, session=session)
        rows.note_read(found)
        owners = by_identity(found)
        at_home = [arrival for arrival in arrivals if arrival.line.owner in owners]
        batch, ledger = await _read_batch(store, at_home, owners, held, now=now, options=options, session=session)
        verdicts = batch.settled(at_home, [batch.take(arrival) for arrival in at_home])
        verdicts += batch.decide_points()
        await batch.write(rows)
        waits = {place for verdict in verdicts for place in verdict.parked_as}
        came_in = [arrival for arrival in at_home if arrival.was_parked and waits.isdisjoint(arrival.places)]
        await store.write("parked", leave(came_in), ordered=False, session=session)
        strangers = [arrival for arrival in arrivals if arrival.line.owner not in owners]
        return verdicts + await park(store, strangers, now=now, session=session), ledger, batch.updated

    verdicts, ledger, updated = await change_customers(store, body, now=now, stale=stale)
    held.by_customer |= ledger.held
    return ImportedOwned(verdicts, ledger.debts, updated)


async def _read_batch(
    store: Store,
    arrivals: Sequence[Arrival],
    owners: Mapping[Identity, Document],
    held: Held,
    *,
    now: datetime,
    options: ImportOptions,
    session: Any,
) -> tuple["_OwnedBatch", Ledger]:
    lines: defaultdict[LineKind, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        lines[arrival.line.kind].append(arrival)
    points = lines.pop(LineKind.POINTS, [])
    survivors = await _survivors(store, [owners[arrival.line.names[0]] for arrival in points], session)
    to_post = [(a.line, survivors.get((owner := owners[a.line.names[0]])["_id"], owner)) for a in points]
    ledger = await read_ledger(store, to_post, held, now=now, zone=options.zone, session=session)
    stored: list[Document] = []
    for kind, those in lines.items():
        ids = {"_id": {"$in": [arrival.line.id for arrival in those]}}
        stored += await store.find(COLLECTION_OF[kind], ids, session=session)
    owner_of = await _owners_of(store, _referred(arrivals), session)
    restated = {owners[name]["_id"] for arrival in lines[LineKind.STATUS] for name in arrival.line.names}
    restated |= {owner["_id"] for _, owner in to_post if owner["status"] in CLOSED}
    theirs = {"customerId": {"$in": sorted(restated)}}
    history = await store.find("statuses", theirs, session=session) if restated else []
    corrects = options.corrects
    return _OwnedBatch(owners, stored, owner_of, ledger, history, survivors, now=now, corrects=corrects), ledger


def _referred(arrivals: Iterable[Arrival]) -> Mapping[str, list[str]]:
    """Returns the ids that lines refer to, by collection."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for arrival in arrivals:
        for key in REFERENCES & arrival.line.document.keys():
            ids[collection_of(arrival.line.document[key])].append(arrival.line.document[key])
    return ids


async def _owners_of(store: Store, ids: Mapping[str, list[str]], session: Any) -> Mapping[str, str]:
    """Returns the ids of the customers who own what is stored of these. A command for each collection."""
    return {
        document["_id"]: document["customerId"]
        for collection, those in ids.items()
        for document in await store.find(collection, {"_id": {"$in": those}}, fields={"customerId": 1}, session=session)
    }


async def _survivors(store: Store, owners: Iterable[Document], session: Any) -> Mapping[str, Document]:
    """Returns, by the id of a customer who was merged, the one who is left. A command for each merge in a row."""
    merged = {owner["_id"]: owner for owner in owners if "mergedIntoId" in owner}
    survivors: dict[str, Document] = dict(merged)
    for _ in range(_MERGES_AT_MOST):
        into: set[str] = {owner["mergedIntoId"] for owner in survivors.values() if "mergedIntoId" in owner}
        if not into:
            break
        found = await store.find("customers", {"_id": {"$in": list(into)}}, fields=_OWNER, session=session)
        by_id = {customer["_id"]: customer for customer in found}
        for key, owner in survivors.items():
            survivors[key] = by_id.get(owner.get("mergedIntoId", ""), owner)
    return survivors


class _OwnedBatch:
    """The batch holds what is stored of these customers' things, as it is after each line taken."""

    def __init__(
        self,
        owners: Mapping[Identity, Document],
        stored: Iterable[Document],
        owner_of: Mapping[str, str],
        ledger: Ledger,
        statuses: Iterable[Document],
        survivors: Mapping[str, Document],
        *,
        now: datetime,
        corrects: bool,
    ) -> None:
        self._owners = owners
        self._stored = {document["_id"]: document for document in stored}
        self._before = dict(self._stored)
        self._owner_of = owner_of
        self._ledger = ledger
        self._survivors = survivors
        self._history: defaultdict[str, list[Document]] = defaultdict(list)
        for status in statuses:
            self._history[status["customerId"]].append(status)
        self._now = now
        self._corrects = corrects
        self._added: defaultdict[str, dict[str, Document]] = defaultdict(dict)
        self._replaced: defaultdict[str, dict[str, Document]] = defaultdict(dict)
        self._deleted: defaultdict[str, dict[str, Document]] = defaultdict(dict)
        self._restated: set[str] = set()
        self._due_diligence: dict[str, Document] = {}
        """Of customers about whom there are new searches."""
        self._files: dict[str, Document] = {}
        self.updated: list[Updated] = []

    def take(self, arrival: Arrival) -> Verdict | None:
        """Returns the verdict on a line; None if it is decided later, with all points of its customer."""
        try:
            outcome = self._decide(arrival)
            return arrival.becomes(outcome) if outcome else None
        except Refusal as refusal:
            return arrival.rejected(refusal)

    def decide_points(self) -> list[Verdict]:
        newest = {customer_id: in_order(history)[-1] for customer_id, history in self._history.items() if history}
        verdicts = self._ledger.decide(cast(Mapping[str, Document], newest))
        for activity in self._ledger.activities:
            self._added["activities"][activity["_id"]] = activity
        return verdicts

    def settled(self, arrivals: Sequence[Arrival], verdicts: Sequence[Verdict | None]) -> list[Verdict]:
        """Returns the verdicts once all lines are in: a row that is as it was before was not updated."""
        same = {
            key
            for rows in self._replaced.values()
            for key, document in rows.items()
            if key in self._before and _content(document) == _content(self._before[key])
        }
        for rows in self._replaced.values():
            for key in same & rows.keys():
                del rows[key]
        updates = Counter(
            (arrival.line.kind, arrival.line.id)
            for arrival, verdict in zip(arrivals, verdicts, strict=True)
            if verdict and verdict.outcome is LineOutcome.UPDATED and arrival.line.id not in same
        )
        self.updated = [
            Updated(kind, key, fingerprint(_content(before)), fingerprint(_content(self._stored[key])), lines)
            for (kind, key), lines in updates.items()
            if (before := self._before.get(key)) and key in self._stored
        ]
        return [
            arrival.becomes(LineOutcome.UNCHANGED)
            if arrival.line.kind not in HISTORY and verdict.outcome is LineOutcome.UPDATED and arrival.line.id in same
            else verdict
            for arrival, verdict in zip(arrivals, verdicts, strict=True)
            if verdict
        ]

    def _decide(self, arrival: Arrival) -> LineOutcome | None:
        line = arrival.line
        if (when := _PAST.get(line.kind)) and lies_ahead(line.document[when], self._now):
            raise NotImported(f"{when} lies in the future.", when)
        owner = self._owners[line.names[0]]
        stored = self._stored.get(line.id) or self._ledger.entries.get(line.id)
        document: Document = {"_id": line.id, "customerId": owner["_id"], **line.document}
        held = _held_by(stored, owner)
        for key in ACTOR_KEYS:
            if key in document and "name" not in document[key]:
                # A customer is called by their own name: the one of that time, should it change.
                named = stored[key] if stored and key in stored else owner
                document[key] = {**document[key], "name": named["name"]}

        self._check_references(document, owner)
        if "file" in document:
            name, content = f"{document['serialNumber']}.pkpass", document.pop("file")
            document["fileId"] = self._file(file_id(content), content, name, _PKPASS, held)
        if "attachments" in document:
            first = _first_owner(stored, owner)
            document["attachments"] = [self._attached(each, first, held) for each in document["attachments"]]
        if line.kind is LineKind.POINTS:
            if stored is None or stored["customerId"] not in _ids_of(owner):
                owner = self._survivors.get(owner["_id"], owner)  # what came in before the merge stays where it was
            return self._ledger.take(arrival, {**document, "customerId": _held_by(stored, owner)}, owner)
        if line.document.get("deleted"):
            return self._delete(line.kind, stored, owner)
        if stored is None and line.kind is LineKind.STATUS and _is_of_merged(line, owner):
            return LineOutcome.UNCHANGED  # the account that it tells of is closed, and this one is not
        if stored is None:
            self._check_open(line.kind, document, owner)
            self._add(line.kind, document, arrival)
            if line.kind is LineKind.DUE_DILIGENCE_SEARCH:
                known = self._due_diligence.get(owner["_id"], owner.get("dueDiligence"))
                self._due_diligence[owner["_id"]] = due_diligence.searched(known, document)
            return LineOutcome.IMPORTED
        if stored.get("redeemed") and not document["redeemed"]:
            # The coupon may have been redeemed here since, and an older export does not undo that.
            document |= {key: stored[key] for key in _REDEMPTION if key in stored}
        before, after = _content(_as_owned(stored, owner)), _content(document)
        if before == after:
            return LineOutcome.UNCHANGED
        if line.kind in HISTORY:
            if not self._corrects or line.kind not in CORRECTABLE or before["customerId"] != after["customerId"]:
                raise HistoryRewritten(line.kind, before, after)
            self._trace(line, before, after, owner)
        self._check_open(line.kind, document, owner)
        if ORDER in stored:
            document[ORDER] = stored[ORDER]  # it came when it first came
        if stored["customerId"] in _ids_of(owner):  # a merge moves it, if anything does
            document |= {key: stored[key] for key in ("customerId", "formerOwners") if key in stored}
        if line.kind in HISTORY:
            document |= {key: stored[key] for key in ("recordedAt", "arrival") if key in stored}
        if line.kind is LineKind.STATUS:
            self._restate(stored, document)
        self._replace(line.kind, document)
        return LineOutcome.UPDATED

    def _check_references(self, document: Document, owner: Document) -> None:
        """Raises NotImported for a reference to another customer's; what it refers to may come later."""
        for key in REFERENCES & document.keys():
            stored = self._stored.get(document[key])
            holder = stored["customerId"] if stored else self._owner_of.get(document[key])
            if holder is not None and holder not in _ids_of(owner):
                name = key.removesuffix("Id")
                raise NotImported(f"{name} names something of another customer.", name)

    def _attached(self, attachment: Document, first_owner: str, held_by: str) -> Document:
        """Returns what the mail keeps of the attachment. Its content is a file of this customer's alone."""
        attachment, content = dict(attachment), attachment["content"]
        del attachment["content"]
        own = file_id(first_owner.encode() + b"\0" + content)
        self._file(own, content, attachment["name"], attachment["mediaType"], held_by)
        return {**attachment, "fileId": own, "size": len(content)}

    def _file(self, own_id: str, content: bytes, name: str, media_type: str, held_by: str) -> str:
        file = {"_id": own_id, "customerId": held_by, "name": name}
        self._files[own_id] = {**file, "mediaType": media_type, "content": content}
        return own_id

    def _check_open(self, kind: LineKind, document: Document, owner: Document) -> None:
        """Raises AccountClosed: a closed account takes history alone, and none that would open it."""
        if owner["status"] not in CLOSED:
            return
        if kind is LineKind.STATUS:
            if all(document["changedAt"] < each["changedAt"] for each in self._history[owner["_id"]]):
                return
        elif kind in HISTORY:
            return
        raise AccountClosed(owner["status"])

    def _delete(self, kind: LineKind, stored: Document | None, owner: Document) -> LineOutcome:
        """Deletes a row; what was never here is not there either."""
        if stored is None:
            return LineOutcome.UNCHANGED
        if stored["customerId"] not in _ids_of(owner):
            raise NotImported("This id belongs to another customer.", "customer")
        collection, key = COLLECTION_OF[kind], stored["_id"]
        self._stored.pop(key, None)
        self._replaced[collection].pop(key, None)
        if not self._added[collection].pop(key, None):
            # Where it is until now, whoever was to have it meanwhile.
            self._deleted[collection][key] = self._before[key]
        return LineOutcome.DELETED

    def _add(self, kind: LineKind, document: Document, arrival: Arrival) -> None:
        document[ORDER] = arrival.order(self._now)
        if kind is LineKind.ACTIVITY:
            document["recordedAt"] = self._now
        if kind is LineKind.STATUS:
            document |= {"recordedAt": self._now, "arrival": arrival.number}
            if is_pending(document, self._now):
                document["dueAt"] = document["changedAt"]
            self._history[document["customerId"]].append(document)
            self._restated.add(document["customerId"])
        if self._deleted[COLLECTION_OF[kind]].pop(document["_id"], None):
            self._replace(kind, document)
            return
        self._stored[document["_id"]] = self._added[COLLECTION_OF[kind]][document["_id"]] = document

    def _trace(self, line: Line, before: Document, after: Document, owner: Document) -> None:
        """Adds the activity that tells that a source says something else of the past now."""
        named = KEYS_OF_LINES[line.kind]
        changes = [
            {"field": named.get(key, key)}
            | {end: shown for end, row in (("from", before), ("to", after)) if (shown := _as_text(row.get(key)))}
            for key in sorted(before.keys() | after.keys())
            if before.get(key) != after.get(key)
        ]
        told = details.told(changes)
        told["attributes"] |= {"record": line.kind.value, "recordSource": line.identity.source}
        activity = activity_of(owner["_id"], "RECORD_CORRECTED", {**IMPORTER}, self._now, **told)
        self._added["activities"][activity["_id"]] = activity

    def _restate(self, stored: Document, document: Document) -> None:
        """Puts another change of status in the place of one that was corrected."""
        if is_pending(document, self._now):
            document["dueAt"] = document["changedAt"]
        history = self._history[stored["customerId"]]
        self._history[stored["customerId"]] = [each for each in history if each["_id"] != stored["_id"]] + [document]
        self._restated.add(stored["customerId"])

    def _replace(self, kind: LineKind, document: Document) -> None:
        collection = COLLECTION_OF[kind]
        changed = self._added if document["_id"] in self._added[collection] else self._replaced
        self._stored[document["_id"]] = changed[collection][document["_id"]] = document

    async def write(self, rows: CustomerRows) -> None:
        self._added["points"] = {entry["_id"]: entry for entry in self._ledger.added}
        self._put_statuses_in_order(rows)
        for collection in self._added.keys() | self._replaced.keys() | self._deleted.keys():
            rows.insert(collection, self._added[collection].values())
            for key, document in self._replaced[collection].items():
                rows.replace(collection, self._before[key], document)
            for document in self._deleted[collection].values():
                rows.delete(collection, document)
        kept = [
            UpdateOne({"_id": key}, {"$set": {"customerId": file.pop("customerId")}, "$setOnInsert": file}, upsert=True)
            for key, file in self._files.items()
        ]
        await rows.store.write("files", kept, ordered=False, session=rows.session)
        for customer_id, state in self._ledger.states.items():
            rows.set_on_customer(customer_id, balance(state))
        for customer_id, after in self._due_diligence.items():
            rows.set_on_customer(customer_id, {"dueDiligence": after})
        closed = {owner["_id"] for owner in self._owners.values() if owner["status"] in CLOSED}
        for customer_id in self._restated:
            rows.set_on_customer(customer_id, {"hasStatusDetails": True})
            if customer_id not in closed and (status := status_now(self._history[customer_id], self._now)):
                rows.set_on_customer(customer_id, {"status": status})

    def _put_statuses_in_order(self, rows: CustomerRows) -> None:
        """Orders statuses: the chain of a moment is another with each change more."""
        for customer_id in self._restated:
            history = self._history[customer_id]
            place_of = places(history)
            for change in history:
                place = place_of.get(change["_id"], change.get(ORDER))
                if place != change.get(ORDER):
                    change[ORDER] = place
                    if change["_id"] not in self._added[COLLECTION_OF[LineKind.STATUS]]:
                        rows.update("statuses", change, {"$set": {ORDER: place}})


def differing(line: Line, stored: Document, owner: Document, ledger: Ledger) -> set[str]:
    """Returns the keys of a stored row that its line would set otherwise."""
    document: Document = {"_id": line.id, "customerId": owner["_id"], **line.document}
    for key in ACTOR_KEYS:
        if key in document and "name" not in document[key]:
            document[key] = {**document[key], "name": stored.get(key, owner)["name"]}
    if line.kind is LineKind.POINTS:
        return ledger.differing({**document, "customerId": stored["customerId"]})
    if "file" in document:
        document["fileId"] = file_id(document.pop("file"))
    if "attachments" in document:
        first = _first_owner(stored, owner).encode()
        document["attachments"] = [
            {**{key: value for key, value in each.items() if key != "content"}, "size": len(content)}
            | {"fileId": file_id(first + b"\0" + content)}
            for each in document["attachments"]
            for content in (each["content"],)
        ]
    if stored.get("redeemed") and not document["redeemed"]:  # it may have been redeemed here since
        document |= {key: stored[key] for key in _REDEMPTION if key in stored}
    before, after = _content(_as_owned(stored, owner)), _content(document)
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def _is_of_merged(line: Line, owner: Document) -> bool:
    """Returns whether the line says that an account was merged which was merged into this one."""
    merged = line.names[0]._asdict() in owner.get("mergedIdentities", ())
    return merged and line.document["to"] == CustomerStatus.MERGED


def _ids_of(owner: Document) -> Sequence[str]:
    """Returns the ids of all accounts that are this customer's: their own, and those that were merged into it."""
    return owner["_id"], *owner.get("mergedFromIds", ())


def _held_by(stored: Document | None, owner: Document) -> str:
    """Returns whose a row is in the database: until a merge has moved it, of the account that was merged away."""
    return stored["customerId"] if stored and stored["customerId"] in _ids_of(owner) else owner["_id"]


def _first_owner(stored: Document | None, owner: Document) -> str:
    former: Sequence[Document] = (stored or {}).get("formerOwners", ())
    return former[0]["customerId"] if former else _held_by(stored, owner)


def _as_owned(stored: Document, owner: Document) -> Document:
    """Returns a row as it will be once it has moved to the survivor."""
    return {**stored, "customerId": owner["_id"]} if stored["customerId"] in _ids_of(owner) else stored


def _content(document: Document) -> Document:
    """Returns what its line says, blanks aside: an older version kept them as they came."""
    return {key: _compared(value) for key, value in as_written(document).items() if key not in _OURS}


def _as_text(value: Any) -> str:
    """Returns a value as the timeline tells it, cut off where it is long."""
    match value:
        case None:
            return ""
        case str():
            text = value
        case datetime():
            text = f"{value.isoformat(timespec='milliseconds')[:-6]}Z"
        case _:
            text = orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS).decode()
    return text[:_TOLD_AT_MOST]


def _compared(value: Any) -> Any:
    match value:
        case str():
            return cleaned(value)
        case dict():
            return {key: _compared(each) for key, each in cast(Document, value).items()}
        case list():
            return [_compared(each) for each in cast(list[Any], value)]
        case _:
            return value
