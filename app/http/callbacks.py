"""Takes outcomes of requests from the systems that were asked, signed as Standard Webhooks has it: docs/requests.md."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, cast

import orjson
from asgi_correlation_id import correlation_id
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.domain.access import Role, Viewer
from app.domain.attributes import parse_time
from app.domain.changes import Invalid, NotFound, check_card_numbers
from app.domain.executors import Endpoint
from app.domain.ids import ID_AT_MOST, has_id_form, is_id_of
from app.domain.refusals import Refusal
from app.domain.signatures import BadSignature
from app.domain.times import stored
from app.domain.vocabulary import OutcomeStatus
from app.http.cancellation import CancelAfter
from app.http.file_links import ANSWER_SECONDS, failed, refused
from app.services.changes import Changes, CustomerLocks, DeliveryPolicy
from app.services.external_requests import ReportedOutcome, complete
from app.store.driver import Database

PATH: Final = "/callbacks/requests"
MAX_BYTES: Final = 64 * 1024
_KEYS: Final = frozenset({"requestId", "status", "code", "message", "reference", "at", "attributes", "results"})
_READ_SECONDS: Final = 30


class _TooLarge(Exception):
    """Raised for a body that no outcome needs; the sender sees 413."""


def routes(database: Database, outgoing: DeliveryPolicy) -> list[BaseRoute]:
    locks = CustomerLocks()

    async def callback(request: Request) -> Response:
        try:
            with CancelAfter(_READ_SECONDS):
                body = await _body(request)
            endpoint, message_id = outgoing.executors.signer_of(request.headers, body, now=time.time())
            await _complete(endpoint, message_id, body)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it
        except _TooLarge:
            message = f"An outcome has at most {MAX_BYTES:,} bytes."
            return refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "REQUEST_TOO_LARGE", message)
        except BadSignature as unsigned:
            return refused(HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED", str(unsigned))
        except NotFound as missing:
            return refused(HTTPStatus.NOT_FOUND, missing.code, str(missing))
        except Refusal as refusal:
            return refused(HTTPStatus.UNPROCESSABLE_ENTITY, refusal.code, str(refusal))
        except Exception as fault:  # whatever it is, its text stays here
            return failed(fault)
        return JSONResponse({"received": True})

    async def _complete(endpoint: Endpoint, message_id: str, body: bytes) -> None:
        request_id, outcome = _read(body)
        store = database.within(ANSWER_SECONDS)
        found = await store.find("requests", {"_id": request_id})
        if not found or found[0].get("endpoint") != endpoint.name:  # nor does one system learn what others are asked
            raise NotFound("There is no such request.", "requestId")
        now = stored(datetime.now(UTC))
        viewer = Viewer(f"endpoint:{endpoint.name}", endpoint.name, frozenset({Role.API_USER}))
        of = Changes(store, locks, viewer, now, correlation_id.get() or "", outgoing)
        try:
            await complete(of, found[0], outcome, key=message_id, mutation="callback")
        except Refusal as refusal:
            await of.audit("callback").refused(store, refusal, customer_id=found[0]["customerId"])
            raise

    return [Route(PATH, callback, methods=["POST"])]


async def _body(request: Request) -> bytes:
    """Returns the body, never more than is allowed. Raises ClientDisconnect, TimeoutError, _TooLarge."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > MAX_BYTES:
            raise _TooLarge
    return bytes(parts)


def _read(body: bytes) -> tuple[str, ReportedOutcome]:
    """Returns the request's id and what became of it. Raises Invalid, NotFound."""
    try:
        given: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("The body is not JSON in UTF-8.", "body") from None
    if not isinstance(given, dict):
        raise Invalid("The body is not a JSON object.", "body")
    read = cast(Mapping[str, Any], given)
    check_card_numbers(read)
    if strangers := read.keys() - _KEYS:
        raise Invalid(f"{min(strangers)[:50]} is unknown; an outcome has {', '.join(sorted(_KEYS))}.", "body")
    request_id, status = read.get("requestId"), read.get("status")
    if not isinstance(request_id, str):
        raise Invalid("requestId must be a text.", "requestId")
    if not is_id_of("requests", request_id) or len(request_id) > ID_AT_MOST:
        raise NotFound("There is no such request.", "requestId")
    if status not in [*OutcomeStatus]:
        raise Invalid(f"status must be one of {', '.join(OutcomeStatus)}.", "status")
    texts = {name: _text(read, name) for name in ("code", "message", "reference")}
    attributes: Any = read.get("attributes") or {}
    results: Any = read.get("results") or []
    if not isinstance(attributes, dict):
        raise Invalid("attributes must be an object.", "attributes")
    if not isinstance(results, list) or not all(
        isinstance(each, str) and len(each) <= ID_AT_MOST and has_id_form(each) for each in cast(list[object], results)
    ):
        raise Invalid("results must be a list of ids.", "results")
    at = _time(read["at"]) if read.get("at") is not None else None
    named = cast(Mapping[str, Any], attributes)
    return request_id, ReportedOutcome(
        OutcomeStatus(status), at, **texts, attributes=named, result_ids=cast(list[str], results)
    )


def _text(read: Mapping[str, Any], name: str) -> str | None:
    value = read.get(name)
    if value is not None and not isinstance(value, str):
        raise Invalid(f"{name} must be a text.", name)
    return value


def _time(value: object) -> datetime:
    try:
        return parse_time(value)
    except ValueError:
        raise Invalid("at must be a time with its UTC offset, such as 2026-01-31T09:30:00Z.", "at") from None
