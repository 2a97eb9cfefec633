"""Health: whether to restart us, and whether to send us anybody, with the reason in plain words."""

from collections.abc import AsyncGenerator

import httpx2
import pytest
from starlette.applications import Starlette

from app.http import health
from app.store import indexes
from app.store.driver import Store

TO_BE_APPLIED = "Indexes or validators differ from what this version declares: run `python -m app indexes --apply`."


async def test_it_is_ready_when_all_is_in_place(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "problems": []})


async def test_it_is_not_ready_while_an_index_is_missing(client: httpx2.AsyncClient, store: Store) -> None:
    await store.command({"dropIndexes": "coupons", "index": "customerId_addedAt_id"})
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "problems": [TO_BE_APPLIED]})
    await indexes.apply(store)
    assert (await client.get("/readyz")).status_code == 200


async def test_it_is_not_ready_while_a_validator_differs(client: httpx2.AsyncClient, store: Store) -> None:
    await store.command({"collMod": "coupons", "validator": {}})
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["problems"]) == (503, [TO_BE_APPLIED])
    await indexes.apply(store)
    assert (await client.get("/readyz")).status_code == 200


async def test_it_lives(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/livez")
    assert (answer.status_code, answer.text) == (200, "ok")


@pytest.fixture
async def cut_off() -> AsyncGenerator[httpx2.AsyncClient]:
    """A gateway whose database is away.

    Always Motor: closed half way through a connection, PyMongo 4.20 leaves its socket open, and warnings are errors.
    """
    nobody = "mongodb://127.0.0.1:1/?directConnection=true"
    async with Store.open(nobody, "tests", driver="motor", timeout_seconds=0.2) as store:
        app = Starlette(routes=health.routes(store))
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
            yield client


async def test_without_its_database_it_lives_but_is_not_ready(cut_off: httpx2.AsyncClient) -> None:
    answer = await cut_off.get("/readyz")
    assert (answer.status_code, answer.json()["problems"]) == (503, ["The database cannot be reached."])
    assert (await cut_off.get("/livez")).status_code == 200
