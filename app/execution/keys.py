"""Says which keys of documents a plan needs, so that no others are read."""

from collections.abc import Iterator

from graphql import GraphQLError

from app.domain.kinds import BY_COLLECTION
from app.execution.slots import Field, ObjectPlan

_CUSTOMER = BY_COLLECTION["customers"].type


def customer_keys_of(root: ObjectPlan) -> frozenset[str] | None:
    """Returns the keys to read of customers outside rows; None if a resolver may look at any.

    Any that awaits something may look at what it has awaited.
    """
    keys: set[str] = set()
    found = [root]
    try:
        while found:
            one = found.pop()
            for field in one.fields:
                read = field.resolver.reads if one.type.name == _CUSTOMER else ()
                if field.resolver.awaits or read is None:
                    return None
                keys.update(read)
                found += field.objects()
    except GraphQLError:  # a directive that cannot be judged: told where it stands
        return None
    return frozenset(keys)


def row_keys_of(edge: Field) -> tuple[str, ...] | None:
    """Returns the keys to read of the rows of the edge's page; None if a resolver may look at any."""
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


def _rows_of(edge: Field) -> Iterator[ObjectPlan]:
    for field in _fields_below(edge):
        if field.name == "nodes":
            yield from field.objects()
        elif field.name == "edges":
            for inner in _fields_below(field):
                if inner.name == "node":
                    yield from inner.objects()


def _fields_below(field: Field) -> Iterator[Field]:
    for each in field.objects():
        yield from each.fields
