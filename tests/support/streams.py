"""Subscribes as clients do: by server-sent events, and by WebSocket."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from app.http.tokens import verifier
from app.main import build_app, rates_of, routes, watching
from app.services.watches import Watches
from app.settings import Limits
from app.store.deadline import NEVER
from app.store.driver import Store
from tests.support.gateway import Ask, serve
from tests.support.tokens import AUTHORITY, SECRET, token

NOTE = """mutation($input: AddNoteInput!) { addNote(input: $input) { activity { id } userErrors { code message } } }"""
SECONDS = 20
"""How long a test waits for what has to come."""


@asynccontextmanager
async def live_gateway(
    store: Store, limits: Limits | None = None, *, listens: bool = True, timeout_seconds: float = 60
) -> AsyncGenerator[str]:
    """Serves the application on a real port, as a process does; gives its address.

    Without ``listens`` it has no change stream, as where that was lost: only the looks wake.
    """
    limits = limits or Limits()
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    watches = Watches(store.database)
    if not listens:
        watches.listen = _never  # type: ignore[method-assign]
    made = routes(
        store.database,
        authenticate,
        timeout_seconds=timeout_seconds,
        limits=limits,
        rates=rates_of(store.database, limits),
        watches=watches,
    )
    async with watching(watches, store.database.until(NEVER)), serve(build_app(made)) as port:
        yield f"http://127.0.0.1:{port}"


async def _never(_: Store) -> None:
    await asyncio.Event().wait()


class Stream:
    """The responses of one subscription, in their order."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.is_complete = False

    async def next(self) -> dict[str, Any]:
        """Returns the next response. Raises StopAsyncIteration after the last, TimeoutError if none comes."""
        async with asyncio.timeout(SECONDS):
            name = ""
            async for line in self._lines:
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data:"):
                    if name == "complete":
                        self.is_complete = True
                        raise StopAsyncIteration
                    return json.loads(line.removeprefix("data:"))
            raise StopAsyncIteration

    async def event(self, field: str = "customerActivity") -> Any:
        """Returns the next event. Fails if it is an error."""
        response = await self.next()
        assert "errors" not in response, response
        return response["data"][field]


@asynccontextmanager
async def subscribed(
    url: str, query: str, bearer: str | None = None, accept: str = "text/event-stream", **variables: Any
) -> AsyncGenerator[Stream]:
    """Subscribes by server-sent events."""
    headers = {"Authorization": f"Bearer {bearer or token()}", "Accept": accept}
    body = {"query": query, "variables": variables}
    async with (
        httpx2.AsyncClient(timeout=SECONDS) as client,
        client.stream("POST", f"{url}/graphql", json=body, headers=headers) as response,
    ):
        assert response.status_code == 200, (response.status_code, await response.aread())
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response.aiter_lines())


@asynccontextmanager
async def socket_of(url: str, *, init: Any = ..., **options: Any) -> AsyncGenerator[ClientConnection]:
    """Opens a WebSocket, and says who it is unless ``init`` is None."""
    address = url.replace("http", "ws", 1) + "/graphql"
    async with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")], **options) as socket:
        if init is not None:
            payload = {"Authorization": f"Bearer {token()}"} if init is ... else init
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        yield socket


async def received(socket: ClientConnection) -> Any:
    """Returns the next message."""
    async with asyncio.timeout(SECONDS):
        return json.loads(await socket.recv())


def code_of(response: dict[str, Any]) -> str:
    """Returns the code of the one error of a response."""
    (error,) = response["errors"]
    return error["extensions"]["code"]


async def note(ask: Ask, customer_id: str, key: str, message: str | None = None) -> str:
    """Writes a note, and returns the id of its activity."""
    answer = await ask(
        NOTE, input={"customerId": customer_id, "message": message or f"Note {key}", "idempotencyKey": key}
    )
    assert not answer["data"]["addNote"]["userErrors"], answer
    return answer["data"]["addNote"]["activity"]["id"]
