"""What one subject may ask for in a minute, over all processes, and how it is told to come back."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import httpx2
import pytest
from pymongo.errors import (
    AutoReconnect,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from app.domain.access import Role, Viewer
from app.http.request import JSON, RESPONSE
from app.main import background_task
from app.operations import rates
from app.operations.admission import Admission, Overloaded
from app.operations.rates import RateLimited, Rates
from app.settings import Limits, PerMinute
from app.store import counters
from app.store.driver import Store
from tests.support.commands import Commands
from tests.support.gateway import gateway_app
from tests.support.relays import until
from tests.support.tokens import token
from tests.support.world import World

QUERY = {"query": "{ viewer { name } }"}


def change(customer_id: str, *keys: str) -> dict[str, Any]:
    given = [f'{{customerId: "{customer_id}", message: "Called", idempotencyKey: "{key}"}}' for key in keys]
    notes = " ".join(f"n{at}: addNote(input: {each}) {{ note {{ id }} }}" for at, each in enumerate(given))
    return {"query": f"mutation {{ {notes} }}"}


@pytest.fixture
def limits() -> Limits:
    """Allows three changes a minute."""
    return Limits(changes_per_minute=3)


def viewer(subject: str, *roles: Role) -> Viewer:
    return Viewer(subject, subject, frozenset(roles or (Role.ADMIN,)))


def rates_of(store: Store, *, cost: str | int = 10**9, changes: str | int = 10**9, **options: Any) -> Rates:
    return Rates(store.database, PerMinute.read(cost), PerMinute.read(changes), **options)


async def ask(client: httpx2.AsyncClient, asked: dict[str, Any], subject: str = "tess", accept: str = RESPONSE) -> Any:
    headers = {"Authorization": f"Bearer {token(subject=subject)}", "Accept": accept}
    return await client.post("/graphql", json=asked, headers=headers)


@asynccontextmanager
async def telling(monkeypatch: pytest.MonkeyPatch, *limiter: Rates) -> AsyncGenerator[None]:
    monkeypatch.setattr(rates, "_FLUSH_SECONDS", 0.01)
    async with background_task(limiter[0].flush_forever()), background_task(limiter[1].flush_forever()):
        yield


async def refused(subject: str, *limiters: Rates, within_seconds: float = 10) -> RateLimited | None:
    """The refusal that comes of it from one of them, once what was spent is known."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        for limiter in limiters:
            try:
                limiter.spend(viewer(subject), 0)
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
    assert error["extensions"]["limit"] == {"name": "changes", "allowed": 3}
    assert error["message"] == (f"You have asked for more than 3 changes in the last minute. Try again in {seconds} s.")
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
    one, other = rates_of(store, cost=1, changes=20), rates_of(store, cost=1, changes=20)

    async def passes(limiter: Rates) -> bool:
        try:
            await limiter.change(viewer("tess"), 1, store)
        except RateLimited:
            return False
        return True

    passed = await asyncio.gather(*(passes(limiter) for _ in range(30) for limiter in (one, other)))
    assert passed.count(True) == 20


async def shift(store: Store, by: timedelta) -> None:
    """Makes all that was counted that much older."""
    for row in await store.find("counters", {}):
        changed = {"$set": {"expiresAt": row["expiresAt"] + by}}
        await store.find_one_and_update("counters", {"_id": row["_id"]}, changed)


# ---------------------------------------------------------------- what reading costs


async def test_a_query_pays_no_command_for_it(client: httpx2.AsyncClient, commands: Commands) -> None:
    for _ in range(5):
        await ask(client, QUERY)
    assert commands.names == []


async def test_what_one_process_let_through_another_knows_soon(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = rates_of(store, cost=100, changes=1), rates_of(store, cost=100, changes=1)
    async with telling(monkeypatch, one, other):
        one.spend(viewer("tess"), 60)
        other.spend(viewer("tess"), 50)
        refusal = await refused("tess", one, other)
        assert refusal
        assert 1 <= refusal.seconds <= 61
        one.spend(viewer("eve"), 60)
        assert await refused("eve", one, within_seconds=0.1) is None
    (spent,) = [row for row in await store.find("counters", {}) if "tess" in row["_id"]]
    assert spent["count"] == 110


async def is_told(store: Store, count: int) -> bool:
    return count in [each["count"] for each in await store.find("counters", {})]


async def test_the_one_who_spends_what_is_left_is_known_to_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also to a process which that subject has not asked since."""
    one, other = rates_of(store, cost=100, changes=1), rates_of(store, cost=100, changes=1)
    async with telling(monkeypatch, one, other):
        one.spend(viewer("tess"), 101 - 1)
        one.spend(viewer("eve"), 1)
        await until(partial(is_told, store, 100))
        with pytest.raises(RateLimited):
            one.spend(viewer("tess"), 1)
        other.spend(viewer("tess"), 1)
        assert await refused("tess", other)


async def test_who_spends_all_of_it_at_once_is_refused_before_anybody_is_told(store: Store) -> None:
    app = gateway_app(store, Limits(cost_per_minute=300))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        answers = [await ask(client, QUERY) for _ in range(20)]
    statuses = [answer.status_code for answer in answers]
    passed = statuses.count(200)
    assert 1 <= passed <= 12
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


# ---------------------------------------------------------------- by role


def test_a_setting_has_one_number_for_all_and_others_for_some_roles() -> None:
    limiter = PerMinute.read("600 API_USER=6000 CUSTOMER=60")
    assert limiter.of({Role.ADMIN}) == 600
    assert limiter.of({Role.API_USER}) == 6_000
    assert limiter.of({Role.CUSTOMER}) == 60
    assert limiter.of({Role.CUSTOMER, Role.AFFILIATE}) == 600, "the most that any of them may have"
    assert PerMinute.read(7).of({Role.API_USER}) == PerMinute.read("7").of(set()) == 7


@pytest.mark.parametrize("limit", [Limits().cost_per_minute, Limits().changes_per_minute])
def test_an_integration_may_ask_for_more_than_a_person_unless_told(limit: str | int) -> None:
    limiter = PerMinute.read(limit)
    assert limiter.of({Role.API_USER}) >= 10 * limiter.of({Role.ADMIN})


async def test_each_role_has_its_own_minute_for_reading_and_for_changes(store: Store) -> None:
    limiter = rates_of(store, cost="10 API_USER=1000", changes="1 API_USER=3")
    person, machine = viewer("tess"), viewer("portal", Role.API_USER)
    limiter.spend(person, 10)
    limiter.spend(machine, 1_000)
    for each in (person, machine):
        with pytest.raises(RateLimited):
            limiter.spend(each, 1)
    await limiter.change(person, 1, store)
    await limiter.change(machine, 3, store)
    for each in (person, machine):
        with pytest.raises(RateLimited):
            await limiter.change(each, 1, store)


# ---------------------------------------------------------------- a database that is away


async def test_what_was_spent_ends_with_its_minute_without_any_database(store: Store) -> None:
    now = [0.0]
    limiter = rates_of(store, cost=100, clock=lambda: now[0])
    limiter.spend(viewer("tess"), 100)
    for seconds in (0, 30, 59):
        now[0] = seconds
        with pytest.raises(RateLimited) as refusal:
            limiter.spend(viewer("tess"), 1)
        assert refusal.value.seconds == pytest.approx(60 - seconds, abs=1)
    now[0] = 60
    limiter.spend(viewer("tess"), 100)


async def test_what_nobody_was_told_of_for_a_minute_is_told_to_nobody(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database comes back after a long time: only the present minute counts."""
    now, away = [0.0], [True]
    add = counters.add

    async def sometimes(store: Store, *given: Any, **more: Any) -> int:
        if away[0]:
            raise AutoReconnect("connection refused")
        return await add(store, *given, **more)

    monkeypatch.setattr(counters, "add", sometimes)
    monkeypatch.setattr(rates, "_FLUSH_SECONDS", 0.005)
    limiter = rates_of(store, cost=100, clock=lambda: now[0])
    async with background_task(limiter.flush_forever()):
        for minute in range(5):
            now[0] = 60.0 * minute
            limiter.spend(viewer("tess"), 70)
            await asyncio.sleep(0.02)
        away[0] = False
        async with asyncio.timeout(10):
            while not await store.find("counters", {}):  # noqa: ASYNC110 # nobody tells us
                await asyncio.sleep(0.01)
    (spent,) = await store.find("counters", {})
    assert spent["count"] == 70


AWAY = [AutoReconnect("connection refused"), ServerSelectionTimeoutError("no primary"), NotPrimaryError("stepped down")]
BUSY = [ExecutionTimeout("took too long", 50), NetworkTimeout("took too long"), WaitQueueTimeoutError("all were busy")]


@pytest.mark.parametrize(
    ("fault", "is_given_back"), [*((each, True) for each in AWAY), *((each, False) for each in BUSY)]
)
@pytest.mark.parametrize("role", [Role.ADMIN, Role.CUSTOMER])
async def test_a_database_that_is_away_uses_nobodys_minute_up_and_one_that_a_query_kept_busy_does(
    store: Store, world: World, monkeypatch: pytest.MonkeyPatch, fault: Exception, is_given_back: bool, role: Role
) -> None:
    """Whether a field cannot be read, or already the customer who asks."""
    ada = await world.customer()
    limiter = rates_of(store, cost=20 * 200)
    app = gateway_app(store, rates=limiter)
    bearer = token(role, **({"customer_id": ada["_id"]} if role == Role.CUSTOMER else {}))
    query = {"query": f'{{ node(id: "{ada["_id"]}") {{ ... on Customer {{ activityFacets {{ type }} }} }} }}'}

    async def fail(*_: Any, **__: Any) -> Any:
        raise fault

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        headers = {"Authorization": f"Bearer {bearer}", "Accept": JSON}
        assert (await client.post("/graphql", json=query, headers=headers)).json()["data"]["node"]
        with monkeypatch.context() as patch:
            patch.setattr(Store, "find", fail)
            patch.setattr(Store, "aggregate", fail)
            codes = [
                (await client.post("/graphql", json=query, headers=headers)).json()["errors"][0]["extensions"]["code"]
                for _ in range(60)
            ]
        assert codes[0] == "UNAVAILABLE"
        assert ("RATE_LIMITED" in codes) is not is_given_back
        after = (await client.post("/graphql", json=query, headers=headers)).json()
    assert ("errors" not in after) is is_given_back


async def test_what_was_never_begun_because_of_others_costs_its_sender_next_to_nothing(
    store: Store, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await world.customer()
    app = gateway_app(store, rates=rates_of(store, cost=20 * 200))
    query = {"query": f'{{ node(id: "{ada["_id"]}") {{ ... on Customer {{ activityFacets {{ type }} }} }} }}'}

    async def overloaded(*_: object) -> None:
        raise Overloaded

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        assert (await ask(client, query)).status_code == 200
        with monkeypatch.context() as patch:
            patch.setattr(Admission, "enter", overloaded)
            assert {(await ask(client, query)).status_code for _ in range(60)} == {503}
        assert (await ask(client, query)).status_code == 200
