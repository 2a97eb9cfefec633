"""Serves the figures for Prometheus (``/metrics``)."""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app import metrics
from app.store.driver import Database, Store, StoreError

_ANSWER_SECONDS: Final = 2
FRESH_SECONDS: Final = 5
"""How long the figures of the queues are given again before the database is asked anew: anybody may ask for them."""
_QUEUES: Final = {"mail": "deliveries", "wallet": "pushes"}


def routes(database: Database, *, clock: Callable[[], float] = time.monotonic) -> list[BaseRoute]:
    queues = Queues(database, clock)

    async def endpoint(_: Request) -> Response:
        await queues.refresh()
        return Response(generate_latest(_counted()), media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", endpoint)]


class Queues:
    """Keeps the gauges of the queues. The database is read once, however many scrapes wait for the figures."""

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
        with suppress(StoreError):
            await read_queues(self._database.within(_ANSWER_SECONDS))
        self._fresh_until = self._clock() + FRESH_SECONDS


def _counted() -> CollectorRegistry:
    """What this process counted; or all workers together, where there are several (see serving.py)."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry


async def read_queues(store: Store) -> None:
    """Sets the gauges to what all processes have queued. Two commands read the queued documents only."""
    for channel, collection in _QUEUES.items():
        match = {"dueAt": {"$exists": True}}
        group = {"_id": None, "count": {"$sum": 1}, "oldest": {"$min": "$requestedAt"}}
        found = await store.aggregate(collection, [{"$match": match}, {"$group": group}])
        age = (datetime.now(UTC) - found[0]["oldest"]).total_seconds() if found else 0
        metrics.QUEUED.labels(channel).set(found[0]["count"] if found else 0)
        metrics.OLDEST.labels(channel).set(max(age, 0))
