"""Keeps whom an erasure took away, by a hash of what their source systems call them. Collection ``tombstones``."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from app.domain.import_forms import Identity
from app.store.driver import Store


def tombstone_id(identity: Identity) -> str:
    """Returns the id of the identity's tombstone, which does not say whose it is."""
    return blake2b(f"{identity.source}\0{identity.id}".encode(), digest_size=32, person=b"gateway-tomb").hexdigest()


async def erased_of(store: Store, identities: Iterable[Identity], *, session: Any = None) -> set[Identity]:
    """Returns those of the identities whose customer was erased. One command; none without identities."""
    by_id = {tombstone_id(each): each for each in identities}
    if not by_id:
        return set()
    found = await store.find("tombstones", {"_id": {"$in": [*by_id]}}, fields={"_id": 1}, session=session)
    return {by_id[row["_id"]] for row in found}
