"""Undoes an import: takes back what it wrote where nothing followed, and says what stays and why.

Rows go that are still as the import wrote them. Points go if they are the last of their customer's ledger; others are
made up for by one more entry, which leaves what there would be without them. Customers go, last of all, who are left
with nothing. What an import changed of things that were here before stays: the next file of their source says what they
are. Interrupted anywhere, it is completed by starting it again.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, cast

from app.domain import points
from app.domain.access import Viewer
from app.domain.changes import NotFound
from app.domain.customers import balance
from app.domain.import_lines import UNDONE_WITHIN_DAYS
from app.domain.kinds import BY_COLLECTION
from app.domain.points import Entry, PointsKind
from app.domain.refusals import Refusal
from app.domain.statuses import CLOSED, CustomerClosed, status_now
from app.domain.vocabulary import ActorKind, CustomerStatus
from app.services.audit import AuditTrail
from app.services.changes import activity_of
from app.services.erasing import ERASED_ROWS
from app.services.importing.batches import is_running
from app.services.points import entries_of, expiry_activities, ledger_of
from app.services.row_jobs import counted
from app.services.writing import CustomerRows, change_customers
from app.store.digests import row_digest
from app.store.driver import DeleteOne, Document, Store, UpdateOne

_AT_ONCE: Final = 200
_STEPS_AT_ONCE: Final = 20
_CHANGED: Final = "changed since"
_HANGS_ON: Final = (*ERASED_ROWS, "looks")
"""Where something of a customer may be by which they stay."""
_STAYS: Final = {"searches": "scores follow from them"}
_TRACES: Final = frozenset({"CUSTOMER_UPDATED", "RECORD_CORRECTED"})
"""Activities of ours that tell what an import changed of something that was here before."""
_COUNTED: Final = frozenset({*points.HISTORY})


class StillRuns(Refusal):
    """Raised if the import that is to be undone may still write; nothing was changed."""

    code = "INVALID"

    def __init__(self, seen_at: datetime) -> None:
        super().__init__(
            f"This import has not ended: it was seen at {seen_at:%H:%M:%S} UTC. Undo it when it has, or two minutes "
            "after it was interrupted.",
            "id",
        )


class TooLate(Refusal):
    """Raised if it is not known any more what the import wrote; nothing was changed."""

    code = "INVALID"

    def __init__(self) -> None:
        super().__init__(f"What an import wrote is known for {UNDONE_WITHIN_DAYS} days: this one is older.", "id")


@dataclass(slots=True)
class Undone:
    """It counts what an undo did, by collection."""

    taken_back: Counter[str] = field(default_factory=Counter[str])
    made_up_for: int = 0
    """Balances, by an entry each."""
    left: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """With the reason."""

    def __str__(self) -> str:
        sentences = [f"{_named(name, count)} taken back" for name, count in sorted(self.taken_back.items()) if count]
        if self.made_up_for:
            word = "balance" if self.made_up_for == 1 else "balances"
            sentences.append(
                f"{self.made_up_for:,} {word} made up for by one more entry: the points are here, and count as "
                "unchanged where their file comes again"
            )
        sentences += [f"{_named(name, count)} left: {why}" for (name, why), count in sorted(self.left.items())]
        return "\n".join(sentences) or "There was nothing to take back."


def _named(collection: str, count: int) -> str:
    kind = BY_COLLECTION.get(collection)
    return f"{count:,} {collection if count != 1 or kind is None else kind.noun}"


async def undo(store: Store, import_id: str, viewer: Viewer, request_id: str, now: datetime) -> Undone:
    """Takes back an import that does not run any more. Raises NotFound, StillRuns, TooLate, StoreError."""
    keys = {"seenAt": 1, "finishedAt": 1, "startedAt": 1}
    found = await store.find("imports", {"_id": import_id}, fields=keys)
    if not found:
        raise NotFound("There is no such import.", "id")
    if is_running(found[0], now):
        raise StillRuns(found[0]["seenAt"])
    if found[0]["startedAt"] <= now - timedelta(days=UNDONE_WITHIN_DAYS):
        raise TooLate
    undone = Undone()
    entries: set[str] = set()
    customers: dict[str, int] = {}
    async for each in _steps(store, import_id):
        if each["collection"] == "customers":
            customers |= zip(each["ids"], each["revisions"], strict=True)
    async for each in _steps(store, import_id):
        match each["collection"]:
            case "customers":
                pass  # they go last
            case "points":
                entries.update(each["ids"])
            case collection if why := _STAYS.get(collection):
                undone.left[collection, why] += len(each["ids"])
            case collection:
                digests = dict(zip(each["ids"], each["digests"], strict=True))
                for ids in _batches(each["ids"]):
                    body = partial(_take_back, undone, collection, ids, digests, customers.keys())
                    await change_customers(store, body, now=now)
    owners: set[str] = set()
    for ids in _batches(sorted(entries)):
        found = await store.find("points", {"_id": {"$in": ids}}, fields={"customerId": 1})
        owners |= {entry["customerId"] for entry in found}
    for owner in sorted(owners):
        await change_customers(store, partial(_undo_points, undone, import_id, owner, entries), now=now)
    for customer_id, revision in customers.items():
        await change_customers(store, partial(_delete_customer, undone, customer_id, revision), now=now)

    async def finish(session: Any) -> None:
        await store.write("imports", [UpdateOne({"_id": import_id}, {"$set": {"undoneAt": now}})], session=session)
        audit = AuditTrail(viewer, "undoImport", request_id, now)
        await audit.accepted(store, session, customer_id=None, wrote=[import_id])

    await store.transaction(finish)
    return undone


def _batches(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[first : first + _AT_ONCE] for first in range(0, len(ids), _AT_ONCE)]


async def _steps(store: Store, import_id: str) -> AsyncGenerator[Document]:
    last = ""
    while True:
        where = {"importId": import_id, "_id": {"$gt": last}}
        steps = await store.find("importSteps", where, sort={"_id": 1}, limit=_STEPS_AT_ONCE)
        if not steps:
            return
        for step in steps:
            for each in step["rows"]:
                yield each
        last = steps[-1]["_id"]


async def _take_back(
    undone: Undone,
    collection: str,
    ids: Sequence[str],
    digests: Mapping[str, bytes],
    new_customers: Set[str],
    rows: CustomerRows,
) -> None:
    found = await rows.store.find(collection, {"_id": {"$in": [*ids]}}, session=rows.session)
    traces = {row["_id"] for row in found if _is_trace(row) and row["customerId"] not in new_customers}
    found = [row for row in found if row["_id"] not in traces]
    same = [row for row in found if row_digest(row) == digests[row["_id"]]]
    for row in same:
        rows.delete(collection, row)
    if collection == "statuses":
        await _restate(rows, same)
    await _delete_files(rows, collection, same)
    # The body may run twice: what is counted is what the last one does.
    rows.on_commit(lambda: _count(undone, collection, len(same), len(found) - len(same)))
    if traces:
        rows.on_commit(lambda: _keep_traces(undone, len(traces)))


def _is_trace(row: Document) -> bool:
    return row.get("type") in _TRACES and "sourceId" not in row


def _keep_traces(undone: Undone, count: int) -> None:
    undone.left["activities", "they tell of changes that stay"] += count


def _count(undone: Undone, collection: str, taken_back: int, changed: int) -> None:
    undone.taken_back[collection] += taken_back
    if changed:
        undone.left[collection, _CHANGED] += changed


async def _restate(rows: CustomerRows, gone: Sequence[Document]) -> None:
    """Gives customers the status that the rest of their history says."""
    owners = sorted({row["customerId"] for row in gone})
    ids = {row["_id"] for row in gone}
    history: defaultdict[str, list[Document]] = defaultdict(list)
    for row in await rows.store.find("statuses", {"customerId": {"$in": owners}}, session=rows.session):
        if row["_id"] not in ids:
            history[row["customerId"]].append(row)
    for customer in await rows.store.find("customers", {"_id": {"$in": owners}}, session=rows.session):
        left = history[customer["_id"]]
        rows.set_on_customer(customer["_id"], {"hasStatusDetails": bool(left)})
        if customer["status"] not in CLOSED and (status := status_now(left, rows.now) if left else _said_of(customer)):
            rows.set_on_customer(customer["_id"], {"status": status})


def _said_of(customer: Document) -> str:
    """Returns the status of a customer without a history: what a source says, or else that of a new one."""
    said = [each["values"]["status"] for each in customer.get("sourceValues", ()) if each["values"].get("status")]
    return said[0] if said else CustomerStatus.ACTIVE.value


async def _delete_files(rows: CustomerRows, collection: str, gone: Sequence[Document]) -> None:
    """Deletes the files of these rows that no other row has."""
    if collection not in ("passes", "emails"):
        return
    files = {each["fileId"] for row in gone for each in (row, *row.get("attachments", ())) if "fileId" in each}
    if not files:
        return
    others = {"_id": {"$nin": [row["_id"] for row in gone]}, "customerId": {"$in": [row["customerId"] for row in gone]}}
    for holder, key in (("passes", "fileId"), ("emails", "attachments.fileId")):
        where = {**others, key: {"$in": sorted(files)}}
        for row in await rows.store.find(holder, where, session=rows.session):
            files -= {each["fileId"] for each in (row, *row.get("attachments", ())) if "fileId" in each}
    await rows.store.write("files", [DeleteOne({"_id": each}) for each in sorted(files)], session=rows.session)


async def _undo_points(undone: Undone, import_id: str, customer_id: str, ours: set[str], rows: CustomerRows) -> None:
    customer = await rows.lock(customer_id)
    entries = cast(list[Document], await ledger_of(rows.store, customer_id, rows.session))
    made_up = any(entry.get("idempotencyKey") == import_id for entry in entries)
    first = next((at for at, entry in enumerate(entries) if entry["_id"] in ours), None)
    if first is None or made_up:
        return  # another undo was faster
    if all(entry["_id"] in ours for entry in entries[first:]):
        for entry in entries[first:]:
            rows.delete("points", entry)
        state = points.replay(cast(Sequence[Entry], entries[:first])) if first else points.empty()
        rows.set_on_customer(customer_id, balance(state))
        rows.on_commit(lambda: _count(undone, "points", len(entries) - first, 0))
        return
    of_import = [entry for entry in entries if entry["_id"] in ours]
    amount = _worth([entry for entry in entries if entry["_id"] not in ours], rows.now) - _worth(entries, rows.now)
    if any(PointsKind(entry["kind"]) not in _COUNTED for entry in of_import):
        why = "others followed, and some of them are reserved or pending points"
    elif amount == 0:
        why = "others followed, and by now they come to nothing"
    elif abs(amount) > points.INT32_MAX:
        why = "others followed, and they come to more than one entry holds"
    else:
        try:
            _make_up_for(rows, customer, amount, import_id)
        except Refusal as refusal:
            why = f"others followed; {refusal}"
        else:
            rows.on_commit(lambda: _made_up_for(undone))
            return
    rows.on_commit(lambda: _left(undone, why, len(of_import)))


def _worth(entries: Sequence[Document], now: datetime) -> int:
    """Returns what there would be to spend by now, less what would be owed, if these were all entries there are."""
    state = points.as_of(points.replay(cast(Sequence[Entry], entries)), now)
    return points.spendable(state) - points.owed(state)


def _make_up_for(rows: CustomerRows, customer: Document, amount: int, import_id: str) -> None:
    """Enters the amount. Raises CustomerClosed, and what ``points.adjust`` raises."""
    if customer["status"] in CLOSED:
        raise CustomerClosed(customer["status"])
    actor, reason = {"kind": ActorKind.SYSTEM.value, "name": "System"}, f"{import_id} was undone."
    posting = points.adjust(customer.get("points") or points.empty(), amount, now=rows.now)
    key = {"reason": reason, "idempotencyKey": import_id, "actor": actor, "source": points.HERE}
    made = entries_of(posting, customer["_id"], rows.now, key)
    told = {"points": amount, "message": reason, "subjectId": made[-1]["_id"]}
    rows.insert("points", made)
    rows.insert("activities", expiry_activities(made, rows.now))
    rows.insert("activities", [activity_of(customer["_id"], "POINTS_ADJUSTED", actor, rows.now, **told)])
    rows.set_on_customer(customer["_id"], balance(posting.state))


def _made_up_for(undone: Undone) -> None:
    undone.made_up_for += 1


def _left(undone: Undone, why: str, count: int) -> None:
    undone.left["points", why] += count


async def _delete_customer(undone: Undone, customer_id: str, revision: int, rows: CustomerRows) -> None:
    found = await rows.store.find("customers", {"_id": customer_id}, session=rows.session)
    if not found:
        return
    customer = found[0]
    rest = await counted(rows.store, _HANGS_ON, [customer_id], rows.session)
    if any(rest.values()):
        names = ", ".join(name for name, count in rest.items() if count)
        why = f"they have rows that stay: {names}"
    elif customer["detailsRevision"] != revision or {"mergedFromIds", "mergedIntoId", "edited"} & customer.keys():
        why = _CHANGED
    else:
        rows.delete_customer(customer)
        rows.on_commit(lambda: _count(undone, "customers", 1, 0))
        return
    rows.on_commit(lambda: _customer_left(undone, why))


def _customer_left(undone: Undone, why: str) -> None:
    undone.left["customers", why] += 1
