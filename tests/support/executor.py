"""A system that is asked: it takes signed messages on a real port, and says later what became of them."""

import asyncio
import json
import socket
import time
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.catalogue.external_requests import REQUEST_KINDS, RequestGroup, RequestKind
from app.catalogue.model import AttributeKind, CatalogueAttribute
from app.delivery import executors
from app.delivery.relay import Relay
from app.domain.executors import Endpoint, Executors
from app.domain.signatures import signed, verify
from app.services import external_requests
from app.store.driver import Document, Store

SECRET = b"a secret of the executor's, 32 bytes"
OTHER_SECRET = b"another one, which replaces it later"
GIFT_CARD = RequestKind(
    "GIFT_CARD",
    "Gift card",
    "Send the customer a gift card.",
    RequestGroup.OTHER,
    "REQUEST_OTHER",
    (CatalogueAttribute("value", "Value", AttributeKind.MONEY, personal=False),),
)
"""A kind of the company's own."""
TEXT = f"whsec_{b64encode(SECRET).decode()}"


@dataclass(slots=True)
class Executor:
    """It keeps each message that comes, and answers with what the test has set."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    messages: list[Document] = field(default_factory=list[Document])
    ids: list[str] = field(default_factory=list[str])
    secrets: tuple[bytes, ...] = (SECRET,)
    private: bool = True

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        self.ids.append(verify(self.secrets, request.headers, body, now=time.time()))
        assert request.headers["idempotency-key"] == self.ids[-1]
        self.messages.append(json.loads(body))
        return Response(status_code=self.status, headers=self.headers)

    @property
    def connected(self) -> Executors:
        """Returns the executors of a gateway that knows this one, for all kinds."""
        kinds = {**REQUEST_KINDS, GIFT_CARD.code: GIFT_CARD}
        endpoint = Endpoint("billing", self.url, self.secrets, frozenset(kinds), private=self.private)
        return Executors(kinds, {"billing": endpoint})


@asynccontextmanager
async def running_executor() -> AsyncGenerator[Executor]:
    """Runs an executor on this machine."""
    executor = Executor()
    routes = [Route("/requests", executor.receive, methods=["POST"]), Route("/elsewhere", executor.receive)]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        executor.url = f"http://127.0.0.1:{listener.getsockname()[1]}/requests"
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off", timeout_graceful_shutdown=0)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 # it has no event for it
            await asyncio.sleep(0.01)
        try:
            yield executor
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def relay_to(executor: Executor, store: Store, *, timeout_seconds: float = 30) -> AsyncGenerator[Relay]:
    """Makes a relay to an executor."""
    connected = executor.connected
    async with httpx2.AsyncClient(timeout=timeout_seconds, trust_env=False) as client:

        async def received(request: Document, at: Any) -> None:
            await external_requests.received(store, connected, request, at)

        async def give_up(request: Document, update: Document, reason: str) -> bool:
            return await external_requests.give_up(store, connected, request, update, reason)

        channel = executors.channel(store, connected, executors.Poster(client), received, give_up)
        yield Relay(store, [channel], timeout_seconds)


async def call_back(
    client: httpx2.AsyncClient,
    request_id: str,
    status: str,
    *,
    message_id: str = "msg_1",
    secret: bytes = SECRET,
    **more: Any,
) -> httpx2.Response:
    """Says what became of a request, as an executor does."""
    body = json.dumps({"requestId": request_id, "status": status, **more}).encode()
    return await send(client, body, message_id=message_id, secret=secret)


async def send(
    client: httpx2.AsyncClient, body: bytes, *, message_id: str = "msg_1", secret: bytes = SECRET, late: int = 0
) -> httpx2.Response:
    """Sends a callback as it is, signed."""
    headers = signed([secret], message_id, int(time.time()) - late, body)
    return await client.post("/callbacks/requests", content=body, headers=headers)
