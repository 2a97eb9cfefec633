"""The worker's one job so far: points past their day."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain import points
from app.domain.access import Role, Viewer
from app.services.activities import record
from app.services.changes import Changes, CustomerLocks
from app.services.expiry import expire_due
from app.services.points import adjust
from app.store.driver import Store
from tests.support.world import NOW, World

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


@pytest.mark.parametrize("status", ["ANONYMISED", "MERGED"])
async def test_points_of_a_closed_account_expire_so_that_lists_do_not_count_them(
    store: Store, world: World, status: str
) -> None:
    closed = await world.customer(status=status)
    await world.ledger(closed, points.earn(points.empty(), 100, now=NOW, expires_at=NOW + timedelta(days=30)))
    assert await expire_due(store, LATER) == 1
    customer = await _customer(store)
    assert (customer["spendable"], customer["points"]["expired"], customer["status"]) == (0, 100, status)


async def test_what_is_not_due_or_is_reserved_stays(store: Store, world: World) -> None:
    ada = await world.customer()
    soon = points.earn(points.empty(), 100, now=NOW, expires_at=NOW + timedelta(days=30))
    await world.ledger(ada, soon, points.reserve(soon.state, 100, now=NOW))
    assert await expire_due(store, NOW) == 0
    assert await expire_due(store, LATER) == 0
    assert await store.find("activities", {}) == []


def _changes(store: Store, now: datetime) -> Changes:
    viewer = Viewer("mira", "Mira Sol", frozenset({Role.ADMIN}))
    return Changes(store.within(60), CustomerLocks(), viewer, now, "req-1")


async def test_a_deduction_expires_what_is_due_as_the_worker_would_with_its_own_activity_and_date(
    store: Store, world: World
) -> None:
    ada = await world.customer()
    soon = NOW + timedelta(days=30)
    first = points.earn(points.empty(), 100, now=NOW, expires_at=soon)
    await world.ledger(ada, first, points.earn(first.state, 11, now=NOW))

    await adjust(_changes(store, LATER), ada["_id"], -5, reason="Mistake", expires_at=None, key="key-1")

    expired, deducted = await store.find("points", {"seq": {"$gte": 3}}, sort={"seq": 1})
    assert [(each["points"], each["occurredAt"], each["recordedAt"]) for each in (expired, deducted)] == [
        (-100, soon, LATER),
        (-5, LATER, LATER),
    ]
    activities = await store.find("activities", {}, sort={"occurredAt": 1})
    assert [(each["type"], each["points"], each["occurredAt"], each["subjectId"]) for each in activities] == [
        ("POINTS_EXPIRED", -100, soon, expired["_id"]),
        ("POINTS_ADJUSTED", -5, LATER, deducted["_id"]),
    ]
    assert (await _customer(store))["lastActivityAt"] == LATER
    assert await expire_due(store, LATER) == 0


@pytest.mark.parametrize("worker_first", [True, False])
async def test_points_spent_by_an_action_of_before_their_expiry_are_not_expired(
    store: Store, world: World, worker_first: bool
) -> None:
    ada = await world.customer(registeredAt=NOW)
    first = points.earn(points.empty(), 100, now=NOW, expires_at=NOW + timedelta(days=30))
    await world.ledger(ada, first)
    if worker_first:
        await expire_due(store, LATER)

    await record(
        _changes(store, LATER),
        ada["_id"],
        "CHECK_IN",
        attributes={"place": "Oslo"},
        message=None,
        occurred_at=NOW + timedelta(days=29),
        amount=-60,
        key="key-1",
    )
    await expire_due(store, LATER)

    state = (await _customer(store))["points"]
    assert (state["spent"], state["expired"], points.spendable(state)) == (60, 40, 0)
    expiries = await store.find("activities", {"type": "POINTS_EXPIRED"})
    assert sum(activity["points"] for activity in expiries) == -40
    entries: Any = await store.find("points", {}, sort={"seq": 1})
    assert points.audit(state, entries)["ok"]
