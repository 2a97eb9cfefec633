"""What dies while points are adjusted: a real replica set, two real gateways, and nothing lost, nothing doubled."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx2
import pytest

from app.domain import points
from app.store.driver import Driver
from tests.support.cluster import Cluster, cluster, kill_primary, rich_customers, run
from tests.support.processes import within
from tests.support.senders import REQUEST_TIMEOUT_SECONDS, Clients

A_LITTLE_SECONDS = 1.5
"""For which the outage goes on after the first requests have been given up."""
BUSY_MACHINE_SECONDS = 10
"""How much later things may happen on a machine that is busy. What we do not bound takes the driver 30 s."""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    """Starts a replica set and two gateways, once for all tests here."""
    driver = cast(Driver, os.environ.get("MONGODB_DRIVER", "motor"))
    with cluster(tmp_path_factory.mktemp("faults"), driver) as started:
        yield started


@pytest.fixture
async def whole(theirs: Cluster) -> Cluster:
    """Gives the cluster with everything running, whatever the test before did to it."""
    await theirs.restore()
    return theirs


async def test_whatever_dies_every_key_is_written_once_and_nothing_acknowledged_is_lost(whole: Cluster) -> None:
    faults = ["primary killed", "gateway killed", "primary frozen"]
    report = await run(whole, faults, customers=6, keys_each=20, at_most_seconds=60)
    assert list(report.faults) == faults
    assert report.verdict.keys >= 120
    assert report.retries > 0, "nobody noticed anything: these were no faults"
    assert (report.verdict.lost, report.verdict.doubled, report.verdict.unbalanced) == ([], [], [])


async def test_of_many_who_take_the_whole_balance_over_two_gateways_one_gets_it(whole: Cluster) -> None:
    async with whole.store() as store, whole.clients() as asking:
        (ada,) = await rich_customers(store, 1, balance=100)

        async def take(index: int) -> list[str]:
            given = {"customerId": ada, "points": -100, "reason": "All of it", "idempotencyKey": f"all-{index}"}
            return [error["code"] for error in (await asking.insist(index, **given))["userErrors"]]

        takers = asyncio.gather(*(take(index) for index in range(16)))
        await kill_primary(whole)
        await whole.restore()
        codes = sorted(await takers)
        assert codes == [[], *[["NOT_ENOUGH_POINTS"]] * 15]
        (customer,) = await store.find("customers", {"_id": ada})
        assert points.spendable(customer["points"]) == 0
        assert len(await store.find("points", {"customerId": ada})) == 2


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_without_a_primary_requests_end_in_time_and_go_on_with_the_next(how: str, whole: Cluster) -> None:
    async with whole.store() as store, whole.clients() as asking:
        customer_ids = await rich_customers(store, 20)
        async with polling(asking, customer_ids) as requests:
            primary = whole.servers.wait_for_primary()
            other = next(node for node in whole.servers.nodes if node is not primary)
            await asyncio.sleep(0.5)
            for node in (primary, other):
                node.kill() if how == "killed" else node.freeze()
            gone = time.monotonic()
            await asyncio.sleep(REQUEST_TIMEOUT_SECONDS + A_LITTLE_SECONDS)
            if how == "killed":
                other.start()
            else:
                other.thaw()
            await asyncio.to_thread(whole.servers.wait_for_primary)
            there = time.monotonic()
            await asyncio.to_thread(whole.servers.wait_until_it_keeps)
            keeps = time.monotonic()
            first = await asyncio.to_thread(
                within, BUSY_MACHINE_SECONDS, lambda: first_success(requests, after=gone), "a success"
            )
        meanwhile = [each for each in requests if gone < each.start and each.end < there]
        longest = max(each.end - each.start for each in requests)
        print(
            f"{how}: {len(meanwhile)} refused, the longest after {longest:.2f} s; first success {first - there:.2f} s"
        )
        print(f"after the election, {first - keeps:+.2f} s after the first write that a majority kept")
        assert {each.code for each in meanwhile} == {"UNAVAILABLE"}
        assert {each.code for each in requests} == {None, "UNAVAILABLE"}
        assert longest < REQUEST_TIMEOUT_SECONDS + BUSY_MACHINE_SECONDS
        # Counted from when a majority keeps what the new primary writes, for which MongoDB itself may take seconds.
        assert first - keeps < BUSY_MACHINE_SECONDS


class Request:
    """One request: when it was sent, when it ended, and how: None is a success."""

    def __init__(self, start: float, code: str | None) -> None:
        self.start, self.end, self.code = start, time.monotonic(), code


def first_success(requests: list[Request], *, after: float) -> float | None:
    return min((each.end for each in requests if each.code is None and each.start > after), default=None)


@asynccontextmanager
async def polling(asking: Clients, customer_ids: list[str]) -> AsyncGenerator[list[Request]]:
    """A new request every tenth of a second, whatever became of those before."""
    requests: list[Request] = []

    async def poll(number: int) -> None:
        start, customer_id = time.monotonic(), customer_ids[number % len(customer_ids)]
        given: dict[str, Any] = {"points": 1, "reason": "Poll", "idempotencyKey": f"poll-{number}"}
        try:
            answer = await asking.ask(asking.gateways[number % 2], customerId=customer_id, **given)
        except httpx2.HTTPError as failed:
            requests.append(Request(start, type(failed).__name__))
            return
        codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
        requests.append(Request(start, codes[0] if codes else None))

    async with asyncio.TaskGroup() as polls:

        async def forever() -> None:
            for number in range(1_000_000):
                polls.create_task(poll(number))
                await asyncio.sleep(0.1)

        sending = polls.create_task(forever())
        try:
            yield requests
        finally:
            sending.cancel()
