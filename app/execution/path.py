"""Where a value belongs in the answer."""

from typing import TYPE_CHECKING, Any, TypeAlias, cast

from graphql.pyutils import Path as GraphQLPath

if TYPE_CHECKING:
    from app.execution.plan import Slot

Path: TypeAlias = tuple[Any, str | int, object]
"""The path of what holds the value (None at the root), its key there, and the value that was found for it."""


def keys_of(path: Path | None) -> list[str | int]:
    keys: list[str | int] = []
    while path:
        keys.append(path[1])
        path = path[0]
    return keys[::-1]


def as_resolvers_know_it(slot: "Slot | None", path: Path | None) -> GraphQLPath:
    """The same as resolvers know it."""
    if path is None:  # an edge of all its parents
        assert slot
        return GraphQLPath(None, slot.field.key, slot.field.parent.name)
    above = as_resolvers_know_it(slot.above if slot else None, path[0]) if path[0] else None
    name = slot.field.parent.name if slot and slot is slot.field else None
    return GraphQLPath(above, path[1], name)


def document_at(path: Path | None) -> str | None:
    """The id of the nearest document on the way up."""
    while path:
        source: Any = path[2]
        if isinstance(source, dict) and "_id" in source:
            return str(cast(dict[str, Any], source)["_id"])
        path = path[0]
    return None
