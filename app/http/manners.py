"""What every request has: an id; and every answer: that id, headers that keep browsers safe, and a farewell while the
process is about to leave. An answer there is even where all else failed.
"""

from collections.abc import Callable
from http import HTTPStatus
from secrets import token_hex
from typing import Final

import structlog
from asgi_correlation_id import correlation_id
from asgi_correlation_id.middleware import is_valid_uuid4
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID: Final = "X-Request-ID"
_REQUEST_ID: Final = REQUEST_ID.lower().encode()
_SAFE: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""Unless an answer says otherwise: pages do."""

_FAILED: Final = PlainTextResponse("Internal Server Error", HTTPStatus.INTERNAL_SERVER_ERROR)

_log = structlog.get_logger("gateway")


class Leaving:
    """Whether this process takes leave: it answers on, and keeps no connection open.

    It is not ready any more, unless it is ``replaced``: whoever asks at this address is served by another.
    """

    begun = False
    replaced = False
    stop_listening: Callable[[], None] = staticmethod(lambda: None)
    """Takes no new connection. Set by who serves."""


LEAVING: Final = Leaving()


class Manners:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        answering = False

        async def sending(message: Message) -> None:
            nonlocal answering
            if message["type"] == "http.response.start":
                answering = True
                headers = [*message["headers"], (_REQUEST_ID, request_id)]
                there = {name for name, _ in headers}
                headers += [each for each in _SAFE if each[0] not in there]
                if LEAVING.begun:
                    headers = [*(each for each in headers if each[0] != b"connection"), (b"connection", b"close")]
                message["headers"] = headers
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:  # of ours, and outside GraphQL, which answers its own
            if not answering:
                await _FAILED(scope, receive, sending)
            raise  # who serves us logs it


def _request_id(scope: Scope) -> bytes:
    """The client's own, if it is of 32 hexadecimal digits; a new one otherwise. Logs know it from then on."""
    given = next((value.decode("latin-1") for name, value in scope["headers"] if name == _REQUEST_ID), "")
    valid = given and is_valid_uuid4(given)
    request_id = given if valid else token_hex(16)
    correlation_id.set(request_id)
    if given and not valid:
        _log.warning("the client's request id is none")
    return request_id.encode("latin-1")
