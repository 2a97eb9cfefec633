"""What one subject may ask for in a minute, over all processes, and how it is told to come back."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from app.http import rates
from app.http.asked import JSON, RESPONSE
from app.http.rates import RateLimited, Rates
from app.main import beside
from app.settings import Limits
from app.store import counters
from app.store.driver import Store
from tests.conftest import Commands, token
from tests.http.conftest import door
from tests.world import World

QUERY = {"query": "{ viewer { name } }"}


def change(customer_id: str, *keys: str) -> dict[str, Any]:
    given = [f'{{customerId: "{customer_id}", message: "Called", idempotencyKey: "{key}"}}' for key in keys]
    notes = " ".join(f"n{at}: addNote(input: {each}) {{ note {{ id }} }}" for at, each in enumerate(given))
    return {"query": f"mutation {{ {notes} }}"}


@pytest.fixture
def limits() -> Limits:
    return Limits(changes_per_minute=3)


async def ask(client: httpx2.AsyncClient, asked: dict[str, Any], subject: str = "tess", accept: str = RESPONSE) -> Any:
    headers = {"Authorization": f"Bearer {token(subject=subject)}", "Accept": accept}
    return await client.post("/graphql", json=asked, headers=headers)


@asynccontextmanager
async def telling(monkeypatch: pytest.MonkeyPatch, *told: Rates) -> AsyncGenerator[None]:
    monkeypatch.setattr(rates, "_TOLD_EVERY_SECONDS", 0.01)
    async with beside(told[0].tell()), beside(told[1].tell()):
        yield


async def refused(told: Rates, subject: str, within_seconds: float = 10) -> RateLimited | None:
    """The refusal that comes of it, once what was spent is known."""
    until = time.monotonic() + within_seconds
    while time.monotonic() < until:
        try:
            told.spend(subject, 0)
        except RateLimited as refusal:
            return refusal
        await asyncio.sleep(0.01)
    return None


# ---------------------------------------------------------------- changes


@pytest.mark.parametrize("accept", [JSON, RESPONSE])
async def test_one_change_too_many_is_refused_with_when_to_come_back_and_changes_nothing(
    client: httpx2.AsyncClient, world: World, accept: str
) -> None:
    ada = await world.customer()
    assert (await ask(client, change(ada["_id"], "a", "b", "c"))).status_code == 200
    response = await ask(client, change(ada["_id"], "d"), accept=accept)
    (error,) = response.json()["errors"]
    seconds = error["extensions"]["retryAfterSeconds"]
    assert (response.status_code, error["extensions"]["code"]) == (429, "RATE_LIMITED")
    assert 1 <= seconds <= 61
    assert response.headers["retry-after"] == str(seconds)
    assert "data" not in response.json()
    assert len(await world.store.find("notes", {})) == 3


async def test_changes_in_one_request_count_one_by_one(client: httpx2.AsyncClient, world: World) -> None:
    ada = await world.customer()
    assert (await ask(client, change(ada["_id"], "a", "b"))).status_code == 200
    assert (await ask(client, change(ada["_id"], "c", "d"))).status_code == 429
    assert len(await world.store.find("notes", {})) == 2


async def test_another_subject_is_untouched_and_so_are_queries(client: httpx2.AsyncClient, world: World) -> None:
    ada = await world.customer()
    answers = [await ask(client, change(ada["_id"], key)) for key in "abcd"]
    assert answers[-1].status_code == 429
    assert (await ask(client, QUERY)).json()["data"] == {"viewer": {"name": "Tess Tester"}}
    assert (await ask(client, change(ada["_id"], "e"), subject="eve")).status_code == 200


async def test_the_limit_ends_with_its_minute(client: httpx2.AsyncClient, world: World, store: Store) -> None:
    ada = await world.customer()
    answers = [await ask(client, change(ada["_id"], key)) for key in "abcd"]
    assert answers[-1].status_code == 429
    await shift(store, -timedelta(seconds=61))
    assert (await ask(client, change(ada["_id"], "d"))).json()["data"]["n0"]["note"]


async def test_of_many_at_once_over_two_processes_exactly_so_many_pass(store: Store, limits: Limits) -> None:
    one, other = Rates(store, cost=1, changes=20), Rates(store, cost=1, changes=20)

    async def passes(told: Rates) -> bool:
        try:
            await told.change("tess", 1)
        except RateLimited:
            return False
        return True

    passed = await asyncio.gather(*(passes(told) for _ in range(30) for told in (one, other)))
    assert passed.count(True) == 20


async def shift(store: Store, by: timedelta) -> None:
    """As if all had been counted so much later."""
    for row in await store.find("counters", {}):
        changed = {"$set": {"expiresAt": row["expiresAt"] + by}}
        await store.take("counters", {"_id": row["_id"]}, changed)


# ---------------------------------------------------------------- what reading costs


async def test_a_query_pays_no_command_for_it(client: httpx2.AsyncClient, commands: Commands) -> None:
    for _ in range(5):
        await ask(client, QUERY)
    assert commands.names == []


async def test_what_one_process_let_through_another_knows_soon(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Rates(store, cost=100, changes=1), Rates(store, cost=100, changes=1)
    async with telling(monkeypatch, one, other):
        one.spend("tess", 60)
        other.spend("tess", 50)
        refusal = await refused(one, "tess") or await refused(other, "tess")
        assert refusal
        assert 1 <= refusal.seconds <= 61
        one.spend("eve", 60)
        assert await refused(one, "eve", within_seconds=0.1) is None
    (spent,) = [row for row in await store.find("counters", {}) if "tess" in row["_id"]]
    assert spent["count"] == 110


async def test_the_one_who_spends_what_is_left_is_known_to_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also to a process which that subject has not asked since."""
    one, other = Rates(store, cost=100, changes=1), Rates(store, cost=100, changes=1)
    async with telling(monkeypatch, one, other):
        one.spend("tess", 101 - 1)
        one.spend("eve", 1)
        await asyncio.sleep(0.05)
        one.spend("tess", 1)
        assert await refused(one, "tess")
        other.spend("tess", 1)
        assert await refused(other, "tess")


async def test_who_spends_all_of_it_at_once_is_refused_before_anybody_is_told(store: Store) -> None:
    app = door(store, Limits(cost_per_minute=10))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        answers = [await ask(client, QUERY) for _ in range(20)]
    statuses = [answer.status_code for answer in answers]
    passed = statuses.count(200)
    assert 1 <= passed <= 10
    assert statuses == [200] * passed + [429] * (20 - passed)
    assert answers[-1].headers["retry-after"] == str(answers[-1].json()["errors"][0]["extensions"]["retryAfterSeconds"])


async def test_a_count_begins_anew_when_it_has_ended(store: Store) -> None:
    assert await counters.add(store, "it", 3, seconds=60) == 3
    assert await counters.add(store, "it", 4, seconds=60) == 7
    await shift(store, -timedelta(seconds=61))
    assert await counters.read(store, "it") == (0, pytest.approx(time.time(), abs=30))
    assert await counters.add(store, "it", 5, seconds=60) == 5
    assert (await counters.read(store, "it"))[1] == pytest.approx(time.time() + 60, abs=30)
    await counters.forget(store, "it")
    assert (await counters.read(store, "it"))[0] == 0
