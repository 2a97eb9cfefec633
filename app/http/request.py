"""Reads a GraphQL request from HTTP: four parameters, or a refusal with its status."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final, cast

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from app.operations.operation import GraphQLRequest
from app.operations.trusted_documents import PersistedQueryNotSupported
from app.settings import Limits

JSON: Final = "application/json"
RESPONSE: Final = "application/graphql-response+json"

Headers = Mapping[bytes, bytes]
"""By name in lower case."""

_BYTE_ORDER_MARK: Final = "\ufeff"
_PARAMETERS: Final = ("query", "operationName", "variables", "extensions")
_IDS: Final = ("documentId", "id", "doc_id")
"""Parameters that name a document: GraphQL over HTTP's own (appendix A), and those of Relay and others."""
_PREFIX: Final = "sha256:"
_MAX_ID_CHARACTERS: Final = 256


class HTTPError(Exception):
    """Raised if there is no GraphQL request.

    The endpoint answers with its ``status``, which says so to whatever lies between the client and us.
    """

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


@lru_cache(64)
def media_type(accept: bytes) -> str:
    """Returns the type to answer with: the one that the client likes best, by default JSON. Raises HTTPError."""
    if not accept.strip():
        return JSON
    wishes = wishes_of(accept)
    among_all = wishes.get("application/*", wishes.get("*/*", 0))
    modern, plain = wishes.get(RESPONSE, 0), wishes.get(JSON, among_all)
    if modern == plain == 0:
        raise HTTPError(HTTPStatus.NOT_ACCEPTABLE, f"Answers are {RESPONSE} or {JSON}; accept one of them.")
    return RESPONSE if modern >= plain else JSON


def wishes_of(accept: bytes) -> Mapping[str, float]:
    """Returns how much each media range of a list is liked; 0 is not at all."""
    return dict(map(_wish, accept.decode("latin-1").lower().split(",")))


def _wish(media_range: str) -> tuple[str, float]:
    """Returns a media range, and how much it is liked: 1 by default."""
    name, *parameters = (part.strip() for part in media_range.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0
    return name, 1


def headers_of(scope: Scope) -> Headers:
    """Returns the headers by name, the last of several: those of a list are one already (``middleware.py``)."""
    return dict(scope["headers"])


async def read_request(
    scope: Scope, headers: Headers, receive: Receive, limits: Limits, charge: Callable[[int], None]
) -> GraphQLRequest:
    """Reads the request. ``charge`` is called with the bytes of each part of the body, and may refuse it.

    Raises HTTPError, PersistedQueryNotSupported, and ClientDisconnect if the client leaves.
    """
    match scope["method"]:
        case "GET":
            return request_of(_from_address(scope, limits), may_change=False)
        case "POST":
            _check_type(headers.get(b"content-type", b""), headers.get(b"content-encoding", b"identity"))
            return request_of(_parsed(await _body(headers, receive, limits, charge)), may_change=True)
        case _:
            raise HTTPError(HTTPStatus.METHOD_NOT_ALLOWED, "Send POST, or GET for a query.", Allow="GET, POST")


@lru_cache(64)
def _check_type(content_type: bytes, encoding: bytes) -> None:
    """Raises HTTPError for all but JSON, which a page of another origin can send only if CORS allows it to."""
    name, *parameters = (part.strip().lower() for part in content_type.decode("latin-1").split(";"))
    if name != JSON:
        raise HTTPError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send the body as {JSON}, in UTF-8.", Accept=JSON)
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "charset" and value.strip('"') not in _CHARSETS:
            message = f"The body's charset is {value}: send it in UTF-8."
            raise HTTPError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message, Accept=JSON)
    if encoding.lower() != b"identity":
        raise HTTPError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body uncompressed.")


_CHARSETS: Final = ("utf-8", "utf8")


async def _body(headers: Headers, receive: Receive, limits: Limits, charge: Callable[[int], None]) -> bytes:
    """Returns the body, never more than is allowed, whatever its length says. Raises HTTPError, ClientDisconnect."""
    most = limits.max_body_bytes
    length = headers.get(b"content-length", b"")
    if length.isdigit() and (len(length) > 18 or int(length) > most):
        raise _too_large(most)
    parts: list[bytes] = []
    read, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        charge(len(part))
        parts.append(part)
        read += len(part)
        if read > most:
            raise _too_large(most)
        more = message.get("more_body", False)
    return b"".join(parts)


def _too_large(most: int) -> HTTPError:
    return HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A request may have {most} bytes.", Connection="close")


def _parsed(text: bytes | str) -> object:
    """Returns the JSON value; a byte order mark in front of it is borne (RFC 8259, 8.1)."""
    mark: Any = _BYTE_ORDER_MARK if isinstance(text, str) else _BYTE_ORDER_MARK.encode()
    try:
        return orjson.loads(text.removeprefix(mark))  # refuses half characters, endless numbers, too deep nesting
    except orjson.JSONDecodeError:
        raise HTTPError(HTTPStatus.BAD_REQUEST, "The body is not JSON in UTF-8 that can be read.") from None


def _from_address(scope: Scope, limits: Limits) -> object:
    most = limits.max_head_bytes  # with the headers; what reads requests from the socket counts them, too
    if len(scope["query_string"]) > most:
        message = f"A query by GET may have {most} bytes, headers included. Send it by POST."
        raise HTTPError(HTTPStatus.REQUEST_URI_TOO_LONG, message)
    given = QueryParams(scope["query_string"])
    if any(len(given.getlist(name)) > 1 for name in (*_PARAMETERS, *_IDS)):
        raise HTTPError(HTTPStatus.BAD_REQUEST, "Give each parameter once.")
    structured = {name: _parsed(given[name]) for name in ("variables", "extensions") if given.get(name)}
    return {**{name: given[name] for name in ("query", "operationName", *_IDS) if name in given}, **structured}


def request_of(body: object, *, may_change: bool) -> GraphQLRequest:
    """Returns the request that a JSON value is. Raises HTTPError, PersistedQueryNotSupported."""
    if isinstance(body, list):
        raise HTTPError(HTTPStatus.BAD_REQUEST, "Send one operation at a time: batches are not taken.")
    if not isinstance(body, dict):
        raise HTTPError(HTTPStatus.BAD_REQUEST, "Send an object with a query.")
    given = cast("Mapping[str, Any]", body)
    query, name, variables, extensions = map(given.get, _PARAMETERS)
    if query is not None and not isinstance(query, str):
        raise HTTPError(HTTPStatus.BAD_REQUEST, "query must be a string: a GraphQL document.")
    if name is not None and not isinstance(name, str):
        raise HTTPError(HTTPStatus.BAD_REQUEST, "operationName must be a string or null.")
    if variables is not None and not isinstance(variables, dict):
        raise HTTPError(HTTPStatus.BAD_REQUEST, "variables must be an object or null.")
    if extensions is not None and not isinstance(extensions, dict):
        raise HTTPError(HTTPStatus.BAD_REQUEST, "extensions must be an object or null.")
    persisted = cast("dict[str, Any]", extensions or {}).get("persistedQuery")
    if persisted is not None and not isinstance(persisted, dict):
        raise HTTPError(HTTPStatus.BAD_REQUEST, "extensions.persistedQuery must be an object or null.")
    is_named = persisted is not None or not given.keys().isdisjoint(_IDS)
    document_id = _document_id(query, given, cast("dict[str, Any] | None", persisted)) if is_named else None
    if not query and document_id is None:
        raise HTTPError(HTTPStatus.BAD_REQUEST, "query must be a string: a GraphQL document.")
    return GraphQLRequest(query or "", name or None, cast("dict[str, Any]", variables) or {}, may_change, document_id)


def _document_id(query: str | None, given: Mapping[str, Any], persisted: Mapping[str, Any] | None) -> str | None:
    """Returns the id of the document without its prefix, or None. Beside a text only a hash of it is an id.

    Raises HTTPError for what is not an id, for two of them, and for the hash of another text;
    PersistedQueryNotSupported for another version of Apollo's protocol.
    """
    digest: object = persisted.get("sha256Hash") if persisted else None
    if query:
        document_id = given.get("documentId")
        hashes = [_PREFIX + digest] if isinstance(digest, str) else []
        if isinstance(document_id, str) and document_id.startswith(_PREFIX):
            hashes.append(document_id)
        ids = hashes and [_PREFIX + sha256(query.encode()).hexdigest()]
        if not {*hashes} <= {*ids}:
            raise HTTPError(HTTPStatus.BAD_REQUEST, "provided sha does not match query")  # as Apollo's servers say it
    else:
        if persisted is not None and not (persisted.get("version") == 1 and isinstance(digest, str)):
            raise PersistedQueryNotSupported
        ids = [each for each in (digest, *map(given.get, _IDS)) if each is not None]
        if any(not isinstance(each, str) or not 1 <= len(each) <= _MAX_ID_CHARACTERS for each in ids):
            message = f"The id of a document must be a string of 1 to {_MAX_ID_CHARACTERS} characters."
            raise HTTPError(HTTPStatus.BAD_REQUEST, message)
    found = {str(each).removeprefix(_PREFIX) for each in ids}
    if len(found) > 1:
        raise HTTPError(HTTPStatus.BAD_REQUEST, "The request names several documents: send one id.")
    return found.pop() if found else None
