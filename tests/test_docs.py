"""What the pages tell people to type works, copied as it stands, in a fresh clone; and every link leads somewhere."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from graphql import GraphQLObjectType, build_schema
from pymongo import MongoClient
from typer.main import get_command

from app.__main__ import cli

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").glob("*.md")),
]
README: Final = ROOT / "README.md"
WITH_QUERIES: Final = [README, ROOT / "docs" / "guide.md"]
NOT_HERE: Final = {
    "make test": "it is what runs this",
    "docker": "it needs a Docker engine",
    "kubectl": "it needs a cluster",
}
"""Commands that are not executed, by how they begin, and why."""

COMMANDS: Final[dict[str, Any]] = getattr(get_command(cli), "commands")  # noqa: B009 # typer keeps click's types to itself
SHELL: Final = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[str]:
    return SHELL.findall(page.read_text())


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes what a clone of this working tree would be, with a ready .venv: making one takes a package index."""
    clone = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    (clone / ".venv").symlink_to(Path(sys.prefix))
    os.utime(clone / "requirements.lock", (0, 0))  # older than .venv/ready
    return clone


@pytest.fixture(scope="module")
def port() -> int:
    """Finds a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def environment(port: int) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("MONGODB_", "JWT_", "JWKS_"))}
    return {**ours, "PORT": str(port), "PYTHONWARNINGS": ""}


@pytest.fixture(scope="module")
def running(clone: Path, port: int) -> Generator[None]:
    """Runs `make run`, and begins and ends it as a person does."""
    with making_run(clone, port) as demo:
        yield
        os.killpg(demo.pid, signal.SIGINT)
        _, said = demo.communicate(timeout=60)
        assert "Traceback" not in said


@contextmanager
def making_run(clone: Path, port: int) -> Generator["subprocess.Popen[str]"]:
    command = ["make", "run", "ARGS=--customers 20"]  # the page's own command but for the time that it takes
    with subprocess.Popen(
        command, cwd=clone, env=environment(port), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        try:
            assert demo.stderr
            said = ""
            while "Application startup complete" not in said:
                line = demo.stderr.readline()
                assert line, said
                said += line
            yield demo
        finally:
            if demo.poll() is None:
                os.killpg(demo.pid, signal.SIGKILL)


def typed(clone: Path, port: int, block: str) -> "subprocess.CompletedProcess[str]":
    """A block of commands in a shell of its own, except those that are not executed here; the demo runs already."""
    skipped = ("make run", *NOT_HERE)
    script = "".join(line for line in block.splitlines(keepends=True) if not line.startswith(skipped))
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("127.0.0.1:8000", f"127.0.0.1:{port}")],
        cwd=clone,
        env=environment(port),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_works_as_it_stands(page: Path, clone: Path, port: int) -> None:
    for block in blocks(page):
        done = typed(clone, port, block)
        assert done.returncode == 0, (block, done.stderr)
        assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("running")
def test_the_answer_that_the_readme_shows_is_the_answer(clone: Path, port: int) -> None:
    readme = README.read_text()
    [first] = [block for block in blocks(README) if block.startswith("TOKEN=")]
    [shown] = re.findall(r"^```json\n(\{\"data\".*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert json.loads(typed(clone, port, first).stdout)["data"] == json.loads(shown)["data"]


def test_the_readme_is_read_in_a_sitting() -> None:
    assert len(README.read_text().splitlines()) <= 120


@pytest.mark.usefixtures("running")
def test_every_query_of_the_readme_and_the_guide_is_answered(clone: Path, port: int) -> None:
    """With ids of the sample's customers where the page has only their beginning."""
    made = [sys.executable, "-m", "app", "token", "--role", "admin"]
    token = subprocess.run(made, cwd=clone, env=environment(port), capture_output=True, text=True, check=True).stdout

    def answer(query: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token.strip()}"}
        return httpx2.post(f"http://127.0.0.1:{port}/graphql", json={"query": query}, headers=headers).json()

    ids = answer('{customer(by: {number: "C-100001"}) {id activities(first: 100) {nodes {email {id}}}}}')["data"][
        "customer"
    ]
    other = answer('{customer(by: {number: "C-100002"}) {id}}')["data"]["customer"]["id"]
    email = next(node["email"]["id"] for node in ids["activities"]["nodes"] if node["email"])
    [segment] = answer("{segments(first: 1) {nodes {id}}}")["data"]["segments"]["nodes"]
    known = {"cus_…": ids["id"], "cus_other…": other, "eml_…": email, "seg_…": segment["id"]}
    pages = "".join(page.read_text() for page in WITH_QUERIES)
    queries = re.findall(r"^```graphql\n(.*?)^```", pages, re.MULTILINE | re.DOTALL)
    assert len(queries) > 5
    for query in queries:
        own = query
        for beginning, whole in known.items():
            own = own.replace(beginning, whole)
        response = answer(own)
        assert "errors" not in response, (query, response)
        payloads: list[dict[str, Any]] = [field for field in response["data"].values() if isinstance(field, dict)]
        assert not [payload for payload in payloads if payload.get("userErrors")], (
            query,
            response,
        )


def test_importing_the_manual_and_every_example_one_after_another_rejects_nothing(
    clone: Path, port: int, tmp_path: Path, mongodb_uri: str, database_name: str
) -> None:
    own = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": f"{database_name}_manual"}
    manual = tmp_path / "manual.ndjson"
    lines = re.findall(r"^```json\n(.*?)^```", (ROOT / "docs" / "import.md").read_text(), re.MULTILINE | re.DOTALL)
    manual.write_text("".join(lines))
    for file in (manual, *sorted((clone / "examples" / "import").glob("*.ndjson")), manual):
        command = [sys.executable, "-m", "app", "import", file]
        done = subprocess.run(
            command, cwd=clone, env=environment(port) | own, capture_output=True, text=True, check=False
        )
        assert (done.returncode, "reject" in done.stderr) == (0, False), done.stderr
    with MongoClient[Any](mongodb_uri) as client:
        client.drop_database(own["MONGODB_DATABASE"])


# ---------------------------------------------------------------- what is only named

NAMED: Final = re.compile(r"-m app ([a-z]+)((?: (?!`)[^\s`|&;)]+)*)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    for command, words in NAMED.findall(text):
        assert command in COMMANDS, command
        subcommands = getattr(COMMANDS[command], "commands", {})
        named = [COMMANDS[command], *(each for name, each in subcommands.items() if name in words.split())]
        options = {option for each in named for parameter in each.params for option in parameter.opts}
        assert {word for word in words.split() if word.startswith("--")} <= options, (command, words)
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"[`(\n]make ([a-z]+)", text)) <= targets
    for module in re.findall(r"python -m ((?:tests|bench)[\w.]*)", text):
        place = ROOT.joinpath(*module.split("."))
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module


def test_no_page_names_a_python_that_a_fresh_clone_has_not() -> None:
    for page in PAGES:
        bare = re.findall(r"(?<!bin/)(?<!gateway )python -m \S+ \S+", page.read_text())
        assert bare == [], (page.name, bare)


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted((ROOT / "docs" / "decisions").glob("*.md"))], ids=lambda page: page.name
)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if ":" not in link and not (page.parent / link).exists()] == []


# ---------------------------------------------------------------- what the schema has


def test_every_interaction_names_fields_that_the_schema_has() -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text())
    page = (ROOT / "docs" / "interactions.md").read_text()
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| [^|]+ \| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [*range(1, 31)]
    fields = {
        f"{type_.name}.{field}"
        for type_ in schema.type_map.values()
        if isinstance(type_, GraphQLObjectType)
        for field in type_.fields
    }
    for number, names in rows:
        assert re.fullmatch(r"`[\w.]+`(, `[\w.]+`)*", names), number
        for name in re.findall(r"`([\w.]+)`", names):
            assert fields & {name, f"Query.{name}", f"Mutation.{name}"}, name
