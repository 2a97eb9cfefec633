"""What we use of PyMongo's inside is there: with another version it may not be, and then this says what is missing."""

from importlib.metadata import version
from typing import Any

import pymongo
import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, _csot
from pymongo.asynchronous.pool import Pool
from pymongo.topology_description import TopologyDescription

from app.store import pymongo_internals, shortcuts

pytestmark = pytest.mark.anyio

CLIENTS: list[Any] = [AsyncIOMotorClient, AsyncMongoClient]


def test_the_version_is_the_one_that_was_read() -> None:
    """With another: read ``connect`` in asynchronous/pool.py and ``_run_command`` again, then change this line."""
    assert version("pymongo").startswith("4.20.")


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize(
    ("option", "plain"),
    [
        ("", True),
        ("directConnection=true", True),
        ("replicaSet=rs", True),
        ("maxPoolSize=7", True),
        ("readPreference=primary", True),
        ("readPreference=nearest", False),
        ("compressors=zlib", False),
        ("loadBalanced=true", False),
        ("retryReads=false", False),
        ("timeoutMS=100", False),
        ("socketTimeoutMS=100", False),
        ("waitQueueTimeoutMS=100", False),
        ("maxIdleTimeMS=100", False),
        ("authMechanism=MONGODB-OIDC&authMechanismProperties=ENVIRONMENT:k8s", False),
    ],
)
async def test_what_a_uri_asks_for_is_known(make: Any, option: str, *, plain: bool) -> None:
    client = make(f"mongodb://127.0.0.1:1/?{option}", connect=False)
    assert pymongo_internals.Client(client).is_plain() is plain
    closing = client.close()
    if closing is not None:
        await closing


@pytest.mark.parametrize("make", CLIENTS)
async def test_a_client_knows_its_servers(make: Any) -> None:
    client = make("mongodb://127.0.0.1:1/", connect=False)
    asked = pymongo_internals.Client(client)
    assert isinstance(asked.description, TopologyDescription)
    assert asked.description is asked.description  # another one means that something changed
    assert asked.primary() is None
    assert asked.listeners is None
    pool = asked.pool(("127.0.0.1", 1))
    assert isinstance(pool, Pool)
    assert (pool.max_pool_size, pool.opts.max_connecting, list(pool.active_contexts)) == (100, 2, [])
    closing = client.close()
    if closing is not None:
        await closing


def test_our_timeout_is_the_drivers() -> None:
    def known() -> tuple[float | None, float]:
        return _csot.get_timeout(), _csot.remaining() or 0

    with shortcuts.timeout(5):
        assert known() == (5, pytest.approx(5, abs=0.5))
        with shortcuts.timeout(60):
            assert known()[1] <= 5
            with pymongo.timeout(1):
                assert known()[1] <= 1
        with shortcuts.timeout(0.001):
            assert known() == (0.001, pytest.approx(0, abs=0.1))
        assert known() == (5, pytest.approx(5, abs=0.5))
    assert known() == (None, 0)
