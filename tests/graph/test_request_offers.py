"""What a tile offers to do about refunds and requests: exactly what would be accepted, of this viewer, now."""

import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Any, Final

import httpx2
import pytest

from app.domain.access import PERMITTED, Permission, Role
from app.domain.executors import Endpoint, Executors
from app.domain.external_requests import MOST_OUTCOMES, OPEN
from app.domain.vocabulary import RequestStatus
from app.http.tokens import verifier
from app.main import build_app, routes
from app.services.changes import DeliveryPolicy
from app.services.points import SYSTEM
from app.settings import Limits
from app.store.driver import Document, Store
from tests.support.commands import Commands
from tests.support.gateway import Ask
from tests.support.mutations import request_of
from tests.support.tokens import AUTHORITY, token
from tests.support.tokens import SECRET as TOKEN_SECRET
from tests.support.world import NOW, World, ago

SHOWN: Final = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Activity { availableActions } } }"
MUTATIONS: Final[Mapping[str, tuple[str, Document]]] = {
    "COMPLETE_REQUEST": ("completeRequest", {"status": "SUCCEEDED"}),
    "CANCEL_REQUEST": ("cancelRequest", {"reason": "Why not"}),
    "RETRY_REQUEST": ("retryRequest", {}),
}
SENDING: Final[Sequence[Document]] = (
    {"executor": "MANUAL"},
    {"executor": "ENDPOINT", "endpoint": "billing", "deliveryStatus": "QUEUED", "attempts": 0},
    {"executor": "ENDPOINT", "endpoint": "billing", "deliveryStatus": "FAILED", "attempts": 3},
)
KINDS: Final = ("PAYOUT", "PAYMENT", "LOST_CARD")
"""Kinds: an endpoint does the first, a person the second, and the file of kinds does not have the last any more."""
CUSTOMERS: Final = ("ACTIVE", "ACTIVE", "BLOCKED", "DEACTIVATED", "ANONYMISED", "MERGED")


@pytest.fixture
async def client(store: Store, limits: Limits) -> AsyncGenerator[httpx2.AsyncClient]:
    """Calls a gateway that has a system connected, to which nothing is ever sent: there is no relay."""
    authenticate = verifier(jwks_url=None, secret=TOKEN_SECRET, **AUTHORITY).viewer
    billing = Endpoint("billing", "https://billing.example.com", (b"x" * 32,), frozenset({"PAYOUT"}))
    outgoing = DeliveryPolicy(executors=Executors(endpoints={"billing": billing}))
    app = build_app(routes(store.database, authenticate, timeout_seconds=60, limits=limits, outgoing=outgoing))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        yield client


def bearer_of(role: Role, customer: Document) -> str:
    return token(
        role,
        customer_id=customer["_id"] if role == Role.CUSTOMER else None,
        affiliate_id="aff-1" if role == Role.AFFILIATE else None,
    )


async def offered(ask: Ask, bearer: str, tiles: Sequence[Document]) -> list[set[str]]:
    answer = await ask(SHOWN, token=bearer, ids=[tile["_id"] for tile in tiles])
    data: dict[str, Any] = answer.get("data") or {"nodes": [None] * len(tiles)}  # who is not active reads nothing
    return [set(node["availableActions"]) if node else set() for node in data["nodes"]]


async def is_accepted(ask: Ask, bearer: str, mutation: str, given: Mapping[str, Any]) -> bool:
    answer = await ask(
        request_of(mutation), token=bearer, input={**given, "idempotencyKey": str(sorted(given.items()))}
    )
    data: Document = answer.get("data") or {}
    payload = data.get(mutation)
    return payload is not None and payload["userErrors"] == []


@pytest.mark.parametrize("role", Role)
async def test_what_can_be_done_with_a_request_is_offered(role: Role, ask: Ask, world: World) -> None:
    chance = random.Random(role)
    every = list(product(RequestStatus, KINDS, SENDING, CUSTOMERS))
    found: set[str] = set()
    waiting = [(RequestStatus.QUEUED, "PAYOUT", SENDING[1], "ACTIVE")]
    given_up = [(RequestStatus.UNDELIVERED, "PAYOUT", SENDING[2], "ACTIVE")]
    for status, kind, sending, customer_status in [*waiting, *given_up, *chance.sample(every, 20)]:
        ada = await world.customer(status=customer_status, affiliateId="aff-1")
        bearer = bearer_of(role, ada)
        outcome = {"status": "ACTION_REQUIRED", "at": ago(days=2), "recordedAt": NOW, "by": SYSTEM, "decided": True}
        keys = {"kind": kind, "status": status.value, "open": status in OPEN, **sending}
        keys["outcomes"] = [outcome] * chance.choice((0, 1, MOST_OUTCOMES))
        requests = [await world.request(ada, **keys) for _ in MUTATIONS]
        tiles = await world.many(
            "activities", ada, *({"type": "REQUEST_MADE", "subjectId": each["_id"]} for each in requests)
        )
        offers = await offered(ask, bearer, tiles)
        assert all(each == offers[0] for each in offers)
        accepted = {
            action
            for request, (action, (mutation, given)) in zip(requests, MUTATIONS.items(), strict=True)
            if await is_accepted(ask, bearer, mutation, {"requestId": request["_id"], **given})
        }
        assert offers[0] == accepted, (role, status, kind, sending, customer_status)
        found |= accepted
    may_complete = role in PERMITTED[Permission.COMPLETE_REQUEST]
    assert ("COMPLETE_REQUEST" in found) == may_complete
    if role == Role.ADMIN:
        assert found == MUTATIONS.keys()


def refund(status: str, amount: str = "20.00") -> Document:
    money = {"amount": {"amount": Decimal(amount), "currency": "EUR"}}
    return {"kind": "REFUND", "status": status, "open": status in OPEN, "attributes": money, "requestedAt": ago(days=1)}


SALES: Final[Mapping[str, tuple[Document, Sequence[Document], Sequence[Document]]]] = {
    "a sale": ({}, (), ()),
    "without an amount": ({"amount": None}, (), ()),
    "a refund": ({"type": "REFUND"}, (), ()),
    "voided": ({"status": "VOIDED"}, (), ()),
    "refunded in part": ({"status": "PARTIALLY_REFUNDED"}, [{"amount": "20.00"}], ()),
    "refunded whole": ({}, [{"amount": "20.00"}, {"amount": "30.00"}], ()),
    "asked for": ({}, (), [refund("SENT")]),
    "not delivered": ({}, (), [refund("UNDELIVERED")]),
    "done in part": ({}, (), [refund("SUCCEEDED")]),
    "done whole": ({}, (), [refund("SUCCEEDED", "50.00")]),
    "failed": ({}, (), [refund("FAILED", "50.00")]),
}
"""What differs from a plain sale, the refunds that its source reports, and what is asked for."""


async def sale(world: World, customer: Document, name: str) -> Document:
    given, refunds, requests = SALES[name]
    amount = {"amount": Decimal("50.00"), "currency": "EUR"}
    keys = {"type": "SALE", "status": "ACCEPTED", "amount": amount, "occurredAt": ago(days=3), **given}
    made = await world.transaction(customer, **{key: value for key, value in keys.items() if value is not None})
    for each in refunds:
        money = {"amount": Decimal(each["amount"]), "currency": "EUR"}
        reported: Document = {"type": "REFUND", "status": "ACCEPTED", "occurredAt": ago(days=2)}
        await world.transaction(customer, **reported, amount=money, refundOfId=made["_id"])
    for each in requests:
        await world.request(customer, targetId=made["_id"], **each)
    return made


@pytest.mark.parametrize("role", Role)
async def test_a_refund_that_would_be_accepted_is_offered(role: Role, ask: Ask, world: World) -> None:
    found: dict[str, bool] = {}
    for status in dict.fromkeys(CUSTOMERS):
        ada = await world.customer(status=status, affiliateId="aff-1")
        sales = {name: await sale(world, ada, name) for name in SALES}
        subjects = [{"type": "PAYMENT_SUCCEEDED", "subjectId": each["_id"]} for each in sales.values()]
        tiles = await world.many("activities", ada, *subjects)
        bearer = bearer_of(role, ada)
        shown = await offered(ask, bearer, tiles)
        for offers, (name, each) in zip(shown, sales.items(), strict=True):
            accepted = await is_accepted(ask, bearer, "requestRefund", {"transactionId": each["_id"]})
            assert offers == ({"REQUEST_REFUND"} if accepted else set()), (role, status, name)
            found[name] = found.get(name, False) or accepted
    refundable = {"a sale", "refunded in part", "done in part", "failed"}
    expected = refundable if role in PERMITTED[Permission.REQUEST_REFUND] else set[str]()
    assert {name for name, accepted in found.items() if accepted} == expected


async def test_a_refund_of_somebody_else_s_sale_is_not_offered(ask: Ask, world: World) -> None:
    ada, bob = await world.customer(), await world.customer()
    theirs = await sale(world, bob, "a sale")
    (tile,) = await world.many("activities", ada, {"type": "PAYMENT_SUCCEEDED", "subjectId": theirs["_id"]})
    assert await offered(ask, token(), [tile]) == [set()]


async def test_what_is_offered_of_many_sales_is_read_at_once(ask: Ask, world: World, commands: Commands) -> None:
    ada = await world.customer()
    for count in (1, 20):
        sales = [await sale(world, ada, "a sale") for _ in range(count)]
        subjects = [{"type": "PAYMENT_SUCCEEDED", "subjectId": each["_id"]} for each in sales]
        tiles = await world.many("activities", ada, *subjects)
        commands.clear()
        assert await offered(ask, token(), tiles) == [{"REQUEST_REFUND"}] * count
        assert len(commands.sent) == 1 + 1 + 3, commands.sent
