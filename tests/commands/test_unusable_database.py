"""What each command says of a database that it cannot use: one line, what to look at, and no exit code 0."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pymongo import MongoClient
from typer.main import get_command

from app.__main__ import cli
from app.store.schema import COLLECTIONS
from tests.support.command_line import App

GIVEN: Final = {
    "shard": "--apply",
    "worker": "--once",
    "import": "FILE",
    "restored": "things",
    "reconcile": "FILE",
    "export": "customers",
    "token": "--role CUSTOMER --customer C-100001",
    "documents load": "MANIFEST",
    "documents drop": "none",
    "webhooks create": "shop https://shop.example/hooks",
    "webhooks rotate": "none",
    "webhooks disable": "none",
    "webhooks redeliver": "none 2026-01-01T00:00:00Z 2026-01-02T00:00:00Z",
    "imports drop-parked": "shop 1",
    "imports undo": "none",
    "erasures replay": "FILE",
}
"""What a command needs besides its name."""


def commands(command: Any, *words: str) -> Iterator[str]:
    """Yields the words of each command that may ask a database: of those that take `--data`."""
    if hasattr(command, "commands"):
        for name, each in command.commands.items():
            yield from commands(each, *words, name)
    elif any(each.name == "data" for each in command.params):
        yield " ".join(words)


COMMANDS: Final = [*commands(get_command(cli))]


def words_of(command: str, folder: Path) -> list[str]:
    (folder / "FILE").write_text('{"lines": 0}\n')
    (folder / "MANIFEST").write_text(json.dumps({"0" * 64: "{ viewer { roles } }"}))
    given = [
        str(folder / word) if word in ("FILE", "MANIFEST") else word for word in shlex.split(GIVEN.get(command, ""))
    ]
    return [*command.split(), *given]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_a_single_server_in_one_line(command: str, app: App, single: str, tmp_path: Path) -> None:
    shop = str(Path("examples/catalogue/shop.toml").absolute())
    given = {"MONGODB_URI": f"mongodb://{single}/", "MONGODB_DATABASE": "things", "CATALOGUE": shop, "PORT": "0"}
    tokens = {"JWT_ISSUER": "https://login.example.com/", "JWT_SECRET": "a-secret-of-the-tests-0123456789abcdef"}
    ended = app(*words_of(command, tmp_path), **given, **tokens)
    told = [line for line in (ended.out + ended.err).splitlines() if "It is a single server" in line]
    assert (ended.code, len(told)) == (1 if command == "doctor" else 2, 1), ended
    assert "--replSet" in told[0]
    assert "Traceback" not in ended.err
    with MongoClient[Any](f"mongodb://{single}/") as client:
        assert client["things"].list_collection_names() == [], "nothing was written"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("mongodb://127.0.0.1:1/", "127.0.0.1:1: Connection refused. See whether it runs"),
        ("mongodb://{single}/?replicaSet=rs0", 'replica set name "rs0". See replicaSet in MONGODB_URI'),
        ("mongodb://{single}/?tls=true", "See tls in MONGODB_URI"),
        ("mongodb://127.0.0.1:1/?tls=true&tlsCAFile=/nowhere", "MONGODB_URI cannot be used: .*No such file"),
        ("mongodb://{locked}/", "names no user.* (code 13)"),
        ("mongodb://writer:wrong@{locked}/", "refuses the user or the password of MONGODB_URI (code 18)"),
        ("mongodb://nobody:nobody@{locked}/", "may not listCollections in things (code 13)"),
    ],
)
def test_what_is_wrong_with_the_address_is_said_in_one_line(
    uri: str, said: str, app: App, single: str, locked: str
) -> None:
    address = uri.format(single=single, locked=locked)
    given = {"MONGODB_URI": address, "MONGODB_DATABASE": "things", "REQUEST_TIMEOUT_SECONDS": "1"}
    ended = app("indexes", **given)
    beginning, _, rest = said.partition(".*")
    assert ended.code == 2, ended
    assert beginning in ended.err
    assert rest in ended.err
    assert len(ended.err.splitlines()) == 1
    for secret in ("Topology", "wrong", "full error", "Traceback"):
        assert secret not in ended.err


def test_doctor_says_which_rights_are_missing_on_which_collection(app: App, locked: str) -> None:
    def doctor(user: str) -> list[str]:
        given = {"MONGODB_URI": f"mongodb://{user}:{user}@{locked}/", "MONGODB_DATABASE": "things"}
        tokens = {"JWT_ISSUER": "https://login.example.com/", "JWT_SECRET": "a-secret-of-the-tests-0123456789abcdef"}
        said = app("doctor", **given, **tokens, PORT="0").out
        return said[said.index("\ndatabase ") + 1 :].splitlines()

    writer = f"mongodb://writer:writer@{locked}/"
    assert app("indexes", "--apply", MONGODB_URI=writer, MONGODB_DATABASE="things").code == 0
    assert doctor("writer") == doctor("root") == ["database                   ok   as declared"]
    first, *lines = doctor("reader")
    assert first.endswith("BAD  The user of MONGODB_URI lacks rights; the role readWrite has them all:")
    assert lines == [f"  - {name}: may not insert, update, remove" for name in COLLECTIONS]
    with MongoClient[Any](f"mongodb://root:root@{locked}/") as client:
        every = [
            {"resource": {"db": "things", "collection": name}, "actions": ["find", "insert", "update", "remove"]}
            for name in COLLECTIONS
            if name != "looks"
        ]
        some = [{"resource": {"db": "things", "collection": ""}, "actions": ["listCollections", "listIndexes", "find"]}]
        client["things"].command("createRole", "allButLooks", privileges=[*every, *some], roles=[])
        client["admin"].command("createUser", "some", pwd="some", roles=[{"role": "allButLooks", "db": "things"}])
    assert doctor("some")[1:] == ["  - looks: may not insert, update, remove"]


def test_a_forbidden_command_is_said_without_what_it_would_have_written(app: App, locked: str, tmp_path: Path) -> None:
    given = {"MONGODB_DATABASE": "things"}
    assert app("indexes", "--apply", MONGODB_URI=f"mongodb://writer:writer@{locked}/", **given).code == 0
    secret = {"type": "customer", "number": "C-1", "name": "Ada Lovelace"}
    (tmp_path / "lines").write_text(json.dumps(secret))
    ended = app("import", tmp_path / "lines", MONGODB_URI=f"mongodb://reader:reader@{locked}/", **given)
    assert ended.code == 2
    assert "The user of MONGODB_URI may not insert imports in things (code 13). Give it the role" in ended.err
    assert "Command line" not in ended.err
