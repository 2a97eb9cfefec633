"""Limits how many requests are worked on at once. Subjects take turns; a request that comes too late is refused."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType

from app.operations.errors import RequestRefusal


class Overloaded(RequestRefusal):
    """Raised if there is no room for a request, or it waited too long for its turn.

    The client sees 503 and OVERLOADED; nothing was executed.
    """

    code = "OVERLOADED"

    def __init__(self) -> None:
        super().__init__("There is more to do just now than can be done in good time. Try again in a moment.")


@dataclass(slots=True)
class Admission:
    """An admission gives ``at_once`` turns; ``waiting`` more may wait for one for up to ``seconds``.

    The next turn is that of the subject whose last one is longest ago, however many of its requests wait. Where there
    is no more room to wait, the subject with the most requests there gives some up for others.
    """

    at_once: int
    waiting: int
    seconds: float
    _busy: int = 0
    _waiting: int = 0
    _queues: dict[str, "deque[asyncio.Future[None]]"] = field(default_factory=dict[str, "deque[asyncio.Future[None]]"])
    """Requests that wait by their subjects, in the order of the subjects' turns. None of them is empty."""

    def reject_if_full(self, subject: str) -> None:
        """Raises Overloaded if a turn would do so at once: asked first, so that refusing costs next to nothing."""
        if self._busy >= self.at_once and self._waiting >= self.waiting and self._longest(subject) is None:
            raise Overloaded

    def turn(self, subject: str) -> "Turn":
        return Turn(self, subject)

    async def enter(self, subject: str) -> None:
        """Waits for a turn, which ``leave`` gives back. Raises Overloaded."""
        if self._busy < self.at_once:
            self._busy += 1
            return
        self._make_room(subject)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(subject, deque()).append(turn)
        self._waiting += 1
        try:
            async with asyncio.timeout(self.seconds):
                await turn
        except BaseException as ended:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()  # it came at the very moment
            else:
                self._withdraw(subject, turn)
            if isinstance(ended, TimeoutError):
                raise Overloaded from None
            raise

    def leave(self) -> None:
        if not self._queues:
            self._busy -= 1
            return
        subject, queue = next(iter(self._queues.items()))
        turn = queue.popleft()
        self._waiting -= 1
        del self._queues[subject]
        if queue:
            self._queues[subject] = queue  # behind all others
        if turn.done():  # cancelled, and not yet withdrawn
            self.leave()
        else:
            turn.set_result(None)

    def _make_room(self, subject: str) -> None:
        """Makes room for a request of this subject. Raises Overloaded."""
        if self._waiting < self.waiting:
            return
        longest = self._longest(subject)
        if longest is None:
            raise Overloaded
        turn = self._queues[longest][-1]
        self._withdraw(longest, turn)
        if not turn.done():
            turn.set_exception(Overloaded())

    def _longest(self, subject: str) -> str | None:
        """Returns the subject with the most requests that wait, if it has more than this one with another."""
        if not self._queues:
            return None
        longest = max(self._queues, key=lambda each: len(self._queues[each]))
        return longest if len(self._queues[longest]) > len(self._queues.get(subject, ())) + 1 else None

    def _withdraw(self, subject: str, turn: "asyncio.Future[None]") -> None:
        queue = self._queues.get(subject)
        if queue and turn in queue:
            queue.remove(turn)
            self._waiting -= 1
            if not queue:
                del self._queues[subject]


class Turn:
    """A turn of the subject's lasts as long as the block inside. Entering raises Overloaded."""

    __slots__ = ("_admission", "_subject")

    def __init__(self, admission: Admission, subject: str) -> None:
        self._admission, self._subject = admission, subject

    async def __aenter__(self) -> None:
        await self._admission.enter(self._subject)

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._admission.leave()
