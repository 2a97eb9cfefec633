"""Repairs what earlier versions left: ledgers walked anew, statuses of one moment put in order.

Each customer in a transaction of their own, while changes go on. Interrupted anywhere, it is completed by starting it
again: what is mended already is not touched.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, cast

from app.domain.customers import balance
from app.domain.moments import ORDER
from app.domain.points import Entry, PointsState, audit, recompute
from app.domain.statuses import places
from app.services.writing import CustomerRows, change_customers
from app.store.driver import Document, Store, UpdateMany

_AT_ONCE: Final = 100


@dataclass(slots=True)
class Ledgers:
    """The ledgers are those whose points are not what their entries leave, by customer."""

    stale: list[str] = field(default_factory=list[str])
    """The entries are whole, and come to the same balance: they are walked anew."""
    broken: list[str] = field(default_factory=list[str])
    """Entries are missing or unreadable, or the balance is another one: nobody can know which of both is right."""


async def ledgers(store: Store) -> Ledgers:
    """Returns those that are to be mended, and those that cannot be. Every entry is read."""
    found, last = Ledgers(), ""
    while True:
        states = await _states(store, {"_id": {"$gt": last}}, limit=_AT_ONCE)
        if not states:
            return found
        entries = await _entries(store, list(states))
        for customer_id, state in states.items():
            try:
                if recompute(state, entries[customer_id]):
                    found.stale.append(customer_id)
                elif not audit(state, entries[customer_id])["ok"]:
                    found.broken.append(customer_id)
            except (ArithmeticError, LookupError, TypeError, ValueError):  # what is stored cannot be read
                found.broken.append(customer_id)
        last = max(states)


async def walk_ledgers(store: Store, now: datetime) -> Ledgers:
    """Mends the balances that can be mended, and nothing else, and returns them as ``stale``."""
    found = await ledgers(store)
    for customer_id in found.stale:
        await change_customers(store, partial(_walk, customer_id), now=now)
    return found


async def _walk(customer_id: str, rows: CustomerRows) -> None:
    customer = await rows.lock(customer_id)
    entries = await _entries(rows.store, [customer_id], session=rows.session)
    if mended := recompute(customer["points"], entries[customer_id]):
        rows.set_on_customer(customer_id, balance(mended))


async def _states(
    store: Store, where: Mapping[str, Any], *, limit: int = 0, session: Any = None
) -> Mapping[str, PointsState]:
    some = {**where, "points": {"$exists": True}}
    rows = await store.find("customers", some, sort={"_id": 1}, limit=limit, fields={"points": 1}, session=session)
    return {row["_id"]: row["points"] for row in rows}


async def _entries(store: Store, customer_ids: Sequence[str], *, session: Any = None) -> defaultdict[str, list[Entry]]:
    everything = {"customerId": {"$in": list(customer_ids)}, "seq": {"$gte": 0}}
    entries: defaultdict[str, list[Entry]] = defaultdict(list)
    for row in await store.find("points", everything, sort={"customerId": 1, "seq": 1}, session=session):
        entries[row["customerId"]].append(cast(Entry, row))
    return entries


async def date_steps_of_imports(store: Store, now: datetime) -> None:
    """Lets what versions before this one kept of imports for ever be kept from now on as long as that of others."""
    await store.write("importSteps", [UpdateMany({"at": {"$exists": False}}, {"$set": {"at": now}})])


async def put_statuses_in_order(store: Store, now: datetime) -> int:
    """Gives changes of one moment their places, and returns how many customers had others."""
    mended = 0
    async for customer_ids in _with_several_at_a_moment(store):
        for customer_id in customer_ids:
            mended += await change_customers(store, partial(_put_in_order, customer_id), now=now)
    return mended


async def _with_several_at_a_moment(store: Store) -> AsyncGenerator[list[str]]:
    last = ""
    while True:
        moment = {"_id": {"owner": "$customerId", "at": "$changedAt"}, "changes": {"$sum": 1}}
        rows = await store.aggregate(
            "statuses",
            [
                {"$match": {"customerId": {"$gt": last}}},
                {"$group": moment},
                {"$match": {"changes": {"$gt": 1}}},
                {"$group": {"_id": "$_id.owner"}},
                {"$sort": {"_id": 1}},
                {"$limit": 10 * _AT_ONCE},
            ],
        )
        if not rows:
            return
        yield [row["_id"] for row in rows]
        last = rows[-1]["_id"]


async def _put_in_order(customer_id: str, rows: CustomerRows) -> bool:
    history: list[Document] = await rows.store.find("statuses", {"customerId": customer_id}, session=rows.session)
    place_of = places(history)
    moved = [change for change in history if place_of.get(change["_id"], change.get(ORDER)) != change.get(ORDER)]
    for change in moved:
        rows.update("statuses", change, {"$set": {ORDER: place_of[change["_id"]]}})
    return bool(moved)
