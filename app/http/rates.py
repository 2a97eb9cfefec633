"""How much one subject may ask for in a minute, counted for all processes together.

Changes are counted one by one, before they are made. What reading costs is counted here at once and in the database
soon after, so that a query pays no command for it: what processes let through meanwhile is the error.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from app.domain.refusals import Refusal
from app.store import counters
from app.store.driver import Store, StoreError

_TOLD_EVERY_SECONDS: Final = 0.5


class RateLimited(Refusal):
    code = "RATE_LIMITED"

    def __init__(self, what: str, *, seconds: float) -> None:
        self.seconds = max(1, round(seconds + 0.5))
        super().__init__(f"You have asked for too {what} in the last minute. Try again in {self.seconds} s.")


@dataclass(slots=True)
class Rates:
    """``cost`` and ``changes`` are what a subject may ask for in a minute."""

    store: Store
    cost: int
    changes: int
    _limiter: FixedWindowRateLimiter = field(init=False)
    _untold: Counter[str] = field(default_factory=Counter[str])
    _blocked: dict[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(_Kept(self.store))

    def spend(self, subject: str, cost: int) -> None:
        """Raises RateLimited."""
        if (until := self._blocked.get(subject)) is not None:
            if (left := until - time.time()) > 0:
                raise RateLimited("much", seconds=left)
            del self._blocked[subject]
        self._untold[subject] += cost
        if self._untold[subject] > self.cost:
            raise RateLimited("much", seconds=_TOLD_EVERY_SECONDS)

    async def change(self, subject: str, changes: int) -> None:
        """Raises RateLimited, StoreError."""
        limit = RateLimitItemPerMinute(self.changes, namespace="changes")
        if not await self._limiter.hit(limit, subject, cost=changes):
            raise RateLimited("many changes", seconds=await self._left(limit, subject))

    async def tell(self) -> None:
        """What was spent here, told to the others for as long as this runs; who has spent too much is blocked."""
        limit = RateLimitItemPerMinute(self.cost, namespace="cost")
        while True:
            await asyncio.sleep(_TOLD_EVERY_SECONDS)
            untold, self._untold = self._untold, Counter()
            for subject, cost in untold.items():
                try:
                    if not await self._limiter.hit(limit, subject, cost=cost):
                        self._blocked[subject] = time.time() + await self._left(limit, subject)
                except StoreError:
                    self._untold[subject] += cost  # told next time

    async def _left(self, limit: RateLimitItem, subject: str) -> float:
        return (await self._limiter.get_window_stats(limit, subject)).reset_time - time.time()


class _Kept(Storage):
    """The library's counters, in our database."""

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
