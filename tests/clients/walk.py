"""Writes query documents that together ask for every field of a schema: `python -m tests.clients.walk`.

One document for the values of an object, and one for each of its lists. Nothing is named here but the roots, so that a
new field, list or type is asked for as soon as the schema has it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

SDL: Final = Path(__file__).parents[2] / "schema.graphql"
DEPTH: Final = 3
"""How deep objects nest in a row: an activity, its note, the note's author."""
ROWS: Final = 8
NESTED_ROWS: Final = 2
_PREFIX: Final = "walk"
"""Relay wants an operation to be named after the file that holds it, which is walk.js."""


@dataclass(frozen=True)
class Walk:
    """Holds one query document. ``root`` is the type or the field of Query where it begins."""

    name: str
    root: str
    query: str


def documents(schema: GraphQLSchema, rows: int = ROWS) -> Iterator[Walk]:
    """Yields the documents: of each customer, of each other type with an id, and of each field of Query."""
    customer = _object(schema, "Customer")
    yield _walk("Customer", "$id: ID!", f"customer(by: {{id: $id}}) {{ {_values(schema, customer, DEPTH)} }}")
    for name, field in customer.fields.items():
        if _is_connection(field):
            rows_of_it = f"id {name}(first: {rows}) {{ {_page(schema, field)} }}"
            yield _walk("Customer", "$id: ID!", f"customer(by: {{id: $id}}) {{ {rows_of_it} }}", name)
        for inner, its in _lists_of_a_part(_named(field)):
            rows_of_it = f"id {name} {{ id {inner}(first: {rows}) {{ {_page(schema, its)} }} }}"
            yield _walk("Customer", "$id: ID!", f"customer(by: {{id: $id}}) {{ {rows_of_it} }}", f"{name}_{inner}")
    for each in types_with_id(schema):
        if _is_node(each):
            selection = f"... on {each.name} {{ {_values(schema, each, 2)} }}"
            yield _walk(each.name, "$ids: [ID!]!", f"nodes(ids: $ids) {{ __typename id {selection} }}", "nodes")
            for name, field in each.fields.items():
                if _is_connection(field) and each is not customer:
                    page = f"... on {each.name} {{ id {name}(first: {rows}) {{ {_page(schema, field)} }} }}"
                    yield _walk(each.name, "$ids: [ID!]!", f"nodes(ids: $ids) {{ __typename id {page} }}", name)
    assert schema.query_type
    for name, field in schema.query_type.fields.items():
        if not any(map(is_required_argument, field.args.values())):
            if _is_connection(field):
                page = "last" if name == "looks" else "first"  # new ones come on top while we walk
                yield _walk(name, "", f"{name}({page}: {rows}) {{ {_page(schema, field)} }}")
            else:
                yield _walk(name, "", f"{name} {{ {_values(schema, _named(field), DEPTH)} }}")
    report = _object(schema, "CustomerServiceReport")
    selection = (
        f"{_values(schema, report, DEPTH)} details(first: {rows}) {{ {_page(schema, report.fields['details'])} }}"
    )
    yield _walk("report", "$filter: ReportFilter!", f"customerServiceReport(filter: $filter) {{ {selection} }}")
    hit = _values(schema, _named(schema.query_type.fields["search"]), DEPTH)
    yield _walk("search", "$text: String!", f"search(text: $text, first: {rows}) {{ {hit} }}")


def types_with_id(schema: GraphQLSchema) -> list[GraphQLObjectType]:
    """Returns the types whose objects a normalising cache keeps by their id."""
    return [each for each in schema.type_map.values() if isinstance(each, GraphQLObjectType) and "id" in each.fields]


def _walk(root: str, variables: str, selection: str, detail: str = "") -> Walk:
    title = "".join(part[0].upper() + part[1:] for part in (root, detail) if part)
    name = f"{_PREFIX}{title}Query"
    return Walk(name, root, f"query {name}{f'({variables})' if variables else ''} {{ {selection} }}")


def _values(schema: GraphQLSchema, of: GraphQLNamedType, depth: int) -> str:
    """Returns a selection of all values of a type, and of its objects as deep as ``depth`` allows; no pages.

    What has no id is selected whole or not at all: a cache may replace what it had of it by what comes.
    """
    if isinstance(of, GraphQLInterfaceType | GraphQLUnionType):
        return _values_of_any(schema, of)
    assert isinstance(of, GraphQLObjectType)
    depth = DEPTH if _is_value(of) else depth
    selections = ["__typename"]  # most clients add it, and it has a price
    for name, field in of.fields.items():
        type_ = _named(field)
        if any(map(is_required_argument, field.args.values())) or _is_connection(field):
            continue
        if is_leaf_type(type_):
            selections.append(name)
        elif depth > 0 or (_is_value(type_) and not _is_list(field)):
            rows = f"(first: {NESTED_ROWS})" if "first" in field.args else ""
            # Another customer has a document of their own: below here their own values are enough.
            below = 0 if type_.name == "Customer" else depth - 1
            selections.append(f"{name}{rows} {{ {_values(schema, type_, below)} }}")
    return " ".join(selections)


def _values_of_any(schema: GraphQLSchema, of: GraphQLInterfaceType | GraphQLUnionType) -> str:
    """Returns a selection of the values of each possible type, but for fields of one name that cannot be merged."""
    selections, types_by_name = ["__typename"], dict[str, str]()
    if isinstance(of, GraphQLInterfaceType):
        selections += [name for name, field in of.fields.items() if is_leaf_type(_named(field))]
    for each in schema.get_possible_types(of):
        names = [
            name
            for name, field in each.fields.items()
            if is_leaf_type(_named(field)) and not field.args
            if types_by_name.setdefault(name, str(field.type)) == str(field.type)
        ]
        selections.append(f"... on {each.name} {{ {' '.join(names)} }}")
    return " ".join(selections)


def _page(schema: GraphQLSchema, field: GraphQLField) -> str:
    edges = _object(schema, _named(field).name).fields["edges"]
    row = _values(schema, _named(_object(schema, _named(edges).name).fields["node"]), 2)
    cursors = "hasNextPage hasPreviousPage startCursor endCursor"
    return f"__typename totalCount edges {{ __typename cursor node {{ {row} }} }} pageInfo {{ __typename {cursors} }}"


def _object(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    found = schema.type_map[name]
    assert isinstance(found, GraphQLObjectType), name
    return found


def _named(field: GraphQLField) -> GraphQLNamedType:
    return cast(Any, get_named_type)(cast(Any, field).type)


def _lists_of_a_part(of: GraphQLNamedType) -> Iterator[tuple[str, GraphQLField]]:
    """Yields the lists of what has an id of its own and is no node: a part of something else."""
    if isinstance(of, GraphQLObjectType) and "id" in of.fields and not _is_node(of):
        yield from ((name, field) for name, field in of.fields.items() if _is_connection(field))


def _is_list(field: GraphQLField) -> bool:
    return str(cast(Any, field).type).startswith("[")


def _is_connection(field: GraphQLField) -> bool:
    type_ = _named(field)
    return isinstance(type_, GraphQLObjectType) and "edges" in type_.fields


def _is_value(of: GraphQLNamedType) -> bool:
    """Returns whether a type has no id, and leads to none."""
    if not isinstance(of, GraphQLObjectType):
        return is_leaf_type(of)
    return (
        "id" not in of.fields
        and not any(_is_connection(field) for field in of.fields.values())
        and all(_is_value(_named(field)) for field in of.fields.values())
    )


def _is_node(of: GraphQLObjectType) -> bool:
    return any(interface.name == "Node" for interface in of.interfaces)


if __name__ == "__main__":
    for document in documents(build_schema(SDL.read_text())):
        print(document.query, end="\n\n")
