"""Holds what a subscription needs beyond what a request has."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.services.presence import Presence, present
from app.services.watches import Watches
from app.store.driver import Database, StoreError

_SECONDS: Final = 5
_LAST_WORDS_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class Live:
    """It has the watches of the process, and what is written of a stream itself.

    ``renew`` begins anew: with the time of now, nothing read yet, and another deadline. It raises Forbidden.
    """

    watches: Watches
    database: Database
    renew: Callable[[], Awaitable[None]]

    async def stay(self, presence: Presence, now: datetime) -> None:
        await presence.stay(self.database.within(_SECONDS), now)

    async def leave(self, presence: Presence) -> None:
        with suppress(StoreError):  # it ends by itself
            await presence.leave(self.database.within(_LAST_WORDS_SECONDS))

    async def present(self, customer_id: str, now: datetime) -> Sequence[Mapping[str, Any]]:
        """Returns who is there, each person once, those first who came first."""
        return await present(self.database.within(_SECONDS), customer_id, now)
