"""Requests on their way to the system that does them, and outcomes on their way back, over real sockets."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from app.delivery.executors import is_public
from app.domain.access import Role
from app.domain.signatures import BadSignature, signed, verify
from app.http.tokens import verifier
from app.main import build_app, routes
from app.services.changes import DeliveryPolicy
from app.services.request_job import RequestExpiry
from app.settings import Limits
from app.store.driver import Document, Store, UpdateOne
from tests.support.executor import (
    OTHER_SECRET,
    SECRET,
    TEXT,
    Executor,
    call_back,
    relay_to,
    running_executor,
    send,
)
from tests.support.gateway import Ask
from tests.support.mutations import REQUEST, request_of
from tests.support.tokens import AUTHORITY, token
from tests.support.tokens import SECRET as TOKEN_SECRET
from tests.support.world import World

READ = f"query($id: ID!) {{ node(id: $id) {{ ... on Request {{ {REQUEST.partition('{')[2].rpartition('}')[0]} }} }} }}"


@pytest.fixture
async def executor() -> AsyncGenerator[Executor]:
    """Runs an executor."""
    async with running_executor() as executor:
        yield executor


@pytest.fixture
async def client(store: Store, executor: Executor, limits: Limits) -> AsyncGenerator[httpx2.AsyncClient]:
    """Calls a gateway that has the executor connected."""
    async with calling(store, executor, limits) as client:
        yield client


@asynccontextmanager
async def calling(store: Store, executor: Executor, limits: Limits) -> AsyncGenerator[httpx2.AsyncClient]:
    authenticate = verifier(jwks_url=None, secret=TOKEN_SECRET, **AUTHORITY).viewer
    outgoing = DeliveryPolicy(executors=executor.connected)
    app = build_app(routes(store.database, authenticate, timeout_seconds=60, limits=limits, outgoing=outgoing))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        yield client


async def asked(ask: Ask, mutation: str, key: str = "k", **given: Any) -> Document:
    answer = await ask(request_of(mutation), input={"idempotencyKey": key, **given})
    assert "errors" not in answer, answer
    return answer["data"][mutation]


async def refund(ask: Ask, world: World, customer: Document | None = None) -> Document:
    ada = customer or await world.customer(identities=[{"source": "biller", "id": "B-1"}])
    amount = {"amount": Decimal(50), "currency": "EUR"}
    sale = await world.transaction(ada, number="S-7", type="SALE", status="ACCEPTED", amount=amount)
    return (await asked(ask, "requestRefund", transactionId=sale["_id"], description="Broken"))["request"]


async def now(ask: Ask, request: Document) -> Document:
    return (await ask(READ, id=request["id"]))["data"]["node"]


# ---------------------------------------------------------------- there


async def test_a_request_is_handed_over_once_signed_and_thin(
    ask: Ask, world: World, store: Store, executor: Executor
) -> None:
    request = await refund(ask, world)
    assert (request["status"], request["executor"]) == ("QUEUED", "ENDPOINT")
    async with relay_to(executor, store) as relay:
        await relay.once()
        await relay.once()
    assert executor.ids == [request["id"]]
    (message,) = executor.messages
    data = message["data"]
    assert data["kind"] == "REFUND"
    assert data["attributes"] == {"amount": {"amount": "50", "currency": "EUR"}, "description": "Broken"}
    assert (data["target"]["number"], data["customer"]["identities"]) == ("S-7", [{"source": "biller", "id": "B-1"}])
    seen = await now(ask, request)
    assert (seen["status"], seen["open"]) == ("SENT", True)  # received is not done
    assert seen["delivery"] == {"status": "SENT", "attempts": 1, "error": None}


async def test_what_differs_from_a_plan_is_sent_as_it_is(
    ask: Ask, world: World, store: Store, executor: Executor
) -> None:
    ada = await world.customer()
    differs = '{"price": {"formula": "tiered", "brackets": [{"max": 10, "price": 9.5}]}, "trial": null}'
    items = [{"planId": "premium", "quantity": 1, "overrides": differs}]
    await asked(ask, "requestOrder", customerId=ada["_id"], kind="SUBSCRIPTION", website="main", items=items)
    async with relay_to(executor, store) as relay:
        await relay.once()
    (message,) = executor.messages
    assert message["data"]["attributes"]["items"] == [{**items[0], "overrides": json.loads(differs)}]


@pytest.mark.parametrize(
    "overrides",
    [
        *("", "[]", "1", '{"a": 1', '{"a": NaN}', '{"a": 100000000000000000000}', '{"a": "\\u0000"}'),
        *('{"a":' * 20 + "{}" + "}" * 20, "{" * 3_000),
        *('{"a": "' + "x" * 10_000 + '"}', '{"a": "' + "x" * 1_001 + '"}'),
    ],
    ids=lambda text: text[:30],
)
async def test_what_could_not_be_sent_is_not_taken(ask: Ask, world: World, overrides: str) -> None:
    ada = await world.customer()
    items = [{"planId": "premium", "quantity": 1, "overrides": overrides}]
    given: dict[str, Any] = {"customerId": ada["_id"], "kind": "SUBSCRIPTION", "website": "main", "items": items}
    payload = await asked(ask, "requestOrder", **given)
    (error,) = payload["userErrors"]
    assert (error["code"], error["field"][0]) == ("INVALID", "items")


@pytest.mark.parametrize(
    ("status", "after"),
    [(500, "QUEUED"), (302, "QUEUED"), (401, "QUEUED"), (410, "UNDELIVERED"), (422, "UNDELIVERED")],
)
async def test_what_is_not_received_is_tried_again_or_said_to_be_undelivered(
    ask: Ask, world: World, store: Store, executor: Executor, status: int, after: str
) -> None:
    request = await refund(ask, world)
    executor.status, executor.headers = status, {"Location": "/elsewhere"}
    async with relay_to(executor, store) as relay:
        await relay.once()
    seen = await now(ask, request)
    assert seen["status"] == after
    assert str(status) in seen["delivery"]["error"]
    assert len(executor.messages) == 1  # a redirect is not followed
    titles = [each["type"] for each in await store.find("activities", {})]
    assert titles == ["REQUEST_MADE", *(["REQUEST_NOT_DELIVERED"] if after == "UNDELIVERED" else [])]


async def test_what_was_given_up_is_open_until_it_is_sent_again(
    ask: Ask, world: World, store: Store, executor: Executor, client: httpx2.AsyncClient
) -> None:
    request = await refund(ask, world)
    executor.status = 422
    async with relay_to(executor, store) as relay:
        await relay.once()
        seen = await now(ask, request)
        assert (seen["status"], seen["open"]) == ("UNDELIVERED", True)
        cancelled = await asked(ask, "cancelRequest", "c", requestId=request["id"], reason="No more")
        assert [error["code"] for error in cancelled["userErrors"]] == ["WRONG_STATE"]
        executor.status = 200
        retried = await asked(ask, "retryRequest", "r", requestId=request["id"])
        assert retried["request"]["status"] == "QUEUED"
        await relay.once()
    assert (await now(ask, request))["status"] == "SENT"
    assert executor.ids == [request["id"], request["id"]]


async def test_a_request_that_was_never_sent_can_be_called_off(
    ask: Ask, world: World, store: Store, executor: Executor
) -> None:
    request = await refund(ask, world)
    payload = await asked(ask, "cancelRequest", "c", requestId=request["id"], reason="A mistake")
    assert payload["request"]["status"] == "CANCELLED"
    called_off = {"status": "FAILED", "attempts": 0, "error": "It was called off before it was sent."}
    assert payload["request"]["delivery"] == called_off
    async with relay_to(executor, store) as relay:
        await relay.once()
    assert executor.messages == []
    assert (await now(ask, request))["delivery"] == called_off


async def test_a_request_that_was_tried_cannot_be_called_off(
    ask: Ask, world: World, store: Store, executor: Executor
) -> None:
    request = await refund(ask, world)
    executor.status = 500
    async with relay_to(executor, store) as relay:
        await relay.once()
    payload = await asked(ask, "cancelRequest", "c", requestId=request["id"], reason="A mistake")
    assert [error["code"] for error in payload["userErrors"]] == ["WRONG_STATE"]


async def test_a_private_address_is_no_target(ask: Ask, world: World, store: Store, executor: Executor) -> None:
    request = await refund(ask, world)
    executor.private = False
    async with relay_to(executor, store) as relay:
        await relay.once()
    assert executor.messages == []
    assert "private address" in (await now(ask, request))["delivery"]["error"]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"),
        *("224.0.0.1", "255.255.255.255", "ff02::1", "::"),
    ],
)
def test_an_address_of_ours_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


async def test_a_secret_is_handed_on_and_forgotten(ask: Ask, world: World, store: Store, executor: Executor) -> None:
    ada = await world.customer()
    await asked(ask, "requestPaymentInstrument", customerId=ada["_id"], token="tok_canary")
    (stored,) = await store.find("requests", {})
    assert "tok_canary" not in str(stored)
    async with relay_to(executor, store) as relay:
        await relay.once()
    assert executor.messages[0]["data"]["attributes"] == {"token": "tok_canary"}
    (stored,) = await store.find("requests", {})
    assert "sealed" not in stored


# ---------------------------------------------------------------- and back


async def test_an_outcome_comes_back_once_however_often_it_is_sent(
    ask: Ask, world: World, store: Store, executor: Executor, client: httpx2.AsyncClient
) -> None:
    request = await refund(ask, world)
    async with relay_to(executor, store) as relay:
        await relay.once()
    for _ in range(3):
        answer = await call_back(client, request["id"], "SUCCEEDED", reference="RF-1")
        assert answer.status_code == 200
    seen = await now(ask, request)
    assert (seen["status"], seen["reference"], len(seen["outcomes"])) == ("SUCCEEDED", "RF-1", 1)
    assert seen["outcomes"][0]["by"] == {"userId": "endpoint:billing", "kind": "API"}
    again = await call_back(client, request["id"], "FAILED")
    assert (again.status_code, again.json()["errors"][0]["extensions"]["code"]) == (422, "IDEMPOTENCY_CONFLICT")


async def test_while_one_secret_replaces_the_other_each_of_them_is_good(
    ask: Ask, world: World, store: Store, executor: Executor, limits: Limits
) -> None:
    one, two = [await refund(ask, world, await world.customer()) for _ in range(2)]
    executor.secrets = (OTHER_SECRET, SECRET)
    async with relay_to(executor, store) as relay, calling(store, executor, limits) as client:
        executor.secrets = (SECRET,)  # it does not know the new one yet
        await relay.once()
        assert sorted(executor.ids) == sorted([one["id"], two["id"]])
        for request, secret in ((one, SECRET), (two, OTHER_SECRET)):
            assert (await call_back(client, request["id"], "SUCCEEDED", secret=secret)).status_code == 200
    for request in (one, two):
        assert (await now(ask, request))["status"] == "SUCCEEDED"


async def test_an_outcome_may_be_faster_than_the_answer(
    ask: Ask, world: World, store: Store, executor: Executor, client: httpx2.AsyncClient
) -> None:
    request = await refund(ask, world)
    assert (await call_back(client, request["id"], "SUCCEEDED")).status_code == 200
    async with relay_to(executor, store) as relay:
        await relay.once()
    seen = await now(ask, request)
    assert (seen["status"], seen["delivery"]["status"]) == ("SUCCEEDED", "SENT")
    assert executor.messages == []  # what is done is not asked for any more


async def test_an_outcome_shows_that_what_was_given_up_had_been_received(
    ask: Ask, world: World, store: Store, executor: Executor, client: httpx2.AsyncClient
) -> None:
    request = await refund(ask, world)
    executor.status = 422
    async with relay_to(executor, store) as relay:
        await relay.once()
    assert (await call_back(client, request["id"], "SUCCEEDED")).status_code == 200
    assert (await now(ask, request))["status"] == "SUCCEEDED"


async def test_a_closed_account_takes_outcomes(
    ask: Ask, world: World, store: Store, client: httpx2.AsyncClient
) -> None:
    ada = await world.customer()
    request = await refund(ask, world, ada)
    closed = UpdateOne({"_id": ada["_id"]}, {"$set": {"status": "ANONYMISED"}})
    await store.write("customers", [closed])
    assert (await call_back(client, request["id"], "SUCCEEDED")).status_code == 200


BODY = {"status": "SUCCEEDED", "requestId": "req_nobody"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 422, "INVALID"),
        (b"[]", 422, "INVALID"),
        (b"\xff", 422, "INVALID"),
        (json.dumps({**BODY, "odd": 1}).encode(), 422, "INVALID"),
        (json.dumps({"status": "SUCCEEDED"}).encode(), 422, "INVALID"),
        (json.dumps({**BODY, "status": "QUEUED"}).encode(), 422, "INVALID"),
        (json.dumps({**BODY, "at": "yesterday"}).encode(), 422, "INVALID"),
        (json.dumps({**BODY, "results": ["x"]}).encode(), 422, "INVALID"),
        (json.dumps({**BODY, "results": ["txn_" + "x" * 2_000]}).encode(), 422, "INVALID"),
        (json.dumps(BODY).encode(), 404, "NOT_FOUND"),
        (json.dumps({**BODY, "requestId": "x"}).encode(), 404, "NOT_FOUND"),
        (b"x" * 70_000, 413, "REQUEST_TOO_LARGE"),
    ],
    ids=lambda value: value[:60] if isinstance(value, bytes) else "",
)
async def test_a_wrong_callback_is_refused_with_a_code(
    client: httpx2.AsyncClient, body: bytes, status: int, code: str
) -> None:
    answer = await send(client, body)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (status, code)


async def test_a_callback_that_is_not_signed_or_late_is_refused(
    ask: Ask, world: World, client: httpx2.AsyncClient, store: Store
) -> None:
    request = await refund(ask, world)
    body = json.dumps({"requestId": request["id"], "status": "SUCCEEDED"}).encode()
    for answer in (
        await client.post("/callbacks/requests", content=body),
        await send(client, body, secret=OTHER_SECRET),
        await send(client, body, late=1_000),
        await send(client, body, late=-1_000),
    ):
        assert answer.status_code == 401
    assert (await now(ask, request))["outcomes"] == []


async def test_a_link_that_nobody_follows_expires_and_a_later_truth_stands(
    ask: Ask, world: World, store: Store, executor: Executor, client: httpx2.AsyncClient
) -> None:
    ada = await world.customer()
    request = (await asked(ask, "requestPortalLink", customerId=ada["_id"], portalId="main"))["request"]
    soon = datetime.now(UTC) - timedelta(seconds=1)
    link = {"url": "https://portal.example.com/key", "expiresAt": soon.isoformat()}
    assert (await call_back(client, request["id"], "ACTION_REQUIRED", attributes=link)).status_code == 200
    assert (await now(ask, request))["link"] is None
    expiry = RequestExpiry(store, executor.connected)
    await expiry.once()
    await expiry.once()
    seen = await now(ask, request)
    assert (seen["status"], seen["open"]) == ("EXPIRED", False)
    (stored,) = await store.find("requests", {})
    assert "link" not in stored
    earlier = (soon - timedelta(minutes=1)).isoformat()
    answer = await call_back(client, request["id"], "SUCCEEDED", message_id="msg_2", at=earlier)
    assert answer.status_code == 200
    # As if it had come before the link: the clock of an executor may be behind ours, by which the link has its time.
    assert (await now(ask, request))["status"] == "SUCCEEDED"
    await call_back(client, request["id"], "FAILED", message_id="msg_3")
    assert (await now(ask, request))["status"] == "REVERSED"


async def test_a_system_completes_by_token(ask: Ask, world: World) -> None:
    request = await refund(ask, world)
    text = request_of("completeRequest")
    given = {"requestId": request["id"], "status": "FAILED", "code": "declined", "idempotencyKey": "c"}
    answer = await ask(text, token=token(Role.API_USER, subject="biller"), input=given)
    assert answer["data"]["completeRequest"]["request"]["status"] == "FAILED"


# ---------------------------------------------------------------- signatures


def test_signatures_are_those_of_standard_webhooks() -> None:
    body = b'{"a": 1}'
    headers = signed([SECRET, OTHER_SECRET], "req_1", int(datetime.now(UTC).timestamp()), body)
    Webhook(TEXT).verify(body.decode(), headers)
    at = datetime.now(UTC)
    theirs = Webhook(TEXT).sign("msg_1", at, body.decode())
    given = {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": theirs}
    assert verify([OTHER_SECRET, SECRET], given, body, now=at.timestamp()) == "msg_1"
    with pytest.raises(BadSignature):
        verify([OTHER_SECRET], given, body, now=at.timestamp())
    with pytest.raises(BadSignature):
        verify([SECRET], given, body + b" ", now=at.timestamp())


# ---------------------------------------------------------------- a company's own kinds


async def test_a_kind_of_the_companys_own_is_asked_for_by_request(
    ask: Ask, world: World, store: Store, executor: Executor
) -> None:
    ada = await world.customer()
    given: Document = {
        "kind": "GIFT_CARD",
        "customerId": ada["_id"],
        "attributes": [{"name": "value", "value": "5.00 EUR"}],
    }
    made = (await asked(ask, "request", **given))["request"]
    assert (made["title"], made["executor"]) == ("Gift card", "ENDPOINT")
    async with relay_to(executor, store) as relay:
        await relay.once()
    assert executor.messages[0]["data"]["attributes"] == {"value": {"amount": "5.00", "currency": "EUR"}}
    unknown = {"attributes": [{"name": "x", "value": "1"}]}
    faults: list[Document] = [{"kind": "GIFT_CART"}, {"kind": "REFUND"}, {"attributes": []}, unknown]
    for wrong in faults:
        payload = await asked(ask, "request", "other", **{**given, **wrong})
        assert {error["code"] for error in payload["userErrors"]} <= {"INVALID", "REQUEST_OPEN"}
        assert payload["userErrors"]


async def test_kinds_say_what_a_form_needs(ask: Ask) -> None:
    answer = await ask("{ requestKinds { code mutation allowed executor target attributes { name kind required } } }")
    kinds = {each["code"]: each for each in answer["data"]["requestKinds"]}
    value = {"name": "value", "kind": "MONEY", "required": True}
    assert kinds["GIFT_CARD"] == {
        "code": "GIFT_CARD",
        "mutation": "request",
        "allowed": True,
        "executor": "ENDPOINT",
        "target": None,
        "attributes": [value],
    }
    assert (kinds["REFUND"]["mutation"], kinds["REFUND"]["target"]) == ("requestRefund", "Transaction")
