"""The file of an export, for whoever has a link that is still good. Links are made in domain/exports.py."""

import hmac
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from asgi_correlation_id import correlation_id
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from app.domain.access import Role, Viewer
from app.domain.cells import MEDIA_TYPES
from app.domain.exports import file_name, signature
from app.domain.vocabulary import ExportFormat, ExportStatus
from app.http.status import retry_after
from app.operations.errors import UNAVAILABLE, error_payload
from app.services.audit import AuditTrail
from app.store import files
from app.store.driver import Database, Document, StoreError, Unavailable

_PRIVATE: Final = {"Cache-Control": "private, no-store"}
_ANSWER_SECONDS: Final = 5


def routes(database: Database) -> list[BaseRoute]:
    async def file(request: Request) -> Response:
        expires, given = request.query_params.get("expires", ""), request.query_params.get("signature", "")
        try:
            found = await database.within(_ANSWER_SECONDS).find("exports", {"_id": request.path_params["id"]})
        except Unavailable:
            return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", UNAVAILABLE)
        # What is not there is told apart from a link that was not made here by nobody.
        is_time = expires.isdecimal() and expires.isascii() and len(expires) <= 12
        export = found[0] if found and is_time else None
        if export is None or not hmac.compare_digest(signature(export, int(expires)).encode(), given.encode()):
            return _refused(HTTPStatus.FORBIDDEN, "FORBIDDEN", "This is no link of ours: ask for the export's url.")
        if export["status"] != ExportStatus.DONE or datetime.now(UTC).timestamp() >= int(expires):
            return _refused(HTTPStatus.GONE, "EXPIRED", "This link has expired: ask for the export's url once more.")
        headers = _headers(export)
        if request.method == "HEAD":
            return Response(headers=headers)
        try:
            await _audit(export).downloaded(database.within(_ANSWER_SECONDS), export["_id"])  # no file without its row
        except StoreError:
            return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", UNAVAILABLE)
        return StreamingResponse(files.read(database, export["_id"]), headers=headers)

    return [Route("/exports/{id}", file)]


def _audit(export: Document) -> AuditTrail:
    asked = export["requestedBy"]
    viewer = Viewer(asked["subject"], asked["subject"], frozenset(map(Role, asked["roles"])))
    return AuditTrail(viewer, "downloadExport", correlation_id.get() or "", datetime.now(UTC))


def _headers(export: Document) -> dict[str, str]:
    return {
        **_PRIVATE,
        "Content-Type": MEDIA_TYPES[ExportFormat(export["format"])],
        "Content-Length": str(export["bytes"]),
        "Content-Disposition": f'attachment; filename="{file_name(export, export["finishedAt"])}"',
    }


def _refused(status: int, code: str, message: str) -> Response:
    error = error_payload(code, message)
    return JSONResponse({"errors": [error]}, status, headers={**_PRIVATE, **retry_after(error)})
