"""Serves GraphQL over HTTP: reads a request, has it answered, and sends the response."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app import metrics, tracing
from app.domain.access import Viewer
from app.http import graphiql
from app.http.cancellation import CancelOnDisconnect, finish_within
from app.http.event_stream import accepts_only_stream, accepts_stream, once, send_events
from app.http.request import (
    JSON,
    RESPONSE,
    Headers,
    HTTPError,
    headers_of,
    media_type,
    read_request,
)
from app.http.status import GraphQLResponse, failure
from app.operations.admission import Admission
from app.operations.operation import GraphQLRequest
from app.operations.pipeline import NotASubscription, Pipeline
from app.settings import Limits

_SMALL_BYTES: Final = 65_536
"""A body that is larger, or says nothing of its length, is read in a turn: their senders may take their time."""
_TYPES: Final = {each: (b"content-type", f"{each}; charset=utf-8".encode()) for each in (JSON, RESPONSE)}
_HEADERS: Final = ((b"cache-control", b"no-store"), (b"vary", b"Accept, Accept-Encoding"))

Events: TypeAlias = AsyncGenerator[Mapping[str, Any]]
"""Responses of a subscription."""
Authenticate = Callable[[str | None], Awaitable[Viewer]]
"""From the Authorization header. Raises Unauthenticated, KeysUnavailable."""


class GraphQLEndpoint:
    """The endpoint answers programs with JSON, and a visiting browser with GraphiQL; without a token: 401."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        authenticate: Authenticate,
        page: Callable[[Request], Response] | None,
        timeout_seconds: float,
        limits: Limits,
    ) -> None:
        self._pipeline, self._authenticate, self._page = pipeline, authenticate, page
        self._timeout_seconds, self._limits = timeout_seconds, limits
        self._large = Admission(limits.max_at_once, limits.max_waiting, limits.max_waiting_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST" and self._page and graphiql.asks_for_page(request := Request(scope)):
            await self._page(request)(scope, receive, send)
            return
        start = time.perf_counter()
        headers = headers_of(scope)
        try:
            with tracing.span("request"):
                response = await self._respond(scope, headers, receive)
            if not isinstance(response, GraphQLResponse):
                metrics.requests_by_outcome("OK").inc()
                await send_events(response, receive, send)
                return
        except ClientDisconnect:
            metrics.requests_by_outcome("CLIENT_GONE").inc()
            return
        metrics.requests_by_outcome(response.outcome).inc()
        metrics.SECONDS.observe(time.perf_counter() - start)
        await _send(response, _type_or_json(headers), send)

    async def _respond(self, scope: Scope, headers: Headers, receive: Receive) -> GraphQLResponse | Events:
        """Returns the response, also for what failed; for a subscription its events. Raises ClientDisconnect."""
        accept = headers.get(b"accept", b"")
        is_only_stream = accepts_only_stream(accept)
        try:
            if not is_only_stream:
                media_type(accept)
            response = await self._execute_request(scope, headers, receive)
        except ClientDisconnect:
            raise
        except Exception as error:  # whatever it is, its text stays here
            failed = failure(error)
            return once(failed.body) if is_only_stream and not failed.status.for_all else failed
        if not isinstance(response, dict):
            return response
        return once(response) if is_only_stream else GraphQLResponse(response)

    async def _execute_request(self, scope: Scope, headers: Headers, receive: Receive) -> dict[str, Any] | Events:
        """Returns the response's body, or events. Raises what ``status.py`` knows, and ClientDisconnect."""
        viewer = await self._authenticate(headers.get(b"authorization", b"").decode("latin-1") or None)
        self._pipeline.admit(viewer)
        request = await self._read(scope, headers, receive, viewer)
        response = await self._pipeline.respond(request, viewer, partial(CancelOnDisconnect, receive))
        if isinstance(response, dict) or accepts_stream(headers.get(b"accept", b"")):
            return response
        await response.aclose()
        raise NotASubscription

    async def _read(self, scope: Scope, headers: Headers, receive: Receive, viewer: Viewer) -> GraphQLRequest:
        """Reads the request.

        Raises HTTPError, PersistedQueryNotSupported, ClientDisconnect, Overloaded, RateLimited.
        """
        length = headers.get(b"content-length", b"")
        is_small = scope["method"] == "GET" or (length.isdigit() and len(length) < 10 and int(length) <= _SMALL_BYTES)

        charge = partial(self._pipeline.charge_body, viewer)
        if not is_small:
            await self._large.enter(viewer.subject)
        try:
            reading = read_request(scope, headers, receive, self._limits, charge)
            return await finish_within(self._timeout_seconds, reading)
        except TimeoutError:
            message = "The request did not come in time."
            raise HTTPError(HTTPStatus.REQUEST_TIMEOUT, message, Connection="close") from None
        finally:
            if not is_small:
                self._large.leave()


def _type_or_json(headers: Headers) -> str:
    try:
        return media_type(headers.get(b"accept", b""))
    except HTTPError:
        return JSON


async def _send(response: GraphQLResponse, type_: str, send: Send) -> None:
    """Sends as a Starlette response would, with headers that are known beforehand."""
    body = orjson.dumps(response.body)
    headers = [_TYPES[type_], (b"content-length", b"%d" % len(body)), *_HEADERS]
    if response.status.headers:
        headers += [(name.lower().encode(), value.encode()) for name, value in response.status.headers.items()]
    status = response.status.code if response.status.for_all or type_ == RESPONSE else HTTPStatus.OK
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
