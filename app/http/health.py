"""Answers the probes: whether to restart this process (``/livez``), and whether to send it requests (``/readyz``)."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from app.http.middleware import SHUTDOWN
from app.store import indexes
from app.store.driver import Database, StoreError, is_refused

_ANSWER_SECONDS: Final = 2
READY_SECONDS: Final = 3
"""How long a good answer is given again before the database is asked anew."""
UNREADY_SECONDS: Final = 1
"""The same of a bad one: who waits for us should soon hear that we are ready."""

LEAVES: Final = "This process is about to end."
UNREACHABLE: Final = "The database cannot be reached."
NO_PRIMARY: Final = "The database has no primary."
REFUSED: Final = "The database refuses the user of MONGODB_URI."
SINGLE_SERVER: Final = "The database is a single server, without transactions: make it a replica set."
MISSING: Final = "Collections or indexes that this version needs are missing: run `python -m app indexes --apply`."


def routes(database: Database, *, clock: Callable[[], float] = time.monotonic) -> list[BaseRoute]:
    readiness = Readiness(database, clock)

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        problems = [LEAVES] if SHUTDOWN.draining and not SHUTDOWN.replaced else await readiness.problems()
        return JSONResponse({"ready": not problems, "problems": problems}, status_code=503 if problems else 200)

    return [Route("/livez", livez), Route("/readyz", readyz)]


class Readiness:
    """Finds out why this process is not ready. The database is asked once, however many probes wait for the answer."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock
        self._problems: Sequence[str] = ()
        self._known_until = -float("inf")
        self._asking: asyncio.Task[None] | None = None

    async def problems(self) -> Sequence[str]:
        if self._clock() >= self._known_until:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask())
            await asyncio.shield(self._asking)  # who leaves takes the answer from nobody
        return self._problems

    async def _ask(self) -> None:
        self._problems = await _problems(self._database)
        self._known_until = self._clock() + (UNREADY_SECONDS if self._problems else READY_SECONDS)


async def _problems(database: Database) -> Sequence[str]:
    """Asks the database with one command."""
    try:
        missing = await indexes.missing(database.within(_ANSWER_SECONDS))
    except StoreError as fault:
        if database.is_reachable and not database.is_writable:
            return [NO_PRIMARY]
        return [REFUSED if is_refused(fault) else UNREACHABLE]
    if not database.is_writable:
        return [NO_PRIMARY]
    if database.is_single_server:
        return [SINGLE_SERVER]
    return [MISSING] if missing else []
