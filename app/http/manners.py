"""What every answer has: headers that keep browsers safe, and a farewell while the process is about to leave."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAFE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Unless an answer says otherwise: pages do."""
_SAFE_BYTES: Final = tuple((name.lower().encode(), value.encode()) for name, value in _SAFE.items())
"""The same, as messages have it."""


async def failed(_: Request, __: Exception) -> Response:
    """To a fault of ours outside GraphQL, which is answered outside of all middleware."""
    return PlainTextResponse("Internal Server Error", 500, headers=_SAFE)


class Leaving:
    """Whether this process takes leave: it is not ready any more, answers on, and keeps no connection open."""

    begun = False


LEAVING: Final = Leaving()


class Manners:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(each for each in _SAFE_BYTES if each[0] not in there)]
                if LEAVING.begun:
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, sending)
