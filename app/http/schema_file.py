"""Serves the schema as a file, to those who may introspect: introspection loses ``@oneOf``, and tools take a file."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.http.endpoint import Authenticate
from app.http.status import failure
from app.operations.pipeline import Pipeline


def routes(printed: Callable[[], str], authenticate: Authenticate, pipeline: Pipeline) -> list[BaseRoute]:
    """Returns the route. ``printed`` makes the text, when it is first asked for."""

    @cache
    def file() -> tuple[bytes, dict[str, str]]:
        content = printed().encode()
        # The tag is weak: what is compressed on the way is the same schema.
        tag = f'W/"{sha256(content).hexdigest()[:32]}"'
        return content, {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Accept-Encoding"}

    async def schema(request: Request) -> Response:
        try:
            viewer = await authenticate(request.headers.get("authorization"))
            pipeline.admit(viewer)
            pipeline.require_schema(viewer)
            content, headers = file()
            if _has(request.headers.get("if-none-match", ""), headers["ETag"]):
                return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
            pipeline.charge_body(viewer, len(content))
        except Exception as error:  # whatever it is, its text stays here
            refused = failure(error)
            headers = {**refused.status.headers, "Cache-Control": "no-store"}
            return JSONResponse(refused.body, refused.status.code, headers)
        return Response(content, headers=headers, media_type="text/plain")

    return [Route("/schema.graphql", schema)]


def _has(tags: str, tag: str) -> bool:
    """Returns whether a list of tags names this one, weak or strong (RFC 9110, 13.1.2)."""
    return tags.strip() == "*" or tag.removeprefix("W/") in {
        each.strip().removeprefix("W/") for each in tags.split(",")
    }
