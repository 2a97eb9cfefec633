"""Compresses answers by gzip for clients that accept it: docs/decisions/0024."""

from functools import lru_cache
from typing import Any, Final

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.cells import MEDIA_TYPES

_SMALLEST_BYTES: Final = 1_000
"""What fits into one packet, headers included, is not sent any sooner."""
_LEVEL: Final = 1
_FILES: Final = ("application/pdf", *(type_.partition(";")[0] for type_ in MEDIA_TYPES.values()))
_AS_THEY_ARE: Final = (*DEFAULT_EXCLUDED_CONTENT_TYPES, *_FILES)
"""Files of exports and uploads say how long they are, so that a torn one is noticed."""
_ONCE: Final = b"Accept-Encoding"
_TWICE: Final = b"Accept-Encoding, Accept-Encoding"


class Compression(GZipMiddleware):
    """Starlette's middleware compresses; clients that do not ask for gzip pass it by, and wait for nothing here."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, _SMALLEST_BYTES, _LEVEL, exclude_content_types=_AS_THEY_ARE)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        accepted = b""
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name == b"accept-encoding":
                    accepted = value
                    break
        if not accepted or not accepts_gzip(accepted):
            return self.app(scope, receive, send)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":  # Starlette's names it once more, whatever is there
                message["headers"] = [(name, value.replace(_TWICE, _ONCE)) for name, value in message["headers"]]
            await send(message)

        return super().__call__(scope, receive, sending)


@lru_cache(64)
def accepts_gzip(accepted: bytes) -> bool:
    """Returns whether a list of codings names gzip, and not with a weight of 0 (RFC 9110, 12.5.3)."""
    for coding in accepted.decode("latin-1").lower().split(","):
        name, *parameters = (part.strip() for part in coding.split(";"))
        if name == "gzip":
            weights = [parameter[2:].strip() for parameter in parameters if parameter.startswith("q=")]
            return all(weight.strip("0.") for weight in weights)
    return False
