"""What a client asked, read from HTTP: four parameters, or a refusal with its status. Nothing is too odd to be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, cast

import orjson
from starlette.requests import ClientDisconnect, Request

from app.settings import Limits

JSON: Final = "application/json"
RESPONSE: Final = "application/graphql-response+json"

_PARAMETERS: Final = ("query", "operationName", "variables", "extensions")


class Malformed(Exception):
    """No request that could be looked at: the status says so to whatever lies between the client and us."""

    def __init__(self, status: HTTPStatus, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers

    @property
    def code(self) -> str:
        return _CODES.get(self.status, "BAD_REQUEST")


_CODES: Final = {
    HTTPStatus.METHOD_NOT_ALLOWED: "METHOD_NOT_ALLOWED",
    HTTPStatus.NOT_ACCEPTABLE: "NOT_ACCEPTABLE",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "REQUEST_TOO_LARGE",
    HTTPStatus.REQUEST_URI_TOO_LONG: "REQUEST_TOO_LARGE",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "UNSUPPORTED_MEDIA_TYPE",
}


@dataclass(frozen=True, slots=True)
class Asked:
    query: str
    operation_name: str | None = None
    variables: dict[str, Any] = field(default_factory=dict[str, Any])
    may_change: bool = True
    """Whether it came by a method that may change anything."""


@lru_cache(64)
def media_type(accept: str | None) -> str:
    """The type to answer with: the one that the client likes best, JSON unless it says so. Raises Malformed."""
    if accept is None or not accept.strip():
        return JSON
    wishes = dict(map(_wish, accept.lower().split(",")))
    among_all = wishes.get("application/*", wishes.get("*/*", 0))
    modern, plain = wishes.get(RESPONSE, 0), wishes.get(JSON, among_all)
    if modern == plain == 0:
        raise Malformed(HTTPStatus.NOT_ACCEPTABLE, f"Answers are {RESPONSE} or {JSON}; accept one of them.")
    return RESPONSE if modern >= plain else JSON


def _wish(media_range: str) -> tuple[str, float]:
    """A media range, and how much it is liked: 1 unless told."""
    name, *parameters = (part.strip() for part in media_range.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0
    return name, 1


async def read(request: Request, limits: Limits) -> Asked:
    """Raises Malformed, and ClientDisconnect if the client goes away meanwhile."""
    match request.method:
        case "GET":
            return _asked(_from_address(request, limits), may_change=False)
        case "POST":
            _check_type(request)
            return _asked(_parsed(await _body(request, limits)), may_change=True)
        case _:
            raise Malformed(HTTPStatus.METHOD_NOT_ALLOWED, "Send POST, or GET for a query.", Allow="GET, POST")


def _check_type(request: Request) -> None:
    """JSON only: a page of another origin can send it to us only if CORS allows it to. Raises Malformed."""
    name, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    charset = {parameter.replace('"', "") for parameter in parameters if parameter.startswith("charset=")}
    if name != JSON or charset - {"charset=utf-8"}:
        raise Malformed(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send the body as {JSON}, in UTF-8.", Accept=JSON)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Malformed(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body uncompressed.")


async def _body(request: Request, limits: Limits) -> bytes:
    """Never more than is allowed, whatever the client says its length is. Raises Malformed, ClientDisconnect."""
    most = limits.max_body_bytes
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > most):
        raise _too_large(most)
    body, more = bytearray(), True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_large(most)
        more = message.get("more_body", False)
    return bytes(body)


def _too_large(most: int) -> Malformed:
    return Malformed(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A request may have {most} bytes.", Connection="close")


def _parsed(body: bytes | str) -> object:
    try:
        return orjson.loads(body)  # refuses half characters, endless numbers, and what is nested too deeply
    except orjson.JSONDecodeError:
        raise Malformed(HTTPStatus.BAD_REQUEST, "The body is no JSON in UTF-8 that we can read.") from None


def _from_address(request: Request, limits: Limits) -> object:
    if len(request.scope["query_string"]) > limits.max_body_bytes:
        raise Malformed(HTTPStatus.REQUEST_URI_TOO_LONG, f"A request may have {limits.max_body_bytes} bytes.")
    given = request.query_params
    if any(len(given.getlist(name)) > 1 for name in _PARAMETERS):
        raise Malformed(HTTPStatus.BAD_REQUEST, "Give each parameter once.")
    structured = {name: _parsed(given[name]) for name in ("variables", "extensions") if given.get(name)}
    return {**{name: given[name] for name in ("query", "operationName") if name in given}, **structured}


def _asked(body: object, *, may_change: bool) -> Asked:
    if isinstance(body, list):
        raise Malformed(HTTPStatus.BAD_REQUEST, "Send one operation at a time: batches are not taken.")
    if not isinstance(body, dict):
        raise Malformed(HTTPStatus.BAD_REQUEST, "Send an object with a query.")
    given = cast(Mapping[str, Any], body)
    query, name, variables, extensions = (given.get(parameter) for parameter in _PARAMETERS)
    if not isinstance(query, str) or not query:
        raise Malformed(HTTPStatus.BAD_REQUEST, "query must be a text: a GraphQL document.")
    if not isinstance(name, str | None):
        raise Malformed(HTTPStatus.BAD_REQUEST, "operationName must be a text or null.")
    if not isinstance(variables, dict | None):
        raise Malformed(HTTPStatus.BAD_REQUEST, "variables must be an object or null.")
    if not isinstance(extensions, dict | None):
        raise Malformed(HTTPStatus.BAD_REQUEST, "extensions must be an object or null.")
    return Asked(query, name or None, cast(dict[str, Any], variables) or {}, may_change)
