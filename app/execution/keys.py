"""Which keys of its rows an edge needs, so that no others are read."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from graphql import GraphQLError

if TYPE_CHECKING:
    from app.execution.plan import Field, ObjectPlan


def row_keys_of(edge: "Field") -> tuple[str, ...] | None:
    """Of the rows of the edge's page (``schema.connection``); None where a resolver may look at any."""
    keys: set[str] = set()
    try:
        for row in _rows_of(edge):
            for field in row.fields:
                if field.resolver.reads is None:
                    return None
                keys.update(field.resolver.reads)
    except GraphQLError:  # a directive that cannot be judged: told where it stands
        return None
    return tuple(sorted(keys))


def _rows_of(edge: "Field") -> "Iterator[ObjectPlan]":
    for field in _fields_below(edge):
        if field.name == "nodes":
            yield from field.objects()
        elif field.name == "edges":
            for inner in _fields_below(field):
                if inner.name == "node":
                    yield from inner.objects()


def _fields_below(field: "Field") -> "Iterator[Field]":
    for each in field.objects():
        yield from each.fields
