"""What every test may ask for: a real mongod, a clean database in it, and the commands that were sent to it."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
import stamina
import structlog
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser
from pymongo import MongoClient

from app.catalogue import CUSTOMER_FIELDS, read_own
from app.execution import Execution
from app.http.tokens import verifier
from app.main import build_app, routes
from app.services.changes import DeliveryPolicy
from app.settings import Limits
from app.store import indexes
from app.store.driver import Driver, Store, is_transient
from app.store.mongod import embedded_mongod
from tests.support.browser import HOW_TO_GET_ONE, find_chromium, launch
from tests.support.command_line import App, app_in_this_process
from tests.support.commands import Commands
from tests.support.digest import delete_all
from tests.support.gateway import Ask
from tests.support.processes import single_server, within
from tests.support.routing import Routing, tell_tests_apart
from tests.support.tokens import AUTHORITY, SECRET, token
from tests.support.world import World

# Generated tests take as long as the machine takes.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Runs every async test on asyncio."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_logs_left() -> Generator[None]:
    """Resets what a test set up to log to its own standard error, which is closed when it ends."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def _fields_of_customers() -> None:  # pyright: ignore[reportUnusedFunction]
    """Gives the catalogue the fields of the example, as CATALOGUE does when a process starts."""
    CUSTOMER_FIELDS.update({field.name: field for field in read_own("examples/catalogue/shop.toml").fields})


@pytest.fixture(scope="session")
def driver() -> Driver:
    """Names the driver under test: Motor, or what MONGODB_DRIVER says."""
    return cast(Driver, os.environ.get("MONGODB_DRIVER", "motor"))


@pytest.fixture(scope="session")
def mongodb_uri() -> Generator[str]:
    """Gives the URI of a mongod: the one that MONGODB_URI names, or one of the tests' own."""
    if uri := os.environ.get("MONGODB_URI"):
        yield uri
    else:
        # By month: a mongod does not take up what a clock of the future wrote (tests/days.py).
        # Tests of changes take half as long where nothing waits for its journal.
        with embedded_mongod(Path(".data/tests", f"{datetime.now(UTC):%Y-%m}"), keeps=False) as uri:
            yield uri


@pytest.fixture(scope="session")
def database_name(worker_id: str) -> str:
    """Names a database that no other process uses."""
    return f"tests_{worker_id}_{os.getpid()}"  # whoever else runs them has the same mongod


@pytest.fixture(scope="session")
async def _database(
    mongodb_uri: str, database_name: str, driver: Driver
) -> AsyncGenerator[tuple[Store, Commands, Routing]]:
    """Opens a store on the session's database, and records the commands that it sends."""
    commands, routing = Commands(), Routing()
    tell_tests_apart()
    async with Store.open(mongodb_uri, database_name, driver=driver, listeners=[commands, routing]) as store:
        await store.drop()
        await indexes.apply(store)
        yield store, commands, routing
        await store.drop()


@pytest.fixture
async def store(_database: tuple[Store, Commands, Routing], database_name: str) -> AsyncGenerator[Store]:
    """Gives an empty database with all its validators and indexes. Every command names a customer, or may ask all."""
    store, commands, routing = _database
    await _empty(store, database_name)
    commands.clear()
    routing.clear()
    yield store
    assert routing.scattered == set(), "a cluster would ask all of its shards: docs/scale.md"


@stamina.retry(on=is_transient, attempts=5)
async def _empty(store: Store, database: str) -> None:
    """Deletes all documents, once nothing runs. On a busy machine PyMongo may give up a connection that it opens."""
    await _nothing_runs(store, database)
    await delete_all(store)


async def _nothing_runs(store: Store, database: str) -> None:
    """Waits for what an earlier test left running on the server: a write goes on there when its client has gone."""
    running = {
        "currentOp": 1,
        "active": True,
        "ns": {"$regex": rf"^{database}\."},
        "command.getMore": {"$exists": False},
    }
    for _ in range(1_000):
        if not (await store.command(running, on_admin=True))["inprog"]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a command of an earlier test does not end")


@pytest.fixture
async def database_to_spoil(mongodb_uri: str, database_name: str, driver: Driver) -> AsyncGenerator[Store]:
    """Opens a database of its own: an index that has once held a list under a key keeps no order of it ever after."""
    async with Store.open(mongodb_uri, f"{database_name}_broken", driver=driver) as store:
        await store.drop()
        await indexes.apply(store)
        yield store
        await store.drop()


@pytest.fixture
def world(store: Store) -> World:
    """Builds what a test stores, in its empty database."""
    return World(store)


@pytest.fixture
def limits() -> Limits:
    """Sets the limits of each request. A module whose tests ask for everything at once has its own."""
    return Limits(changes_per_minute=10**9, cost_per_minute=10**12, max_waiting=1_000, max_waiting_seconds=60)


@pytest.fixture
def execution() -> Execution:
    """Chooses what executes; a test that is about graphql-core's own way overrides it."""
    return Execution()


@pytest.fixture
async def client(store: Store, limits: Limits, execution: Execution) -> AsyncGenerator[httpx2.AsyncClient]:
    """Calls the whole application over HTTP, on the test's database."""
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    # A busy machine is no fault of the code's.
    options: Any = {
        "timeout_seconds": 60,
        "limits": limits,
        "outgoing": DeliveryPolicy(wallet=True),
        "execution": execution,
    }
    app = build_app(routes(store.database, authenticate, **options))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        yield client


@pytest.fixture
def ask(client: httpx2.AsyncClient) -> Ask:
    """Sends queries to the application; as an administrator, by default."""
    admin = token()

    async def ask(query: str, *, token: str = admin, **variables: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        asked = json.dumps({"query": query, "variables": variables})  # ASCII: half a character can be sent, too
        answer = (await client.post("/graphql", content=asked, headers=headers)).json()
        answer.get("extensions", {}).pop("cost", None)
        return {name: value for name, value in answer.items() if value != {}}

    return ask


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Gives the address of a server of no replica set."""
    with single_server(tmp_path_factory.mktemp("single")) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Gives the address of a replica set that asks for users: a `writer`, a `reader`, and `nobody`, who may nothing.

    Each has their name for a password.
    """
    folder = tmp_path_factory.mktemp("locked")
    key = folder / "key"
    key.write_text("a" * 40)
    key.chmod(0o400)
    with single_server(folder, "--replSet", "locked", "--keyFile", str(key)) as port:
        host = f"127.0.0.1:{port}"
        with MongoClient[Any](f"mongodb://{host}/?directConnection=true") as client:
            members = [{"_id": 0, "host": host}]
            client.admin.command("replSetInitiate", {"_id": "locked", "members": members})
            within(60, lambda: client.admin.command("hello")["isWritablePrimary"], "a primary")
            client.admin.command("createUser", "root", pwd="root", roles=["root"])
        with MongoClient[Any](f"mongodb://root:root@{host}/?directConnection=true") as client:
            roles: dict[str, list[str]] = {"writer": ["readWrite"], "reader": ["read"], "nobody": []}
            for name, own in roles.items():
                client.admin.command(
                    "createUser", name, pwd=name, roles=[{"role": role, "db": "things"} for role in own]
                )
        yield host


@pytest.fixture
def app(driver: Driver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Generator[App]:
    """Runs `python -m app WORDS`, with nothing set but what is given."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield app_in_this_process(driver, monkeypatch, capsys)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def commands(_database: tuple[Store, Commands, Routing]) -> Commands:
    """Records the commands that reach the database."""
    return _database[1]


@pytest.fixture(scope="session")
def gateway_url(mongodb_uri: str, database_name: str, driver: Driver) -> Generator[str]:
    """Starts a demo as people start it, in a process of its own: sample data, and a real port."""
    name = f"{database_name}_demo"
    own = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": name, "MONGODB_DRIVER": driver, "PORT": "0"}
    own["CATALOGUE"] = "examples/catalogue/shop.toml"
    with MongoClient[Any](mongodb_uri) as client:
        client.drop_database(name)
        command = [sys.executable, "-m", "app", "demo", "--customers", "20"]
        with subprocess.Popen(
            command, env=os.environ | own, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as demo:
            assert demo.stderr
            said = ""
            while "Application startup complete" not in said:  # before it, nobody listens yet
                line = demo.stderr.readline()
                assert line, f"The demo did not start:\n{said}"
                said += line
            address = re.search(r"http://\S+(?=/graphql)", said)
            assert address, said
            threading.Thread(target=demo.stderr.read, daemon=True).start()  # a full pipe would stop it
            yield address[0]
            demo.send_signal(signal.SIGINT)
        client.drop_database(name)


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Launches a Chromium, or skips the test where there is none."""
    chromium = find_chromium()
    if chromium is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_ONE)
    with launch(chromium) as browser:
        yield browser


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps every n-th case of each test where `CASES_ONE_IN` says so, as a run on another day in CI does."""
    one_in, seen = int(os.environ.get("CASES_ONE_IN", "1")), Counter[str]()
    kept, left = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        test = item.nodeid.partition("[")[0]
        (left if seen[test] % one_in else kept).append(item)
        seen[test] += 1
    items[:] = kept
    if left:
        config.hook.pytest_deselected(items=left)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails a run in CI that skipped a test: what is not run there is run nowhere."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("\nCI: a test was skipped, which counts as a failure.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
