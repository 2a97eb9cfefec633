"""Says which other origins' pages may call us (CORS). A refused page learns why, and how to change it."""

from http import HTTPStatus
from typing import Any, Final

import structlog
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.middleware import REQUEST_ID
from app.operations.errors import error_payload

EXPOSED: Final = (REQUEST_ID, "Retry-After", "WWW-Authenticate", "Content-Disposition", "Allow")
"""What pages of other origins may read of our headers, besides what any may."""
_LOGGED: Final = 100
"""How many refused origins are logged, each once: anybody can make up more."""
_CHARACTERS: Final = 200

_log = structlog.get_logger("gateway")


class Cors(CORSMiddleware):
    """Starlette's middleware answers preflights. Without ``origins`` CORS is off, and a preflight says so.

    A page of a listed origin may send any header: clients and monitoring libraries add theirs, and tokens are the only
    header that grants anything. No cookie is ever asked for.
    """

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST", "PUT"),
            allow_headers=("*",),
            allow_private_network=True,
            expose_headers=EXPOSED,
        )
        self._logged = set[str]()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        if self.allow_origins or (scope["type"] == "http" and scope["method"] == "OPTIONS"):
            return super().__call__(scope, receive, send)
        return self.app(scope, receive, send)

    async def simple_response(self, scope: Scope, receive: Receive, send: Send, request_headers: Headers) -> None:
        if self.allow_origins:
            await super().simple_response(scope, receive, send, request_headers)
        else:
            await self.app(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        origin, method = request_headers["origin"][:_CHARACTERS], request_headers["access-control-request-method"]
        if not self.allow_origins:
            self._log(origin)
            return _refused(f"CORS is off: to let pages of {origin} call this gateway, set CORS_ORIGINS.")
        response = super().preflight_response(request_headers)
        if not self.is_allowed_origin(request_headers["origin"]):
            self._log(origin)
            return _refused(f"Pages of {origin} may not call this gateway: CORS_ORIGINS does not list it.", response)
        if response.status_code != HTTPStatus.OK:
            return _refused(f"Pages of other origins may send GET, POST and PUT; not {method[:_CHARACTERS]}.", response)
        return response

    def _log(self, origin: str) -> None:
        if origin not in self._logged and len(self._logged) < _LOGGED:
            self._logged.add(origin)
            _log.warning("a page of another origin was refused: see CORS_ORIGINS", origin=origin)


def _refused(message: str, response: Response | None = None) -> Response:
    """Returns a refusal with the headers of the ``response`` that it replaces, so that caches keep the two apart."""
    vary = {"Vary": response.headers["vary"] if response else "Origin"}
    return JSONResponse({"errors": [error_payload("CORS_REFUSED", message)]}, HTTPStatus.BAD_REQUEST, vary)
