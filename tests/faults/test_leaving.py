"""Leaving and being replaced, by real processes: readiness falls first, nobody is dropped, and it ends in time."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import Generator
from pathlib import Path
from shutil import copyfile
from typing import Any

import httpx2
import pytest
from pymongo import MongoClient

from app.store import indexes
from app.store.driver import Store
from tests.faults.restarts import restart
from tests.support.processes import Gateway, Process, within
from tests.support.serving import ASKED, DRAIN_SECONDS, bearer, serving, workers_of


@pytest.fixture(scope="module")
def gateway(mongodb_uri: str, database_name: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Gateway]:
    """Starts a gateway with two workers."""
    name = f"{database_name}_leaving"

    async def prepare() -> None:
        async with Store.open(mongodb_uri, name) as store:
            await indexes.apply(store)

    asyncio.run(prepare())
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
    counts = await restart(gateway, times=1, clients=4)
    assert counts.answers > 20
    assert counts.probes > 20
    assert counts.dropped == {}


def test_sighup_ends_nothing_where_one_process_serves_and_is_told_so(
    mongodb_uri: str, database_name: str, tmp_path: Path
) -> None:
    with serving(mongodb_uri, f"{database_name}_leaving", tmp_path, workers=1) as gateway:
        assert gateway.running
        within(60, lambda: "ready" in events_of(tmp_path), "a gateway")
        gateway.running.send_signal(signal.SIGHUP)
        said = "ignored SIGHUP, which replaces the processes of serve --workers 2"
        within(60, lambda: said in events_of(tmp_path), "an answer")
        assert ask(gateway).status_code == 200


def test_a_file_that_cannot_be_used_any_more_leaves_the_old_workers_and_is_said_in_one_line(
    mongodb_uri: str, database_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = copyfile("examples/catalogue/shop.toml", tmp_path / "catalogue.toml")
    monkeypatch.setenv("CATALOGUE", str(file))
    with serving(mongodb_uri, f"{database_name}_leaving", tmp_path, workers=2) as gateway:
        assert gateway.running
        within(60, lambda: "all workers are ready" in events_of(tmp_path), "workers")
        before = workers_of(gateway)
        right = file.read_text()
        file.write_text("[")
        gateway.running.send_signal(signal.SIGHUP)
        within(60, lambda: "a new worker did not begin; the old ones stay" in events_of(tmp_path), "an answer")
        (line,) = [line for line in lines_of(tmp_path) if line["event"] == "settings cannot be used"]
        assert line["reason"].startswith("CATALOGUE cannot be used: ")
        within(60, lambda: workers_of(gateway) == before, "the old workers alone")
        assert ask(gateway).status_code == 200
        file.write_text(right)
        gateway.running.send_signal(signal.SIGHUP)
        within(60, lambda: "all workers are replaced" in events_of(tmp_path), "successors")
        assert ask(gateway).status_code == 200


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """Reads the log: every line has one form, whichever logger wrote it."""
    return [json.loads(line) for line in (folder / "gateway.log").read_text().splitlines()]


def events_of(folder: Path) -> list[str]:
    return [line["event"] for line in lines_of(folder)]


@pytest.mark.parametrize("when", ["as it begins", "while the first successor begins", "once some are replaced"])
def test_sigterm_while_workers_are_replaced_acts_at_once(
    when: str, mongodb_uri: str, database_name: str, tmp_path: Path
) -> None:
    with serving(mongodb_uri, f"{database_name}_leaving", tmp_path, workers=2) as gateway:
        assert gateway.running
        within(60, lambda: "all workers are ready" in events_of(tmp_path), "workers")
        before = workers_of(gateway)
        gateway.running.send_signal(signal.SIGHUP)
        if when != "as it begins":
            within(60, lambda: "replacing workers" in events_of(tmp_path), "a beginning")
        if when == "once some are replaced":
            within(60, lambda: events_of(tmp_path).count("ready") > 2, "a successor")
        started = workers_of(gateway) | before
        gateway.running.terminate()
        assert gateway.running.wait(timeout=60) == 0
        events = events_of(tmp_path)
        assert events[-1] == "ended"
        assert "all workers are replaced" not in events
        assert not [worker for worker in started if lives(worker)]
        lines = lines_of(tmp_path)
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)


def lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("workers", [1, 2])
def test_it_says_when_it_begins_where_and_when_it_is_ready(
    workers: int, mongodb_uri: str, database_name: str, tmp_path: Path
) -> None:
    with serving(mongodb_uri, f"{database_name}_leaving", tmp_path, workers=workers) as gateway:
        within(60, lambda: events_of(tmp_path).count("ready") == workers, "workers")
        assert ask(gateway).status_code == 200
    first, *others = lines_of(tmp_path)
    assert (first["event"], first["address"], first["workers"]) == ("starting", gateway.url, workers)
    assert first["database"].startswith("mongodb://")
    assert len({line["process"] for line in others if line["event"] == "ready"}) == workers
    assert {line["logger"] for line in others if "logger" in line} >= {"uvicorn.error"}
    assert "request" not in events_of(tmp_path)


def test_a_line_for_each_request_without_its_query_if_one_wants_them(
    mongodb_uri: str, database_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCESS_LOG", "true")
    with serving(mongodb_uri, f"{database_name}_leaving", tmp_path, workers=1) as gateway:
        with httpx2.Client(trust_env=False, timeout=20) as client:
            asked = {"query": "{ viewer { name } }", "secret": "canary"}
            answer = client.get(f"{gateway.url}/graphql", params=asked, headers={"Authorization": f"Bearer {bearer()}"})
        assert answer.status_code == 200
        (line,) = [line for line in lines_of(tmp_path) if line["event"] == "request" and line["path"] == "/graphql"]
    assert (line["method"], line["status"]) == ("GET", 200)
    assert line["requestId"] == answer.headers["x-request-id"]
    assert "canary" not in (tmp_path / "gateway.log").read_text()


def test_the_worker_says_when_it_begins_where_and_when_it_is_ready(
    mongodb_uri: str, database_name: str, tmp_path: Path
) -> None:
    own = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": f"{database_name}_leaving", "LOG_LEVEL": "INFO"}
    worker = Process([sys.executable, "-m", "app", "worker"], tmp_path / "gateway.log", own)
    worker.start()
    try:
        within(60, lambda: "ready" in events_of(tmp_path), "a worker")
    finally:
        worker.kill()
    first = lines_of(tmp_path)[0]
    assert (first["event"], first["database"].partition("?")[0]) == ("starting", mongodb_uri.partition("?")[0])


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
