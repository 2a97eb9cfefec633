"""Counts which types of activity an account really has."""

from collections import Counter
from collections.abc import Mapping, Sequence

from app.loaders.gate import Gate
from app.loaders.loader import each_apart
from app.store.driver import Document, Store


async def type_counts(
    store: Store, gate: Gate, customer_ids: Sequence[str]
) -> Mapping[str, Mapping[str, int] | Exception]:
    """Returns counts by customer, then by type, most frequent first, without legacy entries.

    No filter finds those by type. One command, answered from the index ``customerId_legacy_type_occurredAt_order_id``
    without reading a document.
    """
    owner_of = {part: each for each in customer_ids for part in gate.parts("activities", each)}
    match = {"customerId": {"$in": list(owner_of)}, "legacy": False, "type": {"$gte": ""}}
    group = {"_id": {"customerId": "$customerId", "type": "$type"}, "count": {"$sum": 1}}
    rows = await store.aggregate(
        "activities",
        [{"$match": match}, {"$group": group}, {"$sort": {"count": -1, "_id.type": 1}}],
        snapshot=bool(gate.moving),
    )
    counted: dict[str, list[Document]] = {customer_id: [] for customer_id in customer_ids}
    for row in rows:
        counted[owner_of[row["_id"]["customerId"]]].append(row)
    return each_apart(counted, lambda customer_id: _totals(counted[customer_id]))


def _totals(rows: Sequence[Document]) -> Mapping[str, int]:
    totals = Counter[str]()
    for row in rows:
        totals[row["_id"]["type"]] += row["count"]
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))
