"""An attachment of a mail, for whoever has a link that is still good. Links are made in domain/attachments.py."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from asgi_correlation_id import correlation_id
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.domain.attachments import PATH, open_link
from app.domain.outbox import one_line
from app.http.status import retry_after
from app.operations.errors import UNAVAILABLE, error_payload
from app.services.audit import AuditTrail
from app.store.driver import Database, StoreError, Unavailable

_HEADERS: Final = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}
_ANSWER_SECONDS: Final = 5


def routes(database: Database) -> list[BaseRoute]:
    async def file(request: Request) -> Response:
        link = open_link(request.path_params["token"])
        if link is None:
            return _refused(HTTPStatus.FORBIDDEN, "FORBIDDEN", "This is no link of ours: ask for the attachment's url.")
        if datetime.now(UTC) >= link.until:
            return _refused(
                HTTPStatus.GONE, "EXPIRED", "This link has expired: ask for the attachment's url once more."
            )
        try:
            found = await database.within(_ANSWER_SECONDS).find("files", {"_id": link.file_id})
        except Unavailable:
            return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", UNAVAILABLE)
        if not found:
            return _refused(HTTPStatus.GONE, "EXPIRED", "This file is not there any more.")
        if request.method != "HEAD":
            audit = AuditTrail(link.asker, "downloadAttachment", correlation_id.get() or "", datetime.now(UTC))
            try:
                store = database.within(_ANSWER_SECONDS)
                await audit.opened(store, link.email_id, customer_id=found[0]["customerId"])  # no file without its row
            except StoreError:
                return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", UNAVAILABLE)
        # Always as a file to keep, never as a page of ours.
        disposition = f"attachment; filename*=utf-8''{quote(one_line(link.name), safe='')}"
        headers = {**_HEADERS, "Content-Disposition": disposition}
        return Response(bytes(found[0]["content"]), headers=headers, media_type=link.media_type)

    return [Route(f"{PATH}/{{token}}", file)]


def _refused(status: int, code: str, message: str) -> Response:
    error = error_payload(code, message)
    return JSONResponse({"errors": [error]}, status, headers={**_HEADERS, **retry_after(error)})
