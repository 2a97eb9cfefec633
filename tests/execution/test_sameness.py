"""Random queries of the real schema through both executors: a few hundred here, 50,000 in the soak."""

import logging
import random
from collections.abc import AsyncGenerator, Iterator
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
from app.store import indexes
from app.store.driver import Driver, Store, StoreError
from app.store.pages import read_pages
from tests.support.execution_cases import (
    Both,
    Case,
    FaultyStore,
    cases,
    let_resolvers_fail,
    populated,
    resolvers_as_they_are,
    viewers,
)
from tests.support.world import World

SEED = 20260131


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Logs nothing: what breaks here is meant to break."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture
async def store(mongodb_uri: str, database_name: str, driver: Driver) -> AsyncGenerator[Store]:
    """Opens a database of its own: an index that has once held a broken document's list keeps no order ever after."""
    async with Store.open(mongodb_uri, f"{database_name}_broken", driver=driver) as store:
        await store.drop()
        await indexes.apply(store)
        yield store
        await store.drop()


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
