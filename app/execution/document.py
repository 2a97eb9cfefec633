"""What a document asks for, before any variable is known, and whether a plan can cover it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    Node,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
)
from graphql.execution.collect_fields import FragmentDetails


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of a document, as far as it is the same for all variables; ``uncovered`` says why it has no plan."""

    node: OperationDefinitionNode | None
    fragments: Mapping[str, FragmentDetails]
    directive_variables: tuple[str, ...]
    uncovered: str | None


def operation_of(document: DocumentNode, name: str | None) -> Operation:
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    named = [each for each in operations if name is None or (each.name and each.name.value == name)]
    fragments = {
        each.name.value: FragmentDetails(each)
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    nodes = [*walked(*document.definitions)]
    directives = [each for each in nodes if isinstance(each, DirectiveNode)]
    names = {
        each.name.value for directive in directives for each in walked(directive) if isinstance(each, VariableNode)
    }
    return Operation(
        named[0] if len(named) == 1 else None,
        fragments,
        tuple(sorted(names)),
        _uncovered(named, {each.name.value for each in nodes if isinstance(each, FieldNode)}, directives, document),
    )


def _uncovered(
    named: list[OperationDefinitionNode], fields: set[str], directives: list[DirectiveNode], document: DocumentNode
) -> str | None:
    if len(named) != 1:
        return "no operation"
    if named[0].operation is not OperationType.QUERY:
        return named[0].operation.value
    if fields & {"__schema", "__type"}:
        return "introspection"
    if {directive.name.value for directive in directives} - {"skip", "include"}:
        return "directive"
    if any(isinstance(each, FragmentDefinitionNode) and each.variable_definitions for each in document.definitions):
        return "fragment variables"
    return None


def walked(*nodes: Any) -> Iterator[Any]:
    """Nodes of a document and all below them."""
    ahead = [*nodes]
    for each in ahead:
        yield each
        for key in each.keys:
            below: Any = getattr(each, key, None)
            ahead += below if below.__class__ in (tuple, list) else [below] if isinstance(below, Node) else ()
