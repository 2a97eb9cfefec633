"""Settles what imports leave pending of the copies by which customers are listed (domain/customers.py)."""

from collections.abc import Sequence
from typing import Any, Final

from app.domain.customers import PENDING, settling
from app.store.driver import Store, UpdateOne

SETTLED_AT_ONCE: Final = 1_000


async def settle(store: Store, customer_ids: Sequence[str], session: Any = None) -> None:
    """Makes the pending copies of these customers theirs; two commands for each thousand.

    What others leave meanwhile, they settle.
    """
    for first in range(0, len(customer_ids), SETTLED_AT_ONCE):
        where = {"_id": {"$in": [*customer_ids[first : first + SETTLED_AT_ONCE]]}, PENDING: {"$exists": True}}
        found = await store.find("customers", where, fields={PENDING: 1}, session=session)
        settled = [UpdateOne({"_id": each["_id"], PENDING: each[PENDING]}, settling(each[PENDING])) for each in found]
        await store.write("customers", settled, ordered=False, session=session)
