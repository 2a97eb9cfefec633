"""Makes a change once, whole or not at all, whatever dies meanwhile.

One transaction: the key (was this done already?), the customer's document (still open? revision + 1, which lets one
change at a time pass), then what the change decides, its activity, its audit row and its key. The body may run again.
"""

import asyncio
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
from app.domain.customers import update_of
from app.domain.executors import Executors
from app.domain.ids import new_id
from app.domain.merging import check_open
from app.services.audit import AuditTrail
from app.services.letters import Letters
from app.services.writing import CustomerRows, change_customers
from app.store.deadline import Deadline
from app.store.driver import Document, InsertOne, OutOfTime, Store

Session: TypeAlias = Any
T = TypeVar("T")
Wrote: TypeAlias = Mapping[str, str | list[str]]
"""The ids of what a change wrote, by the name of the payload's field."""


def ids_of(wrote: Wrote) -> list[str]:
    """Returns all ids, in their order."""
    return [each for one in wrote.values() for each in (one if isinstance(one, list) else [one])]


@dataclass(slots=True)
class Effect:
    """An effect holds what a change decided: new documents, changed keys by collection and id, one activity. A key that
    changed to None is removed.

    Without an activity there was nothing to change. ``customer`` is a new one, whole. ``first`` are the activities of
    what had to happen before it: points that were due have expired. ``adjusted_points`` counts against the viewer's
    limit.
    """

    wrote: dict[str, str | list[str]]
    activity: Document | None
    customer: Document | None = None
    new: Mapping[str, Sequence[Document]] = field(default_factory=dict[str, Sequence[Document]])
    changed: Mapping[tuple[str, str], Document] = field(default_factory=dict[tuple[str, str], Document])
    first: Sequence[Document] = ()
    adjusted_points: int = 0


Decide: TypeAlias = Callable[[Document, Session], Awaitable[Effect]]
"""From the customer as they are now, inside the transaction. Raises Refusal."""
Lock: TypeAlias = Callable[[CustomerRows, str], Awaitable[Document]]
"""From the customer's id to the customer, whom nobody else changes until the transaction ends. Raises Refusal."""


class _DoneBefore(Exception):
    """Raised inside a transaction for a key that was used before, so that nothing of it is kept."""

    def __init__(self, wrote: Wrote) -> None:
        super().__init__()
        self.wrote = wrote


class CustomerLocks:
    """Locks by customer, so that this process makes one change of a customer at a time.

    Side by side they would only conflict in the database.
    Between processes the database decides, and whoever loses tries again.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def locked(self, customer_id: str, deadline: Deadline) -> AsyncGenerator[None]:
        """Holds the customer's lock. Raises OutOfTime where it cannot be had by the deadline."""
        lock = self._locks.setdefault(customer_id, asyncio.Lock())
        try:
            async with asyncio.timeout(deadline.remaining_seconds):
                await lock.acquire()
        except TimeoutError:
            raise OutOfTime("too many changes of one customer") from None
        try:
            yield
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
    executors: Executors = Executors()  # noqa: RUF009 # frozen
    loopback_webhooks: bool = False
    """Whether endpoints may be on this machine itself, as in the demo."""


@dataclass(slots=True)
class Changes:
    """Makes the changes of one request, as its viewer. What is not written by the store's deadline is given up."""

    store: Store
    locks: CustomerLocks
    viewer: Viewer
    now: datetime
    request_id: str
    outgoing: DeliveryPolicy = DeliveryPolicy()
    _stored: dict[str, Document] = field(default_factory=dict[str, Document])

    def take_stored(self) -> dict[str, Document]:
        """Returns what the last change has left, by id, as it is stored: whoever shows it need not read it. Once."""
        taken, self._stored = self._stored, {}
        return taken

    def audit(self, mutation: str) -> AuditTrail:
        return AuditTrail(self.viewer, mutation, self.request_id, self.now)

    async def run_once(
        self,
        mutation: str,
        customer_id: str | None,
        key: str,
        given: Mapping[str, Any],
        decide: Decide,
        *,
        lock: Lock | None = None,
    ) -> Wrote:
        """Runs a change once for each key: returns what it wrote, now or when the key came first with the same input.

        Without ``customer_id`` the change concerns no customer: ``decide`` gets an empty one, and makes no activity.

        A key belongs to whoever made it: the same one of somebody else is another key. Raises Refusal; refusals use up
        no key. Raises OutOfTime.
        """
        changes.key(key)
        input_hash = changes.fingerprint({"mutation": mutation, **given})

        def judge(done: Sequence[Document]) -> None:
            if done:
                if done[0]["inputHash"] != input_hash:
                    raise IdempotencyConflict
                raise _DoneBefore(done[0]["wrote"])

        async def body(rows: CustomerRows) -> Wrote:
            subject = self.viewer.subject
            own: Document = {"subject": subject, "key": key} | ({"customerId": customer_id} if customer_id else {})
            # Version 0.1.0 kept no subject: its keys are anybody's for as long as they are kept.
            anybodys = {**own, "customerId": customer_id, "subject": {"$in": [subject, None]}}
            # Sent with the lock: whoever waits for this customer waits for one answer less.
            rows.find("idempotency", anybodys, judge)
            customer = await (lock or lock_open_customer)(rows, customer_id) if customer_id else {}
            await rows.ask()
            effect = await decide(customer, rows.session)
            if customer_id:
                _write(effect, customer_id, rows)
            record: Document = {
                "_id": f"{customer_id or ''}/{subject}/{key}",
                **own,
                "mutation": mutation,
                "inputHash": input_hash,
            }
            record |= {"wrote": effect.wrote, "at": self.now}
            if effect.adjusted_points:
                record["points"] = effect.adjusted_points
            # The same key, a moment earlier, has it: the next run finds what it wrote.
            rows.add("idempotency", record, is_race=True)
            rows.add("audit", self.audit(mutation).row_of_accepted(customer_id, ids_of(effect.wrote)))
            rows.on_commit(lambda: self._stored.update(rows.stored()))
            return effect.wrote

        one_at_a_time = self.locks.locked(customer_id or self.viewer.subject, self.store.deadline)
        try:
            return await change_customers(self.store, body, now=self.now, lock=one_at_a_time)
        except _DoneBefore as done:
            return done.wrote

    async def transaction(self, body: Callable[[Session], Awaitable[T]]) -> T:
        """Runs a change that concerns no customer. Raises OutOfTime."""
        return await self.store.transaction(body)

    def activity(self, customer_id: str, type_: str, **more: Any) -> Document:
        """Makes the one activity that a change of this viewer's leaves on the timeline."""
        return activity_of(customer_id, type_, changes.actor_of(self.viewer, customer_id), self.now, **more)

    def queued(self, collection: str, customer_id: str, **more: Any) -> Document:
        """Makes an entry of the outbox: the relay sends it once the change is committed."""
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


def _write(effect: Effect, customer_id: str, rows: CustomerRows) -> None:
    if effect.customer:
        rows.put_customers([InsertOne(effect.customer)], after=[effect.customer], changed=[customer_id])
    for collection, documents in effect.new.items():
        rows.insert(collection, documents)
    for (collection, document_id), keys in effect.changed.items():
        if collection == "customers":
            rows.set_on_customer(document_id, keys)
        else:
            rows.update(collection, {"_id": document_id, "customerId": customer_id}, update_of(keys))
    rows.insert("activities", [*effect.first, *([effect.activity] if effect.activity else [])])


async def lock_open_customer(rows: CustomerRows, customer_id: str) -> Document:
    """Returns the customer, whom nobody else changes until the transaction ends.

    Raises NotFound, CustomerMerged, CustomerClosed.
    """
    customer = await rows.lock(customer_id)
    check_open(customer)
    return customer


async def nobody_yet(_rows: CustomerRows, customer_id: str) -> Document:
    """Returns what there is of a customer who is about to be created: an id."""
    return {"_id": customer_id}


def activity_of(customer_id: str, type_: str, actor: Document, now: datetime, **more: Any) -> Document:
    """Makes an activity that this gateway writes itself. A key whose value is None is left out."""
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
