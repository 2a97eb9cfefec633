"""Relays the outbox: what changes have queued is handed over at least once, whatever dies meanwhile.

Any number of processes may run one. A commit wakes them all (the database's change stream), and a timer is there for
what the stream missed. Who takes an entry has it until a lease ends; if they die, it is due again. An entry is taken
out of the queue only after it was handed over or given up: so a crash in between hands it over twice, under one id.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeAlias

import stamina
import structlog

from app import metrics
from app.domain import outbox
from app.jobs import keep_going, log_failure
from app.store.driver import Document, Store, StoreError, UpdateOne, is_transient, until_it_is_there
from app.store.queues import Queue

_log = structlog.get_logger("delivery")

_LOOK_SECONDS: Final = 5
"""How long a relay sleeps at most."""
_AT_ONCE: Final = 8
_LAST_WORDS_SECONDS: Final = 5
"""How long what is under way may take to end when the relay is stopped."""


class TryLater(Exception):
    """It was not handed over, or nobody knows whether it was. The message is for people."""


class Undeliverable(Exception):
    """It was refused for good. The message is for people."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel sends one kind of thing, such as mails. Its collection is its queue."""

    name: str
    collection: str
    handed_over: str
    """The status of what was handed over; ``<key>At`` of ``at`` says when."""
    at: str
    send: Callable[[Document], Awaitable[None]]
    """Hands one entry over. Raises TryLater, Undeliverable."""
    arrived: Callable[[Document, datetime], Awaitable[None]] | None = None
    """Notes elsewhere that it was. It may be told twice. Raises StoreError."""
    give_up: "GiveUp | None" = None
    """Applies an update to an entry that is still ours, and notes elsewhere why it was given up, both or neither."""
    status: str = "status"
    """The key of what became of the sending."""


GiveUp: TypeAlias = Callable[[Document, Document, str], Awaitable[bool]]
"""From the entry, the update and the reason; False if somebody has taken the entry since. Raises StoreError."""


@dataclass(slots=True, repr=False)
class Relay:
    """A relay hands over what is due. One handover may take ``timeout_seconds``; a lease lasts twice as long."""

    store: Store
    channels: Sequence[Channel]
    timeout_seconds: float
    _awake: set[asyncio.Event] = field(default_factory=set[asyncio.Event])
    _queues: dict[str, Queue] = field(default_factory=dict[str, Queue])

    async def run(self) -> None:
        """Relays until it is cancelled; it outlives any absence of the database, and no channel stops another."""
        async with asyncio.TaskGroup() as tasks:
            if self.channels:
                tasks.create_task(keep_going("outbox listener", self._listen))
            for channel in self.channels:
                tasks.create_task(keep_going(f"{channel.name} relay", partial(self._relay, channel)))

    async def once(self) -> None:
        """Hands over each entry that is due now, one after the other. What is put off meanwhile is left.

        Raises StoreError: no entry was taken.
        """
        now = datetime.now(UTC)
        for channel in self.channels:
            while entry := await self._claim(channel, due=now):
                handling = asyncio.create_task(self._handle(channel, entry))
                try:
                    await asyncio.shield(handling)
                finally:
                    await _let_end({handling})

    @until_it_is_there
    async def _listen(self) -> None:
        while True:
            async for _ in self.store.inserts(*(channel.collection for channel in self.channels)):
                for event in self._awake:
                    event.set()
            await asyncio.sleep(1)  # it ends with a database that is dropped, and there may be none yet

    async def _relay(self, channel: Channel) -> None:
        awake, slots = asyncio.Event(), asyncio.Semaphore(_AT_ONCE)
        claim = until_it_is_there(self._claim)
        self._awake.add(awake)
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                await slots.acquire()
                awake.clear()  # before looking: what comes while we look wakes us again
                if entry := await claim(channel):
                    task = asyncio.create_task(self._handle(channel, entry))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                    task.add_done_callback(lambda _: slots.release())
                    continue
                slots.release()
                seconds = await self._until_next(channel)
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await awake.wait()
        finally:
            self._awake.discard(awake)
            await _let_end(under_way)

    async def _claim(self, channel: Channel, *, due: datetime | None = None) -> Document | None:
        """Takes the entry that has waited longest: it is ours until the lease ends."""
        queue = self._queues.setdefault(channel.collection, Queue(self.store, channel.collection))
        return await queue.claim(timedelta(seconds=2 * self.timeout_seconds), due=due or datetime.now(UTC))

    @until_it_is_there
    async def _until_next(self, channel: Channel) -> float:
        """Returns the seconds until the next entry is due, five at most."""
        queued = {"dueAt": {"$exists": True}}
        nearest = await self.store.find(channel.collection, queued, sort={"dueAt": 1}, limit=1, fields={"dueAt": 1})
        wait = (nearest[0]["dueAt"] - datetime.now(UTC)).total_seconds() if nearest else _LOOK_SECONDS
        return min(max(wait, 0), _LOOK_SECONDS)

    async def _handle(self, channel: Channel, entry: Document) -> None:
        """Handles one entry; no failure of it stops another."""
        try:
            await self._send(channel, entry)
        except Exception as fault:  # it could not even be noted: its lease ends, and it is due again
            log_failure(f"{channel.name} relay", fault, entry=entry["_id"])

    async def _send(self, channel: Channel, entry: Document) -> None:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                await channel.send(entry)
        except Undeliverable as refused:
            await self._failed(channel, entry, str(refused))
        except (TryLater, TimeoutError) as failed:
            await self._put_back(channel, entry, str(failed) or "The server did not answer in time.")
        except StoreError:
            await self._put_back(channel, entry, "The database could not be reached.")
        except Exception as fault:
            _log.exception("not sent", channel=channel.name, entry=entry["_id"], fault=type(fault).__name__)
            await self._put_back(channel, entry, "It could not be prepared. The fault is ours and has been logged.")
        else:
            await self._arrived(channel, entry)

    async def _arrived(self, channel: Channel, entry: Document) -> None:
        """Whoever else may have taken it meanwhile, and whatever became of that."""
        now = datetime.now(UTC)
        if arrived := channel.arrived:
            try:
                await self._insist(lambda: arrived(entry, now))
            except StoreError as fault:  # it has left this house all the same
                log_failure(f"{channel.name} relay", fault, entry=entry["_id"])
        done = {
            "$set": {channel.status: channel.handed_over, channel.at: now},
            "$unset": dict.fromkeys(("dueAt", "giveUpAt", "error"), ""),
        }
        await self._insist(lambda: self.store.write(channel.collection, [UpdateOne({"_id": entry["_id"]}, done)]))
        metrics.DELIVERIES.labels(channel.name).inc()

    async def _insist(self, note: Callable[[], Awaitable[object]]) -> None:
        """Until the database has it; where it refuses, for about as long as the lease lasts. Raises StoreError."""
        until = time.monotonic() + self.timeout_seconds

        def again(fault: Exception) -> bool:
            return is_transient(fault) or (isinstance(fault, StoreError) and time.monotonic() < until)

        async for attempt in stamina.retry_context(on=again, attempts=None, timeout=None, wait_max=_LOOK_SECONDS):
            with attempt:
                await note()

    async def _put_back(self, channel: Channel, entry: Document, reason: str) -> None:
        attempts = entry["attempts"]
        due = outbox.next_try(
            datetime.now(UTC),
            attempts=attempts,
            give_up_at=entry["giveUpAt"],
            chance=random.random(),  # noqa: S311 # no secret
        )
        if due is None:
            times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
            await self._failed(channel, entry, f"Given up after {times}. {reason}")
            return
        if await self._noted(channel, entry, {"$set": {"dueAt": due, "error": outbox.reason(reason)}}):
            metrics.RETRIES.labels(channel.name).inc()

    async def _failed(self, channel: Channel, entry: Document, reason: str) -> None:
        keys = {channel.status: "FAILED", "error": outbox.reason(reason)}
        update = {"$set": keys, "$unset": {"dueAt": "", "giveUpAt": ""}}
        if await self._given_up(channel, entry, update, keys["error"]):
            metrics.FAILURES.labels(channel.name).inc()
            _log.warning("given up", channel=channel.name, entry=entry["_id"])

    @until_it_is_there
    async def _given_up(self, channel: Channel, entry: Document, update: Document, reason: str) -> bool:
        if channel.give_up:
            return await channel.give_up(entry, update, reason)
        return await self._noted(channel, entry, update)

    @until_it_is_there
    async def _noted(self, channel: Channel, entry: Document, change: Document) -> bool:
        """False if somebody has taken it since: what they find out counts, not what we did not."""
        ours = {"_id": entry["_id"], "attempts": entry["attempts"], "dueAt": {"$exists": True}}
        written = await self.store.write(channel.collection, [UpdateOne(ours, change)])
        return written.matched_count > 0


async def _let_end(under_way: Collection[asyncio.Task[None]]) -> None:
    """Waits for what is under way, for a while, and cancels the rest."""
    if under_way:
        await asyncio.wait(under_way, timeout=_LAST_WORDS_SECONDS)
    for task in under_way:
        task.cancel()
