"""The schema, walked: every field below a type, and the shortest way to each. Read from the SDL that clients see."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    is_leaf_type,
)

from app import sdl

ARGUMENTS: Mapping[str, str] = {"Activity.attribute": '(name: "changedFields")'}
"""What a field cannot be asked without."""

TYPE_OF: Mapping[str, str] = {
    "customers": "Customer",
    "activities": "Activity",
    "points": "PointsEntry",
    "coupons": "Coupon",
    "transactions": "Transaction",
    "passes": "Pass",
    "statuses": "StatusChange",
    "emails": "Email",
    "deliveries": "EmailDelivery",
    "notes": "Note",
    "orders": "Order",
    "invoices": "Invoice",
    "creditMemos": "CreditMemo",
    "paymentInstruments": "PaymentInstrument",
    "quotes": "Quote",
    "kycRequests": "KycRequest",
    "kycDocuments": "KycDocument",
    "amlChecks": "AmlCheck",
    "requests": "Request",
    "adjustments": "PointsAdjustment",
}
"""By collection, the type of its documents."""

Composite: TypeAlias = GraphQLObjectType | GraphQLInterfaceType


@cache
def schema() -> GraphQLSchema:
    """Returns the schema that clients see."""
    return build_schema(sdl.printed())


@dataclass(frozen=True)
class Place:
    """A field, and the fields on the way to it. ``on`` is its type's name."""

    on: str
    name: str
    field: Any  # a GraphQLField, whose generics are open
    above: "Place | None" = None

    @property
    def coordinate(self) -> str:
        return f"{self.on}.{self.name}"

    @property
    def type_name(self) -> str:
        return _name_of(self.field.type)

    @property
    def arguments(self) -> dict[str, str]:
        """The field's arguments, and their types."""
        return {name: _name_of(argument.type) for name, argument in self.field.args.items()}

    @property
    def is_nullable(self) -> bool:
        return not str(self.field.type).endswith("!")

    @property
    def is_leaf(self) -> bool:
        return is_leaf_type(schema().get_type(self.type_name))

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
    """Yields the values in nested lists, nulls left out."""
    match value:
        case None:
            pass
        case [*items]:
            for item in items:
                yield from flat(item)
        case _:
            yield value


@cache
def below(type_name: str) -> dict[str, Place]:
    """Returns each field of each type below ``type_name``, by its coordinate, with the shortest way to it."""
    start = schema().get_type(type_name)
    assert isinstance(start, Composite)
    found: dict[str, Place] = {}
    seen = {type_name}
    ahead: list[tuple[Composite, Place | None]] = [(start, None)]
    for type_, above in ahead:
        for name, field in type_.fields.items():
            place = Place(type_.name, name, field, above)
            found[place.coordinate] = place
            inner = schema().get_type(place.type_name)
            if isinstance(inner, Composite) and inner.name not in seen:
                seen.add(inner.name)
                ahead.append((inner, place))
    return found


def everything(type_name: str, *above: str) -> str:
    """Selects every field of a type and of all types below it, but for those that it hangs on itself."""
    own = [place for place in below(type_name).values() if place.above is None]
    return " ".join(
        place.asked("" if place.is_leaf else everything(place.type_name, type_name, *above))
        for place in own
        if place.type_name not in (type_name, *above)
    )


def fields_of(input_name: str) -> dict[str, str]:
    """Returns an input's fields, and their types."""
    type_ = schema().get_type(input_name)
    assert isinstance(type_, GraphQLInputObjectType)
    return {name: _name_of(field.type) for name, field in type_.fields.items()}


def values_of(enum_name: str) -> list[str]:
    """Returns the names of an enum's values."""
    type_ = schema().get_type(enum_name)
    assert isinstance(type_, GraphQLEnumType)
    return list(type_.values)


def _name_of(type_: object) -> str:
    return str(type_).strip("[]!")
