"""Imports point one way: what each room of the house may know, and what no room but one may; and what tests share."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from app.domain.listings import PREVIEWS

ROOT = Path(__file__).parents[1]
APP = ROOT / "app"
TESTS = ROOT / "tests"

MAY_IMPORT = {
    "domain": "catalogue",  # attributes and who may see a type: the catalogue is words, it decides nothing
    "catalogue": "",
    "jobs": "metrics",
    "open_files": "",
    "store": "domain catalogue jobs open_files",
    "loaders": "store domain metrics",
    "services": "store domain catalogue jobs",
    "schema": "context domain catalogue",  # loaders and services only through the context: its type, never a call
    "resolvers": "schema services domain catalogue",
    "context": "domain loaders services",
    "delivery": "store domain metrics jobs",
    "metrics": "tracing",  # a command that was timed is a span, too
    "settings": "domain",  # roles by name
    # what an unusable MONGODB_URI, SMTP_URL or folder of letters is, its user judges
    "environment": "catalogue settings domain store delivery services",
    "logs": "store",  # what a fault of the database means to who operates it
    "tracing": "",
    "execution": "loaders schema domain metrics",  # an edge is the schema's word, and what it defers the loaders'
    # of the settings: the limits
    "operations": "context execution loaders services settings store domain metrics tracing",
    "graph": "resolvers schema",
    "sdl": "graph schema",
    "access_table": "graph domain",
    "manifests": "graph operations settings store",  # documents are judged as those of requests are
    "exporting": "graph schema services domain store",  # the job's own reading, for whoever sits at the machine
    "http": "operations services settings store domain metrics tracing",
    "main": "delivery demo domain environment execution graph http jobs logs metrics operations sdl services "
    "serving settings store tracing",
    "worker": "delivery jobs services store",
    "serving": "http open_files supervisor",
    "supervisor": "http logs",
    "demo": "catalogue domain environment http jobs services store",  # tokens are issued as the gateway verifies them
    "doctor": "environment http services store",  # what serve refuses, and why
    "commands": "catalogue domain environment logs manifests services store",
    "__init__": "",
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
    importers = {module for module, name in imports() if room_of(name) == "resolvers" and name.startswith("app.")}
    assert {module for module in importers if room_of(module) != "resolvers"} == {"app.graph"}


DOOR = "app.services.writing"
PAST_THE_DOOR = {
    "app.demo.sample.seed": "a sample is made whole, in a database that nobody reads yet, with its previews",
    "app.services.row_jobs": "the state of jobs: merges and erasures are no rows of a preview",
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
    "app/http/imports.py": "an import lasts as long as its lines come; its client may leave at any time",
    "app/main.py": "background workers: nobody waits for them, and each tries again",
    "app/operations/looks.py": "looks that are flushed behind the requests",
    "app/operations/rates.py": "counts that are flushed behind the requests",
    "app/store/driver.py": "`Store.open`, for commands that an operator can interrupt",
}


def test_whoever_reads_without_a_deadline_is_named_with_a_reason() -> None:
    assert {
        str(path.relative_to(APP.parent))
        for path in APP.rglob("*.py")
        if re.search(r"import .*\bNEVER\b", path.read_text())
    } == NO_DEADLINE.keys()
    opened = {str(path.relative_to(APP)) for path in APP.rglob("*.py") if "Store.open(" in path.read_text()}
    assert opened == {"commands/console.py"}


# ---------------------------------------------------------------- tests

FOLDERS_OF_THEIR_OWN = {
    "graph": "what goes through the whole schema: app/graph.py joins all rooms, and these tests cross them",
    "faults": "what is killed and frozen: gateways and servers in processes of their own, and no single room",
    "clients": "what examples/clients shows: clients in processes of their own, against the whole gateway",
    "desk": "what people do at the desk: a real browser, against the whole demo",
    "support": "what tests share",
}
"""Folders of tests/ that are not folders of app/, each with its reason."""


def modules_of_tests() -> list[Path]:
    return [path for path in TESTS.rglob("*.py") if "node_modules" not in path.parts]


def is_a_test_module(name: str) -> bool:
    """Whether pytest collects a module of this name, or loads it as a conftest."""
    last = name.rpartition(".")[2]
    return last.startswith("test_") or last == "conftest"


def test_folders_of_tests_are_folders_of_app() -> None:
    folders = {path.relative_to(TESTS).parts[0] for path in modules_of_tests() if path.parent != TESTS}
    rooms = {path.relative_to(APP).parts[0] for path in APP.rglob("*.py") if path.parent != APP}
    assert FOLDERS_OF_THEIR_OWN.keys().isdisjoint(rooms)
    assert folders - rooms == FOLDERS_OF_THEIR_OWN.keys()


def test_nobody_imports_a_test_module_or_a_conftest() -> None:
    paths = [*modules_of_tests(), *APP.rglob("*.py"), *(ROOT / "bench").rglob("*.py")]
    found = {(path.relative_to(ROOT), name) for path in paths for name in every_import_of(path)}
    assert {f"{path} imports {name}" for path, name in found if is_a_test_module(name)} == set()


@pytest.mark.parametrize(
    "line",
    [
        "import tests.graph.test_cost",
        "from tests.graph import test_cost",
        "from tests.graph.test_cost import lists",
        "from tests.conftest import store",
        "from tests.http import conftest",
        "import conftest",
    ],
)
def test_a_test_module_that_is_imported_is_seen(line: str, tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(f"def later() -> None:\n    {line}\n")
    assert any(map(is_a_test_module, every_import_of(module)))


def test_what_tests_import_of_tests_is_in_support_or_a_program_of_their_own_folder() -> None:
    names = {module_name(path): path for path in modules_of_tests()}
    for path in [*modules_of_tests(), *(ROOT / "bench").rglob("*.py")]:
        for name in names.keys() & set(every_import_of(path)):
            assert names[name].parent in (TESTS / "support", path.parent), (path, name)


def test_modules_of_tests_are_tests_or_programs_or_support() -> None:
    for path in modules_of_tests():
        if not is_a_test_module(path.stem) and path.parent.name != "support":
            assert 'if __name__ == "__main__":' in path.read_text(), path


def test_support_has_no_fixture_and_nothing_that_nobody_imports() -> None:
    imported = {
        name for folder in (TESTS, ROOT / "bench") for path in folder.rglob("*.py") for name in every_import_of(path)
    }
    for path in (TESTS / "support").glob("*.py"):
        assert "pytest.fixture" not in path.read_text(), path
        assert path.stem == "__init__" or module_name(path) in imported, path


def test_conftests_have_fixtures_and_hooks_and_nothing_to_import() -> None:
    for path in TESTS.rglob("conftest.py"):
        for node in ast.parse(path.read_text()).body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    is_fixture = any("pytest.fixture" in ast.unparse(each) for each in node.decorator_list)
                    assert is_fixture or node.name.startswith(("pytest_", "_")), (path, node.name)
                case _:
                    assert isinstance(node, ast.Expr | ast.Import | ast.ImportFrom), (path, ast.unparse(node))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_nothing_waits_in_a_way_that_loses_a_cancellation() -> None:
    """Python 3.11's ``wait_for`` may: whoever ends a task then waits for it for ever. ``asyncio.timeout`` does not."""
    losing = [path for path in (ROOT / "app").rglob("*.py") if "wait_for(" in path.read_text("utf-8")]
    assert losing == []
