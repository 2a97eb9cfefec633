"""The command line as people and scripts meet it."""

import fcntl
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest
import time_machine
from jwt import decode
from pymongo import MongoClient

from app import exporting
from app.environment import EXAMPLES as EXAMPLES_OF_SETTINGS
from app.environment import Settings
from app.sdl import printed, printed_subgraph
from app.services.export_rows import Batch, ExportPlan, batches
from app.store.driver import Driver, Store
from tests.support.command_line import App, bare_environment, command

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "import"
SECRET = "a-secret-of-the-tests-0123456789abcdef"
NOBODY = "mongodb://ada:lovelace@127.0.0.1:1/?directConnection=true"


@pytest.fixture
def database(mongodb_uri: str, database_name: str) -> Generator[dict[str, str]]:
    """Gives the variables that name an empty database."""
    name = f"{database_name}_command_line"
    with MongoClient[Any](mongodb_uri) as client:
        client.drop_database(name)
        yield {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": name}
        client.drop_database(name)


@pytest.fixture
def overview(tmp_path: Path) -> Path:
    """Gives an example of its own, because two imports never share a rejects file."""
    return copyfile(EXAMPLES / "overview.ndjson", tmp_path / "overview.ndjson")


# ---------------------------------------------------------------- what is said


def test_help_lists_the_words(app: App) -> None:
    helped = app("--help")
    assert helped.code == 0
    for word in (
        "demo",
        "serve",
        "seed",
        "import",
        "indexes",
        "schema",
        "token",
        "doctor",
        "export",
        "documents",
        "webhooks",
    ):
        assert re.search(rf"^\W*{word}\s", helped.out, re.MULTILINE), word


def test_an_unusable_setting_stops_the_start(app: App) -> None:
    refused = app("serve", PORT="abc", MONGODB_URI="foo", MONGODB_DRIVER="x")
    assert refused.code == 2
    assert [line.partition(" cannot be used")[0] for line in refused.err.splitlines()] == [
        "MONGODB_URI",
        "MONGODB_DRIVER",
        "PORT",
    ]
    assert "Example: PORT=8000" in refused.err


def test_serve_wants_to_know_whose_tokens_count(app: App) -> None:
    refused = app("serve", MONGODB_URI=NOBODY)
    assert refused.code == 2
    assert "JWKS_URL" in refused.err


def test_serve_wants_a_database(app: App) -> None:
    refused = app("serve", JWT_SECRET=SECRET, JWT_ISSUER="tests")
    assert refused.code == 2
    assert "MONGODB_URI is not set" in refused.err


def test_the_demo_hands_out_tokens_so_it_stays_on_loopback(app: App, tmp_path: Path) -> None:
    refused = app("demo", "--data", tmp_path / "data", HOST="0.0.0.0")
    assert refused.code == 2
    assert "HOST=0.0.0.0 is refused" in refused.err


def test_a_taken_port_is_said_before_anything_is_started(app: App, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = app("demo", "--data", tmp_path / "data", PORT=str(port))
    assert refused.code == 2
    assert f"127.0.0.1:{port} cannot be listened on" in refused.err
    assert f"PORT={port + 1}" in refused.err
    assert not (tmp_path / "data" / "db").exists()


SERVES = {"JWT_ISSUER": "tests", "JWT_SECRET": SECRET}


def test_a_taken_port_for_figures_is_said_before_any_work(app: App) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = app("worker", "--once", "--metrics-port", port, MONGODB_URI=NOBODY)
    assert refused.code == 2
    assert re.fullmatch(rf"--metrics-port {port} cannot be listened on: Address already in use\. .*\n", refused.err)


def test_doctor_tells_what_is_set_found_and_missing_and_no_secret(app: App, database: dict[str, str]) -> None:
    result = app("doctor", **database, **SERVES)
    assert result.code == 1
    assert [name for name in Settings.model_fields if name.upper() not in result.out] == []
    assert re.search(r"^database +BAD +It differs .* `indexes --apply` .*\n  - activities: .*missing", result.out, re.M)
    assert SECRET not in result.out + result.err
    marked = re.findall(r"^([A-Z_]+) +set ", result.out, re.M)
    assert sorted(marked) == ["JWT_ISSUER", "JWT_SECRET", "MONGODB_DATABASE", "MONGODB_DRIVER", "MONGODB_URI"]
    assert app("indexes", "--apply", **database).code == 0
    result = app("doctor", **database, **SERVES)
    assert (result.code, "BAD" in result.out) == (0, False)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"JWT_ISSUER": ""}, "tokens .*BAD  Nobody could be let in"),
        ({"JWKS_URL": "https://login.example.com/keys"}, "tokens .*BAD  Nobody could be let in"),
        (
            {"JWT_SECRET": "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----"},
            "tokens .*BAD  JWT_SECRET must be",
        ),
        (
            {"JWT_SECRET": EXAMPLES_OF_SETTINGS["JWT_SECRET"]},
            "tokens .*BAD  JWT_SECRET is the example of the documentation",
        ),
        (
            {"JWT_SECRET": "", "JWKS_URL": "http://login.example.com/keys"},
            "tokens .*BAD  JWKS_URL must begin with https",
        ),
        ({"HOST": "not an address"}, "address .*BAD  HOST=not an address is no address"),
        ({"HOST": "192.0.2.1"}, "address .*BAD  HOST=192.0.2.1 is no address"),
        ({"SMTP_URL": "smtp://mail.example.com"}, "what goes together .*BAD  SMTP_URL is set, but MAIL_FROM is not"),
        ({"MONGODB_URI": NOBODY}, "database .*BAD  MongoDB: It cannot be used: 127.0.0.1:1: "),
        ({"MONGODB_URI": ""}, "MongoDB .*BAD  MONGODB_URI is not set"),
    ],
    ids=lambda wrong: str(wrong)[:40],
)
def test_doctor_judges_what_serve_would_judge_and_goes_on(
    app: App, tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    everything = {"MONGODB_DRIVER": "motor", "MONGODB_URI": NOBODY, "REQUEST_TIMEOUT_SECONDS": "0.2", **SERVES, **wrong}
    result = app("doctor", "--data", tmp_path / "none", **everything)
    assert result.code == 1
    assert re.search(said, result.out), result.out
    assert len(re.findall(r"^(tokens|address|MongoDB) ", result.out, re.M)) == 3  # whatever is wrong with one of them
    assert "Traceback" not in result.out + result.err
    assert not (tmp_path / "none").exists()
    if "MONGODB_URI" not in wrong:
        refused = app("serve", **everything)
        assert refused.code == 2
        assert said.partition("BAD  ")[2] in refused.err


def test_a_misspelled_setting_is_named_by_what_reads_settings(app: App) -> None:
    wrong = {"MAX_COSTS": "1", "LOOKS_KEPT_DAY": "3"}
    hints = [
        "LOOKS_KEPT_DAY is not a setting, and is ignored. Is LOOKS_KEPT_DAYS meant?",
        "MAX_COSTS is not a setting, and is ignored. Is MAX_COST meant?",
    ]
    away = {"MONGODB_URI": NOBODY, "MONGODB_DRIVER": "motor", "REQUEST_TIMEOUT_SECONDS": "0.2"}
    for words in (["doctor"], ["indexes"], ["documents", "list"]):
        assert app(*words, **away, **wrong).err.splitlines()[:2] == hints
    logged = app("worker", "--once", **away, **wrong).err.splitlines()
    assert [line["event"] for line in map(json.loads, logged[:3])] == ["starting", *hints]


def test_a_database_that_is_away_is_said_in_one_line_without_its_password(app: App) -> None:
    result = app(
        "indexes", MONGODB_URI=NOBODY, MONGODB_DRIVER="motor", REQUEST_TIMEOUT_SECONDS="0.2"
    )  # see test_health
    assert result.code == 2
    assert result.err.startswith("MongoDB: It cannot be used: 127.0.0.1:1: ")
    assert "lovelace" not in result.out + result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    "secret",
    [
        "tls=true&tlsCertificateKeyFilePassword=lovelace",
        "authMechanism=MONGODB-AWS&authSource=$external&authMechanismProperties=AWS_SESSION_TOKEN:lovelace",
    ],
)
def test_a_secret_among_the_options_of_an_address_is_not_printed(app: App, secret: str) -> None:
    uri = f"mongodb://ada:king@127.0.0.1:1/?replicaSet=rs0&{secret}&retryReads=false"
    result = app("doctor", MONGODB_URI=uri, MONGODB_DRIVER="motor", REQUEST_TIMEOUT_SECONDS="0.2")
    assert "/?replicaSet=rs0&" in result.out
    assert "=…&retryReads=false" in result.out
    assert "lovelace" not in result.out + result.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("words", ["schema", "indexes", "export customers", "erasures export"])
def test_a_disk_that_is_full_is_said_in_one_line(database: dict[str, str], words: str) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            command(*words.split()), env=bare_environment(**database), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1] == "What was to be written could not be: No space left on device."
    assert "Traceback" not in ran.stderr
    assert "Exception ignored" not in ran.stderr
    assert " written." not in ran.stderr


# ---------------------------------------------------------------- who was erased


def test_the_file_of_erasures_forgets_nobody_and_stays_as_it_was_until_a_new_one_is_whole(
    app: App, database: dict[str, str], tmp_path: Path
) -> None:
    """The database may be empty, or that of a backup which knows of no erasure yet."""
    kept = tmp_path / "erasures.ndjson"
    lines = [
        {"customerIds": ["cus_5uy2czwn2tjduk63ffwpplid"], "at": "2026-01-31T09:30:00+00:00"},
        {"tombstone": "shop:1", "at": "2026-01-31T09:30:00+00:00"},
    ]
    before = "".join(json.dumps(line) + "\n" for line in (*lines, {"lines": 2}))
    kept.write_text(before)
    away = app(
        "erasures", "export", "--out", kept, MONGODB_URI=NOBODY, MONGODB_DRIVER="motor", REQUEST_TIMEOUT_SECONDS="0.2"
    )
    assert away.code == 2
    assert kept.read_text() == before
    for _ in range(2):
        assert app("erasures", "export", "--out", kept, **database).code == 0
        assert kept.read_text() == before
        assert app("erasures", "replay", kept, **database).code == 0
        before = "".join(json.dumps(line) + "\n" for line in (*reversed(lines), {"lines": 2}))  # one is known by now
    kept.write_text("what somebody else wrote\n")
    assert app("erasures", "export", "--out", kept, **database).code == 2
    assert kept.read_text() == "what somebody else wrote\n"
    assert [*tmp_path.iterdir()] == [kept]


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_a_file_of_erasures_that_was_cut_off_is_replayed_and_said_not_to_be_whole(
    app: App, database: dict[str, str], tmp_path: Path, lines: int
) -> None:
    stones = [json.dumps({"tombstone": f"shop:{number}", "at": "2026-01-31T09:30:00+00:00"}) for number in range(2)]
    kept = tmp_path / "erasures.ndjson"
    kept.write_text("".join(f"{line}\n" for line in stones[:lines]))
    replayed = app("erasures", "replay", kept, **database)
    assert replayed.code == 1
    assert f"{kept} is not whole" in replayed.err
    whole = app("erasures", "export", **database).out
    assert len(whole.splitlines()) == lines + 1
    kept.write_text(whole)
    assert app("erasures", "replay", kept, **database).code == 0


# ---------------------------------------------------------------- trusted documents


def test_a_manifest_is_loaded_listed_and_dropped(app: App, database: dict[str, str], tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(
        json.dumps({"who": "query Who { viewer { name } }", "roles": "query Roles { viewer { roles } }"})
    )
    loaded = app("documents", "load", manifest, **database)
    assert (loaded.code, loaded.err) == (0, "2 documents loaded, 0 were known, 0 are bad.\n")
    assert app("documents", "load", manifest, **database).err == "0 documents loaded, 2 were known, 0 are bad.\n"
    lines = app("documents", "list", **database).out.splitlines()
    assert [line.split()[1::2] for line in lines] == [["Roles", "roles"], ["Who", "who"]]
    digest = lines[0].split()[0]
    assert re.fullmatch("sha256:[0-9a-f]{64}", digest)
    assert app("documents", "drop", digest, **database).out == f"{lines[0]}\n"
    assert app("documents", "drop", "Who", **database).out == f"{lines[1]}\n"
    nobody = app("documents", "drop", "Who", **database)
    assert (nobody.code, nobody.out) == (2, "")
    assert "No trusted document has the id Who" in nobody.err
    assert app("documents", "list", **database).out == ""


def test_a_bad_document_is_named_and_the_others_are_loaded(app: App, database: dict[str, str], tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"bad": "query Bad { zzzzzz }", "who": "query Who { viewer { name } }"}))
    loaded = app("documents", "load", manifest, **database)
    assert loaded.code == 1
    assert loaded.err.splitlines() == [
        "bad: Cannot query field 'zzzzzz' on type 'Query'.",
        "1 documents loaded, 0 were known, 1 are bad.",
    ]
    for text, fault in (("[]", "is not a manifest: it is not an object."), ("{", "is not a manifest: it is not JSON")):
        manifest.write_text(text)
        refused = app("documents", "load", manifest, **database)
        assert refused.code == 2
        assert fault in refused.err
    missing = app("documents", "load", tmp_path / "nowhere.json", **database)
    assert (missing.code, "cannot be read: No such file" in missing.err) == (2, True)


# ---------------------------------------------------------------- what is done


def test_indexes_are_checked_and_built(app: App, database: dict[str, str]) -> None:
    differs = app("indexes", "--check", **database)
    assert (differs.code, "activities: the collection is missing" in differs.out) == (1, True)
    assert app("indexes", "--apply", **database).out == "Everything is as declared.\n"
    assert app("indexes", "--check", **database).code == 0


def test_the_schema_is_printed_and_compared(app: App, tmp_path: Path) -> None:
    shown = app("schema").out
    assert shown == printed()
    assert app("schema", "--subgraph").out == printed_subgraph()
    older = tmp_path / "older.graphql"
    older.write_text(shown + "type Forgotten { id: ID! }\n")
    differs = app("schema", "--check", older)
    assert (differs.code, "make schema" in differs.err) == (2, True)
    breaks = app("schema", "--against", older)
    assert (breaks.code, "Forgotten was removed" in breaks.err) == (2, True)


def test_an_import_says_what_went_in_and_which_lines_were_bad(
    app: App, database: dict[str, str], tmp_path: Path
) -> None:
    # A copy: an import writes its rejects beside its file, where other tests look for the examples.
    good = copyfile(EXAMPLES / "esuite.ndjson", tmp_path / "esuite.ndjson")
    assert app("import", good, **database).code == 0
    rejects = tmp_path / "rejects.ndjson"
    again = app("import", "-", "--rejects", rejects, **database, stdin=good.read_text() + '{"kind": "customer"}\n')
    assert again.code == 1
    assert str(rejects) in again.err
    (reject,) = rejects.read_text().splitlines()
    assert json.loads(reject)["line"] == len(good.read_text().splitlines()) + 1


def test_the_rejects_of_an_earlier_import_are_kept_beside_the_new_ones_and_no_other_file_is_touched(
    app: App, database: dict[str, str], tmp_path: Path
) -> None:
    bad = '{"kind": "customer"}\n'
    rejects = tmp_path / "rejects.ndjson"
    for number in range(3):
        run = app("import", "-", "--rejects", rejects, **database, stdin=bad * (number + 1))
        assert run.code == 1
        assert len(rejects.read_text().splitlines()) == number + 1
        assert ("of an earlier import are now in" in run.err) is bool(number)
    assert app("import", "-", "--rejects", rejects, **database, stdin="").code == 0
    assert not rejects.exists()
    kept = [file.read_text().count("\n") for file in tmp_path.glob("rejects.*.ndjson")]
    assert sorted(kept) == [1, 2, 3]
    thesis = tmp_path / "thesis.txt"
    for text in ("years of work", '{"line": 1}\n', "[1]\n"):
        thesis.write_text(text)
        refused = app("import", "-", "--rejects", thesis, MONGODB_URI=NOBODY, stdin=bad)
        assert (refused.code, "is not the rejects file of an import" in refused.err) == (2, True)
        assert thesis.read_text() == text
    refused = app("import", thesis, "--rejects", thesis, MONGODB_URI=NOBODY)
    assert (refused.code, "is the file to import" in refused.err) == (2, True)


def test_the_file_to_import_is_never_the_one_for_its_rejects(app: App, tmp_path: Path) -> None:
    """By its name, by another, or as a shell's standard input; and nothing is asked of a database before."""
    rejects = tmp_path / "rejects.ndjson"
    rejects.write_text('{"line": 1, "reason": "x", "input": "y"}\n')
    link = tmp_path / "link.ndjson"
    link.symlink_to(rejects)
    for given, named in ((rejects, rejects), (rejects, link), (link, rejects)):
        refused = app("import", given, "--rejects", named, MONGODB_URI=NOBODY)
        assert (refused.code, "is the file to import" in refused.err) == (2, True)
    with rejects.open("rb") as stdin:
        piped = subprocess.run(
            command("import", "-", "--rejects", str(rejects)), env=bare_environment(MONGODB_URI=NOBODY), stdin=stdin,
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
    assert (piped.returncode, b"is the file to import" in piped.stderr) == (2, True)
    assert rejects.read_text() == '{"line": 1, "reason": "x", "input": "y"}\n'


def test_imports_of_standard_input_in_one_folder_keep_their_rejects_apart_and_first_ones_run_at_once(
    database: dict[str, str], tmp_path: Path, driver: Driver
) -> None:
    """Four at once, on a database that is not there yet: each with its own bad line, and its row in the audit log."""
    environment = bare_environment(**database, MONGODB_DRIVER=driver, PYTHONPATH=str(Path.cwd()))
    running = [
        subprocess.Popen(
            command("import", "-"), env=environment, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for number, each in enumerate(running):
        assert each.stdin
        line = {"kind": "customer", "source": "esuite", "id": f"E{number}", "number": f"{number}", "name": "Ada"}
        good = json.dumps({**line, "registeredAt": "2023-01-01T00:00:00Z"})
        each.stdin.write(f'{good}\n{{"kind": "bad {number}"}}\n'.encode())
        each.stdin.close()
    said = [each.stderr.read() for each in running if each.stderr]
    assert [each.wait(120) for each in running] == [1] * 4, said
    for each in running:
        assert each.stderr
        each.stderr.close()
    files = sorted(tmp_path.iterdir())
    inputs = sorted(json.loads(json.loads(file.read_text())["input"])["kind"] for file in files)
    assert inputs == [f"bad {number}" for number in range(4)]
    with MongoClient[Any](database["MONGODB_URI"]) as client:
        own = client[database["MONGODB_DATABASE"]]
        assert own.customers.count_documents({}) == 4
        assert own.audit.count_documents({"action": "import", "outcome": "ACCEPTED"}) == 4


def test_two_imports_do_not_write_their_rejects_to_one_file(app: App, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.ndjson"
    with rejects.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = app("import", "-", "--rejects", rejects, MONGODB_URI=NOBODY)
    assert (refused.code, "Another import writes" in refused.err) == (2, True)


@pytest.mark.parametrize("place", ["no/such/folder/file", "", "a file/below"])
@pytest.mark.parametrize(
    "words",
    [["import", "-", "--rejects"], ["export", "customers", "--out"], ["schema", "--check"], ["schema", "--against"]],
)
def test_a_file_that_cannot_be_used_is_said_in_a_sentence_before_any_work(
    app: App, tmp_path: Path, words: list[str], place: str
) -> None:
    (tmp_path / "a file").touch()
    refused = app(*words, tmp_path / place, MONGODB_URI=NOBODY)
    assert refused.code == 2
    assert re.search(r"cannot be (read|written): \w.*\.\n$", refused.err), refused.err
    assert (refused.out, len(refused.err.splitlines())) == ("", 1)


def test_a_check_of_an_import_says_what_becomes_of_each_line_and_makes_no_database(
    app: App, database: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "lines.ndjson"
    file.write_bytes((EXAMPLES / "overview.ndjson").read_bytes() + b'{"kind": "cupon"}\n')
    count = len(file.read_text().splitlines())
    shown = app("import", file, "--check", **database)
    assert (shown.code, len(shown.out.splitlines())) == (1, count)
    assert shown.out.splitlines()[0] == "1  customer  imported"
    assert re.search(rf"^{count}  unreadable  rejected  kind must be .*; did you mean coupon\?$", shown.out, re.M)
    assert "Nothing was written.\n" in shown.err
    assert "  1 rejected: kind must be" not in shown.out
    told = app("import", file, "--check", "--json", **database)
    *lines, summary = [json.loads(line) for line in told.out.splitlines()]
    assert [f"{line['line']}  {line['kind']}  {line['outcome'].lower()}" for line in lines] == [
        "  ".join(line.split("  ")[:3]) for line in shown.out.splitlines()
    ]
    with MongoClient[Any](database["MONGODB_URI"]) as client:
        assert [name for name in client.list_database_names() if name.startswith(database["MONGODB_DATABASE"])] == []
    assert [each.name for each in tmp_path.iterdir()] == ["lines.ndjson"]  # no rejects either
    refused = app("import", file, "--check", "--rejects", tmp_path / "x", MONGODB_URI=NOBODY)
    assert (refused.code, "--check writes no rejects" in refused.err) == (2, True)
    done = json.loads(app("import", file, "--json", **database).out)
    assert (done.pop("isCheck"), done.pop("id")[:4], done.pop("rejects")) == (False, "imp_", f"{file}.rejects.ndjson")
    assert (summary.pop("isCheck"), summary.pop("id"), summary.pop("rejects")) == (True, None, None)
    assert summary == done
    assert list(done) == ["lines", "counts", "reasons", "warnings", "unknownTypes", "pointsOwed"]


STOPPED = "Stopped. What was brought in stays; the same command again brings in the rest."


@pytest.mark.parametrize(
    ("words", "number", "said"),
    [
        (["import", "-", "--check"], signal.SIGINT, "Stopped. Nothing was written."),
        (["import", "-", "--check"], signal.SIGTERM, "Stopped. Nothing was written."),
        (["import", "-"], signal.SIGINT, STOPPED),
        (["import", "-"], signal.SIGHUP, STOPPED),
        (["import", "-", "--mapping", EXAMPLES / "mappings" / "stripe.toml"], signal.SIGINT, STOPPED),
        (["reconcile", "-"], signal.SIGINT, "Comparing"),
    ],
)
def test_what_waits_for_its_input_is_stopped_by_one_signal_and_leaves_no_second_database(
    database: dict[str, str], tmp_path: Path, words: list[str | Path], number: int, said: str
) -> None:
    with MongoClient[Any](database["MONGODB_URI"]) as client, pipe() as (end, write):
        with subprocess.Popen(
            command(*words),
            cwd=tmp_path,
            env=bare_environment(**database, PYTHONPATH=str(ROOT)),
            stdin=end,
            stderr=subprocess.PIPE,
            text=True,
        ) as waiting:
            try:
                os.write(write, b'{"kind": "coupon"}\n')
                while unread(end):
                    assert waiting.poll() is None
                    time.sleep(0.05)  # a pipe does not tell that it was read
                waiting.send_signal(number)
                told = waiting.communicate(timeout=30)[1]
            finally:
                waiting.kill()
        assert (waiting.returncode, said in told, "Traceback" in told) == (130, True, False), told
        names = [name for name in client.list_database_names() if name.startswith(database["MONGODB_DATABASE"])]
        assert names in ([], [database["MONGODB_DATABASE"]])
    assert [*tmp_path.iterdir()] == []


def test_a_mistyped_type_is_said_or_refused(app: App, database: dict[str, str], tmp_path: Path) -> None:
    line = (EXAMPLES / "overview.ndjson").read_text().splitlines()[0]
    owner = {key: json.loads(line)[key] for key in ("source", "id")}
    activity = {"kind": "activity", "source": "crm", "id": "1", "customer": owner, "type": "BIRHTDAY"}
    lines = f"{line}\n{json.dumps({**activity, 'occurredAt': '2024-01-01T00:00:00Z'})}\n"
    rejects = ("--rejects", tmp_path / "rejects.ndjson")
    refused = app("import", "-", "--unknown-types", "refuse", *rejects, **database, stdin=lines)
    assert (refused.code, "1 rejected: type BIRHTDAY is unknown; did you mean BIRTHDAY?" in refused.err) == (1, True)
    kept = app("import", "-", *rejects, **database, stdin=lines)
    assert kept.code == 0
    assert "1 of the unknown type BIRHTDAY, kept as legacy; did you mean BIRTHDAY?" in kept.err


def test_imports_are_listed_undone_and_what_waits_is_dropped_on_the_machine(
    app: App, database: dict[str, str], tmp_path: Path, overview: Path
) -> None:
    with MongoClient[Any](database["MONGODB_URI"]) as client:
        inside = client[database["MONGODB_DATABASE"]]
        nothing = f"imp_{'0' * 26}"
        for _ in range(2):  # in a database that is not there, and in an empty one
            assert app("imports", **database).out == "Nothing was imported yet.\n"
            assert app("imports", "parked", **database).out == "Nothing waits.\n"
            for wrong in (nothing, "imp_", "overview.ndjson"):
                refused = app("imports", "undo", wrong, **database)
                assert (refused.code, refused.out) == (2, "")
                assert refused.err == "There is no such import. Nothing was changed.\n"
            refused = app("imports", "drop-parked", "lost", "1", **database)
            assert (refused.code, refused.err) == (2, "Nothing waits for 1 of lost. Nothing was dropped.\n")
            assert inside["audit"].count_documents({}) == 0
            assert app("indexes", "--apply", **database).code == 0
        activity = {"kind": "activity", "source": "crm", "id": "1", "customer": {"source": "lost", "id": "1"}}
        line = json.dumps({**activity, "type": "BIRTHDAY", "occurredAt": "2024-01-01T00:00:00Z"})
        lines = (EXAMPLES / "overview.ndjson").read_text() + line
        rejects = ("--rejects", tmp_path / "rejects.ndjson")
        done = app("import", "-", *rejects, **database, stdin=lines)
        [batch_id] = re.findall(r"^imp_\w+$", done.err, re.MULTILINE)
        imported = json.loads(app("import", overview, "--json", **database).out)
        listed = app("imports", **database).out.splitlines()
        assert [each.split()[0] for each in listed] == [imported["id"], batch_id]
        assert app("imports", "--limit", "1", **database).out.splitlines() == listed[:1]
        assert re.fullmatch(
            r"1 of lost  1 lines since [0-9-]{10}: activity\n", app("imports", "parked", **database).out
        )
        assert app("imports", "parked", "--limit", "0", **database).code == 2
        assert app("imports", "drop-parked", "lost", "1", **database).out == "1\n"
        assert app("imports", "drop-parked", "lost", **database).code == 2
        assert inside["customers"].count_documents({}) == 1
        finished = inside["imports"].find_one_and_update(
            {"_id": batch_id}, {"$set": {"seenAt": datetime.now(UTC)}, "$unset": {"finishedAt": 1}}
        )
        assert finished
        refused = app("imports", "undo", batch_id, **database)
        assert (refused.code, "This import has not ended: it was seen at" in refused.err) == (2, True)
        inside["imports"].update_one({"_id": batch_id}, {"$set": {"finishedAt": finished["finishedAt"]}})
        undone = app("imports", "undo", batch_id, **database)
        assert (undone.code, "1 customer taken back" in undone.out.splitlines()) == (0, True)
        assert inside["customers"].count_documents({}) == 0
        assert app("imports", "undo", batch_id, **database).out == "There was nothing to take back.\n"
        assert app("imports", **database).out.splitlines()[1].endswith("undone")
        assert sorted(row["action"] for row in inside["audit"].find({})) == [
            *("dropParked", "import", "import", "undoImport", "undoImport")
        ]


@pytest.mark.parametrize("words", [[], ["parked"], ["undo", "imp_1"], ["drop-parked", "lost", "1"]])
def test_what_is_said_of_imports_makes_no_empty_database(app: App, tmp_path: Path, words: list[str]) -> None:
    refused = app("imports", *words, "--data", tmp_path / "typo")
    assert (refused.code, "There is no database in" in refused.err) == (2, True)
    assert not (tmp_path / "typo").exists()


def test_standard_input_is_imported_where_no_file_can_be_made(database: dict[str, str]) -> None:
    """A folder that takes no file is no reason to import half of something: it is said first."""
    refused = subprocess.run(
        command("import", "-"), env=bare_environment(**database, PYTHONPATH=str(Path.cwd())), cwd="/proc", input=b"",
        capture_output=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert re.fullmatch(rb"stdin\.[0-9T]+\.\d+\.rejects\.ndjson cannot be written: .*\.\n", refused.stderr)


@pytest.mark.parametrize("words", [["export", "customers"], ["rebuild"], ["worker", "--once"]])
def test_what_needs_data_makes_no_empty_database(app: App, tmp_path: Path, words: list[str]) -> None:
    refused = app(*words, "--data", tmp_path / "typo")
    assert (refused.code, "There is no database in" in refused.err) == (2, True)
    assert not (tmp_path / "typo").exists()


# ---------------------------------------------------------------- the sample


def test_what_a_database_holds_is_dropped_only_by_who_types_its_name(
    app: App, database: dict[str, str], overview: Path
) -> None:
    assert app("import", overview, **database).code == 0
    name = database["MONGODB_DATABASE"]
    with MongoClient[Any](database["MONGODB_URI"]) as client:
        customers = client[name]["customers"]
        there = list(customers.find())
        for words in (
            ["seed"],
            ["seed", "--customers", "9"],
            ["seed", "--drop", "other"],
            ["demo", "--drop", f"{name} "],
        ):
            refused = app(*words, **database, PORT="0")
            assert refused.code == 2
            assert "Nothing was" in refused.err
            assert "--drop" not in refused.err or "is not the name" in refused.err  # no message recommends it
            assert list(customers.find()) == there
        assert app("seed", "--customers", "8", "--drop", name, **database).code == 0
        assert customers.count_documents({}) == 8


def test_a_sample_that_was_interrupted_is_completed_and_nothing_else_is_touched(
    app: App, database: dict[str, str], overview: Path
) -> None:
    seeded_at = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)  # what the sample holds depends on when it was begun
    with time_machine.travel(seeded_at, tick=False):
        assert app("seed", "--customers", "9", **database).code == 0
    with MongoClient[Any](database["MONGODB_URI"], tz_aware=True) as client:
        half = client[database["MONGODB_DATABASE"]]
        names = ("customers", "activities", "points")
        whole = {name: {each["_id"]: each for each in half[name].find()} for name in names}
        assert app("import", overview, **database).code == 0
        imported = half["customers"].find_one({"number": "100231"})
        assert imported
        # As a crash leaves it: the mark, some customers, some of their rows.
        half["unfinished"].insert_one({"_id": "sample", "customers": 9, "now": seeded_at})
        half["customers"].delete_many({"number": {"$in": ["C-100004", "C-100009"]}})
        half["activities"].delete_many({"_id": {"$in": sorted(whole["activities"])[::3]}})
        half["customers"].update_one({"number": "C-100002"}, {"$set": {"name": "Corrected by hand"}})
        assert app("seed", "--customers", "1000", **database).code == 0
        again = {name: {each["_id"]: each for each in half[name].find()} for name in names}
        assert again["customers"].pop(imported["_id"]) == imported
        assert half["unfinished"].count_documents({}) == 0
    corrected = next(each for each in whole["customers"].values() if each["number"] == "C-100002")
    corrected["name"] = "Corrected by hand"
    assert again["customers"] == whole["customers"]
    for name in ("activities", "points"):
        assert {key: row for key, row in again[name].items() if row["customerId"] != imported["_id"]} == whole[name]


def test_half_a_sample_of_an_older_version_is_said_and_kept(app: App, database: dict[str, str]) -> None:
    with MongoClient[Any](database["MONGODB_URI"]) as client:
        half = client[database["MONGODB_DATABASE"]]
        half["unfinished"].insert_one({"_id": "sample"})
        refused = app("seed", **database)
        assert (refused.code, "An older version" in refused.err) == (2, True)
        assert half["unfinished"].count_documents({}) == 1


def test_the_demo_says_that_it_ignores_a_number_of_customers(
    database: dict[str, str], tmp_path: Path, app: App
) -> None:
    assert app("seed", "--customers", "8", **database).code == 0
    for words, ignored in (([], False), (["--customers", "8"], True), (["--customers", "1000"], True)):
        with demo(*words, "--data", tmp_path, **database) as (process, _):
            pass
        assert ("is ignored: the database has its customers already" in process.said) is ignored


# ---------------------------------------------------------------- the demo


def test_the_demo_answers_and_leaves_nothing_behind(app: App, tmp_path: Path) -> None:
    with demo("--customers", "20", "--data", tmp_path) as (process, address):
        assert asked(address, '{ customer(by: {number: "C-100002"}) { number } }', "no token") == 401
        token = app("token", "--role", "admin", "--data", tmp_path).out.strip()
        answer = asked(address, '{ customer(by: {number: "C-100002"}) { number } }', token)
        assert answer["data"] == {"customer": {"number": "C-100002"}}
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr
        assert "Traceback" not in process.stderr.read()
    assert not listens(port_in(tmp_path))


def test_the_demo_says_who_one_can_be_and_how_to_get_a_token_but_prints_none(app: App, tmp_path: Path) -> None:
    with demo("--customers", "8", "--data", tmp_path) as (process, _):
        assert "In both you can be: Customer service agent, " in process.said
        shown = re.search(r"A token for other programs: (.*)", process.said)
        assert shown
        printed = subprocess.run(shlex.split(shown[1]), env=bare_environment(), capture_output=True, check=True)
        assert printed.stdout.startswith(b"eyJ")
        assert "eyJ" not in process.said  # how each token begins


def test_a_customers_token_is_made_for_an_id_and_for_a_number(
    app: App, database: dict[str, str], tmp_path: Path
) -> None:
    assert app("seed", "--customers", "8", **database).code == 0
    with MongoClient[Any](database["MONGODB_URI"]) as client:
        ada = client[database["MONGODB_DATABASE"]]["customers"].find_one({"number": "C-100003"})
    assert ada
    for customer in ("C-100003", ada["_id"]):
        made = app("token", "--role", "customer", "--customer", customer, JWT_SECRET=SECRET, **database)
        assert made.code == 0
        assert decode(made.out.strip(), options={"verify_signature": False})["customerId"] == ada["_id"]
    refused = app("token", "--role", "customer", "--customer", "C-1", JWT_SECRET=SECRET, **database)
    assert (refused.code, refused.out) == (2, "")
    assert "No customer has the number C-1" in refused.err


def test_a_token_of_a_demo_that_never_ran_is_not_made(app: App, tmp_path: Path) -> None:
    refused = app("token", "--role", "admin", "--data", tmp_path / "typo")
    assert (refused.code, "There is no secret in" in refused.err) == (2, True)
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    "host", ["nowhere.invalid", "192.0.2.1", "127.0.0.1:8000", "[::1]", ".", "a" * 70, "http://127.0.0.1"]
)
def test_a_host_that_is_no_address_of_this_machine_is_said(app: App, host: str) -> None:
    refused = app("serve", MONGODB_URI=NOBODY, HOST=host, **SERVES)
    assert refused.code == 2
    assert (
        refused.err == f"HOST={host} is no address of this machine. Example: HOST=127.0.0.1, or HOST=0.0.0.0 for all.\n"
    )


@pytest.mark.parametrize("words", ["serve", "serve --workers 2", "worker"])
def test_what_works_until_it_is_told_to_end_ends_well_by_sigterm(words: str, database: dict[str, str]) -> None:
    """By another code than 0 systemd calls the unit failed, which it has just been told to stop."""
    environment = bare_environment(**database, **SERVES, PORT="0", DRAIN_SECONDS="0")
    with subprocess.Popen(command(*words.split()), env=environment, stderr=subprocess.PIPE, text=True) as working:
        assert working.stderr
        said = list[str]()
        ready = {"serve --workers 2": "all workers are ready"}.get(words, "ready")
        for line in working.stderr:
            said.append(line)
            if f'"event": "{ready}"' in line:
                break
        working.terminate()
        said += working.stderr.readlines()
        assert working.wait(60) == 0, said
    assert "Traceback" not in "".join(said)


def test_ctrl_c_while_modules_are_imported_prints_no_traceback() -> None:
    """They take half a second, and the driver is one of the last."""
    words = [sys.executable, "-X", "importtime", "-m", "app", "access"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as importing:
        assert importing.stderr
        while "pymongo" not in importing.stderr.readline():
            pass
        importing.send_signal(signal.SIGINT)
        rest = importing.stderr.read()
        assert importing.wait(30) in (-signal.SIGINT, 130)
    assert "Traceback" not in rest


def test_what_nohup_starts_goes_on_when_its_terminal_is_closed(database: dict[str, str]) -> None:
    environment = bare_environment(**database)
    words = ["nohup", *command("worker")]
    with subprocess.Popen(
        words, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stderr
        while '"event": "ready"' not in worker.stderr.readline():
            pass
        worker.send_signal(signal.SIGHUP)
        worker.send_signal(signal.SIGTERM)
        worker.stderr.read()
        assert worker.wait(30) == 0  # 130 would be that of SIGHUP


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_after_the_work_ends_what_python_does_at_the_exit_without_a_traceback(ending: signal.Signals) -> None:
    """The driver waits there for its threads, a second each."""
    late = "import atexit, sys, time; atexit.register(lambda: (print('over', flush=True), time.sleep(60)))\n"
    program = late + "sys.argv = ['app', 'access']\nfrom app.__main__ import main\nmain()"
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ended:
        assert ended.stdout
        assert ended.stderr
        while ended.stdout.readline() != "over\n":
            pass
        ended.send_signal(ending)
        assert (ended.wait(30), ended.stderr.read()) == (-ending, "")


def test_what_a_killed_demo_leaves_does_not_block_the_next(tmp_path: Path) -> None:
    with demo("--customers", "20", "--data", tmp_path) as (process, _):
        process.kill()
    server = port_in(tmp_path)
    assert listens(server)
    with demo("--data", tmp_path) as (process, _):
        assert port_in(tmp_path) == server
        with MongoClient[Any]("127.0.0.1", server) as client:  # what there is, is kept: no thousand customers
            assert client["customer_gateway"]["customers"].count_documents({}) < 100
        process.terminate()
        assert process.wait(timeout=30) == 130
    assert not listens(server)


# ---------------------------------------------------------------- helpers


class Demo(subprocess.Popen[str]):
    """``said`` is what it printed until it answered."""

    said = ""


@contextmanager
def demo(*words: str | Path, **environment: str) -> Generator[tuple[Demo, str]]:
    """A demo that answers, and its address. On leaving it is interrupted as by Ctrl-C."""
    with Demo(
        command("demo", *words),
        env=bare_environment(PORT="0") | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr
            while "Application startup complete" not in process.said:
                line = process.stderr.readline()
                assert line, f"The demo did not start:\n{process.said}"
                process.said += line
            address = re.search(r"http://\S+(?=/graphql)", process.said)
            assert address, process.said
            yield process, address[0]
        finally:
            process.send_signal(signal.SIGINT)


@contextmanager
def pipe() -> Generator[tuple[int, int]]:
    """Gives the two ends of a pipe that stays open, however little is written into it."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def unread(end: int) -> int:
    """Returns how many bytes of a pipe nobody has taken yet."""
    return int.from_bytes(fcntl.ioctl(end, termios.FIONREAD, bytes(4)), sys.byteorder)


def asked(address: str, query: str, token: str) -> Any:
    """The answer, or the status of a refusal."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    response = httpx2.post(f"{address}/graphql", json={"query": query}, headers=headers)
    return response.json() if response.is_success else response.status_code


def port_in(folder: Path) -> int:
    return int((folder / "port").read_text())


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_what_is_copied_is_checked_and_made_again(app: App, database: dict[str, str]) -> None:
    assert app("seed", "--customers", "6", **database).code == 0
    checked = app("rebuild", "--check", **database)
    assert (checked.code, checked.out) == (
        0,
        "Every counted day is as its activities, and every preview as its lists.\n",
    )
    with MongoClient[Any](database["MONGODB_URI"]) as client:
        inside = client[database["MONGODB_DATABASE"]]
        day = inside["tallies"].find_one({"counts.0": {"$exists": True}}, sort=[("_id", -1)])
        assert day
        inside["tallies"].update_one({"_id": day["_id"]}, {"$set": {"counts": []}})
        inside["customers"].update_many({}, {"$set": {"spendable": -1}})
        head = inside["heads"].find_one_and_update({"activities.0": {"$exists": True}}, {"$set": {"activities": []}})
        assert head
        checked = app("rebuild", "--check", **database)
        assert (checked.code, checked.out) == (1, f"{day['_id']:%Y-%m-%d}: differs\n{head['_id']}: differs\n")
        assert app("rebuild", **database).code == 0
        assert app("rebuild", "--check", **database).code == 0
        assert inside["customers"].count_documents({"spendable": -1}) == 0
        assert inside["tallies"].count_documents({"counts": {"$exists": True}}) == 0  # the worker's, in two minutes


@pytest.mark.parametrize("words", ["rebuild", "indexes --apply"])
def test_whose_copies_could_not_be_made_is_named_and_the_exit_code_is_not_0(
    words: str, app: App, database: dict[str, str]
) -> None:
    assert app("seed", "--customers", "3", **database).code == 0
    with MongoClient[Any](database["MONGODB_URI"]) as client:
        inside = client[database["MONGODB_DATABASE"]]
        spoilt = inside["customers"].find_one({})
        assert spoilt
        keys = {"$set": {"status": "NO_SUCH_STATUS"}, "$unset": {"spendable": ""}}
        update = {"q": {"_id": spoilt["_id"]}, "u": keys}
        inside.command("update", "customers", updates=[update], bypassDocumentValidation=True)
    ended = app(*words.split(), **database)
    assert ended.code == 1, ended
    said = f"{spoilt['_id']}: what customers are listed by could not be made again; see the log above."
    assert said in ended.err.splitlines()


def test_a_ledger_that_cannot_be_repaired_is_named_and_the_exit_code_is_not_0(
    app: App, database: dict[str, str]
) -> None:
    """As where collections were saved one after the other: the customer is older than the entries."""
    assert app("seed", "--customers", "3", **database).code == 0
    with MongoClient[Any](database["MONGODB_URI"]) as client:
        points = client[database["MONGODB_DATABASE"]]["points"]
        last = points.find_one({}, sort={"seq": -1})
        assert last
        points.delete_one({"_id": last["_id"]})
    for words in (["rebuild"], ["rebuild", "--check"]):
        ended = app(*words, **database)
        assert ended.code == 1, ended
        said = f"{last['customerId']}: the points are not what their entries leave"
        assert ended.err.splitlines().count(said) == 1


# ---------------------------------------------------------------- exports


WINDOW = '{"occurredAt": {"from": "2000-01-01T00:00:00Z"}}'


def test_customers_and_the_report_are_exported_to_a_file_and_to_standard_output(
    app: App, database: dict[str, str], tmp_path: Path
) -> None:
    assert app("seed", "--customers", "6", **database).code == 0
    file = tmp_path / "customers.csv"
    order = ("--order-by", '{"field": "NUMBER"}')
    written = app("export", "customers", "--columns", "number, tags", *order, "--out", file, **database)
    assert (written.code, written.out) == (0, "")
    assert file.stat().st_mode & 0o777 == 0o600
    lines = file.read_bytes().splitlines(keepends=True)
    with MongoClient[Any](database["MONGODB_URI"]) as client:
        first = client[database["MONGODB_DATABASE"]]["customers"].find_one({"number": "C-100001"})
    assert first
    assert len(first["tags"]) > 1
    assert lines[:2] == [b"Number,Tags\r\n", f'C-100001,"{", ".join(first["tags"])}"\r\n'.encode()]
    assert f"{len(lines) - 1} rows, {file.stat().st_size:,} bytes written." in written.err
    layout = ("--separator", "semicolon", "--bom", "--time-zone", "Asia/Kolkata")
    local = tmp_path / "local.csv"
    columns = ("--columns", "number,registeredAt")
    assert app("export", "customers", *columns, *order, *layout, "--out", local, **database).code == 0
    here = first["registeredAt"].replace(tzinfo=UTC).astimezone(ZoneInfo("Asia/Kolkata"))
    number, registered = local.read_bytes().splitlines()[1].split(b";")
    assert local.read_bytes().startswith(b"\xef\xbb\xbfNumber;")
    assert (number, datetime.fromisoformat(registered.decode())) == (b"C-100001", here)
    assert registered.endswith(b"+05:30")
    nowhere = app("export", "customers", "--time-zone", "Middle/Earth", **database)
    assert (nowhere.code, nowhere.out) == (2, "")
    assert "Middle/Earth" in nowhere.err
    rows = (tmp_path / "rows.ndjson", "--columns", "type,customer.number,attribute.emailSubject")
    report = app("export", "report", "--format", "ndjson", "--filter", WINDOW, "--out", *rows, **database)
    assert report.code == 0
    result = [json.loads(line) for line in rows[0].read_text().splitlines()]
    with MongoClient[Any](database["MONGODB_URI"]) as client:
        inside = client[database["MONGODB_DATABASE"]]
        assert len(result) == inside["activities"].count_documents({"legacy": False}) > 300
    assert {row["customer.number"] for row in result} >= {"C-100001", "C-100003"}
    shown = subprocess.run(
        command("export", "report", "--table", "actions", "--filter", WINDOW),
        env=bare_environment(**database),
        capture_output=True,
        text=True,
        check=True,
    )
    _, *actions = shown.stdout.splitlines()
    assert sum(int(line.rpartition(",")[2]) for line in actions) == len(result)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["customers", "--columns", "emial"], 'There is no column "emial". Did you mean "email"?'),
        (["customers", "--filter", '{"nme": "x"}'], "Did you mean 'name'?"),
        (["customers", "--filter", "{"], "Expecting property name"),
        (["customers", "--filter", "[1]"], "CustomerFilter"),
        (["customers", "--filter", '{"payments": {"min": 2, "max": 1}}'], "min must not be greater than max"),
        (["report"], "to include required field 'occurredAt'"),
        (["customers", "--table", "ACTIONS"], "--table is an option of `export report`."),
        (["report", "--filter", '{"occurredAt": {}}', "--order-by", "{}"], "--order-by is an option of"),
    ],
)
def test_what_cannot_be_exported_is_said_before_anything_is_started(app: App, words: list[str], said: str) -> None:
    refused = app("export", *words, MONGODB_URI=NOBODY)
    assert refused.code == 2
    assert refused.err.startswith("This cannot be exported: ")
    assert said in refused.err


def test_an_export_that_is_stopped_says_how_far_it_came_and_leaves_what_was_there(
    app: App, database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert app("indexes", "--apply", **database).code == 0
    file = tmp_path / "customers.csv"
    file.write_text("yesterday's")

    async def stopped(store: Store, plan: ExportPlan) -> AsyncGenerator[Batch]:
        async for batch in batches(store, plan):
            yield batch
            raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "batches", stopped)
    ended = app("export", "customers", "--out", file, **database)
    assert ended.code == 130
    assert re.search(r"Stopped after 0 rows, \d+ bytes. .*customers.csv was not written.", ended.err)
    assert "Traceback" not in ended.err
    assert [each.name for each in tmp_path.iterdir()] == ["customers.csv"]
    assert file.read_text() == "yesterday's"


# ---------------------------------------------------------------- webhooks


def test_webhooks_are_managed_on_the_machine_and_it_is_on_record(app: App, database: dict[str, str]) -> None:
    assert app("indexes", "--apply", **database).code == 0
    refused = app("webhooks", "create", "CRM", "http://example.com/", **database)
    assert (refused.code, "https:// is needed" in refused.err) == (2, True)
    created = app("webhooks", "create", "CRM", "https://example.com/hooks", "NOTE_ADDED", **database)
    endpoint_id, secret = created.out.split()
    assert (created.code, secret.startswith("whsec_")) == (0, True)
    rotated = app("webhooks", "rotate", endpoint_id, **database)
    assert rotated.out.strip() not in ("", secret)
    window = ("2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z")
    assert app("webhooks", "redeliver", endpoint_id, *window, **database).out.strip() == "0"
    assert app("webhooks", "redeliver", endpoint_id, "yesterday", "today", **database).code == 2
    assert app("webhooks", "disable", endpoint_id, **database).code == 0
    assert app("webhooks", "redeliver", endpoint_id, *window, **database).code == 2
    listed = app("webhooks", "list", **database).out
    assert listed.strip() == (f"{endpoint_id}  DISABLED  CRM  https://example.com/hooks  An administrator disabled it.")
    assert secret not in listed
    with MongoClient[Any](database["MONGODB_URI"]) as client:
        rows = [*client[database["MONGODB_DATABASE"]].audit.find({}, sort=[("at", 1)])]
    assert [(row["action"], row["actor"]["subject"]) for row in rows] == [
        ("createWebhookEndpoint", "command line"),
        ("rotateWebhookSecret", "command line"),
        ("redeliverWebhooks", "command line"),
        ("updateWebhookEndpoint", "command line"),
    ]
