"""HTTP/1.1 on a real socket: what other people's clients send, in whatever pieces, is one request, or refused."""

import asyncio
import gc
import json
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeAlias

import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from app import serving
from app.http import protocol, stalls
from app.http.middleware import RequestMiddleware
from app.http.protocol import MAX_HEAD_BYTES
from app.store.driver import Store
from tests.support.gateway import gateway_app, serve
from tests.support.tokens import token

Segments: TypeAlias = list[bytes]
BODY = json.dumps({"query": "{ viewer { name } }"}).encode()
VIEWER = {"data": {"viewer": {"name": "Tess Tester"}}}


@pytest.fixture
async def port(store: Store) -> AsyncGenerator[int]:
    """Serves the application on a real port."""
    async with serve(gateway_app(store)) as port:
        yield port


def head(*headers: str, method: str = "POST", target: str = "/graphql", version: str = "1.1") -> bytes:
    own = ("Host: 127.0.0.1", f"Authorization: Bearer {token()}", "Content-Type: application/json")
    return "\r\n".join((f"{method} {target} HTTP/{version}", *own, *headers, "", "")).encode()


@asynccontextmanager
async def connected(port: int) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answers(reader: asyncio.StreamReader) -> list[tuple[int, dict[str, str], Any]]:
    """All that come until the connection is closed: status, headers, body."""
    found: list[tuple[int, dict[str, str], Any]] = []
    async with asyncio.timeout(20):
        while line := await reader.readline():
            status, headers = int(line.split()[1]), dict[str, str]()
            while (line := await reader.readline()).strip():
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            if status == 100:
                continue
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            found.append((status, headers, json.loads(body) if body else None))
    return found


async def exchange(port: int, *segments: bytes, last: bytes = b"") -> list[tuple[int, dict[str, str], Any]]:
    """The answers to these and to a ``last`` request, which ends the connection."""
    async with connected(port) as (reader, writer):
        for segment in (*segments, last or head("Connection: close", f"Content-Length: {len(BODY)}") + BODY):
            writer.write(segment)
            await asyncio.sleep(0.005)
        return await answers(reader)


def is_viewer(body: Any) -> bool:
    return {name: body[name] for name in body if name != "extensions"} == VIEWER


# ---------------------------------------------------------------- an Upgrade that nobody speaks here

UPGRADES = [
    ("Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA", "Connection: Upgrade, HTTP2-Settings"),
    ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"),
    ("Upgrade: TLS/1.0", "Connection: Upgrade"),
    ("Upgrade: TLS/1.2, HTTP/1.1", "Connection: upgrade"),
    ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x"),
    ("Upgrade: HTTP/2.0", "Upgrade: SHTTP/1.3", "Upgrade: IRC/6.9", "Connection: keep-alive", "Connection: upgrade"),
    ("Upgrade: a-protocol-of-tomorrow/7", "Connection: keep-alive, Upgrade"),
    ("Upgrade: \t h2c \t", "Connection: ,UPGRADE,"),
    ("Upgrade: h2c", "Connection: Upgrade", "Expect: 100-continue"),
    ("Upgrade: h2c",),
    ("Connection: upgrade",),
]
CHUNKED = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:7], BODY[7:])) + b"0\r\n\r\n"


def cut(*upgrade: str, body: bytes, framing: str) -> dict[str, Segments]:
    """Cuts one request into pieces of several sizes."""
    whole = head(*upgrade, framing) + body
    end = len(whole) - len(body)
    places = {
        "one segment": [],
        "head, body": [end],
        "half a head": [end // 2],
        "before the last line end": [end - 2],
        "half a body": [end + 9],
        "head, half a body, the rest": [end, end + 9],
    }
    return {what: [whole[a:b] for a, b in zip([0, *at], [*at, len(whole)], strict=True)] for what, at in places.items()}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("upgrade", UPGRADES, ids="; ".join)
async def test_an_unknown_upgrade_is_ignored_and_the_body_is_read(
    port: int, upgrade: tuple[str, ...], chunked: bool
) -> None:
    body, framing = (CHUNKED, "Transfer-Encoding: chunked") if chunked else (BODY, f"Content-Length: {len(BODY)}")
    for what, segments in cut(*upgrade, body=body, framing=framing).items():
        found = await exchange(port, *segments)
        assert [status for status, _, _ in found] == [200, 200], what
        assert all(is_viewer(body) for _, _, body in found), what
        assert all("upgrade" not in headers for _, headers, _ in found), what


@pytest.mark.parametrize("upgrade", UPGRADES, ids="; ".join)
async def test_a_body_behind_an_upgrade_is_never_a_second_request(upgrade: tuple[str, ...]) -> None:
    """The body looks like a request of its own; whoever counts requests meets two: the first and the last."""
    seen: list[tuple[str, bytes]] = []

    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        seen.append((scope["path"], body))
        await JSONResponse({})(scope, receive, send)

    smuggled = head("Content-Length: 0", target="/smuggled")
    length = f"Content-Length: {len(smuggled)}"
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(smuggled), smuggled)
    async with serve(RequestMiddleware(counting)) as port:
        for framing, body in ((length, smuggled), ("Transfer-Encoding: chunked", chunks)):
            for what, segments in cut(*upgrade, body=body, framing=framing).items():
                seen.clear()
                found = await exchange(port, *segments)
                assert (seen, len(found)) == ([("/graphql", smuggled), ("/graphql", BODY)], 2), what


async def test_many_upgrades_in_one_segment_are_as_many_requests(port: int) -> None:
    one = head(*UPGRADES[0], f"Content-Length: {len(BODY)}") + BODY
    found = await exchange(port, one * 50)
    assert [status for status, _, _ in found] == [200] * 51


async def test_a_request_for_a_tunnel_is_refused_and_ends_the_connection(port: int) -> None:
    for target in ("example.com:443", "/graphql"):
        ((status, headers, body),) = await exchange(port, head(method="CONNECT", target=target) + head() + BODY)
        assert (status, headers["allow"], headers["connection"]) == (405, "GET, POST", "close")
        assert body["errors"][0]["extensions"]["code"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize("target", ["/", "/readyz", "/nowhere", "/graphql/x"])
async def test_a_websocket_elsewhere_is_told_where_there_is_one(port: int, target: str) -> None:
    handshake = head(
        "Upgrade: WebSocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: graphql-transport-ws",
        method="GET",
        target=target,
    )
    (status, headers, body), (next_status, _, _) = await exchange(port, handshake)
    assert (status, headers["upgrade"], headers["connection"]) == (426, "HTTP/1.1", "Upgrade")
    assert body == {
        "errors": [
            {
                "message": "There is no WebSocket here: open one at /graphql, on its own connection.",
                "extensions": {"code": "UPGRADE_REQUIRED"},
            }
        ]
    }
    assert headers["x-request-id"]
    assert next_status == 200


@pytest.mark.parametrize("segments", [1, 2])
@pytest.mark.parametrize("upgrade", UPGRADES, ids="; ".join)
async def test_the_last_request_of_a_connection_may_ask_for_an_upgrade(
    port: int, upgrade: tuple[str, ...], segments: int
) -> None:
    begun = head(*upgrade, "Connection: close", f"Content-Length: {len(BODY)}")
    ((status, _, body),) = await exchange(
        port, *([begun] if segments == 2 else []), last=BODY if segments == 2 else begun + BODY
    )
    assert status == 200
    assert is_viewer(body)


async def test_http_1_0_has_no_upgrade(port: int) -> None:
    asked = head(
        "Upgrade: websocket", "Connection: Upgrade", method="GET", target="/graphql?query={viewer{name}}", version="1.0"
    )
    ((status, _, body),) = await exchange(port, last=asked)
    assert status == 200
    assert is_viewer(body)


# ---------------------------------------------------------------- how long a head may be


def filled(size: int, line: Callable[[int], str]) -> bytes:
    """A head of exactly ``size`` bytes, made so by a header or a target of that many bytes more."""
    own = ("Connection: close", f"Content-Length: {len(BODY)}")
    return head(line(size - len(head(line(0), *own))), *own)


LONG: dict[str, Callable[[int], str]] = {
    "one header": lambda more: f"X-Long: {'x' * more}",
    "one name": lambda more: f"X-{'x' * more}: 1",
    "many headers": lambda more: "X: 1" + "\r\nX: 1" * (more // 6) + "1" * (more % 6),
}


@pytest.mark.parametrize("pieces", [1, 2, 100])
@pytest.mark.parametrize("of", LONG)
async def test_a_head_of_the_bound_is_read_and_one_byte_more_is_431(port: int, of: str, pieces: int) -> None:
    for size, status in ((MAX_HEAD_BYTES, 200), (MAX_HEAD_BYTES + 1, 431), (200_000, 431)):
        whole = filled(size, LONG[of])
        assert len(whole) == size
        step = -(-len(whole) // pieces)
        segments = [whole[at : at + step] for at in range(0, len(whole), step)]
        async with connected(port) as (reader, writer):
            for segment in segments:
                writer.write(segment)
                await asyncio.sleep(0)
            writer.write(BODY)
            ((found, headers, body),) = await answers(reader)
        assert found == status
        if status == 431:
            assert headers["connection"] == "close"
            assert body["errors"][0] == {
                "message": "The request line and the headers may have 16384 bytes.",
                "extensions": {"code": "REQUEST_TOO_LARGE"},
            }


@pytest.mark.parametrize("where", ["target", "name", "value", "headers", "blank lines of a header"])
async def test_a_head_without_end_is_431_before_it_ends(port: int, where: str) -> None:
    begun = head()[:-2]
    first, each = {
        "target": (b"POST /", b"a" * 999),
        "name": (begun + b"x", b"x" * 999),
        "value": (begun + b"X: ", b"x" * 999),
        "headers": (begun, b"X: 1\r\n" * 100),
        "blank lines of a header": (begun + b"X:", b" " * 999),
    }[where]
    async with connected(port) as (reader, writer):
        writer.write(first)
        for _ in range(MAX_HEAD_BYTES // len(each) + 2):
            writer.write(each)
            await asyncio.sleep(0.001)
        ((status, _, _),) = await answers(reader)
    assert status == 431


@pytest.mark.parametrize("size", [MAX_HEAD_BYTES, 70_000, 2_000_000])
async def test_a_query_by_get_beyond_the_bound_is_414_in_our_form(port: int, size: int) -> None:
    asked = head(method="GET", target=f"/graphql?query={{viewer{{name}}}}&{'x' * size}")
    ((status, headers, body),) = await exchange(port, asked)
    assert (status, headers["content-type"]) == (414, "application/json; charset=utf-8")
    assert body["errors"][0]["extensions"] == {"code": "REQUEST_TOO_LARGE"}


async def test_a_long_line_of_anything_else_is_431(port: int) -> None:
    for method, target in (("POST", "/graphql?" + "x" * 20_000), ("GET", "/" + "x" * 20_000)):
        ((status, _, _),) = await exchange(port, head(method=method, target=target))
        assert status == 431


async def test_a_long_head_behind_another_request_ends_the_connection_after_its_answer(port: int) -> None:
    first = head(f"Content-Length: {len(BODY)}") + BODY
    long = head(f"X: {'x' * 3 * MAX_HEAD_BYTES}")
    for segments in ([first + long], [first + long[:2_000], long[2_000:]]):
        found = await exchange(port, *segments)
        assert [status for status, _, _ in found] == [200, 431]
        assert is_viewer(found[0][2])


async def test_a_large_body_is_no_long_head(port: int) -> None:
    body = BODY.ljust(300_000)
    whole = head(f"Content-Length: {len(body)}") + body
    found = await exchange(port, whole + whole[:-100_000], whole[-100_000:])
    assert [status for status, _, _ in found] == [200] * 3


async def test_what_follows_a_chunked_body_is_no_header(port: int) -> None:
    whole = head("Transfer-Encoding: chunked") + CHUNKED[:-2] + b"Authorization: Basic x\r\n" * 1_000 + b"\r\n"
    found = await exchange(port, whole)
    assert [status for status, _, _ in found] == [200, 200]


async def test_what_is_no_http_is_400_in_our_form(port: int) -> None:
    for nonsense in (
        b"\x16\x03\x01\x02\x00",
        b"HELLO\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ):
        ((status, headers, body),) = await exchange(port, nonsense)
        assert (status, headers["connection"]) == (400, "close")
        assert body["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    broken = head("Transfer-Encoding: chunked") + b"nonsense\r\n"
    ((status, _, _),) = await exchange(port, broken)
    assert status == 400


async def test_of_many_connections_that_do_not_say_what_they_want_the_first_is_closed_for_the_next(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has been answered is not among them, however long the connection stays."""
    monkeypatch.setattr(protocol, "MAX_UNFINISHED", 5)
    monkeypatch.setattr(protocol, "_SPARED_SECONDS", 0)
    request = b"GET /livez HTTP/1.1\r\nHost: g\r\n\r\n"
    async with serve(gateway_app(store)) as port, AsyncExitStack() as stack:
        answered = [await stack.enter_async_context(connected(port)) for _ in range(5)]
        for reader, writer in answered:
            writer.write(request)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        silent = [await stack.enter_async_context(connected(port)) for _ in range(6)]
        assert await silent[0][0].read() == b""
        for reader, writer in (*silent[1:], *answered):
            writer.write(request)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


async def test_however_many_connect_at_once_are_answered(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a break of the network: all are accepted, one after the other, before the first is read."""
    monkeypatch.setattr(protocol, "MAX_UNFINISHED", 5)
    async with serve(gateway_app(store)) as port, AsyncExitStack() as stack:
        waiting = list[socket.socket]()
        for _ in range(50):  # without giving the gateway a moment
            waiting.append(stack.enter_context(socket.create_connection(("127.0.0.1", port))))
            waiting[-1].sendall(b"GET /livez HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")
        answers = await asyncio.to_thread(lambda: [each.recv(12, socket.MSG_WAITALL) for each in waiting])
        assert set(answers) == {b"HTTP/1.1 200"}


async def test_a_connection_that_nobody_uses_is_kept_for_longer_than_balancers_keep_theirs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert serving.KEEP_ALIVE_SECONDS > 60
    monkeypatch.setattr(serving, "KEEP_ALIVE_SECONDS", 0.2)
    async with serve(gateway_app(store)) as port, connected(port) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: g\r\n\r\n")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        async with asyncio.timeout(20):
            assert await reader.read() == b""


def test_a_process_may_have_as_many_connections_as_its_host_allows() -> None:
    code = (
        "import resource as r; _, most = r.getrlimit(r.RLIMIT_NOFILE); r.setrlimit(r.RLIMIT_NOFILE, (256, most)); "
        "from app.open_files import allow_open_files as allow; allow(); assert r.getrlimit(r.RLIMIT_NOFILE)[0] == most"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def connections() -> list[protocol.Protocol]:
    """All of this process. By type: a weak proxy asks whom it stands for, who may be gone."""
    return [each for each in gc.get_objects() if issubclass(type(each), protocol.Protocol)]


async def test_a_connection_without_a_token_holds_nothing_of_a_body_once_it_was_answered(store: Store) -> None:
    head = b"POST /graphql HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n"
    of_others = connections()  # of earlier tests, which nobody has collected yet
    async with serve(gateway_app(store)) as port, AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(connected(port)) for _ in range(10)]
        for reader, writer in opened:
            writer.write(head + b"x" * 60_000)
            assert (await reader.readuntil(b"UNAUTHENTICATED")).startswith(b"HTTP/1.1 401")
            writer.write(b"x" * 60_000)
            await writer.drain()
        bodies = [each.cycle.body for each in connections() if each.cycle and each not in of_others]
        assert len(bodies) >= len(opened)
        assert set(bodies) == {b""}


# ---------------------------------------------------------------- the end of a connection whose client is sending

LARGE = b"x" * 30_000_000
"""More than the socket's buffers hold."""


async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers and ends the connection, whatever of the body has not come."""
    if scope["type"] == "http":
        await JSONResponse({"why": "because"}, 413, {"Connection": "close"})(scope, receive, send)


@pytest.mark.parametrize(
    "sent",
    {
        "a body": head(f"Content-Length: {len(LARGE)}") + LARGE,
        "a body in chunks": head("Transfer-Encoding: chunked") + b"%x\r\n" % len(LARGE) + LARGE + b"\r\n0\r\n\r\n",
        "another request": head(method="GET") + head(f"Content-Length: {len(LARGE)}") + LARGE,
        "more requests": head(method="GET") * 20_000,
        "what is no HTTP": b"HELLO\r\n\r\n" + LARGE,
    }.items(),
    ids=lambda each: each[0],
)
async def test_who_sends_on_reads_why_the_connection_ends(sent: tuple[str, bytes]) -> None:
    """A client that reads only when all is sent would be reset, and what it was told be lost with it."""
    what, all_ = sent
    async with serve(refusing) as port:

        def ask() -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                client.sendall(all_)
                return b"".join(iter(lambda: client.recv(65_536), b""))

        answer = await asyncio.to_thread(ask)
    assert answer.startswith(b"HTTP/1.1 400" if what == "what is no HTTP" else b"HTTP/1.1 413")
    assert answer.count(b"HTTP/1.1") == 1


async def test_who_never_stops_sending_is_read_for_no_longer_than_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_LONGEST_LINGER_SECONDS", 0.5)
    monkeypatch.setattr(protocol, "_LINGER_SECONDS", 0.2)
    async with serve(refusing) as port, connected(port) as (reader, writer):
        writer.write(head("Content-Length: 1000000"))
        assert (await reader.read()).startswith(b"HTTP/1.1 413")

        async def send_on() -> None:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)  # well within what ends the connection of a silent client

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(send_on(), 20)


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends for as long as the client is there, by HTTP or by WebSocket."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "bytes": bytes(65_536)})
            await asyncio.sleep(0)  # a send that need not wait gives nobody else a turn
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await receive()
    leaving = asyncio.ensure_future(receive())
    while not leaving.done():
        await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
        await asyncio.sleep(0)  # as above


HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.mark.parametrize(
    "asked", [head(method="GET"), head(*HANDSHAKE, method="GET")], ids=["an answer without end", "a WebSocket"]
)
async def test_who_takes_nothing_is_waited_for_no_longer_than_a_while(
    monkeypatch: pytest.MonkeyPatch, asked: bytes
) -> None:
    """Its stream, or its import, would hold its place for as long as it likes."""
    monkeypatch.setattr(stalls, "STALL_SECONDS", 0.2)
    has_ended = asyncio.Event()

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            try:
                await endless(scope, receive, send)
            finally:
                has_ended.set()

    async with serve(watched) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(asked)
            async with asyncio.timeout(20):
                await has_ended.wait()


# ---------------------------------------------------------------- answers


@pytest.mark.skipif(sys.platform != "linux", reason="what came in how many packets is told by Linux")
async def test_a_small_answer_is_one_packet(port: int) -> None:
    async with connected(port) as (reader, writer):
        for number in (1, 2, 3):
            writer.write(head(f"Content-Length: {len(BODY)}") + BODY)
            lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            [length] = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")]
            assert is_viewer(json.loads(await reader.readexactly(length)))
            info = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            assert int.from_bytes(info[_DATA_SEGMENTS_IN], sys.byteorder) == number


_DATA_SEGMENTS_IN = slice(152, 156)
"""Where ``tcpi_data_segs_in`` is in Linux's ``struct tcp_info``."""


async def test_an_answer_without_a_body_does_not_wait_for_one() -> None:
    """Nor does one whose body says nothing of its length, and comes later."""
    more = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        length = [] if scope["path"] == "/stream" else [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        if scope["path"] == "/stream":
            await more.wait()
        await send({"type": "http.response.body", "body": b"ok"})

    async with serve(application) as port, connected(port) as (reader, writer), asyncio.timeout(20):
        for method, target in (("HEAD", "/"), ("GET", "/"), ("GET", "/stream")):
            writer.write(head(method=method, target=target))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            if target == "/stream":
                more.set()
                assert await reader.readuntil(b"0\r\n\r\n") == b"2\r\nok\r\n0\r\n\r\n"
            elif method == "GET":
                assert await reader.readexactly(2) == b"ok"
