"""Reads a field's arguments as its resolver takes them: what depends on no variable is worked out once.

Whatever is not plainly as it should be goes the way of graphql-core and Strawberry, who know what to say of it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING
from functools import cache
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNonNull,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    is_required_argument,
    is_required_input_field,
)
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal  # pyright: ignore[reportUnknownVariableType] # open generics
from strawberry.relay import GlobalID
from strawberry.schema.compat import is_scalar
from strawberry.types.arguments import convert_argument, convert_arguments
from strawberry.types.base import StrawberryList, StrawberryMaybe, StrawberryOptional, has_object_definition
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType
from strawberry.types.maybe import Some

from app.execution.document import walked

Values = Mapping[str, Any]
Read = Callable[[Values], Any]
"""From the operation's coerced variables; Undefined where graphql-core has to judge."""
Convert = Callable[[Any], Any]


class _Unknown(Exception):
    """Raised for what this module does not know how to do; never leaves it."""


# ---------------------------------------------------------------- from the document


def reader_of(definition: GraphQLField, node: FieldNode) -> Read:
    """Returns a function that returns what ``get_argument_values`` does, by the names of the schema."""
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    try:
        return _together(_parts(definition.args, given, is_required_argument))
    except _Unknown:
        return lambda variables: Undefined


def _parts(expected: Mapping[str, Any], given: Mapping[str, ValueNode], is_required: Any) -> Iterable[tuple[str, Read]]:
    for name, each in expected.items():
        if name in given:
            yield each.out_name or name, _value(given[name], each.type)
        elif is_required(each):
            raise _Unknown
        elif (default := _certain(lambda each=each: coerce_default_value(each))) is not Undefined:
            yield each.out_name or name, _always(default)


def _value(node: ValueNode, type_: Any) -> Read:
    if isinstance(node, VariableNode):
        return _variable(node.name.value, nullable=type_.__class__ is not GraphQLNonNull)
    if not any(isinstance(each, VariableNode) for each in walked(node)):
        constant = _certain(lambda: coerce_input_literal(node, type_))
        if constant is Undefined:
            raise _Unknown
        return _always(constant)
    named = type_.of_type if type_.__class__ is GraphQLNonNull else type_
    if isinstance(node, ObjectValueNode) and isinstance(named, GraphQLInputObjectType):
        given = {field.name.value: field.value for field in node.fields}
        if named.is_one_of and len(given) != 1:
            raise _Unknown
        read, out_type, one = _together(_parts(named.fields, given, is_required_input_field)), named.out_type, named

        def read_object(variables: Values) -> Any:
            made = read(variables)
            if made is Undefined or (one.is_one_of and None in made.values()):
                return Undefined
            return out_type(made)

        return read_object
    raise _Unknown


def _variable(name: str, *, nullable: bool) -> Read:
    def read(variables: Values) -> Any:
        value = variables.get(name, Undefined)
        return Undefined if value is None and not nullable else value

    return read


def _together(parts: Iterable[tuple[str, Read]]) -> Read:
    reads = [*parts]

    def read(variables: Values) -> Any:
        made: dict[str, Any] = {}
        for name, each in reads:
            value = each(variables)
            if value is Undefined:
                return Undefined
            made[name] = value
        return made

    return read


def _always(value: Any) -> Read:
    return lambda variables: value


def _certain(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except Exception:
        raise _Unknown from None


# ---------------------------------------------------------------- to Python


@cache
def converter_of(schema: Any, field: StrawberryField) -> Convert:
    """Returns a function that does what ``convert_arguments`` does, for one field of Strawberry's schema."""
    registry, config = schema.schema_converter.scalar_registry, schema.config
    arguments = cast(Any, field).arguments
    try:
        known = _Converters(registry, config)
        parts = [
            (config.name_converter.from_argument(each), cast(str, each.python_name), known.of(each.type))
            for each in arguments
        ]
    except _Unknown:
        return lambda given: convert_arguments(dict(given), arguments, registry, config)
    return lambda given: {python: convert(given[name]) for name, python, convert in parts if name in given}


class _Converters:
    """Converters do what ``convert_argument`` does, in parts, by type."""

    def __init__(self, registry: Any, config: Any) -> None:
        self._registry, self._config = registry, config
        self._inputs: dict[Any, Convert] = {}

    def of(self, type_: Any) -> Convert:
        if isinstance(type_, StrawberryMaybe):
            return self._maybe(type_)
        if isinstance(type_, StrawberryOptional):
            return self.of(type_.of_type)
        if isinstance(type_, LazyType):
            return self.of(cast(Any, type_).resolve_type())
        if isinstance(type_, StrawberryList):
            return self._list(type_)
        is_enum = isinstance(type_, StrawberryEnumDefinition) or has_enum_definition(type_)
        if is_enum or (type_ is not GlobalID and is_scalar(type_, self._registry)):
            return _as_it_is
        if has_object_definition(type_):
            return self._input(type_)
        raise _Unknown

    def _maybe(self, type_: Any) -> Convert:
        convert, takes_null = self.of(type_.of_type), isinstance(type_.of_type, StrawberryOptional)

        def some(value: Any) -> Any:
            if value is None and not takes_null:
                return convert_argument(value, type_, self._registry, self._config)  # raises
            return Some(convert(value))

        return some

    def _list(self, type_: Any) -> Convert:
        convert = self.of(type_.of_type)

        def each(values: Any) -> Any:
            return None if values is None else [convert(value) for value in values]

        return each

    def _input(self, type_: Any) -> Convert:
        definition = type_.__strawberry_definition__
        if definition.from_input is not None or not definition.is_input:
            raise _Unknown
        if type_ not in self._inputs:
            parts: list[tuple[str, str, Convert]] = []
            absent: dict[str, None] = {}

            def made(value: Any) -> Any:
                if value is None:
                    return None
                given = {python: convert(value[name]) for name, python, convert in parts if name in value}
                return type_(**{**absent, **given})

            self._inputs[type_] = made  # before its fields: an input may hold its own kind
            for field in definition.fields:
                convert = self.of(field.resolve_type(type_definition=definition))
                parts.append((self._config.name_converter.from_field(field), field.python_name, convert))
                if field.default_value is MISSING and field.default_factory is MISSING:
                    absent[field.python_name] = None
        return self._inputs[type_]


def _as_it_is(value: Any) -> Any:
    return value
