"""Counts what a report counts: activities of all customers, by type."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.listings import REPORT
from app.domain.paging import Between, Selection, Where
from app.domain.report import add_up, of_types, split, whole_days, window_of, without
from app.store import pages
from app.store.driver import Document, Store


async def type_totals(store: Store, wheres: Sequence[Where]) -> Mapping[Where, Mapping[str, int]]:
    """Returns totals by type; at most three commands each.

    A counted day costs one document, any other row an index entry.
    """
    return {where: of_types(await _totals(store, where), where) for where in wheres}


async def _totals(store: Store, where: Where) -> Counter[str]:
    parts, totals = split(where), Counter[str]()
    if parts.tallied is not None:
        window = window_of(parts.tallied)
        first, end = whole_days(window)
        counted = {"_id": {"$gte": first, "$lt": end}, "stale": False, "counts": {"$exists": True}}
        tallies = await store.find("tallies", counted) if first < end else []
        totals += add_up((tally["counts"] for tally in tallies), parts.tallied)
        if rest := without([tally["_id"] for tally in tallies], window):
            totals += await _count(store, parts.tallied, [Between(*each) for each in rest], by_time=True)
    if parts.raw is not None:
        totals += await _count(store, parts.raw, [Between(*window_of(parts.raw))])
    return totals


async def _count(store: Store, where: Where, windows: Sequence[Between], *, by_time: bool = False) -> Counter[str]:
    # Whether a type is a note is asked of the catalogue: no index would have to hold it.
    conditions = tuple((key, condition) for key, condition in where if key not in ("isNote", "occurredAt"))
    selection = Selection(REPORT, conditions, "OCCURRED_AT")
    return Counter(await pages.count_by(store, selection, "type", "occurredAt", windows, in_order=by_time))


async def fields_set(store: Store, where: Where, at_most: int) -> list[Document]:
    """Returns who set which field to what, most often first. One command; it reads the activities that set any."""
    match = pages.matching(Selection(REPORT, where, "OCCURRED_AT"))
    key: dict[str, Any] = {
        "username": "$actor.name",
        "id": "$actor.id",
        "name": "$customFieldsSet.name",
        "value": "$customFieldsSet.value",
    }
    rows = await store.aggregate(
        "activities",
        [
            {"$match": {**match, "customFieldsSet": {"$exists": True}}},
            {"$project": {"actor.name": 1, "actor.id": 1, "customFieldsSet": 1}},
            {"$unwind": "$customFieldsSet"},
            {"$group": {"_id": key, "total": {"$sum": 1}}},
            {"$sort": {"total": -1, "_id": 1}},
            {"$limit": at_most},
        ],
        hint="legacy_occurredAt_order_id",
    )
    return [{**row["_id"], "total": row["total"]} for row in rows]
