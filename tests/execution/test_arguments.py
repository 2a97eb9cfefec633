"""Arguments that are worked out beforehand are those of graphql-core and Strawberry."""

from typing import Any

import pytest
from graphql import FieldNode, GraphQLError, OperationDefinitionNode, Undefined, get_variable_values, parse
from graphql.execution.values import get_argument_values
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments

from app.execution.arguments import converter_of, reader_of
from app.graph import executable, schema

PLAIN: list[tuple[str, dict[str, Any]]] = [
    ("($n: String!) { customer(by: {number: $n}) { id } }", {"n": "C-1"}),
    ("($n: ID) { customer(by: {id: $n}) { id } }", {"n": "cus_1"}),
    ('{ customer(by: {identity: {source: "a", id: "b"}}) { id } }', {}),
    ('($s: String!) { customer(by: {identity: {source: $s, id: "b"}}) { id } }', {"s": "x"}),
    ("($by: CustomerBy!) { customer(by: $by) { id } }", {"by": {"email": "a@example.com"}}),
    ("($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a", "b"]}),
    ("{ nodes(ids: [1, 2]) { id } }", {}),
    ('{ nodes(ids: "one") { id } }', {}),
    ("($s: CustomerSegment) { customers(filter: {segment: $s}, first: 3) { totalCount } }", {"s": "LEADS"}),
    ("($s: CustomerSegment) { customers(filter: {segment: $s}) { totalCount } }", {"s": None}),
    ("($f: CustomerFilter, $n: Int) { customers(filter: $f, first: $n) { totalCount } }", {"f": None, "n": 4}),
    ("($f: CustomerFilter) { customers(filter: $f) { totalCount } }", {"f": {"name": "ada", "tags": ["a", "b"]}}),
    ("($d: OrderDirection!) { customers(orderBy: {field: NAME, direction: $d}) { totalCount } }", {"d": "DESC"}),
]
ODD: list[tuple[str, dict[str, Any]]] = [
    ("($n: String) { customer(by: {number: $n}) { id } }", {"n": None}),
    ("($n: String) { customer(by: {number: $n}) { id } }", {}),
    ("($n: Int) { customers(first: $n) { totalCount } }", {}),
    ("($s: CustomerSegment) { customers(filter: {segment: $s}) { totalCount } }", {}),
    ("($id: ID!) { nodes(ids: [$id]) { id } }", {"id": "a"}),
]
"""Left to graphql-core, who fills in what is missing or says what is wrong."""


@pytest.mark.parametrize(("query", "given"), [*PLAIN, *ODD])
def test_arguments_are_what_the_libraries_make_of_them(query: str, given: dict[str, Any]) -> None:
    (operation,) = parse(query if query.startswith("{") else f"query {query}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    (field,) = operation.selection_set.selections
    assert isinstance(field, FieldNode)
    variables: Any = get_variable_values(executable, operation.variable_definitions or (), given)
    assert executable.query_type
    definition: Any = executable.query_type.fields[field.name.value]
    read = reader_of(definition, field)(variables.coerced)
    assert (read is Undefined) == ((query, given) in ODD)
    try:
        expected = get_argument_values(definition, field, variables)
    except GraphQLError:
        return
    if read is not Undefined:
        assert (read, [*read]) == (expected, [*expected])
    of_strawberry = definition.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    registry = schema.schema_converter.scalar_registry
    converted = converter_of(schema, of_strawberry)(expected)
    assert converted == convert_arguments(dict(expected), of_strawberry.arguments, registry, schema.config)
    assert repr(converted) == repr(convert_arguments(dict(expected), of_strawberry.arguments, registry, schema.config))


def test_a_null_where_none_may_be_is_refused_as_strawberry_does() -> None:
    assert executable.query_type
    field: Any = executable.query_type.fields["customer"].extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    with pytest.raises(StrawberryInputCoercionError, match="cannot be explicitly set to null"):
        converter_of(schema, field)({"by": {"number": None}})
