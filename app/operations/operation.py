"""Reads the operations of a valid document, and their variables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
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
    _signatures: Sequence[Any]
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
        return cls(schema, node, fragments, signatures, is_plain)

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
        for signature in self._signatures:
            name = signature.name
            value = coerce_input_value(given[name], signature.type) if name in given else Undefined
            if value is Undefined:
                return None
            values.sources[name] = VariableValueSource(signature, given[name])
            values.coerced[name] = value
        return values


def _signatures(definition: OperationDefinitionNode | FragmentDefinitionNode, schema: GraphQLSchema) -> list[Any]:
    """Returns graphql-core's signatures, whose types are open generics. Raises GraphQLError."""
    signatures: list[Any] = []
    for each in definition.variable_definitions or ():
        signature = get_variable_signature(schema, each)
        if isinstance(signature, GraphQLError):
            raise signature
        signatures.append(signature)
    return signatures
