"""Each exception that ends a request has its status in one table, and a body without data."""

from http import HTTPStatus

import pytest

from app.domain.refusals import BadUserInput
from app.http.request import HTTPError
from app.http.status import STATUS_BY_ERROR, failure
from app.http.tokens import KeysUnavailable
from app.operations.admission import Overloaded
from app.operations.cost import TooExpensive
from app.operations.errors import RequestRefusal
from app.operations.pipeline import ChangeByGet
from app.operations.rates import RateLimited
from app.store.driver import OutOfTime


def test_each_refusal_of_a_request_is_in_the_table_by_name() -> None:
    own = {HTTPError}
    assert set(RequestRefusal.__subclasses__()) - own <= STATUS_BY_ERROR.keys()


@pytest.mark.parametrize(
    ("error", "status", "code", "headers", "for_all"),
    [
        (Overloaded(), 503, "OVERLOADED", {"Retry-After": "1"}, True),
        (OutOfTime(), 503, "UNAVAILABLE", {"Retry-After": "1"}, True),
        (KeysUnavailable(), 503, "UNAVAILABLE", {"Retry-After": "1"}, True),
        (TimeoutError(), 503, "DEADLINE_EXCEEDED", {"Retry-After": "1"}, True),
        (RateLimited("cost", allowed=100, seconds=30), 429, "RATE_LIMITED", {"Retry-After": "30"}, True),
        (ChangeByGet(), 405, "METHOD_NOT_ALLOWED", {"Allow": "POST"}, True),
        (TooExpensive(cost=3, limit=2, dearest=[]), 400, "COST_LIMIT_EXCEEDED", {}, False),
        (BadUserInput("No."), 400, "BAD_USER_INPUT", {}, False),
        (HTTPError(HTTPStatus.NOT_ACCEPTABLE, "No."), 406, "NOT_ACCEPTABLE", {}, True),
        (LookupError("what is stored"), 500, "INTERNAL", {}, True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_exception_is_a_status_with_headers_and_a_code(
    error: Exception, status: int, code: str, headers: dict[str, str], for_all: bool
) -> None:
    response = failure(error)
    assert (response.status.code, response.outcome, response.status.headers) == (status, code, headers)
    assert response.status.for_all is for_all
    assert "data" not in response.body
    assert "what is stored" not in str(response.body)


def test_an_operation_that_is_too_dear_is_told_its_cost() -> None:
    response = failure(TooExpensive(cost=30_000, limit=20_000, dearest=[]))
    assert response.body["extensions"] == {"cost": {"requested": 30_000, "limit": 20_000, "remaining": 0}}
