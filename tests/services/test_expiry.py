"""The worker's one job so far: points past their day."""

import asyncio
from datetime import timedelta
from typing import Any

from app.domain import points
from app.services.expiry import expire_due
from app.store.driver import Store
from tests.world import NOW, World

LATER = NOW + timedelta(days=40)


async def _customer(store: Store) -> dict[str, Any]:
    (customer,) = await store.find("customers", {})
    return customer


async def test_a_due_bucket_expires_once_however_many_workers_run(store: Store, world: World) -> None:
    ada = await world.customer()
    first = points.earn(points.empty(), 100, now=NOW, expires_at=NOW + timedelta(days=30))
    await world.ledger(ada, first, points.earn(first.state, 11, now=NOW))

    assert sum(await asyncio.gather(*(expire_due(store, LATER) for _ in range(8)))) == 1

    state = (await _customer(store))["points"]
    assert (state["expired"], points.spendable(state)) == (100, 11)
    (entry,) = await store.find("points", {"kind": "EXPIRED"})
    (activity,) = await store.find("activities", {})
    assert (activity["type"], activity["points"], activity["subjectId"]) == ("POINTS_EXPIRED", -100, entry["_id"])
    assert points.audit(state, await store.find("points", {}, sort={"seq": 1}))["ok"]  # pyright: ignore[reportArgumentType] # entries, as stored


async def test_what_is_not_due_reserved_or_closed_stays(store: Store, world: World) -> None:
    ada, closed = await world.customer(), await world.customer(status="ANONYMISED")
    soon = points.earn(points.empty(), 100, now=NOW, expires_at=NOW + timedelta(days=30))
    await world.ledger(closed, soon)
    await world.ledger(ada, soon, points.reserve(soon.state, 100, now=NOW))
    assert await expire_due(store, NOW) == 0
    assert await expire_due(store, LATER) == 0
    assert await store.find("activities", {}) == []
