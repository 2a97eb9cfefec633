"""Keeps work going until it is stopped: what one job raises is logged, and stops neither itself nor any other."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import structlog

from app import metrics

T = TypeVar("T")
_log = structlog.get_logger("jobs")

_FIRST_PAUSE_SECONDS: Final = 1
_LONGEST_PAUSE_SECONDS: Final = 300


async def keep_going(
    name: str, work: Callable[[], Awaitable[object]], *, every_seconds: float = 1, pause_seconds: float = 1
) -> None:
    """Does the work again and again, with so many seconds between, until it is cancelled.

    After a failure it is done again after a pause, which doubles from ``pause_seconds`` to five minutes.
    """
    failures = 0
    while True:
        try:
            await work()
            failures = 0
            pause = every_seconds
        except Exception as fault:
            pause = max(every_seconds, min(pause_seconds * 2**failures, _LONGEST_PAUSE_SECONDS))
            failures = min(failures + 1, 20)
            log_failure(name, fault, again_in_seconds=pause)
        await asyncio.sleep(pause)


async def at_once(works: Iterable[Callable[[], Coroutine[Any, Any, T]]], at_most: int) -> list[T]:
    """Does works, so many of them at a time, and returns what they return, in their order.

    What one raises ends the others, and is raised. No TaskGroup: one that fails leaves its task marked as cancelled
    (Python 3.11), and a timeout of later on is then no TimeoutError.
    """
    slots = asyncio.Semaphore(at_most)

    async def do(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async with slots:
            return await work()

    tasks = [asyncio.create_task(do(work)) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


@dataclass(frozen=True, slots=True)
class Pace:
    """A pace leaves room for others: after each piece of work it rests ``nice_ratio`` times as long as that took."""

    nice_ratio: float = 0

    @property
    def is_gentle(self) -> bool:
        return self.nice_ratio > 0

    async def rest(self, since: float) -> None:
        """Gives others their turn after work that began at ``since``, on the monotonic clock."""
        if self.is_gentle:
            await asyncio.sleep(self.nice_ratio * (time.monotonic() - since))

    def paced(self, work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], Coroutine[Any, Any, None]]:
        """Returns work that rests once it is done."""

        async def do() -> None:
            start = time.monotonic()
            await work()
            await self.rest(start)

        return do if self.is_gentle else work


AT_FULL_PACE: Final = Pace()


def log_failure(job: str, fault: BaseException, **more: Any) -> None:
    """Counts it, and logs one line without what is stored: an error's own words may hold it."""
    metrics.JOB_FAILURES.labels(job).inc()
    _log.error("job failed", job=job, fault=type(fault).__name__, exc_info=fault, **more)


@dataclass(slots=True)
class Backoff:
    """A backoff leaves alone what failed: a minute at first, twice as long each time, an hour at most."""

    first_seconds: float = 60
    longest_seconds: float = 3_600
    clock: Callable[[], float] = time.monotonic
    _failed: dict[Hashable, tuple[int, float]] = field(default_factory=dict[Hashable, tuple[int, float]])
    """By key: how often in a row, and when it may be tried again."""

    def is_due(self, key: Hashable) -> bool:
        return key not in self._failed or self.clock() >= self._failed[key][1]

    def failed(self, key: Hashable) -> float:
        """Returns for how many seconds it is left alone."""
        times = min(self._failed.get(key, (0, 0))[0] + 1, 20)
        pause = min(self.first_seconds * 2 ** (times - 1), self.longest_seconds)
        self._failed[key] = times, self.clock() + pause
        return pause

    def succeeded(self, key: Hashable) -> None:
        self._failed.pop(key, None)

    @property
    def left_alone(self) -> list[Hashable]:
        return [key for key in self._failed if not self.is_due(key)]
