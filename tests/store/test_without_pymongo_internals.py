"""With another PyMongo: nothing fails at import, the driver does all by itself, and one line of the log says so."""

import ast
import asyncio
import json
import os
import subprocess
import sys
import tomllib
from inspect import iscoroutine, isroutine
from pathlib import Path
from typing import Any, Final

import pymongo
import pytest
import structlog
from pymongo.errors import ConfigurationError, OperationFailure
from structlog.testing import capture_logs

from app.store import pymongo_internals, shortcuts
from app.store.driver import DeleteMany, Driver, Store
from app.store.fall_back import UnknownPymongo
from tests.support.commands import Commands

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ast.parse(Path(pymongo_internals.__file__).read_text())
OFF: Final = "commands by wire are off: the driver sends all"


def imported() -> list[str]:
    """Every name that pymongo_internals.py takes from PyMongo as it is imported, and that PyMongo does not document."""
    modules: dict[str, str] = {}
    names: list[str] = []
    for node in ast.walk(SOURCE):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pymongo"):
            for alias in node.names:
                path = f"{node.module}.{alias.name}"
                if path in sys.modules:
                    modules[alias.name] = path
                elif node.module not in ("pymongo", "pymongo.errors"):
                    names.append(path)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            names.append(f"{modules[node.value.id]}.{node.attr}")
    return sorted(set(names))


IMPORTED: Final = imported()
HAS_TO_READ: Final = """
import asyncio, os, structlog
from app import logs
logs.configure("INFO")
from app.store.driver import Store

async def main():
    async with Store.open(os.environ["URI"], "tests_without", driver=os.environ["DRIVER"]) as store:
        hurried = store.within(20)
        for _ in range(3):
            print(await hurried.aggregate(None, [{"$documents": [{"found": 1}]}]))
    async with Store.open(os.environ["URI"], "tests_without", driver=os.environ["DRIVER"]) as store:
        print(await store.find("nothing", {}))

asyncio.run(main())
"""


def test_the_names_are_those_that_were_meant() -> None:
    assert "pymongo._csot.DEADLINE" in IMPORTED
    assert "pymongo.message._CursorAddress" in IMPORTED
    assert len(IMPORTED) >= 9


@pytest.mark.parametrize("gone", [*IMPORTED, "version=4.99.0", "version=4.19.0"])
def test_without_a_name_the_driver_reads_and_one_line_says_so(gone: str, mongodb_uri: str, driver: Driver) -> None:
    command = [sys.executable, "-m", "tests.store.without", gone, "run", HAS_TO_READ]
    ran = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"URI": mongodb_uri, "DRIVER": driver}, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout.splitlines()) == (0, ["[{'found': 1}]"] * 3 + ["[]"]), ran.stderr
    (line,) = [json.loads(line) for line in ran.stderr.splitlines()]
    assert (line["event"], line["level"]) == (OFF, "warning")
    assert gone.rpartition(".")[2] in line["why"] or gone.startswith("version=")


def test_a_handful_of_tests_pass_with_all_of_them_gone(mongodb_uri: str, driver: Driver) -> None:
    """What reads, what changes, what expires, and what ends in time."""
    tests = [
        "tests/store/test_driver.py",
        "tests/store/test_previews.py",
        "tests/services/test_expiry.py",
        "tests/http/test_cancellation.py",
    ]
    command = [
        sys.executable,
        "-m",
        "tests.store.without",
        ",".join(IMPORTED),
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    mine = {"MONGODB_URI": mongodb_uri, "MONGODB_DRIVER": driver, "PYTEST_XDIST_WORKER": ""}
    ran = subprocess.run([*command, *tests], cwd=ROOT, env=os.environ | mine, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-5_000:]


# ---------------------------------------------------------------- what objects have, and may have no more


def attributes() -> list[str]:
    """Every attribute that pymongo_internals.py reads of PyMongo's objects once it is imported."""
    documented = {"options", "code", "details", "mode", "delegate"}
    ours = {
        "_primary",
        "_outer",
        "_session",
        "_join",
        "_begin",
        "_label",
        "_client",
        "_seconds",
        "_timeout",
        "_deadline",
        "_name",
        "_events",
        "description",
        "args",
        "kwargs",
    }
    modules = {"time", "_csot", "helpers_shared", "server_type", "_TIMEOUT", "_DEADLINE", "P"}
    found: set[str] = set()
    for function in ast.walk(SOURCE):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id in modules):
                found.add(node.attr)
    return sorted(found - documented - ours)


class Without:
    """An object that has one attribute no more, and neither has whatever one gets from it."""

    def __init__(self, wrapped: Any, gone: str) -> None:
        self.__dict__.update(_wrapped=wrapped, _gone=gone)

    def __getattr__(self, name: str) -> Any:
        if name == "delegate":  # Motor's word for the client inside
            return Without(getattr(self._wrapped, "delegate", self._wrapped), self._gone)
        if name == self._gone:
            raise AttributeError(name)
        return _without(getattr(self._wrapped, name), self._gone)

    def __getitem__(self, key: Any) -> Any:
        return _without(self._wrapped[key], self._gone)

    def __bool__(self) -> bool:
        return bool(self._wrapped)


def _without(value: Any, gone: str) -> Any:
    """As ``value``, and whatever one gets from it, as far as it is an object of PyMongo's."""
    if isroutine(value):

        def called(*args: Any, **kwargs: Any) -> Any:
            result = value(*args, **kwargs)
            return _awaited(result, gone) if iscoroutine(result) else _without(result, gone)

        return called
    plain: Any = (str, bytes, int, float, set, dict, type(None), asyncio.Transport)
    result: Any = value if isinstance(value, plain) else Without(value, gone)
    return result


async def _awaited(result: Any, gone: str) -> Any:
    return Without(await result, gone)


READ_WHEN_A_CONNECTION_IS_MADE: Final = (
    *("_topology", "_description", "_compression_settings", "_credentials", "_ssl_context", "_event_listeners"),
    *("pool_options", "active_contexts", "cancel_context", "conn", "connect", "max_pool_size", "opts"),
    *("max_connecting", "load_balanced", "retry_reads", "server_api"),
)


def test_each_attribute_is_known_to_the_tests_below() -> None:
    others = {"max_wire_version", "_close_cursor_soon", "succeeded", "failed", "started", "enabled_for_commands"}
    others |= {"cancel", "discard", "mechanism", "server_type", "values", "server_descriptions", "read_preference"}
    others |= {"close_conn", "compressors", "timeout", "socket_timeout", "wait_queue_timeout", "max_idle_time_seconds"}
    assert set(attributes()) <= {
        *READ_WHEN_A_CONNECTION_IS_MADE,
        *READ_IN_A_TRANSACTION,
        *READ_AROUND_ONE,
        *READ_TO_RENEW,
        *others,
    }


@pytest.mark.parametrize("gone", READ_WHEN_A_CONNECTION_IS_MADE)
async def test_an_attribute_that_is_gone_leaves_reading_to_the_driver(
    gone: str, mongodb_uri: str, database_name: str, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    structlog.reset_defaults()
    client, pool = pymongo_internals.Client, pymongo_internals.Pool

    def made(given: Any) -> pymongo_internals.Client:
        return client(Without(given, gone))

    monkeypatch.setattr(pymongo_internals, "Client", made)

    def opened(address: Any, options: Any) -> Any:
        return Without(pool(address, _real(options)), gone)

    monkeypatch.setattr(pymongo_internals, "Pool", opened)
    monkeypatch.setattr(shortcuts, "_said", set[str]())
    commands = Commands()
    with capture_logs() as lines:
        async with Store.open(mongodb_uri, database_name, driver=driver, listeners=[commands]) as store:
            for _ in range(3):
                found = await asyncio.gather(*(store.aggregate(None, [{"$documents": [{"n": n}]}]) for n in range(3)))
                assert found == [[{"n": n}] for n in range(3)]
            last = commands.sent[-3:]
    assert [line["event"] for line in lines] == [OFF]
    assert all("lsid" in command for _, command in last)  # which only the driver's reads have


READ_IN_A_TRANSACTION: Final = (
    *("_apply_to", "_transaction", "_server_session", "set_in_progress", "mark_dirty", "PRIMARY"),
    "_add_error_label",
)
READ_TO_RENEW: Final = ("get_server_by_address", "pool", "reset_without_pause")
READ_AROUND_ONE: Final = ("start_session", "wrap", "in_transaction", "end_session")


@pytest.mark.parametrize("gone", READ_IN_A_TRANSACTION)
async def test_what_a_transaction_needs_is_there_before_it_begins(
    gone: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ReadPreference", "PyMongoError"):
        monkeypatch.setattr(pymongo_internals, name, Without(getattr(pymongo_internals, name), gone))
    async with store.database.session() as session:
        with pytest.raises(UnknownPymongo):
            pymongo_internals.Session(Without(session, gone))


@pytest.mark.parametrize("gone", ["session", "ends", "joined"])
async def test_a_transaction_without_shortcuts_is_the_drivers(
    gone: str, mongodb_uri: str, database_name: str, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    structlog.reset_defaults()
    monkeypatch.setattr(shortcuts, "_said", set[str]())

    def unknown(*_: Any) -> Any:
        raise UnknownPymongo(gone)

    with capture_logs() as lines:
        async with Store.open(mongodb_uri, database_name, driver=driver) as store:
            monkeypatch.setattr(store.database.wire, gone, unknown)
            await store.write(gone, [DeleteMany({})])
            for number in range(3):
                await store.transaction(lambda session, n=number: store.insert(gone, [{"_id": n}], session=session))
            assert await store.find(gone, {}, sort={"_id": 1}) == [{"_id": number} for number in range(3)]
    assert [line["event"] for line in lines] == [OFF]


@pytest.mark.parametrize("gone", READ_TO_RENEW)
async def test_connections_that_cannot_be_renewed_turn_the_shortcuts_off(
    gone: str, mongodb_uri: str, database_name: str, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    structlog.reset_defaults()
    monkeypatch.setattr(shortcuts, "_said", set[str]())
    with capture_logs() as lines:
        async with Store.open(mongodb_uri, database_name, driver=driver) as store:
            await store.command({"ping": 1})
            other = pymongo_internals.Client(Without(store.database.client, gone))
            monkeypatch.setattr(store.database.wire, "renew_connections", other.renew_connections)
            without = [ConfigurationError("Sessions are not supported by this MongoDB deployment")]

            async def body(_: Any) -> None:
                if without:
                    raise without.pop()

            await store.transaction(body)
            assert await store.aggregate(None, [{"$documents": [{"n": 1}]}]) == [{"n": 1}]
    assert [line["event"] for line in lines] == [OFF]


def _real(given: Any) -> Any:
    return given.__dict__["_wrapped"] if isinstance(given, Without) else given


# ---------------------------------------------------------------- what was tested is what is installed


def test_the_project_the_lock_and_the_tests_speak_of_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (asked,) = [each for each in project["dependencies"] if each.startswith("pymongo")]
    (locked,) = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line.startswith("pymongo==")]
    major, minor = shortcuts.TESTED.rstrip(".").split(".")
    assert asked == f"pymongo>={major}.{minor},<{major}.{int(minor) + 1}"
    assert locked.startswith(f"pymongo=={shortcuts.TESTED}")
    assert pymongo.version.startswith(shortcuts.TESTED)


async def test_an_error_of_the_servers_turns_nothing_off(store: Store) -> None:
    for _ in range(2):
        with pytest.raises(OperationFailure):
            await store.find("customers", {"$nothing": 1})
    assert store.database.is_wired  # what the other tests turn off
