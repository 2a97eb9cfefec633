"""Wakes whoever waits for a customer to change.

One change stream for the process only wakes: what changed is read from the feed. A look at the revisions of all
customers who are watched, every five seconds, wakes as well, so that a stream that is lost delays and loses nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Final

from app.services.presence import Presences
from app.store.driver import Database, Store, until_it_is_there

LOOK_SECONDS: Final = 5
_RESTART_SECONDS: Final = 1
_SECONDS_OF_A_LOOK: Final = 4


class Watch:
    """A watch is a flag: something of the customer may have changed since it was last looked at."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Waits until it is woken, so long at most, and lowers the flag."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()


class Watches:
    """Holds the watches of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.presences = Presences(database, self.wake)
        self._by_customer: defaultdict[str, set[Watch]] = defaultdict(set)
        self._revisions: dict[str, int] = {}
        """As the last look found them."""

    @contextmanager
    def watch(self, customer_id: str) -> Generator[Watch]:
        """Yields a watch that is woken whenever the customer changes from now on."""
        watch = Watch()
        self._by_customer[customer_id].add(watch)
        try:
            yield watch
        finally:
            self._by_customer[customer_id].discard(watch)
            if not self._by_customer[customer_id]:
                del self._by_customer[customer_id]
                self._revisions.pop(customer_id, None)

    def wake(self, customer_id: str) -> None:
        for watch in self._by_customer.get(customer_id, ()):
            watch.wake()

    def wake_all(self) -> None:
        """Wakes everybody: while nobody listened, anything may have changed."""
        for customer_id in [*self._by_customer]:
            self.wake(customer_id)

    @until_it_is_there
    async def listen(self, store: Store) -> None:
        """Listens until it is cancelled."""
        while True:
            async for entry in store.inserted("feed", ("customerId",)):
                if entry is None:
                    self.wake_all()
                else:
                    self.wake(entry["customerId"])
            await asyncio.sleep(_RESTART_SECONDS)  # it ends with a database that is dropped

    async def look(self) -> None:
        """Wakes whoever waits for a customer whose revision, or whose viewers, are others than at the last look."""
        await self.presences.look()
        if not self._by_customer:
            return
        where = {"_id": {"$in": [*self._by_customer]}}
        found = await self._database.within(_SECONDS_OF_A_LOOK).find("customers", where, fields={"revision": 1})
        for customer in found:
            customer_id, revision = customer["_id"], customer.get("revision", 0)
            if self._revisions.get(customer_id) != revision and customer_id in self._by_customer:
                self._revisions[customer_id] = revision
                self.wake(customer_id)
