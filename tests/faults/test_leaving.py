"""Leaving and being replaced, by real processes: readiness falls first, nobody is dropped, and it ends in time."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pymongo import MongoClient

from tests.faults.processes import Gateway, within
from tests.faults.restarts import ASKED, DRAIN_SECONDS, bearer, restart, serving, workers_of


@pytest.fixture(scope="module")
def gateway(mongodb_uri: str, database_name: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Gateway]:
    """With two workers."""
    name = f"{database_name}_leaving"
    with serving(mongodb_uri, name, tmp_path_factory.mktemp("leaving"), workers=2) as started:
        yield started
    with MongoClient[Any](mongodb_uri) as client:
        client.drop_database(name)


def ask(gateway: Gateway) -> httpx2.Response:
    with httpx2.Client(trust_env=False, timeout=20) as client:
        return client.post(f"{gateway.url}/graphql", json=ASKED, headers={"Authorization": f"Bearer {bearer()}"})


def counted(gateway: Gateway) -> float:
    with httpx2.Client(trust_env=False, timeout=20) as client:
        text = client.get(f"{gateway.url}/metrics").text
    found = re.search(r'gateway_requests_total\{outcome="OK"\} (\S+)', text)
    return float(found[1]) if found else 0


async def test_the_figures_of_all_workers_are_added_up(gateway: Gateway) -> None:
    before = counted(gateway)
    answers = await asyncio.gather(*(asyncio.to_thread(ask, gateway) for _ in range(24)))
    assert [answer.status_code for answer in answers] == [200] * 24
    assert {counted(gateway) - before for _ in range(6)} == {24}  # whichever of them is asked


async def test_a_worker_that_dies_is_replaced(gateway: Gateway) -> None:
    before = workers_of(gateway)
    dead = min(before)
    os.kill(dead, signal.SIGKILL)
    await asyncio.to_thread(
        within, 60, lambda: len(now := workers_of(gateway)) == 2 and dead not in now, "another worker"
    )
    assert workers_of(gateway) & before == before - {dead}
    assert ask(gateway).status_code == 200


async def test_workers_are_replaced_under_load_and_no_request_is_dropped(gateway: Gateway) -> None:
    told = await restart(gateway, times=1, clients=4)
    assert told.answers > 20
    assert told.dropped == {}


def test_on_sigterm_it_is_not_ready_first_answers_on_and_ends_in_time(
    mongodb_uri: str, database_name: str, tmp_path: Path
) -> None:
    name = f"{database_name}_leaving_one"
    with serving(mongodb_uri, name, tmp_path, workers=1) as gateway, httpx2.Client(trust_env=False) as client:
        assert gateway.running
        assert "connection" not in client.get(f"{gateway.url}/livez").headers
        start = time.monotonic()
        gateway.running.terminate()
        ready = within(5, lambda: leaving(client, gateway), "a farewell")
        assert (ready.status_code, ready.headers["connection"]) == (503, "close")
        answer = ask(gateway)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        gateway.running.wait(timeout=40)
        assert DRAIN_SECONDS <= time.monotonic() - start < 20
    with MongoClient[Any](mongodb_uri) as database:
        database.drop_database(name)


def leaving(client: httpx2.Client, gateway: Gateway) -> httpx2.Response | None:
    answer = client.get(f"{gateway.url}/readyz")
    return answer if "connection" in answer.headers else None
