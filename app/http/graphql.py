"""GraphQL over HTTP: Strawberry's view with our viewers, our errors and a fast encoder."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import orjson
from asgi_correlation_id import correlation_id
from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse
from strawberry.schema import BaseSchema
from strawberry.types import ExecutionResult

from app import faults
from app.context import Context
from app.domain.access import Forbidden, Masks, Role, Viewer
from app.domain.vocabulary import CustomerStatus
from app.http import graphiql
from app.http.tokens import KeysUnavailable, Unauthenticated
from app.loaders import Loaders
from app.loaders.gate import Gate
from app.services.changes import Changes, Outgoing, Turns
from app.store.driver import Store, Unavailable, within

_FOR_CHANGES: Final = 0.9
"""Of a request's time. The rest is for undoing what could not be made, or for reading back what was."""

Authenticate = Callable[[str | None], Awaitable[Viewer]]
"""From the Authorization header. Raises Unauthenticated, KeysUnavailable."""


class GraphQLEndpoint(GraphQL[Context, None]):
    """Answers programs with JSON, and a browser that comes to look with GraphiQL. Without a token: 401 and nothing."""

    def __init__(
        self,
        schema: BaseSchema,
        store: Store,
        *,
        authenticate: Authenticate,
        masks_for: Callable[[frozenset[Role]], Masks],
        page: Callable[[Request], Response],
        timeout_seconds: float,
        outgoing: Outgoing,
    ) -> None:
        super().__init__(schema, graphql_ide=None, subscription_protocols=())
        self._page, self._timeout_seconds, self._turns = page, timeout_seconds, Turns()
        self._store, self._authenticate, self._masks_for = store, authenticate, masks_for
        self._outgoing = outgoing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if graphiql.asks_for_page(request):
            await self._page(request)(scope, receive, send)
            return
        try:
            # Several headers are joined as HTTP does it, and so are not one token.
            viewer = await self._authenticate(", ".join(request.headers.getlist("authorization")) or None)
            with within(self._timeout_seconds):
                scope["context"] = await self._context(viewer)
                response = await self.run(request)
        except (Unauthenticated, Forbidden, KeysUnavailable) as refusal:
            status = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403}.get(refusal.code, 503)
            response = _error(status, refusal.code, str(refusal))
        except Unavailable:
            response = _error(503, "UNAVAILABLE", faults.UNAVAILABLE)
        except HTTPException as malformed:
            response = _error(malformed.status_code, HTTPStatus(malformed.status_code).name, malformed.reason)
        await response(scope, receive, send)

    async def _context(self, viewer: Viewer) -> Context:
        """Raises Forbidden for who may read nothing at all."""
        if not viewer.roles:
            raise Forbidden("Your token has no role that this gateway knows.")
        gate, now = Gate(self._store, viewer, self._masks_for(viewer.roles)), datetime.now(UTC)
        # Stored times have milliseconds: what a change returns is what it stored.
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        until = time.monotonic() + self._timeout_seconds * _FOR_CHANGES
        changes = Changes(self._store, self._turns, viewer, now, correlation_id.get() or "", until, self._outgoing)
        context = Context(viewer, now, changes, lambda: Loaders(self._store, gate))
        if Role.CUSTOMER in viewer.roles:
            own = await context.loaders.documents.load(viewer.customer_id or "")
            if own is None or own["status"] != CustomerStatus.ACTIVE:
                raise Forbidden("This account is not active.")
        return context

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        return request.scope["context"]

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        answered: dict[str, Any] = {"data": result.data}
        if result.errors:
            answered["errors"] = [faults.answer(error) for error in result.errors]
        return answered  # pyright: ignore[reportReturnType] # built key by key

    def decode_json(self, data: str | bytes) -> object:
        return orjson.loads(data)  # refuses half a surrogate pair, which is no text to the database or to an answer

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)


def _error(status: int, code: str, message: str) -> Response:
    """An answer to what never became a query: no data, one error with its code."""
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    errors = [{"message": message, "extensions": {"code": code}}]
    return JSONResponse({"errors": errors}, status_code=status, headers=headers)
