"""Says who has a customer's record open: who subscribes to it, in any process."""

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any, Final

from app.domain.access import Viewer
from app.store.driver import Database, DeleteOne, Document, StoreError, UpdateOne

RENEWAL_SECONDS: Final = 20
_LASTS: Final = timedelta(seconds=60)
"""How long a process that died is believed."""
_SECONDS: Final = 5
_LAST_WORDS_SECONDS: Final = 1


class Presences:
    """Holds the presences of one process: of each viewer on one customer, for as long as their stream lasts.

    ``wake`` is called with each customer whose viewers are others than at the last look, if somebody wants to know.
    """

    def __init__(self, database: Database, wake: Callable[[str], None]) -> None:
        self._database, self._wake = database, wake
        self._here: dict[str, Document] = {}
        self._wanted = Counter[str]()
        self._ids: dict[str, set[str]] = {}
        """By customer: the presences that the last look found."""

    @asynccontextmanager
    async def presence(self, viewer: Viewer, customer_id: str, now: datetime) -> AsyncGenerator[None]:
        """Says that the viewer is here, for as long as this lasts."""
        presence_id, person = token_hex(16), viewer.person
        self._here[presence_id] = {
            "customerId": customer_id,
            "viewer": {"id": person.subject, "name": person.name},
            "since": now,
        }
        try:
            await self._stay([presence_id], now)
            self._wake(customer_id)
            yield
        finally:
            del self._here[presence_id]
            with suppress(StoreError):  # it ends by itself
                last_words = self._database.within(_LAST_WORDS_SECONDS)
                await last_words.write("presence", [DeleteOne({"_id": presence_id})])
            self._wake(customer_id)

    @contextmanager
    def wanted(self, customer_id: str) -> Generator[None]:
        """Has whoever watches the customer woken when viewers come or go, also in other processes."""
        self._wanted[customer_id] += 1
        try:
            yield
        finally:
            self._wanted[customer_id] -= 1
            if not self._wanted[customer_id]:
                del self._wanted[customer_id]
                self._ids.pop(customer_id, None)

    async def of(self, customer_id: str, now: datetime) -> Sequence[Mapping[str, Any]]:
        """Returns who is there, each person once, those first who came first."""
        people: dict[str, Mapping[str, Any]] = {}
        for each in await self._found(customer_id, now):
            people.setdefault(each["viewer"]["id"], each)
        return [*people.values()]

    async def renew(self) -> None:
        """Says of all presences of this process that they last."""
        await self._stay([*self._here], datetime.now(UTC))

    async def look(self) -> None:
        """Looks where viewers came or went, and wakes those who want to know it."""
        if not self._wanted:
            return
        found = defaultdict[str, set[str]](set)
        for each in await self._found({"$in": [*self._wanted]}, datetime.now(UTC)):
            found[each["customerId"]].add(each["_id"])
        for customer_id in [*self._wanted]:
            if self._ids.get(customer_id) != found[customer_id]:
                self._ids[customer_id] = found[customer_id]
                self._wake(customer_id)

    async def _stay(self, presence_ids: Sequence[str], now: datetime) -> None:
        if not presence_ids:
            return
        lasting = {"expiresAt": now + _LASTS}
        writes = [UpdateOne({"_id": each}, {"$set": self._here[each] | lasting}, upsert=True) for each in presence_ids]
        await self._database.within(_SECONDS).write("presence", writes, ordered=False)

    async def _found(self, customer_id: object, now: datetime) -> list[Document]:
        where = {"customerId": customer_id, "expiresAt": {"$gt": now}}
        return await self._database.within(_SECONDS).find("presence", where, sort={"customerId": 1, "since": 1})
