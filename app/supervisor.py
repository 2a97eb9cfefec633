"""Starts, watches, replaces and ends several processes that serve on one socket."""

import os
import signal
import socket
import time
from types import FrameType
from typing import Final

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Process

from app import logs
from app.http.middleware import SHUTDOWN

_log = structlog.get_logger("serve")

REPLACED: Final = signal.SIGUSR1
"""Tells a worker that another serves in its place."""
_TICK_SECONDS: Final = 0.05
_PING_SECONDS: Final = 1
_START_SECONDS: Final = 30
"""How long a worker may take to begin, or to say that it lives."""
_END_SECONDS: Final = 30
"""How long a worker may take to end, behind the time in which it drains."""


class GatewayServer(uvicorn.Server):
    """This is Uvicorn's server; it says when it is ready, and can stop listening while it still answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            SHUTDOWN.stop_listening = self.stop_listening
            _log.info("ready", process=os.getpid())

    def stop_listening(self) -> None:
        """Stops listening. Open connections stay; new ones go to other processes on the same socket."""
        for server in self.servers:
            server.close()


class WorkerProcess(Process):
    """A worker is one process that serves. It is asked now and then whether it lives, without waiting for it."""

    _asked_at: float | None = None
    _answered_at = 0.0
    is_serving = False

    @property
    def server(self) -> uvicorn.Server:
        """Returns the server, in the worker's own process."""
        if self._server is None:
            self._server = GatewayServer(config=self.config)
        return self._server

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        logs.configure(str(self.config.log_level).upper(), access=self.config.access_log)
        super().target(sockets)

    def look(self) -> bool:
        """Asks whether it lives and whether it serves. False if it is dead, or has not answered for too long."""
        now = time.monotonic()
        if not self.process.is_alive():
            return False
        try:
            if self._asked_at is None:
                if not self.is_serving or now - self._answered_at > _PING_SECONDS:
                    self.parent_conn.send(b"ping")
                    self._asked_at = now
            elif self.parent_conn.poll(0):
                self.is_serving = bool(self.parent_conn.recv())
                self._asked_at, self._answered_at = None, now
        except (OSError, EOFError):
            return False
        return self._asked_at is None or now - self._asked_at < _START_SECONDS

    def send(self, signal_number: int) -> None:
        if self.process.is_alive() and self.pid:
            os.kill(self.pid, signal_number)

    def kill(self) -> None:
        super().kill()
        self.process.join()


class Supervisor:
    """On SIGHUP a supervisor replaces the workers, each once its successor serves. SIGTERM and SIGINT end them."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, *, drain_seconds: float) -> None:
        self._config, self._listener, self._drain_seconds = config, listener, drain_seconds
        self._workers: list[WorkerProcess] = []
        self._replaced: list[WorkerProcess] = []
        self._endings = 0
        self._hung_up = False

    def run(self) -> None:
        """Runs until a signal ends it, or a worker cannot begin: then by SystemExit."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_ending)
        signal.signal(signal.SIGHUP, self._on_hangup)
        failed = False
        try:
            self._workers = [self._started() for _ in range(self._config.workers)]
            ready = False
            while not (self._endings or failed):
                time.sleep(_TICK_SECONDS)
                failed = not self._tend()
                if not ready and all(worker.is_serving for worker in self._workers):
                    ready = True
                    _log.info("all workers are ready", workers=len(self._workers))
                if self._hung_up and not failed:
                    self._hung_up = False
                    self._replace()
        finally:
            self._end()
        if failed:
            raise SystemExit(STARTUP_FAILURE)

    def _on_ending(self, _signal: int, _frame: FrameType | None) -> None:
        self._endings += 1

    def _on_hangup(self, _signal: int, _frame: FrameType | None) -> None:
        self._hung_up = True

    def _started(self) -> WorkerProcess:
        worker = WorkerProcess(self._config, [self._listener])
        worker.start()
        return worker

    def _tend(self) -> bool:
        """Replaces each worker that died. Returns False if one cannot even begin."""
        self._replaced = [worker for worker in self._replaced if worker.process.is_alive()]
        for index, worker in enumerate(self._workers):
            if worker.look():
                continue
            worker.kill()
            if worker.exitcode == STARTUP_FAILURE:
                _log.error("a worker cannot begin", process=worker.pid)
                return False
            if self._endings:
                return True
            _log.warning("a worker died and is replaced", process=worker.pid, exit_code=worker.exitcode)
            self._workers[index] = self._started()
        return True

    def _replace(self) -> None:
        _log.info("replacing workers", workers=len(self._workers))
        for index, old in enumerate(self._workers):
            new = self._started()
            if not self._serves(new):
                new.kill()
                if not self._endings:
                    _log.error("a new worker did not begin; the old ones stay", process=new.pid, kept=old.pid)
                return
            self._workers[index] = new
            self._replaced.append(old)
            old.send(REPLACED)
        _log.info("all workers are replaced", workers=len(self._workers))

    def _serves(self, worker: WorkerProcess) -> bool:
        until = time.monotonic() + _START_SECONDS
        while not self._endings and time.monotonic() < until and worker.look():
            if worker.is_serving:
                return True
            time.sleep(_TICK_SECONDS)
        return False

    def _end(self) -> None:
        """Waits for what they have begun; a second signal ends the time in which they drain."""
        everybody = [*self._workers, *self._replaced]
        _log.info("ending", workers=len(everybody))
        until = time.monotonic() + self._drain_seconds + _END_SECONDS
        told = -1
        while living := [worker for worker in everybody if worker.process.is_alive()]:
            if self._endings != told:
                told = self._endings
                for worker in living:
                    worker.send(signal.SIGTERM)
            if time.monotonic() > until:
                break
            time.sleep(_TICK_SECONDS)
        for worker in everybody:
            worker.kill()
        _log.info("ended")


def run(config: uvicorn.Config, listener: socket.socket, *, drain_seconds: float) -> None:
    """Runs one process that serves, this one; or several that this one watches."""
    if config.workers == 1:
        GatewayServer(config).run(sockets=[listener])
    else:
        Supervisor(config, listener, drain_seconds=drain_seconds).run()
