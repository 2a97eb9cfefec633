"""Documents before they are executed: what they take of memory, of turns, and of a subject's minute."""

import asyncio
import gc
import json
import random
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, cast

import httpx2
import pytest
from graphql import DocumentNode, NameNode, parse

from app.context import Context
from app.domain.access import Role, Viewer
from app.execution import MAX_PLANS, Execution
from app.execution.plan import Plan
from app.graph import executable, masks_for
from app.loaders import Loaders
from app.loaders.gate import Gate
from app.operations.admission import Overloaded
from app.operations.document import Documents, Prepared
from app.operations.document_limits import DocumentLimitExceeded
from app.operations.errors import InvalidDocument
from app.operations.operation import Operation
from app.settings import Limits
from app.store.driver import Store
from tests.support.gateway import gateway_app
from tests.support.prices import cost, cost_plans
from tests.support.random_queries import Words, written
from tests.support.schema_walk import below
from tests.support.tokens import token
from tests.support.world import NOW

WORDS = Words(["cus_x", "act_x"], ["C-1"], ["a@example.com"], ["changedFields"], ["NOTE_ADDED"], ["x"])


# ---------------------------------------------------------------- a list of nothing


def empty_lists() -> Iterator[tuple[str, str]]:
    """Each list that may be asked for with no rows, and the same with one."""
    for place in below("Customer").values():
        if "first" in place.arguments:
            inner = "{ __typename }"
            text = '{ customer(by: {id: "cus_x"}) { %s } }'
            asked, above = f"{place.name}(first: %d) {inner}", place.above
            while above:
                asked, above = above.asked("%s") % asked if above else asked, above.above
            yield text % (asked % 0), text % (asked % 1)
    for page in ("customers", "auditLog"):
        yield f"{{ {page}(first: 0) {{ nodes {{ id }} }} }}", f"{{ {page}(first: 1) {{ nodes {{ id }} }} }}"
    yield "{ nodes(ids: []) { id } }", '{ nodes(ids: ["cus_x"]) { id } }'


@pytest.mark.parametrize(("nothing", "one"), [*empty_lists()])
def test_a_list_of_nothing_costs_what_a_list_of_one_does(nothing: str, one: str) -> None:
    assert cost(nothing) == cost(one)


def test_an_empty_list_in_a_variable_costs_what_a_list_of_one_does() -> None:
    ids = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert cost(ids, ids=[]) == cost(ids, ids=["cus_x"])
    first = "query($n: Int) { customers(first: $n) { nodes { id } } }"
    assert cost(first, n=0) == cost(first, n=-5) == cost(first, n=1)


# ---------------------------------------------------------------- the fields of a plan


def planned(operation: Operation) -> int:
    """How many fields the operation's plan has, with all that its directives may include left in."""
    executor: Any = operation.execution({}, Limits(), suggests=True)
    plan, found = Plan(executable, operation.node, operation.fragments, executor.variable_values), 0
    ahead = [plan.root]
    while ahead:
        fields = ahead.pop().fields
        found += len(fields)
        ahead += [inner for field in fields for inner in field.objects()]
    return found


def test_a_plan_has_no_more_fields_than_were_counted_before_it_was_made() -> None:
    rng, most = random.Random(20260131), 0
    for _ in range(400):
        document = written(executable, WORDS, rng)
        text = document.text.replace("query Q", "query Q", 1)
        if "$" in text:
            continue
        parsed = parse(text)
        (operation,) = Operation.each_of(parsed, executable).values()
        (plan,) = cost_plans(parsed).values()
        found, most = planned(operation), max(most, plan.fields)
        assert found <= plan.fields, text
    assert most > 20


def test_fields_of_fragments_and_of_each_type_that_an_object_may_be_are_counted() -> None:
    (plan,) = cost_plans(
        parse("{ nodes(ids: []) { ...F } a: viewer { ...V } } fragment F on Node { id } " + V)
    ).values()
    kinds = len(executable.get_possible_types(cast(Any, executable.get_type("Node"))))
    assert plan.fields == 1 + kinds + 1 + 2


V = "fragment V on Viewer { name roles }"


def fan(levels: int, aliases: int) -> str:
    """Few tokens that come to a field for each way through its fragments."""
    fragments = " ".join(
        f"fragment F{n} on Customer {{ {' '.join(f'a{a}: mergedInto {{ ...F{n + 1} }}' for a in range(aliases))} }}"
        for n in range(levels)
    )
    return f"{{ nodes(ids: []) {{ ...F0 }} }} {fragments} fragment F{levels} on Customer {{ id }}"


async def test_a_short_text_that_comes_to_many_fields_is_refused_before_it_is_planned() -> None:
    documents = Documents(executable, Limits())
    with pytest.raises(DocumentLimitExceeded) as refusal:
        await documents.prepared(fan(9, 3), "tess", suggests=False)
    assert refusal.value.limit == {
        "name": "fields",
        "allowed": 2_500,
        "asked": 1 + sum(3**n for n in range(1, 10)) + 3**9,
    }
    assert documents.kept_bytes == 0


# ---------------------------------------------------------------- memory


def plenty(cached_bytes: int) -> Limits:
    return Limits(cached_bytes=cached_bytes, max_fields=10**5, max_comparisons=10**9)


LEAVES = "id number name firstName lastName email website country status tags "


def wide(number: int, times: int = 40) -> str:
    return f'query Q{number} {{ customer(by: {{id: "cus_x"}}) {{ {LEAVES * times} }} }}'


def deep(number: int) -> str:
    return f"query Q{number} {fan(6, 3)[1:]}".replace("query Q", "query Q", 1).replace(" nodes", "{ nodes", 1)


def argued(number: int) -> str:
    activities = "activities(first: 1, filter: {groups: [NOTE, ORDER], hideSystem: true}) { nodes { id type title } }"
    lists = " ".join(f"a{n}: {activities}" for n in range(25))
    return f"query Q{number} {{ nodes(ids: []) {{ ... on Customer {{ {lists} }} }} }}"


def screen(number: int) -> str:
    from bench.workloads import W1

    return W1.replace("Customer360", f"Q{number}")


def abstract(number: int) -> str:
    subject = "... on Activity { subject { id ... on Node { id } } }"
    return f"query Q{number} {{ nodes(ids: []) {{ {'id ' * 10} {subject} }} }}"


SHAPES = {"wide": wide, "deep": deep, "argued": argued, "screen": screen, "abstract": abstract}


@pytest.mark.parametrize("shape", SHAPES)
async def test_documents_take_no_more_memory_than_is_counted_for_them(shape: str, store: Store) -> None:
    """With their plans, executed often enough to be compiled."""
    documents, execution = Documents(executable, plenty(10**9)), Execution()
    viewer = Viewer("tess", "Tess", frozenset({Role.ADMIN}))
    gate = Gate(store, viewer, masks_for)

    async def ask(number: int) -> None:
        prepared = await documents.prepared(SHAPES[shape](number), "tess", suggests=False)
        ((operation, _),) = prepared.operations.values()
        for _ in range(3):
            executor: Any = operation.execution({"number": "C-1"} if shape == "screen" else {}, Limits(), suggests=True)
            executor.context_value = Context(viewer, NOW, cast(Any, None), lambda: Loaders(store, gate))
            assert not (await execution.run(executor)).errors
            plan_everything(operation)

    await ask(0)
    counted = documents.kept_bytes
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1, 4):
            await ask(number)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    counted = documents.kept_bytes - counted
    # A field of an abstract type is counted once for each of its types, however often it is written.
    assert taken <= counted <= 8 * taken, (taken / counted, taken)


def plan_everything(operation: Operation) -> None:
    """Rows that are not there would have it done."""
    for plan in operation.plans.by_values.values():
        ahead = [plan.root]
        while ahead:
            fields = ahead.pop().fields
            ahead += [inner for field in fields for inner in field.objects()]


async def test_however_many_texts_there_are_what_is_kept_stays_within_its_bytes() -> None:
    limits = plenty(2_000_000)
    documents = Documents(executable, limits)
    for number in range(100):
        await documents.prepared(SHAPES[[*SHAPES][number % len(SHAPES)]](number), "tess", suggests=False)
        assert documents.kept_bytes <= limits.cached_bytes
    assert documents.kept_bytes > limits.cached_bytes // 2
    assert Limits().cached_bytes * 3 // 2 < 64 * 2**20


@pytest.mark.parametrize("ending", ["", "{"], ids=["valid", "invalid"])
async def test_what_is_not_kept_is_free_again_soon_however_rarely_python_collects(ending: str) -> None:
    """Syntax trees are full of cycles."""
    documents = Documents(executable, plenty(2_000_000))

    def trees() -> int:
        # By type: a weak proxy asks whom it stands for, who may be gone.
        return sum(type(each) in (DocumentNode, NameNode) for each in gc.get_objects())

    gc.collect()
    gc.disable()
    gc.freeze()  # what is there already is not looked through again and again
    try:
        before = trees()
        held = parse(wide(0))
        tree, most = trees() - before, 0
        del held
        gc.collect()
        for number in range(1, 60):
            with suppress(InvalidDocument):
                await prepared(documents, wide(number) + ending)
            most = max(most, trees() - before)
    finally:
        gc.unfreeze()
        gc.enable()
    assert tree > 400
    assert most <= 8 * tree


async def test_the_text_that_was_asked_for_longest_ago_makes_room_and_one_that_is_too_large_does_not() -> None:
    size = (await Documents(executable, plenty(10**9)).prepared(wide(0), "tess", suggests=False)).size
    documents = Documents(executable, plenty(size * 5))
    first = [await prepared(documents, wide(number)) for number in range(5)]
    assert await prepared(documents, wide(0)) is first[0]
    await prepared(documents, wide(5))
    assert await prepared(documents, wide(0)) is first[0]
    assert await prepared(documents, wide(1)) is not first[1]
    kept = documents.kept_bytes
    large = wide(0, 190)
    assert (await prepared(documents, large)).size > documents.kept_bytes // 4
    assert documents.kept_bytes == kept


async def prepared(documents: Documents, text: str, subject: str = "tess") -> Prepared:
    return await documents.prepared(text, subject, suggests=False)


async def test_what_an_operation_has_worked_out_goes_with_it_and_has_a_plan_for_few_choices() -> None:
    documents, execution = Documents(executable, Limits()), Execution()
    conditions = ", ".join(f"$v{n}: Boolean!" for n in range(5))
    fields = " ".join(f"a{n}: name @include(if: $v{n})" for n in range(5))
    document = await prepared(documents, f"query({conditions}) {{ viewer {{ {fields} subject }} }}")
    ((operation, cost_plan),) = document.operations.values()
    viewer = Viewer("tess", "Tess", frozenset({Role.ADMIN}))
    for choice in range(32):
        variables = {f"v{n}": bool(choice >> n & 1) for n in range(5)}
        executor: Any = operation.execution(variables, Limits(), suggests=True)
        executor.context_value = Context(viewer, NOW, cast(Any, None), lambda: cast(Any, None))
        assert execution.makes_plan(executor)
        assert (await execution.run(executor)).errors is None
        assert not execution.makes_plan(executor)
        assert len(operation.plans.by_values) <= MAX_PLANS
    assert cost_plan.variants == MAX_PLANS


# ---------------------------------------------------------------- turns


class Gates:
    """Preparing that waits until it is let go, and notes the order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = list[str](), threading.Event()
        prepare = Documents._prepare  # pyright: ignore[reportPrivateUsage]

        def slowly(documents: Documents, text: str, suggests: bool) -> Prepared:
            self.begun.append(text.partition("#")[2])
            assert self.go.wait(30)
            return prepare(documents, text, suggests)

        monkeypatch.setattr(Documents, "_prepare", slowly)


def named(name: str) -> str:
    return f"{{ viewer {{ name }} }} #{name}"


async def test_a_bystanders_new_text_is_next_however_many_of_somebody_else_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gates = Gates(monkeypatch)
    documents = Documents(executable, Limits(max_waiting=64, max_waiting_seconds=60))
    flood = [asyncio.ensure_future(prepared(documents, named(f"mallory {n}"), "mallory")) for n in range(250)]
    while not gates.begun:  # noqa: ASYNC110 # nobody tells us
        await asyncio.sleep(0.01)
    bystanders = [asyncio.ensure_future(prepared(documents, named(who), who)) for who in ("ada", "bob")]
    await asyncio.sleep(0)
    gates.go.set()
    assert all(isinstance(each, Prepared) for each in await asyncio.gather(*bystanders))
    ended = await asyncio.gather(*flood, return_exceptions=True)
    # Whoever waits longest goes first, and a subject that had a turn is behind all others.
    assert [name.split()[0] for name in gates.begun[:4]] == ["mallory", "mallory", "ada", "bob"]
    assert sum(isinstance(each, Overloaded) for each in ended) >= 250 - 1 - 64
    assert not [each for each in ended if not isinstance(each, Prepared | Overloaded)]


async def test_who_waits_too_long_is_told_so_and_nothing_is_prepared_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = Gates(monkeypatch)
    documents = Documents(executable, Limits(max_waiting_seconds=0.05))
    first = asyncio.ensure_future(prepared(documents, named("mallory"), "mallory"))
    with pytest.raises(Overloaded):
        await asyncio.gather(first, prepared(documents, named("ada"), "ada"))
    gates.go.set()
    await first
    assert gates.begun == ["mallory"]
    assert await prepared(documents, named("bob"), "bob")


async def test_who_leaves_while_a_text_is_prepared_gives_no_turn_away_before_it_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gates = Gates(monkeypatch)
    documents = Documents(executable, Limits(max_waiting_seconds=60))
    first = asyncio.ensure_future(prepared(documents, named("mallory"), "mallory"))
    while not gates.begun:  # noqa: ASYNC110 # nobody tells us
        await asyncio.sleep(0.01)
    second = asyncio.ensure_future(prepared(documents, named("ada"), "ada"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0.05)
    assert gates.begun == ["mallory"]
    gates.go.set()
    assert await second
    assert await prepared(documents, named("mallory")), "what was done meanwhile is kept"
    assert gates.begun == ["mallory", "ada"]


async def test_the_same_text_of_many_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = Gates(monkeypatch)
    documents = Documents(executable, Limits(max_waiting_seconds=60))
    asked = [asyncio.ensure_future(prepared(documents, named("it"), f"subject {n % 3}")) for n in range(20)]
    await asyncio.sleep(0)
    gates.go.set()
    assert len({id(each) for each in await asyncio.gather(*asked)}) == 1
    assert gates.begun == ["it"]


# ---------------------------------------------------------------- a subject's minute

REFUSED = {
    "no JSON": b"{",
    "no document": b"{}",
    "no syntax": {"query": "{ viewer { name"},
    "no such field": {"query": "{ viewer { nope } }"},
    "no such operation": {"query": "query A { viewer { name } }", "operationName": "B"},
    "too dear": {
        "query": "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { activities(first: 100) { nodes { "
        "availableActions attributes { name } customer { activityFacets { type } } } } } } }",
        "variables": {"ids": ["cus_x"] * 100},
    },
    "too deep": {"query": "{ a " * 20 + "}" * 20},
    "too long": {"query": "#" * 60_000},
    "too many values": {"query": "{ viewer { name } }", "variables": {"a": [0] * 3_000}},
    "a wrong variable": {"query": "query($n: Int) { customers(first: $n) { totalCount } }", "variables": {"n": "x"}},
    "a persisted query": {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x"}}},
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_what_is_refused_counts_against_its_senders_minute(kind: str, store: Store) -> None:
    refused = REFUSED[kind]
    body = refused if isinstance(refused, bytes) else json.dumps(refused).encode()
    app = gateway_app(store, Limits(cost_per_minute=35_000))
    headers = {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        answer = await client.post("/graphql", content=body, headers=headers)
        while answer.status_code != 429:
            assert answer.json()["errors"]
            answer = await client.post("/graphql", content=body, headers=headers)
        others = {**headers, "Authorization": f"Bearer {token(subject='eve')}"}
        bystander = await client.post("/graphql", json={"query": "{ viewer { name } }"}, headers=others)
    assert bystander.status_code == 200


async def test_a_body_is_paid_for_by_its_bytes_before_it_is_read_to_its_end(store: Store) -> None:
    app = gateway_app(store, Limits(cost_per_minute=5_000))
    headers = {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        body = b'{"query": "' + b" " * 1_000_000  # never JSON
        statuses = [(await client.post("/graphql", content=body, headers=headers)).status_code for _ in range(12)]
    assert statuses == [400] * 9 + [429] * 3


async def test_large_bodies_are_read_few_at_a_time_and_small_ones_pass_them(store: Store) -> None:
    """One client too many is refused; nobody's megabytes wait in our memory."""
    limits = Limits(max_at_once=2, max_waiting=3, max_waiting_seconds=0.05)
    app, begun, go = gateway_app(store, limits), list[int](), asyncio.Event()
    headers = {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"}

    async def endless(number: int) -> AsyncIterator[bytes]:
        begun.append(number)
        yield b"{"
        await go.wait()

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        large = {**headers, "Content-Length": "900000"}
        pending = {
            asyncio.ensure_future(client.post("/graphql", content=endless(number), headers=large))
            for number in range(20)
        }
        every = [*pending]
        while len(pending) > limits.max_at_once:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        small = await client.post("/graphql", json={"query": "{ viewer { name } }"}, headers=headers)
        go.set()
        statuses = sorted([(await each).status_code for each in every])
    assert small.status_code == 200
    assert statuses == [400] * 2 + [503] * 18
    assert len(begun) == limits.max_at_once, "of the others nothing was read"
