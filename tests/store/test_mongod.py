"""The mongod that we run ourselves, with real servers: each test has a folder and whatever runs in it."""

import importlib.util
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient

from app.store.mongod import MongodUnavailable, embedded_mongod, find_mongod

ANOTHER_USER = """
import sys, time
from pathlib import Path
from app.store.mongod import embedded_mongod
with embedded_mongod(Path(sys.argv[1])) as uri:
    print(uri, flush=True)
    time.sleep(600)
"""


def test_data_survive_a_restart_and_nothing_runs_in_between(tmp_path: Path) -> None:
    with embedded_mongod(tmp_path) as uri:
        keep(uri, "a letter")
    assert not runs(uri)
    with embedded_mongod(tmp_path) as again:
        assert again == uri
        assert kept(again) == ["a letter"]


def test_it_is_a_replica_set_on_loopback_that_knows_transactions(tmp_path: Path) -> None:
    with embedded_mongod(tmp_path) as uri, MongoClient[Any](uri) as client:
        assert client.admin.command("hello")["isWritablePrimary"]
        with client.start_session() as session, session.start_transaction():
            client["tests"]["kept"].insert_one({"what": "both"}, session=session)
        options = client.admin.command("getCmdLineOpts")["parsed"]
    assert options["net"]["bindIp"] == "127.0.0.1"
    assert options["net"]["compression"]["compressors"] == "disabled"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux tells of another process")
def test_it_may_have_as_many_files_as_its_host_allows_whatever_the_shell_says(tmp_path: Path) -> None:
    """A check of an import opens three hundred, which stay open for minutes; beyond its limit mongod aborts."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, most))
    try:
        with embedded_mongod(tmp_path):
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (512, most)
            server = int((tmp_path / "db" / "mongod.lock").read_text())
            assert resource.prlimit(server, resource.RLIMIT_NOFILE) == (most, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))


def test_the_last_user_stops_it(tmp_path: Path) -> None:
    with embedded_mongod(tmp_path) as uri:
        with embedded_mongod(tmp_path) as shared:
            assert shared == uri
        assert kept(uri) == []
    assert not runs(uri)


def test_a_crash_of_ours_leaves_a_server_that_the_next_start_adopts(tmp_path: Path) -> None:
    with another_user(tmp_path) as (process, uri):
        keep(uri, "a letter")
        server = pid_in(tmp_path)
        process.kill()
    assert runs(uri)
    with embedded_mongod(tmp_path) as again:
        assert (again, pid_in(tmp_path)) == (uri, server)
        assert kept(again) == ["a letter"]
    assert not runs(uri)


def test_a_crash_of_the_server_costs_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with another_user(tmp_path) as (process, uri):
        keep(uri, "a letter")
        process.kill()
        os.kill(pid_in(tmp_path), signal.SIGKILL)
    with embedded_mongod(tmp_path) as again:
        assert kept(again) == ["a letter"]


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MongodUnavailable, match="cannot hold the data"), embedded_mongod(tmp_path / "file" / "data"):
        pytest.fail("it must not start")


def test_a_stranger_on_its_port_makes_it_move(tmp_path: Path) -> None:
    with embedded_mongod(tmp_path) as uri:
        keep(uri, "a letter")
    with stranger_on(port_of(uri)), embedded_mongod(tmp_path) as moved:
        assert moved != uri
        assert kept(moved) == ["a letter"]
        keep(moved, "another")  # by the majority of a set that knows its new address
    with embedded_mongod(tmp_path) as settled:
        assert settled == moved


def test_without_any_mongod_the_ways_out_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_mongod(monkeypatch)
    assert find_mongod() is None
    with pytest.raises(MongodUnavailable) as error, embedded_mongod(tmp_path):
        pytest.fail("it must not start")
    assert all(way in str(error.value) for way in ("MONGODB_URI", "PATH", "make setup"))


def test_a_mongod_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_mongod() not in (None, tmp_path / "mongod")
    a_mongod(tmp_path, "exit 0")
    assert find_mongod() == tmp_path / "mongod"


def test_a_mongod_that_lacks_a_library_says_which_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_mongod(tmp_path, "echo 'error while loading shared libraries: libcurl.so.4: no such file' >&2; exit 127")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MongodUnavailable) as error, embedded_mongod(tmp_path):
        pytest.fail("it must not start")
    assert "libcurl.so.4" in str(error.value)
    assert "apt-get install libcurl4" in str(error.value)


# ---------------------------------------------------------------- helpers


def keep(uri: str, what: str) -> None:
    with MongoClient[Any](uri, w="majority", wTimeoutMS=10_000) as client:
        client["tests"]["kept"].insert_one({"what": what})


def kept(uri: str) -> list[str]:
    with MongoClient[Any](uri) as client:
        return [document["what"] for document in client["tests"]["kept"].find().sort("_id")]


def pid_in(folder: Path) -> int:
    return int((folder / "db" / "mongod.lock").read_text())


def runs(uri: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port_of(uri))) == 0


def port_of(uri: str) -> int:
    return urlsplit(uri).port or 0


@contextmanager
def another_user(folder: Path) -> Generator[tuple["subprocess.Popen[str]", str]]:
    """A process that uses the folder's server until it is ended."""
    command = [sys.executable, "-c", ANOTHER_USER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process, process.stdout.readline().strip()
        process.terminate()
    if process.returncode == -signal.SIGTERM:  # it was not ours to crash: leave nothing behind
        with embedded_mongod(folder):
            pass


@contextmanager
def stranger_on(port: int) -> Generator[None]:
    """Somebody else listens there, and hangs up on whoever comes."""
    with socket.create_server(("127.0.0.1", port)) as listener:

        def hang_up() -> None:
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def no_mongod(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_name: str) -> None:
        return None

    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", nothing)


def a_mongod(folder: Path, does: str) -> None:
    program = folder / "mongod"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
