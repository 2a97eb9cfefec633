"""Answers what all links to files have in common: headers that keep a file from being a page, and refusals."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from app.domain.outbox import one_line
from app.http.status import GraphQLResponse, Status, failure, retry_after
from app.operations.errors import UNAVAILABLE, error_payload

ANSWER_SECONDS: Final = 5
"""How long the database may take to say whether there is a file."""
HEADERS: Final = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


def disposition(name: str) -> Mapping[str, str]:
    """Returns the header that makes it a file to keep, never a page of ours."""
    return {"Content-Disposition": f"attachment; filename*=utf-8''{quote(one_line(name), safe='')}"}


def not_ours(noun: str) -> Response:
    return refused(HTTPStatus.FORBIDDEN, "FORBIDDEN", f"This is no link of ours: ask for the {noun}'s url.")


def expired(noun: str) -> Response:
    return refused(HTTPStatus.GONE, "EXPIRED", f"This link has expired: ask for the {noun}'s url once more.")


def unavailable() -> Response:
    return refused(HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", UNAVAILABLE)


def refused(status: int, code: str, message: str) -> Response:
    return _response(GraphQLResponse({"errors": [error_payload(code, message)]}, Status(status)))


def failed(error: Exception) -> Response:
    """Returns the response to what was not done, as for a request of GraphQL. A fault of ours is logged."""
    return _response(failure(error))


def _response(response: GraphQLResponse) -> Response:
    status, (error, *_) = response.status, response.body["errors"]
    return JSONResponse(response.body, status.code, headers={**HEADERS, **status.headers, **retry_after(error)})
