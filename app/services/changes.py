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
from app.domain.changes import IdempotencyConflict
from app.domain.ids import new_id
from app.domain.statuses import CLOSED, CustomerClosed
from app.services.audit import AuditTrail
from app.services.letters import Letters
from app.services.writing import CustomerRows, change_customers
from app.store.driver import Document, DuplicateKey, OutOfTime, Store, TryAgain

Session: TypeAlias = Any
T = TypeVar("T")
Wrote: TypeAlias = Mapping[str, str | list[str]]
"""The ids of what a change wrote, by the name of the payload's field."""


@dataclass(slots=True)
class Effect:
    """What a change decided: new documents by collection, changed keys by collection and id, one activity.

    ``first`` are the activities of what had to happen before it: points that were due have expired. ``adjusted_points``
    counts against the viewer's limit.
    """

    wrote: dict[str, str | list[str]]
    activity: Document
    new: Mapping[str, Sequence[Document]] = field(default_factory=dict[str, Sequence[Document]])
    changed: Mapping[tuple[str, str], Document] = field(default_factory=dict[tuple[str, str], Document])
    first: Sequence[Document] = ()
    adjusted_points: int = 0


Decide: TypeAlias = Callable[[Document, Session], Awaitable[Effect]]
"""From the customer as they are now, inside the transaction. Raises Refusal."""


class CustomerLocks:
    """Locks by customer, so that this process makes one change of a customer at a time.

    Side by side they would only conflict in the database.
    Between processes the database decides, and whoever loses tries again.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def locked(self, customer_id: str, *, within_seconds: float) -> AsyncGenerator[float]:
        """Holds the customer's lock; yields the seconds that are left of ``within_seconds``. Raises OutOfTime."""
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
class DeliveryPolicy:
    """Limits what is sent from here: how much at once, and for how long it is tried or open."""

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
    """Makes the changes of one request, as its viewer."""

    store: Store
    locks: CustomerLocks
    viewer: Viewer
    now: datetime
    request_id: str
    until: float
    """On the monotonic clock: when a change that is not made yet is given up."""
    outgoing: DeliveryPolicy = DeliveryPolicy()

    def audit(self, mutation: str) -> AuditTrail:
        return AuditTrail(self.viewer, mutation, self.request_id, self.now)

    async def run_once(
        self, mutation: str, customer_id: str, key: str, given: Mapping[str, Any], decide: Decide
    ) -> Wrote:
        """Runs a change once for each key: returns what it wrote, now or when the key came first with the same input.

        A key belongs to whoever made it: the same one of somebody else is another key. Raises Refusal; refusals use up
        no key. Raises OutOfTime.
        """
        changes.key(key)
        input_hash = changes.fingerprint({"mutation": mutation, **given})

        async def body(rows: CustomerRows) -> Wrote:
            session, subject = rows.session, self.viewer.subject
            own = {"customerId": customer_id, "subject": subject, "key": key}
            # Version 0.1.0 kept no subject: its keys are anybody's for as long as they are kept.
            anybodys = {**own, "subject": {"$in": [subject, None]}}
            done = await self.store.find("idempotency", anybodys, session=session)
            if done:
                if done[0]["inputHash"] != input_hash:
                    raise IdempotencyConflict
                return done[0]["wrote"]
            customer = await lock_open_customer(rows, customer_id)
            effect = await decide(customer, session)
            _write(effect, rows)
            record: Document = {
                "_id": f"{customer_id}/{subject}/{key}",
                **own,
                "mutation": mutation,
                "inputHash": input_hash,
            }
            record |= {"wrote": effect.wrote, "at": self.now}
            if effect.adjusted_points:
                record["points"] = effect.adjusted_points
            try:
                await self.store.insert("idempotency", [record], session=session)
            except DuplicateKey as raced:
                raise TryAgain from raced  # the same key, a moment earlier: the next run finds what it wrote
            ids = [each for one in effect.wrote.values() for each in (one if isinstance(one, list) else [one])]
            await self.audit(mutation).accepted(self.store, session, customer_id=customer_id, wrote=ids)
            return effect.wrote

        async with self.locks.locked(customer_id, within_seconds=self.until - time.monotonic()) as left:
            return await change_customers(self.store, body, now=self.now, deadline_seconds=left)

    async def transaction(self, body: Callable[[Session], Awaitable[T]]) -> T:
        """Runs a change that concerns no customer. Raises OutOfTime."""
        return await self.store.transaction(body, deadline_seconds=self.until - time.monotonic())

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


def _write(effect: Effect, rows: CustomerRows) -> None:
    for collection, documents in effect.new.items():
        rows.insert(collection, documents)
    customer_id = effect.activity["customerId"]
    for (collection, document_id), keys in effect.changed.items():
        if collection == "customers":
            rows.set_on_customer(document_id, keys)
        else:
            rows.update(collection, {"_id": document_id, "customerId": customer_id}, {"$set": keys})
    rows.insert("activities", [*effect.first, effect.activity])


async def lock_open_customer(rows: CustomerRows, customer_id: str) -> Document:
    """The customer, whom nobody else changes until the transaction ends. Raises NotFound, CustomerClosed."""
    customer = await rows.lock(customer_id)
    if customer["status"] in CLOSED:
        raise CustomerClosed(customer["status"])
    return customer


def activity_of(customer_id: str, type_: str, actor: Document, now: datetime, **more: Any) -> Document:
    """An activity that this gateway writes itself. A key whose value is None is left out."""
    return {
        "_id": new_id("activities"),
        "customerId": customer_id,
        "type": type_,
        "source": "platform",
        "occurredAt": now,
        "recordedAt": now,
        "actor": actor,
        **copied(type_),
        **{key: value for key, value in more.items() if value is not None},
    }
