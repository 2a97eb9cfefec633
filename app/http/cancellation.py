"""Cancels work when its time is over, or its client has left: nobody works for somebody who is not there."""

import asyncio
from collections.abc import Coroutine, Generator
from types import TracebackType, coroutine
from typing import Any, Final, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from app.operations.pipeline import Abandoned

T = TypeVar("T")

_MOMENT_SECONDS: Final = 0.02
"""A client that is answered by then was not watched: watching costs more than a small answer has left to lose."""


class CancelAfter:
    """The block inside is cancelled when the time is over (TimeoutError): asyncio.timeout, at half the price."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._why: Exception | None = None

    def __enter__(self) -> None:
        working = asyncio.current_task()
        assert working
        self._working, self._cancelled_before = working, working.cancelling()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._over)

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._timer.cancel()
        # Somebody else may have cancelled it, too: then it stays cancelled, as with asyncio.timeout.
        if self._why and self._working.uncancel() <= self._cancelled_before and kind is asyncio.CancelledError:
            raise self._why from None

    def _over(self) -> None:
        self._end(TimeoutError())

    def _end(self, why: Exception) -> None:
        if not self._why:
            self._why = why
            self._working.cancel()


@coroutine
def finish_within(seconds: float, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Returns what ``work`` returns. Raises TimeoutError. Its time begins when it first waits: most need not wait."""
    try:
        waits_for = work.send(None)
        with CancelAfter(seconds):
            while True:
                try:
                    sent = yield waits_for
                except BaseException as thrown:  # whatever it is, it is for the work
                    waits_for = work.throw(thrown)
                else:
                    waits_for = work.send(sent)
    except StopIteration as done:
        return done.value


class ClientLeft(ClientDisconnect, Abandoned):
    """Raised inside of CancelOnDisconnect if the client closes its connection; nobody is sent anything."""


class CancelOnDisconnect(CancelAfter):
    """This also cancels when the client leaves (ClientLeft). The request's body has been read."""

    def __init__(self, receive: Receive, seconds: float) -> None:
        super().__init__(_MOMENT_SECONDS)
        self._receive, self._left = receive, seconds - _MOMENT_SECONDS
        self._watching: asyncio.Task[None] | None = None

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self._watching:
            self._watching.cancel()
        super().__exit__(kind, _, __)

    def _over(self) -> None:
        if self._watching:
            super()._over()
        else:
            self._timer = asyncio.get_running_loop().call_later(self._left, self._over)
            self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._end(ClientLeft())
