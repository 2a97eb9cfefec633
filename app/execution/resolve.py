"""Finds a field's value: by its key, by calling its resolver, or the way graphql-core would."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import graphql
import strawberry
from graphql import FieldNode, Undefined, VariableNode
from graphql.execution.values import get_argument_values
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from app.domain.paging import PageRequest
from app.execution.arguments import converter_of, reader_of
from app.execution.document import walked
from app.execution.slots import Call, Completion, Field, Path, Resolver
from app.loaders.loader import Deferred
from app.schema.base import READ_KEYS, key_of, read_key
from app.schema.connection import PAGED_EDGES, PagedEdge


class Info(strawberry.Info[Any, Any]):
    """The info of a resolver makes on demand what graphql-core would make of it: little is ever looked at."""

    def __init__(self, run: Completion, field: Field, path: Path, strawberry_field: StrawberryField) -> None:
        self._run, self._of, self._at, self._field = run, field, path, strawberry_field

    @property
    def context(self) -> Any:
        return self._run.context

    @property
    def _raw_info(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride] # read only here
        return self._run.info(self._of, self._at)


def resolver_of(field: Field) -> Resolver:
    if field.name == "__typename":
        return Resolver(call=lambda source, run, path: field.parent.name, reads=())
    definition: Any = field.definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(definition, StrawberryField) or definition.extensions or definition.is_subscription:
        return _as_graphql_core(field)
    if cast(Any, definition).base_resolver:
        return _directly(field, definition)
    if definition.default_resolver is read_key:
        name = definition.python_name
        key = key_of(name)
        return Resolver(call=lambda source, run, path: read_key(source, name), key=key, reads=(key,))
    return _as_graphql_core(field)


def _as_graphql_core(field: Field) -> Resolver:
    resolve: Any = field.definition.resolve or cast(Any, graphql).default_field_resolver

    def call(source: Any, run: Completion, path: Path) -> Any:
        return resolve(source, run.info(field, path), **arguments(run))

    def converted(_: Completion, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return given

    arguments = _arguments_of(field, converted)
    return Resolver(call=call, awaits=True)


def _directly(field: Field, definition: Any) -> Resolver:
    """Calls the resolver's own function, with the arguments that Strawberry would call it with."""
    resolver = definition.base_resolver
    function = cast(Callable[..., Any], resolver.wrapped_func)
    takes_source = resolver.parent_parameter or resolver.root_parameter
    source_name = takes_source.name if takes_source else None
    info_name = resolver.info_parameter.name if resolver.info_parameter else None
    if resolver.self_parameter:
        return _as_graphql_core(field)

    convert: Callable[[Any], Mapping[str, Any]] | None = None

    def converted(run: Completion, given: Mapping[str, Any]) -> Mapping[str, Any]:
        nonlocal convert
        convert = convert or converter_of(run.schema.extensions[GraphQLCoreConverter.DEFINITION_BACKREF], definition)
        return convert(given)

    def call(source: Any, run: Completion, path: Path) -> Any:
        given = dict(arguments(run))
        if source_name:
            given[source_name] = source
        if info_name:
            given[info_name] = Info(run, field, path, definition)
        return function(**given)

    arguments = _arguments_of(field, converted)
    if edge := PAGED_EDGES.get(function):
        return _paged(field, edge, arguments, call)
    simple = source_name and not (info_name or definition.arguments or definition.is_async)
    reads, awaits = READ_KEYS.get(function), definition.is_async
    return Resolver(call=call, simple=function if simple else None, reads=reads, awaits=awaits)


def _paged(field: Field, edge: PagedEdge, arguments: Callable[[Completion], Mapping[str, Any]], each: Call) -> Resolver:
    """Asks the same of all parents of an edge, unless there is a cursor, which is one parent's."""

    def ask(run: Completion) -> PageRequest | None:
        return edge.shared_page(run.context.viewer.roles, arguments(run))

    def call(source: Any, run: Completion, path: Path) -> Any:
        asked = run.shared_page(field)
        if asked is None:
            return each(source, run, path)
        return asked if isinstance(asked, Exception) else Deferred(run.context.loaders.pages, (source["_id"], asked))

    return Resolver(call=call, ask=ask, reads=("_id",))


def is_constant(node: FieldNode) -> bool:
    """Returns whether the field's arguments contain no variable."""
    return not any(isinstance(each, VariableNode) for each in walked(*node.arguments or ()))


def _arguments_of(
    field: Field, converted: Callable[[Completion, Mapping[str, Any]], Mapping[str, Any]]
) -> Callable[[Completion], Mapping[str, Any]]:
    """Returns the field's arguments: worked out once if no variable is in them, else once per run. May raise.

    Resolvers share them and must leave them as they are.
    """
    definition, node = field.definition, field.nodes[0]
    if not definition.args and not node.arguments:
        return lambda run: _NONE

    is_kept = is_constant(node)
    kept: list[Mapping[str, Any]] = []
    read = reader_of(definition, node)

    def made(run: Completion) -> Mapping[str, Any]:
        execution = run.execution
        given = read(execution.variable_values.coerced)
        if given is Undefined:
            given = get_argument_values(definition, node, execution.variable_values, None, execution.hide_suggestions)
        return converted(run, given)

    def arguments(run: Completion) -> Mapping[str, Any]:
        if kept:
            return kept[0]
        if not is_kept:
            return run.arguments_of(field, made)
        kept.append(made(run))
        return kept[0]

    return arguments


_NONE: Mapping[str, Any] = {}
