"""Gives every request an id, and every response that id, headers that keep browsers safe, and `Connection: close` while
the process drains. There is a response even where all else failed.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from os import urandom
from typing import Final

from asgi_correlation_id import correlation_id
from asgi_correlation_id.middleware import is_valid_uuid4
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.quiet import QuietLine
from app.operations.errors import error_payload

REQUEST_ID: Final = "X-Request-ID"
_REQUEST_ID: Final = REQUEST_ID.lower().encode()
_SAFE: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""Unless an answer says otherwise: pages do."""

_NO_WEBSOCKET: Final = JSONResponse(
    {
        "errors": [
            error_payload(
                "UPGRADE_REQUIRED", "There is no WebSocket here: open one at /graphql, on its own connection."
            )
        ]
    },
    HTTPStatus.UPGRADE_REQUIRED,
    {"Upgrade": "HTTP/1.1", "Connection": "Upgrade", "Cache-Control": "no-store"},
)
_FAILED: Final = PlainTextResponse("Internal Server Error", HTTPStatus.INTERNAL_SERVER_ERROR)

_IGNORED_ID: Final = QuietLine(f"ignored a malformed {REQUEST_ID}")


def _nothing(_seconds: float) -> None: ...


class Shutdown:
    """The shutdown says whether this process is ``draining``: it answers on, and keeps no connection open.

    It is not ready any more, unless it is ``replaced``: another process serves this address.
    """

    draining = False
    replaced = False
    stop_listening: Callable[[], None] = staticmethod(lambda: None)
    """Takes no new connection. Set by who serves."""
    end_streams: Callable[[float], None] = staticmethod(_nothing)
    """Ends streams of events within so many seconds. Set by who serves GraphQL."""


SHUTDOWN: Final = Shutdown()


class RequestMiddleware:
    """The outermost middleware does what every request and every response needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _headers_of(scope)
        request_id = _request_id(headers.get(_REQUEST_ID, b"").decode("latin-1"))
        app = _NO_WEBSOCKET if b"upgrade" in headers and _opens_websocket(scope, headers) else self._app
        answering = False

        def sending(message: Message) -> Awaitable[None]:
            nonlocal answering
            if message["type"] == "http.response.start":
                answering = True
                headers = [*message["headers"], (_REQUEST_ID, request_id)]
                there = {name for name, _ in headers}
                headers += [each for each in _SAFE if each[0] not in there]
                if SHUTDOWN.draining:
                    headers = [*(each for each in headers if each[0] != b"connection"), (b"connection", b"close")]
                message["headers"] = headers
            return send(message)

        try:
            await app(scope, receive, sending)
        except Exception:  # of ours, and outside GraphQL, which answers its own
            if not answering:
                await _FAILED(scope, receive, sending)
            raise  # who serves us logs it


def _headers_of(scope: Scope) -> Mapping[bytes, bytes]:
    """Returns headers by name; lines of one name become one list, for the next reader, too (RFC 9110, 5.2)."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if len(headers) < len(scope["headers"]):
        lines: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            lines.setdefault(name, []).append(value)
        headers = {name: b", ".join(values) for name, values in lines.items()}
        scope["headers"] = [*headers.items()]
    return headers


def _opens_websocket(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Returns whether it is a handshake (RFC 6455, 4.1). Any other Upgrade is ignored (RFC 9110, 7.8)."""
    return asks_for_websocket(headers) and scope["method"] == "GET" and scope["http_version"] == "1.1"


def asks_for_websocket(headers: Mapping[bytes, bytes]) -> bool:
    """Returns whether the headers of a GET are those of a handshake."""
    upgrade, connection = (headers.get(name, b"").lower() for name in (b"upgrade", b"connection"))
    return b"websocket" in _items(upgrade) and b"upgrade" in _items(connection)


def _items(value: bytes) -> list[bytes]:
    return [item.strip() for item in value.split(b",")]


def new_request_id() -> str:
    return urandom(16).hex()


def _request_id(given: str) -> bytes:
    """Returns the client's own id if it has 32 hexadecimal digits, else a new one. Logs know it from then on."""
    valid = given and is_valid_uuid4(given)
    request_id = given if valid else new_request_id()
    correlation_id.set(request_id)
    if given and not valid:
        _IGNORED_ID.warn()
    return request_id.encode("latin-1")
