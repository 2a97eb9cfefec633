"""Recomputes the ledger."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import cast

from app.domain.points import Entry, LedgerAudit, PointsState, audit, empty
from app.loaders.loader import each_apart
from app.store.driver import Store


async def audits(store: Store, customer_ids: Sequence[str]) -> Mapping[str, LedgerAudit | Exception]:
    """Compares stored states with all entries, both read at one point in time. One command; it reads every entry."""
    wanted = {"$in": list(customer_ids)}
    entries = [
        {"$match": {"customerId": wanted, "seq": {"$gte": 0}}},
        {"$sort": {"customerId": 1, "seq": 1}},
        {"$project": {"reason": 0, "actor": 0, "recordedAt": 0}},
    ]
    rows = await store.aggregate(
        "customers",
        [
            {"$match": {"_id": wanted}},
            {"$project": {"state": "$points"}},
            {"$unionWith": {"coll": "points", "pipeline": entries}},
        ],
        snapshot=True,
    )
    states: dict[str, PointsState] = {}
    ledgers: dict[str, list[Entry]] = defaultdict(list)
    for row in rows:
        if "customerId" in row:
            ledgers[row["customerId"]].append(cast(Entry, row))
        else:
            states[row["_id"]] = row.get("state") or empty()
    return each_apart(states, lambda customer_id: audit(states[customer_id], ledgers[customer_id]))
