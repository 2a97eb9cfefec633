"""A database of 0.1.0, as it was left: this version prepares it, serves all of it, and changes each of its customers.

`data/0.1.0.ndjson.gz` is what the code of 0.1.0 wrote with `seed --customers 3`, without the one customer who has
thousands of rows: collections with their validators, indexes and documents. How both versions serve side by side is
shown by `python -m tests.faults.upgrade`.
"""

import asyncio
import gzip
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from bson import json_util
from pymongo import MongoClient

from app.domain.statuses import CLOSED
from app.store import previews
from app.store.driver import Store
from bench.workloads import W1, W2, W3
from tests.faults.upgrade import ADD_NOTE, ADJUST
from tests.support.processes import ROOT, Gateway
from tests.support.serving import bearer, serving

OLD: Final = Path(__file__).parent / "data" / "0.1.0.ndjson.gz"


@pytest.fixture
def old_database(mongodb_uri: str, database_name: str) -> Generator[str]:
    """Names a database that is as 0.1.0 has left it."""
    name = f"{database_name}_old"
    with MongoClient[dict[str, Any]](mongodb_uri, tz_aware=True) as client:
        client.drop_database(name)
        database, waiting = client[name], dict[str, list[Any]]()
        for line in gzip.decompress(OLD.read_bytes()).decode().splitlines():
            row: Any = json_util.loads(line)
            if "collection" in row:
                collection = database.create_collection(row["collection"], **row["options"])
                for index in row["indexes"]:
                    collection.create_index([*index.pop("key").items()], **index)
                waiting[row["collection"]] = []
            else:
                waiting[row["of"]].append(row["document"])
        for each, documents in waiting.items():
            if documents:
                database[each].insert_many(documents)
        yield name
        client.drop_database(name)


async def test_every_customer_of_an_older_database_is_read_and_changed(
    old_database: str, mongodb_uri: str, tmp_path: Path
) -> None:
    own = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": old_database}

    def app(*words: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "app", *words], cwd=ROOT, env=os.environ | own, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    assert "Everything is as declared." not in await asyncio.to_thread(app, "indexes")
    assert "Everything is as declared." in await asyncio.to_thread(app, "indexes", "--apply")
    async with Store.open(mongodb_uri, old_database) as store:
        customers = await store.find("customers", {})
        open_ones = [each for each in customers if each["status"] not in CLOSED]
        assert (len(customers), len(open_ones)) == (6, 5)
        with serving(mongodb_uri, old_database, tmp_path, workers=1) as gateway:
            for customer in customers:
                await _read(gateway, customer)
            for customer in open_ones:
                await _change(gateway, customer["_id"])
            many = await _ask(gateway, W2, ids=[each["_id"] for each in customers])
            assert [each["id"] for each in many["nodes"]] == [each["_id"] for each in customers]
        assert await previews.differences(store) == []
        earned = await store.find("points", {"reason": "Upgraded"})
        assert sorted(each["customerId"] for each in earned) == sorted(each["_id"] for each in open_ones)
        assert len(await store.find("notes", {"message": "Upgraded"})) == len(open_ones)
    await asyncio.to_thread(app, "rebuild", "--check")


async def _read(gateway: Gateway, customer: dict[str, Any]) -> None:
    number = customer["number"]
    whole = (await _ask(gateway, W1, number=number))["customer"]
    assert (whole["id"], whole["name"]) == (customer["_id"], customer["name"])
    assert (await _ask(gateway, W3, number=number))["customer"]["status"] == customer["status"]


async def _change(gateway: Gateway, customer_id: str) -> None:
    given = {"customerId": customer_id, "message": "Upgraded", "idempotencyKey": "note"}
    assert (await _ask(gateway, ADD_NOTE, input=given))["addNote"]["userErrors"] == []
    given = {"customerId": customer_id, "points": 1, "reason": "Upgraded", "idempotencyKey": "points"}
    assert (await _ask(gateway, ADJUST, input=given))["adjustPoints"]["userErrors"] == []


async def _ask(gateway: Gateway, query: str, **variables: Any) -> Any:
    headers = {"Authorization": f"Bearer {bearer()}"}
    async with httpx2.AsyncClient(timeout=30, trust_env=False, headers=headers) as http:
        response = await http.post(f"{gateway.url}/graphql", json={"query": query, "variables": variables})
    body = response.json()
    assert "errors" not in body, body
    return body["data"]
