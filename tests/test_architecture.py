"""Imports point one way: what each room of the house may know, and what no room but one may."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from app.domain.listings import PREVIEWS

APP = Path(__file__).parents[1] / "app"

MAY_IMPORT = {
    "domain": "catalogue",  # attributes and who may see a type: the catalogue is words, it decides nothing
    "catalogue": "",
    "jobs": "",
    "store": "domain catalogue jobs",
    "loaders": "store domain metrics",
    "services": "store domain catalogue jobs",
    "schema": "context domain catalogue",  # loaders and services only through the context: its type, never a call
    "resolvers": "schema services domain catalogue",
    "context": "domain loaders services",
    "delivery": "store domain metrics jobs",
    "metrics": "tracing",  # a command that was timed is a span, too
    "settings": "domain",  # roles by name
    # what an unusable MONGODB_URI, SMTP_URL or folder of letters is, its user judges
    "environment": "settings domain store delivery services",
    "logs": "",
    "tracing": "",
    "execution": "loaders schema domain metrics",  # an edge is the schema's word, and what it defers the loaders'
    # of the settings: the limits
    "operations": "context execution loaders services settings store domain metrics tracing",
    "graph": "resolvers schema domain",
    "sdl": "graph",
    "access_table": "graph domain",
    "exporting": "graph schema services domain store",  # the job's own reading, for whoever sits at the machine
    "http": "operations services settings store domain metrics tracing",
    "main": "delivery domain environment execution graph http jobs logs metrics operations services serving settings "
    "store tracing",
    "worker": "delivery jobs services store",
    "serving": "http supervisor",
    "supervisor": "http logs",
    "development": "domain environment http sample",
    "doctor": "environment http store",  # what serve refuses, and why
    "sample": "store domain catalogue",
    "__main__": "*",
}
"""Besides itself. A room is a folder of app/, or a module that stands there alone."""

DRIVERS = {"motor", "pymongo", "bson"}


@cache
def imports() -> list[tuple[str, str]]:
    """Who imports what: module and full name, imports for the type checker left out."""
    return [
        (".".join(("app", *path.relative_to(APP).with_suffix("").parts)), name)
        for path in APP.rglob("*.py")
        for name in imported_by(ast.parse(path.read_text()))
    ]


def imported_by(tree: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(tree):
        match child:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
                for statement in otherwise:
                    yield from imported_by(statement)
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module="app", names=names):
                yield from (f"app.{alias.name}" for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield module
            case _:
                yield from imported_by(child)


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def test_no_room_knows_more_than_it_may() -> None:
    trespasses = {
        f"{module} imports {name}"
        for module, name in imports()
        if name.startswith("app.")
        and MAY_IMPORT[room_of(module)] != "*"
        and room_of(name) not in (room_of(module), *MAY_IMPORT[room_of(module)].split())
    }
    assert trespasses == set()


def test_no_room_may_know_more_than_it_does() -> None:
    known = {(room_of(module), room_of(name)) for module, name in imports()}
    assert {(room, other) for room, may in MAY_IMPORT.items() for other in may.split() if other != "*"} <= known


def test_every_room_is_in_the_table() -> None:
    assert {room_of(module) for module, _ in imports()} <= MAY_IMPORT.keys()


def test_only_the_store_knows_the_driver() -> None:
    assert {room_of(module) for module, name in imports() if name.split(".")[0] in DRIVERS} == {"store"}


def test_nobody_but_the_graph_imports_resolvers() -> None:
    assert {module for module, name in imports() if room_of(name) == "resolvers" and name.startswith("app.")} == {
        "app.graph"
    }


DOOR = "app.services.writing"
PAST_THE_DOOR = {
    "app.sample.seed": "a sample is made whole, in a database that nobody reads yet, with its previews",
    "app.delivery.relay": "the state of what is queued: deliveries and pushes are no rows of a preview",
}


def writes_past_the_door(source: str) -> list[str]:
    """Calls that write customers or rows of their previews, or whatever collection: they do not say which."""
    guarded = {"customers", *PREVIEWS}
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("insert", "write", "take")
        and ast.unparse(node.func.value).endswith("store")
        and (not isinstance(node.args[0], ast.Constant) or node.args[0].value in guarded)
    ]


def test_only_one_door_writes_what_hangs_on_customers() -> None:
    writers = {
        ".".join(("app", *path.relative_to(APP).with_suffix("").parts))
        for path in APP.rglob("*.py")
        if path.parent.name != "store" and writes_past_the_door(path.read_text())
    }
    assert writers == {DOOR, *PAST_THE_DOOR}


@pytest.mark.parametrize("collection", sorted({"customers", *PREVIEWS}))
def test_a_row_that_is_written_past_the_door_is_seen(collection: str) -> None:
    for call in (f"store.write({collection!r}, rows)", f"self.store.insert({collection!r}, [row], session=session)"):
        assert writes_past_the_door(f"async def body():\n    await {call}") == [call]
    assert writes_past_the_door("name = 'points'\nstore.write(name, rows)") == ["store.write(name, rows)"]
    assert writes_past_the_door("store.write('parked', rows)") == []


def test_rules_do_no_work_of_their_own() -> None:
    """``domain`` and ``catalogue`` neither wait, nor look at the clock, nor know GraphQL."""
    for path in [*(APP / "domain").glob("*.py"), *(APP / "catalogue").glob("*.py")]:
        tree = ast.parse(path.read_text())
        waiting = [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]
        assert waiting == [], path
        assert not {name.split(".")[0] for name in imported_by(tree)} & {"strawberry", "graphql", "asyncio", "time"}, (
            path
        )
        assert not [node for node in ast.walk(tree) if is_clock(node)], path


def is_clock(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="now" | "utcnow" | "today")):
            return True
        case _:
            return False


def test_execution_stands_on_its_slots_and_goes_in_no_circle() -> None:
    """Imports for the type checker count, too."""
    rooms = ("execution", "http", "loaders", "operations")
    modules = {
        ".".join(("app", *path.relative_to(APP).with_suffix("").parts)).removesuffix(".__init__"): path
        for room in rooms
        for path in (APP / room).glob("*.py")
    }
    needs = {name: set(every_import_of(path)) & modules.keys() - {name} for name, path in modules.items()}
    assert [*TopologicalSorter(needs).static_order()]  # raises CycleError
    assert not [name for name in needs["app.execution.slots"] if name.startswith("app.execution")]
    assert {name for name, its in needs.items() if "app.execution.run" in its} == {"app.execution"}


def every_import_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (module, *(f"{module}.{alias.name}" for alias in names))
            case _:
                pass


NO_DEADLINE = {
    "app/main.py": "background workers: nobody waits for them, and each tries again",
    "app/operations/rates.py": "counts that are flushed behind the requests",
    "app/store/driver.py": "`Store.open`, for commands that an operator can interrupt",
}


def test_whoever_reads_without_a_deadline_is_named_with_a_reason() -> None:
    assert {
        str(path.relative_to(APP.parent))
        for path in APP.rglob("*.py")
        if re.search(r"import .*\bNEVER\b", path.read_text()) and path.name != "points.py"
    } == NO_DEADLINE.keys()
    opened = {str(path.relative_to(APP)) for path in APP.rglob("*.py") if "Store.open(" in path.read_text()}
    assert opened == {"__main__.py"}
