"""Figures for Prometheus (``/metrics``)."""

import os
from datetime import UTC, datetime
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app import metrics
from app.store.driver import Store, StoreError, within

_ANSWER_SECONDS: Final = 2
_QUEUES: Final = {"mail": "deliveries", "wallet": "pushes"}


def routes(store: Store) -> list[BaseRoute]:
    async def endpoint(_: Request) -> Response:
        try:
            with within(_ANSWER_SECONDS):
                await read_queues(store)
        except StoreError:
            pass
        return Response(generate_latest(_counted()), media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", endpoint)]


def _counted() -> CollectorRegistry:
    """What this process counted; or all workers together, where there are several (see serving.py)."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry


async def read_queues(store: Store) -> None:
    """What waits, for all processes together. Two commands, which read no more documents than wait."""
    for channel, collection in _QUEUES.items():
        match = {"dueAt": {"$exists": True}}
        group = {"_id": None, "count": {"$sum": 1}, "oldest": {"$min": "$requestedAt"}}
        found = await store.aggregate(collection, [{"$match": match}, {"$group": group}])
        age = (datetime.now(UTC) - found[0]["oldest"]).total_seconds() if found else 0
        metrics.QUEUED.labels(channel).set(found[0]["count"] if found else 0)
        metrics.OLDEST.labels(channel).set(max(age, 0))
