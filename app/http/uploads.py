"""Takes the content of uploads from those with a link that is still good. Links are made in domain/uploads.py."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from asgi_correlation_id import correlation_id
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.domain.refusals import Refusal
from app.domain.uploads import PATH, Intake, TypeNotAllowed, open_link
from app.http.cancellation import CancelAfter
from app.http.file_links import ANSWER_SECONDS, HEADERS, expired, failed, not_ours
from app.http.request import Headers, HTTPError, headers_of
from app.operations.admission import Admission, Overloaded
from app.services.audit import AuditTrail
from app.services.uploads import receive
from app.settings import Limits
from app.store.driver import Database, Document

_SILENCE_SECONDS: Final = 30
_WHOLE_SECONDS: Final = 600
"""How long a client may be silent, and take for all of a file: 25 MB by a slow telephone."""


def routes(database: Database, limits: Limits) -> list[BaseRoute]:
    at_once = Admission(limits.max_at_once, limits.max_waiting, limits.max_waiting_seconds)

    async def content(request: Request) -> Response:
        link = open_link(request.path_params["token"])
        if link is None:
            return not_ours("upload")
        if datetime.now(UTC) >= link.until:
            return expired("upload")
        audit = AuditTrail(link.asker, "sendUpload", correlation_id.get() or "", datetime.now(UTC))
        store = database.within(ANSWER_SECONDS)
        try:
            found = await store.find("uploads", {"_id": link.values[0]})
            if not found:
                return expired("upload")
            _check_headers(found[0], headers_of(request.scope))
            async with at_once.turn(link.asker.subject):
                with CancelAfter(_WHOLE_SECONDS):
                    await receive(database, found[0], audit, _pieces(request))
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it
        except TimeoutError:
            message = "The file did not come in time."
            return failed(HTTPError(HTTPStatus.REQUEST_TIMEOUT, message, Connection="close"))
        except Refusal as refusal:
            return await _refused(database, audit, refusal)
        except Exception as fault:  # whatever it is, its text stays here
            return failed(fault)
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=HEADERS)

    return [Route(f"{PATH}/{{token}}", content, methods=["PUT"])]


async def _refused(database: Database, audit: AuditTrail, refusal: Refusal) -> Response:
    """Returns the refusal. Whoever is turned away because there is too much to do has asked for nothing yet."""
    if isinstance(refusal, Overloaded):
        return failed(refusal)
    try:
        await audit.refused(database.within(ANSWER_SECONDS), refusal, customer_id=None)
    except Exception as fault:
        return failed(fault)
    return failed(refusal)


def _check_headers(upload: Document, headers: Headers) -> None:
    """Checks what is known before the body comes. Raises HTTPError, TypeNotAllowed, TooLarge, HashMismatch."""
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise HTTPError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the file uncompressed.", Connection="close")
    type_ = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    if type_ and type_ != upload["mimeType"]:
        raise TypeNotAllowed(f"Content-Type is {type_[:100]}; {upload['mimeType']} was declared.")
    if b"content-range" in headers:
        raise HTTPError(HTTPStatus.BAD_REQUEST, "Send the file whole.", Connection="close")
    length = headers.get(b"content-length", b"")
    if length.isdigit():
        Intake(upload).check_length(int(length[:18]))


async def _pieces(request: Request) -> AsyncGenerator[bytes]:
    """Yields the body as it comes. Raises ClientDisconnect, and TimeoutError for a client that has fallen silent."""
    stream = request.stream()
    while True:
        async with asyncio.timeout(_SILENCE_SECONDS):
            piece = await anext(stream, None)
        if piece is None:
            return
        yield piece
