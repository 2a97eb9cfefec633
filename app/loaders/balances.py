"""Reads what customers' papers add up to: what is to their credit, what is due, and when an order renews next."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from app.domain.amounts import total
from app.domain.vocabulary import CreditMemoStatus, InvoiceStatus, OrderStatus
from app.loaders.gate import Gate
from app.loaders.loader import each_apart
from app.store.driver import Document, Store

_IN_CREDIT: Final = [
    CreditMemoStatus.ISSUED.value,
    CreditMemoStatus.PARTIALLY_APPLIED.value,
    CreditMemoStatus.APPLIED.value,
]
_TO_PAY: Final = [InvoiceStatus.UNPAID.value, InvoiceStatus.PARTIALLY_PAID.value, InvoiceStatus.PAST_DUE.value]


async def credit_balances(
    store: Store, gate: Gate, customer_ids: Sequence[str]
) -> Mapping[str, list[Document] | Exception]:
    """Returns the amounts that are left of customers' credit memos, one for each currency. One command."""
    return await _sums(store, gate, "creditMemos", {"status": {"$in": _IN_CREDIT}}, "$unused", customer_ids)


async def amounts_due(
    store: Store, gate: Gate, customer_ids: Sequence[str]
) -> Mapping[str, list[Document] | Exception]:
    """Returns the amounts that are to be paid of customers' invoices, one for each currency. One command."""
    due = {"$ifNull": ["$amountDue", "$amount"]}
    return await _sums(store, gate, "invoices", {"status": {"$in": _TO_PAY}}, due, customer_ids)


async def _sums(
    store: Store, gate: Gate, collection: str, where: Document, money: Any, customer_ids: Sequence[str]
) -> Mapping[str, list[Document] | Exception]:
    owner_of = {part: each for each in customer_ids for part in gate.parts(collection, each)}
    key = {"customerId": "$customerId", "currency": "$money.currency"}
    is_other = {"$ne": [{"$type": "$money.amount"}, "decimal"]}  # $sum takes what is no number for nothing
    rows = await store.aggregate(
        collection,
        [
            {"$match": {"customerId": {"$in": [*owner_of]}, **where}},
            {"$project": {"customerId": 1, "money": money}},
            {"$group": {"_id": key, "amount": {"$sum": "$money.amount"}, "isBroken": {"$max": is_other}}},
        ],
        snapshot=bool(gate.moving),
    )
    sums: defaultdict[str, list[Document]] = defaultdict(list)
    for row in rows:
        sums[owner_of[row["_id"]["customerId"]]].append(row)
    return each_apart(sums, lambda customer_id: _totals(sums[customer_id]))


def _totals(sums: Sequence[Document]) -> list[Document]:
    """Returns one amount for each currency, by the currency's code. Raises TypeError for what is no decimal."""
    amounts = defaultdict[str, list[Decimal]](list)
    for each in sums:
        if each["isBroken"]:
            raise TypeError("an amount is stored as something else")
        amounts[each["_id"]["currency"]].append(each["amount"])
    totals = {currency: total(several) for currency, several in sorted(amounts.items())}
    return [{"amount": amount, "currency": currency} for currency, amount in totals.items() if amount]


async def next_renewals(
    store: Store, gate: Gate, keys: Sequence[tuple[str, datetime]]
) -> Mapping[tuple[str, datetime], datetime]:
    """Returns when an active order of each customer renews next, after the time of the request. One command."""
    now = keys[0][1]  # a request has one
    owner_of = {part: key for key in keys for part in gate.parts("orders", key[0])}
    where = {"customerId": {"$in": [*owner_of]}, "status": OrderStatus.ACTIVE.value, "renewsAt": {"$gt": now}}
    rows = await store.aggregate(
        "orders",
        [{"$match": where}, {"$group": {"_id": "$customerId", "at": {"$min": "$renewsAt"}}}],
        snapshot=bool(gate.moving),
    )
    renewals: dict[tuple[str, datetime], datetime] = {}
    for row in rows:
        owner = owner_of[row["_id"]]
        renewals[owner] = min(row["at"], renewals.get(owner, row["at"]))
    return renewals
