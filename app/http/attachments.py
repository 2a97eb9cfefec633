"""Serves attachments of mails and notes to those with a link that is still good: domain/attachments.py makes them."""

from datetime import UTC, datetime
from http import HTTPStatus

from asgi_correlation_id import correlation_id
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from app.domain.attachments import PATH, open_link
from app.domain.ids import is_id_of
from app.http.file_links import ANSWER_SECONDS, HEADERS, disposition, expired, not_ours, refused, unavailable
from app.services.audit import AuditTrail
from app.store.driver import Database, StoreError, Unavailable
from app.store.files import UPLOADED


def routes(database: Database) -> list[BaseRoute]:
    async def file(request: Request) -> Response:
        link = open_link(request.path_params["token"])
        if link is None:
            return not_ours("attachment")
        if datetime.now(UTC) >= link.until:
            return expired("attachment")
        is_upload = is_id_of("uploads", link.file_id)
        try:
            collection = "uploads" if is_upload else "files"
            found = await database.within(ANSWER_SECONDS).find(collection, {"_id": link.file_id})
        except Unavailable:
            return unavailable()
        if not found:
            return refused(HTTPStatus.GONE, "EXPIRED", "This file is not there any more.")
        if request.method != "HEAD":
            audit = AuditTrail(link.asker, "downloadAttachment", correlation_id.get() or "", datetime.now(UTC))
            try:
                store = database.within(ANSWER_SECONDS)
                await audit.opened(store, link.node_id, customer_id=found[0]["customerId"])  # no file without its row
            except StoreError:
                return unavailable()
        headers = {**HEADERS, **disposition(link.name)}
        if not is_upload:
            return Response(bytes(found[0]["content"]), headers=headers, media_type=link.media_type)
        headers["Content-Length"] = str(found[0]["bytes"])
        if request.method == "HEAD":
            return Response(headers=headers, media_type=link.media_type)
        return StreamingResponse(
            UPLOADED.read(database, found[0]["fileId"]), headers=headers, media_type=link.media_type
        )

    return [Route(f"{PATH}/{{token}}", file)]
