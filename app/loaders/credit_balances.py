"""Reads what customers have to their credit."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from app.domain.vocabulary import CreditMemoStatus
from app.loaders.gate import Gate
from app.store.driver import Document, Store

_COUNTED = [
    CreditMemoStatus.ISSUED.value,
    CreditMemoStatus.PARTIALLY_APPLIED.value,
    CreditMemoStatus.APPLIED.value,
]


async def credit_balances(store: Store, gate: Gate, customer_ids: Sequence[str]) -> Mapping[str, list[Document]]:
    """Returns the amounts that are left of customers' credit memos, one for each currency. One command."""
    owner_of = {part: each for each in customer_ids for part in gate.parts("creditMemos", each)}
    rows = await store.aggregate(
        "creditMemos",
        [
            {"$match": {"customerId": {"$in": [*owner_of]}, "status": {"$in": _COUNTED}}},
            {
                "$group": {
                    "_id": {"customerId": "$customerId", "currency": "$unused.currency"},
                    "amount": {"$sum": "$unused.amount"},
                }
            },
        ],
        snapshot=bool(gate.moving),
    )
    totals: defaultdict[str, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in rows:
        totals[owner_of[row["_id"]["customerId"]]][row["_id"]["currency"]] += row["amount"]
    return {
        customer_id: [
            {"amount": amount, "currency": currency} for currency, amount in sorted(balances.items()) if amount
        ]
        for customer_id, balances in totals.items()
    }
