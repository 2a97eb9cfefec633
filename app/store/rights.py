"""Says what the user of MONGODB_URI may not do that the gateway does."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from app.store.driver import Store
from app.store.schema import COLLECTIONS

_NEEDED: Final = ("find", "insert", "update", "remove")
"""The actions of MongoDB's manual that a process needs on each collection."""


async def missing_rights(store: Store) -> list[str]:
    """Returns a line for each collection on which the user may not do all that we do. Raises StoreError."""
    reply = await store.command({"connectionStatus": 1, "showPrivileges": True})
    said = reply["authInfo"]
    if not said["authenticatedUsers"]:
        return []  # a server that asks for no users
    database = store.database.primary.name
    return [*_missing(database, said["authenticatedUserPrivileges"])]


def _missing(database: str, privileges: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for collection in COLLECTIONS:
        allowed = {
            action
            for privilege in privileges
            if _is_about(privilege["resource"], database, collection)
            for action in privilege["actions"]
        }
        lacking = [each for each in _NEEDED if not {each, "anyAction"} & allowed]
        if lacking:
            yield f"{collection}: may not {', '.join(lacking)}"


def _is_about(resource: Mapping[str, Any], database: str, collection: str) -> bool:
    """Returns whether a privilege is about a collection: an empty name is any."""
    if resource.get("anyResource"):
        return True
    return resource.get("db") in ("", database) and resource.get("collection") in ("", collection)
