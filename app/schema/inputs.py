"""Reads inputs from JSON, as those of a request are read, and writes them as JSON."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar, cast

import strawberry
from graphql import GraphQLInputObjectType
from graphql.utilities import coerce_input_value, validate_input_value  # pyright: ignore[reportUnknownVariableType] # open generics
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.utils.str_converters import to_camel_case

from app.domain.refusals import BadUserInput
from app.schema.base import iso_time
from app.schema.filters import bound

T = TypeVar("T")


def input_of(schema: strawberry.Schema, kind: type[T], given: object) -> T:
    """Returns an input as a variable of a request would be. Raises BadUserInput."""
    converter = schema.schema_converter
    type_ = converter.type_map[kind.__name__].implementation
    assert isinstance(type_, GraphQLInputObjectType)
    faults: list[str] = []
    validate_input_value(given, type_, lambda error, path: faults.append(".".join(map(str, [*path, error.message]))))
    if faults:
        raise BadUserInput(" ".join(faults))
    return cast(T, convert_argument(coerce_input_value(given, type_), kind, converter.scalar_registry, schema.config))


def as_json(value: Any) -> Any:
    """Returns an input as JSON, by the names of the schema: the way back from ``input_of``. Nulls are left out.

    Times are bounds of windows, and are cut as those are.
    """
    match value:
        case StrEnum():
            return value.value
        case datetime():
            return iso_time(bound(value))
        case list():
            return [as_json(each) for each in cast(Sequence[Any], value)]
        case _:
            definition = cast(StrawberryObjectDefinition | None, getattr(value, "__strawberry_definition__", None))
            if definition is None:
                return value
            given = {each: getattr(value, each.python_name) for each in definition.fields}
            return {
                each.graphql_name or to_camel_case(each.python_name): as_json(inner)
                for each, inner in given.items()
                if inner is not None
            }
