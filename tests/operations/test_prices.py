"""What a field is priced at, beside the work that it makes: calls of functions here, commands and documents there.

No clock: `python -m bench.prices` measures the time. This holds that a field which begins to make much more work, or is
asked for in another way, does not keep its price.
"""

import sys
from types import FrameType

import pytest
from graphql import parse

from app.context import Context
from app.domain.access import Role, Viewer
from app.execution import Execution
from app.graph import executable, masks_for
from app.loaders import Loaders
from app.loaders.gate import Gate
from app.operations.cost import COMMAND, REQUEST
from app.services.changes import Changes, CustomerLocks, DeliveryPolicy
from app.store import previews
from app.store.driver import Document, Store
from tests.support.commands import Commands
from tests.support.customer_lists import COLLECTION_OF
from tests.support.execution_cases import executed, operation_of
from tests.support.prices import cost
from tests.support.query_plans import documents_read, explained
from tests.support.schema_walk import Place, below
from tests.support.thoroughness import part_of
from tests.support.world import NOW, World, ago

CUSTOMERS, ROWS = 8, 80
CALL, DOCUMENT = 0.025, 0.6
"""Units: a call of a function, the driver's included; a document that the database looks at."""
FACTOR = 5
"""The bound on time is 3. Calls are not all alike, and nobody counts what the database adds up."""


SENT = {"emails": ("deliveries", "emailId"), "passes": ("pushes", "passId")}
"""What hangs on rows that hang on a customer: two on each, as the price has it."""


@pytest.fixture
async def crowd(world: World) -> list[Document]:
    """Stores customers with everything, and many rows in every list."""
    customers = [await world.everything() for _ in range(CUSTOMERS)]
    for customer in customers:
        for collection in COLLECTION_OF.values():
            (template, *_) = await world.store.find(collection, {"customerId": customer["_id"]}, limit=1)
            # A link is sealed for its own request.
            shared = {key: template[key] for key in template.keys() - {"_id", "customerId", "seq", "_key", "link"}}
            rows = [shared | moment(collection, number) for number in range(ROWS)]
            written = await world.many(collection, customer, *rows)
            if collection in SENT:
                name, key = SENT[collection]
                await world.many(name, customer, *({key: row["_id"]} for row in written for _ in range(2)))
    await previews.refresh_stale(world.store)
    return customers


def moment(collection: str, number: int) -> Document:
    at = ago(hours=number + 1)
    match collection:
        case "points":
            return {"seq": number + 10, "occurredAt": at}
        case "coupons":
            return {"addedAt": at}
        case "amlChecks":
            return {"startedAt": at}
        case "passes" | "notes" | "orders" | "invoices" | "quotes" | "creditMemos" | "paymentInstruments":
            return {"createdAt": at}
        case "kycRequests" | "kycDocuments":
            return {"createdAt": at}
        case "requests":
            return {"requestedAt": at}
        case "emails":
            return {"sentAt": at}
        case "statuses":
            return {"changedAt": at}
        case _:
            return {"occurredAt": at}


async def work(store: Store, commands: Commands, query: str, ids: list[str]) -> float:
    """In units, once plans are made and compiled."""
    operation, execution = operation_of(parse(query)), Execution()
    viewer = Viewer("tess", "Tess", frozenset({Role.ADMIN}))
    gate = Gate(store, viewer, masks_for)
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    for is_counted in (False, False, False, True):
        commands.clear()
        changes = Changes(store, CustomerLocks(), viewer, NOW, "", DeliveryPolicy(wallet=True))
        context = Context(viewer, NOW, changes, lambda: Loaders(store, gate))
        sys.setprofile(count if is_counted else None)
        try:
            result = await executed(execution, executable, operation, {"ids": ids}, context)
        finally:
            sys.setprofile(None)
        assert result.errors is None
    sent = [body for _, body in commands.sent]
    documents = sum([documents_read(await explained(store, body)) for body in sent])
    return REQUEST + COMMAND * len(sent) + CALL * calls + DOCUMENT * documents


async def test_every_field_is_priced_as_the_work_that_it_makes(
    store: Store, commands: Commands, crowd: list[Document]
) -> None:
    ids = [customer["_id"] for customer in crowd]
    ratios: dict[str, float] = {}
    for coordinate, place in part_of(below("Customer").items(), 2):
        query = query_of(place)
        ratios[coordinate] = cost(query, ids=ids) / await work(store, commands, query, ids)
    assert {name: ratio for name, ratio in ratios.items() if not 1 / FACTOR <= ratio <= FACTOR} == {}


def query_of(place: Place) -> str:
    return f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {place.selection} }} }} }}"
