"""The application as a client meets it: in this process, or on a real port."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import uvicorn
from starlette.types import ASGIApp

from app import serving
from app.domain.mappings import Mapping as ImportMapping
from app.http.tokens import verifier
from app.main import build_app, routes
from app.operations.rates import Rates
from app.settings import Limits
from app.store.driver import Store
from tests.support.tokens import AUTHORITY, SECRET, token


class Ask(Protocol):
    """Sends queries to the application."""

    async def __call__(self, query: str, *, token: str = ..., **variables: Any) -> dict[str, Any]:
        """Returns the answer to a query, errors included, without its cost. The default token is an administrator's."""
        ...


def gateway_app(
    store: Store,
    limits: Limits | None = None,
    *,
    timeout_seconds: float = 60,
    rates: Rates | None = None,
    mappings: Mapping[str, ImportMapping] | None = None,
) -> ASGIApp:
    """Builds the application as a client meets it."""
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    return build_app(
        routes(
            store.database,
            authenticate,
            timeout_seconds=timeout_seconds,
            limits=limits,
            rates=rates,
            mappings=mappings,
        )
    )


@asynccontextmanager
async def serve(app: ASGIApp) -> AsyncGenerator[int]:
    """Serves the application as ``serve`` does, on loopback, for as long as this lasts; gives its port."""
    server = uvicorn.Server(serving.uvicorn_config(app, log_level="WARNING"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:  # noqa: ASYNC110 # it has no event for it
                await asyncio.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await running


def post(query: str, bearer: str | None = None) -> bytes:
    """Writes a whole request, as bytes."""
    body = json.dumps({"query": query}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {bearer or token()}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
