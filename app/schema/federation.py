"""Declares what makes the schema a subgraph of Apollo Federation 2: entities by their keys, and its SDL as one."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar, Final, NewType, cast

import strawberry
from graphql import (
    ConstDirectiveNode,
    DefinitionNode,
    DocumentNode,
    NameNode,
    ObjectTypeDefinitionNode,
    parse,
    print_ast,
)
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.base import StrawberryList, StrawberryOptional, StrawberryType
from strawberry.types.scalar import ScalarDefinition
from strawberry.types.union import StrawberryUnion

from app.schema.base import Node
from app.schema.rules import WITH_OWNER, Access

Representation = NewType("Representation", dict[str, Any])


def _parse_representation(value: object) -> object:
    if isinstance(value, dict):
        return value  # pyright: ignore[reportUnknownVariableType] # whatever a client sends
    raise ValueError('Give an object, such as {"__typename": "Customer", "id": "cus_…"}.')


FEDERATION_SCALARS: Final[dict[object, ScalarDefinition]] = {
    Representation: strawberry.scalar(
        name="_Any",
        description="A representation of an entity: an object with its `__typename` and its `id`. Other fields are "
        "ignored.",
        parse_value=_parse_representation,
    ),
}


@strawberry.type(name="_Service", description="This schema as a subgraph.")
class Subgraph:
    access: ClassVar[Access] = WITH_OWNER

    sdl: str = strawberry.field(
        description="The schema in the schema definition language, with the directives of Federation 2 and without its "
        "fields."
    )


class _Entity(StrawberryUnion):
    def get_type_resolver(self, type_map: object) -> Any:
        return Node.resolve_type


def list_of_entities(types: Iterable[type[Node]]) -> StrawberryType:
    """Returns the type of `_entities`."""
    annotations = tuple(map(StrawberryAnnotation, sorted(types, key=lambda each: each.__name__)))
    description = "An object that other subgraphs can refer to by its `id`: any `Node`."
    return StrawberryList(StrawberryOptional(_Entity("_Entity", annotations, description)))


# ---------------------------------------------------------------- the SDL

_HEAD: Final = """\
extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable", "@composeDirective"])
  @link(url: "https://spec.graphql.org/oneOf/v1.0", import: ["@oneOf"])
  @composeDirective(name: "@oneOf")
"""
_ENTITY: Final = 'type T @key(fields: "id")'
_SHAREABLE: Final = "type T @shareable"
_SHARED: Final = frozenset({"PageInfo"})
"""Types that other subgraphs define just as this one does: Relay says how."""
_MACHINERY: Final = frozenset({"_Any", "_Entity", "_Service", "_entities", "_service"})
"""What every subgraph has, and composition adds by itself."""


@cache
def subgraph_sdl(schema: strawberry.Schema) -> str:
    """Returns the schema's SDL as composition takes it."""
    definitions = [_as_subgraph(each) for each in parse(schema.as_str()).definitions if not _is_machinery(each)]
    return f"{_HEAD}\n{print_ast(DocumentNode(definitions=tuple(definitions)))}\n"


def _as_subgraph(definition: DefinitionNode) -> DefinitionNode:
    if not isinstance(definition, ObjectTypeDefinitionNode):
        return definition
    fields = tuple(each for each in definition.fields or () if not _is_machinery(each))
    return replace(definition, fields=fields, directives=_directives_of(definition))


def _is_machinery(definition: DefinitionNode) -> bool:
    name: NameNode | None = getattr(definition, "name", None)
    return name is not None and name.value in _MACHINERY


def _directives_of(type_: ObjectTypeDefinitionNode) -> tuple[ConstDirectiveNode, ...]:
    if any(each.name.value == "Node" for each in type_.interfaces or ()):
        return _directives(_ENTITY)
    return _directives(_SHAREABLE) if type_.name.value in _SHARED else ()


def _directives(definition: str) -> tuple[ConstDirectiveNode, ...]:
    return cast(ObjectTypeDefinitionNode, parse(definition).definitions[0]).directives or ()
