"""Bounds streams of events: how many there are, and how long each lasts."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from inspect import isawaitable
from typing import Any, Final, cast

from graphql.execution.execute import (
    execute_subscription,  # pyright: ignore[reportUnknownVariableType] # open generics
)

from app.domain.access import Viewer
from app.execution.context import ExecutionContext
from app.metrics import SUBSCRIPTIONS
from app.operations.errors import RequestRefusal

END: Final = object()
"""What `Lifetime.next` returns after the last event."""
_HERD_SECONDS: Final = 10
"""Whoever is refused is told to come back at some time in these."""


class TooManySubscriptions(RequestRefusal):
    """Raised if there is no room for another stream; the client sees 503 and TOO_MANY_SUBSCRIPTIONS."""

    code = "TOO_MANY_SUBSCRIPTIONS"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.extensions = {"retryAfterSeconds": random.randint(1, _HERD_SECONDS)}  # noqa: S311 # no secret


class TokenExpired(RequestRefusal):
    """Raised when the token of a stream ends. It is the last response of the stream."""

    code = "TOKEN_EXPIRED"

    def __init__(self) -> None:
        super().__init__("The token has expired. Get a new one, and subscribe again with the cursor of the last event.")


class SubscriptionEnded(RequestRefusal):
    """Raised when a stream has lasted as long as it may, or its process leaves. It is the last response of the "
    "stream."""

    code = "SUBSCRIPTION_ENDED"

    def __init__(self) -> None:
        super().__init__("This stream is over. Subscribe again with the cursor of the last event.")


class Lifetime:
    """A lifetime says when a stream ends at the latest."""

    def __init__(self, viewer: Viewer, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._over_at = self._loop.time() + seconds
        left = float("inf") if viewer.expires_at is None else viewer.expires_at - time.time()
        self._token_ends_at = self._loop.time() + left
        self._waiting: asyncio.Timeout | None = None

    @property
    def _ends_at(self) -> float:
        return min(self._over_at, self._token_ends_at)

    def end_within(self, seconds: float) -> None:
        self._over_at = min(self._over_at, self._loop.time() + seconds)
        if self._waiting:
            self._waiting.reschedule(self._ends_at)

    async def next(self, events: AsyncGenerator[Any]) -> Any:
        """Returns the next event, or END. Raises TokenExpired, SubscriptionEnded."""
        try:
            async with asyncio.timeout_at(self._ends_at) as self._waiting:
                return await anext(events, END)
        except TimeoutError:
            if not (self._waiting and self._waiting.expired()):
                raise
            is_token = self._token_ends_at <= self._over_at
            raise (TokenExpired() if is_token else SubscriptionEnded()) from None
        finally:
            self._waiting = None


class Subscriptions:
    """Counts the streams of one process."""

    def __init__(self, at_most: int, of_subject_at_most: int, seconds: float) -> None:
        self._at_most, self._of_subject_at_most, self._seconds = at_most, of_subject_at_most, seconds
        self._by_subject = Counter[str]()
        self._lifetimes: set[Lifetime] = set()
        self._draining = False

    def reject_if_full(self, viewer: Viewer) -> None:
        """Raises TooManySubscriptions."""
        if self._draining or len(self._lifetimes) >= self._at_most:
            raise TooManySubscriptions("There is no room for another stream in this process. Subscribe again later.")
        if self._by_subject[viewer.subject] >= self._of_subject_at_most:
            raise TooManySubscriptions(
                f"You have {self._of_subject_at_most} streams, as many as one subject may have. Close one first."
            )

    @contextmanager
    def place(self, viewer: Viewer) -> Generator[Lifetime]:
        """Yields the lifetime of a stream, which takes a place for as long. Raises TooManySubscriptions."""
        self.reject_if_full(viewer)
        lifetime = Lifetime(viewer, self._seconds)
        self._lifetimes.add(lifetime)
        self._by_subject[viewer.subject] += 1
        SUBSCRIPTIONS.inc()
        try:
            yield lifetime
        finally:
            SUBSCRIPTIONS.dec()
            self._lifetimes.discard(lifetime)
            self._by_subject[viewer.subject] -= 1
            if not self._by_subject[viewer.subject]:
                del self._by_subject[viewer.subject]

    def drain(self, seconds: float) -> None:
        """Ends all streams, spread over these seconds, so that their clients do not come back all at once."""
        self._draining = True
        for lifetime in self._lifetimes:
            lifetime.end_within(random.uniform(0, seconds))  # noqa: S311 # no secret


async def source_events(execution: ExecutionContext) -> AsyncGenerator[Any]:
    """Returns the events of a subscription (GraphQL September 2025, 6.2.3.1 Source Stream). Raises GraphQLError."""
    found: Any = execute_subscription(cast(Any, execution.fallback))
    return await found if isawaitable(found) else found
