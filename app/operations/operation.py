"""Reads the operations of a valid document, and their variables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    get_named_type,
    get_variable_values,
    is_leaf_type,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.utilities import coerce_input_value  # pyright: ignore[reportUnknownVariableType] # open generics

from app.execution.context import ExecutionContext
from app.execution.plan import Plans
from app.settings import Limits


class GraphQLRequest(NamedTuple):
    """A request holds what a client asks for. ``may_change``: it came by a method that may change anything.

    ``document_id`` names a trusted document, instead of the text or beside it; without one there is a text.
    """

    query: str
    operation_name: str | None
    variables: dict[str, Any]
    may_change: bool
    document_id: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of a valid document knows what graphql-core finds out about it before it looks at a request."""

    schema: GraphQLSchema
    node: OperationDefinitionNode
    fragments: Mapping[str, FragmentDetails]
    _signatures: Sequence[tuple[Any, Callable[[Any], Any]]]
    """Its variables, each with the function that coerces its values."""
    _is_plain: bool
    """Whether its variables are values and lists of them, and no objects."""
    plans: Plans = field(default_factory=Plans, compare=False)

    @classmethod
    def each_of(cls, document: DocumentNode, schema: GraphQLSchema) -> "dict[str | None, Operation]":
        """Returns the operations by name. Raises GraphQLError if the document is not valid."""
        fragments = {
            each.name.value: FragmentDetails(each, {one.name: one for one in _signatures(each, schema)} or None)
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        return {
            each.name.value if each.name else None: cls._of(each, fragments, schema)
            for each in document.definitions
            if isinstance(each, OperationDefinitionNode)
        }

    @classmethod
    def _of(
        cls, node: OperationDefinitionNode, fragments: Mapping[str, FragmentDetails], schema: GraphQLSchema
    ) -> "Operation":
        signatures = _signatures(node, schema)
        is_plain = all(is_leaf_type(get_named_type(each.type)) for each in signatures)
        return cls(schema, node, fragments, [(each, _coercion_to(each.type)) for each in signatures], is_plain)

    def execution(
        self, variables: dict[str, Any], limits: Limits, *, suggests: bool
    ) -> ExecutionContext | list[GraphQLError]:
        """Returns what is executed of it with these variables, or what is wrong with them."""
        values = self._plain_values(variables) or get_variable_values(
            self.schema, self.node.variable_definitions or (), variables, limits.max_errors, not suggests
        )
        if isinstance(values, list):
            return values
        return ExecutionContext(
            self.schema,
            self.node,
            self.fragments,
            self.plans,
            values,
            max_failed=limits.max_failed_fields,
            suggests=suggests,
        )

    def _plain_values(self, given: Mapping[str, Any]) -> VariableValues | None:
        """Returns the values; None where graphql-core has to judge."""
        values = VariableValues({}, {})
        if not self._is_plain:
            return None
        for signature, coerce in self._signatures:
            name = signature.name
            value = coerce(given[name]) if name in given else Undefined
            if value is Undefined:
                return None
            values.sources[name] = VariableValueSource(signature, given[name])
            values.coerced[name] = value
        return values


def _coercion_to(type_: Any) -> Callable[[Any], Any]:
    """Returns what coerces values to a type as graphql-core does, which asks of each value what its type is."""
    inner: Any = type_.of_type if type_.__class__ is GraphQLNonNull else type_
    if is_leaf_type(inner):
        coerce_inner: Callable[[Any], Any] = cast(Any, inner).coerce_input_value
    elif inner.__class__ is GraphQLList:
        coerce_inner = _coercion_to_list(inner)
    else:
        return lambda value: coerce_input_value(value, type_)
    absent = Undefined if type_.__class__ is GraphQLNonNull else None

    def coerce(value: Any) -> Any:
        try:
            return absent if value is None else coerce_inner(value)
        except Exception:  # as graphql-core has it: not of this type
            return Undefined

    return coerce


def _coercion_to_list(type_: Any) -> Callable[[Any], Any]:
    coerce_item = _coercion_to(type_.of_type)

    def coerce(value: Any) -> Any:
        if value.__class__ is not list:
            return coerce_input_value(value, type_)
        items: list[Any] = []
        for each in value:
            item = coerce_item(each)
            if item is Undefined:
                return Undefined
            items.append(item)
        return items

    return coerce


def _signatures(definition: OperationDefinitionNode | FragmentDefinitionNode, schema: GraphQLSchema) -> list[Any]:
    """Returns graphql-core's signatures, whose types are open generics. Raises GraphQLError."""
    signatures: list[Any] = []
    for each in definition.variable_definitions or ():
        signature = get_variable_signature(schema, each)
        if isinstance(signature, GraphQLError):
            raise signature
        signatures.append(signature)
    return signatures
