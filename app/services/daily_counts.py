"""Counts days that are over: how many activities of which type each had, so that no report counts them again.

A change of today writes nothing here. What arrives for a day that is over makes that day ``stale``, in the activity's
own transaction, and the worker counts it anew. A day is counted ``_GRACE`` after it was opened for counting: a writer
that did not see it open has ended by then, since no transaction lives that long. Hence a day that has counts, and
is not stale, is exactly what its activities are; and changes do not wait for each other here.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from app.domain.report import DAY, SYSTEM_NAME, day_of
from app.jobs import Backoff, log_failure
from app.store.driver import DeleteMany, Document, Store, StoreError, Unavailable, UpdateMany, UpdateOne

_SETTLES: Final = DAY
"""How long after its end a day is counted. Clocks may differ by as much: every writer knows that it is over."""
_GRACE: Final = timedelta(minutes=2)
_LOOKS_BACK: Final = timedelta(days=20 * 366)
_INDEX: Final = "legacy_occurredAt_order_id_type_isNote_actor.kind_actor.accessLevel_actor.name"


def days_made_stale(activities: Iterable[Mapping[str, Any]], *, now: datetime) -> list[UpdateMany]:
    """Returns what has days that are over counted again, for the transaction that writes activities: none for today."""
    days = {day_of(activity["occurredAt"]) for activity in activities}
    over = [day for day in days if day <= now - DAY]
    return [UpdateMany({"_id": {"$in": over}, "stale": False}, {"$set": {"stale": True}})] if over else []


async def count_days(store: Store, now: datetime, *, grace: timedelta = _GRACE, backoff: Backoff | None = None) -> int:
    """Counts the days that were opened before, opens new ones, and returns how many it counted.

    Without grace only if nobody writes. Each day by itself: one that cannot be written is logged, left alone for a
    while if ``backoff`` is there to remember it, and counted by each report that asks for it. Raises Unavailable.
    """
    await _open(store, now, backoff)
    opened = {**_UNCOUNTED, "since": {"$lte": now - grace}}
    counted = 0
    for tally in await store.find("tallies", opened, sort={"_id": 1}, fields={"since": 1}):
        counted += await _alone(tally["_id"], partial(_count, store, tally), backoff)
    return counted


async def _alone(day: datetime, work: Callable[[], Awaitable[object]], backoff: Backoff | None) -> bool:
    if backoff and not backoff.is_due(day):
        return False
    try:
        await work()
    except Unavailable:
        raise
    except Exception as fault:
        again = {"again_in_seconds": backoff.failed(day)} if backoff else {}
        log_failure("day counts", fault, day=f"{day:%Y-%m-%d}", **again)
        return False
    if backoff:
        backoff.succeeded(day)
    return True


async def differences(store: Store) -> list[datetime]:
    """Returns the days whose counts are not what their activities are. It reads an index entry for each activity."""
    return [
        tally["_id"]
        for tally in await store.find("tallies", {"stale": False, "counts": {"$exists": True}}, sort={"_id": 1})
        if _comparable(await counts_of(store, tally["_id"])) != _comparable(tally["counts"])
    ]


async def counts_of(store: Store, day: datetime, *, session: Any = None) -> list[Document]:
    """Returns a day's counts by kind of actor, then by type; counted, from the index alone."""
    match = {"legacy": False, "occurredAt": {"$gte": day, "$lt": day + DAY}}
    kind = {
        "kind": "$actor.kind",
        "accessLevel": "$actor.accessLevel",
        "isSystem": {"$eq": ["$actor.name", SYSTEM_NAME]},
    }
    group = {"_id": {**kind, "type": "$type"}, "count": {"$sum": 1}}
    rows = await store.aggregate("activities", [{"$match": match}, {"$group": group}], hint=_INDEX, session=session)
    by_kind: defaultdict[tuple[tuple[str, Any], ...], dict[str, int]] = defaultdict(dict)
    for row in rows:
        key = {name: value for name, value in row["_id"].items() if value is not None}
        by_kind[tuple((name, key[name]) for name in kind if name in key)][key["type"]] = row["count"]
    return [{**dict(key), "types": types} for key, types in by_kind.items()]


_UNCOUNTED: Final = {"stale": False, "counts": {"$exists": False}}


async def _open(store: Store, now: datetime, backoff: Backoff | None) -> None:
    """Opens for counting what is stale, and every day that has settled and is not here yet."""
    again: Document = {"$set": {"stale": False, "since": now}, "$unset": {"counts": ""}}
    oldest = {"legacy": False, "occurredAt": {"$gte": now - _LOOKS_BACK}}
    found = await store.find(
        "activities", oldest, sort={"occurredAt": 1}, limit=1, fields={"occurredAt": 1}, hint=_INDEX
    )
    tallies = await store.find("tallies", {}, fields={"stale": 1})
    known = {tally["_id"] for tally in tallies}
    opened = {
        tally["_id"]: UpdateOne({"_id": tally["_id"], "stale": True}, again) for tally in tallies if tally["stale"]
    }
    # A clock that was ahead counted days that are not over: no writer makes them stale.
    early = [tally["_id"] for tally in tallies if tally["_id"] + DAY + _SETTLES > now]
    if early:
        await store.write("tallies", [DeleteMany({"_id": {"$in": early}})])
    day = day_of(found[0]["occurredAt"]) if found else now
    while day + DAY + _SETTLES <= now:
        if day not in known:
            # Another worker may have been faster; what is there stays as it is.
            opened[day] = UpdateOne({"_id": day}, {"$setOnInsert": {"stale": False, "since": now}}, upsert=True)
        day += DAY
    try:
        await store.write("tallies", [*opened.values()], ordered=False)
    except Unavailable:
        raise
    except StoreError:  # of one of them: find out which
        for each, operation in opened.items():
            await _alone(each, partial(store.write, "tallies", [operation]), backoff)


async def _count(store: Store, opened: Document) -> None:
    async def body(session: Any) -> None:
        counts = await counts_of(store, opened["_id"], session=session)
        # A writer that makes the day stale meanwhile writes the same document: one of the two begins again. What was
        # opened again since then is left alone: it has to wait anew.
        await store.write(
            "tallies", [UpdateOne({**opened, **_UNCOUNTED}, {"$set": {"counts": counts}})], session=session
        )

    await store.transaction(body)


def _comparable(counts: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted(repr(sorted({**each, "types": sorted(each["types"].items())}.items())) for each in counts)
