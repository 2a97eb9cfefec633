"""Hashes what a database holds, on the server: by one command, whatever there is; and empties it."""

from collections.abc import Collection, Mapping
from hashlib import md5
from typing import Final

from app.store.driver import Store
from app.store.schema import COLLECTIONS

_EMPTY: Final = md5(b"").hexdigest()  # the server's own
"""The hash of a collection without documents."""


async def digests(store: Store) -> Mapping[str, str]:
    """Returns a hash of each collection that is there, by name."""
    return (await store.command({"dbHash": 1, "collections": [*COLLECTIONS]}))["collections"]


async def digest(store: Store, *, without: Collection[str] = ()) -> str:
    """Returns a hash of all collections but those ``without``."""
    return str(sorted((name, each) for name, each in (await digests(store)).items() if name not in without))


async def delete_all(store: Store) -> None:
    """Deletes all documents but versions: they say which copies the database has, and it keeps those."""
    for name, hashed in (await digests(store)).items():
        if name != "versions" and hashed != _EMPTY:
            await store.command({"delete": name, "deletes": [{"q": {}, "limit": 0}]})
