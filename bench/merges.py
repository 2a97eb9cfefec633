"""A merge of a hundred thousand activities: `python -m bench.merges`, in a mongod of its own.

The rows are moved by a worker, a process that is killed three times meanwhile and started again. Beside it, changes of
other customers and pages of the survivor: how long they take before, and while rows move. Every page has to have what
it had before. `--rows` takes fewer.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from app.catalogue import copied
from app.domain import points
from app.domain.access import Role
from app.domain.customers import balance
from app.domain.ids import new_id
from app.http.tokens import issue, verifier
from app.main import build_app, routes
from app.settings import Limits
from app.store import indexes
from app.store.driver import Document, Store
from app.store.mongod import embedded_mongod

SECRET = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
AUTHORITY: dict[str, Any] = {"issuer": "bench", "audience": "bench"}
ADJUST = "mutation($input: AdjustPointsInput!) { adjustPoints(input: $input) { userErrors { code message } } }"
MERGE = """mutation($input: MergeCustomersInput!) { mergeCustomers(input: $input) {
  merge { id total } userErrors { code message } } }"""
PAGE = """query($id: ID!) { node(id: $id) { ... on Customer { activities(first: 20) { totalCount nodes { id } } } } }"""
KILLS = 3
Send = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


def _customer(number: int, now: datetime) -> Document:
    known: Document = {"_id": new_id("customers"), "number": f"B-{number}", "name": "Bench", "registeredAt": now}
    return {**known, "tags": [], "paymentCount": 0, "status": "ACTIVE", "identities": [], "spendable": 0, "revision": 0}


async def _fill(store: Store, rows: int, now: datetime) -> list[Document]:
    customers = [_customer(number, now) for number in range(102)]
    earned = points.earn(points.empty(), 1_000, now=now, expires_at=now + timedelta(days=365))
    customers[1] |= balance(earned.state)
    await store.insert("customers", customers)
    actor = {"kind": "SYSTEM", "name": "System"}
    entry: Document = {**earned.entries[0], "kind": "EARNED", "actor": actor, "recordedAt": now}
    await store.insert("points", [{"_id": new_id("points"), "customerId": customers[1]["_id"], **entry}])
    for begin in range(0, rows, 5_000):
        activities = [
            {
                "_id": new_id("activities"),
                "customerId": customers[1]["_id"],
                "type": "BIRTHDAY",
                "source": "loyalty",
                "occurredAt": now - timedelta(minutes=begin + each),
                "recordedAt": now,
                "order": each,
                "actor": actor,
                **copied("BIRTHDAY"),
            }
            for each in range(min(5_000, rows - begin))
        ]
        await store.insert("activities", activities)
    return customers


async def measure(uri: str, rows: int) -> None:
    async with Store.open(uri, "bench_merges") as store:
        await store.drop()
        await indexes.apply(store)
        now = datetime.now(UTC).replace(microsecond=0)
        customers = await _fill(store, rows, now)
        token = issue(SECRET, roles=[Role.ADMIN], subject="b", name="B", lifetime=timedelta(hours=1), **AUTHORITY)
        authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
        limits = Limits(changes_per_minute=1_000_000, cost_per_minute=10**9, max_waiting_seconds=60)
        app = build_app(routes(store.database, authenticate, timeout_seconds=60, limits=limits))
        headers = {"Authorization": f"Bearer {token}"}
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://b", headers=headers) as client:

            async def send(query: str, variables: dict[str, Any]) -> dict[str, Any]:
                answer = await client.post("/graphql", json={"query": query, "variables": variables}, timeout=60)
                assert "errors" not in answer.json(), answer.text
                return answer.json()["data"]

            await _merge(uri, store, send, customers, rows)
        await store.drop()


async def _merge(uri: str, store: Store, send: Send, customers: list[Document], rows: int) -> None:
    into, other, *others = [customer["_id"] for customer in customers]
    changes = 0

    async def change() -> None:
        nonlocal changes
        given = {"customerId": others[changes % len(others)], "points": 1, "reason": "Bench"}
        payload = await send(ADJUST, {"input": {**given, "idempotencyKey": f"{changes}"}})
        assert payload["adjustPoints"]["userErrors"] == [], payload
        changes += 1

    async def look() -> None:
        page = (await send(PAGE, {"id": into}))["node"]["activities"]
        assert (page["totalCount"], len(page["nodes"])) == (rows + 1, 20), page["totalCount"]

    quiet = [await _taken(change) for _ in range(200)]
    start = time.perf_counter()
    given = {"intoId": into, "ids": [other], "reason": "Bench", "idempotencyKey": "m"}
    payload = (await send(MERGE, {"input": given}))["mergeCustomers"]
    assert payload["userErrors"] == [], payload
    first = time.perf_counter() - start
    moving, pages = list[float](), list[float]()
    worker, kills, after = _worker(uri), 0, time.perf_counter() + 5
    try:
        while True:
            moving.append(await _taken(change))
            pages.append(await _taken(look))
            merge = (await store.find("merges", {}, fields={"status": 1, "moved": 1}))[0]
            if merge["status"] == "DONE":
                break
            if kills < KILLS and time.perf_counter() > after and merge["moved"] > kills * rows // 4:
                worker.kill()
                worker.wait()
                worker, kills, after = _worker(uri), kills + 1, time.perf_counter() + 5
            assert time.perf_counter() - start < 600, "the merge does not end"
    finally:
        worker.kill()
        worker.wait()
    print(f"{rows:,} activities merged in {time.perf_counter() - start:.1f} s, the worker killed {kills} times;")
    print(f"  the survivor had them all after {first * 1000:.0f} ms, in each of {len(pages)} pages and counts since")
    left = await store.find("activities", {"customerId": other}, limit=2)
    assert [row["type"] for row in left] == ["CUSTOMER_MERGED_AWAY"]
    for name, taken in (("a change of others, before", quiet), ("meanwhile", moving), ("a page and a count", pages)):
        cuts = statistics.quantiles(taken, n=100)
        print(f"  {name:28} median {cuts[49] * 1000:6.1f} ms, 99th percentile {cuts[98] * 1000:6.1f} ms")


def _worker(uri: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "MONGODB_URI": uri, "MONGODB_DATABASE": "bench_merges", "LOG_LEVEL": "ERROR"}
    return subprocess.Popen([sys.executable, "-m", "app", "worker"], env=environment)


async def _taken(work: Callable[[], Awaitable[None]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    rows_ = parser.parse_args().rows
    with contextlib.suppress(KeyboardInterrupt), embedded_mongod(Path(".data/bench")) as uri_:
        asyncio.run(measure(uri_, rows_))
