"""Says where each collection lies on a sharded cluster: its shard key, or why it stays whole. Data; no I/O.

A row lies with its customer, so that what a request asks about one customer is answered by one shard. See
docs/decisions/0044 and docs/scale.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.store.forms import Index
from app.store.mirrors import MIRRORS

OF_CUSTOMER: Final = "customerId"


@dataclass(frozen=True, slots=True)
class Whole:
    """A collection stays whole on one shard, the database's primary one, and says why."""

    reason: str


_SMALL: Final = Whole("It is small, and grows with the staff or the configuration and not with the customers.")
_IN_TURN: Final = Whole("It is taken from and given numbers in one order, which one shard keeps; rows soon leave it.")

SHARDS: Final[Mapping[str, str | Whole]] = {
    "customers": Whole(
        "Numbers and identities are each one customer's, in the whole company: only one shard can hold such an index. "
        "Searches and lists of customers, which have no shard key, ask that shard alone."
    ),
    "heads": "_id",  # the customer's id
    **dict.fromkeys(
        (
            *("activities", "points", "coupons", "transactions", "passes", "pushes", "statuses", "emails"),
            *("deliveries", "notes", "searches", "idempotency", "audit", "looks", *MIRRORS, "requests"),
        ),
        OF_CUSTOMER,
    ),
    "files": "_id",  # the digest of its content
    "webhookDeliveries": "endpointId customerId",
    "uploaded.chunks": "files_id n",
    "exported.chunks": "files_id n",
    "counters": "_id",
    "documents": Whole("A key names one text: only one shard can hold such an index. It is small."),
    "blocklist": Whole("A value is listed once in the whole company: only one shard can hold such an index."),
    "uploads": Whole("A subject has a fixed number of places for open uploads: only one shard can hold such an index."),
    "exports": Whole(
        "A subject has a fixed number of places for unfinished exports: only one shard can hold such an index."
    ),
    "segments": Whole("A subject's segments have names of their own: only one shard can hold such an index."),
    "feed": Whole(
        "Its entries are numbered in one order over all customers, each number once. It is kept for 72 hours."
    ),
    "sequences": _SMALL,
    "versions": _SMALL,
    "tallies": _SMALL,
    "presence": Whole("It holds who looks at a record just now, and no row for longer than a minute."),
    "adjustments": Whole(
        "Those who approve read what waits, of all customers. It has a row for each adjustment by hand."
    ),
    "erasures": Whole("A worker takes from it what is due, in order of time. It has a row for each erased customer."),
    "merges": Whole("A worker takes from it what is due, in order of time. It has a row for each merge."),
    "tombstones": Whole("It has two short texts for each identity of an erased customer."),
    "uploaded.files": Whole("It has a short document for each file; the contents are in the chunks."),
    "exported.files": Whole("It has a short document for each file; the contents are in the chunks."),
    "webhookEndpoints": _SMALL,
    "imports": _SMALL,
    "importSteps": Whole("An undo reads it, of one import at a time."),
    "secrets": _SMALL,
    "sources": _SMALL,
    "parked": Whole("Its lines name a customer who is not there yet, and have no customer's id."),
}


def keys_of(collection: str) -> tuple[str, ...]:
    """Returns the keys by which a collection is sharded, in order; none of one that stays whole."""
    placed = SHARDS[collection]
    return () if isinstance(placed, Whole) else tuple(placed.split())


def index_of(collection: str) -> Index:
    """Returns the index that the shard key of a collection has where no other begins with it."""
    return Index(" ".join(keys_of(collection)))
