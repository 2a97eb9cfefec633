"""What the tests of the door share: a gateway on a real port, and a database that is slow when told."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pytest
import uvicorn
from starlette.types import ASGIApp

from app import serving
from app.http.tokens import verifier
from app.main import build_app, routes
from app.operations.rates import Rates
from app.settings import Limits
from app.store.driver import Store
from tests.conftest import AUTHORITY, SECRET, token

ENDLESS: list[dict[str, Any]] = [
    *(stage for name in "abcd" for stage in ({"$set": {name: {"$range": [0, 1_000]}}}, {"$unwind": f"${name}"})),
    {"$match": {"$expr": {"$lt": [{"$add": ["$a", "$b", "$c", "$d"]}, 0]}}},
]
"""None of a million million documents: what has no end looks whether it should end, as a sleeping script does not."""


def door(
    store: Store, limits: Limits | None = None, *, timeout_seconds: float = 60, rates: Rates | None = None
) -> ASGIApp:
    """The application as a client meets it."""
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    return build_app(routes(store.database, authenticate, timeout_seconds=timeout_seconds, limits=limits, rates=rates))


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncGenerator[int]:
    """Its port, on loopback, for as long as this lasts: as ``serve`` does it."""
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
    """A whole request, as bytes."""
    body = json.dumps({"query": query}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {bearer or token()}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


Slow: TypeAlias = Callable[[str], None]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """From then on aggregates of that collection, with anything in it, go on in the database until they are ended."""
    aggregate = Store.aggregate

    def begin(collection: str) -> None:
        def slowly(
            self: Store, name: str | None, pipeline: Sequence[Any], **options: Any
        ) -> Coroutine[Any, Any, list[dict[str, Any]]]:
            return aggregate(self, name, [*ENDLESS, *pipeline] if name == collection else pipeline, **options)

        monkeypatch.setattr(Store, "aggregate", slowly)

    return begin


async def endless(store: Store) -> int:
    """How many such commands go on in the database."""
    running: dict[str, Any] = {
        "aggregate": 1,
        "pipeline": [{"$currentOp": {}}, {"$project": {"command.pipeline": 1}}],
        "cursor": {},
    }
    answer = await store.command(running, on_admin=True)
    return sum(
        each.get("command", {}).get("pipeline", [])[:1] == ENDLESS[:1] for each in answer["cursor"]["firstBatch"]
    )
