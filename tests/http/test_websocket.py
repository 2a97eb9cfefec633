"""GraphQL by WebSocket: the protocol graphql-transport-ws, to its letter, with the refusals of HTTP."""

import asyncio
import json
import logging
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from app.http.tokens import LEEWAY_SECONDS
from app.http.websocket import SOCKETS_PER_STREAM
from app.settings import Limits
from app.store.driver import Store
from tests.support.streams import SECONDS, live_gateway, received, socket_of
from tests.support.tokens import token
from tests.support.world import World

pytestmark = pytest.mark.anyio
ACK = {"type": "connection_ack"}
VIEWER = {"query": "{ viewer { name } }"}
ACTIVITY = "subscription($id: ID!) { customerActivity(customerId: $id) { kind } }"


async def closed(socket: ClientConnection) -> tuple[int, str]:
    """Returns the code and the reason with which the socket is closed."""

    async def drain() -> None:
        while True:
            await socket.recv()

    async with asyncio.timeout(SECONDS):
        with pytest.raises(ConnectionClosed) as end:
            await drain()
    assert end.value.rcvd
    return end.value.rcvd.code, end.value.rcvd.reason


async def send(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def test_a_query_is_answered_and_completed(store: Store) -> None:
    async with live_gateway(store) as url, socket_of(url) as socket:
        assert await received(socket) == ACK
        await send(socket, type="subscribe", id="1", payload=VIEWER)
        answer = await received(socket)
        assert (answer["id"], answer["type"], answer["payload"]["data"]) == (
            "1",
            "next",
            {"viewer": {"name": "Tess Tester"}},
        )
        assert await received(socket) == {"id": "1", "type": "complete"}
        await send(socket, type="subscribe", id="1", payload=VIEWER)  # an id is free again
        assert (await received(socket))["type"] == "next"


async def test_a_subscription_lasts_until_it_is_completed(world: World, store: Store) -> None:
    ada = await world.customer()
    async with live_gateway(store, Limits(max_subscriptions_of_subject=1)) as url, socket_of(url) as socket:
        assert await received(socket) == ACK
        for operation_id in ("a", "b"):
            payload = {"query": ACTIVITY, "variables": {"id": ada["_id"]}}
            async with asyncio.timeout(SECONDS):
                while True:
                    await send(socket, type="subscribe", id=operation_id, payload=payload)
                    event = await received(socket)
                    if event["type"] == "next":
                        break
                    assert event["payload"][0]["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"  # until "a" is gone
            assert event["payload"]["data"] == {"customerActivity": {"kind": "HEARTBEAT"}}
            await send(socket, type="complete", id=operation_id)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": ""}, "BAD_REQUEST"),
        ({"query": "{ viewer { name } }", "variables": []}, "BAD_REQUEST"),
    ],
)
async def test_a_refused_operation_is_an_error_and_the_socket_stays(
    store: Store, payload: dict[str, Any], code: str
) -> None:
    async with live_gateway(store) as url, socket_of(url) as socket:
        assert await received(socket) == ACK
        await send(socket, type="subscribe", id="1", payload=payload)
        answer = await received(socket)
        assert (answer["id"], answer["type"], answer["payload"][0]["extensions"]["code"]) == ("1", "error", code)
        await send(socket, type="ping")
        assert await received(socket) == {"type": "pong"}


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["no json"], 4400),
        (["[]"], 4400),
        (["{}"], 4400),
        ([b"\x00"], 4400),
        ([{"type": "unknown"}], 4400),
        ([{"type": "subscribe"}], 4400),
        ([{"type": "subscribe", "id": ""}], 4400),
        ([{"type": "subscribe", "id": "1"}], 4400),
        ([{"type": "subscribe", "id": "1", "payload": {"query": 1}}], 4400),
        ([{"type": "connection_init"}], 4429),
    ],
)
async def test_what_is_not_a_message_closes_the_socket(store: Store, messages: list[Any], code: int) -> None:
    async with live_gateway(store) as url, socket_of(url) as socket:
        assert await received(socket) == ACK
        for message in messages:
            await socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
        assert (await closed(socket))[0] == code


async def test_an_id_that_is_in_use_closes_the_socket(world: World, store: Store) -> None:
    ada = await world.customer()
    async with live_gateway(store) as url, socket_of(url) as socket:
        assert await received(socket) == ACK
        for _ in range(2):
            payload = {"query": ACTIVITY, "variables": {"id": ada["_id"]}}
            await send(socket, type="subscribe", id="1", payload=payload)
        assert await closed(socket) == (4409, "Subscriber for 1 already exists")


async def test_whoever_does_not_say_who_they_are_is_closed_out(store: Store) -> None:
    async with live_gateway(store) as url:
        async with socket_of(url, init=None) as socket:
            await send(socket, type="subscribe", id="1", payload=VIEWER)
            assert (await closed(socket))[0] == 4401
        async with socket_of(url, init=None) as socket:
            assert await closed(socket) == (4408, "Connection initialisation timeout")
        payloads: list[Any] = [None, {}, {"Authorization": "Bearer x.y.z"}, {"Authorization": 1}, {"headers": []}, []]
        for payload in payloads:
            async with socket_of(url, init=None) as socket:
                await send(socket, type="connection_init", payload=payload)
                assert (await closed(socket))[0] == 4403


async def test_the_token_may_come_with_the_handshake_or_among_headers(store: Store) -> None:
    bearer = f"Bearer {token()}"
    async with live_gateway(store) as url:
        async with socket_of(url, init={}, additional_headers={"Authorization": bearer}) as socket:
            assert await received(socket) == ACK
        for payload in ({"authorization": bearer}, {"headers": {"Authorization": bearer}}):
            async with socket_of(url, init=payload) as socket:
                assert await received(socket) == ACK


async def test_no_operation_is_taken_once_the_token_has_ended(store: Store) -> None:
    """A socket may stay open for weeks; whoever has it may do no more by then than by HTTP."""
    ends_soon = f"Bearer {token(lifetime=timedelta(seconds=1 - LEEWAY_SECONDS))}"
    async with live_gateway(store) as url, socket_of(url, init={"Authorization": ends_soon}) as socket:
        assert await received(socket) == ACK

        async def ask_on() -> None:
            while True:
                await send(socket, type="subscribe", id="1", payload=VIEWER)
                assert [(await received(socket))["type"] for _ in range(2)] == ["next", "complete"]
                await asyncio.sleep(0.1)  # its second passes

        async with asyncio.timeout(SECONDS):
            with pytest.raises(ConnectionClosed):
                await ask_on()
    assert (socket.close_code, socket.close_reason) == (4403, "Forbidden: The token has expired. Get a new one.")


async def test_a_page_of_another_origin_is_refused(store: Store) -> None:
    async with live_gateway(store) as url:
        with pytest.raises(InvalidStatus) as refused:
            async with socket_of(url, origin="https://evil.example"):
                pass
        assert refused.value.response.status_code == 403
        assert b"CORS_REFUSED" in refused.value.response.body
        async with socket_of(url, origin=url) as socket:
            assert await received(socket) == ACK


async def test_another_protocol_is_refused_and_is_no_fault_of_ours(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    async with live_gateway(store) as url:
        for protocols in ([Subprotocol("graphql-ws")], None):
            with pytest.raises(InvalidStatus) as refused:
                async with connect(url.replace("http", "ws") + "/graphql", subprotocols=protocols):
                    pass
            assert refused.value.response.status_code == 400
    assert [line.message for line in caplog.records if line.levelno > logging.WARNING] == []


async def test_a_message_that_is_too_large_closes_the_socket(store: Store) -> None:
    async with live_gateway(store) as url, socket_of(url) as socket:
        assert await received(socket) == ACK
        await socket.send("x" * 1_100_000)
        assert (await closed(socket))[0] == 1009


async def test_many_operations_at_once_are_too_many(world: World, store: Store) -> None:
    ada = await world.customer()
    limits = Limits(max_subscriptions_of_subject=1_000)
    async with live_gateway(store, limits) as url, socket_of(url) as socket:
        assert await received(socket) == ACK
        for number in range(51):
            payload = {"query": ACTIVITY, "variables": {"id": ada["_id"]}}
            await send(socket, type="subscribe", id=str(number), payload=payload)
        assert (await closed(socket))[0] == 4429


async def test_one_subject_cannot_take_the_sockets_of_all(store: Store) -> None:
    async with live_gateway(store, Limits(max_subscriptions_of_subject=1)) as url, AsyncExitStack() as open_:
        sockets = [await open_.enter_async_context(socket_of(url)) for _ in range(SOCKETS_PER_STREAM)]
        assert [await received(socket) for socket in sockets] == [ACK] * SOCKETS_PER_STREAM
        async with socket_of(url) as socket:
            assert await closed(socket) == (4429, f"At most {SOCKETS_PER_STREAM} sockets of one subject")
        async with socket_of(url, init={"Authorization": f"Bearer {token(subject='grace')}"}) as socket:
            assert await received(socket) == ACK
        await sockets[0].close()
        async with socket_of(url) as socket:
            assert await received(socket) == ACK


async def test_http_goes_on_where_sockets_do(store: Store) -> None:
    """The next connection speaks HTTP again, and a handshake elsewhere is told where sockets are."""
    async with live_gateway(store) as url:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url.replace("http", "ws") + "/elsewhere"):
                pass
        assert refused.value.response.status_code == 426


HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x02{}", 1002),  # not masked
        (b"\x8b\x80\x00\x00\x00\x00", 1002),  # no such frame
        (b"\xf1\x80\x00\x00\x00\x00", 1002),  # bits of an extension that was not agreed on
        (b"\x80\x80\x00\x00\x00\x00", 1002),  # the rest of nothing
        (b"\x81\x81\x00\x00\x00\x00\xff", 1007),  # not UTF-8
        (b"\x81\xff\x00\x00\x00\x7f\xff\xff\xff\xff", 1009),  # of some exabytes
    ],
)
async def test_a_frame_that_is_none_closes_the_socket(store: Store, frame: bytes, code: int) -> None:
    async with live_gateway(store) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        async with asyncio.timeout(SECONDS):
            writer.write(HANDSHAKE.encode() + frame)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            closing = await reader.readexactly(4)
        assert closing[0] == 0x88
        assert int.from_bytes(closing[2:4], "big") == code
        writer.close()


async def test_a_flood_of_messages_is_answered_one_by_one(store: Store) -> None:
    async with live_gateway(store) as url, socket_of(url) as socket:
        assert await received(socket) == ACK
        for _ in range(2_000):
            await send(socket, type="ping")
        for _ in range(2_000):
            assert await received(socket) == {"type": "pong"}
