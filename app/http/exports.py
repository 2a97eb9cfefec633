"""The file of an export, for whoever has a link that is still good. Links are made in domain/exports.py."""

import hmac
from datetime import UTC, datetime

from asgi_correlation_id import correlation_id
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from app.domain.access import Role, Viewer
from app.domain.cells import MEDIA_TYPES
from app.domain.exports import file_name, signature
from app.domain.vocabulary import ExportFormat, ExportStatus
from app.http.file_links import ANSWER_SECONDS, HEADERS, expired, not_ours, unavailable
from app.services.audit import AuditTrail
from app.store.driver import Database, Document, StoreError, Unavailable
from app.store.files import EXPORTED


def routes(database: Database) -> list[BaseRoute]:
    async def file(request: Request) -> Response:
        expires, given = request.query_params.get("expires", ""), request.query_params.get("signature", "")
        try:
            found = await database.within(ANSWER_SECONDS).find("exports", {"_id": request.path_params["id"]})
        except Unavailable:
            return unavailable()
        # What is not there is told apart from a link that was not made here by nobody.
        is_time = expires.isdecimal() and expires.isascii() and len(expires) <= 12
        export = found[0] if found and is_time else None
        if export is None or not hmac.compare_digest(signature(export, int(expires)).encode(), given.encode()):
            return not_ours("export")
        now = datetime.now(UTC)
        # The file of somebody who was erased expires at once, before its links do.
        if export["status"] != ExportStatus.DONE or now >= export["expiresAt"] or now.timestamp() >= int(expires):
            return expired("export")
        headers = _headers(export)
        if request.method == "HEAD":
            return Response(headers=headers)
        try:
            await _audit(export).downloaded(database.within(ANSWER_SECONDS), export["_id"])  # no file without its row
        except StoreError:
            return unavailable()
        return StreamingResponse(EXPORTED.read(database, export["_id"]), headers=headers)

    return [Route("/exports/{id}", file)]


def _audit(export: Document) -> AuditTrail:
    asked = export["requestedBy"]
    viewer = Viewer(asked["subject"], asked["subject"], frozenset(map(Role, asked["roles"])))
    return AuditTrail(viewer, "downloadExport", correlation_id.get() or "", datetime.now(UTC))


def _headers(export: Document) -> dict[str, str]:
    return {
        **HEADERS,
        "Content-Type": MEDIA_TYPES[ExportFormat(export["format"])],
        "Content-Length": str(export["bytes"]),
        "Content-Disposition": f'attachment; filename="{file_name(export, export["finishedAt"])}"',
    }
