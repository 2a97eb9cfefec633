"""Says what an operation asks for before any variable is known, and whether a plan can cover it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import DirectiveNode, FieldNode, Node, OperationDefinitionNode, OperationType, VariableNode
from graphql.execution.collect_fields import FragmentDetails

_COVERED: Final = {"skip", "include"}
_INTROSPECTION: Final = {"__schema", "__type"}


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape says what an operation is like: ``directive_variables`` decide what is included.

    ``uncovered`` says why there can be no plan.
    """

    directive_variables: tuple[str, ...]
    uncovered: str | None


def shape_of(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDetails]) -> Shape:
    nodes = [*walked(operation, *(each.definition for each in fragments.values()))]
    directives = [each for each in nodes if isinstance(each, DirectiveNode)]
    variables = {each.name.value for each in walked(*directives) if isinstance(each, VariableNode)}
    uncovered = None
    if operation.operation is OperationType.MUTATION:
        uncovered = "mutation"
    elif any(isinstance(each, FieldNode) and each.name.value in _INTROSPECTION for each in nodes):
        uncovered = "introspection"
    elif any(directive.name.value not in _COVERED for directive in directives):
        uncovered = "directive"
    elif any(each.variable_signatures for each in fragments.values()):
        uncovered = "fragment variables"
    return Shape(tuple(sorted(variables)), uncovered)


def walked(*nodes: Node) -> Iterator[Node]:
    """Yields nodes of a document and all below them."""
    ahead: list[Any] = [*nodes]
    for each in ahead:
        yield each
        for key in each.keys:
            below: Any = getattr(each, key, None)
            ahead += below if below.__class__ in (tuple, list) else [below] if isinstance(below, Node) else ()
