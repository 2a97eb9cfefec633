"""Runs a real mongod for the demo and the tests: one node, a replica set, on loopback, everything in one folder.

Any number of processes may use one folder: the first starts the server, the last one out stops it, and a process that
crashes is no longer counted, because a lock ends with its process. Not for production: no access control, no second
node.
"""

import fcntl
import importlib.util
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from app.open_files import allow_open_files

_REPLICA_SET: Final = "gateway"
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 20
_NOT_YET_INITIALIZED: Final = 94

WAYS_OUT: Final = """No MongoDB was found. One of these helps:
  - set MONGODB_URI to a replica set you have, such as mongodb://127.0.0.1:27017/?replicaSet=rs0
  - put a mongod (6.0 or newer) on the PATH: https://www.mongodb.com/docs/manual/installation/
  - install the packaged one into the virtual environment: make setup  (the extra `mongod`; Linux and macOS)"""


class MongodUnavailable(Exception):
    """Raised if no mongod is found, or it does not start; the command line prints what to do."""


def find_mongod() -> Path | None:
    """Returns the mongod on the PATH, else the one from the package extra."""
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    package = importlib.util.find_spec("fiftyone")
    for place in (package.submodule_search_locations or []) if package else []:
        if (packaged := Path(place, "db", "bin", "mongod")).exists():
            return packaged
    return None


@contextmanager
def embedded_mongod(folder: Path, *, keeps: bool = True) -> Generator[str]:
    """Yields the URI of the server that lives in ``folder``, started if nobody has. Raises MongodUnavailable.

    With ``keeps=False`` a new one does not wait for the disk: a crash may cost what it has acknowledged.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        users = (folder / "users.lock").open("w")
    except OSError as impossible:
        reason = (
            f"{folder} cannot hold the data of our own MongoDB: {impossible.strerror}. Name another folder (--data)."
        )
        raise MongodUnavailable(reason) from None
    with users:
        with _alone(folder):
            fcntl.flock(users, fcntl.LOCK_SH)
            port = _start(folder, keeps=keeps)
        try:
            yield f"mongodb://127.0.0.1:{port}/?directConnection=true"
        finally:
            with _alone(folder), suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while anybody else holds it
                _stop(folder)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Lets starting and stopping happen one at a time."""
    with (folder / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(folder: Path, *, keeps: bool) -> int:
    """Returns the port of a server that takes writes.

    A crash of ours may have left one running, or half begun: it is taken over. One that is just ending is followed.
    """
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if not _runs(folder):
            _launch(folder)
        port = int((folder / "port").read_text())
        if _takes_writes(port, keeps=keeps):
            return port
        time.sleep(0.02)
    raise MongodUnavailable(f"mongod did not become writable within {_START_SECONDS} s. See {folder / 'mongod.log'}.")


def _launch(folder: Path) -> None:
    mongod = find_mongod()
    if mongod is None:
        raise MongodUnavailable(WAYS_OUT)
    db, log, port = folder / "db", folder / "mongod.log", _free_port(folder / "port")
    db.mkdir(exist_ok=True)
    command: list[str | Path] = [mongod, "--dbpath", db, "--logpath", log, "--logappend", "--port", str(port)]
    command += ["--replSet", _REPLICA_SET, "--bind_ip", "127.0.0.1", "--nounixsocket"]
    command += ["--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "64"]
    # 6.0.5 predates the fix of CVE-2025-14847.
    command += ["--networkMessageCompressors", "disabled"]
    command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
    command += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"]
    # Nobody reads what was there a while ago, and for so long (5 minutes, by default) the files of what is dropped stay
    # open: 300 for each check of an import, until there are no more.
    command += ["--setParameter", "minSnapshotHistoryWindowInSeconds=1"]
    # It leaves our session, so that Ctrl-C reaches us alone and we stop it in order.
    command += ["--fork"]
    with (folder / "server.lock").open("w") as held, _files_as_allowed():
        fcntl.flock(held, fcntl.LOCK_EX)
        handed_on = (held.fileno(),)
        started = subprocess.run(command, capture_output=True, text=True, check=False, pass_fds=handed_on)  # noqa: S603 # ours
    if started.returncode:
        hint = "\nOn Debian or Ubuntu: apt-get install libcurl4" if "libcurl" in started.stderr else ""
        raise MongodUnavailable(f"mongod would not start. {started.stderr.strip() or f'See {log}.'}{hint}")


@contextmanager
def _files_as_allowed() -> Generator[None]:
    """Lets what is started have as many open files as its host allows, and this process as many as before."""
    before = allow_open_files()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _takes_writes(port: int, *, keeps: bool) -> bool:
    with _client(port) as client, suppress(PyMongoError):
        if client.admin.command("hello")["isWritablePrimary"]:
            return True
        _configure(client, {"_id": 0, "host": f"127.0.0.1:{port}"}, keeps=keeps)
    return False


def _configure(client: "MongoClient[Any]", member: dict[str, Any], *, keeps: bool) -> None:
    """Makes the replica set, or tells it its new address where a stranger took the port that it remembers."""
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as failure:
        if failure.code == _NOT_YET_INITIALIZED:
            made = {"_id": _REPLICA_SET, "members": [member], "writeConcernMajorityJournalDefault": keeps}
            client.admin.command("replSetInitiate", made)
        return
    if config["members"][0]["host"] != member["host"]:
        config["members"] = [config["members"][0] | member]
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)


def _stop(folder: Path) -> None:
    if not _runs(folder):
        return
    pid = int((folder / "db" / "mongod.lock").read_text())
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _runs(folder):
        time.sleep(0.02)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)


def _runs(folder: Path) -> bool:
    """Returns whether the server runs: it inherited a lock, which ends with it, as its pid does not."""
    with (folder / "server.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _free_port(remembered: Path) -> int:
    """Returns the port of last time if it is free, because the replica set remembers its address; else a new one."""
    with suppress(OSError, ValueError), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port := int(remembered.read_text())))
        return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    remembered.write_text(str(port))
    return port


def _client(port: int) -> "MongoClient[Any]":
    return MongoClient(f"mongodb://127.0.0.1:{port}/?directConnection=true", serverSelectionTimeoutMS=500)
