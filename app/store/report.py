"""Counts what a report counts: activities of all customers, by type."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
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


async def day_totals(store: Store, wheres: Sequence[Where]) -> Mapping[Where, Mapping[datetime, int]]:
    """Returns totals by day (UTC), oldest first, without days that have none; at most three commands each."""
    totals: dict[Where, Mapping[datetime, int]] = {}
    for where in wheres:
        days = {day: sum(of_types(counts, where).values()) for day, counts in (await _days(store, where)).items()}
        totals[where] = {day: total for day, total in sorted(days.items()) if total}
    return totals


async def _totals(store: Store, where: Where) -> Counter[str]:
    parts, totals = split(where), Counter[str]()
    if parts.tallied is not None:
        tallies, rest = await _tallies(store, parts.tallied)
        totals += add_up((tally["counts"] for tally in tallies), parts.tallied)
        if rest:
            selection = _selection(parts.tallied)
            totals += Counter(await pages.count_by(store, selection, "type", "occurredAt", rest, in_order=True))
    if parts.raw is not None:
        window = [Between(*window_of(parts.raw))]
        totals += Counter(await pages.count_by(store, _selection(parts.raw), "type", "occurredAt", window))
    return totals


async def _days(store: Store, where: Where) -> Mapping[datetime, Counter[str]]:
    parts, days = split(where), defaultdict[datetime, Counter[str]](Counter)
    counted: list[Mapping[datetime, Mapping[str, int]]] = []
    if parts.tallied is not None:
        tallies, rest = await _tallies(store, parts.tallied)
        counted += ({tally["_id"]: add_up((tally["counts"],), parts.tallied)} for tally in tallies)
        if rest:
            selection = _selection(parts.tallied)
            counted.append(await pages.count_by_day(store, selection, "type", "occurredAt", rest, in_order=True))
    if parts.raw is not None:
        window = [Between(*window_of(parts.raw))]
        counted.append(await pages.count_by_day(store, _selection(parts.raw), "type", "occurredAt", window))
    for some in counted:
        for day, counts in some.items():
            days[day].update(counts)
    return days


async def _tallies(store: Store, where: Where) -> tuple[list[Document], list[Between]]:
    """Returns the days of the window that are counted, and what is left of the window."""
    window = window_of(where)
    first, end = whole_days(window)
    counted = {"_id": {"$gte": first, "$lt": end}, "stale": False, "counts": {"$exists": True}}
    tallies = await store.find("tallies", counted) if first < end else []
    return tallies, [Between(*each) for each in without([tally["_id"] for tally in tallies], window)]


def _selection(where: Where) -> Selection:
    # Whether a type is a note is asked of the catalogue: no index would have to hold it.
    conditions = tuple((key, condition) for key, condition in where if key not in ("isNote", "occurredAt"))
    return Selection(REPORT, conditions, "OCCURRED_AT")


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
