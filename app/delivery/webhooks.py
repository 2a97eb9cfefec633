"""Tells webhook endpoints what is in the feed: each entry by one signed message, at least once, under one id.

Any number of processes may run a sender. One of them at a time has an endpoint's lease: it walks the feed from the
endpoint's position, writes a delivery for each entry that the endpoint is told of, and sends what is due. Messages of
one customer go out in the order of revisions, one at a time; those of others go on meanwhile, and so do other
endpoints. Who dies leaves a lease that ends, a position behind which nothing is lost, and deliveries that are sent
again.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from secrets import token_hex
from typing import Any, Final

import httpx2
import orjson
import structlog

from app import metrics
from app.delivery.executors import Poster
from app.delivery.relay import TryLater
from app.domain import outbox
from app.domain.executors import LOOPBACK, Endpoint, host_of
from app.domain.signatures import secret_of
from app.domain.times import stored
from app.domain.vocabulary import WebhookDeliveryStatus, WebhookEndpointStatus
from app.domain.webhooks import delivery_of, is_told, message_of, next_attempt
from app.jobs import Backoff, keep_going, log_failure
from app.store.driver import Document, Store, StoreError, UpdateMany, UpdateOne, is_transient, until_it_is_there
from app.store.sealed import unsealer

_log = structlog.get_logger("delivery")

ATTEMPT_SECONDS: Final = 15
MAX_BYTES: Final = 20_000
"""Of a message. A longer one leaves its lists out."""
LEASE: Final = timedelta(seconds=60)
_RENEW_SECONDS: Final = 1
"""How often a lease is renewed while it is used, the feed walked, and it is looked whether an endpoint was changed."""
_LOOK_SECONDS: Final = 1
_LAST_WORDS_SECONDS: Final = 5
_AT_ONCE: Final = 8
"""Messages to one endpoint, each about another customer."""
_BATCH: Final = 500
_DUE: Final = 100
_CHANNEL: Final = "webhooks"


class _Lost(Exception):
    """Raised if another process has the lease, or the endpoint is disabled or gone."""


@dataclass(slots=True, repr=False)
class WebhookSender:
    """A sender has a turn at each endpoint for which there is something to do.

    ``last_sequence`` tells the number of the feed's last entry. ``loopback``: whether endpoints may be on this machine.
    """

    store: Store
    last_sequence: Callable[[], Awaitable[int]]
    loopback: bool = False
    _posters: dict[str, Poster] = field(default_factory=dict[str, Poster])
    _turns: dict[str, "asyncio.Task[None]"] = field(default_factory=dict[str, "asyncio.Task[None]"])
    _broken: Backoff = field(default_factory=Backoff)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, store: Store, last_sequence: Callable[[], Awaitable[int]], *, loopback: bool = False
    ) -> "AsyncGenerator[WebhookSender]":
        """Yields a sender, whose connections are closed in the end."""
        sender = cls(store, last_sequence, loopback)
        try:
            yield sender
        finally:
            for poster in sender._posters.values():
                await poster.client.aclose()

    async def run(self) -> None:
        """Sends until it is cancelled; it outlives any absence of the database, and no endpoint stops another."""
        try:
            await keep_going(_CHANNEL, self._look, every_seconds=_LOOK_SECONDS)
        finally:
            turns = [*self._turns.values()]
            for turn in turns:
                turn.cancel()
            if turns:
                await asyncio.wait(turns)

    async def once(self) -> None:
        """Does what is due now, one endpoint after the other. Raises StoreError."""
        await self._give_up_rest()
        for endpoint_id in await self._with_work():
            await self._take_turn(endpoint_id)
        await self._give_up_rest()

    async def _look(self) -> None:
        await self._give_up_rest()
        for endpoint_id in await self._with_work():
            if endpoint_id not in self._turns and self._broken.is_due(endpoint_id):
                turn = asyncio.create_task(self._take_turn(endpoint_id))
                self._turns[endpoint_id] = turn
                turn.add_done_callback(partial(self._ended, endpoint_id))

    def _ended(self, endpoint_id: str, turn: "asyncio.Task[None]") -> None:
        self._turns.pop(endpoint_id, None)
        fault = None if turn.cancelled() else turn.exception()
        if fault is None:
            self._broken.succeeded(endpoint_id)
        elif is_transient(fault):
            log_failure(_CHANNEL, fault, endpoint=endpoint_id)
        else:
            # What it found out cannot be written: without a pause the same message would go out every second.
            again = self._broken.failed(endpoint_id)
            log_failure(_CHANNEL, fault, endpoint=endpoint_id, again_in_seconds=again)

    async def _with_work(self) -> list[str]:
        """Returns the endpoints that nobody has at present, and for which there is something to walk or to send."""
        now = datetime.now(UTC)
        free = {"status": WebhookEndpointStatus.ENABLED.value, "lease.until": {"$not": {"$gt": now}}}
        fields = {"position": 1, "redeliveries": 1}
        endpoints = await self.store.find("webhookEndpoints", free, sort={"createdAt": 1, "_id": 1}, fields=fields)
        last = await self.last_sequence() if endpoints else 0
        return [
            each["_id"]
            for each in endpoints
            if each["position"] < last
            or each["redeliveries"]
            or await self.store.find("webhookDeliveries", _due(each["_id"], now), limit=1, fields={"_id": 1})
        ]

    async def _give_up_rest(self) -> None:
        """Gives up what is queued for endpoints that are told nothing any more."""
        told: set[str] = {*await self.store.distinct("webhookDeliveries", "endpointId")}
        if not told:
            return
        endpoints = {each["_id"]: each for each in await self.store.find("webhookEndpoints", {})}
        for endpoint_id in sorted(told):
            endpoint = endpoints.get(endpoint_id)
            if endpoint and endpoint["status"] == WebhookEndpointStatus.ENABLED:
                continue
            queued = {"endpointId": endpoint_id, "dueAt": {"$exists": True}}
            if not await self.store.find("webhookDeliveries", queued, limit=1, fields={"_id": 1}):
                continue
            why = f"The endpoint is disabled: {endpoint['disabledReason']}" if endpoint else "The endpoint was deleted."
            change = UpdateMany(queued, _settled(WebhookDeliveryStatus.GIVEN_UP, datetime.now(UTC), error=why))
            count = (await self.store.write("webhookDeliveries", [change])).modified_count
            metrics.FAILURES.labels(_CHANNEL).inc(count)
            _log.warning("webhooks given up", endpoint=endpoint_id, deliveries=count, reason=why)

    async def _take_turn(self, endpoint_id: str) -> None:
        holder = token_hex(8)
        now = datetime.now(UTC)
        free = {
            "_id": endpoint_id,
            "status": WebhookEndpointStatus.ENABLED.value,
            "lease.until": {"$not": {"$gt": now}},
        }
        lease = {"$set": {"lease": {"holder": holder, "until": now + LEASE}}}
        try:
            if await self.store.find_one_and_update("webhookEndpoints", free, lease):
                with suppress(_Lost):
                    await _Turn(self, endpoint_id, holder).work()
        finally:
            ours = {"_id": endpoint_id, "lease.holder": holder}
            with suppress(StoreError):
                store = self.store.within(_LAST_WORDS_SECONDS)
                await store.write("webhookEndpoints", [UpdateOne(ours, {"$unset": {"lease": ""}})])

    def poster_to(self, url: str) -> Poster:
        """Returns what posts to a host: connections are shared among its endpoints, and with no other host."""
        host = httpx2.URL(url).netloc.decode("ascii")
        if host not in self._posters:
            # No proxy of the environment's: the address that was looked at is the one that is called.
            self._posters[host] = Poster(httpx2.AsyncClient(timeout=ATTEMPT_SECONDS, trust_env=False))
        return self._posters[host]


class _Turn:
    """A turn at one endpoint: it lasts for as long as there is something to do, and the lease is ours."""

    def __init__(self, sender: WebhookSender, endpoint_id: str, holder: str) -> None:
        self._sender, self._store = sender, sender.store
        self._id, self._holder = endpoint_id, holder
        self._under_way: dict[str, asyncio.Task[None]] = {}
        """By customer."""
        self._disabled = False

    async def work(self) -> None:
        """Walks and sends until nothing is due. Raises _Lost, StoreError."""
        endpoint, renewed = {}, -float("inf")
        try:
            while not self._disabled:
                walked = 0
                if time.monotonic() >= renewed + _RENEW_SECONDS:
                    endpoint = await self._renew()
                    walked = await self._walk(endpoint) + await self._walk_again(endpoint)
                    # A batch that was full is followed by the next one at once.
                    renewed = -float("inf") if walked >= _BATCH else time.monotonic()
                found = await self._start_due(endpoint)
                if self._under_way:
                    await self._wait(0 if walked >= _BATCH else _RENEW_SECONDS)
                elif not (walked or found):
                    return
        finally:
            if self._under_way:
                await asyncio.wait(self._under_way.values(), timeout=_LAST_WORDS_SECONDS)
            for task in self._under_way.values():
                task.cancel()

    async def _wait(self, seconds: float) -> None:
        """Waits until one of the attempts has ended. Raises what it raised."""
        first = asyncio.FIRST_COMPLETED
        done, _ = await asyncio.wait(self._under_way.values(), timeout=seconds, return_when=first)
        self._under_way = {customer: task for customer, task in self._under_way.items() if task not in done}
        for task in done:
            task.result()

    async def _renew(self) -> Document:
        """Returns the endpoint as it is now. Raises _Lost."""
        lease = {"$set": {"lease.until": datetime.now(UTC) + LEASE}}
        endpoint = await self._store.find_one_and_update("webhookEndpoints", self._ours, lease)
        if endpoint is None:
            raise _Lost
        return endpoint

    @property
    def _ours(self) -> Document:
        return {"_id": self._id, "lease.holder": self._holder, "status": WebhookEndpointStatus.ENABLED.value}

    # ------------------------------------------------------------ the feed

    async def _walk(self, endpoint: Document) -> int:
        """Makes deliveries of the next entries of the feed, and returns how many entries those were. Raises _Lost."""
        position: int = endpoint["position"]
        last = await self._sender.last_sequence()
        if last <= position:
            return 0
        after = {"sequence": {"$gt": position}}
        entries = await self._store.find("feed", after, sort={"sequence": 1}, limit=_BATCH)
        if (following := entries[0]["sequence"] if entries else last + 1) > position + 1:
            await self._missed(position + 1, following - 1)
        now = stored(datetime.now(UTC))
        rows = [delivery_of(self._id, entry, now) for entry in entries if is_told(endpoint["types"], entry)]
        inserts = [UpdateOne(_at(row), {"$setOnInsert": row}, upsert=True) for row in rows]
        await self._store.write("webhookDeliveries", inserts, ordered=False)
        reached = {"$set": {"position": entries[-1]["sequence"] if entries else last}}
        if not (await self._store.write("webhookEndpoints", [UpdateOne(self._ours, reached)])).matched_count:
            raise _Lost
        return len(entries)

    async def _missed(self, first: int, last: int) -> None:
        """Says that entries were gone before anybody came to them: nothing sent for longer than the feed is kept."""
        message = f"Changes {first} to {last} were not kept for as long as nobody sent them. Read all customers again."
        await self._note_failure(message)
        _log.error("webhooks missed changes", endpoint=self._id, first=first, last=last)

    async def _walk_again(self, endpoint: Document) -> int:
        """Queues the next deliveries of a window that is sent once more, and returns how many. Raises _Lost."""
        if not endpoint["redeliveries"]:
            return 0
        window: Document = endpoint["redeliveries"][0]
        where: Document = {
            "sequence": {"$gt": window["after"], "$lte": window["until"]},
            "at": {"$gte": window["from"], "$lt": window["to"]},
        }
        entries = await self._store.find("feed", where, sort={"sequence": 1}, limit=_BATCH)
        now = stored(datetime.now(UTC))
        writes: list[UpdateOne] = []
        for entry in entries:
            if is_told(endpoint["types"], entry):
                row = delivery_of(self._id, entry, now)
                queued = {key: row[key] for key in ("status", "attempts", "dueAt")}
                gone = dict.fromkeys(("error", "deliveredAt", "settledAt"), "")
                settled = {**_at(row), "dueAt": {"$exists": False}}
                writes.append(UpdateOne(_at(row), {"$setOnInsert": row}, upsert=True))
                writes.append(UpdateOne(settled, {"$set": queued, "$unset": gone}))
        await self._store.write("webhookDeliveries", writes)
        ours = {**self._ours, "redeliveries.0": window}
        if len(entries) < _BATCH:
            change: Document = {"$pop": {"redeliveries": -1}}
        else:
            change = {"$set": {"redeliveries.0.after": entries[-1]["sequence"]}}
        if not (await self._store.write("webhookEndpoints", [UpdateOne(ours, change)])).matched_count:
            raise _Lost
        return max(len(entries), 1)

    # ------------------------------------------------------------ what is due

    async def _start_due(self, endpoint: Document) -> bool:
        """Starts to send what is due and first of its customer, as far as there is room; whether anything was due.

        What is due behind one that waits for its next attempt is put off until then.
        """
        room = _AT_ONCE - len(self._under_way)
        if room <= 0:
            return False
        now = datetime.now(UTC)
        due = {**_due(self._id, now), "customerId": {"$nin": [*self._under_way]}}
        rows = await self._store.find("webhookDeliveries", due, sort={"dueAt": 1}, limit=_DUE, fields={"customerId": 1})
        if not rows:
            return False
        customers = list(dict.fromkeys(row["customerId"] for row in rows))
        queued = {"endpointId": self._id, "customerId": {"$in": customers}, "dueAt": {"$exists": True}}
        first = {"$group": {"_id": "$customerId", "first": {"$first": "$$ROOT"}}}
        order = {"$sort": {"customerId": 1, "revision": 1}}
        found = await self._store.aggregate("webhookDeliveries", [{"$match": queued}, order, first])
        heads: dict[str, Document] = {each["_id"]: each["first"] for each in found}
        put_off: list[UpdateMany] = []
        for customer_id in customers:
            head = heads.get(customer_id)
            if head is None:
                continue
            if head["dueAt"] > now:
                behind = {"endpointId": self._id, "customerId": customer_id, "dueAt": {"$lt": head["dueAt"]}}
                put_off.append(UpdateMany(behind, {"$set": {"dueAt": head["dueAt"]}}))
            elif room > 0:
                room -= 1
                self._under_way[customer_id] = asyncio.create_task(self._deliver(endpoint, head))
        await self._store.write("webhookDeliveries", put_off, ordered=False)
        return True

    async def _deliver(self, endpoint: Document, delivery: Document) -> None:
        """Makes one attempt, and notes how it ended. Raises StoreError."""
        try:
            status = await self._send(endpoint, delivery)
        except TryLater as failed:
            await self._failed(delivery, str(failed))
        else:
            if 200 <= status < 300:
                await self._delivered(delivery)
            elif status == HTTPStatus.GONE:
                await self._give_up(delivery, "It answered 410: it wants no more messages.")
            else:
                await self._failed(delivery, f"It answered {status}.")

    async def _send(self, endpoint: Document, delivery: Document) -> int:
        """Returns the status of the answer. Raises TryLater without one."""
        url = endpoint["url"]
        body = orjson.dumps(message_of(delivery))
        if len(body) > MAX_BYTES:
            body = orjson.dumps(message_of(delivery, lists=False))
        unsealed = await unsealer(self._store)
        secrets = [secret_of(unsealed((self._id, bytes(each)))) for each in endpoint["secrets"]]
        is_private = self._sender.loopback and host_of(url) in LOOPBACK
        target = Endpoint("The endpoint", url, secrets, frozenset(), private=is_private)
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await self._sender.poster_to(url).send(target, delivery["_id"], body, {})
        except TimeoutError:
            raise TryLater("The endpoint did not answer in time.") from None
        except (httpx2.InvalidURL, UnicodeError):
            raise TryLater("The address cannot be used.") from None

    async def _delivered(self, delivery: Document) -> None:
        now = stored(datetime.now(UTC))
        update = _settled(WebhookDeliveryStatus.DELIVERED, now)
        update["$set"]["deliveredAt"] = now
        if await self._note(delivery, update):
            metrics.DELIVERIES.labels(_CHANNEL).inc()

    async def _failed(self, delivery: Document, reason: str) -> None:
        attempts = delivery["attempts"] + 1
        due = next_attempt(datetime.now(UTC), attempts=attempts, chance=random.random())  # noqa: S311 # no secret
        if due is None:
            await self._give_up(delivery, f"{attempts} attempts failed within 75 hours. {reason}")
            return
        error = outbox.reason(reason)
        if await self._note(delivery, {"$set": {"dueAt": due, "error": error}}):
            metrics.RETRIES.labels(_CHANNEL).inc()
            await self._note_failure(error)

    async def _give_up(self, delivery: Document, reason: str) -> None:
        """Gives the delivery up, and disables the endpoint: what else is queued for it is given up, too."""
        now, error = stored(datetime.now(UTC)), outbox.reason(reason)
        update = _settled(WebhookDeliveryStatus.GIVEN_UP, now, error=error)
        if not await self._note(delivery, update):
            return
        self._disabled = True
        metrics.FAILURES.labels(_CHANNEL).inc()
        keys = {
            "status": WebhookEndpointStatus.DISABLED.value,
            "disabledReason": error,
            "disabledAt": now,
            "lastFailure": {"at": now, "message": error},
        }
        await self._write_endpoint(UpdateOne(self._ours, {"$set": keys}))
        metrics.ENDPOINTS_DISABLED.inc()
        _log.warning("webhook endpoint disabled", endpoint=self._id, reason=error)

    async def _note_failure(self, message: str) -> None:
        failure = {"at": stored(datetime.now(UTC)), "message": message}
        await self._write_endpoint(UpdateOne(self._ours, {"$set": {"lastFailure": failure}}))

    async def _note(self, delivery: Document, update: Document) -> bool:
        """Counts the attempt; False if somebody has sent it or put it off since: what they found out counts."""
        ours = {**_at(delivery), "dueAt": delivery["dueAt"]}
        return (await self._write_delivery(UpdateOne(ours, {**update, "$inc": {"attempts": 1}}))) > 0

    @until_it_is_there
    async def _write_delivery(self, update: UpdateOne) -> int:
        return (await self._store.write("webhookDeliveries", [update])).matched_count

    @until_it_is_there
    async def _write_endpoint(self, update: UpdateOne) -> int:
        return (await self._store.write("webhookEndpoints", [update])).matched_count


def _due(endpoint_id: str, now: datetime) -> Document:
    return {"endpointId": endpoint_id, "dueAt": {"$lte": now}}


def _settled(status: WebhookDeliveryStatus, now: datetime, **keys: Any) -> Document:
    """Returns the update of a delivery that is sent no more."""
    gone: Mapping[str, str] = {"dueAt": ""} | ({} if "error" in keys else {"error": ""})
    return {"$set": {"status": status.value, "settledAt": now, **keys}, "$unset": gone}


def _at(delivery: Document) -> Document:
    """Matches a delivery by its id, at its endpoint and customer."""
    return {key: delivery[key] for key in ("_id", "endpointId", "customerId")}
