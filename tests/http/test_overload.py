"""More requests than can be borne: some are told so at once, none waits without end, and it is over when it is over."""

import asyncio
import time
from typing import Any

import httpx2
import pytest

from app.http.admission import Admission, Overloaded
from app.http.asked import JSON, RESPONSE
from app.settings import Limits
from app.store.driver import Store
from tests.conftest import token
from tests.http.conftest import Slow, door, endless
from tests.world import World

FEW = Limits(max_at_once=2, max_waiting=3, max_waiting_seconds=0.3)


async def ask(client: httpx2.AsyncClient, query: str, accept: str = RESPONSE) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token()}", "Accept": accept}
    return await client.post("/graphql", json={"query": query}, headers=headers)


def outcomes(answers: list[httpx2.Response]) -> list[Any]:
    return [
        (answer.status_code, *(error["extensions"]["code"] for error in answer.json().get("errors", ())))
        for answer in answers
    ]


@pytest.mark.parametrize("accept", [JSON, RESPONSE])
async def test_whoever_is_too_many_is_told_at_once_and_all_are_served_when_it_is_over(
    store: Store, world: World, slow: Slow, accept: str
) -> None:
    ada = await world.customer()
    query = f'{{ node(id: "{ada["_id"]}") {{ id }} }}'
    app = door(store, FEW, timeout_seconds=2)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        assert outcomes([await ask(client, query)]) == [(200,)]
        with pytest.MonkeyPatch.context():
            slow("customers")
            first = [asyncio.create_task(ask(client, query)) for _ in range(FEW.max_at_once)]
            while await endless(store) < FEW.max_at_once:  # noqa: ASYNC110 # the database tells nobody
                await asyncio.sleep(0.02)
            start = time.monotonic()
            more = [ask(client, "{ viewer { name } }", accept) for _ in range(10)]
            shed = await asyncio.gather(*more)
            waited = time.monotonic() - start
            assert outcomes(shed) == [(503, "OVERLOADED")] * 10
            assert {answer.headers["retry-after"] for answer in shed} == {"1"}
            assert all("data" not in answer.json() for answer in shed)
            assert waited < 2  # a third of a second for those who waited, nothing for the others
            codes = {code for _, *found in outcomes([await each for each in first]) for code in found}
            assert codes <= {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
        answers = await asyncio.gather(*(ask(client, "{ viewer { name } }") for _ in range(5)))
        assert outcomes(list(answers)) == [(200,)] * 5


async def test_whoever_waits_gets_the_next_turn_and_a_failure_gives_its_turn_back() -> None:
    turns, order = Admission(at_once=1, waiting=2, seconds=5), list[int]()

    async def work(number: int) -> None:
        async with turns.turn():
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
        async with turns.turn():
            await asyncio.sleep(0.005)

    for delay in (0, 0.001, 0.004, 0.005, 0.006, 0.01):
        tasks = [asyncio.create_task(work()) for _ in range(4)]
        await asyncio.sleep(delay)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.wait_for(asyncio.gather(*(work() for _ in range(6))), 5)
