"""More requests than can be borne: some are refused at once, none waits without end, and it is over when it is over."""

import asyncio
from typing import Any

import httpx2
import pytest

from app.http.request import JSON, RESPONSE
from app.operations.admission import Admission, Overloaded
from app.settings import Limits
from app.store.driver import Document, Store
from tests.support.gateway import gateway_app
from tests.support.tokens import token
from tests.support.world import World

FEW = Limits(max_at_once=2, max_waiting=3, max_waiting_seconds=0.5)


async def ask(client: httpx2.AsyncClient, query: str, accept: str = RESPONSE) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token()}", "Accept": accept}
    return await client.post("/graphql", json={"query": query}, headers=headers)


async def ask_raw(client: httpx2.AsyncClient, body: bytes) -> httpx2.Response:
    return await client.post("/graphql", content=body, headers={"Authorization": f"Bearer {token()}"})


def outcomes(answers: list[httpx2.Response]) -> list[Any]:
    return [
        (answer.status_code, *(error["extensions"]["code"] for error in answer.json().get("errors", ())))
        for answer in answers
    ]


@pytest.mark.parametrize("accept", [JSON, RESPONSE])
async def test_whoever_is_too_many_is_told_at_once_and_all_are_served_when_it_is_over(
    store: Store, world: World, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    ada = await world.customer()
    query = f'{{ node(id: "{ada["_id"]}") {{ id }} }}'
    app, held = gateway_app(store, FEW), asyncio.Event()
    aggregate, begun = Store.aggregate, list[str | None]()

    async def hold(self: Store, collection: str | None, *given: Any, **more: Any) -> list[Document]:
        begun.append(collection)
        await held.wait()
        return await aggregate(self, collection, *given, **more)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        assert outcomes([await ask(client, query)]) == [(200,)]
        monkeypatch.setattr(Store, "aggregate", hold)
        first = [asyncio.create_task(ask(client, query)) for _ in range(FEW.max_at_once)]
        async with asyncio.timeout(30):
            while len(begun) < FEW.max_at_once:  # noqa: ASYNC110 # nobody tells us
                await asyncio.sleep(0.01)
        more = {asyncio.create_task(ask(client, query, accept)) for _ in range(10)}
        wait = more
        while len(wait) > FEW.max_waiting:
            _, wait = await asyncio.wait(wait, return_when=asyncio.FIRST_COMPLETED)
        malformed = await ask_raw(client, b"no JSON")
        await asyncio.wait(wait)
        shed = [malformed, *(each.result() for each in more)]
        assert outcomes(shed) == [(503, "OVERLOADED")] * 11
        assert {answer.headers["retry-after"] for answer in shed} == {"1"}
        assert all("data" not in answer.json() for answer in shed)
        held.set()
        assert outcomes([await each for each in first]) == [(200,)] * FEW.max_at_once
        answers = await asyncio.gather(*(ask(client, "{ viewer { name } }") for _ in range(4)))
        assert outcomes(list(answers)) == [(200,)] * 4


async def test_whoever_waits_gets_the_next_turn_and_a_failure_gives_its_turn_back() -> None:
    turns, order = Admission(at_once=1, waiting=2, seconds=5), list[int]()

    async def work(number: int) -> None:
        async with turns.turn("tess"):
            order.append(number)
            await asyncio.sleep(0.01)
            if number == 0:
                raise ValueError

    done = await asyncio.gather(*(work(number) for number in range(4)), return_exceptions=True)
    assert [type(each) for each in done] == [ValueError, type(None), type(None), Overloaded]
    assert order == [0, 1, 2]
    await work(5)


async def test_whoever_is_cancelled_while_waiting_takes_no_turn_along() -> None:
    turns = Admission(at_once=1, waiting=5, seconds=5)

    async def work() -> None:
        async with turns.turn("tess"):
            await asyncio.sleep(0.005)

    for delay in (0, 0.001, 0.004, 0.005, 0.006, 0.01):
        tasks = [asyncio.create_task(work()) for _ in range(4)]
        await asyncio.sleep(delay)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.wait_for(asyncio.gather(*(work() for _ in range(6))), 5)
