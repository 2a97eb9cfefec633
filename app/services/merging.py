"""Merges customers into one, and undoes it; the rows follow in a job of their own (merge_job.py).

One transaction closes the others, moves their identities and points, and writes what undoes it. From then on the
survivor is read with the rows of all of them, wherever these are on their way.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from app.domain import changes, merging, points
from app.domain.changes import Invalid, LimitExceeded, NotFound
from app.domain.customers import balance, changed_keys
from app.domain.details import Stale, changed_fields, differences
from app.domain.external_requests import RequestOpen
from app.domain.ids import new_id
from app.domain.merging import ONE_TIME_TYPES, Blocker, Merged
from app.domain.points import Entry, PointsState, Portion, Transfer
from app.domain.vocabulary import CustomerStatus, MergeField, MergeStatus, RequestStatus
from app.services.changes import Changes, Effect, Session, Wrote, lock_open_customer
from app.services.points import entries_of, expiry_activities, ledger_of
from app.services.row_jobs import counted
from app.services.statuses import status_change
from app.services.writing import CustomerRows
from app.store.driver import Document, Store
from app.store.schema import ROWS_OF_CUSTOMERS

Keep = Mapping[MergeField, str]
"""By field, the id of the customer whose value stands."""


class MergeOutlook(NamedTuple):
    """An outlook says what a merge would do now; ``blockers`` why it would be refused."""

    merged: Merged
    counts: Mapping[str, int]
    balances: Mapping[str, int]
    """What each customer has, by id."""
    after: int
    blockers: Sequence[Blocker]


def check_named(
    into_id: str, ids: Sequence[str], keep: Sequence[tuple[MergeField, str]], expected: Iterable[str] = ()
) -> None:
    """Raises NotFound for a customer who is named beside the merge, and is not part of it."""
    places = [(from_id, ("keep", str(place), "fromId")) for place, (_, from_id) in enumerate(keep)]
    places += [(each, ("expectedRevisions", str(place), "customerId")) for place, each in enumerate(expected)]
    for customer_id, field in places:
        if customer_id not in (into_id, *ids):
            raise NotFound("This customer is not one of those that are merged.", *field)


def check_ids(into_id: str, ids: Sequence[str], keep: Sequence[tuple[MergeField, str]]) -> None:
    """Raises Invalid or Refusals for customers that nobody can merge."""

    def several() -> None:
        if not 1 <= len(ids) <= merging.AT_MOST:
            raise Invalid(f"Merge 1 to {merging.AT_MOST} customers at once; these are {len(ids)}.", "ids")

    def others() -> None:
        if into_id in ids:
            raise Invalid("A customer cannot be merged into themselves.", "ids", str([*ids].index(into_id)))
        if len({*ids}) < len(ids):
            raise Invalid("A customer is named twice.", "ids")

    def kept() -> None:
        for place, (field, _) in enumerate(keep):
            if field in [name for name, _ in keep[:place]]:
                raise Invalid(f"{field} is given twice.", "keep", str(place), "field")

    changes.check(several, others, kept)


async def preview(store: Store, into: Document, sources: Sequence[Document], keep: Keep, now: datetime) -> MergeOutlook:
    """Returns what a merge would do, with nothing written. A handful of commands."""
    counts = await counted(store, ROWS_OF_CUSTOMERS, [each["_id"] for each in sources])
    rewarded = await _rewarded_twice(store, [into["_id"], *(each["_id"] for each in sources)])
    blockers = [*merging.blockers(into, sources), *await _queued(store, [into, *sources])]
    try:
        merged = merging.merged(into, sources, keep, rewarded=rewarded)
    except LimitExceeded as refused:
        blockers.append(Blocker(into["_id"], refused))
        merged = Merged(into)
    balances = {each["_id"]: _spendable(each, now) for each in (into, *sources)}
    return MergeOutlook(merged, counts, balances, sum(balances.values()), blockers)


async def _queued(store: Store, customers: Sequence[Document], session: Session = None) -> list[Blocker]:
    """Returns whose requests are on their way to another system, which knows the customer by what they are now."""
    where = {"customerId": {"$in": [each["_id"] for each in customers]}, "status": RequestStatus.QUEUED.value}
    found = await store.find("requests", where, session=session)
    queued = {each["customerId"]: each for each in found}
    places = {each["_id"]: ("intoId",) if at == 0 else ("ids", str(at - 1)) for at, each in enumerate(customers)}
    message = "A request is on its way to another system"
    return [Blocker(owner, RequestOpen(request, message, *places[owner])) for owner, request in queued.items()]


async def merge(
    of: Changes,
    into_id: str,
    ids: Sequence[str],
    *,
    keep: Sequence[tuple[MergeField, str]],
    expected_revisions: Mapping[str, int],
    reason: str,
    key: str,
) -> Wrote:
    """Makes several customers one. Raises Invalid, NotFound, CustomerMerged, CustomerClosed, Stale, and
    what else blocks it."""
    check_named(into_id, ids, keep, expected_revisions)
    reason = changes.check(
        lambda: changes.text(reason, "reason", at_most=changes.REASON_AT_MOST),
        lambda: check_ids(into_id, ids, keep),
        lambda: changes.key(key),
    )
    sources: list[Document] = []

    async def lock(rows: CustomerRows, customer_id: str) -> Document:
        sources.clear()
        into = await lock_open_customer(rows, customer_id)
        for place, source_id in enumerate(ids):
            try:
                sources.append(await rows.lock(source_id))
            except NotFound as missing:
                raise NotFound(str(missing), "ids", str(place)) from None
        return into

    async def decide(into: Document, session: Session) -> Effect:
        blockers = [*merging.blockers(into, sources), *await _queued(of.store, [into, *sources], session)]
        changes.raise_all([each.refusal for each in blockers])
        for customer in (into, *sources):
            expected, last = expected_revisions.get(customer["_id"]), customer.get("detailsRevision", 0)
            if expected is not None and last > expected:
                raise Stale(expected, last)
        return await _merged(of, into, sources, dict(keep), reason, key, session)

    given = {
        "intoId": into_id,
        "ids": [*ids],
        "keep": [[field.value, from_id] for field, from_id in keep],
        "expectedRevisions": dict(expected_revisions),
        "reason": reason,
    }
    return await of.run_once("mergeCustomers", into_id, key, given, decide, lock=lock)


async def _merged(
    of: Changes, into: Document, sources: Sequence[Document], keep: Keep, reason: str, key: str, session: Session
) -> Effect:
    everybody = [into["_id"], *(each["_id"] for each in sources)]
    rewarded = await _rewarded_twice(of.store, everybody, session)
    merged = merging.merged(into, sources, keep, rewarded=rewarded)
    merge_id, now = new_id("merges"), of.now
    told = of.activity(
        into["_id"],
        "CUSTOMERS_MERGED",
        message=reason,
        attributes={"mergedCustomerIds": [each["number"] for each in sources]},
        changes=_differences(into, merged.customer) or None,
        subjectId=merge_id,
    )
    ledger = _Ledgers(of, told["actor"], reason, key)
    state = into.get("points") or points.empty()
    source_keys: dict[str, Document] = {}
    for source in sources:
        known = await ledger_of(of.store, source["_id"], session)
        transfer = points.transfer(source.get("points") or points.empty(), state, now=now, entries=known)
        state = transfer.into.state
        ledger.add(transfer, source["_id"], into["_id"])
        source_keys[source["_id"]] = {
            "status": CustomerStatus.MERGED.value,
            "hasStatusDetails": True,
            "mergedIntoId": into["_id"],
            "mergeId": merge_id,
            "rowsMoving": True,
            "identities": [],
            **balance(transfer.out.state),
        }
    after = changed_keys(into, merged.customer)
    chained = [each for source in sources for each in source.get("mergedFromIds", [])]
    document: Document = {
        "_id": merge_id,
        "customerId": into["_id"],
        "sourceIds": [each["_id"] for each in sources],
        "status": MergeStatus.MOVING.value,
        "reason": reason,
        "createdAt": now,
        "createdBy": told["actor"],
        "attempts": 0,
        "moved": 0,
        "total": sum((await counted(of.store, ROWS_OF_CUSTOMERS, everybody[1:], session)).values()),
        "snapshots": [*sources],
        "before": {name: into.get(name) for name in after},
        "after": after,
        "transfers": ledger.transfers,
        "chainedIds": chained,
        "dueAt": now,
    }
    history = [status_change(of, each, CustomerStatus.MERGED, told["actor"], reason) for each in sources]
    if "status" in after:
        history.append(status_change(of, into, CustomerStatus(after["status"]), told["actor"], reason))
    changed = {key: value for key, value in after.items() if key not in ("lastByType", "lastActivityAt")}
    changed |= {
        "absorbingIds": everybody[1:],
        "mergeInProgressId": merge_id,
        "detailsRevision": into["revision"],
        **({"hasStatusDetails": True} if "status" in after else {}),
        **balance(state),
        **_summary(into, merged.customer.get("lastByType", {})),
    }
    return Effect(
        {"merge": merge_id, "activity": told["_id"]},
        told,
        new={"points": ledger.entries, "statuses": history, "merges": [document]},
        changed={
            ("customers", into["_id"]): changed,
            **{("customers", each): keys for each, keys in source_keys.items()},
            **{("customers", each): {"mergedIntoId": into["_id"]} for each in chained},
        },
        first=ledger.expired,
    )


async def unmerge(of: Changes, merge: Document, *, reason: str, key: str) -> Wrote:
    """Gives each customer of a merge back what was theirs, as far as it is there and nobody has changed it since.

    Rows written since stay with the survivor. Raises what ``merging.check_undoable`` raises.
    """
    reason = changes.check(
        lambda: changes.text(reason, "reason", at_most=changes.REASON_AT_MOST), lambda: changes.key(key)
    )
    sources: list[Document] = []

    async def lock(rows: CustomerRows, customer_id: str) -> Document:
        sources[:] = [await rows.lock(each) for each in merge["sourceIds"]]
        return await rows.lock(customer_id)

    async def decide(into: Document, session: Session) -> Effect:
        stored = (await of.store.find("merges", {"_id": merge["_id"]}, session=session))[0]
        merging.check_undoable(stored, into, sources)
        where = {
            "customerId": into["_id"],
            "status": MergeStatus.DONE.value,
            "createdAt": {"$gt": stored["createdAt"]},
        }
        later = await of.store.find("merges", where, sort={"createdAt": 1}, session=session)
        known = await ledger_of(of.store, into["_id"], session)
        return _unmerged(of, into, sources, stored, later, known, reason, key)

    given = {"mergeId": merge["_id"], "reason": reason}
    return await of.run_once("unmerge", merge["customerId"], key, given, decide, lock=lock)


def _unmerged(
    of: Changes,
    into: Document,
    sources: Sequence[Document],
    merge: Document,
    later: Sequence[Document],
    known: Sequence[Entry],
    reason: str,
    key: str,
) -> Effect:
    told = of.activity(
        into["_id"],
        "CUSTOMERS_UNMERGED",
        message=reason,
        attributes={"mergedCustomerIds": [each["number"] for each in sources]},
        subjectId=merge["_id"],
    )
    ledger = _Ledgers(of, told["actor"], reason, key)
    state = into.get("points") or points.empty()
    restored: dict[tuple[str, str], Document] = {}
    history: list[Document] = []
    activities: list[Document] = []
    lacking = 0
    said = {(each["source"], each["id"]): each for each in into.get("sourceValues", [])}
    transfers = {
        source["_id"]: [
            cast(Portion, {"expiresAt": each["expiresAt"], "points": each["points"]})
            for each in merge["transfers"]
            if each["sourceId"] == source["_id"]
        ]
        for source in sources
    }
    # Debts first: what paid them is there again for those who had it.
    pairs = sorted(zip(sources, merge["snapshots"], strict=True), key=lambda pair: _total(transfers[pair[0]["_id"]]))
    for source, snapshot in pairs:
        portions = transfers[source["_id"]]
        theirs = source.get("points") or points.empty()
        pending = (snapshot.get("points") or points.empty())["pending"]
        back = points.transfer(state, theirs, now=of.now, entries=known, only=portions, pending_at_most=pending)
        known = [*known, *back.out.entries]
        state = back.out.state
        ledger.add(back, into["_id"], source["_id"])
        returned = sum(entry["points"] for entry in back.into.entries if entry["kind"] in points.TRANSFERS)
        lacking += _total(portions) - returned
        values = [said.get((each["source"], each["id"])) for each in snapshot.get("identities", [])]
        keys: Document = {
            "status": snapshot["status"],
            "identities": snapshot.get("identities", []),
            "mergedIntoId": None,
            "mergeId": None,
            "undoingId": merge["_id"],
            **merging.payments_back(into, snapshot),
            **({"sourceValues": [each for each in values if each]} if any(values) else {}),
            **balance(back.into.state),
        }
        restored["customers", source["_id"]] = keys
        history.append(status_change(of, source, CustomerStatus(snapshot["status"]), told["actor"], reason))
        own = {"attributes": told["attributes"], "message": reason}
        activities.append(of.activity(source["_id"], "CUSTOMERS_UNMERGED", **own))
    left = merging.unmerged(into, merge, later)
    changed = changed_keys(into, left.customer)
    if "status" in changed:
        history.append(status_change(of, into, CustomerStatus(changed["status"]), told["actor"], reason))
    changed |= {"detailsRevision": into["revision"], "undoingId": merge["_id"], **balance(state)}
    undone: Document = {
        "status": MergeStatus.UNDOING.value,
        "undoneAt": of.now,
        "undoneBy": told["actor"],
        "undoReason": reason,
        "pointsKept": lacking,
        "dueAt": of.now,
        "attempts": 0,
    }
    return Effect(
        {"merge": merge["_id"], "activity": told["_id"]},
        told,
        new={"points": ledger.entries, "statuses": history},
        changed={
            ("customers", into["_id"]): changed,
            **restored,
            **{
                ("customers", each): {"mergedIntoId": source["_id"]}
                for source in merge["snapshots"]
                for each in source.get("mergedFromIds", [])
            },
            **{("merges", each): keys for each, keys in left.later.items()},
            ("merges", merge["_id"]): undone,
        },
        first=[*ledger.expired, *activities],
    )


def _total(portions: Sequence[Portion]) -> int:
    return sum(portion["points"] for portion in portions)


def _summary(into: Document, by_type: Mapping[str, datetime]) -> Document:
    """Returns the keys that make the customer's summary by type that one; None removes a type."""
    before: Mapping[str, datetime] = into.get("lastByType", {})
    changed = {type_ for type_ in {*before, *by_type} if before.get(type_) != by_type.get(type_)}
    return {f"lastByType.{type_}": by_type.get(type_) for type_ in changed - {"CUSTOMERS_MERGED"}}


class _Ledgers:
    """The ledgers hold the entries of all transfers of a merge, each with its other side."""

    def __init__(self, of: Changes, actor: Document, reason: str, key: str) -> None:
        self._now = of.now
        self._own: Document = {"reason": reason, "idempotencyKey": key, "actor": actor}
        self.entries: list[Document] = []
        self.expired: list[Document] = []
        self.transfers: list[Document] = []

    def add(self, transfer: Transfer, giving_id: str, taking_id: str) -> None:
        out = entries_of(transfer.out, giving_id, self._now, self._own)
        into = entries_of(transfer.into, taking_id, self._now, self._own)
        given = {entry["seq"]: entry for entry in out}
        taken = {entry["seq"]: entry for entry in into}
        for one, other in transfer.pairs:
            given[one]["transferOfId"], taken[other]["transferOfId"] = taken[other]["_id"], given[one]["_id"]
            if given[one]["kind"] in points.TRANSFERS:
                portion = {"expiresAt": taken[other].get("expiresAt"), "points": taken[other]["points"]}
                self.transfers.append({"sourceId": giving_id, **portion})
        self.entries += [*out, *into]
        self.expired += expiry_activities([*out, *into], self._now)


def _differences(before: Document, after: Document) -> list[Document]:
    """Returns what changed in the details, as the timeline tells it."""
    return differences(before, after, changed_fields(before, after))


async def _rewarded_twice(store: Store, customer_ids: Sequence[str], session: Session = None) -> bool:
    """Returns whether two of the customers have an activity that a programme rewards once for each person."""
    where = {"customerId": {"$in": [*customer_ids]}, "legacy": False, "type": {"$in": [*ONE_TIME_TYPES]}}
    pipeline: list[Mapping[str, Any]] = [
        {"$match": where},
        {"$group": {"_id": {"type": "$type", "customerId": "$customerId"}}},
    ]
    found = await store.aggregate("activities", pipeline, session=session)
    types = [row["_id"]["type"] for row in found]
    return len({*types}) < len(types)


def _spendable(customer: Mapping[str, Any], now: datetime) -> int:
    state: PointsState = customer.get("points") or points.empty()
    return points.spendable(points.as_of(state, now)) - points.owed(state)
