"""Ends requests whose link for the customer was not followed in time."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.domain.executors import Executors
from app.domain.times import stored
from app.jobs import keep_going
from app.services.clock import checked_now
from app.services.external_requests import expire
from app.store.driver import Store, until_it_is_there

_LOOK_SECONDS: Final = 5
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class RequestExpiry:
    store: Store
    executors: Executors

    async def run(self) -> None:
        """Runs until it is cancelled; it outlives any absence of the database, and a request that cannot be ended."""
        await keep_going("request expiry", until_it_is_there(self.once), every_seconds=_LOOK_SECONDS)

    async def once(self) -> None:
        """Ends each request whose link is over. Raises StoreError."""
        now = stored(datetime.now(UTC))
        due = {"expiresAt": {"$lte": now}}
        while found := await self.store.find("requests", due, limit=_AT_ONCE):
            await checked_now(self.store)
            if not any([await expire(self.store, self.executors, request, now) for request in found]):
                return
