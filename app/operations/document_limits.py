"""Limits what a document may be before its meaning is looked at: one walk over its syntax, each fragment once. Pure.

Cycles and doublings of fragments therefore cost nothing; that a cycle is wrong, validation says.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)

from app.operations.errors import RequestRefusal
from app.settings import Limits

INTROSPECTION: Final = frozenset({"__schema", "__type"})


class DocumentLimitExceeded(RequestRefusal):
    """Raised if a request is larger than we take. The client sees a 400 with the ``limit`` beside the message."""

    code = "QUERY_LIMIT_EXCEEDED"

    def __init__(self, name: str, message: str, *, allowed: int, asked: int | None = None) -> None:
        super().__init__(message)
        self.limit = {"name": name, "allowed": allowed, **({} if asked is None else {"asked": asked})}
        self.extensions = {"limit": self.limit}


def check(document: DocumentNode, limits: Limits) -> None:
    """Raises DocumentLimitExceeded for the first limit that the document breaks."""
    shapes = {id(definition): _shape(definition) for definition in _definitions(document)}
    every = shapes.values()
    at_most("aliases", sum(len(shape.aliases) for shape in every), limits.max_aliases, "aliases")
    at_most("directives", sum(shape.directives for shape in every), limits.max_directives, "directives")
    longest = max((len(alias) for shape in every for alias in shape.aliases), default=0)
    at_most("name", longest, limits.max_name_characters, "characters in a name")

    fragments = {
        definition.name.value: shapes[id(definition)]
        for definition in _definitions(document)
        if isinstance(definition, FragmentDefinitionNode)
    }
    _add_fragments(list(every), fragments)
    for operation in _definitions(document):
        if isinstance(operation, OperationDefinitionNode):
            shape = shapes[id(operation)]
            at_most("depth", shape.depth, limits.max_depth, "levels of fields")
            deepest = shape.introspection
            at_most("introspectionDepth", deepest, limits.max_introspection_depth, "levels of fields in the schema")
            roots = len(_root_names(shape, fragments))
            if operation.operation == OperationType.MUTATION:
                at_most("mutations", roots, limits.max_mutations, "changes")
            else:
                at_most("rootFields", roots, limits.max_root_fields, "fields at the top")


def changes(document: DocumentNode, operation: OperationDefinitionNode) -> int:
    """Returns how many changes a mutation asks for."""
    fragments = {
        definition.name.value: _shape(definition)
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    return len(_root_names(_shape(operation), fragments))


def check_variables(variables: dict[str, object], limits: Limits) -> None:
    """Raises DocumentLimitExceeded for variables with too many values; it looks at no more than are allowed."""
    left: list[Any] = [variables.values()]
    found = 0
    while left:
        values = left.pop()
        found += len(values)
        if found > limits.max_variable_values:
            allowed = limits.max_variable_values
            raise DocumentLimitExceeded(
                "variableValues", f"The variables hold more than {allowed} values.", allowed=allowed
            )
        for value in values:
            if isinstance(value, dict):
                left.append(cast("dict[str, Any]", value).values())
            elif isinstance(value, list):
                left.append(value)


def at_most(name: str, asked: int, allowed: int, what: str) -> None:
    """Raises DocumentLimitExceeded if there are more than are allowed."""
    if asked > allowed:
        message = f"The document has {asked} {what}; at most {allowed} are allowed."
        raise DocumentLimitExceeded(name, message, allowed=allowed, asked=asked)


# ---------------------------------------------------------------- the walk


@dataclass(slots=True)
class _Spread:
    name: str
    depth: int
    introspective: bool


@dataclass(slots=True)
class _Shape:
    """The shape of one definition. ``depth`` and ``introspection`` leave its fragments out until they are added."""

    depth: int = 0
    introspection: int = 0
    directives: int = 0
    aliases: list[str] = field(default_factory=list[str])
    roots: set[str] = field(default_factory=set[str])
    spreads: list[_Spread] = field(default_factory=list[_Spread])


_Definition = OperationDefinitionNode | FragmentDefinitionNode


def _definitions(document: DocumentNode) -> Iterator[_Definition]:
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            yield definition


def _shape(definition: _Definition) -> _Shape:
    variables = definition.variable_definitions or ()
    shape = _Shape(directives=len(definition.directives or ()) + sum(len(each.directives or ()) for each in variables))
    left: list[tuple[SelectionSetNode, int, bool]] = [(definition.selection_set, 0, False)]
    while left:
        selections, depth, introspective = left.pop()
        for selection in selections.selections:
            shape.directives += len(selection.directives or ())
            match selection:
                case FieldNode():
                    at, inside = depth + 1, introspective
                    if selection.alias:
                        shape.aliases.append(selection.alias.value)
                    if depth == 0:
                        shape.roots.add((selection.alias or selection.name).value)
                    if selection.name.value in INTROSPECTION:
                        at, inside = 1, True
                    if inside:
                        shape.introspection = max(shape.introspection, at)
                    else:
                        shape.depth = max(shape.depth, at)
                    if selection.selection_set:
                        left.append((selection.selection_set, at, inside))
                case InlineFragmentNode():
                    left.append((selection.selection_set, depth, introspective))
                case FragmentSpreadNode():
                    shape.spreads.append(_Spread(selection.name.value, depth, introspective))
                case _:
                    pass
    return shape


def _add_fragments(shapes: list[_Shape], fragments: dict[str, _Shape]) -> None:
    """Adds to each depth what its fragments add; nothing if they form a cycle. Those that spread none come first."""
    spreads = {name: {spread.name for spread in shape.spreads} for name, shape in fragments.items()}
    try:
        order = [fragments[name] for name in TopologicalSorter(spreads).static_order() if name in fragments]
    except CycleError:
        return
    added = {id(shape) for shape in order}
    for shape in [*order, *(shape for shape in shapes if id(shape) not in added)]:
        for spread in shape.spreads:
            inner = fragments.get(spread.name) or _Shape()
            if spread.introspective:
                shape.introspection = max(shape.introspection, spread.depth + inner.depth)
            else:
                shape.depth = max(shape.depth, spread.depth + inner.depth)
            shape.introspection = max(shape.introspection, inner.introspection)


def _root_names(operation: _Shape, fragments: dict[str, _Shape]) -> set[str]:
    """Returns the names at the top of the answer: a field that is written twice is answered once."""
    names, seen, left = set(operation.roots), set[str](), [operation]
    while left:
        for spread in left.pop().spreads:
            if spread.depth == 0 and spread.name in fragments and spread.name not in seen:
                seen.add(spread.name)
                names |= fragments[spread.name].roots
                left.append(fragments[spread.name])
    return names
