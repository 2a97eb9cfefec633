"""Random queries of the real schema through both executors: a few hundred here, 50,000 in the soak."""

import json
import logging
import random
from collections.abc import Iterator
from typing import Any, cast

import pytest
import structlog
from graphql import parse_const_value
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes, queries

from app import sdl
from app.domain.access import Role, Viewer
from app.domain.listings import POINTS
from app.domain.paging import PageRequest, Selection
from app.domain.vocabulary import LiveKind
from app.graph import masks_for
from app.loaders import Loaders
from app.loaders.gate import Gate
from app.store.driver import ReplaceOne, Store, StoreError
from app.store.pages import read_pages
from tests.support.execution_cases import (
    ODD,
    Both,
    Case,
    FaultyStore,
    cases,
    let_resolvers_fail,
    populated,
    resolvers_as_they_are,
    viewers,
)
from tests.support.schema_walk import TYPE_OF, below, everything
from tests.support.thoroughness import part_of
from tests.support.world import World, spoil

SEED = 20260131


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Logs nothing: what breaks here is meant to break."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture
def store(database_to_spoil: Store) -> Store:
    """Replaces the database that others use, too."""
    return database_to_spoil


async def test_a_few_hundred_random_cases_answer_alike(store: Store) -> None:
    rng = random.Random(SEED)
    words = await populated(store, rng)
    both = Both(store)
    fields = let_resolvers_fail()
    try:
        for number, case in zip(range(300), cases(words, fields, rng), strict=False):
            planned, reference = await both.answers(case)
            assert planned == reference, (number, case)
    finally:
        resolvers_as_they_are()
    assert both.plans.counted == {"plan": 300}
    assert both.reference.counted == {"off": 300}


async def test_whatever_is_stored_under_a_key_both_answer_alike_and_no_neighbour_pays(store: Store) -> None:
    """Under each key of a row in turn: in its customer's list, and beside a row, and a customer, that is well."""
    rng, both, world = random.Random(SEED), Both(store), World(store)
    ada, eve = await world.everything(), await world.everything()
    await spoil(store, "customers", ada["_id"], affiliateId="aff")
    await spoil(store, "customers", eve["_id"], affiliateId="aff", searchEmails=[], searchPhones=[], searchName="Eve")
    people = [each for each in viewers([ada["_id"]]) if each.roles & {Role.ADMIN, Role.CUSTOMER, Role.AFFILIATE}]
    own = [place for place in below("Customer").values() if place.above is None and not place.is_leaf]
    lists = {place.type_name: place.name for place in own if place.type_name.endswith("Connection")}
    sums = " ".join(
        each.asked(everything(each.type_name, "Customer")) for each in own if each.type_name not in {"Customer", *lists}
    )
    customers = f'{{ nodes(ids: ["{ada["_id"]}", "{eve["_id"]}"]) {{ ... on Customer {{ {sums} }} }} }}'

    async def neighbour(text: str, viewer: Viewer) -> Any:
        planned, reference = await both.answers(Case(text, {}, viewer))
        assert planned == reference, (viewer, text)
        return json.loads(planned)["data"]["nodes"][1]

    for collection, type_ in TYPE_OF.items():
        owner = "_id" if collection == "customers" else "customerId"
        row, well = [(await store.find(collection, {owner: each["_id"]}, limit=1))[0] for each in (ada, eve)]
        whole = f"... on {type_} {{ {everything(type_, 'Customer')} }}"
        pairs = [f'{{ nodes(ids: ["{row["_id"]}", "{well["_id"]}"]) {{ {whole} }} }}', customers]
        before = {(text, each): await neighbour(text, each) for text in pairs for each in people}
        of_ada = f'{{ node(id: "{ada["_id"]}") {{ ... on Customer {{ %s {{ nodes {{ %s }} }} }} }} }}'
        pages = [of_ada % (lists[page], asked) for page in {f"{type_}Connection"} & {*lists} for asked in ("id", whole)]
        for key in sorted(row.keys() - {"_id", owner}):
            for odd in part_of(rng.sample(ODD[1:], len(ODD) - 1), one_in=len(ODD) - 1):
                await spoil(store, collection, row["_id"], **{key: odd})
                both.store.forget()
                viewer = rng.choice(people)
                for text in pages:
                    planned, reference = await both.answers(Case(text, {}, viewer))
                    assert planned == reference, (collection, key, odd, viewer, text)
                for text in pairs:
                    assert await neighbour(text, viewer) == before[text, viewer], (collection, key, odd, viewer)
            await store.write(collection, [ReplaceOne({"_id": row["_id"]}, row)])
            both.store.forget()


async def test_events_of_subscriptions_answer_alike(store: Store) -> None:
    world = World(store)
    ada = await world.everything()
    (activity, *_) = await store.find("activities", {"customerId": ada["_id"]})
    (request, *_) = await store.find("requests", {"customerId": ada["_id"]})
    viewer = {"id": "tess", "user_id": "tess", "name": "Tess"}
    happened = {"kind": LiveKind.ADDED, "cursor": "c", "customerId": ada["_id"], "activityId": activity["_id"]}
    live = "kind cursor ... @include(if: $all) { activity { id title message note { message } } } customer { id email }"
    asked: list[tuple[str, Any]] = [
        (f"customerActivity(customerId: $id) {{ {live} }}", happened),
        (f"customerActivity(customerId: $id) {{ {live} }}", happened | {"customerId": None, "activityId": "act_gone"}),
        ("request(id: $id) { id kind state outcomes { state } customer { name } }", request),
        (
            "viewersOfCustomer(customerId: $id) { viewer { userId name } since }",
            [{"viewer": viewer, "since": ada["registeredAt"]}],
        ),
    ]
    both = Both(store)
    for viewer in viewers([ada["_id"]]):
        for field, event in asked:
            for all_ in (True, False):
                given = "($id: ID!, $all: Boolean!)" if "$all" in field else "($id: ID!)"
                variables = {"id": ada["_id"], "all": all_}
                case = Case(f"subscription{given} {{ {field} }}", variables, viewer, event=event)
                planned, reference = await both.answers(case)
                assert planned == reference, case
    assert both.plans.counted.keys() == {"plan"}


async def test_a_row_that_lacks_what_an_order_asks_for_is_on_no_page_however_that_is_read(store: Store) -> None:
    world = World(store)
    ada, bob = await world.everything(), await world.customer()
    await store.command({"collMod": "points", "validationLevel": "off"})
    (entry, *_) = await store.find("points", {"customerId": ada["_id"]})
    del entry["recordedAt"]
    await store.insert("points", [{**entry, "_id": f"{entry['_id']}zzz", "seq": 1_000}])
    for order in POINTS.orders:
        page = PageRequest(Selection(POINTS, (), order), 5)
        alone = await read_pages(store, page, [ada["_id"]])
        assert alone[ada["_id"]] == (await read_pages(store, page, [ada["_id"], bob["_id"]]))[ada["_id"]], order


async def test_a_collection_that_cannot_be_read_costs_no_other_kind(store: Store) -> None:
    ada = await World(store).everything()
    (note,) = await store.find("notes", {"customerId": ada["_id"]}, limit=1)
    faulty = FaultyStore(store)
    faulty.failing = {"notes": "refused"}
    viewer = Viewer("tess", "Tess", frozenset({Role.ADMIN}))
    loaders = Loaders(cast(Store, faulty), Gate(cast(Store, faulty), viewer, masks_for))
    refused, found = await loaders.documents.load_all([note["_id"], ada["_id"]])
    assert isinstance(refused, StoreError)
    assert not isinstance(found, Exception)
    assert found
    assert found["_id"] == ada["_id"]


def of_hypothesis(count: int) -> list[str]:
    """Documents by those who test GraphQL servers for a living; their values mostly find nothing."""
    time = st.just("2026-01-31T09:30:00Z").map(nodes.String)
    customer = st.just('{__typename: "Customer", id: "cus_x"}').map(parse_const_value)
    scalars = {"DateTime": time, "Date": time, "Decimal": time, "_Any": customer}
    found: list[str] = []

    @seed(SEED)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(queries(sdl.printed(), custom_scalars=scalars))
    def collect(text: str) -> None:
        found.append(text)

    collect()
    return found


async def test_documents_of_hypothesis_answer_alike(store: Store) -> None:
    await populated(store, random.Random(SEED))
    both = Both(store)
    for number, text in enumerate(of_hypothesis(25)):
        role = [*Role][number % len(Role)]
        planned, reference = await both.answers(Case(text, {}, Viewer("t", "Tess", frozenset({role}), "cus_x", "aff")))
        assert planned == reference, text
    assert both.plans.counted.keys() <= {"plan"}
