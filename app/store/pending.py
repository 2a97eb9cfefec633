"""Settles what imports leave pending of the copies by which customers are listed (domain/customers.py)."""

from collections.abc import Sequence
from typing import Any

from app.domain.customers import PENDING, settling
from app.store.driver import Store, UpdateOne


async def settle(store: Store, customer_ids: Sequence[str], session: Any = None) -> None:
    """Makes the pending copies of these customers theirs; two commands. What others left meanwhile, they settle."""
    if not customer_ids:
        return
    where = {"_id": {"$in": [*customer_ids]}, PENDING: {"$exists": True}}
    found = await store.find("customers", where, fields={PENDING: 1}, session=session)
    settled = [UpdateOne({"_id": each["_id"], PENDING: each[PENDING]}, settling(each[PENDING])) for each in found]
    await store.write("customers", settled, ordered=False, session=session)
