"""How many requests are worked on at once. Who cannot be served in good time is told so at once, not after it."""

import asyncio
from dataclasses import dataclass, field

from app.domain.refusals import Refusal


class Overloaded(Refusal):
    code = "OVERLOADED"

    def __init__(self) -> None:
        super().__init__("There is more to do just now than can be done in good time. Try again in a moment.")


@dataclass(slots=True)
class Admission:
    """``at_once`` are worked on inside of it, ``waiting`` more may wait for up to ``seconds``."""

    at_once: int
    waiting: int
    seconds: float
    _slots: asyncio.Semaphore = field(init=False)
    _queue: int = 0

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.at_once)

    def knock(self) -> None:
        """Raises Overloaded where entering would do so at once: asked first, so that refusing costs next to nothing."""
        if self._queue >= self.waiting and self._slots.locked():
            raise Overloaded

    async def __aenter__(self) -> None:
        """Raises Overloaded."""
        self.knock()
        if self._slots.locked():
            await self._wait()
        else:
            await self._slots.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._slots.release()

    async def _wait(self) -> None:
        self._queue += 1
        try:
            async with asyncio.timeout(self.seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise Overloaded from None
        finally:
            self._queue -= 1
