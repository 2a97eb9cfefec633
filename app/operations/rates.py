"""Limits how much one subject may ask for in a minute, counted for all processes together.

Changes are counted one by one, before they are made. What reading costs is counted here at once and in the database
soon after, so that a query pays no command for it: what processes let through meanwhile is the error.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, NamedTuple

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from app.domain.access import Role, Viewer
from app.operations.errors import RequestRefusal
from app.settings import PerMinute
from app.store import counters
from app.store.deadline import NEVER
from app.store.driver import Database, Store, StoreError

_FLUSH_SECONDS: Final = 0.5
_MINUTE_SECONDS: Final = 60


class RateLimited(RequestRefusal):
    """Raised where a subject has used up its minute. The client sees 429, RATE_LIMITED and when to return."""

    code = "RATE_LIMITED"

    def __init__(self, limit: Literal["cost", "changes"], *, allowed: int, seconds: float) -> None:
        self.seconds = max(1, round(seconds + 0.5))
        self.extensions = {"limit": {"name": limit, "allowed": allowed}, "retryAfterSeconds": self.seconds}
        what = f"requests that cost more than {allowed}" if limit == "cost" else f"more than {allowed} changes"
        super().__init__(f"You have asked for {what} in the last minute. Try again in {self.seconds} s.")


class _Budget(NamedTuple):
    """Whose, and how much it is: a subject may have tokens with other roles."""

    subject: str
    limit: int


@dataclass(slots=True)
class _Minute:
    """What was spent of a budget in this process, in the minute that ``ends`` then; ``unflushed`` of it is not yet
    counted in the database. Nothing more is spent before ``blocked_until``."""

    ends: float
    spent: int = 0
    unflushed: int = 0
    blocked_until: float = 0


@dataclass(slots=True)
class Rates:
    """Holds what each subject has spent in this minute, with the limits: ``cost`` for reading, ``changes``."""

    database: Database
    cost: PerMinute
    changes: PerMinute
    clock: Callable[[], float] = time.monotonic
    _minutes: dict[_Budget, _Minute] = field(default_factory=dict[_Budget, _Minute])
    _limits: dict[frozenset[Role], int] = field(default_factory=dict[frozenset[Role], int])
    """What ``cost`` is for these roles: every request asks several times."""

    def spend(self, viewer: Viewer, cost: int) -> None:
        """Raises RateLimited, and then nothing is spent."""
        budget, now = self._budget(viewer), self.clock()
        minute = self._minutes.get(budget)
        if minute is None or (minute.ends <= now and minute.blocked_until <= now):
            minute = self._minutes[budget] = _Minute(now + _MINUTE_SECONDS)
        if minute.blocked_until > now:
            raise RateLimited("cost", allowed=budget.limit, seconds=minute.blocked_until - now)
        if minute.spent + cost > budget.limit:
            raise RateLimited("cost", allowed=budget.limit, seconds=minute.ends - now)
        minute.spent += cost
        minute.unflushed += cost

    def give_back(self, viewer: Viewer, cost: int) -> None:
        """Gives back what was spent on something that came to nothing."""
        self.charge(viewer, -cost)

    def charge(self, viewer: Viewer, cost: int) -> None:
        """What turned out afterwards: it refuses nothing now, and counts for what comes next."""
        if minute := self._minutes.get(self._budget(viewer)):
            minute.spent += cost
            minute.unflushed += cost

    def _budget(self, viewer: Viewer) -> _Budget:
        limit = self._limits.get(viewer.roles)
        if limit is None:
            limit = self._limits[viewer.roles] = self.cost.of(viewer.roles)
        return _Budget(viewer.subject, limit)

    async def change(self, viewer: Viewer, changes: int, store: Store) -> None:
        """Counts changes that are about to be made. Raises RateLimited, StoreError."""
        limiter = _limiter(store)
        limit = RateLimitItemPerMinute(self.changes.of(viewer.roles), namespace="changes")
        if not await limiter.hit(limit, viewer.subject, cost=changes):
            seconds = await _seconds_left(limiter, limit, viewer.subject)
            raise RateLimited("changes", allowed=limit.amount, seconds=seconds)

    async def flush_forever(self) -> None:
        """Counts what was spent here for all processes, again and again, and blocks subjects that spent too much."""
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            now = self.clock()
            over = [budget for budget, minute in self._minutes.items() if max(minute.ends, minute.blocked_until) <= now]
            for budget in over:
                del self._minutes[budget]
            with suppress(StoreError):  # next time, if the minute lasts so long
                for budget, minute in [*self._minutes.items()]:
                    await self._flush(budget, minute)

    async def _flush(self, budget: _Budget, minute: _Minute) -> None:
        """Raises StoreError."""
        unflushed, minute.unflushed = minute.unflushed, 0
        if not unflushed:
            return
        limiter, limit = _limiter(self.database.until(NEVER)), RateLimitItemPerMinute(budget.limit, namespace="cost")
        try:
            fits = await limiter.hit(limit, budget.subject, cost=unflushed)
        except StoreError:
            minute.unflushed += unflushed
            raise
        if not fits:
            minute.blocked_until = self.clock() + await _seconds_left(limiter, limit, budget.subject)


def _limiter(store: Store) -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(MongoStorage(store))


async def _seconds_left(limiter: FixedWindowRateLimiter, limit: RateLimitItem, subject: str) -> float:
    return (await limiter.get_window_stats(limit, subject)).reset_time - time.time()


class MongoStorage(Storage):
    """Keeps the library's counters in our database."""

    STORAGE_SCHEME: ClassVar[Any] = None

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    @property
    def base_exceptions(self) -> type[Exception]:
        return StoreError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return await counters.add(self._store, key, amount, seconds=expiry)

    async def get(self, key: str) -> int:
        return (await counters.read(self._store, key))[0]

    async def get_expiry(self, key: str) -> float:
        return (await counters.read(self._store, key))[1]

    async def check(self) -> bool:
        return True

    async def reset(self) -> int | None:
        return None

    async def clear(self, key: str) -> None:
        await counters.forget(self._store, key)
