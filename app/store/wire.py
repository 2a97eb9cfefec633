"""Reads by wire: one message to the primary and one back, on connections that PyMongo has opened.

The driver opens a session, chooses a server, takes a connection, makes a cursor and two tasks for each read, which is
more work than all else that a small request is. What it does besides, it goes on doing: it watches the servers, and it
reads itself whatever cannot be read here (``Unread``), with all its patience for a primary that is lost.
"""

import asyncio
import itertools
import struct
import time
from collections import deque
from math import inf
from typing import Any, Final

from bson import CodecOptions, decode, encode
from pymongo.errors import (
    AutoReconnect,
    NetworkTimeout,
    OperationFailure,
    ProtocolError,
    PyMongoError,
    WaitQueueTimeoutError,
)

from app.store import inside

_LOOK_SECONDS: Final = 0.5
"""So often we look whether the primary still is one while somebody waits for it, as the driver does."""
_LARGEST: Final = 16 * 2**20
_OP_MSG: Final = 2013
_HEADER: Final = struct.Struct("<iiiiIB")  # length, request, of the request answered, kind; flags, kind of the section
_HEADER_BYTES: Final = 16
_DOCUMENT: Final = _HEADER.size  # where the one document of a message begins
_CURSOR_NAME: Final = slice(_DOCUMENT + 4, _DOCUMENT + 12)
_CURSOR: Final = _CURSOR_NAME.stop
_OK: Final = b"\x01ok\0" + struct.pack("<d", 1)


class Unread(Exception):
    """Nothing was read, and the driver may well be able to."""


class Connection(asyncio.Protocol):
    """One command at a time. It is closed with every reply that nobody waits for any more."""

    def __init__(self, server: "Server", connection: Any, transport: Any) -> None:
        self._server, self.pymongo, self._transport = server, connection, transport
        self._loop = asyncio.get_running_loop()
        self._received: list[bytes] = []
        self._missing = _HEADER_BYTES
        self._reply: asyncio.Future[bytes] | None = None
        self.until = inf
        self.gone: asyncio.Future[None] = self._loop.create_future()
        transport.set_protocol(self)
        transport.resume_reading()  # PyMongo's own protocol pauses it after each message

    @property
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    async def ask(self, message: bytes, until: float) -> bytes:
        """Raises AutoReconnect, NetworkTimeout."""
        self._reply = reply = self._loop.create_future()
        self.until = until
        self._transport.write(message)
        try:
            return await reply
        except BaseException:
            self._transport.abort()
            raise
        finally:
            self._reply = None

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
        elif self._missing < 0 or self._reply is None or self._reply.done():
            self._transport.abort()
        else:
            self._missing = _HEADER_BYTES
            self._reply.set_result(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(AutoReconnect(f"{self._server.name}: {exc or 'connection closed'}"))
        self.gone.set_result(None)
        self._server.forget(self)

    def fail(self, error: PyMongoError) -> None:
        """Whoever waits for the reply gets this instead; nobody else does."""
        if self._reply and not self._reply.done():
            self._reply.set_exception(error)
        self._transport.abort()


class Server:
    """The connections to one primary: as many as ``maxPoolSize``, the last used first, and who waits for one."""

    def __init__(self, driver: inside.Driver, address: tuple[str, int]) -> None:
        self.address, self.name = address, ":".join(map(str, address))
        self._pool = driver.pool(address)
        self.all: set[Connection] = set()
        self.idle: list[Connection] = []
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._opening = 0
        self._closed = False

    async def connection(self, until: float) -> Connection:
        """In the order of asking. Raises WaitQueueTimeoutError; Unread if none can be opened."""
        waiting: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._invite()
        try:
            async with asyncio.timeout(None if until == inf else until - time.monotonic()):
                given = await waiting
        except BaseException as left:
            if waiting.done() and not waiting.cancelled() and not waiting.exception():
                self._give(waiting.result())
            if isinstance(left, TimeoutError):
                raise WaitQueueTimeoutError(f"{self.name}: no connection of {self._pool.max_pool_size} in time") from left
            raise
        return given or await self._open()

    def give_back(self, connection: Connection) -> None:
        if not connection.is_closing:
            self._give(connection)

    def _give(self, connection: Connection | None) -> None:
        """A connection, or leave to open one, to who waits longest."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                return waiting.set_result(connection)
        if connection:
            self.idle.append(connection)
        else:
            self._opening -= 1

    def _invite(self) -> None:
        while (
            self._waiting
            and len(self.all) + self._opening < self._pool.max_pool_size
            and self._opening < self._pool.opts.max_connecting
        ):
            self._opening += 1
            self._give(None)

    async def _open(self) -> Connection:
        try:
            opened, transport = await inside.opened(self._pool)
            connection = Connection(self, opened, transport)
            self.all.add(connection)
        except (PyMongoError, OSError) as failed:
            raise Unread from failed  # the driver will say it better
        finally:
            self._opening -= 1
            self._invite()
        if self._closed:
            connection.fail(AutoReconnect(self.name))
            raise Unread
        return connection

    def forget(self, connection: Connection) -> None:
        self.all.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        self._invite()

    def drop_idle(self) -> None:
        """One was lost: the others that nobody has tried since may be, too."""
        for connection in self.idle:
            connection.fail(AutoReconnect(self.name))
        self.idle.clear()

    def close(self) -> None:
        """Whoever still reads here, or waits to, is sent to the driver."""
        self._closed = True
        lost = AutoReconnect(f"{self.name}: no longer the primary")
        inside.interrupt(self._pool)
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(lost)
        self._waiting.clear()
        self.idle.clear()
        for connection in list(self.all):
            connection.fail(lost)


class Wire:
    """Reads of one database. Belongs to one event loop."""

    def __init__(self, client: Any, database: str, codec: CodecOptions[dict[str, Any]]) -> None:
        self._driver, self._database, self._codec = inside.Driver(client), database, codec
        self._listeners = self._driver.listeners
        self._seen: Any = None
        self._server: Server | None = None
        self._round_trip = 0.0
        self._requests = itertools.count(1)
        self._under_way = 0
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = inf

    async def read(self, command: dict[str, Any]) -> list[dict[str, Any]]:
        """All that a ``find`` or an ``aggregate`` finds. Raises as the driver does, and Unread."""
        server = self._primary()
        if server is None:
            raise Unread
        until = inside.deadline()
        self._look_again(until)
        self._under_way += 1
        try:
            connection = server.idle.pop() if server.idle else await server.connection(until)
            try:
                return await self._read(connection, command, until)
            finally:
                server.give_back(connection)
        except NetworkTimeout:
            raise
        except AutoReconnect as lost:  # or not the primary
            server.drop_idle()
            raise Unread from lost
        except OperationFailure as failed:
            if failed.code in inside.RETRYABLE_CODES or failed.has_error_label("RetryableError"):
                raise Unread from failed
            raise
        finally:
            self._under_way -= 1

    async def _read(self, connection: Connection, command: dict[str, Any], until: float) -> list[dict[str, Any]]:
        if until != inf:
            milliseconds = int((until - time.monotonic() - self._round_trip) * 1000)
            if milliseconds <= 0:
                raise Unread  # the driver will say so
            command["maxTimeMS"] = milliseconds
        command["$db"] = self._database
        cursor = await self._ask(connection, command, until)
        found: list[dict[str, Any]] = cursor["firstBatch"]
        while cursor["id"]:
            namespace = cursor["ns"]
            more = {"getMore": cursor["id"], "collection": namespace.partition(".")[2], "$db": self._database}
            if "comment" in command:
                more["comment"] = command["comment"]
            try:
                cursor = await self._ask(connection, more, until)
            except BaseException:
                self._driver.close_cursor(cursor["id"], connection.pymongo.address, namespace)
                raise
            found += cursor["nextBatch"]
        return found

    async def _ask(self, connection: Connection, command: dict[str, Any], until: float) -> dict[str, Any]:
        """The cursor that it answers with."""
        document = encode(command, codec_options=self._codec)
        if len(document) > _LARGEST:
            raise Unread  # the driver will say so
        request = next(self._requests) & 0x7FFFFFFF
        message = _HEADER.pack(_DOCUMENT + len(document), request, 0, _OP_MSG, 0, 0) + document
        if self._listeners is None:
            return self._cursor(await connection.ask(message, until), request, connection)
        told = inside.Told(self._listeners, connection.pymongo, command, request)
        try:
            reply = await connection.ask(message, until)
            cursor = self._cursor(reply, request, connection)
        except Exception as failed:
            told.failed(failed)
            raise
        told.succeeded(decode(reply[_DOCUMENT:], codec_options=self._codec))
        return cursor

    def _cursor(self, reply: bytes, request: int, connection: Connection) -> dict[str, Any]:
        _, _, answered, kind, flags, section = _HEADER.unpack_from(reply)
        if (answered, kind, flags, section) != (request, _OP_MSG, 0, 0):
            connection.fail(ProtocolError("a reply to something else"))
            raise Unread
        if reply[_CURSOR_NAME] == b"\x03cursor\0":
            # The rest is the cluster's time and its signature, which takes as long to decode as a small document.
            end = _CURSOR + int.from_bytes(reply[_CURSOR : _CURSOR + 4], "little")
            if reply.startswith(_OK, end):
                return decode(reply[_CURSOR:end], codec_options=self._codec)
        whole = decode(reply[_DOCUMENT:], codec_options=self._codec)
        inside.check(whole, connection.pymongo)
        return whole["cursor"]

    def _primary(self) -> Server | None:
        seen = self._driver.description
        if seen is not self._seen:
            self._seen = seen
            primary = self._driver.primary() if self._driver.is_plain() else None
            if self._server and (primary is None or primary.address != self._server.address):
                self._server.close()
                self._server = None
            if primary is not None:
                self._server = self._server or Server(self._driver, primary.address)
                self._round_trip = primary.min_round_trip_time
        return self._server

    def _look_again(self, until: float) -> None:
        """One timer for all that are under way: they end in time, and do not wait for who is no longer primary."""
        now = time.monotonic()
        at = min(until, now + _LOOK_SECONDS)
        if at < self._looks_at:
            if self._timer:
                self._timer.cancel()
            self._looks_at = at
            self._timer = asyncio.get_running_loop().call_later(at - now, self._look)

    def _look(self) -> None:
        self._looks_at, now, soonest = inf, time.monotonic(), inf
        server = self._primary()
        for connection in list(server.all) if server else ():
            if connection.until <= now:
                connection.fail(NetworkTimeout(f"{connection.pymongo.address}: timed out"))
            else:
                soonest = min(soonest, connection.until)
        if self._under_way:
            self._look_again(soonest)

    async def close(self) -> None:
        self._driver.description  # noqa
        if self._timer:
            self._timer.cancel()
        if self._server:
            every = list(self._server.all)
            self._server.close()
            self._server = None
            await asyncio.gather(*(connection.gone for connection in every))
