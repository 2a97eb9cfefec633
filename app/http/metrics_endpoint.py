"""Serves the figures for Prometheus (``/metrics``)."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app import metrics
from app.store import previews
from app.store.driver import Database, Document, Store, StoreError

_ANSWER_SECONDS: Final = 2
FRESH_SECONDS: Final = 5
"""How long the figures of the queues are given again before the database is asked anew: anybody may ask for them."""
_QUEUES: Final = {
    "mail": ("deliveries", "$requestedAt"),
    "wallet": ("pushes", "$requestedAt"),
    "requests": ("requests", "$requestedAt"),
    "webhooks": ("webhookDeliveries", "$queuedAt"),
}
"""By channel: the collection, and since when each of its documents waits."""
_QUEUED: Final = {"dueAt": {"$exists": True}}
_OF_ENDPOINTS: Final = {"endpointId": {"$gt": ""}}
"""Of every endpoint: its index begins with them."""
_UNNUMBERED_AT_MOST: Final = 1_000
_CHANGES: Final = 200
_PREVIEW_SECONDS: Final = 10
"""So long a preview may take to be made, and does not count as missing."""


def routes(database: Database, *, clock: Callable[[], float] = time.monotonic) -> list[BaseRoute]:
    queues = Queues(database, clock)

    async def endpoint(_: Request) -> Response:
        await queues.refresh()
        return Response(generate_latest(_counted()), media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", endpoint)]


class Queues:
    """Keeps the gauges of the database. The database is read once, however many scrapes wait for the figures."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock
        self._fresh_until = -float("inf")
        self._reading: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        if self._clock() >= self._fresh_until:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            await asyncio.shield(self._reading)  # who leaves takes the figures from nobody

    async def _read(self) -> None:
        metrics.REPLICATION_LAG.set(self._database.replication_lag_seconds)
        with suppress(StoreError):
            store = self._database.within(_ANSWER_SECONDS)
            await read_queues(store)
            await read_feed(store)
        self._fresh_until = self._clock() + FRESH_SECONDS


def _counted() -> CollectorRegistry:
    """What this process counted; or all workers together, where there are several (see serving.py)."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry


async def read_queues(store: Store) -> None:
    """Sets the gauges to what all processes have queued. A command for each queue reads the queued documents only."""
    for channel, (collection, since) in _QUEUES.items():
        match = _QUEUED | (_OF_ENDPOINTS if channel == "webhooks" else {})
        group = {"_id": None, "count": {"$sum": 1}, "oldest": {"$min": since}}
        found = await store.aggregate(collection, [{"$match": match}, {"$group": group}])
        metrics.QUEUED.labels(channel).set(found[0]["count"] if found else 0)
        metrics.OLDEST.labels(channel).set(_age(found))


async def read_feed(store: Store) -> None:
    """Sets the gauges to what is behind the newest changes: their numbers, and previews. Two commands."""
    group = {"_id": None, "oldest": {"$min": "$at"}}
    match = {"isUnnumbered": True}
    found = await store.aggregate("feed", [{"$match": match}, {"$limit": _UNNUMBERED_AT_MOST}, {"$group": group}])
    metrics.FEED_OLDEST.set(_age(found))
    changed: list[Document] = [
        {"$match": {"sequence": {"$gt": 0}}},
        {"$sort": {"sequence": -1}},
        {"$limit": _CHANGES},
        {"$match": {"at": {"$lt": datetime.now(UTC) - timedelta(seconds=_PREVIEW_SECONDS)}}},
        {"$group": {"_id": "$customerId"}},
    ]
    metrics.STALE_PREVIEWS.set(await previews.stale_among(store, changed))


def _age(found: Sequence[Document]) -> float:
    """Returns how many seconds ago the oldest was; 0 without one."""
    return max((datetime.now(UTC) - found[0]["oldest"]).total_seconds(), 0) if found else 0
