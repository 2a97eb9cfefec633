"""A wallet service of our own, which checks each signature as its makers publish it, and answers as a test wants."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx2
import pytest
import uvicorn
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.delivery import wallet
from app.delivery.relay import Relay
from app.delivery.wallet import Wallet
from app.domain.signatures import secret_of, signed
from app.store.driver import Document, Store
from tests.support.processes import free_ports
from tests.support.relays import Certificate, Post, running, until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STALLS = 0


@dataclass
class Service:
    """``answers`` are the next ones, then it says 204."""

    answers: list[int] = field(default_factory=list[int])
    port: int = 0
    asked: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    """``webhook-id`` and body of each request, wherever it went. All of them were signed."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/pushes"

    async def endpoint(self, request: Request) -> Response:
        message = Webhook(SECRET).verify(await request.body(), dict(request.headers))
        assert request.headers["content-type"] == "application/json"
        self.asked.append((f"{request.url.path} {request.headers['webhook-id']}", message))
        answer = self.answers.pop(0) if self.answers else 204
        if answer == STALLS:
            await asyncio.sleep(3600)
        return Response(status_code=answer, headers={"Location": "/elsewhere"} if answer // 100 == 3 else None)


@asynccontextmanager
async def wallet_service() -> AsyncGenerator[Service]:
    service = Service()
    routes = [Route(path, service.endpoint, methods=["GET", "POST"]) for path in ("/pushes", "/elsewhere")]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        service.port = listener.getsockname()[1]
        config = uvicorn.Config(
            Starlette(routes=routes), log_level="critical", lifespan="off", timeout_graceful_shutdown=0
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        try:
            yield service
        finally:
            server.should_exit = True
            await serving


@pytest.fixture
async def service() -> AsyncGenerator[Service]:
    """Runs a wallet service."""
    async with wallet_service() as service:
        yield service


@asynccontextmanager
async def relay_to(url: str, store: Store, *, timeout_seconds: float = 30) -> AsyncGenerator[Relay]:
    async with httpx2.AsyncClient(timeout=timeout_seconds) as client:
        yield Relay(store, [wallet.channel(store, Wallet(url, secret_of(SECRET), client))], timeout_seconds)


async def queued(post: Post, **given: Any) -> Document:
    pass_ = await post.world.pass_(await post.world.customer(), serialNumber="S-7", type="GOOGLE")
    now = datetime.now(UTC)
    due = {"status": "QUEUED", "attempts": 0, "requestedAt": now, "dueAt": now, "giveUpAt": now + timedelta(hours=1)}
    return await post.world.push(pass_, **{**due, **given})


async def now(post: Post, push: Document) -> Document:
    found = await post.now(push, "pushes")
    return {key: found[key] for key in ("status", "attempts", "error") if key in found}


LATER = "The wallet service put it off: "
NEVER = "The wallet service refused it: "


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (200, "INFORMED", None),
        (202, "INFORMED", None),
        (204, "INFORMED", None),
        (302, "QUEUED", f"{LATER}302 Found"),
        (308, "QUEUED", f"{LATER}308 Permanent Redirect"),
        (400, "FAILED", f"{NEVER}400 Bad Request"),
        (413, "FAILED", f"{NEVER}413 {HTTPStatus(413).phrase}"),
        (422, "FAILED", f"{NEVER}422 {HTTPStatus(422).phrase}"),
        (401, "QUEUED", f"{LATER}401 Unauthorized"),
        (403, "QUEUED", f"{LATER}403 Forbidden"),
        (404, "QUEUED", f"{LATER}404 Not Found"),
        (410, "QUEUED", f"{LATER}410 Gone"),
        (408, "QUEUED", f"{LATER}408 Request Timeout"),
        (409, "QUEUED", f"{LATER}409 Conflict"),
        (425, "QUEUED", f"{LATER}425 Too Early"),
        (429, "QUEUED", f"{LATER}429 Too Many Requests"),
        (500, "QUEUED", f"{LATER}500 Internal Server Error"),
        (503, "QUEUED", f"{LATER}503 Service Unavailable"),
    ],
)
async def test_each_answer_is_told_as_it_is(
    answer: int, status: str, error: str | None, store: Store, post: Post, service: Service
) -> None:
    service.answers = [answer]
    push = await queued(post)
    async with relay_to(service.url, store) as relay:
        await relay.once()
    expected = {"status": status, "attempts": 1}
    assert await now(post, push) == (expected if error is None else {**expected, "error": error})
    kept = await post.now(push, "pushes")
    assert ("informedAt" in kept, "dueAt" in kept) == (status == "INFORMED", status == "QUEUED")
    assert [where.split()[0] for where, _ in service.asked] == ["/pushes"]  # a redirection is not followed


async def test_the_message_says_which_pass_and_each_attempt_has_the_same_id(
    store: Store, post: Post, service: Service
) -> None:
    service.answers = [503, 429]
    push = await queued(post)
    async with relay_to(service.url, store) as relay:
        for _ in range(3):
            await relay.once()
            await post.make_due(push, "pushes")
    assert await now(post, push) == {"status": "INFORMED", "attempts": 3}
    assert {where for where, _ in service.asked} == {f"/pushes {push['_id']}"}
    (_, message), *others = service.asked
    assert all(other == message for _, other in others)
    at = message.pop("timestamp")
    assert abs(datetime.fromisoformat(at) - push["requestedAt"]) < timedelta(milliseconds=1)
    data = {"passId": push["passId"], "serialNumber": "S-7", "passType": "GOOGLE"}
    assert message == {"type": "pass.update_requested", "data": data}


async def test_a_service_that_stalls_or_is_not_there_is_tried_again(store: Store, post: Post, service: Service) -> None:
    service.answers = [STALLS]
    push = await queued(post)
    async with relay_to(service.url, store, timeout_seconds=1) as relay:
        await relay.once()
    said = await now(post, push)
    assert said in [
        {"status": "QUEUED", "attempts": 1, "error": f"{who} did not answer in time."}
        for who in ("The wallet service", "The server")  # whichever clock is first
    ]
    await post.make_due(push, "pushes")
    (port,) = free_ports(1)
    async with relay_to(f"http://127.0.0.1:{port}/pushes", store) as relay:
        await relay.once()
    assert await now(post, push) == {
        "status": "QUEUED",
        "attempts": 2,
        "error": "The wallet service could not be reached.",
    }
    await post.make_due(push, "pushes")
    async with relay_to(service.url, store) as relay:
        await relay.once()
    assert await now(post, push) == {"status": "INFORMED", "attempts": 3}
    assert len({where for where, _ in service.asked}) == 1


async def test_a_service_is_believed_by_the_head_of_its_answer(
    store: Store, post: Post, certificate: Certificate
) -> None:
    """Its body may never end, or be no gzip. One whose certificate nobody knows is told from one that is away."""
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9999999999\r\n\r\n<html>")
        await ended.wait()
        writer.close()

    async def answered(scheme: str, **options: Any) -> Document:
        push = await queued(post)
        async with await asyncio.start_server(answer, "127.0.0.1", 0, **options) as server:
            port = server.sockets[0].getsockname()[1]
            async with relay_to(f"{scheme}://127.0.0.1:{port}/pushes", store) as relay:
                await relay.once()
            ended.set()
        return await now(post, push)

    assert await answered("http") == {"status": "INFORMED", "attempts": 1}
    assert await answered("https", ssl=certificate.serving) == {
        "status": "QUEUED",
        "attempts": 1,
        "error": "The wallet service could not be reached safely: self-signed certificate.",
    }


async def test_a_service_that_never_takes_it_is_given_up(store: Store, post: Post, service: Service) -> None:
    service.answers = [500, 500]
    push = await queued(post, giveUpAt=datetime.now(UTC))
    async with relay_to(service.url, store) as relay:
        await relay.once()
        await relay.once()
    said = f"Given up after 1 attempt. {LATER}500 Internal Server Error"
    assert await now(post, push) == {"status": "FAILED", "attempts": 1, "error": said}


async def test_a_pass_that_is_gone_fails(store: Store, post: Post, service: Service) -> None:
    push = await queued(post)
    await store.command({"delete": "passes", "deletes": [{"q": {}, "limit": 0}]})
    async with relay_to(service.url, store) as relay:
        await relay.once()
    assert await now(post, push) == {"status": "FAILED", "attempts": 1, "error": "The pass is not there any more."}
    assert service.asked == []


async def test_a_commit_wakes_the_relay_of_passes_too(store: Store, post: Post, service: Service) -> None:
    async with relay_to(service.url, store) as relay, running(relay):
        for _ in range(3):
            push = await queued(post)

            async def informed(push: Document = push) -> bool:
                return (await now(post, push))["status"] == "INFORMED"

            await until(informed)
    assert len(service.asked) == 3


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!", SECRET.removeprefix("whsec_")])
def test_a_secret_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        secret_of(text)


def test_a_signature_of_another_body_time_or_secret_does_not_pass() -> None:
    at = int(datetime.now(UTC).timestamp())
    body = json.dumps({"type": "x"}).encode()
    headers = signed([secret_of(SECRET)], "psh_1", at, body)
    assert Webhook(SECRET).verify(body, headers) == {"type": "x"}
    for changed in (
        (b"{}", headers),
        (body, {**headers, "webhook-timestamp": str(at - 1)}),
        (body, {**headers, "webhook-id": "psh_2"}),
        (body, signed([secret_of("whsec_" + "A" * 32)], "psh_1", at, body)),
    ):
        with pytest.raises(Exception, match="No matching signature"):
            Webhook(SECRET).verify(*changed)
