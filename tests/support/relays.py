"""Relays as a test drives them: one look at what is due at a time, or running."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.delivery import mail
from app.delivery.mail import Mailer, MailServer
from app.delivery.relay import Relay
from app.store.driver import Document, Store, UpdateOne
from tests.support.world import World

SENDER = "Customer service <service@gateway.example.com>"
LONG_SECONDS = 30
"""More than anything here takes on a busy machine; what waits for so long has failed."""


@dataclass
class Post:
    """Queues what is to be sent, and looks at it."""

    world: World
    store: Store

    async def queued(self, **given: Any) -> Document:
        """Stores a delivery that is due; ``given`` are keys of its email, but ``to`` and ``giveUpAt``."""
        to, give_up_at = given.pop("to", "ada@example.com"), given.pop("giveUpAt", None)
        email = await self.world.email(await self.world.customer(), **given)
        now = datetime.now(UTC)
        due = {"status": "QUEUED", "attempts": 0, "requestedAt": now, "dueAt": now}
        first = "sentAt" not in email
        return await self.world.delivery(
            email, to=to, first=first, **due, giveUpAt=give_up_at or now + timedelta(hours=1)
        )

    async def now(self, entry: Document, collection: str = "deliveries") -> Document:
        (found,) = await self.store.find(collection, {"_id": entry["_id"]})
        return found

    async def make_due(self, entry: Document, collection: str = "deliveries") -> None:
        """Makes an entry due, as if its pause or lease were over."""
        due = {"$set": {"dueAt": datetime.now(UTC) - timedelta(seconds=1)}}
        await self.store.write(collection, [UpdateOne({"_id": entry["_id"], "dueAt": {"$exists": True}}, due)])

    async def settled(self, count: int, status: str = "SENT") -> None:
        """Waits until that many deliveries have the status."""

        async def there() -> bool:
            return len(await self.store.find("deliveries", {"status": status})) == count

        await until(there)


@asynccontextmanager
async def relay_to(
    url: str, store: Store, *, timeout_seconds: float = LONG_SECONDS, **server: Any
) -> AsyncGenerator[Relay]:
    """Makes a relay to a mail server; ``server`` is what the URL does not say."""
    mailer = Mailer(replace(MailServer.of(url), **server), mail.sender_of(SENDER), timeout_seconds)
    try:
        yield Relay(store, [mail.channel(store, mailer)], timeout_seconds)
    finally:
        await mailer.close()


@asynccontextmanager
async def running(*relays: Relay) -> AsyncGenerator[None]:
    """Runs relays for as long as this lasts."""
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


async def until(question: Callable[[], Any]) -> None:
    """Waits until the answer to a question, awaited or not, is true."""
    async with asyncio.timeout(LONG_SECONDS):
        while True:
            answer = question()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of 127.0.0.1 with its key, signed by nobody else."""

    path: Path

    @property
    def serving(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context
