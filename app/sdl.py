"""Prints the public schema, and says what a change of it does to its readers and clients."""

from collections.abc import Iterator

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    find_breaking_changes,
)

from app.graph import schema
from app.schema.federation import subgraph_sdl


def printed() -> str:
    return schema.as_str() + "\n"


def printed_subgraph() -> str:
    """Returns the schema as a subgraph, for composition."""
    return subgraph_sdl(schema)


def undescribed() -> list[str]:
    """Returns every type, field, argument or value without a description: a stranger would have to guess."""
    return [name for name, description in _elements() if not description]


def breaking_changes(older: str) -> list[str]:
    """Returns what no longer works for clients of ``older``; removing a field deprecated there is forgiven."""
    before = build_schema(older)
    deprecated = {
        f"{name}.{field}"
        for name, type_ in before.type_map.items()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        for field, definition in type_.fields.items()
        if definition.deprecation_reason
    }
    changes = find_breaking_changes(before, build_schema(printed()))
    return [c.description for c in changes if not any(name in c.description for name in deprecated)]


def _elements() -> Iterator[tuple[str, str | None]]:
    for name, type_ in build_schema(printed()).type_map.items():
        if name.startswith("__") or name in ("Boolean", "Float", "ID", "Int", "String"):
            continue
        yield name, type_.description
        match type_:
            case GraphQLEnumType():
                for value, definition in type_.values.items():
                    yield f"{name}.{value}", definition.description
            case GraphQLInputObjectType():
                for field, input_field in type_.fields.items():
                    yield f"{name}.{field}", input_field.description
            case GraphQLObjectType() | GraphQLInterfaceType():
                for field, output_field in type_.fields.items():
                    yield f"{name}.{field}", output_field.description
                    for argument, arg in output_field.args.items():
                        yield f"{name}.{field}({argument}:)", arg.description
            case _:
                pass
