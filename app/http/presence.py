"""Whether the client is still there and the time lasts: nobody works for somebody who has left."""

import asyncio
from types import TracebackType
from typing import Final

from starlette.requests import ClientDisconnect, Request

_MOMENT_SECONDS: Final = 0.02
"""Whoever is answered by then was not watched: watching costs more than a small answer has left to lose."""


class WhileThere:
    """What is awaited inside is cancelled when the client leaves (ClientDisconnect) or the time is over (TimeoutError).

    The request's body has been read.
    """

    def __init__(self, request: Request, seconds: float) -> None:
        self._request, self._seconds = request, seconds
        self._why: Exception | None = None
        self._watching: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        working = asyncio.current_task()
        assert working
        self._working, self._cancelled_before = working, working.cancelling()
        self._beginning = asyncio.get_running_loop().call_later(_MOMENT_SECONDS, self._begin)

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._beginning.cancel()
        if self._watching:
            self._watching.cancel()
        # Somebody else may have cancelled it, too: then it stays cancelled, as with asyncio.timeout.
        if self._why and self._working.uncancel() <= self._cancelled_before and kind is asyncio.CancelledError:
            raise self._why from None

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        try:
            async with asyncio.timeout(self._seconds - _MOMENT_SECONDS):
                while (await self._request.receive())["type"] != "http.disconnect":
                    pass
            self._why = ClientDisconnect()
        except TimeoutError:
            self._why = TimeoutError()
        self._working.cancel()
