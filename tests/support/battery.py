"""Hostile requests, made from the schema so that they grow with it. What is wrong with each is its name; see Case."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    is_required_argument,
    is_required_input_field,
)

from tests.support.schema_walk import Place, below, schema

LIMIT, COST, INPUT = "QUERY_LIMIT_EXCEEDED", "COST_LIMIT_EXCEEDED", "BAD_USER_INPUT"
UNRESOLVED = "OPERATION_RESOLUTION_FAILURE"
SYNTAX, INVALID, MALFORMED = "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_REQUEST"


@dataclass(frozen=True)
class Case:
    """A request to be refused with ``code``, and with ``status`` for clients that accept GraphQL's own media type."""

    name: str
    body: bytes
    code: str
    status: int = 400


def case(name: str, query: str, code: str, **variables: Any) -> Case:
    """Makes a case of a query and its variables."""
    return Case(name, json.dumps({"query": query, "variables": variables}).encode(), code)


def battery() -> Iterator[Case]:
    """Yields all hostile requests."""
    yield from of_types()
    yield from of_pages()
    yield from of_texts()
    yield from of_bodies()


# ---------------------------------------------------------------- each type


def types() -> list[GraphQLObjectType]:
    """Returns every type that has an id, and so can be reached at once."""
    return [
        type_
        for type_ in schema().type_map.values()
        if isinstance(type_, GraphQLObjectType) and any(each.name == "Node" for each in type_.interfaces)
    ]


def at(type_name: str, selection: str) -> str:
    """Writes a query that selects this of a node of the type."""
    return f'{{ node(id: "cus_x") {{ ... on {type_name} {{ {selection} }} }} }}'


def of_types() -> Iterator[Case]:
    """Yields the cases of each type."""
    for type_ in types():
        on = type_.name
        yield case(f"31 aliases on {on}", at(on, numbered("a{}: __typename", 31)), LIMIT)
        yield case(f"51 directives on {on}", at(on, numbered("__typename @skip(if: true)", 51)), LIMIT)
        yield case(f"an alias of 101 characters on {on}", at(on, f"{'a' * 101}: __typename"), LIMIT)
        yield case(f"600 unknown fields on {on}", at(on, numbered("activityFacetsBilling{}", 600)), INVALID)
        yield case(f"a fragment of {on} in itself", f"{at(on, '...F')} fragment F on {on} {{ ...F }}", INVALID)
        ring = numbered(f"fragment F{{}} on {on} {{{{ ...F{{next}} }}}}", 100)
        yield case(
            f"a ring of 100 fragments on {on}", f"{at(on, '...F0')} {ring} fragment F100 on {on} {{ ...F0 }}", INVALID
        )
        chain = numbered(f"fragment F{{}} on {on} {{{{ ...F{{next}} ...F{{next}} }}}}", 100)
        doubled = f"{at(on, '...F0')} {chain} fragment F100 on {on} {{ __typename }}"
        yield case(f"a hundred doublings on {on}", doubled, LIMIT)
        for name, _ in composite_fields(on):
            again = f"{name} {{ __typename }} "
            yield case(f"{on}.{name} 300 times over", at(on, again * 300), LIMIT)
        if back := way_back(on):
            deep = "__typename"
            for _ in range(14):
                for name, inner in reversed(back):
                    deep = f"{name} {{ ... on {inner} {{ {deep} }} }}"
            yield case(f"{on} within itself by {' '.join(name for name, _ in back)}", at(on, deep), LIMIT)


def numbered(template: str, count: int) -> str:
    """Repeats a template, with the number of each and the next one put in."""
    return " ".join(template.format(number, next=number + 1) for number in range(count))


def composite_fields(type_name: str) -> list[tuple[str, str]]:
    """Fields without required arguments that lead to other types."""
    type_ = cast(Any, schema().get_type(type_name))
    return [
        (place.name, place.type_name)
        for place in (Place(type_name, name, field) for name, field in type_.fields.items())
        if not place.is_leaf
        and isinstance(schema().get_type(place.type_name), GraphQLObjectType | GraphQLInterfaceType)
    ]


def way_back(type_name: str) -> list[tuple[str, str]] | None:
    """The shortest way from a type to itself: fields, and the types that they lead to."""
    ahead: list[tuple[str, list[tuple[str, str]]]] = [(type_name, [])]
    seen: set[str] = set()
    for here, way in ahead:
        for name, inner in composite_fields(here):
            on = type_name if inner == "Node" else inner
            if on == type_name:
                return [*way, (name, on)]
            if on not in seen:
                seen.add(on)
                ahead.append((on, [*way, (name, on)]))
    return None


# ---------------------------------------------------------------- each list


def pages() -> list[Place]:
    """Every paged list below a customer that hangs on the customer itself."""
    return [place for place in below("Customer").values() if "after" in place.arguments and place.above is None]


def of_pages() -> Iterator[Case]:
    """Yields the cases of each list."""
    many = ["cus_x"] * 100
    for place in pages():
        page = numbered(f"a{{}}: {place.name}(first: 100) {{{{ nodes {{{{ __typename id }}}} }}}}", 5)
        query = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {page} }} }} }}"
        yield case(f"100 customers with five times 100 of {place.name}", query, COST, ids=many)
        huge = f"query($n: Int) {{ node(id: 1) {{ ... on Customer {{ {place.name}(first: $n) {{ totalCount }} }} }} }}"
        for number in (2**31, -(2**31) - 1, 1e300, "1", [1, 2], {"$gt": 0}, True):
            yield case(f"{json.dumps(number)} of {place.name}", huge, INPUT, n=number)
        counts = numbered(f"a{{}}: {place.name} {{{{ totalCount }}}}", 25)
        counted = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {counts} }} }} }}"
        yield case(f"2,500 counts of {place.name}", counted, COST, ids=many)
    yield case("3,000 ids", "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", LIMIT, ids=["cus_x"] * 3_000)
    yield case("eleven ways in", f"{{ {numbered('a{}: viewer {{ name }}', 11)} }}", LIMIT)
    note = 'addNote(input: {customerId: "x", message: "x", idempotencyKey: "k"}) { note { id } }'
    yield case(
        "six changes", f"mutation {{ {numbered('a{}: ' + note.replace('{', '{{').replace('}', '}}'), 6)} }}", LIMIT
    )
    yield case("the types of all fields nine times", f"{{ {numbered('a{}: ' + SCHEMA, 9)} }}", COST)
    yield case(
        "the schema in itself",
        "{ __schema { types { " + "fields { type { " * 6 + "name" + " } }" * 6 + " } } }",
        INVALID,
    )


_DETAILS = "name description type {{ kind name ofType {{ kind name }} }}"
_FIELDS = f"fields {{{{ name type {{{{ fields {{{{ {_DETAILS} args {{{{ {_DETAILS} }}}} }}}} }}}} }}}}"
SCHEMA = f"__schema {{{{ types {{{{ {_FIELDS} }}}} }}}}"

# ---------------------------------------------------------------- texts


def of_texts() -> Iterator[Case]:
    """Yields the cases of documents that are too long, too deep or wrong."""
    viewer = "{ viewer { name } }"
    yield case("a document of 1,000,000 characters", "#" * 1_000_000 + "\n" + viewer, LIMIT)
    yield case("25,000 comments", "#\n" * 24_000 + viewer, LIMIT)
    yield case("2,100 fields", f"{{ viewer {{ {'name ' * 2_100} }} }}", LIMIT)
    yield case("a text of 60,000 escapes", '{ node(id: "' + "\\n" * 30_000 + '") { id } }', LIMIT)
    yield case("lists, 600 deep", "{ nodes(ids: " + "[" * 600 + "]" * 600 + ") { id } }", SYNTAX)
    yield case("objects, 300 deep", "{ customer(by: " + "{id: " * 300 + "1" + "}" * 300 + ") { id } }", SYNTAX)
    yield case("fields, 300 deep", "{ a " * 300 + "}" * 300, SYNTAX)
    yield case("never closed", "{ viewer " * 150, SYNTAX)
    yield case("a name of 49,000 characters", f"{{ {'x' * 49_000} }}", INVALID)
    yield case("a number of 40,000 digits", f"{{ auditLog(first: {'9' * 40_000}) {{ totalCount }} }}", INPUT)
    yield case("a number without end", "{ auditLog(first: 1e999) { totalCount } }", INPUT)
    yield case("8 unknown input fields", f"{{ customer(by: {{{numbered('a{}: 1', 8)}}}) {{ id }} }}", INPUT)
    yield case("600 unknown arguments", f"{{ customer({numbered('a{}: 1', 600)}) {{ id }} }}", INVALID)
    yield case("400 unused variables", f"query({numbered('$a{}: Int', 400)}) {viewer}", INVALID)
    yield case("150 unused fragments", viewer + numbered("fragment F{} on Query {{ viewer {{ name }} }}", 150), INVALID)
    yield case("150 operations of one name", "query Q { viewer { name } } " * 150, INVALID)
    yield case(
        "150 operations and no name", numbered("query Q{} {{ viewer {{ name }} }}", 150), "OPERATION_RESOLUTION_FAILURE"
    )
    spreads = numbered("...F{}", 130) + " }} " + numbered("fragment F{} on Viewer {{ name }}", 130)
    yield case("130 fragments of the same field", "{ viewer { " + spreads.replace("}}", "} }"), LIMIT)
    for name, text in {"a null byte": "\0", "a line separator": "\u2028"}.items():
        yield case(f"{name} in the document", f"{{ viewer {text} {{ name }} }}", SYNTAX)
    yield case("half a character in a literal", '{ node(id: "\\ud800") { id } }', SYNTAX)
    yield case("a subscription", "subscription { viewer { name } }", INVALID)
    yield case("a schema", "type Query { a: Int }", INVALID)


def of_bodies() -> Iterator[Case]:
    """Yields the cases of bodies that are too large, too deep or no JSON."""
    query = b'{"query": "query($a: [ID!]!) { nodes(ids: $a) { id } }", "variables": {"a": %s}}'
    yield Case("a body of 2 MiB", b" " * 2 * 1_048_576, "REQUEST_TOO_LARGE", 413)
    yield Case("lists, 100,000 deep", query % (b"[" * 100_000), MALFORMED)
    yield Case("a value, 2,000 deep", query % (b"[" * 2_000 + b"]" * 2_000), MALFORMED)
    yield Case("a value, 900 deep", query % (b"[" * 900 + b"]" * 900), INPUT)
    yield Case("500,000 values", query % (b"[" + b",".join([b"0"] * 500_000) + b"]"), LIMIT)
    yield Case("300,000 empty objects", query % (b"[" + b",".join([b"{}"] * 300_000) + b"]"), LIMIT)
    yield Case("1,500 wrong values", query % (b"[" + b",".join([b"{}"] * 1_500) + b"]"), INPUT)
    yield Case("a text of a megabyte for a list of numbers", query % (b'{"x": "' + b"x" * 1_000_000 + b'"}'), INPUT)
    yield Case("an endless number", query % b"1e999", MALFORMED)
    yield Case("half a character", query % rb'"\ud800"', MALFORMED)
    yield Case("half a character as a name", query % rb'{"\udfff": 1}', MALFORMED)
    yield Case("invalid UTF-8", query % b'"\xc3\x28"', MALFORMED)
    yield Case("an overlong null byte", query % b'"\xc0\x80"', MALFORMED)
    yield Case("a batch of 1,000", b"[" + b",".join([b'{"query": "{ viewer { name } }"}'] * 1_000) + b"]", MALFORMED)
    yield Case("the same key 100,000 times", b"{" + b'"query": 1,' * 90_000 + b'"query": 1}', MALFORMED)


# ---------------------------------------------------------------- each text that a client may give

TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "$where",
    "$ne",
    "$bitsAnySet",  # which nothing here writes itself
    '{"$gt": ""}',
    "'; return true; //",
    "(a+)+$",
    ".*" * 50 + "x",
    "/./i",
    "\\",
    "%00",
    "../../etc/passwd",
    "\u202e\u2066",
    "\U0001d54f" * 100,
    "cus_" + "x" * 10_000,
)
OBJECTS: tuple[Any, ...] = ({"$gt": ""}, {"$where": "1"}, [{"$ne": None}], {"$regex": "(a+)+$"}, True)
TEXTUAL = ("String", "ID", "DateTime", "Date", "Decimal")


@dataclass(frozen=True)
class Hole:
    """A place for a text: an operation with one variable, ``$it``, in the place and otherwise sensible values."""

    name: str
    query: str
    needs_customer: bool


def holes() -> Iterator[Hole]:
    """Every argument and every input field of the schema that takes a text, on every field that a client can reach."""
    for root, word in ((schema().query_type, "query"), (schema().mutation_type, "mutation")):
        assert root
        for name, field in root.fields.items():
            place = Place(root.name, name, field)
            for path, type_name, arguments in filled(field):
                inner = "" if place.is_leaf else " { __typename }"
                query = f"{word}($it: {type_name}!) {{ {name}({arguments}){inner} }}"
                yield Hole(f"{place.coordinate}({path})", query, needs_customer=False)
    for place in below("Customer").values():
        for path, type_name, arguments in filled(place.field):
            asked = f"{place.name}({arguments})" + ("" if place.is_leaf else " { __typename }")
            above = place.above
            while above:
                asked, above = above.asked(asked), above.above
            query = f"query($it: {type_name}!, $id: ID!) {{ node(id: $id) {{ ... on Customer {{ {asked} }} }} }}"
            yield Hole(f"{place.coordinate}({path})", query, needs_customer=True)


def filled(field: Any) -> Iterator[tuple[str, str, str]]:
    """Path, its scalar, and all arguments with ``$it`` at the path and a value wherever one must be given."""
    for name, argument in field.args.items():
        for path, type_name, literal in inside(argument.type, name):
            others = [
                f"{other}: {sensible(each.type)}"
                for other, each in field.args.items()
                if other != name and is_required_argument(each)
            ]
            yield path, type_name, ", ".join([f"{name}: {literal}", *others])


def inside(type_: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """Yields path, scalar and literal for every place for a text inside a type."""
    bare = str(type_).strip("!")
    if bare.startswith("["):
        for inner, type_name, literal in inside(
            type_.of_type.of_type if str(type_).endswith("!") else type_.of_type, path
        ):
            yield f"{inner}[]", type_name, f"[{literal}]"
        return
    named: Any = schema().get_type(bare)
    if isinstance(named, GraphQLInputObjectType):
        for name, field in named.fields.items():
            for inner, type_name, literal in inside(field.type, f"{path}.{name}"):
                required = [
                    f"{other}: {sensible(each.type, other)}"
                    for other, each in named.fields.items()
                    if other != name and is_required_input_field(each)
                ]
                yield inner, type_name, f"{{{', '.join([f'{name}: {literal}', *required])}}}"
    elif bare in TEXTUAL:
        yield path, bare, "$it"


def sensible(type_: Any, name: str = "") -> str:
    """Writes a literal that the type accepts."""
    bare = str(type_).strip("!")
    if bare.startswith("["):
        return "[]"
    named: Any = schema().get_type(bare)
    if isinstance(named, GraphQLInputObjectType):
        required = [(name, field.type) for name, field in named.fields.items() if is_required_input_field(field)]
        if named.is_one_of:
            required = [next((name, field.type) for name, field in named.fields.items())]
        return f"{{{', '.join(f'{name}: {sensible(inner, name)}' for name, inner in required)}}}"
    if values := getattr(named, "values", None):
        return next(iter(values))
    time = '"2026-02-01T00:00:00Z"' if name == "to" else '"2026-01-01T00:00:00Z"'
    scalars = {"Int": "1", "Boolean": "true", "ID": '"cus_x"', "Decimal": '"1.00"', "DateTime": time, "_Any": _ENTITY}
    return scalars.get(bare, '"x"')


_ENTITY = '{__typename: "Customer", id: "cus_x"}'
