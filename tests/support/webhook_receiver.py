"""A receiver of webhooks: it takes messages on a real port, and answers with what the test has set."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Received(NamedTuple):
    """A message as it came."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.body)["data"]

    @property
    def type(self) -> str:
        return json.loads(self.body)["type"]


@dataclass(slots=True)
class WebhookReceiver:
    """It keeps each message that comes. ``status`` decides what it answers; while ``held`` it answers nothing."""

    url: str = ""
    status: Callable[[Received], int] = lambda _: 204
    headers: dict[str, str] = field(default_factory=dict[str, str])
    messages: list[Received] = field(default_factory=list[Received])
    held: asyncio.Event | None = None

    async def receive(self, request: Request) -> Response:
        received = Received(dict(request.headers), await request.body())
        self.messages.append(received)
        if self.held:
            await self.held.wait()
        return Response(status_code=self.status(received), headers=self.headers)

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.messages]

    def about(self, customer: Mapping[str, Any]) -> list[int]:
        """Returns the revisions of the messages about a customer, as they came."""
        return [each.data["revision"] for each in self.messages if each.data["customerId"] == customer["_id"]]


@asynccontextmanager
async def webhook_receiver() -> AsyncGenerator[WebhookReceiver]:
    """Runs a receiver on this machine."""
    receiver = WebhookReceiver()
    routes = [Route("/hooks", receiver.receive, methods=["POST"]), Route("/elsewhere", receiver.receive)]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        receiver.url = f"http://127.0.0.1:{listener.getsockname()[1]}/hooks"
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off", timeout_graceful_shutdown=0)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 # it has no event for it
            await asyncio.sleep(0.01)
        try:
            yield receiver
        finally:
            if receiver.held:
                receiver.held.set()
            server.should_exit = True
            await serving
