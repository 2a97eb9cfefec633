"""Says which exception is which HTTP status, with which headers; and makes the response."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from app.domain.access import Forbidden
from app.domain.refusals import Refusal
from app.domain.uploads import HashMismatch, TooLarge, TypeNotAllowed, UploadMissing
from app.http.request import HTTPError
from app.http.tokens import KeysUnavailable, Unauthenticated
from app.operations.admission import Overloaded
from app.operations.cost import TooExpensive
from app.operations.document import OperationUnresolved
from app.operations.document_limits import DocumentLimitExceeded
from app.operations.errors import InvalidDocument, error_payload, refusal_body
from app.operations.pipeline import ChangeByGet, NotASubscription
from app.operations.rates import RateLimited
from app.operations.subscriptions import SubscriptionEnded, TokenExpired, TooManySubscriptions
from app.operations.trusted_documents import DocumentNotTrusted, PersistedQueryNotFound, PersistedQueryNotSupported
from app.store.driver import Unavailable


class Status(NamedTuple):
    """A status has a code and headers. ``for_all``: also for clients that accept ``application/json`` only.

    They read the body of any other failure.
    """

    code: int
    headers: Mapping[str, str] = {}
    for_all: bool = True


_OK: Final = Status(HTTPStatus.OK, for_all=False)
_BAD_REQUEST: Final = Status(HTTPStatus.BAD_REQUEST, for_all=False)
_CLOSE: Final = {"Connection": "close"}
_UNAVAILABLE: Final = Status(HTTPStatus.SERVICE_UNAVAILABLE)

STATUS_BY_ERROR: Final[Mapping[type[Exception], Status]] = {
    Unauthenticated: Status(HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Bearer"}),
    Forbidden: Status(HTTPStatus.FORBIDDEN),
    DocumentNotTrusted: Status(HTTPStatus.FORBIDDEN),
    ChangeByGet: Status(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "POST"}),
    NotASubscription: Status(HTTPStatus.NOT_ACCEPTABLE),
    TooManySubscriptions: _UNAVAILABLE,
    # The last response of a stream, which is never a response by itself.
    TokenExpired: Status(HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Bearer"}),
    SubscriptionEnded: _UNAVAILABLE,
    RateLimited: Status(HTTPStatus.TOO_MANY_REQUESTS),
    KeysUnavailable: _UNAVAILABLE,
    Overloaded: _UNAVAILABLE,
    TimeoutError: _UNAVAILABLE,
    **dict.fromkeys(Unavailable, _UNAVAILABLE),
    DocumentLimitExceeded: _BAD_REQUEST,
    TooExpensive: _BAD_REQUEST,
    OperationUnresolved: _BAD_REQUEST,
    PersistedQueryNotFound: _BAD_REQUEST,
    PersistedQueryNotSupported: _BAD_REQUEST,
    InvalidDocument: _BAD_REQUEST,
    # Their connection is closed: what is left of the file is not read.
    TooLarge: Status(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _CLOSE),
    TypeNotAllowed: Status(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _CLOSE),
    HashMismatch: Status(HTTPStatus.UNPROCESSABLE_ENTITY, _CLOSE),
    UploadMissing: Status(HTTPStatus.GONE, _CLOSE),
    Refusal: _BAD_REQUEST,
    Exception: Status(HTTPStatus.INTERNAL_SERVER_ERROR),
}
"""A subclass has the status of its nearest class in here. HTTPError brings its own."""


class GraphQLResponse(NamedTuple):
    body: Mapping[str, Any]
    status: Status = _OK

    @property
    def outcome(self) -> str:
        """Returns the code of its first error, or OK."""
        errors = self.body.get("errors")
        return errors[0]["extensions"]["code"] if errors else "OK"


def failure(error: Exception) -> GraphQLResponse:
    """Returns the response to a request that was not executed. What is not a refusal is logged as a fault of ours."""
    if isinstance(error, HTTPError):
        body = {"errors": [error_payload(error.code, str(error))]}
        status = Status(error.status, error.headers)
    else:
        body = refusal_body(error)
        status = next(STATUS_BY_ERROR[kind] for kind in type(error).__mro__ if kind in STATUS_BY_ERROR)
    return GraphQLResponse(body, status._replace(headers={**status.headers, **retry_after(body["errors"][0])}))


def retry_after(error: Mapping[str, Any]) -> Mapping[str, str]:
    """Returns the header that says when to return, for an error that says it."""
    seconds = error["extensions"].get("retryAfterSeconds")
    return {} if seconds is None else {"Retry-After": f"{seconds:.0f}"}
