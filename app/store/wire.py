"""Reads by wire: it takes one message to the primary and one back, on connections that PyMongo has opened.

The driver opens a session, chooses a server, takes a connection, makes a cursor and two tasks for each read, which is
more work than all else that a small request is. What it does besides, it goes on doing: it watches the servers, and it
reads itself whatever cannot be read here (``FallBackToDriver``), with all its patience for a primary that is lost.
"""

import asyncio
import itertools
import struct
import time
from collections.abc import Callable, Coroutine, Sequence
from math import inf
from typing import Any, Final, TypeVar

from bson import CodecOptions, decode, encode  # pyright: ignore[reportUnknownVariableType] # bson's own types have a gap
from pymongo.errors import AutoReconnect, ConfigurationError, NetworkTimeout, OperationFailure

from app.store import pymongo_internals
from app.store.connections import Server, WireConnection
from app.store.fall_back import FallBackToDriver
from app.store.faults import knows_no_sessions
from app.store.pymongo_internals import CommandEvents, Session

T = TypeVar("T")
C = TypeVar("C")
_LOOK_SECONDS: Final = 0.5
"""So often we look whether the primary still is one while somebody waits for it, as the driver does."""
_LARGEST: Final = 16 * 2**20  # a document may have no more bytes
_OP_MSG: Final = 2013
_HEADER: Final = struct.Struct("<iiiiIB")  # length, request, of the request answered, kind; flags, kind of the section
_DOCUMENT: Final = _HEADER.size  # where the one document of a message begins
_CURSOR_NAME: Final = slice(_DOCUMENT + 4, _DOCUMENT + 12)
_CURSOR: Final = _CURSOR_NAME.stop
_OK: Final = b"\x01ok\0" + struct.pack("<d", 1)


class Wire:
    """Reads of one database. Belongs to one event loop.

    The first read is the driver's: it finds out who is primary.
    """

    def __init__(self, client: Any, database: str, codec: CodecOptions[dict[str, Any]]) -> None:
        self._client, self._database, self._codec = pymongo_internals.Client(client), database, codec
        self._listeners = self._client.listeners
        self._seen: Any = None
        self._closed = False
        self._server: Server | None = None
        self._round_trip = 0.0
        self._requests = itertools.count(1)
        self._under_way = 0
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = inf

    def session(self) -> Any:
        """Returns a new session of the driver's."""
        return self._client.session()

    def ends(self, session: Any) -> bool:
        """Ends a session that has no transaction under way, and returns whether it did."""
        return pymongo_internals.ends(session)

    def joined(self, session: Any) -> Session:
        """Returns what makes commands those of a session's transaction."""
        return Session(session)

    async def renew_connections(self) -> None:
        """Has the driver close its own connections: those in use once they are given back."""
        await self._client.renew_connections()

    def read(
        self, command: dict[str, Any], until: float, session: Session | None = None
    ) -> Coroutine[Any, Any, list[dict[str, Any]]]:
        """Returns all that a ``find`` or an ``aggregate`` finds by a moment on the monotonic clock.

        Raises as the driver does, and FallBackToDriver.
        """
        return self._served(self._read, command, until, session)

    def write(
        self, command: dict[str, Any], until: float, session: Session | None
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """Returns the reply to a command that writes, in a transaction that the driver has begun, if any.

        Raises as the driver does. FallBackToDriver: it was not sent or, without a transaction, may have been.
        """
        return self._served(self._write, command, until, session)

    def write_each(
        self, commands: Sequence[dict[str, Any]], until: float, session: Session
    ) -> Coroutine[Any, Any, list[dict[str, Any] | Exception]]:
        """Returns the replies to commands of a transaction, each of them or what it failed with.

        They are sent at once, and no answer is waited for between them: the server does them in their order. What
        follows one that failed fails, too, the transaction's first command included. Raises as the driver does where
        the connection is lost, and FallBackToDriver: none was sent.
        """
        return self._served(self._write_each, commands, until, session)

    async def _served(
        self,
        work: Callable[[WireConnection, C, float, Any], Coroutine[Any, Any, T]],
        command: C,
        until: float,
        session: Session | None,
    ) -> T:
        server = self._primary()
        if server is None:
            raise FallBackToDriver
        self._look_again(until)
        self._under_way += 1
        try:
            connection = server.idle.pop() if server.idle else await server.connection(until)
            try:
                return await work(connection, command, until, session)
            finally:
                server.give_back(connection)
        except NetworkTimeout as late:
            if session:
                session.lose(late)
            raise
        except AutoReconnect as lost:  # or not the primary
            server.drop_idle()
            if session:
                session.lose(lost)
            if session or self._closed:
                raise
            raise FallBackToDriver from lost
        except ConfigurationError as failed:
            if knows_no_sessions(failed):
                server.drop_idle()
                raise FallBackToDriver from failed
            raise
        except OperationFailure as failed:
            is_retryable = failed.code in pymongo_internals.RETRYABLE_CODES or failed.has_error_label("RetryableError")
            if is_retryable and session is None:
                raise FallBackToDriver from failed
            raise
        finally:
            self._under_way -= 1

    async def _read(
        self, connection: WireConnection, command: dict[str, Any], until: float, session: Session | None
    ) -> list[dict[str, Any]]:
        cursor = await self._ask(self._cursor, connection, self._bounded(command, until), until, session)
        found: list[dict[str, Any]] = cursor["firstBatch"]
        while cursor["id"]:
            namespace = cursor["ns"]
            more = {"getMore": cursor["id"], "collection": namespace.partition(".")[2], "$db": self._database}
            if "comment" in command:
                more["comment"] = command["comment"]
            try:
                cursor = await self._ask(self._cursor, connection, more, until, session)
            except (asyncio.CancelledError, NetworkTimeout):
                self._client.close_cursor(cursor["id"], connection.pymongo.address, namespace)
                raise
            found += cursor["nextBatch"]
        return found

    async def _write(
        self, connection: WireConnection, command: dict[str, Any], until: float, session: Session | None
    ) -> dict[str, Any]:
        return await self._ask(self._whole, connection, self._bounded(command, until), until, session)

    async def _write_each(
        self, connection: WireConnection, commands: Sequence[dict[str, Any]], until: float, session: Session
    ) -> list[dict[str, Any] | Exception]:
        answers = await self._ask_each(connection, commands, until, session)
        lost = next((answer for answer in answers if isinstance(answer, AutoReconnect)), None)
        if lost:
            raise lost
        return answers

    def _bounded(self, command: dict[str, Any], until: float) -> dict[str, Any]:
        if until != inf:
            milliseconds = int((until - time.monotonic() - self._round_trip) * 1000)
            if milliseconds <= 0:
                raise FallBackToDriver  # the driver says so
            command["maxTimeMS"] = milliseconds
        command["$db"] = self._database
        return command

    async def _ask(
        self,
        unpack: Callable[[bytes, int, WireConnection], dict[str, Any]],
        connection: WireConnection,
        command: dict[str, Any],
        until: float,
        session: Session | None,
    ) -> dict[str, Any]:
        """The cursor that it answers with, or all."""
        if session:
            session.join(command, connection.pymongo)
        request, message = self._packed(command)
        if session:
            session.begin()
        told = self._told(connection, command, request)
        try:
            reply = await connection.ask(message, until)
            answer = unpack(reply, request, connection)
        except Exception as failed:
            if told:
                told.failed(failed)
            raise
        if told:
            told.succeeded(self._decoded(reply))
        return answer

    async def _ask_each(
        self, connection: WireConnection, commands: Sequence[dict[str, Any]], until: float, session: Session
    ) -> list[dict[str, Any] | Exception]:
        """What each is answered with, or what it failed with."""
        requests: list[int] = []
        messages: list[bytes] = []
        for command in commands:
            session.join(self._bounded(command, until), connection.pymongo, follows=bool(messages))
            request, message = self._packed(command)
            requests.append(request)
            messages.append(message)
        session.begin()
        told = [self._told(connection, *each) for each in zip(commands, requests, strict=True)]
        try:
            replies = await connection.ask(b"".join(messages), until, replies=len(messages))
        except Exception as failed:
            for each in filter(None, told):
                each.failed(failed)
            raise
        answers: list[dict[str, Any] | Exception] = []
        for request, each in zip(requests, told, strict=True):
            length = int.from_bytes(replies[:4], "little")
            reply, replies = replies[:length], replies[length:]
            try:
                answers.append(self._whole(reply, request, connection))
            except Exception as failed:
                answers.append(failed)
                if each:
                    each.failed(failed)
            else:
                if each:
                    each.succeeded(self._decoded(reply))
        return answers

    def _packed(self, command: dict[str, Any]) -> tuple[int, bytes]:
        """The number of the request, and its message."""
        document = encode(command, codec_options=self._codec)
        if len(document) > _LARGEST:
            raise FallBackToDriver  # the driver says so
        request = next(self._requests) & 0x7FFFFFFF
        return request, _HEADER.pack(_DOCUMENT + len(document), request, 0, _OP_MSG, 0, 0) + document

    def _told(self, connection: WireConnection, command: dict[str, Any], request: int) -> CommandEvents | None:
        if self._listeners is None:
            return None
        return CommandEvents(self._listeners, connection.pymongo, command, request)

    def _decoded(self, reply: bytes) -> dict[str, Any]:
        return decode(reply[_DOCUMENT:], codec_options=self._codec)

    def _cursor(self, reply: bytes, request: int, connection: WireConnection) -> dict[str, Any]:
        self._check_header(reply, request, connection)
        if reply[_CURSOR_NAME] == b"\x03cursor\0":
            # The rest is the cluster's time and its signature, which takes as long to decode as a small document.
            end = _CURSOR + int.from_bytes(reply[_CURSOR : _CURSOR + 4], "little")
            if reply.startswith(_OK, end):
                return decode(reply[_CURSOR:end], codec_options=self._codec)
        return self._document(reply, connection)["cursor"]

    def _whole(self, reply: bytes, request: int, connection: WireConnection) -> dict[str, Any]:
        self._check_header(reply, request, connection)
        return self._document(reply, connection)

    def _check_header(self, reply: bytes, request: int, connection: WireConnection) -> None:
        _, _, answered, kind, flags, section = _HEADER.unpack_from(reply)
        if (answered, kind, flags, section) != (request, _OP_MSG, 0, 0):
            connection.fail(lost := AutoReconnect(f"{connection.pymongo.address}: a reply to something else"))
            raise lost

    def _document(self, reply: bytes, connection: WireConnection) -> dict[str, Any]:
        whole = self._decoded(reply)
        pymongo_internals.check(whole, connection.pymongo)
        return whole

    def _primary(self) -> Server | None:
        seen = self._client.description
        if seen is not self._seen:
            self._seen = seen
            primary = None if self._closed or not self._client.is_plain() else self._client.primary()
            if self._server and (primary is None or primary.address != self._server.address):
                self._server.close()
                self._server = None
            if primary is not None:
                self._server = self._server or Server(self._client, primary.address)
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
        """Ends what is under way, and returns when all connections are closed."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        if server := self._server:
            self._server = None
            server.close()
            await asyncio.gather(*(connection.gone for connection in server.all))
