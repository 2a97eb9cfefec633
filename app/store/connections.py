"""Keeps connections that PyMongo has opened, signed in and secured, and that from then on are ours."""

import asyncio
import time
from collections import deque
from math import inf
from typing import Any, Final

from pymongo.errors import AutoReconnect, PyMongoError, WaitQueueTimeoutError

from app.store import pymongo_internals
from app.store.fall_back import FallBackToDriver

_HEADER_BYTES: Final = 16


class WireConnection(asyncio.Protocol):
    """A connection is one asker's at a time. It is closed with every reply that is no longer waited for."""

    def __init__(self, server: "Server", connection: Any, transport: Any) -> None:
        self._server, self.pymongo, self._transport = server, connection, transport
        self._loop = asyncio.get_running_loop()
        self._received: list[bytes] = []
        self._missing = _HEADER_BYTES
        self._earlier: list[bytes] = []
        self._to_come = 0
        self._reply: asyncio.Future[bytes] | None = None
        self.until = inf
        self.gone: asyncio.Future[None] = self._loop.create_future()
        transport.set_protocol(self)
        transport.resume_reading()  # PyMongo's own protocol pauses it after each message

    @property
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    async def ask(self, message: bytes, until: float, *, replies: int = 1) -> bytes:
        """Sends a message, or several at once, and returns as many replies. Raises AutoReconnect, NetworkTimeout."""
        if self._transport.is_closing():
            raise AutoReconnect(f"{self._server.name}: connection closed")
        self._reply = reply = self._loop.create_future()
        self.until, self._to_come = until, replies
        self._transport.write(message)
        try:
            return await reply
        except BaseException:
            self._transport.abort()
            raise
        finally:
            self._reply, self.until = None, inf

    def data_received(self, data: bytes) -> None:
        received = self._received
        received.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return
        message = data if len(received) == 1 else b"".join(received)
        received.clear()
        self._missing = int.from_bytes(message[:4], "little") - len(message)
        if self._missing > 0:  # which is now known, and all of it is joined but once more
            received.append(message)
        elif self._reply is None or self._reply.done() or (self._missing < 0 and self._to_come == 1):
            self._transport.abort()
        elif self._to_come == 1:
            self._missing = _HEADER_BYTES
            self._reply.set_result(b"".join((*self._earlier, message)) if self._earlier else message)
            self._earlier.clear()
        else:
            length, self._missing = len(message) + self._missing, _HEADER_BYTES
            self._earlier.append(message[:length])
            self._to_come -= 1
            if length < len(message):
                self.data_received(message[length:])

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(AutoReconnect(f"{self._server.name}: {exc or 'connection closed'}"))
        self.gone.set_result(None)
        self._server.forget(self)

    def fail(self, error: PyMongoError) -> None:
        """Raises the error where the reply is waited for, and closes the connection."""
        if self._reply and not self._reply.done():
            self._reply.set_exception(error)
        self._transport.abort()


class Server:
    """It holds the connections to one primary, at most ``maxPoolSize``, and the reads that wait for one."""

    def __init__(self, client: pymongo_internals.Client, address: tuple[str, int]) -> None:
        self.address, self.name = address, ":".join(map(str, address))
        self._pool = client.pool(address)
        self._size, self._most_opening = pymongo_internals.sizes(self._pool)
        self.all: set[WireConnection] = set()
        self.idle: list[WireConnection] = []
        self._waiting: deque[asyncio.Future[WireConnection | None]] = deque()
        self._opening = 0
        self._closed = False

    async def connection(self, until: float) -> WireConnection:
        """Returns a connection, in the order of asking. Raises WaitQueueTimeoutError, FallBackToDriver.

        FallBackToDriver: none can be opened.
        """
        waiting: asyncio.Future[WireConnection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._grow_pool()
        try:
            async with asyncio.timeout(None if until == inf else until - time.monotonic()):
                given = await waiting
        except BaseException as left:
            if waiting.done() and not waiting.cancelled() and not waiting.exception():
                self._give(waiting.result())
            if isinstance(left, TimeoutError):
                raise WaitQueueTimeoutError(f"{self.name}: all connections were busy for too long") from left
            raise
        return given or await self._open()

    def give_back(self, connection: WireConnection) -> None:
        if not connection.is_closing:
            self._give(connection)

    def _give(self, connection: WireConnection | None) -> None:
        """Gives a connection, or leave to open one, to the read that waits longest."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return
        if connection:
            self.idle.append(connection)
        else:
            self._opening -= 1

    def _grow_pool(self) -> None:
        while self._waiting and len(self.all) + self._opening < self._size and self._opening < self._most_opening:
            self._opening += 1
            self._give(None)

    async def _open(self) -> WireConnection:
        try:
            if self._closed:
                raise FallBackToDriver
            connection = WireConnection(self, *await pymongo_internals.opened(self._pool))
            self.all.add(connection)
        except (PyMongoError, OSError, RuntimeError) as failed:  # the last: uvloop's word for what is closed already
            raise FallBackToDriver from failed  # the driver says it better
        finally:
            self._opening -= 1
            self._grow_pool()
        if self._closed:  # meanwhile
            connection.fail(AutoReconnect(self.name))
            raise FallBackToDriver
        return connection

    def forget(self, connection: WireConnection) -> None:
        self.all.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        self._grow_pool()

    def drop_idle(self) -> None:
        """Closes idle connections once one was lost: they may be lost, too."""
        idle, self.idle = self.idle, []
        for connection in idle:
            connection.fail(AutoReconnect(self.name))

    def close(self) -> None:
        """Closes all connections; reads that use one or wait for one go to the driver."""
        self._closed = True
        lost = AutoReconnect(f"{self.name}: closed, or no longer the primary")
        pymongo_internals.interrupt(self._pool)
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(lost)
        self._waiting.clear()
        self.idle.clear()
        for connection in list(self.all):
            connection.fail(lost)
