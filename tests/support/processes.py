"""What the fault tests run for real: a replica set of three nodes and gateways, all on loopback, all ours to hurt.

Nothing outlives the ``with``: everything that was started is killed, frozen or not, and on Linux also if we are.
"""

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

from pymongo import MongoClient, WriteConcern, timeout
from pymongo.errors import PyMongoError

from app.store.mongod import WAYS_OUT, MongodUnavailable, find_mongod

T = TypeVar("T")

ROOT: Final = Path(__file__).parents[2]
REPLICA_SET: Final = "faults"
NODES: Final = 3
START_SECONDS: Final = 180
"""At most. Importing the gateway takes seconds of CPU, which a busy machine makes a minute of."""
ELECTION_TIMEOUT_MS: Final = 1_500
ABANDONED_SECONDS: Final = 5
"""How long the servers keep the open transaction of a gateway that died, and with it that customer. MongoDB's own
default is a minute."""

_PRIMARY, _SECONDARY = 1, 2
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


@dataclass
class Process:
    """A child process, which can die and freeze and come back at the same address."""

    command: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])
    running: "subprocess.Popen[bytes] | None" = None
    frozen: bool = False

    def start(self) -> None:
        assert self.running is None
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    def kill(self) -> None:
        """As kill -9 does it, and waited for. A frozen process dies, too."""
        if self.running:
            self.running.kill()
            self.running.wait(timeout=30)
        self.running, self.frozen = None, False

    def freeze(self) -> None:
        assert self.running
        self.running.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.running.pid, os.WSTOPPED)  # until then a thread of it may answer once more
        self.frozen = True

    def thaw(self) -> None:
        assert self.running
        self.running.send_signal(signal.SIGCONT)
        self.frozen = False

    def revive(self) -> None:
        if self.frozen:
            self.thaw()
        if self.running is None:
            self.start()

    @property
    def well(self) -> bool:
        return self.running is not None and not self.frozen


@dataclass
class Node(Process):
    """A server of a replica set."""

    port: int = 0

    @cached_property
    def client(self) -> "MongoClient[Any]":
        """Asks this node alone."""
        return MongoClient(
            f"mongodb://127.0.0.1:{self.port}/?directConnection=true", serverSelectionTimeoutMS=300, timeoutMS=1_000
        )

    def says(self, command: str, value: Any = 1) -> dict[str, Any]:
        """Its answer; empty if it does not say."""
        with suppress(PyMongoError):
            return self.client.admin.command(command, value) if self.well else {}
        return {}


@dataclass
class ReplicaSet:
    """Three servers, and which of them takes writes."""

    nodes: list[Node]

    @property
    def uri(self) -> str:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"mongodb://{hosts}/?replicaSet={REPLICA_SET}"

    def primary(self) -> Node | None:
        """The one that takes writes now: the latest elected, while an older one has not yet heard of it."""
        said = [
            (hello["electionId"], node) for node in self.nodes if (hello := node.says("hello")).get("isWritablePrimary")
        ]
        return max(said, key=lambda each: each[0])[1] if said else None

    def wait_for_primary(self, seconds: float = START_SECONDS) -> Node:
        return within(seconds, self.primary, "a primary")

    def wait_until_it_keeps(self, seconds: float = START_SECONDS) -> None:
        """Until a majority keeps what a primary writes, which may be seconds after its election."""
        within(seconds, self._keeps, "a majority")

    def _keeps(self) -> bool:
        with suppress(PyMongoError), MongoClient[Any](self.uri, serverSelectionTimeoutMS=500) as client, timeout(10):
            client["probe"].get_collection("probe", write_concern=WriteConcern("majority")).insert_one({})
            return True
        return False

    def wait_until_well(self, seconds: float = START_SECONDS) -> Node:
        """The primary, once all three nodes take part again."""
        return within(seconds, self._well, "three nodes that take part")

    def _well(self) -> Node | None:
        primary = self.primary()
        if primary is None:
            return None
        states = sorted(member["state"] for member in primary.says("replSetGetStatus").get("members", []))
        return primary if states == [_PRIMARY, *[_SECONDARY] * (NODES - 1)] else None


@contextmanager
def replica_set(folder: Path) -> Generator[ReplicaSet]:
    """Starts three servers that do not know each other yet: see ``initiate``."""
    mongod = find_mongod()
    if mongod is None:
        raise MongodUnavailable(WAYS_OUT)
    nodes: list[Node] = []
    try:
        for index, port in enumerate(free_ports(NODES)):
            data = folder / f"node{index}"
            data.mkdir(parents=True)
            command = [str(mongod), "--dbpath", str(data), "--port", str(port), "--bind_ip", "127.0.0.1"]
            command += ["--replSet", REPLICA_SET, "--nounixsocket", "--networkMessageCompressors", "disabled"]
            command += ["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64", "--quiet"]
            command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
            command += ["--setParameter", "oplogNetworkTimeoutBufferSeconds=1"]
            command += ["--setParameter", f"transactionLifetimeLimitSeconds={ABANDONED_SECONDS}"]
            nodes.append(Node(command, folder / f"node{index}.log", port=port))
            nodes[-1].start()
        yield ReplicaSet(nodes)
    finally:
        for node in nodes:
            node.kill()
            node.client.close()


@contextmanager
def single_server(folder: Path, *options: str) -> Generator[int]:
    """Yields the port of a server of no replica set."""
    mongod, [port] = find_mongod(), free_ports(1)
    if mongod is None:
        raise MongodUnavailable(WAYS_OUT)
    data = folder / "data"
    data.mkdir()
    words = ["--dbpath", str(data), "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
    node = Node([str(mongod), *words, *options], folder / "log", port=port)
    node.start()
    try:
        within(START_SECONDS, lambda: node.says("hello"), "a server")
        yield port
    finally:
        node.kill()
        node.client.close()


def initiate(nodes: list[Node]) -> None:
    """Makes a replica set of these servers."""
    config = {
        "_id": REPLICA_SET,
        "members": [{"_id": index, "host": f"127.0.0.1:{node.port}"} for index, node in enumerate(nodes)],
        "settings": {"electionTimeoutMillis": ELECTION_TIMEOUT_MS, "heartbeatIntervalMillis": 500},
    }

    within(START_SECONDS, lambda: all(node.says("hello") for node in nodes), "three servers")
    with MongoClient[Any](f"mongodb://127.0.0.1:{nodes[0].port}/?directConnection=true") as client, timeout(30):
        client.admin.command("replSetInitiate", config)


@dataclass
class Gateway(Process):
    """A process that serves GraphQL."""

    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lives(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as asking:
            asking.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return asking.recv(64).startswith(b"HTTP/1.1 200")
        return False

    def wait_until_well(self) -> None:
        within(START_SECONDS, self.lives, "a gateway")


@contextmanager
def gateways(count: int, folder: Path, environment: dict[str, str]) -> Generator[list[Gateway]]:
    """Starts ``python -m app serve`` that many times on one database. They need not serve yet."""
    made: list[Gateway] = []
    try:
        for index, port in enumerate(free_ports(count)):
            own = environment | {"HOST": "127.0.0.1", "PORT": str(port), "LOG_LEVEL": "WARNING"}
            command = [sys.executable, "-m", "app", "serve"]
            made.append(Gateway(command, folder / f"gateway{index}.log", own, port=port))
            made[-1].start()
        yield made
    finally:
        for gateway in made:
            gateway.kill()


def within(seconds: float, question: Callable[[], T | None], what: str) -> T:
    """Returns the first answer that is true. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := question():
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"There was not {what} within {seconds} s.")
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Finds ports below those that the system gives to clients, which could take one while its owner is dead.

    Even by who asks whether it lives: a connection from a port of this machine to itself is one.
    """
    probes: list[socket.socket] = []
    try:
        while len(probes) < count:
            probe = socket.socket()
            probes.append(probe)
            try:
                probe.bind(("127.0.0.1", 15_000 + secrets.randbelow(15_000)))
            except OSError:
                probes.pop().close()
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
