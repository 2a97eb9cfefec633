"""Whether to restart us (``/livez``), and whether to send us anybody (``/readyz``)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from app.http.manners import LEAVING
from app.store import indexes
from app.store.driver import Store, StoreError, within

_ANSWER_SECONDS: Final = 2


def routes(store: Store) -> list[BaseRoute]:
    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        problems = ["This process is about to end."] if LEAVING.begun else await _problems(store)
        return JSONResponse({"ready": not problems, "problems": problems}, status_code=503 if problems else 200)

    return [Route("/livez", livez), Route("/readyz", readyz)]


async def _problems(store: Store) -> list[str]:
    try:
        with within(_ANSWER_SECONDS):
            return await _found(store)
    except StoreError:
        return ["The database cannot be reached."]


async def _found(store: Store) -> list[str]:
    """Raises StoreError."""
    if not (await store.command({"hello": 1}))["isWritablePrimary"]:
        return ["The database has no primary."]
    if await indexes.differences(store):
        return ["Indexes or validators differ from what this version declares: run `python -m app indexes --apply`."]
    return []
