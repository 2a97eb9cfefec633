"""Makes an asynchronous gql client for this gateway: copy this file."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.utilities import update_schema_scalars
from graphql import ExecutionResult, GraphQLScalarType, build_schema

TRIES = 3
SCALARS = [
    GraphQLScalarType("DateTime", parse_value=datetime.fromisoformat, serialize=datetime.isoformat),
    GraphQLScalarType("Date", parse_value=date.fromisoformat, serialize=date.isoformat),
    GraphQLScalarType("Decimal", parse_value=Decimal, serialize=str),
]


class GatewayTransport(HTTPXAsyncTransport):
    """Gets a new token after UNAUTHENTICATED, and waits ``retryAfterSeconds`` after errors that may pass."""

    def __init__(
        self, url: str, *, get_token: Callable[[], str], refresh_token: Callable[[], Awaitable[None]], **options: Any
    ) -> None:
        super().__init__(url, **options)
        self._get_token, self._refresh_token = get_token, refresh_token
        self._refreshing = asyncio.Lock()

    async def execute(self, request: GraphQLRequest, **options: Any) -> ExecutionResult:
        for tries_left in reversed(range(TRIES)):
            token = self._get_token()
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/graphql-response+json"}
            result = await super().execute(request, extra_args={"headers": headers}, **options)
            extensions: dict[str, Any] = {}
            if result.data is None and result.errors:
                extensions = result.errors[0].get("extensions", {})
            # A change may be repeated, too: its idempotencyKey stays the same.
            if tries_left and extensions.get("code") == "UNAUTHENTICATED":
                async with self._refreshing:  # one new token for all requests that wait for it
                    if self._get_token() == token:
                        await self._refresh_token()
            elif tries_left and "retryAfterSeconds" in extensions:
                await asyncio.sleep(extensions["retryAfterSeconds"])
            else:
                return result
        raise AssertionError("the last try returns")


@asynccontextmanager
async def open_gateway(transport: GatewayTransport, sdl: str) -> AsyncGenerator[AsyncClientSession]:
    """Yields a session that checks documents before they are sent, and parses money, days and times of answers."""
    schema = build_schema(sdl)
    update_schema_scalars(schema, SCALARS)
    async with Client(schema=schema, transport=transport, parse_results=True) as session:
        yield session


async def ask(session: AsyncClientSession, request: GraphQLRequest) -> tuple[Any, list[Any]]:
    """Returns what could be read, and the errors of what could not: a role may not read every field."""
    try:
        return await session.execute(request), []
    except TransportQueryError as failed:
        return failed.data, failed.errors or []
