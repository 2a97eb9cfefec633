"""graphql-core's semantics, row by row: every value in every type, and how fields, fragments and variables combine.

On a schema of their own, with the shapes that ours lacks. Each row is asked of ten objects side by side, so that
it passes the field-by-field way as well as the function that is made of an object after eight.
"""

import asyncio
import inspect
import itertools
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    parse,
    validate,
)

from app.execution import Choice, Execution, context
from app.settings import Limits
from tests.support.execution_cases import executed

TYPES = (
    "String String! Int Int! Float Boolean! ID Color Color! [Int] [Int!] [Int]! [Int!]! [[Int]] [[Int!]!] [Color!]"
    " Box Box! [Box] [Box!] [Box!]! [[Box!]] Pet Pet! [Pet] [Pet!] Any [Any!]"
).split()


class Broken(Exception):
    pass


@pytest.fixture(autouse=True)
def _no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs nothing: what fails here is meant to fail."""

    def silent(*_: object, **__: object) -> None:
        """Thousands of failures, all of them meant."""

    monkeypatch.setattr(context, "log_exception", silent)


def fails() -> Any:
    raise Broken("no such thing")


def dog(**more: Any) -> dict[str, Any]:
    return {"kind": "Dog", "name": "Rex", **more}


VALUES: Mapping[str, Callable[[], Any]] = {
    "null": lambda: None,
    "text": lambda: "red",
    "word": lambda: "RED",
    "number": lambda: 7,
    "huge": lambda: 2**40,
    "fraction": lambda: 1.5,
    "whole": lambda: 3.0,
    "not a number": lambda: float("nan"),
    "yes": lambda: True,
    "decimal": lambda: Decimal("2.00"),
    "object": object,
    "raised": fails,
    "returned": lambda: Broken("returned"),
    "located": lambda: GraphQLError("by hand", path=["elsewhere"]),
    "none": list,
    "one": lambda: [1],
    "gaps": lambda: [1, None, 3, None],
    "errors": lambda: [1, Broken("item"), 3],
    "mixed": lambda: [1, "x", {}, [2]],
    "nested": lambda: [[1, 2], None, [3, None], [Broken("deep")]],
    "tuple": lambda: (1, 2),
    "iterator": lambda: iter([1, 2]),
    "mapping": lambda: {"a": 1},
    "bytes": lambda: b"ab",
    "box": lambda: {"kind": "Box", "inner": "x"},
    "dog": dog,
    "dogs": lambda: [dog(), dog(name=None), None, {"kind": "Cat", "name": Broken("cat")}],
    "boxes": lambda: [{}, None, {"text": Broken("inside")}, 5, [{}]],
    "no such type": lambda: dog(kind="Horse"),
    "no object type": lambda: dog(kind="Pet"),
    "no possible type": lambda: dog(kind="Box"),
    "no name of a type": lambda: dog(kind=5),
    "no type": lambda: dog(kind=None),
    "type refused": lambda: dog(kind="Dog", refuses=True),
}

SDL = (
    """
directive @other on FIELD
enum Color { RED GREEN }
interface Pet { name: String! }
type Dog implements Pet { name: String! barks: Boolean, friend: Pet }
type Cat implements Pet { name: String! lives: Int! }
union Any = Dog | Cat | Box
input Point { x: Int! = 1, y: Int, color: Color = GREEN }
type Mutation { change: Int }
type Query { boxes: [Box] strict: [Box!] one: Box must: Box! n: Int hello(name: String = "you"): String }
type Box { text: String inner: String must: String! box: Box later: Box boxes: [Box!]
  echo(a: Int = 3, b: Int, c: Color, point: Point, list: [Int!], name: String! = "n"): String where: String
"""
    + "\n".join(
        f"  f{index}(give: String!): {type_}\n  a{index}(give: String!): {type_}" for index, type_ in enumerate(TYPES)
    )
    + "\n}"
)


def give(_source: Any, _info: Any, give: str) -> Any:
    return VALUES[give]()


async def give_later(_source: Any, info: Any, give: str) -> Any:
    await asyncio.sleep(0)
    value: Any = VALUES[give]()
    if "[" not in str(info.return_type) or value.__class__ is not list:
        return value
    return [later(item) if index % 2 else item for index, item in enumerate(value)]  # items may be promised, too


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


def echo(_source: Any, info: Any, **given: Any) -> str:
    return repr(sorted(given.items()))


def where(source: Any, info: Any) -> str:
    path = info.path
    return repr((path.as_list(), path.typename, info.field_name, str(info.return_type), str(info.parent_type)))


async def later_box(source: Any, _info: Any) -> Any:
    await asyncio.sleep(0)
    return source.get("later")


def ten(*_: object) -> list[dict[str, Any]]:
    return [{} for _ in range(10)]


async def one(*_: object) -> dict[str, Any]:
    return {"text": "t", "must": "m"}


def must(*_: object) -> dict[str, Any]:
    return {"must": "m"}


def hello(_source: object, _info: object, name: str) -> str:
    return f"Hello {name}"


def kind_of(value: Any, *_: object) -> Any:
    return value["kind"]


def is_dog(value: Any, _info: object) -> bool:
    return not value.get("refuses")


def built() -> GraphQLSchema:
    schema = build_schema(SDL)

    def fields(name: str) -> Any:
        type_ = schema.type_map[name]
        assert isinstance(type_, GraphQLObjectType)
        return type_.fields

    box, query = fields("Box"), fields("Query")
    for index in range(len(TYPES)):
        box[f"f{index}"].resolve, box[f"a{index}"].resolve = give, give_later
    box["echo"].resolve, box["where"].resolve = echo, where
    box["later"].resolve = later_box
    for name in ("boxes", "strict"):
        query[name].resolve = ten
    query["one"].resolve, query["must"].resolve, query["hello"].resolve = one, must, hello
    for name in ("Pet", "Any"):
        abstract: Any = schema.type_map[name]
        abstract.resolve_type = kind_of
    dogs: Any = schema.type_map["Dog"]
    dogs.is_type_of = is_dog
    return schema


SCHEMA = built()


async def both(
    text: str, variables: dict[str, Any] | None = None, name: str | None = None
) -> tuple[ExecutionResult, ExecutionResult]:
    document = parse(text)
    assert validate(SCHEMA, document) == []
    plans = Execution()
    planned = await executed(plans, SCHEMA, document, variables, name=name)
    reference = await executed(Execution("graphql-core"), SCHEMA, document, variables, name=name)
    assert plans.counted["plan"] or planned.data is None, "this did not try the plan at all"
    return planned, reference


def inner_of(type_: str) -> str:
    match type_.strip("[]!"):
        case "Box":
            return "{ text inner box { text } __typename }"
        case "Pet":
            return "{ name __typename ... on Dog { barks friend { name } } ... on Cat { lives } }"
        case "Any":
            return "{ __typename ... on Pet { name } ... on Box { text } }"
        case _:
            return ""


@pytest.mark.parametrize(("index", "type_"), [*enumerate(TYPES)])
async def test_every_value_in_every_type(index: int, type_: str) -> None:
    """Sync and promised; where a null may stay and where it must rise; the same errors at the same places."""
    for field, above in itertools.product("fa", ("boxes", "strict")):
        asked = f"{field}{index}"
        rows = (
            f'r{row}: {above} {{ text x: {asked}(give: "{value}") {inner_of(type_)} inner }}'
            for row, value in enumerate(VALUES)
        )
        planned, reference = await both(f"{{ {' '.join(rows)} n }}")
        for row, value in enumerate(VALUES):
            of_planned, of_reference = (below(f"r{row}", result) for result in (planned, reference))
            assert of_planned == of_reference or timing(of_planned, of_reference), (value, field, above)


Result = tuple[Any, list[Any]]
"""Data, and errors as the client sees them."""


def below(key: str, result: ExecutionResult) -> Result:
    errors = [error.formatted for error in result.errors or () if (error.path or [key])[0] in (key, "elsewhere")]
    return (result.data or {}).get(key), [{**error, "message": plain(error.get("message", ""))} for error in errors]


def plain(message: str) -> str:
    return re.sub(r"0x\w+", "an address", message)


def timing(planned: Result, reference: Result) -> bool:
    """Where several promises fail below what becomes null, one error is asked for: which one is left open."""
    return planned[0] == reference[0] and nulls(planned) == nulls(reference)


def nulls(result: Result) -> set[tuple[str | int, ...]]:
    """The places that became null for an error, as the data show them."""
    data, errors = result
    found: set[tuple[str | int, ...]] = set()
    for error in errors:
        at, place = data, list[str | int]()
        for key in error["path"][1:]:
            if at is None:
                break
            at = at[key]
            place.append(key)
        found.add(tuple(place))
    return found


COMBINATIONS: Mapping[str, tuple[str, dict[str, Any] | None]] = {
    "merged": ("{ must { text } must { inner ...F } } fragment F on Box { text box { text } must }", None),
    "aliases": ("{ a: must { x: text y: text } b: must { text } }", None),
    "order of keys": ("{ must { inner ...F text } n } fragment F on Box { must text inner }", None),
    "inline fragment without a type": ("{ must { ... { text } ... @include(if: true) { inner } } }", None),
    "fragment twice": ("{ must { ...F ...F } } fragment F on Box { text }", None),
    "typename": ("{ __typename must { __typename t: __typename } }", None),
    "skip and include": ("{ must { text @skip(if: true) @include(if: true) inner @skip(if: false) } n }", None),
    "directive on a spread": ("{ must { ...F @include(if: false) inner } } fragment F on Box { text }", None),
    "nothing left": ("{ must { text @skip(if: true) } }", None),
    "nothing left at all": ("{ n @skip(if: true) }", None),
    "directive by variable": (
        "query($v: Boolean!) { must { text @skip(if: $v) inner @include(if: $v) } }",
        {"v": True},
    ),
    "the other way": ("query($v: Boolean!) { must { text @skip(if: $v) inner @include(if: $v) } }", {"v": False}),
    "directive's default": ("query($v: Boolean = true) { must { text @skip(if: $v) inner } }", None),
    "directive's null": ("query($v: Boolean = true) { must { text @skip(if: $v) inner } n }", {"v": None}),
    "directive's null at the root": ("query($v: Boolean = true) { n @skip(if: $v) }", {"v": None}),
    "directive's null deep down": (
        "query($v: Boolean = true) { must { box { text } } boxes { text @skip(if: $v) } n }",
        {"v": None},
    ),
    "variable missing": ("query($v: Int!) { n boxes { echo(a: $v) } }", None),
    "variable of the wrong type": ("query($v: Int!) { n boxes { echo(a: $v) } }", {"v": "x"}),
    "variables of the wrong types": (
        "query($v: Int!, $w: Color!) { boxes { echo(a: $v, c: $w) } }",
        {"v": "x", "w": 1},
    ),
    "defaults": ("{ boxes { echo } }", None),
    "explicit null": ("{ boxes { echo(a: null, point: null) } }", None),
    "variable not given": ("query($v: Int) { boxes { echo(a: $v, b: $v) } }", {}),
    "variable null": ("query($v: Int) { boxes { echo(a: $v, b: $v) } }", {"v": None}),
    "variable's own default": ("query($v: Int = 8) { boxes { echo(a: $v) } }", {}),
    "null for what has a default and must not be null": (
        'query($v: String = "x") { boxes { echo(name: $v) text } n }',
        {"v": None},
    ),
    "not given, where it must not be null": ('query($v: String = "x") { boxes { echo(name: $v) } }', {}),
    "input object": ("{ boxes { echo(point: {y: 2, color: RED}) } }", None),
    "input object by variable": ("query($p: Point) { boxes { echo(point: $p) } }", {"p": {"x": 5}}),
    "variables inside an input object": (
        "query($x: Int, $y: Int) { boxes { echo(point: {x: 4, y: $y}, b: $x) } }",
        {"y": 2},
    ),
    "list of one": ("{ boxes { echo(list: 4) } }", None),
    "list by variable": ("query($l: [Int!]) { boxes { echo(list: $l) } }", {"l": [1, 2]}),
    "list with a variable inside": ("query($l: Int!) { boxes { echo(list: [1, $l]) } }", {"l": 5}),
    "where a resolver is": ("{ boxes { where } one { where } must { w: where } }", None),
    "non-null below a promise": ("{ one { later { must } } boxes { later { must } text } }", None),
    "non-null all the way up": ('{ n must { f1(give: "raised") } }', None),
    "promised non-null all the way up": ('{ n must { a1(give: "raised") } }', None),
    "null after an error beside it": ('{ boxes { f0(give: "raised") f1(give: "null") a0(give: "raised") } }', None),
    "null before an error beside it": ('{ boxes { f1(give: "null") f0(give: "raised") } }', None),
    "promises below what becomes null": ('{ boxes { a17(give: "box") { text } a0(give: "text") must } }', None),
    "promised lists of promised objects": ('{ boxes { a18(give: "boxes") { later { text } text } } }', None),
    "objects as deep as you like": ("{ " + "one { box { " * 1 + "text" + " } }" + " }", None),
}


@pytest.mark.parametrize("name", COMBINATIONS)
async def test_fields_fragments_directives_and_variables_combine_as_in_graphql_core(name: str) -> None:
    planned, reference = await both(*COMBINATIONS[name])
    assert planned.formatted == reference.formatted


async def test_the_operation_is_the_one_that_is_named() -> None:
    text = 'query A { n } query B { hello } query C { hello(name: "C") }'
    for name in "ABC":
        planned, reference = await both(text, None, name)
        assert planned.formatted == reference.formatted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mutation { change }", "mutation"),
        ("{ __schema { queryType { name } } }", "introspection"),
        ('{ n ... { __type(name: "Box") { name } } }', "introspection"),
        ("{ n @other }", "directive"),
    ],
)
async def test_what_plans_do_not_cover_is_passed_on_and_counted(text: str, why: str) -> None:
    execution = Execution()
    result = await executed(execution, SCHEMA, parse(text))
    assert result.errors is None
    assert execution.counted == {why: 1}


async def test_a_late_null_takes_with_it_what_still_waits() -> None:
    """The first promise fails while others below the same box have come, and others have not."""
    planned, reference = await both(
        '{ boxes { later { text } a1(give: "raised") a16(give: "box") { later { must } } } n }'
    )
    assert planned.data == reference.data == {"boxes": [None] * 10, "n": None}
    assert [error.path for error in planned.errors or ()] == [["boxes", index, "a1"] for index in range(10)]


async def test_promises_that_nobody_needs_any_more_are_closed() -> None:
    """Else Python would warn of coroutines that were never awaited, which fails this suite."""
    planned, reference = await both('{ must { a0(give: "text") must f1(give: "null") } n }')
    assert planned.formatted == reference.formatted
    assert planned.data is None


async def test_a_cancelled_execution_ends_what_it_waits_for() -> None:
    ended: list[str] = []

    async def waiting(*_: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("ended")

    schema = build_schema("type Query { a: Int b: Int }")
    query: Any = schema.query_type
    query.fields["a"].resolve = query.fields["b"].resolve = waiting
    task = asyncio.ensure_future(executed(Execution(), schema, parse("{ a b }")))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert ended == ["ended", "ended"]


def test_no_type_of_ours_is_told_by_a_coroutine() -> None:
    """Plans ask for an object's type at once."""
    from app.graph import schema

    for concrete in schema.schema_converter.type_map.values():
        type_: Any = concrete.implementation
        for judge in (getattr(type_, "resolve_type", None), getattr(type_, "is_type_of", None)):
            assert not inspect.iscoroutinefunction(judge)


async def test_too_many_failures_end_the_answer_in_both_alike() -> None:
    for field in ("f0", "a0"):
        text = parse(f'{{ boxes {{ text x: {field}(give: "raised") }} n }}')
        limits = Limits(max_failed_fields=4)
        results = [await executed(Execution(choice), SCHEMA, text, limits=limits) for choice in CHOICES]
        for result in results:
            assert result.data is None
            assert sorted(str(error.original_error)[:9] for error in result.errors or ()) == ["More than"] + 4 * [
                "no such t"
            ]


CHOICES: tuple[Choice, ...] = ("compiled", "graphql-core")
