"""Counts which types of activity an account really has."""

from collections.abc import Mapping, Sequence

from app.store.driver import Store


async def type_counts(store: Store, customer_ids: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    """Returns counts by customer, then by type, most frequent first, without legacy entries.

    No filter finds those by type. One command, answered from the index ``customerId_legacy_type_occurredAt_order_id``
    without reading a document.
    """
    match = {"customerId": {"$in": list(customer_ids)}, "legacy": False, "type": {"$gte": ""}}
    group = {"_id": {"customerId": "$customerId", "type": "$type"}, "count": {"$sum": 1}}
    rows = await store.aggregate(
        "activities", [{"$match": match}, {"$group": group}, {"$sort": {"count": -1, "_id.type": 1}}]
    )
    counts: dict[str, dict[str, int]] = {customer_id: {} for customer_id in customer_ids}
    for row in rows:
        counts[row["_id"]["customerId"]][row["_id"]["type"]] = row["count"]
    return counts
