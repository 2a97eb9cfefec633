"""Serves GraphQL by WebSocket, in the protocol graphql-transport-ws (graphql-ws, PROTOCOL.md).

Queries, changes and subscriptions are what they are over HTTP: the same limits, prices, rates and refusals. The token
comes with the handshake or in the payload of `connection_init`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, aclosing, contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import urlsplit

import orjson
from asgi_correlation_id import correlation_id
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from app import metrics
from app.domain.access import Viewer
from app.domain.refusals import Refusal
from app.http.cancellation import CancelAfter
from app.http.endpoint import Authenticate
from app.http.middleware import new_request_id
from app.http.request import HTTPError, request_of
from app.http.status import failure
from app.http.tokens import Unauthenticated
from app.operations.errors import error_payload
from app.operations.operation import GraphQLRequest
from app.operations.pipeline import Pipeline

PROTOCOL: Final = "graphql-transport-ws"
INIT_SECONDS: Final = 3
"""How long a client may take to say who it is."""
OPERATIONS_AT_MOST: Final = 50
"""Operations of one socket at once."""
SOCKETS_PER_STREAM: Final = 5
"""A subject may have so many times as many sockets as streams: of those whose network is lost we learn late."""
_ID_CHARACTERS: Final = 256


class _Closed(Exception):
    """Raised to close the socket with a code of the protocol and a sentence."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class WebSocketEndpoint:
    """The endpoint takes sockets of pages of this host and of ``origins``, and of whatever sends no Origin."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        authenticate: Authenticate,
        origins: Collection[str],
        sockets_at_most: int,
        of_subject_at_most: int,
    ) -> None:
        self._pipeline, self._authenticate, self._origins = pipeline, authenticate, frozenset(origins)
        self._at_most, self._of_subject_at_most = sockets_at_most, of_subject_at_most
        self._open, self._by_subject = 0, Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        correlation_id.set(new_request_id())
        if refusal := self._refusal(socket):
            await socket.receive()
            await socket.send_denial_response(refusal)
            return
        self._open += 1
        try:
            await _Connection(socket, self._pipeline, self._authenticate, self._place).serve()
        finally:
            self._open -= 1

    @contextmanager
    def _place(self, viewer: Viewer) -> Generator[None]:
        """Holds a place among the subject's sockets. Raises _Closed."""
        if self._by_subject[viewer.subject] >= self._of_subject_at_most:
            raise _Closed(4429, f"At most {self._of_subject_at_most} sockets of one subject")
        self._by_subject[viewer.subject] += 1
        try:
            yield
        finally:
            self._by_subject[viewer.subject] -= 1
            if not self._by_subject[viewer.subject]:
                del self._by_subject[viewer.subject]

    def _refusal(self, socket: WebSocket) -> JSONResponse | None:
        """Returns the response to a handshake that is refused."""
        origin = socket.headers.get("origin")
        if origin is not None and not self._is_allowed(origin, socket.headers.get("host", "")):
            message = "Pages of this origin may not call this gateway: CORS_ORIGINS does not list it."
            return JSONResponse({"errors": [error_payload("CORS_REFUSED", message)]}, HTTPStatus.FORBIDDEN)
        if PROTOCOL not in cast(Collection[str], socket.scope.get("subprotocols", ())):
            message = f"Ask for the subprotocol {PROTOCOL}: it is the only one that is spoken here."
            return JSONResponse({"errors": [error_payload("BAD_REQUEST", message)]}, HTTPStatus.BAD_REQUEST)
        if self._open >= self._at_most:
            headers = {"Retry-After": "5"}
            error = error_payload("OVERLOADED", "There is no room for another socket in this process.")
            return JSONResponse({"errors": [error]}, HTTPStatus.SERVICE_UNAVAILABLE, headers)
        return None

    def _is_allowed(self, origin: str, host: str) -> bool:
        try:
            return origin in self._origins or "*" in self._origins or urlsplit(origin).netloc == host
        except ValueError:
            return False


class _Connection:
    """A connection is one socket. Messages are read one at a time: who floods it waits."""

    def __init__(
        self,
        socket: WebSocket,
        pipeline: Pipeline,
        authenticate: Authenticate,
        place: Callable[[Viewer], AbstractContextManager[None]],
    ) -> None:
        self._socket, self._pipeline, self._authenticate = socket, pipeline, authenticate
        self._place, self._held = place, ExitStack()
        self._authorization: str | None = None
        self._viewer: Viewer | None = None
        self._operations: dict[str, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        await self._socket.accept(PROTOCOL)
        try:
            async with asyncio.timeout(INIT_SECONDS):
                await self._init(await self._message())
            while True:
                await self._handle(await self._message())
        except TimeoutError:
            await self._close(4408, "Connection initialisation timeout")
        except _Closed as closed:
            await self._close(closed.code, closed.reason)
        except WebSocketDisconnect:
            pass
        finally:
            running = [*self._operations.values()]
            for task in running:
                task.cancel()
            if running:
                await asyncio.wait(running)
            self._held.close()

    # ------------------------------------------------------------ messages

    async def _message(self) -> Mapping[str, Any]:
        """Raises _Closed for what is not a message, WebSocketDisconnect."""
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1005))
        text = received.get("text")
        if text is None:
            raise _Closed(4400, "Messages are JSON texts")
        if self._viewer:
            self._charge(len(text))
        try:
            message: object = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise _Closed(4400, "The message is not valid JSON") from None
        if not isinstance(message, dict) or not isinstance(cast(Any, message).get("type"), str):
            raise _Closed(4400, "A message is an object with a type")
        return cast("Mapping[str, Any]", message)

    def _charge(self, size: int) -> None:
        try:
            self._pipeline.charge_body(cast(Viewer, self._viewer), size)
        except Refusal as refusal:
            raise _Closed(4429, str(refusal)[:100]) from None

    async def _init(self, message: Mapping[str, Any]) -> None:
        match message["type"]:
            case "connection_init":
                pass
            case "ping":
                await self._send({"type": "pong"})
                await self._init(await self._message())
                return
            case "pong":
                await self._init(await self._message())
                return
            case "subscribe":
                raise _Closed(4401, "Unauthorized")
            case _:
                raise _Closed(4400, "The first message is connection_init")
        self._authorization = self._socket.headers.get("authorization") or _authorization(message.get("payload"))
        try:
            self._viewer = await self._authenticate(self._authorization)
            self._pipeline.admit(self._viewer)
        except Unauthenticated as refusal:
            raise _forbidden(refusal) from None
        except Refusal as refusal:
            raise _Closed(4403 if refusal.code == "FORBIDDEN" else 1013, str(refusal)[:120]) from None
        self._held.enter_context(self._place(self._viewer))
        await self._send({"type": "connection_ack"})

    async def _handle(self, message: Mapping[str, Any]) -> None:
        """Raises _Closed."""
        match message["type"]:
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                pass
            case "connection_init":
                raise _Closed(4429, "Too many initialisation requests")
            case "subscribe":
                self._subscribe(_id_of(message), message.get("payload"))
            case "complete":
                if task := self._operations.pop(_id_of(message), None):
                    task.cancel()
            case _:
                raise _Closed(4400, "There is no such type of message")

    def _subscribe(self, operation_id: str, payload: object) -> None:
        if operation_id in self._operations:
            raise _Closed(4409, f"Subscriber for {operation_id} already exists"[:120])
        if len(self._operations) >= OPERATIONS_AT_MOST:
            raise _Closed(4429, f"At most {OPERATIONS_AT_MOST} operations at once on one socket")
        if not isinstance(payload, dict) or not isinstance(cast(Any, payload).get("query"), str | None):
            raise _Closed(4400, "The payload of subscribe is an object with a query")
        task = asyncio.create_task(self._run(operation_id, cast(object, payload)))
        self._operations[operation_id] = task
        task.add_done_callback(partial(self._forget, operation_id))

    def _forget(self, operation_id: str, task: "asyncio.Task[None]") -> None:
        if self._operations.get(operation_id) is task:
            del self._operations[operation_id]

    # ------------------------------------------------------------ operations

    async def _run(self, operation_id: str, payload: object) -> None:
        """Runs an operation by the token of now: while a socket is open its token ends, or its key is withdrawn."""
        correlation_id.set(new_request_id())
        try:
            viewer = await self._authenticate(self._authorization)
            self._pipeline.admit(viewer)
            request: GraphQLRequest = request_of(payload, may_change=True)
            response = await self._pipeline.respond(request, viewer, CancelAfter)
        except Unauthenticated as refusal:
            closed = _forbidden(refusal)
            await self._close(closed.code, closed.reason)
            return
        except (Exception, HTTPError) as error:
            refused = failure(error)
            metrics.requests_by_outcome(refused.outcome).inc()
            await self._send({"id": operation_id, "type": "error", "payload": refused.body["errors"]})
            return
        metrics.requests_by_outcome("OK").inc()
        if isinstance(response, dict):
            await self._send({"id": operation_id, "type": "next", "payload": response})
        else:
            async with aclosing(response) as events:
                async for event in events:
                    await self._send({"id": operation_id, "type": "next", "payload": event})
        await self._send({"id": operation_id, "type": "complete"})

    # ------------------------------------------------------------ the socket

    async def _send(self, message: Mapping[str, Any]) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            await self._socket.send_text(orjson.dumps(message).decode())

    async def _close(self, code: int, reason: str) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            await self._socket.close(code, reason)


def _forbidden(refusal: Unauthenticated) -> _Closed:
    return _Closed(4403, f"Forbidden: {refusal}"[:120])


def _id_of(message: Mapping[str, Any]) -> str:
    operation_id = message.get("id")
    if not isinstance(operation_id, str) or not 0 < len(operation_id) <= _ID_CHARACTERS:
        raise _Closed(4400, f"An id is a string of 1 to {_ID_CHARACTERS} characters")
    return operation_id


def _authorization(payload: object) -> str | None:
    """Returns the header as clients put it into the payload: by its name in any case, or among ``headers``."""
    if not isinstance(payload, dict):
        return None
    given = cast("Mapping[str, object]", payload)
    headers = given.get("headers")
    named = [*given.items(), *(cast("Mapping[str, object]", headers).items() if isinstance(headers, dict) else ())]
    return next((value for name, value in named if name.lower() == "authorization" and isinstance(value, str)), None)
