"""The schema, walked: every field below a type, and the shortest way to each. Read from the SDL that clients see."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_leaf_type,
)

from app import sdl

ARGUMENTS: Mapping[str, str] = {"Activity.attribute": '(name: "changedFields")'}
"""What a field cannot be asked without."""

Composite: TypeAlias = GraphQLObjectType | GraphQLInterfaceType


@cache
def schema() -> GraphQLSchema:
    return build_schema(sdl.printed())


@dataclass(frozen=True)
class Place:
    """A field, and the fields on the way to it. ``on`` is its type's name."""

    on: str
    name: str
    field: GraphQLField
    above: "Place | None" = None

    @property
    def coordinate(self) -> str:
        return f"{self.on}.{self.name}"

    @property
    def type_name(self) -> str:
        return get_named_type(self.field.type).name

    @property
    def is_leaf(self) -> bool:
        return is_leaf_type(get_named_type(self.field.type))

    @property
    def selection(self) -> str:
        """From the type where the walk began, down to this field."""
        asked, place = self.asked("__typename"), self.above
        while place:
            asked, place = place.asked(asked), place.above
        return asked

    def asked(self, inner: str) -> str:
        """The field with its arguments, and with ``inner`` selected where it is no leaf."""
        return self.name + ARGUMENTS.get(self.coordinate, "") + ("" if self.is_leaf else f" {{ {inner} }}")

    def values(self, source: Any) -> list[Any]:
        """All that the answer has in this place; ``source`` is what the walk began at."""
        parents: list[Any] = self.above.values(source) if self.above else [source]
        return [value for parent in parents for value in flat(parent[self.name])]


def flat(value: Any) -> Iterator[Any]:
    """The values in nested lists, nulls left out."""
    if isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType] # an answer is open
            yield from flat(item)
    elif value is not None:
        yield value


@cache
def below(type_name: str) -> dict[str, Place]:
    """Each field of each type that is reached from ``type_name``, by its coordinate; the shortest way to it."""
    start = schema().get_type(type_name)
    assert isinstance(start, Composite)
    found: dict[str, Place] = {}
    seen = {type_name}
    ahead: list[tuple[Composite, Place | None]] = [(start, None)]
    for type_, above in ahead:
        for name, field in type_.fields.items():
            place = Place(type_.name, name, field, above)
            found[place.coordinate] = place
            inner = get_named_type(field.type)
            if isinstance(inner, Composite) and inner.name not in seen:
                seen.add(inner.name)
                ahead.append((inner, place))
    return found
