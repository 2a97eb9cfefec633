"""How a change is made: once, whole or not at all, whatever dies meanwhile.

One transaction: the key (was this done already?), the customer's document (still open? revision + 1, which lets one
change at a time pass), then what the change decides, its activity, its audit row and its key. The body may run again.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias, TypeVar
from weakref import WeakValueDictionary

from app.catalogue import copied
from app.domain import changes
from app.domain.access import Viewer
from app.domain.changes import IdempotencyConflict, NotFound
from app.domain.customers import noticed
from app.domain.ids import new_id
from app.domain.listings import ORDERED
from app.domain.moments import ORDER, order_of, put_in_order
from app.domain.statuses import CLOSED, CustomerClosed
from app.services.audit import Audit
from app.services.letters import Letters
from app.services.tallies import arrived
from app.store import heads
from app.store.driver import Document, DuplicateKey, OutOfTime, Store, TryAgain, UpdateOne

Session: TypeAlias = Any
T = TypeVar("T")
Wrote: TypeAlias = Mapping[str, str | list[str]]
"""The ids of what a change wrote, by the name of the payload's field."""


@dataclass(slots=True)
class Effect:
    """What a change decided: new documents by collection, changed keys by collection and id, one activity.

    ``first`` are the activities of what had to happen before it: points that were due have expired.
    """

    wrote: dict[str, str | list[str]]
    activity: Document
    new: Mapping[str, Sequence[Document]] = field(default_factory=dict[str, Sequence[Document]])
    changed: Mapping[tuple[str, str], Document] = field(default_factory=dict[tuple[str, str], Document])
    first: Sequence[Document] = ()


Decide: TypeAlias = Callable[[Document, Session], Awaitable[Effect]]
"""From the customer as they are now, inside the transaction. Raises Refusal."""


class Turns:
    """One change of a customer at a time in this process: side by side they would only conflict in the database.

    Between processes the database decides, and whoever loses tries again.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, customer_id: str, *, within_seconds: float) -> AsyncGenerator[float]:
        """Yields the seconds that are left once it is one's turn. Raises OutOfTime if it does not come."""
        lock, start = self._locks.setdefault(customer_id, asyncio.Lock()), time.monotonic()
        try:
            await asyncio.wait_for(lock.acquire(), within_seconds)
        except TimeoutError:
            raise OutOfTime("too many changes of one customer") from None
        try:
            yield within_seconds - (time.monotonic() - start)
        finally:
            lock.release()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What may leave this house, how much of it at once, and for how long that is tried or open."""

    wallet: bool = False
    give_up: timedelta = timedelta(days=1)
    most_sends: int = 5
    """Deliveries of one mail in a day, over all subjects; the first time that it is sent counts, too."""
    most_mails: int = 20
    """Deliveries to one customer, and to one address, in a day."""
    most_exports: int = 3
    """Unfinished ones of one subject."""
    link: timedelta = timedelta(minutes=5)
    """Opens the file of an export."""
    letters: Letters = Letters()  # noqa: RUF009 # frozen


@dataclass(slots=True)
class Changes:
    """The changes that one request makes, by its viewer."""

    store: Store
    turns: Turns
    viewer: Viewer
    now: datetime
    request_id: str
    until: float
    """On the monotonic clock: when a change that is not made yet is given up."""
    outgoing: Outgoing = Outgoing()

    def audit(self, mutation: str) -> Audit:
        return Audit(self.viewer, mutation, self.request_id, self.now)

    async def make(self, mutation: str, customer_id: str, key: str, given: Mapping[str, Any], decide: Decide) -> Wrote:
        """What was written, now or when the viewer's key came first with the same input.

        A key belongs to whoever made it: the same one of somebody else is another key. Raises Refusal; refusals use up
        no key. Raises OutOfTime.
        """
        changes.key(key)
        print_of_input = changes.fingerprint({"mutation": mutation, **given})

        async def body(session: Session) -> Wrote:
            subject = self.viewer.subject
            own = {"customerId": customer_id, "subject": subject, "key": key}
            # Version 0.1.0 kept no subject: its keys are anybody's for as long as they are kept.
            anybodys = {**own, "subject": {"$in": [subject, None]}}
            done = await self.store.find("idempotency", anybodys, session=session)
            if done:
                if done[0]["inputHash"] != print_of_input:
                    raise IdempotencyConflict
                return done[0]["wrote"]
            customer = await take(self.store, customer_id, session)
            effect = await decide(customer, session)
            await self._write(effect, customer["revision"], session)
            record = {"_id": f"{customer_id}/{subject}/{key}", **own, "mutation": mutation, "inputHash": print_of_input}
            record |= {"wrote": effect.wrote, "at": self.now}
            await self.store.insert("idempotency", [record], session=session)
            ids = [each for one in effect.wrote.values() for each in (one if isinstance(one, list) else [one])]
            await self.audit(mutation).accepted(self.store, session, customer_id=customer_id, wrote=ids)
            return effect.wrote

        async def once_more_if_raced(session: Session) -> Wrote:
            try:
                return await body(session)
            except DuplicateKey as raced:
                raise TryAgain from raced  # the same key, a moment earlier: the next run finds what it wrote

        async with self.turns.turn(customer_id, within_seconds=self.until - time.monotonic()) as left:
            wrote = await self.store.transaction(once_more_if_raced, deadline_seconds=left)
        await heads.keep(self.store, [customer_id])
        return wrote

    async def transaction(self, body: Callable[[Session], Awaitable[T]]) -> T:
        """Of a change that is no customer's. Raises OutOfTime."""
        return await self.store.transaction(body, deadline_seconds=self.until - time.monotonic())

    async def _write(self, effect: Effect, revision: int, session: Session) -> None:
        activities = [*effect.first, effect.activity]
        for collection, documents in {**effect.new, "activities": activities}.items():
            if collection in ORDERED:
                put_in_order(documents, self.now, revision)
        for collection, documents in effect.new.items():
            await self.store.insert(collection, documents, session=session)
        customer = ("customers", effect.activity["customerId"])
        for (collection, document_id), keys in {customer: {}, **effect.changed}.items():
            update = {"$set": keys} if keys else {}
            if (collection, document_id) == customer:
                update |= noticed(activities)
            if update:
                await self.store.write(collection, [UpdateOne({"_id": document_id}, update)], session=session)
        await self.store.insert("activities", activities, session=session)
        await arrived(self.store, activities, now=self.now, session=session)

    def activity(self, customer_id: str, type_: str, **more: Any) -> Document:
        """The one activity that tells of a change of this viewer's."""
        return activity_of(customer_id, type_, changes.actor_of(self.viewer, customer_id), self.now, **more)

    def queued(self, collection: str, customer_id: str, **more: Any) -> Document:
        """What the relay is to send, its own outbox entry: it goes out once the change is committed."""
        return {
            "_id": new_id(collection),
            "customerId": customer_id,
            "status": "QUEUED",
            "attempts": 0,
            "requestedAt": self.now,
            "dueAt": self.now,
            "giveUpAt": self.now + self.outgoing.give_up,
            **more,
        }


async def take(store: Store, customer_id: str, session: Session) -> Document:
    """The customer, the transaction's own until it ends. Raises NotFound, CustomerClosed."""
    count_up = UpdateOne({"_id": customer_id}, {"$inc": {"revision": 1}})
    await store.write("customers", [count_up], session=session)
    found = await store.find("customers", {"_id": customer_id}, session=session)
    if not found:
        raise NotFound("There is no such customer.", "customerId")
    if found[0]["status"] in CLOSED:
        raise CustomerClosed(found[0]["status"])
    return found[0]


def activity_of(customer_id: str, type_: str, actor: Document, now: datetime, **more: Any) -> Document:
    """An activity that this gateway writes itself. A key whose value is None is left out."""
    return {
        "_id": new_id("activities"),
        "customerId": customer_id,
        "type": type_,
        "source": "platform",
        "occurredAt": now,
        "recordedAt": now,
        ORDER: order_of(now),
        "actor": actor,
        **copied(type_),
        **{key: value for key, value in more.items() if value is not None},
    }
