"""Declares every collection: what its documents look like and by which indexes they are found. Data; no I/O.

Keys are spelled as the GraphQL fields. A key that ends in ``Id`` names another document: ``emailId`` is what the
field ``email`` follows; ``customerId`` is the owner. Times are UTC with milliseconds, dates without a time are
``YYYY-MM-DD``, money is ``{amount: Decimal128, currency}``, points are 32-bit integers and their totals 64-bit ones.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from app.domain.import_lines import COLLECTION_OF
from app.store.customer_schema import CUSTOMERS
from app.store.forms import (
    CUSTOMER_ID,
    PERSONAL,
    WORD,
    Collection,
    Index,
    list_of,
    object_of,
    reference,
)
from app.store.mirrors import MIRRORS
from app.store.own_schema import OWN
from app.store.request_schema import REQUESTS
from app.store.row_schema import ROWS

_DECLARED: Final[Mapping[str, Collection]] = {
    "customers": CUSTOMERS,
    **ROWS,
    **OWN,
    **MIRRORS,
    "requests": REQUESTS,
}
ROWS_OF_CUSTOMERS: Final = (
    "activities",
    "coupons",
    "transactions",
    "passes",
    "pushes",
    "emails",
    "deliveries",
    "files",
    "notes",
    "searches",
    "adjustments",
    "blocklist",
    "uploads",
    *MIRRORS,
    "requests",
)
"""What follows a customer who is merged into another (services/merging.py). Not the entries of a ledger and the changes
of a status: they say how that account came to its end. Not keys, the audit log, looks and merges: they say what was
done."""


def _that_moves(collection: Collection) -> Collection:
    """Returns the collection with the customers whose its rows were before, the first one first."""
    former = {"formerOwners": list_of(object_of({"mergeId": reference("merges"), **CUSTOMER_ID}))}
    index = Index("formerOwners.mergeId", partial_on="formerOwners.mergeId")
    return replace(collection, optional={**collection.optional, **former}, indexes=(*collection.indexes, index))


def _that_comes_in(collection: Collection) -> Collection:
    """Returns the collection with what its source calls a row. Rows of our own, and of earlier versions, have none."""
    whose = {
        key: schema for key, schema in (("source", WORD), ("sourceId", PERSONAL)) if key not in collection.required
    }
    return replace(collection, optional={**collection.optional, **whose})


def _completed(name: str, collection: Collection) -> Collection:
    if name in COLLECTION_OF.values() and name != "customers":  # a customer has identities
        collection = _that_comes_in(collection)
    return _that_moves(collection) if name in ROWS_OF_CUSTOMERS else collection


COLLECTIONS: Final[Mapping[str, Collection]] = {
    name: _completed(name, collection) for name, collection in _DECLARED.items()
}


def rows_of(collection: str, customer_id: str | Mapping[str, Any]) -> dict[str, Any]:
    """Returns the condition that rows are of a customer, so that an index answers it whose first key that is."""
    index = next(each for each in COLLECTIONS[collection].indexes if each.keys.split()[0] == "customerId")
    there = {index.partial_on: {"$exists": True}} if index.partial_on not in (None, "customerId") else {}
    return {"customerId": customer_id, **there}
