"""Webhooks: endpoints of administrators, and messages about the feed to a real receiver, over real sockets."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from structlog.testing import capture_logs

from app.delivery.webhooks import MAX_BYTES, WebhookSender
from app.domain.access import Role
from app.domain.ids import new_id
from app.domain.webhooks import MAX_ENDPOINTS, PAUSES
from app.http.tokens import verifier
from app.main import build_app, routes
from app.services.changes import DeliveryPolicy
from app.services.feed import last_sequence, number_entries
from app.services.merge_job import Mover
from app.settings import Limits
from app.store.driver import Document, Store, UpdateMany, UpdateOne
from tests.support.gateway import Ask
from tests.support.mutations import (
    ADD_NOTE,
    ANONYMISE,
    CREATE_WEBHOOK_ENDPOINT,
    DELETE_WEBHOOK_ENDPOINT,
    MERGE_CUSTOMERS,
    REDELIVER_WEBHOOKS,
    ROTATE_WEBHOOK_SECRET,
    UPDATE_WEBHOOK_ENDPOINT,
)
from tests.support.relays import until
from tests.support.tokens import AUTHORITY, SECRET, token
from tests.support.webhook_receiver import WebhookReceiver, webhook_receiver
from tests.support.world import World

DELIVERIES = """query($id: ID!, $filter: WebhookDeliveryFilter, $first: Int, $after: String) { node(id: $id) {
  ... on WebhookEndpoint { deliveries(filter: $filter, first: $first, after: $after) { totalCount
    pageInfo { hasNextPage endCursor }
    nodes { id type revision sequence status attempts error nextAttemptAt deliveredAt settledAt
      customer { id } endpoint { id } } } } } }"""
TAG = "mutation($input: TagCustomerInput!) { tagCustomer(input: $input) { userErrors { code } } }"
(EXAMPLE,) = re.findall(r"^```python\n(.*?)^```", Path("docs/webhooks.md").read_text(), re.MULTILINE | re.DOTALL)
keys = map(str, range(10**9))


@pytest.fixture
async def receiver() -> AsyncGenerator[WebhookReceiver]:
    """Runs a receiver."""
    async with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
async def client(store: Store, limits: Limits) -> AsyncGenerator[httpx2.AsyncClient]:
    """Calls a gateway whose webhooks may go to this machine, as those of the demo may."""
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    outgoing = DeliveryPolicy(loopback_webhooks=True)
    app = build_app(routes(store.database, authenticate, timeout_seconds=60, limits=limits, outgoing=outgoing))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        yield client


@pytest.fixture
async def sender(store: Store) -> AsyncGenerator[WebhookSender]:
    """Makes a sender that a test drives."""
    async with WebhookSender.open(store, partial(last_sequence, store), loopback=True) as sender:
        yield sender


async def changed(ask: Ask, mutation: str, **given: Any) -> Document:
    answer = await ask(mutation, input={"idempotencyKey": next(keys), **given})
    assert "errors" not in answer, answer
    (payload,) = answer["data"].values()
    return payload


async def endpoint_at(ask: Ask, url: str, **given: Any) -> Document:
    """Creates an endpoint, and returns it with its secret."""
    payload = await changed(ask, CREATE_WEBHOOK_ENDPOINT, name="CRM", url=url, **given)
    assert payload["userErrors"] == []
    return {**payload["webhookEndpoint"], "secret": payload["secret"]}


async def note(ask: Ask, store: Store, customer: Document, message: str = "Called back.") -> None:
    """Makes a change, which is numbered at once."""
    await changed(ask, ADD_NOTE, customerId=customer["_id"], message=message)
    await number_entries(store)


async def deliveries(ask: Ask, endpoint: Document, **given: Any) -> list[Document]:
    """Returns the deliveries of an endpoint as the schema shows them, the oldest first."""
    answer = await ask(DELIVERIES, id=endpoint["id"], **given)
    assert "errors" not in answer, answer
    return answer["data"]["node"]["deliveries"]["nodes"][::-1]


async def now(store: Store, endpoint: Document) -> Document:
    (found,) = await store.find("webhookEndpoints", {"_id": endpoint["id"]})
    return found


async def make_due(store: Store) -> None:
    """Makes all that waits due, as if pauses were over."""
    due = {"$set": {"dueAt": datetime.now(UTC) - timedelta(seconds=1)}}
    await store.write("webhookDeliveries", [UpdateMany({"dueAt": {"$exists": True}}, due)])


# ---------------------------------------------------------------- messages


async def test_a_message_is_signed_thin_and_sent_once(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    ada = await world.customer(name="canary-name", email="canary@example.com")
    endpoint = await endpoint_at(ask, receiver.url)
    await note(ask, store, ada, "canary-message")
    await sender.once()
    await sender.once()
    (message,) = receiver.messages
    assert Webhook(endpoint["secret"]).verify(message.body, dict(message.headers))
    (entry,) = await store.find("feed", {})
    body = json.loads(message.body)
    assert datetime.fromisoformat(body.pop("timestamp")) == entry["at"]
    assert body == {
        "type": "note.added",
        "data": {
            "customerId": ada["_id"],
            "revision": entry["revision"],
            "sequence": 1,
            "kind": "CHANGED",
            "activityIds": entry["addedIds"],
            "activityTypes": ["NOTE_ADDED"],
            "partial": False,
        },
    }
    assert b"canary" not in message.body
    assert message.headers["content-type"] == "application/json"
    (delivery,) = await deliveries(ask, endpoint)
    assert delivery["id"] == message.id
    assert delivery == {
        **delivery,
        "type": "note.added",
        "status": "DELIVERED",
        "attempts": 1,
        "error": None,
        "nextAttemptAt": None,
        "customer": {"id": ada["_id"]},
        "endpoint": {"id": endpoint["id"]},
    }
    assert delivery["deliveredAt"] == delivery["settledAt"] is not None


async def test_two_secrets_sign_until_the_old_one_is_dropped(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    ada, endpoint = await world.customer(), await endpoint_at(ask, receiver.url)
    rotated = await changed(ask, ROTATE_WEBHOOK_SECRET, endpointId=endpoint["id"])
    assert rotated["webhookEndpoint"]["secretCount"] == 2
    await note(ask, store, ada)
    await sender.once()
    third = await changed(ask, ROTATE_WEBHOOK_SECRET, endpointId=endpoint["id"], dropOld=True)
    assert third["webhookEndpoint"]["secretCount"] == 1
    await note(ask, store, ada)
    await sender.once()
    first, second = receiver.messages
    assert len(first.headers["webhook-signature"].split(" ")) == 2
    for secret in (endpoint["secret"], rotated["secret"]):
        assert Webhook(secret).verify(first.body, dict(first.headers))
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(second.body, dict(second.headers))
    assert Webhook(third["secret"]).verify(second.body, dict(second.headers))


async def test_types_choose_messages_and_merges_and_erasures_are_always_told(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    ada, bob, eve = [await world.customer() for _ in range(3)]
    endpoint = await endpoint_at(ask, receiver.url, types=["CUSTOMER_TAGGED"])
    await note(ask, store, ada)
    await changed(ask, TAG, customerId=ada["_id"], tag="vip")
    await changed(ask, MERGE_CUSTOMERS, intoId=ada["_id"], ids=[bob["_id"]], reason="One person")
    await Mover(store).once()
    await changed(ask, ANONYMISE, customerId=eve["_id"], confirmNumber=eve["number"], reason="Article 17")
    await number_entries(store)
    await sender.once()
    told = [(each.type, each.data["customerId"], each.data["kind"]) for each in receiver.messages]
    assert ("customer.tagged", ada["_id"], "CHANGED") in told
    assert ("customer.merged", bob["_id"], "MERGED") in told
    assert ("customer.erased", eve["_id"], "ERASED") in told
    assert "note.added" not in [type_ for type_, *_ in told]
    assert (await now(store, endpoint))["position"] == await last_sequence(store)


async def test_an_endpoint_is_told_of_what_comes_after_it(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    ada = await world.customer()
    await note(ask, store, ada)
    await endpoint_at(ask, receiver.url)
    await sender.once()
    assert receiver.messages == []
    await note(ask, store, ada)
    await sender.once()
    assert [each.data["sequence"] for each in receiver.messages] == [2]


async def test_several_types_are_one_message_and_a_long_one_leaves_its_lists_out(
    store: Store, ask: Ask, world: World, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    ada = await world.customer()
    await endpoint_at(ask, receiver.url)
    shape = {"customerId": ada["_id"], "at": datetime.now(UTC), "kind": "CHANGED", "isUnnumbered": True}
    ids = [new_id("activities") for _ in range(200)]
    types = [["BIRTHDAY", "NOTE_ADDED"], ["MOON_PHASE_SEEN"], [], ["X" * 200 + str(n) for n in range(100)]]
    for revision, each in enumerate(types, 1):
        lists = {"collections": [], "types": each, "addedIds": ids[: len(each)], "rewrittenIds": ids[:1]}
        await store.insert("feed", [{"_id": f"{ada['_id']}/{revision}", "revision": revision, **shape, **lists}])
    await number_entries(store)
    await sender.once()
    assert [each.type for each in receiver.messages] == ["customer.changed"] * 4
    assert [each.data["activityTypes"] for each in receiver.messages] == [*types[:3], []]
    assert [each.data["partial"] for each in receiver.messages] == [False, False, False, True]
    assert all(len(each.body) <= MAX_BYTES for each in receiver.messages)


async def test_the_example_of_the_page_knows_a_message_and_no_other(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    known: dict[str, Any] = {}
    exec(EXAMPLE, known)  # as it stands there
    endpoint, verify = await endpoint_at(ask, receiver.url), known["verify"]
    rotated = await changed(ask, ROTATE_WEBHOOK_SECRET, endpointId=endpoint["id"])
    await note(ask, store, await world.customer())
    await sender.once()
    (message,) = receiver.messages
    for secret in (endpoint["secret"], rotated["secret"]):
        assert verify(secret, message.headers, message.body) == message.id
        with pytest.raises(ValueError, match="somebody else"):
            verify(secret, message.headers, message.body + b" ")
        late = {**message.headers, "webhook-timestamp": str(int(message.headers["webhook-timestamp"]) - 301)}
        with pytest.raises(ValueError, match="too old"):
            verify(secret, late, message.body)


# ---------------------------------------------------------------- attempts


async def test_a_message_comes_again_under_its_id_and_later_ones_of_its_customer_wait(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    ada, bob = await world.customer(), await world.customer()
    endpoint = await endpoint_at(ask, receiver.url)
    receiver.status = lambda message: 500 if message.data["customerId"] == ada["_id"] else 200
    for customer in (ada, ada, bob, ada, bob):
        await note(ask, store, customer)
    await sender.once()
    await sender.once()
    assert receiver.about(ada) == [1]
    assert receiver.about(bob) == [1, 2]
    rows = [each for each in await deliveries(ask, endpoint) if each["customer"]["id"] == ada["_id"]]
    assert [(each["status"], each["attempts"]) for each in rows] == [("QUEUED", 1), ("QUEUED", 0), ("QUEUED", 0)]
    assert rows[0]["error"] == "It answered 500."
    pause = datetime.fromisoformat(rows[0]["nextAttemptAt"]) - datetime.now(UTC)
    assert timedelta(0) < pause <= PAUSES[0] * 1.1
    assert (await now(store, endpoint))["lastFailure"]["message"] == "It answered 500."
    receiver.status = lambda _: 200
    await make_due(store)
    await sender.once()
    assert receiver.about(ada) == [1, 1, 2, 3]
    first, again, *_ = [each.id for each in receiver.messages if each.data["customerId"] == ada["_id"]]
    assert first == again
    assert {each["status"] for each in await deliveries(ask, endpoint)} == {"DELIVERED"}


async def test_after_ten_attempts_and_75_hours_the_endpoint_is_disabled(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    ada = await world.customer()
    endpoint = await endpoint_at(ask, receiver.url)
    receiver.status = lambda _: 503
    await note(ask, store, ada)
    await note(ask, store, ada)
    assert timedelta(hours=75) <= sum(PAUSES, timedelta()) <= timedelta(hours=76)
    with capture_logs() as logs:
        for _ in range(len(PAUSES) + 1):
            await make_due(store)
            await sender.once()
    assert len(receiver.messages) == 10
    assert {*receiver.ids} == {receiver.ids[0]}
    after = await now(store, endpoint)
    assert (after["status"], after["disabledReason"]) == (
        "DISABLED",
        "10 attempts failed within 75 hours. It answered 503.",
    )
    rows = await deliveries(ask, endpoint)
    assert [(each["status"], each["attempts"]) for each in rows] == [("GIVEN_UP", 10), ("GIVEN_UP", 0)]
    assert rows[1]["error"] == f"The endpoint is disabled: {after['disabledReason']}"
    assert "webhook endpoint disabled" in [line["event"] for line in logs]
    await note(ask, store, ada)
    await sender.once()
    assert len(await deliveries(ask, endpoint)) == 2


async def test_410_disables_at_once_and_what_waits_is_given_up(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    ada = await world.customer()
    endpoint = await endpoint_at(ask, receiver.url)
    receiver.status = lambda _: 410
    for _ in range(3):
        await note(ask, store, ada)
    await sender.once()
    assert len(receiver.messages) == 1
    assert (await now(store, endpoint))["disabledReason"] == "It answered 410: it wants no more messages."
    assert [each["status"] for each in await deliveries(ask, endpoint)] == ["GIVEN_UP"] * 3
    # Enabled again, it is told of what comes from then on; the rest can be sent again.
    receiver.status = lambda _: 200
    await note(ask, store, ada)
    again = await changed(ask, UPDATE_WEBHOOK_ENDPOINT, endpointId=endpoint["id"], enabled=True)
    assert (again["webhookEndpoint"]["status"], again["webhookEndpoint"]["disabledReason"]) == ("ENABLED", None)
    await note(ask, store, ada)
    await sender.once()
    assert receiver.about(ada) == [1, 5]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_a_failure(
    status: int, ask: Ask, world: World, store: Store, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    endpoint = await endpoint_at(ask, receiver.url)
    receiver.status, receiver.headers = lambda _: status, {"Location": "/elsewhere"}
    await note(ask, store, await world.customer())
    await sender.once()
    assert len(receiver.messages) == 1
    (delivery,) = await deliveries(ask, endpoint)
    assert (delivery["status"], delivery["error"]) == ("QUEUED", f"It answered {status}.")


async def test_a_private_address_is_not_called(ask: Ask, world: World, store: Store, receiver: WebhookReceiver) -> None:
    """An address that was let in elsewhere, or leads here by now, is looked at before each attempt."""
    endpoint = await endpoint_at(ask, receiver.url)
    await note(ask, store, await world.customer())
    async with WebhookSender.open(store, partial(last_sequence, store)) as sender:
        await sender.once()
    assert receiver.messages == []
    (delivery,) = await deliveries(ask, endpoint)
    assert delivery["error"] == "127.0.0.1 leads to a private address."


async def test_who_is_not_there_is_tried_again(ask: Ask, world: World, store: Store, sender: WebhookSender) -> None:
    endpoint = await endpoint_at(ask, "http://127.0.0.1:9/hooks")
    await note(ask, store, await world.customer())
    await sender.once()
    (delivery,) = await deliveries(ask, endpoint)
    assert (delivery["status"], delivery["error"]) == ("QUEUED", "The endpoint could not be reached.")


# ---------------------------------------------------------------- senders that end


async def test_a_sender_that_ends_in_the_middle_loses_nothing_and_doubles_under_one_id(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver
) -> None:
    customers = [await world.customer() for _ in range(3)]
    endpoint = await endpoint_at(ask, receiver.url)
    for _ in range(3):
        for customer in customers:
            await note(ask, store, customer)
    receiver.held = asyncio.Event()
    async with WebhookSender.open(store, partial(last_sequence, store), loopback=True) as first:
        task = asyncio.create_task(first.once())
        await until(lambda: len(receiver.messages) == 3)
        assert (await now(store, endpoint))["lease"]["until"] > datetime.now(UTC)
        async with WebhookSender.open(store, partial(last_sequence, store), loopback=True) as other:
            await other.once()  # another has the lease
        assert len(receiver.messages) == 3
        for attempt in [each for each in asyncio.all_tasks() if "_deliver" in repr(each.get_coro())]:
            attempt.cancel()
        task.cancel()
        await asyncio.wait([task])
    receiver.held.set()
    # As a process that is killed leaves it: its lease is there, its position is that before its last batch.
    lease = {"holder": "dead", "until": datetime.now(UTC) + timedelta(hours=1)}
    killed = {"$set": {"lease": lease, "position": 0}}
    await store.write("webhookEndpoints", [UpdateOne({"_id": endpoint["id"]}, killed)])
    async with WebhookSender.open(store, partial(last_sequence, store), loopback=True) as second:
        await second.once()
        assert len(receiver.messages) == 3
        over = {"$set": {"lease.until": datetime.now(UTC) - timedelta(seconds=1)}}
        await store.write("webhookEndpoints", [UpdateOne({"_id": endpoint["id"]}, over)])
        await second.once()
    for customer in customers:
        assert receiver.about(customer) == [1, 1, 2, 3]
    assert len({*receiver.ids}) == 9
    assert len(await store.find("webhookDeliveries", {})) == 9
    assert {each["status"] for each in await deliveries(ask, endpoint)} == {"DELIVERED"}


async def test_running_senders_share_endpoints_and_each_message_goes_out_once(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver
) -> None:
    customers = [await world.customer() for _ in range(12)]
    for _ in range(2):
        await endpoint_at(ask, receiver.url)
    async with (
        WebhookSender.open(store, partial(last_sequence, store), loopback=True) as one,
        WebhookSender.open(store, partial(last_sequence, store), loopback=True) as other,
    ):
        running = [asyncio.create_task(each.run()) for each in (one, other)]
        for _ in range(2):
            for customer in customers:
                await note(ask, store, customer)
        await until(lambda: len(receiver.messages) == 48)
        await asyncio.sleep(0.2)
        for task in running:
            task.cancel()
        await asyncio.wait(running)
    assert len({*receiver.ids}) == len(receiver.ids) == 48
    for customer in customers:
        assert sorted(receiver.about(customer)) == [1, 1, 2, 2]
    leases = await store.find("webhookEndpoints", {"lease": {"$exists": True}})
    assert leases == []


async def test_what_the_feed_no_longer_holds_is_said_to_be_missing(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    ada, endpoint = await world.customer(), await endpoint_at(ask, receiver.url)
    for _ in range(3):
        await note(ask, store, ada)
    await store.command({"delete": "feed", "deletes": [{"q": {"sequence": {"$lte": 2}}, "limit": 0}]})
    with capture_logs() as logs:
        await sender.once()
    assert receiver.about(ada) == [3]
    assert (await now(store, endpoint))["lastFailure"]["message"].startswith("Changes 1 to 2 were not kept")
    assert [(line["first"], line["last"]) for line in logs if line["event"] == "webhooks missed changes"] == [(1, 2)]


# ---------------------------------------------------------------- once more


async def test_a_window_is_delivered_again_under_the_ids_that_it_had(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    ada = await world.customer()
    await note(ask, store, ada)  # before there is an endpoint
    endpoint = await endpoint_at(ask, receiver.url)
    await note(ask, store, ada)
    await note(ask, store, ada)
    await sender.once()
    before = receiver.ids
    second = (await store.find("feed", {"sequence": 2}))[0]["at"]
    window = {"from": (second - timedelta(hours=1)).isoformat(), "to": "2999-01-01T00:00:00Z"}
    key = "again"
    for _ in range(2):  # the key makes it one
        payload = await changed(ask, REDELIVER_WEBHOOKS, endpointId=endpoint["id"], **window, idempotencyKey=key)
        assert payload["userErrors"] == []
    await sender.once()
    assert receiver.about(ada) == [2, 3, 1, 2, 3]
    assert receiver.ids[3:] == before
    assert len(await deliveries(ask, endpoint)) == 3
    payload = await changed(ask, REDELIVER_WEBHOOKS, endpointId=endpoint["id"], **window)
    assert payload["count"] == 3
    nothing = {"from": "2000-01-01T00:00:00Z", "to": "2000-01-02T00:00:00Z"}
    payload = await changed(ask, REDELIVER_WEBHOOKS, endpointId=endpoint["id"], **nothing)
    assert (payload["count"], payload["userErrors"]) == (0, [])
    await sender.once()
    assert receiver.about(ada) == [2, 3, 1, 2, 3, 1, 2, 3]
    await changed(ask, UPDATE_WEBHOOK_ENDPOINT, endpointId=endpoint["id"], enabled=False)
    payload = await changed(ask, REDELIVER_WEBHOOKS, endpointId=endpoint["id"], **window)
    assert [each["code"] for each in payload["userErrors"]] == ["WRONG_STATE"]
    backwards = {"from": window["to"], "to": window["from"]}
    payload = await changed(ask, REDELIVER_WEBHOOKS, endpointId=endpoint["id"], **backwards)
    assert [(each["code"], each["field"]) for each in payload["userErrors"]] == [("INVALID", ["from"])]


# ---------------------------------------------------------------- endpoints


async def test_a_secret_is_shown_once_and_kept_sealed(ask: Ask, store: Store, receiver: WebhookReceiver) -> None:
    given = {"name": "CRM", "url": receiver.url, "types": ["NOTE_ADDED"], "idempotencyKey": "k"}
    first = await changed(ask, CREATE_WEBHOOK_ENDPOINT, **given)
    again = await changed(ask, CREATE_WEBHOOK_ENDPOINT, **given)
    assert first["secret"].startswith("whsec_")
    assert (again["secret"], again["webhookEndpoint"]) == (None, first["webhookEndpoint"])
    endpoint_id = first["webhookEndpoint"]["id"]
    rotation = {"endpointId": endpoint_id, "idempotencyKey": "r"}
    rotated = await changed(ask, ROTATE_WEBHOOK_SECRET, **rotation)
    assert rotated["secret"] != first["secret"]
    assert (await changed(ask, ROTATE_WEBHOOK_SECRET, **rotation))["secret"] is None
    for name in ("webhookEndpoints", "audit", "idempotency"):
        stored = repr(await store.find(name, {}))
        assert first["secret"] not in stored
        assert rotated["secret"] not in stored


async def test_an_endpoint_is_changed_and_deleted_and_each_change_is_on_record(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    endpoint = await endpoint_at(ask, receiver.url, description="To keep in step")
    change = {"name": "Warehouse", "description": None, "types": ["BIRTHDAY", "BIRTHDAY"], "enabled": False}
    payload = await changed(ask, UPDATE_WEBHOOK_ENDPOINT, endpointId=endpoint["id"], **change)
    after = payload["webhookEndpoint"]
    assert (after["name"], after["description"], after["types"]) == ("Warehouse", None, ["BIRTHDAY"])
    assert (after["status"], after["disabledReason"]) == ("DISABLED", "An administrator disabled it.")
    await changed(ask, UPDATE_WEBHOOK_ENDPOINT, endpointId=endpoint["id"], types=None, enabled=True)
    receiver.status = lambda _: 500
    await note(ask, store, await world.customer())
    await sender.once()
    deleted = await changed(ask, DELETE_WEBHOOK_ENDPOINT, endpointId=endpoint["id"])
    assert deleted["deletedWebhookEndpointId"] == endpoint["id"]
    await sender.once()
    (row,) = await store.find("webhookDeliveries", {})
    assert (row["status"], row["error"], "dueAt" in row) == ("GIVEN_UP", "The endpoint was deleted.", False)
    log = [each["action"] for each in await store.find("audit", {}, sort={"at": 1, "order": 1})]
    assert log == [
        "createWebhookEndpoint",
        *["updateWebhookEndpoint"] * 2,
        "addNote",
        "deleteWebhookEndpoint",
    ]
    listed = await ask("{ webhookEndpoints { totalCount nodes { id } } }")
    assert listed["data"]["webhookEndpoints"] == {"totalCount": 0, "nodes": []}


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hooks",
        "ftp://example.com",
        "https://",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://example.com:99999/",
        "https://[::1",
        "hooks",
        f"https://example.com/{'x' * 1_000}",
    ],
)
async def test_an_address_that_cannot_be_used_is_refused(url: str, ask: Ask, store: Store) -> None:
    payload = await changed(ask, CREATE_WEBHOOK_ENDPOINT, name="CRM", url=url)
    assert [(each["code"], each["field"]) for each in payload["userErrors"]] == [("INVALID", ["url"])]
    assert payload["secret"] is None
    assert await store.find("webhookEndpoints", {}) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "https://localhost/", "https://[::1]/hooks"])
async def test_this_machine_is_a_target_in_the_demo_only(url: str, store: Store, limits: Limits) -> None:
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    for outgoing, codes in ((DeliveryPolicy(), ["INVALID"]), (DeliveryPolicy(loopback_webhooks=True), [])):
        app = build_app(routes(store.database, authenticate, timeout_seconds=60, limits=limits, outgoing=outgoing))
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
            given = {"name": "CRM", "url": url, "idempotencyKey": next(keys)}
            asked = {"query": CREATE_WEBHOOK_ENDPOINT, "variables": {"input": given}}
            answer = await client.post("/graphql", json=asked, headers={"Authorization": f"Bearer {token()}"})
        payload = answer.json()["data"]["createWebhookEndpoint"]
        assert [each["code"] for each in payload["userErrors"]] == codes


async def test_what_an_endpoint_may_not_be(ask: Ask, store: Store, receiver: WebhookReceiver) -> None:
    for given, field in (({"name": " "}, "name"), ({"types": ["BIRTHDAYS"]}, "types"), ({"name": "x" * 101}, "name")):
        payload = await changed(ask, CREATE_WEBHOOK_ENDPOINT, **{"name": "CRM", "url": receiver.url, **given})
        assert [(each["code"], each["field"]) for each in payload["userErrors"]] == [("INVALID", [field])]
    assert 'Did you mean "BIRTHDAY"?' in str(
        await changed(ask, CREATE_WEBHOOK_ENDPOINT, name="CRM", url=receiver.url, types=["BIRTHDAYS"])
    )
    endpoint, *_ = [await endpoint_at(ask, receiver.url) for _ in range(MAX_ENDPOINTS)]
    payload = await changed(ask, CREATE_WEBHOOK_ENDPOINT, name="CRM", url=receiver.url)
    assert [each["code"] for each in payload["userErrors"]] == ["LIMIT_EXCEEDED"]
    assert len(await store.find("webhookEndpoints", {})) == MAX_ENDPOINTS
    payload = await changed(ask, UPDATE_WEBHOOK_ENDPOINT, endpointId=endpoint["id"])
    assert [each["code"] for each in payload["userErrors"]] == ["INVALID"]
    for name in ("name", "url", "enabled"):
        payload = await changed(ask, UPDATE_WEBHOOK_ENDPOINT, endpointId=endpoint["id"], **{name: None})
        assert [(each["code"], each["field"]) for each in payload["userErrors"]] == [("INVALID", [name])]


MUTATIONS = {
    CREATE_WEBHOOK_ENDPOINT: {"name": "CRM", "url": "https://example.com/hooks"},
    UPDATE_WEBHOOK_ENDPOINT: {"name": "ERP"},
    ROTATE_WEBHOOK_SECRET: {},
    REDELIVER_WEBHOOKS: {"from": "2026-01-01T00:00:00Z", "to": "2999-01-01T00:00:00Z"},
    DELETE_WEBHOOK_ENDPOINT: {},
}


@pytest.mark.parametrize("role", Role)
async def test_webhooks_are_for_administrators(role: Role, ask: Ask, store: Store, world: World) -> None:
    ids = {Role.CUSTOMER: {"customer_id": (await world.customer())["_id"]}, Role.AFFILIATE: {"affiliate_id": "aff-1"}}
    bearer, endpoint = token(role, **ids.get(role, {})), await endpoint_at(ask, "https://example.com/")
    may = role is Role.ADMIN
    answer = await ask("{ webhookEndpoints { nodes { id } } }", token=bearer)
    assert ("errors" not in answer) is may
    answer = await ask("query($id: ID!) { node(id: $id) { id } }", token=bearer, id=endpoint["id"])
    assert (answer["data"]["node"] is not None) is may
    for mutation, given in MUTATIONS.items():
        about = {} if mutation is CREATE_WEBHOOK_ENDPOINT else {"endpointId": endpoint["id"]}
        answer = await ask(mutation, token=bearer, input={"idempotencyKey": next(keys), **about, **given})
        (payload,) = answer["data"].values()
        if may:
            assert payload["userErrors"] == [], mutation
        else:
            assert payload is None
            assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert len(await store.find("webhookEndpoints", {})) == 1


async def test_deliveries_are_listed_newest_first_by_status_and_customer(
    ask: Ask, world: World, store: Store, receiver: WebhookReceiver, sender: WebhookSender
) -> None:
    ada, bob = await world.customer(), await world.customer()
    endpoint = await endpoint_at(ask, receiver.url)
    receiver.status = lambda message: 500 if message.data["customerId"] == ada["_id"] else 200
    for customer in (ada, bob, ada, bob):
        await note(ask, store, customer)
    await sender.once()
    sequences = {
        "all": [each["sequence"] for each in await deliveries(ask, endpoint)],
        "queued": [each["sequence"] for each in await deliveries(ask, endpoint, filter={"statuses": ["QUEUED"]})],
        "bob": [each["sequence"] for each in await deliveries(ask, endpoint, filter={"customerId": bob["_id"]})],
    }
    assert sequences == {"all": [1, 2, 3, 4], "queued": [1, 3], "bob": [2, 4]}
    page = (await ask(DELIVERIES, id=endpoint["id"], first=3))["data"]["node"]["deliveries"]
    assert [each["sequence"] for each in page["nodes"]] == [4, 3, 2]
    assert page["totalCount"] == 4
    rest = await ask(DELIVERIES, id=endpoint["id"], first=3, after=page["pageInfo"]["endCursor"])
    assert [each["sequence"] for each in rest["data"]["node"]["deliveries"]["nodes"]] == [1]
