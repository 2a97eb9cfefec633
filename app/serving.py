"""Runs the processes that serve: one, or several on one socket; they leave without dropping anybody."""

import asyncio
import gc
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from app import supervisor
from app.http.middleware import SHUTDOWN
from app.http.protocol import MAX_BODY_BYTES, MAX_HEAD_BYTES, Protocol
from app.http.websocket_protocol import WebSocketProtocol
from app.open_files import allow_open_files

_log = structlog.get_logger("serve")
_FINISH_SECONDS: Final = 10
"""How long what is under way may take when the process leaves, before it is cut off."""
KEEP_ALIVE_SECONDS: Final = 75
"""How long a connection that nobody uses is kept: longer than balancers keep theirs, which is 60 as a rule. They must
be the first to close: a request that meets a closed connection fails."""


def uvicorn_config(
    application: ASGIApp | str,
    *,
    log_level: str,
    workers: int = 1,
    access_log: bool = False,
    max_head_bytes: int = MAX_HEAD_BYTES,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        factory=isinstance(application, str),
        workers=workers,
        http=Protocol,
        h11_max_incomplete_event_size=max_head_bytes,
        ws=WebSocketProtocol,
        ws_max_size=max_body_bytes,
        ws_per_message_deflate=False,  # a small message could become a large one
        log_config=None,  # in our form: see logs.py
        log_level=log_level.lower(),
        access_log=access_log,
        server_header=False,
        timeout_graceful_shutdown=_FINISH_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


def run(
    listener: socket.socket,
    application: ASGIApp | str,
    *,
    log_level: str,
    workers: int = 1,
    access_log: bool = False,
    drain_seconds: float = 0,
    max_head_bytes: int = MAX_HEAD_BYTES,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> None:
    """Serves until a signal ends it. Several workers need the application as the name of what makes it.

    SIGTERM ends it when all that was asked is answered. With several workers SIGHUP replaces them one by one, each when
    its successor is ready.
    """
    allow_open_files()
    config = uvicorn_config(
        application,
        log_level=log_level,
        workers=workers,
        access_log=access_log,
        max_head_bytes=max_head_bytes,
        max_body_bytes=max_body_bytes,
    )
    with tempfile.TemporaryDirectory(prefix="gateway-metrics-") if workers > 1 else nullcontext() as shared:
        if shared:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared  # each worker counts there, and /metrics adds up
        supervisor.run(config, listener, drain_seconds=drain_seconds)


def freeze_gc() -> None:
    """Takes what exists when serving begins out of all later looks for garbage.

    A list of fifty customers spends half as long on garbage as with Python's own ways, and its longest pause is 4 ms,
    not 100; the thresholds of the package (``app/__init__.py``) have their part in it.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def drain_on_sigterm(seconds: float) -> Generator[None]:
    """Makes this process say on SIGTERM that it is not ready, and answer on for ``seconds`` before it ends.

    Balancers hear of it meanwhile. The handler before ours ends it then, or at once on a second signal.

    Where another process serves in its place (``supervisor.REPLACED``) it takes no new connection from then on, and
    a probe that asks on an old one whether it is ready hears of the other.

    SIGHUP, by which operators have settings read again, ends nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, end = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    def leave(sig: int, frame: FrameType | None) -> None:
        if not callable(end):
            return
        if SHUTDOWN.draining:
            end(signal.SIGTERM, frame)
            return
        SHUTDOWN.draining = True
        loop.call_soon_threadsafe(SHUTDOWN.end_streams, seconds)
        if sig == supervisor.REPLACED:
            SHUTDOWN.replaced = True
            loop.call_soon_threadsafe(SHUTDOWN.stop_listening)
        loop.call_soon_threadsafe(loop.call_later, seconds, end, signal.SIGTERM, None)

    def stay(_sig: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(_log.warning, "ignored SIGHUP, which replaces the processes of serve --workers 2")

    # Of several processes the supervisor alone answers SIGHUP, though a terminal that is closed sends it to all.
    hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN if multiprocessing.parent_process() else stay)
    before = signal.signal(supervisor.REPLACED, leave)
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, end)
        signal.signal(supervisor.REPLACED, before)
        signal.signal(signal.SIGHUP, hangup)
        SHUTDOWN.draining = SHUTDOWN.replaced = False
