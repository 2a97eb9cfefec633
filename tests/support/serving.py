"""A gateway as it is deployed: `serve` with its workers, in processes of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from app.domain.access import Role
from app.http.tokens import issue
from tests.support.processes import START_SECONDS, Gateway, free_ports, within

SECRET: Final = "a secret of the restarts, 32 bytes at least"
ISSUER: Final = "https://restarts.example"
ASKED: Final = {"query": '{ viewer { name } node(id: "cus_nobody") { id } }'}
ANSWER: Final = {"viewer": {"name": "Rita"}, "node": None}
DRAIN_SECONDS: Final = 1
UNTIL_IT_SERVES_SECONDS: Final = 180
"""Two processes begin, on a machine that may be busy."""


@contextmanager
def serving(
    uri: str, database: str, folder: Path, *, workers: int, cost_per_minute: str | None = "1000000000", **settings: str
) -> Generator[Gateway]:
    """Starts `serve`, and gives it once it lives. ``cost_per_minute``: None leaves the default limit.

    ``settings`` are others of the environment.
    """
    (port,) = free_ports(1)
    environment = {
        "MONGODB_URI": uri,
        "MONGODB_DATABASE": database,
        "JWT_SECRET": SECRET,
        "JWT_ISSUER": ISSUER,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "LOG_LEVEL": "INFO",
        "DRAIN_SECONDS": str(DRAIN_SECONDS),
        **({"COST_PER_MINUTE": cost_per_minute} if cost_per_minute else {}),
        **settings,
    }
    command = [sys.executable, "-m", "app", "serve", *(["--workers", str(workers)] if workers > 1 else [])]
    gateway = Gateway(command, folder / "gateway.log", environment, port=port)
    gateway.start()
    try:
        within(UNTIL_IT_SERVES_SECONDS, gateway.lives, "a gateway")
        if workers > 1:
            within(START_SECONDS, lambda: len(workers_of(gateway)) == workers, f"{workers} workers")
        yield gateway
    finally:
        end(gateway)


def end(gateway: Gateway) -> int | None:
    """Ends a gateway by SIGTERM, as a deployment does, and returns its exit code; None if it must be killed."""
    running = gateway.running
    if running is None:
        return None
    workers = workers_of(gateway)
    running.terminate()
    try:
        return running.wait(timeout=40)
    except subprocess.TimeoutExpired:
        return None
    finally:
        gateway.kill()
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def workers_of(gateway: Gateway) -> set[int]:
    """Returns the processes that serve: those of its children that multiprocessing has spawned."""
    assert gateway.running
    listed = subprocess.run(["ps", "-axwwo", "pid=,ppid=,command="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return {int(row[0]) for row in rows if int(row[1]) == gateway.running.pid and "spawn_main" in row[2]}


def bearer() -> str:
    """Issues an administrator's token."""
    return issue(
        SECRET,
        issuer=ISSUER,
        audience="customer-gateway",
        roles=[Role.ADMIN],
        subject="rita",
        name="Rita",
        lifetime=timedelta(hours=1),
    )
