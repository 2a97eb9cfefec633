"""A client that is slow, half there or gone, and a database that takes too long: over a real socket."""

import asyncio
import gc
import json
import time
from collections.abc import Callable

import pytest

from app.http import protocol
from app.settings import Limits
from app.store.driver import Store, is_transient
from tests.support.gateway import gateway_app, post, serve
from tests.support.slow_database import Slow, endless
from tests.support.tokens import token
from tests.support.world import World

SECONDS = 1.0
"""How long a request may take in these tests."""
LATE_SECONDS = 8
"""By which a busy machine may be late."""
STEADY_LOOKS = 15


@pytest.fixture(autouse=True)
def complaints(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Collects what asyncio says of exceptions that nobody looked at."""

    def said() -> list[str]:
        gc.collect()
        return [record.getMessage() for record in caplog.records if record.name == "asyncio"]

    return said


async def until(store: Store, wanted: int) -> None:
    """Waits until that many commands without end go on in the database, and still do after a while.

    A single look may miss one, and on a busy machine PyMongo may give up the connection that it opens for it.
    """
    looks = 0
    async with asyncio.timeout(30):
        while looks < STEADY_LOOKS:
            try:
                looks = looks + 1 if await endless(store) == wanted else 0
            except Exception as failed:
                if not is_transient(failed):
                    raise
                looks = 0
            await asyncio.sleep(0.02)


async def answered(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await response(reader)
    finally:
        writer.close()


async def response(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


# ---------------------------------------------------------------- too slow ourselves


async def test_a_request_ends_in_its_time_here_and_in_the_database(
    store: Store, world: World, slow: Slow, complaints: Callable[[], list[str]]
) -> None:
    ada = await world.customer()
    slow("customers")
    async with serve(gateway_app(store, timeout_seconds=SECONDS)) as port:
        start = time.monotonic()
        status, _, body = await answered(port, post(f'{{ node(id: "{ada["_id"]}") {{ id }} }}'))
        assert time.monotonic() - start < SECONDS + LATE_SECONDS
        (error,) = json.loads(body)["errors"]
        assert (status, error["extensions"]["code"]) in ((200, "UNAVAILABLE"), (503, "DEADLINE_EXCEEDED"))
        await until(store, 0)
        status, _, body = await answered(port, post("{ viewer { name } }"))
        assert json.loads(body)["data"] == {"viewer": {"name": "Tess Tester"}}
    assert complaints() == []


# ---------------------------------------------------------------- gone


async def test_a_client_that_hangs_up_ends_its_work_here_and_in_the_database(
    store: Store, world: World, slow: Slow, complaints: Callable[[], list[str]]
) -> None:
    ada = await world.everything()
    slow("customers")
    async with serve(gateway_app(store, Limits(max_at_once=1, max_waiting=0), timeout_seconds=60)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post(f'{{ node(id: "{ada["_id"]}") {{ ... on Customer {{ coupons {{ totalCount }} }} }} }}'))
        await until(store, 1)
        writer.close()
        await until(store, 0)
        async with asyncio.timeout(20):  # its turn is free again
            while (await answered(port, post("{ viewer { name } }")))[0] == 503:  # noqa: ASYNC110 # a client asks again
                await asyncio.sleep(0.02)
    assert complaints() == []


async def test_another_clients_work_goes_on_when_one_hangs_up(store: Store, world: World, slow: Slow) -> None:
    ada = await world.customer()
    slow("customers")
    query = f'{{ node(id: "{ada["_id"]}") {{ id }} }}'
    async with serve(gateway_app(store, timeout_seconds=60)) as port:
        _, one = await asyncio.open_connection("127.0.0.1", port)
        _, other = await asyncio.open_connection("127.0.0.1", port)
        # Both with one request id, which is theirs to choose.
        for writer in (one, other):
            writer.write(post(query).replace(b"\r\n", b"\r\nX-Request-ID: 0123456789abcdef0123456789abcdef\r\n", 1))
        await until(store, 2)
        one.close()
        await until(store, 1)
        other.close()
        await until(store, 0)


# ---------------------------------------------------------------- slow, or half there


async def test_half_a_request_is_closed_or_refused_in_time_while_others_are_served(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "_HEADERS_SECONDS", SECONDS)
    whole = post("{ viewer { name } }")
    head = whole.index(b"\r\n\r\n")
    async with serve(gateway_app(store, timeout_seconds=SECONDS)) as port:
        halves = {
            "nothing": b"",
            "half a header": whole[:30],
            "all but the end of the header": whole[: head + 3],
            "no body": whole[: head + 4],
            "half a body": whole[:-5],
        }
        opened = {what: await asyncio.open_connection("127.0.0.1", port) for what in halves}
        start = time.monotonic()
        for what, (_, writer) in opened.items():
            writer.write(halves[what])
        assert (await answered(port, whole))[0] == 200
        ends: dict[str, bytes] = {}
        async with asyncio.timeout(SECONDS + LATE_SECONDS):
            for what, (reader, _) in opened.items():
                ends[what] = await reader.read()
        assert time.monotonic() - start >= SECONDS * 0.9
        for _, writer in opened.values():
            writer.close()
    assert {what: end[:12] for what, end in ends.items()} == {
        "nothing": b"",
        "half a header": b"",
        "all but the end of the header": b"",
        "no body": b"HTTP/1.1 408",
        "half a body": b"HTTP/1.1 408",
    }
    assert b'"BAD_REQUEST"' in ends["half a body"]
    assert b"connection: close" in ends["half a body"].lower()


@pytest.mark.parametrize("where", ["header", "body"])
async def test_a_byte_now_and_then_buys_no_time(store: Store, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setattr(protocol, "_HEADERS_SECONDS", SECONDS)
    whole = post("{ viewer { name } }" + " " * 200, token())
    head = whole.index(b"\r\n\r\n") + 4
    async with serve(gateway_app(store, timeout_seconds=SECONDS)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = 20 if where == "header" else head
        writer.write(whole[:sent])
        end = asyncio.create_task(reader.read())
        async with asyncio.timeout(SECONDS + LATE_SECONDS):
            while not end.done():
                writer.write(whole[sent : sent + 1])
                sent += 1
                await asyncio.wait([end], timeout=0.1)
        assert sent < len(whole)
        if where == "body":
            assert end.result()[:12] == b"HTTP/1.1 408"
        else:  # nothing is said, so a byte on its way may meet a closed connection
            assert isinstance(end.exception(), ConnectionResetError) or end.result() == b""
        writer.close()


async def test_a_connection_that_is_kept_may_rest_and_is_asked_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for headers is no time for thought."""
    monkeypatch.setattr(protocol, "_HEADERS_SECONDS", 0.5)
    async with serve(gateway_app(store)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(post("{ viewer { name } }"))
            assert (await response(reader))[0] == 200
            await asyncio.sleep(0.8)
        writer.close()
