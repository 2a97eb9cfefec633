"""Limits: what a document may be, what an operation may cost, and that neither takes long to find out."""

import json
from collections.abc import Callable
from math import ceil
from typing import Any

import httpx2
import pytest
from graphql import (
    DocumentNode,
    GraphQLError,
    OverlappingFieldsCanBeMergedRule,
    build_schema,
    get_introspection_query,
    parse,
    validate,
)
from hypothesis import given
from hypothesis import strategies as st

from app.graph import executable
from app.operations import document_limits as shape
from app.operations.cost import (
    CHANGE,
    COMMAND,
    CORE_VALUE,
    COUNT,
    COUNTS,
    EMBEDDED,
    EXTRA_COSTS,
    LINK,
    LISTS,
    MAX_REPORTED_COST,
    PAGE,
    REQUEST,
    ROW,
    SEEK,
    SEEK_ROW,
    VALUE,
)
from app.operations.document import Documents, Prepared
from app.operations.document_limits import DocumentLimitExceeded
from app.operations.errors import InvalidDocument
from app.settings import Limits
from app.store.driver import Document
from tests.support.commands import Commands
from tests.support.gateway import Ask
from tests.support.prices import cost
from tests.support.schema_walk import below
from tests.support.tokens import token
from tests.support.world import World

LIMITS = Limits()
INTROSPECTION = get_introspection_query(input_value_deprecation=True)


def broken(document: str, limits: Limits = LIMITS) -> tuple[str, int | None] | None:
    """The limit that the document breaks, and what it asked for."""
    limit = limit_of(lambda: shape.check(parse(document), limits))
    return (limit["name"], limit["asked"]) if limit else None


def limit_of(checked: Callable[[], object]) -> dict[str, Any] | None:
    """What the refusal tells a client, if there is one."""
    try:
        checked()
    except DocumentLimitExceeded as refusal:
        return refusal.limit
    return None


def nested(levels: int, name: str = "a") -> str:
    return f"{{ {name} " * levels + "}" * levels


# ---------------------------------------------------------------- the shape of a document


@pytest.mark.parametrize(
    ("allowed", "refused", "verdict"),
    [
        (nested(12), nested(13), ("depth", 13)),
        ("{ a " + nested(11) + " b " + nested(11) + "}", "{ a " + nested(11) + " b " + nested(12) + "}", ("depth", 13)),
        (
            "{ ... { ...F } } fragment F on Q " + nested(12),
            "{ a { ...F } } fragment F on Q " + nested(12),
            ("depth", 13),
        ),
        (
            "{ a { ...F } } fragment F on Q { a { ...G } } fragment G on Q " + nested(10),
            "{ a { ...F } } fragment F on Q { a { ...G } } fragment G on Q " + nested(11),
            ("depth", 13),
        ),
        (
            "{ __schema " + nested(14) + " a " + nested(11) + "}",
            "{ a __schema " + nested(15) + "}",
            ("introspectionDepth", 16),
        ),
        (
            "{ __type { ...T } } fragment T on __Type " + nested(14),
            "{ a { __type { ...T } } } fragment T on __Type " + nested(15),
            ("introspectionDepth", 16),
        ),
        (
            "{ " + " ".join(f"a{n}: a" for n in range(9)) + " b { " + " ".join(f"a{n}: a" for n in range(21)) + "} }",
            "{ a: b ...F } fragment F on Q { " + " ".join(f"a{n}: a" for n in range(30)) + "}",
            ("aliases", 31),
        ),
        ("{ " + "a" * 100 + ": a }", "{ " + "a" * 101 + ": a }", ("name", 101)),
        (
            "{ " + " ".join(f"f{n}" for n in range(9)) + " ...F } fragment F on Q { f8 f9 }",
            "{ " + " ".join(f"f{n}" for n in range(9)) + " ...F } fragment F on Q { f9 ... { f10 } }",
            ("rootFields", 11),
        ),
        ("{ " + "a " * 500 + "}", "query { " + " ".join(f"f{n}" for n in range(200)) + "}", ("rootFields", 200)),
        (
            "mutation { a b c d e }",
            "mutation { ...F } fragment F on M { a b c ...G } fragment G on M { d e f }",
            ("mutations", 6),
        ),
        ("{ a " + "@x " * 50 + "}", "{ a " + "@x " * 51 + "}", ("directives", 51)),
        (
            "query @x { a }",
            "query($v: Int @x) " + "@x " * 10 + "{ a @x ... @x { b } ...F @x } fragment F on Q " + "@x " * 40 + "{ a }",
            ("directives", 54),
        ),
    ],
)
def test_each_limit_lets_through_what_it_allows_and_nothing_more(
    allowed: str, refused: str, verdict: tuple[str, int]
) -> None:
    assert broken(allowed) is None
    assert broken(refused) == verdict


def test_the_standard_introspection_is_within_its_own_bound() -> None:
    assert broken(INTROSPECTION) is None
    assert broken(INTROSPECTION, Limits(max_introspection_depth=14)) == ("introspectionDepth", 15)


def test_cycles_and_doublings_of_fragments_are_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    visited: list[object] = []
    walk: Callable[[object], Any] = shape._shape  # pyright: ignore # to count its calls

    def counted(definition: object) -> object:
        visited.append(definition)
        return walk(definition)

    monkeypatch.setattr(shape, "_shape", counted)
    cycle = "{ ...F0 } " + " ".join(f"fragment F{n} on Q {{ a {{ ...F{(n + 1) % 100} }} }}" for n in range(100))
    assert broken(cycle) is None  # validation says what is wrong with it
    assert len(visited) == 101
    visited.clear()
    doubled = "{ ...F0 } " + " ".join(f"fragment F{n} on Q {{ ...F{n + 1} ...F{n + 1} }}" for n in range(99))
    assert broken(doubled + "fragment F99 on Q { a }") is None
    assert len(visited) == 101


names = st.sampled_from("abcdefgh")
selections: Any = st.recursive(
    names | names.map(lambda name: f"x: {name}") | names.map(lambda name: f"...{name.upper()}"),
    lambda inner: st.tuples(
        st.sampled_from(["a", "x: b", "...", "__type"]), st.lists(inner, min_size=1, max_size=3)
    ).map(lambda pair: f"{pair[0]} {{ {' '.join(pair[1])} }}"),
    max_leaves=8,
)


@given(st.lists(selections, min_size=9, max_size=9))
def test_the_walk_finds_what_spelling_every_fragment_out_would(bodies: list[str]) -> None:
    """Each fragment may only spread those after it, so that it can be spelled out."""
    fragments = dict(zip("ABCDEFGH", bodies[1:], strict=True))
    allowed = {name: "ABCDEFGH"[index + 1 :] for index, name in enumerate(fragments)}
    forward = {name: only(body, allowed[name]) for name, body in fragments.items()}
    operation = only(bodies[0], "ABCDEFGH")
    text = f"{{ {operation} }} " + " ".join(f"fragment {name} on Q {{ {body} }}" for name, body in forward.items())
    for name in reversed(forward):
        forward = {other: body.replace(f"...{name}", f"... {{ {forward[name]} }}") for other, body in forward.items()}
        operation = operation.replace(f"...{name}", f"... {{ {forward[name]} }}")
    for limits in (Limits(max_depth=3, max_aliases=10**6), Limits(max_introspection_depth=2, max_aliases=10**6)):
        assert broken(text, limits) == broken(f"{{ {operation} }}", limits)


def only(body: str, allowed: str) -> str:
    for name in "ABCDEFGH":
        if name not in allowed:
            body = body.replace(f"...{name}", "a")
    return body


# ---------------------------------------------------------------- before it is a document


async def prepared(text: str) -> Prepared:
    return await Documents(executable, Limits(max_comparisons=10**9)).prepared(text, "tess", suggests=False)


@pytest.mark.parametrize(
    ("allowed", "refused", "name"),
    [
        ("{ viewer {" + " name" * 1_994 + "} }", "{ viewer {" + " name" * 1_997 + "} }", "tokens"),
        ("{viewer{name}}".ljust(50_000), "{viewer{name}}".ljust(50_001), "characters"),
        ("{viewer{name}}" + "#\n" * 1_900, "{viewer{name}}" + "#\n" * 2_100, "tokens"),
    ],
    ids=["tokens", "characters", "comments"],
)
async def test_a_document_is_measured_before_it_is_looked_at(allowed: str, refused: str, name: str) -> None:
    assert await prepared(allowed)
    with pytest.raises(DocumentLimitExceeded) as refusal:
        await prepared(refused)
    assert refusal.value.limit["name"] == name


@pytest.mark.parametrize(
    ("variables", "fits"),
    [
        ({"a": [0] * 1_999}, True),
        ({"a": [0] * 2_000}, False),
        ({str(number): 0 for number in range(2_001)}, False),
        ({"a": [[0] * 1_000, {"b": [0] * 1_000}]}, False),
        ({"a": "x" * 1_000_000}, True),
    ],
    ids=["a list", "too long a list", "too many", "nested", "a long text"],
)
def test_variables_are_counted_at_any_depth(variables: dict[str, Any], fits: bool) -> None:
    limit = limit_of(lambda: shape.check_variables(variables, LIMITS))
    assert limit == (None if fits else {"name": "variableValues", "allowed": 2_000})


# ---------------------------------------------------------------- fields of one name

OVERLAPS = build_schema(
    """
    interface I { a: Int  b: I  c(x: Int): String }
    type Q implements I { a: Int  b: I  c(x: Int): String  q: Q  s: S  l: [Q] }
    type S implements I { a: Int  b: I  c(x: Int): String  q: S  s: Int!  l: [S!] }
    schema { query: Q }
    """
)
fields = st.sampled_from(["a", "c", "c(x: 1)", "c(x: $v)", "x: a", "x: c", "y: s", "...A", "...B"])
overlapping: Any = st.recursive(
    fields,
    lambda inner: st.tuples(
        st.sampled_from(["b", "q", "x: b", "x: q", "l", "y: l", "... on Q", "... on S", "... on I"]),
        st.lists(inner, min_size=1, max_size=4),
    ).map(lambda pair: f"{pair[0]} {{ {' '.join(pair[1])} }}"),
    max_leaves=12,
)


@given(st.tuples(overlapping, overlapping, overlapping, overlapping))
def test_within_its_budget_the_bounded_rule_says_what_the_library_says(bodies: tuple[str, ...]) -> None:
    """Its verdict and its words; beyond its budget it says so, and never that all is well."""
    root, more, first, second = bodies
    document = parse(f"query($v: Int) {{ {root} {more} }} fragment A on Q {{ {first} }} fragment B on I {{ {second} }}")
    theirs = [str(error) for error in validate(OVERLAPS, document, [OverlappingFieldsCanBeMergedRule])]
    assert verdict(document, 10**9) == theirs
    assert verdict(document, 5) in (theirs, None)


def verdict(document: DocumentNode, budget: int) -> list[str] | None:
    (rule,) = [
        rule
        for rule in Documents(OVERLAPS, Limits(max_comparisons=budget)).rules
        if issubclass(rule, OverlappingFieldsCanBeMergedRule)
    ]
    found: list[str] = []
    limit = limit_of(lambda: found.extend(map(str, validate(OVERLAPS, document, [rule]))))
    assert limit in (None, {"name": "comparisons", "allowed": budget})
    return None if limit else found


def test_what_people_ask_spends_little_of_that_budget() -> None:
    """As wide as an honest client gets: thirty components, each with a fragment for the same customer."""
    parts = " ".join(
        f"fragment P{n} on Customer {{ id name status activities {{ nodes {{ id title actor {{ name }} }} }} }}"
        for n in range(30)
    )
    document = parse(
        'query { customer(by: {id: "cus_x"}) { ' + " ".join(f"...P{n}" for n in range(30)) + f"}} }} {parts}"
    )
    assert verdict_of(document, LIMITS.max_comparisons) == []
    assert verdict_of(parse(INTROSPECTION), LIMITS.max_comparisons // 20) == []


def verdict_of(document: DocumentNode, budget: int) -> list[GraphQLError]:
    return validate(executable, document, Documents(executable, Limits(max_comparisons=budget)).rules)


# ---------------------------------------------------------------- cost


ONE = REQUEST + COMMAND + LINK + VALUE  # a request, the object and the document that it is
CURSOR = EXTRA_COSTS["cursor"].each


def head(rows: float, of_each_row: float) -> float:
    """A page of the newest rows."""
    return PAGE + PAGE + VALUE + ROW * (rows + 1) + VALUE + rows * (VALUE + of_each_row)


def sought(rows: float, of_each_row: float) -> float:
    """Any other page of a customer's list."""
    return COMMAND + PAGE + SEEK + VALUE + SEEK_ROW * (rows + 1) + VALUE + rows * (VALUE + of_each_row)


@pytest.mark.parametrize(
    ("selection", "price"),
    [
        ("id", VALUE),
        ("id name number", 3 * VALUE),
        ("id id", 2 * VALUE),
        ("... on Customer { id }", VALUE),
        ("id @skip(if: true) name @include(if: true)", VALUE),
        ("tags", VALUE),
        ("billingAddress { city }", 2 * VALUE),
        ("emails { value }", VALUE + EMBEDDED * 2 * VALUE),
        ("mergedInto { id }", COMMAND + LINK + 2 * VALUE),
        ("passes { totalCount }", head(20, 0) - 21 * VALUE + VALUE + COUNT.once + COUNT.each),
        (
            "passes { totalCount more: totalCount }",
            head(20, 0) - 21 * VALUE + 2 * VALUE + COUNT.once + COUNT.each,
        ),
        ("passes { nodes { id } }", head(20, VALUE)),
        ("passes(first: null) { nodes { id } }", head(20, VALUE)),
        ("passes(first: 20, after: null, last: null) { nodes { id } }", head(20, VALUE)),
        ("passes(first: 3) { nodes { id } }", head(3, VALUE)),
        ("passes(last: 3) { nodes { id } }", sought(3, VALUE)),
        ('passes(first: 3, after: "x") { nodes { id } }', sought(3, VALUE)),
        ("coupons(first: 3, filter: {redeemed: true}) { nodes { id } }", sought(3, VALUE)),
        ("activities(first: 3, orderBy: {field: TYPE}) { nodes { id } }", sought(3, VALUE)),
        ("passes(first: 0) { nodes { id } }", head(1, VALUE)),
        ("passes(first: 3) { edges { cursor node { id } } }", head(3, 3 * VALUE + CURSOR)),
        ("passes(first: 3) { pageInfo { endCursor } }", head(3, 0) - 3 * VALUE + VALUE + CURSOR),
        ("passes(first: 21) { nodes { id } }", sought(21, VALUE)),
        ("passes(first: 101) { nodes { id } }", sought(100, VALUE)),
        ("passes(first: 2147483647) { nodes { id } }", sought(100, VALUE)),
        ("passes(first: -1) { nodes { id } }", head(1, VALUE)),
        ("points { expiries(first: 7) { points } }", 2 * VALUE + 7 * 2 * VALUE),
        (
            "transactions(first: 2) { nodes { refunds(first: 3) { id } } }",
            COMMAND + head(2, VALUE + PAGE + 3 * (ROW + 2 * VALUE)),
        ),
        ("points { audit { ok } }", sum(EXTRA_COSTS["PointsBalance.audit"][:2]) + 3 * VALUE),
        ("activities(first: 5) { nodes { id customer { id } } }", COMMAND + head(5, VALUE + VALUE + LINK + VALUE)),
        (
            "activities(first: 5) { nodes { customer { passes(first: 4) { nodes { id } } } } }",
            COMMAND + PAGE + head(5, VALUE + LINK + head(4, VALUE) - PAGE),
        ),
    ],
)
def test_the_price_of_a_selection(selection: str, price: float) -> None:
    whole = cost(f'{{ customer(by: {{id: "cus_x"}}) {{ {selection} }} }}')
    assert whole == rounded(ONE + price)
    in_a_fragment = cost(f'{{ customer(by: {{id: "cus_x"}}) {{ ...F }} }} fragment F on Customer {{ {selection} }}')
    assert in_a_fragment == whole


def rounded(price: float) -> int:
    return ceil(round(price, 6))


def test_what_graphql_core_executes_costs_more() -> None:
    query = "{ nodes(ids: []) { id } }"
    dearer = rounded(REQUEST + COMMAND + LINK + CORE_VALUE * 3)
    assert cost(query) == rounded(REQUEST + COMMAND + LINK + VALUE * 3)
    assert cost(query, compiled=False) == dearer
    assert cost(query.replace("{ id }", "{ id __typename @skip(if: true) }")) == cost(query)


def test_page_sizes_and_conditions_may_be_variables() -> None:
    query = """query($first: Int = 7, $yes: Boolean!) { customer(by: {id: "cus_x"}) {
        passes(first: $first) @include(if: $yes) { nodes { id } } } }"""
    written = cost('{ customer(by: {id: "cus_x"}) { passes(first: 3) { nodes { id } } } }')
    assert cost(query, first=3, yes=True) == written
    assert cost(query, first=3, yes=False) == rounded(ONE)
    assert cost(query, first=None, yes=True) == cost('{ customer(by: {id: "cus_x"}) { passes { nodes { id } } } }')
    ids = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert cost(ids, ids=["cus_x"] * 9) == rounded(REQUEST + COMMAND + VALUE + 9 * (LINK + 2 * VALUE))
    assert cost('{ nodes(ids: ["cus_x", "cus_y"]) { id } }') == cost(ids, ids=["cus_x", "cus_y"])
    assert cost('{ nodes(ids: "cus_x") { id } }') == cost(ids, ids=["cus_x"])


def test_a_fragment_in_two_lists_costs_what_each_list_is_long() -> None:
    shared = "fragment F on ActivityConnection { nodes { id customer { id } } }"
    both = cost(
        f'{{ a: customer(by: {{id: "x"}}) {{ activities(first: 3) {{ ...F }} }} '
        f'b: customer(by: {{id: "y"}}) {{ activities(first: 50) {{ ...F }} }} }} {shared}'
    )
    each = [
        cost(f'{{ customer(by: {{id: "x"}}) {{ activities(first: {first}) {{ ...F }} }} }} {shared}')
        for first in (3, 50)
    ]
    assert both == pytest.approx(sum(each) - REQUEST, abs=1)


def test_doubled_fragments_are_added_up_once_however_much_they_come_to() -> None:
    for doublings, price in (
        (20, rounded(REQUEST + 2**20 * VALUE)),
        (100, MAX_REPORTED_COST),
    ):  # no client could hold the number itself
        chain = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(doublings))
        assert cost(f"{{ ...F0 }} {chain} fragment F{doublings} on Query {{ __typename }}") == price


def test_a_change_costs_what_a_transaction_does() -> None:
    change = 'redeemCoupon(input: {customerId: "x", couponIds: [], idempotencyKey: "k"}) { userErrors { code } }'
    assert cost(f"mutation {{ {change} }}") == rounded(REQUEST + CHANGE + CORE_VALUE * (2 + EMBEDDED * 2))


def test_reading_the_schema_costs_about_what_it_answers() -> None:
    assert 1_500 < cost(INTROSPECTION) < LIMITS.max_cost
    lists = "types { fields { args { name } type { fields { name } } } }"
    assert 300 < cost(f"{{ __schema {{ {lists} }} }}") < LIMITS.max_cost


def test_what_is_dear_is_in_the_schema() -> None:
    places = {f"{type_}.{field}" for type_ in executable.type_map for field in fields_of(type_)}
    names = {place.partition(".")[2] for place in places}
    assert {name for name in {*EXTRA_COSTS, *LISTS, *COUNTS} if name not in places | names} == set()


def fields_of(type_: str) -> list[str]:
    return list(getattr(executable.type_map[type_], "fields", {}))


async def test_no_field_of_a_customer_reads_more_than_it_costs(ask: Ask, world: World, commands: Commands) -> None:
    """A field that asks the database is priced as one; what it adds to the commands, it adds to the price."""
    ada = await world.everything()
    for place in below("Customer").values():
        inner = "" if place.is_leaf else "__typename"
        selection = place.asked(inner)
        above = place.above
        while above:
            selection = above.asked(selection)
            above = above.above
        query = f"query($id: ID!) {{ node(id: $id) {{ ... on Customer {{ {selection} }} }} }}"
        commands.clear()
        await ask(query, id=ada["_id"])
        assert cost(query, id=ada["_id"]) >= COMMAND * len(commands.sent), place.coordinate


# ---------------------------------------------------------------- over HTTP


async def test_an_answer_tells_its_cost_the_limit_and_what_is_left(client: httpx2.AsyncClient) -> None:
    answer = await asked(client, "{ viewer { name } }")
    assert answer["extensions"] == {"cost": {"requested": 16, "limit": 20_000, "remaining": 19_984}}


async def test_what_costs_too_much_is_refused_with_both_numbers_before_a_command_is_sent(
    client: httpx2.AsyncClient, commands: Commands
) -> None:
    query = """query($ids: [ID!]!, $first: Int) { nodes(ids: $ids) { ... on Customer {
        activities(first: $first) { nodes { id title availableActions } } } } }"""
    answer = await asked(client, query, ids=["cus_x"] * 100, first=100)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "COST_LIMIT_EXCEEDED"
    price = answer["extensions"]["cost"]["requested"]
    assert answer["extensions"]["cost"] == {"requested": price, "limit": 20_000, "remaining": 0}
    assert str(price) in error["message"]
    assert "20000" in error["message"]
    assert "data" not in answer
    assert commands.sent == []
    cheaper = await asked(client, query, ids=["cus_x"] * 100, first=10)
    assert cheaper["data"] == {"nodes": [None] * 100}


async def test_a_limit_is_told_with_its_name_and_both_numbers(client: httpx2.AsyncClient, commands: Commands) -> None:
    deep = '{ customer(by: {id: "x"}) { ' + "mergedInto { " * 12 + "id" + " }" * 14
    (error,) = (await asked(client, deep))["errors"]
    assert error["extensions"] == {
        "code": "QUERY_LIMIT_EXCEEDED",
        "limit": {"name": "depth", "asked": 14, "allowed": 12},
    }
    assert commands.sent == []


async def asked(client: httpx2.AsyncClient, query: str, **variables: Any) -> Document:
    headers = {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"}
    body = json.dumps({"query": query, "variables": variables})
    return (await client.post("/graphql", content=body, headers=headers)).json()


# ---------------------------------------------------------------- the cache


async def test_what_is_invalid_is_not_kept() -> None:
    documents = Documents(executable, LIMITS)
    for suggests, says in ((True, True), (False, False), (True, True)):
        with pytest.raises(InvalidDocument) as invalid:
            await documents.prepared("{ viewr { name } }", "tess", suggests=suggests)
        assert ("Did you mean" in invalid.value.errors[0].message) == says
