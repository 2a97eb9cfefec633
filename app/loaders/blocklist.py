"""Reads the entries of the blocklist that hold certain values."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from app.loaders.gate import Gate
from app.store.driver import Document, Store

Value: TypeAlias = tuple[str, str]
"""A type and a value, as it is stored."""


async def by_value(store: Store, gate: Gate, values: Sequence[Value]) -> Mapping[Value, Document]:
    """Returns the listed entries, expired or not. One command, however many values."""
    types = dict.fromkeys(type_ for type_, _ in values)
    of_types = [{"type": type_, "value": {"$in": [text for of, text in values if of == type_]}} for type_ in types]
    found = await store.find("blocklist", {"listed": True, "$or": of_types})
    admitted = await gate.admitted({entry["_id"]: entry for entry in found})
    return {(entry["type"], entry["value"]): admitted[entry["_id"]] for entry in found if entry["_id"] in admitted}
