"""Cases for both executors: a document, who asks, what is stored, and what fails."""

import asyncio
import inspect
import pickle
import random
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from types import SimpleNamespace
from typing import Any, cast

import orjson
from graphql import DocumentNode, ExecutionResult, GraphQLSchema, parse
from pymongo.errors import AutoReconnect, ExecutionTimeout, OperationFailure
from strawberry.types.base import StrawberryObjectDefinition

from app.context import Context
from app.domain.access import Role, Viewer
from app.domain.listings import PREVIEWS
from app.domain.paging import PageRequest
from app.domain.vocabulary import ReadGroup
from app.execution import Execution
from app.graph import executable, masks_for, schema
from app.loaders import Loaders
from app.loaders.gate import Gate
from app.operations.errors import format_error
from app.operations.operation import Operation
from app.schema.base import READ_KEYS
from app.schema.connection import PAGED_EDGES, PagedEdge
from app.services.changes import DeliveryPolicy
from app.settings import Limits
from app.store import previews
from app.store.driver import DeleteOne, Store, StoreError, UpdateOne
from app.store.driver import Document as Stored
from tests.support.random_queries import Words, written
from tests.support.world import AGENT, NOW, World

LIMITS = Limits(max_failed_fields=100_000)
FAILURES: Mapping[str, Exception] = {
    "refused": OperationFailure("no such index", 2),
    "late": ExecutionTimeout("operation exceeded time limit", 50),
    "gone": AutoReconnect("connection closed"),
}

COLLECTIONS = "activities points coupons transactions passes statuses notes emails customers".split()


class FaultyStore:
    """The real store's answers, read once and remembered, until they are forgotten. Some collections fail."""

    def __init__(self, store: Store) -> None:
        self._store, self._answers = store, dict[str, bytes]()
        self.failing: Mapping[str, str] = {}

    async def find(self, collection: str, where: Any, **how: Any) -> list[Stored]:
        return await self._read("find", collection, where, how)

    async def aggregate(self, collection: str | None, pipeline: Any, **how: Any) -> list[Stored]:
        return await self._read("aggregate", collection, pipeline, how)

    async def _read(self, name: str, collection: str | None, what: Any, how: Mapping[str, Any]) -> list[Stored]:
        await asyncio.sleep(0)
        touched = {collection, *re.findall(r"'(?:from|coll)': '(\w+)'", repr(what))}
        if "heads" in touched:  # whose copies of what cannot be read could be
            touched |= PREVIEWS.keys()
        for each, failure in self.failing.items():
            if each in touched:
                raise FAILURES[failure]
        key = repr((name, collection, what, how))
        if key not in self._answers:
            found = await getattr(self._store, name)(collection, what, **how)
            self._answers[key] = pickle.dumps(found)
        return pickle.loads(self._answers[key])  # each reader gets documents of its own

    def forget(self) -> None:
        """Reads anew what has changed."""
        self._answers.clear()


@dataclass(frozen=True)
class Case:
    """One operation: what it asks, for whom, and what fails meanwhile."""

    text: str
    variables: Mapping[str, Any]
    viewer: Viewer
    failing: Mapping[str, str] = field(default_factory=dict[str, str])
    """Collections whose reading fails, and how."""
    breaking: frozenset[str] = frozenset()
    """Fields whose resolver raises for some of their sources."""
    event: Any = None
    """What a subscription is executed for."""


Reads = Mapping[str, frozenset[ReadGroup]]


class Both:
    """Answers by a plan and as graphql-core does, both as bytes."""

    def __init__(self, store: Store) -> None:
        self.store = FaultyStore(store)
        self.plans, self.reference = Execution(), Execution("graphql-core")

    async def answers(self, case: Case) -> tuple[bytes, bytes]:
        document = parse(case.text)
        self.store.failing = case.failing
        plans = self.plans
        if not _edges.isdisjoint(case.breaking):
            # A plan remembers what an edge asks, as it looks at nothing but roles. One that is made to fail does.
            plans = Execution()
            plans.counted = self.plans.counted
        with breaking(case.breaking):
            planned, reads = await self._answer(plans, document, case)
            reference, of_reference = await self._answer(self.reference, document, case)
        if planned["errors"]:
            # What a fault nulls is shown to nobody. A plan reads nothing below it, and records nothing; graphql-core
            # may have read, and masked, it by then.
            of_reference = {key: groups & reads.get(key, frozenset()) for key, groups in of_reference.items()}
            reference["masked"] = [each for each in reference["masked"] if each in planned["masked"]]
        return _bytes(planned, reads), _bytes(reference, of_reference)

    async def _answer(self, execution: Execution, document: DocumentNode, case: Case) -> tuple[dict[str, Any], Reads]:
        store = cast(Store, self.store)
        gate = Gate(store, case.viewer, masks_for)
        changes: Any = SimpleNamespace(outgoing=DeliveryPolicy())
        context = Context(case.viewer, NOW, changes, lambda: Loaders(store, gate), reads={})
        result = await executed(execution, executable, document, case.variables, context, event=case.event)
        errors = [format_error(error, document) for error in result.errors or ()]
        answer: dict[str, Any] = {"data": result.data, "errors": errors, **(result.extensions or {})}
        return answer, (context.reads or {}) if result.data else {}


def _bytes(answer: Mapping[str, Any], reads: Reads) -> bytes:
    return orjson.dumps({**answer, "reads": {key: sorted(groups) for key, groups in sorted(reads.items()) if groups}})


def operation_of(document: DocumentNode, schema: GraphQLSchema = executable, name: str | None = None) -> Operation:
    """Returns the operation of that name; the first one, by default."""
    operations = Operation.each_of(document, schema)
    return operations[name] if name else next(iter(operations.values()))


async def executed(
    execution: Execution,
    schema: GraphQLSchema,
    asked: DocumentNode | Operation,
    variables: Mapping[str, Any] | None = None,
    context: Any = None,
    *,
    name: str | None = None,
    limits: Limits = LIMITS,
    event: Any = None,
) -> ExecutionResult:
    """Executes ``asked``; an operation, where its plans are to be kept from one time to the next.

    ``event`` is what a subscription's operation is executed for.
    """
    operation = asked if isinstance(asked, Operation) else operation_of(asked, schema, name)
    made = operation.execution(dict(variables or {}), limits, suggests=True)
    if isinstance(made, list):
        return ExecutionResult(None, made)
    made.context_value, made.root_value = context, event
    result = await execution.run(made)
    result.extensions = {"masked": sorted(made.masked)}
    # What graphql-core no longer needs, it leaves running. The tasks of anyio and PyMongo last as long as their owners.
    left = [
        each for each in asyncio.all_tasks() - {asyncio.current_task()} if not re.search("anyio|pymongo", repr(each))
    ]
    await asyncio.gather(*left, return_exceptions=True)
    return result


# ---------------------------------------------------------------- resolvers that fail

_breaking: frozenset[str] = frozenset()


@contextmanager
def breaking(fields: frozenset[str]) -> Generator[None]:
    """Lets the resolvers of these fields fail."""
    global _breaking  # resolvers know nothing of a case
    _breaking = fields
    try:
        yield
    finally:
        _breaking = frozenset()


_edges: set[str] = set()
_as_they_are: dict[int, tuple[Any, Callable[..., Any]]] = {}


def let_resolvers_fail() -> list[str]:
    """Wraps every resolver, and returns the fields that have one."""
    fields: list[str] = []
    for concrete in schema.schema_converter.type_map.values():
        definition: Any = concrete.definition
        is_object = isinstance(definition, StrawberryObjectDefinition) and not definition.is_input
        if not is_object or definition.name == "Mutation":
            continue
        for each in definition.fields:
            resolver: Any = cast(Any, each).base_resolver
            if resolver is None:
                continue
            name = f"{definition.name}.{each.python_name}"
            fields.append(name)
            if id(resolver) not in _as_they_are:
                parent = resolver.parent_parameter
                edge = PAGED_EDGES.get(resolver.wrapped_func)
                if edge:
                    _edges.add(name)
                _as_they_are[id(resolver)] = resolver, resolver.wrapped_func
                # What is asked once for all parents fails for all parents.
                some = parent and not edge
                resolver.wrapped_func = _failing(resolver.wrapped_func, name, parent.name if some else None)
                if edge:
                    PAGED_EDGES[resolver.wrapped_func] = cast(PagedEdge, _FailingEdge(edge, name))
    return fields


def resolvers_as_they_are() -> None:
    """Unwraps every resolver."""
    for resolver, function in _as_they_are.values():
        READ_KEYS.pop(resolver.wrapped_func, None)
        PAGED_EDGES.pop(resolver.wrapped_func, None)
        resolver.wrapped_func = function
    _as_they_are.clear()


@dataclass
class _FailingEdge:
    edge: PagedEdge
    name: str

    def shared_page(self, roles: frozenset[Role], given: Mapping[str, Any]) -> PageRequest | None:
        if self.name in _breaking:  # before its arguments are looked at, as its resolver does
            raise LookupError(f"{self.name} was made to fail")
        return self.edge.shared_page(roles, given)


def _failing(function: Callable[..., Any], name: str, parent: str | None) -> Callable[..., Any]:
    def judge(args: tuple[Any, ...], given: Mapping[str, Any]) -> None:
        if name in _breaking:
            source: Any = given.get(parent) if parent else None
            if not isinstance(source, dict) or sum(str(cast(Any, source).get("_id", "")).encode()) % 3:
                raise LookupError(f"{name} was made to fail")

    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def asynchronous(*args: Any, **given: Any) -> Any:
            judge(args, given)
            return await function(*args, **given)

        wrapped: Any = asynchronous
    else:

        @wraps(function)
        def synchronous(*args: Any, **given: Any) -> Any:
            judge(args, given)
            return function(*args, **given)

        wrapped = synchronous
    if function in READ_KEYS:
        READ_KEYS[wrapped] = ("_id", *READ_KEYS[function])
    return wrapped


# ---------------------------------------------------------------- what is stored, and who asks

ODD: Sequence[Any] = (None, 5, "odd", [], {}, ["a", 1], {"kind": "AGENT"}, NOW, True, 3.5, 2**40, {"buckets": 1})


async def populated(store: Store, rng: random.Random) -> Words:
    """Stores customers with everything, some with nothing, and copies of documents of which keys are missing or odd."""
    world = World(store)
    customers = [await world.everything() for _ in range(3)] + [await world.customer(affiliateId="aff")]
    for customer in customers[:2]:
        await world.many("activities", customer, *({"type": "NOTE_ADDED", "actor": AGENT} for _ in range(4)))
    for collection in COLLECTIONS:
        await store.command({"collMod": collection, "validationLevel": "off"})
        for original in await store.find(collection, {}, limit=6):
            copy = {**original, "_id": original["_id"][:-3] + "zzz"}
            if collection == "customers":
                copy["number"] += "-broken"
                copy["identities"] = []
            keys = [key for key in copy if key not in ("_id", "customerId", "seq", "number", "identities")]
            for key in rng.sample(keys, min(3, len(keys))):
                if rng.random() < 0.4:
                    del copy[key]
                else:
                    copy[key] = rng.choice(ODD)
            copy = {**copy, **({"seq": 1000 + rng.randint(0, 10**6)} if collection == "points" else {})}
            with suppress(StoreError):  # not even the database takes everything
                await store.insert(collection, [copy])
    await previews.refresh_stale(store)
    # One has changed since theirs was kept, and another never had any.
    await store.write("customers", [UpdateOne({"_id": customers[1]["_id"]}, {"$inc": {"revision": 1}})])
    await store.write("heads", [DeleteOne({"_id": customers[2]["_id"]})])
    found = {
        name: await store.find(name, {}) for name in ("customers", "activities", "transactions", "notes", "coupons")
    }
    ids = [each["_id"] for name, several in found.items() for each in several * (3 if name == "customers" else 1)]
    everybody = found["customers"]
    return Words(
        ids=ids,
        numbers=[each["number"] for each in everybody],
        addresses=["ada@example.com"],
        attributes=["changedFields", "billDayFrom", "street"],
        types=["SUBSCRIPTION_RENEWED", "NOTE_ADDED", "ADDRESS_DETAILS_MODIFIED", "NO_SUCH"],
        cursors=["AAAA", "", "W10"],
    )


def viewers(customer_ids: Sequence[str]) -> list[Viewer]:
    """Returns a viewer of each role, and of two at once."""

    def viewer(*roles: Role) -> Viewer:
        return Viewer("tess", "Tess", frozenset(roles), customer_ids[0], "aff")

    return [viewer(role) for role in Role] + [viewer(Role.ADMIN), viewer(Role.CUSTOMER, Role.AFFILIATE)]


def cases(words: Words, fields: Sequence[str], rng: random.Random, *, of_each: int = 6) -> Iterator[Case]:
    """Yields cases without end: each document as several viewers, half of the time with something failing."""
    people = viewers([each for each in words.ids if each.startswith("cus_")])
    while True:
        document = written(executable, words, rng)
        for _ in range(of_each):
            failing = {rng.choice([*COLLECTIONS, "heads"]): rng.choice([*FAILURES])} if rng.random() < 0.3 else {}
            broken = frozenset(rng.sample(fields, 3)) if rng.random() < 0.3 else frozenset[str]()
            variables = {
                name: not value if isinstance(value, bool) and rng.random() < 0.3 else value
                for name, value in document.variables.items()
            }
            yield Case(document.text, variables, rng.choice(people), failing, broken)
