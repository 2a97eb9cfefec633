"""Ends requests whose link for the customer was not followed in time."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import stamina

from app.domain.executors import Executors
from app.domain.times import stored
from app.services.external_requests import expire
from app.store.driver import Store, is_transient

_LOOK_SECONDS: Final = 5
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class RequestExpiry:
    store: Store
    executors: Executors

    async def run(self) -> None:
        """Runs until it is cancelled; it outlives any absence of the database."""
        while True:
            await self._again()
            await asyncio.sleep(_LOOK_SECONDS)

    @stamina.retry(on=is_transient, attempts=None, timeout=None, wait_max=_LOOK_SECONDS)
    async def _again(self) -> None:
        await self.once()

    async def once(self) -> None:
        """Ends each request whose link is over. Raises StoreError."""
        now = stored(datetime.now(UTC))
        due = {"expiresAt": {"$lte": now}}
        while found := await self.store.find("requests", due, limit=_AT_ONCE):
            if not any([await expire(self.store, self.executors, request, now) for request in found]):
                return
