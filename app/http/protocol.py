"""Speaks HTTP/1.1 on the socket: uvicorn's protocol, with bounds of our own and one way to take an Upgrade."""

import http
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app import metrics
from app.http.middleware import SHUTDOWN, asks_for_websocket
from app.http.quiet import QuietLine
from app.http.stalls import EndsStalls
from app.operations.errors import error_payload
from app.settings import Limits

MAX_HEAD_BYTES: Final = Limits().max_head_bytes
MAX_BODY_BYTES: Final = Limits().max_body_bytes

_HEADERS_SECONDS: Final = 10
"""How long a client may take to say what it wants. Its body has the time of a request."""
_LATE_SECONDS: Final = 1
"""How long a connection that was just made may take, when the process leaves, to say what it was made for."""
_LINGER_SECONDS: Final = 1
"""How long a connection that ends while its client is sending is read on after each byte. One that is closed with
bytes unread is reset, and the client may lose the answer that says why."""
_LONGEST_LINGER_SECONDS: Final = 30
MAX_UNFINISHED: Final = 1_000
"""How many connections may have said only a part of what they want. One more, and the one that began first is closed: a
head takes milliseconds, unless it is not meant to end."""
_SPARED_SECONDS: Final = 2
"""How long none is closed for another: of thousands that connect at once, all are accepted before the first is read."""
_UPGRADE: Final = b"upgrade"
_WEBSOCKET_PATHS: Final = (b"/graphql", b"/graphql/")
_UNREADABLE: Final = QuietLine("refused what is not HTTP")


class _Parser(httptools.HttpRequestParser):
    """Goes on after an Upgrade, as if none had been asked for (RFC 9110, 7.8).

    llhttp ends a message at its head where it asks for another protocol: what follows would be taken for that
    protocol's, or for a new request. The head is read once more without the header, and the body belongs to it.
    """

    def __init__(self, protocol: "Protocol") -> None:
        self._protocol = protocol
        self._begin()

    def _begin(self) -> None:
        super().__init__(self._protocol)
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does

    def feed_data(self, data: Any) -> None:
        try:
            try:
                super().feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                rest = memoryview(data)[upgrade.args[0] :]
                if not self._protocol.begin_websocket(rest):
                    self._go_on(rest)
        except httptools.HttpParserError:  # uvicorn would write a line for each
            self._protocol.refuse_unreadable()

    def _go_on(self, rest: memoryview) -> None:
        while True:
            head = self._protocol.head_without_upgrade()
            self._begin()  # what was to be the last message of its connection is read again, too
            super().feed_data(head)
            try:
                super().feed_data(rest)
                return
            except httptools.HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]


class _Refused(Exception):
    """Raised to end the parsing of what was refused meanwhile; never leaves uvicorn."""


class _Nowhere(list[tuple[bytes, bytes]]):
    def append(self, _: tuple[bytes, bytes]) -> None: ...


_NOWHERE: Final = _Nowhere()
"""Where headers go that come after the body (trailers): they are no headers of the request, and kept by nobody."""


class _Peer:
    """What a request is answered to: its connection, which is closed in a way of ours.

    The head of an answer waits for the first of its body where one is sure to follow: what is written is sent at once,
    and a packet more costs a twentieth of a small request here, and its client as much.
    """

    __slots__ = ("_cycle", "_head", "_transport", "close", "is_closing")

    def __init__(self, transport: Any, cycle: Any, close: Callable[[], None]) -> None:
        self._transport, self._cycle, self.close = transport, cycle, close
        self.is_closing = transport.is_closing
        self._head: bytes | None = None  # one that waits; empty once it was sent

    def write(self, data: bytes) -> None:
        cycle = self._cycle
        if self._head:
            data, self._head = self._head + data, b""
            self._transport.write(data)
        elif self._head is None and cycle.expected_content_length and cycle.scope["method"] != "HEAD":
            self._head = data
        else:
            self._transport.write(data)


class Protocol(EndsStalls, HttpToolsProtocol):
    """Uvicorn's protocol waits for an unfinished request for ever, and takes heads of any length; this one does not.

    A head is a request line and its headers; ``h11_max_incomplete_event_size`` of uvicorn's configuration bounds it.
    """

    _begun: Any = None
    _refused = False
    """Whether the connection ends with the farewell: nothing more is parsed."""
    _farewell = b""
    _last_byte: float | None = None
    """When the client last sent something of what goes nowhere; None before the end."""
    _upgrade: list[tuple[bytes, bytes]] | None = None
    """The headers that were left out of a head that is read again."""
    _idle = True
    """Whether the next byte begins a request."""
    _head_bytes: int | None = None
    """Of a head that is not complete, as far as they were counted: not what came behind another request at once."""
    _part = 0
    """Bytes that are being parsed and count for the head that they belong to."""

    _websocket: Any = None
    """Who speaks on this connection instead, after a handshake."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser = _Parser(self)
        self._max_head_bytes: int = self.config.h11_max_incomplete_event_size or MAX_HEAD_BYTES

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        self.stall.hear()
        if self._last_byte is not None:
            self._last_byte = self.loop.time()
            return
        self._parse(data)
        cycle: Any = self.cycle  # None before the first request
        is_waiting = self._begun is None and (cycle is None or cycle.response_complete)
        if is_waiting and not (self._refused or self._websocket):
            self._expect()

    def _parse(self, data: bytes) -> None:
        while data and not self._refused:
            if self._websocket:
                self._websocket.data_received(data)
                return
            if self._head_bytes is None and not self._idle:
                super().data_received(data)
                return
            # No more of a head is looked at than there may be.
            self._part = min(self._max_head_bytes - (self._head_bytes or 0), len(data))
            part, data = data[: self._part], data[self._part :]
            super().data_received(part)
            if self._head_bytes is not None:
                self._head_bytes += self._part
                if self._head_bytes >= self._max_head_bytes:
                    self._refuse_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        SHUTDOWN.end_streams(0)  # they would be waited for
        if self._begun is None:
            super().shutdown()
            return
        # Its request may be on the way: the client was told that we listen.
        self._forget()
        self._begun = self.loop.call_later(_LATE_SECONDS, self.transport.close)

    # ------------------------------------------------------------ what the parser finds

    def on_message_begin(self) -> None:
        self._idle, self._head_bytes = False, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Handles a whole head. Raises _Refused."""
        self._head_bytes = None
        if not self.parser.should_upgrade():
            self._forget()
            if self._upgrade:
                self.headers += self._upgrade
                self._upgrade = None
            super().on_headers_complete()
            cycle: Any = self.cycle
            cycle.transport = _Peer(self.transport, cycle, self._close_after_answer)
            self.headers = _NOWHERE
        elif self.parser.get_method() == b"CONNECT":
            message = "This is not a proxy: send POST, or GET for a query."
            self._refuse(405, "METHOD_NOT_ALLOWED", message, Allow="GET, POST")
            raise _Refused

    def on_message_complete(self) -> None:
        self._idle, self._part = True, 0
        super().on_message_complete()

    def _should_upgrade(self) -> bool:
        """Returns True: what asks for another protocol goes to nobody, and its head is read again."""
        return True

    def head_without_upgrade(self) -> bytes:
        """Returns the head that has just been read, to be read again."""
        self._upgrade = [each for each in self.headers if each[0] == _UPGRADE]
        return self._head(each for each in self.headers if each[0] != _UPGRADE)

    def begin_websocket(self, rest: memoryview) -> bool:
        """Hands the connection over if its head is the handshake of a WebSocket where there is one; else False."""
        cycle: Any = self.cycle
        is_handshake = (
            self.config.ws_protocol_class is not None
            and self.parser.get_method() == b"GET"
            and self.parser.get_http_version() == "1.1"
            and self.url.partition(b"?")[0] in _WEBSOCKET_PATHS
            and asks_for_websocket(dict(self.headers))
            and (cycle is None or cycle.response_complete)
        )
        if not is_handshake:
            return False
        self._forget()
        self.stall.end()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        kind: Any = self.config.ws_protocol_class
        websocket = kind(config=self.config, server_state=self.server_state, app_state=self.app_state)
        websocket.connection_made(self.transport)
        self.transport.set_protocol(websocket)
        self._websocket = websocket
        self.url = self.url.partition(b"?")[0]  # uvicorn would write it into the log
        websocket.data_received(self._head(self.headers))
        if rest:
            websocket.data_received(bytes(rest))
        return True

    def _head(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        line = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        return b"\r\n".join((line, *(b"%b: %b" % each for each in headers), b"", b""))

    # ------------------------------------------------------------ refusals

    def refuse_unreadable(self) -> None:
        if not self._refused:
            _UNREADABLE.warn()
            self._refuse(400, "BAD_REQUEST", "This is not an HTTP request that can be read.")

    def _refuse_head(self) -> None:
        """Refuses a head that is too long, or the address of a query by GET, if that is what is too long."""
        most = self._max_head_bytes
        is_query = self.parser.get_method() == b"GET" and self.url.startswith(b"/graphql")
        if is_query and len(self.url) > most // 2:
            message = f"A query by GET may have {most} bytes, headers included. Send it by POST."
            self._refuse(414, "REQUEST_TOO_LARGE", message)
        else:
            self._refuse(431, "REQUEST_TOO_LARGE", f"The request line and the headers may have {most} bytes.")

    def _refuse(self, status: int, code: str, message: str, **headers: str) -> None:
        """Answers what never became a request, when its turn comes, and ends the connection."""
        if self._refused:
            return
        self._refused = True
        metrics.requests_by_outcome(code).inc()
        self._farewell = _response(status, {"errors": [error_payload(code, message)]}, headers)
        cycle: Any = self.cycle
        if cycle and not cycle.response_complete:
            if not cycle.more_body or cycle.response_started or self.pipeline:
                return
            cycle.disconnected = True  # it is this request, whose body cannot be read
            cycle.message_event.set()
        self._end()

    def _close_after_answer(self) -> None:
        cycle: Any = self.cycle  # of a pipeline, the last
        if cycle.more_body or self.pipeline:
            self.pipeline.clear()  # after a Connection: close, none is answered
            cycle.body = b""
            self._end()
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        if self._last_byte is not None:
            return
        cycle: Any = self.cycle  # of a pipeline, the last
        if cycle.response_complete:
            cycle.body = b""  # what nobody has read, nobody will
        super().on_response_complete()
        if self._refused and cast(Any, self.cycle).response_complete and not self.transport.is_closing():
            self._end()

    def _end(self) -> None:
        self._forget()
        self._unset_keepalive_if_required()
        self.transport.write(self._farewell)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()  # what is not read resets the client
        self._last_byte = self.loop.time()
        self._linger(self._last_byte + _LONGEST_LINGER_SECONDS)

    def _linger(self, end: float) -> None:
        """Closes the connection once its client has been silent for a while, at the end at the latest."""
        until = min(cast(float, self._last_byte) + _LINGER_SECONDS, end)
        if self.loop.time() < until:
            self._begun = self.loop.call_at(until, self._linger, end)
        else:
            self.transport.close()

    # ------------------------------------------------------------ time

    def _expect(self) -> None:
        self._begun = self.loop.call_later(_HEADERS_SECONDS, self.transport.close)
        now = self.loop.time()
        _UNFINISHED[self] = now
        while len(_UNFINISHED) > MAX_UNFINISHED:
            oldest, since = next(iter(_UNFINISHED.items()))
            if now - since < _SPARED_SECONDS:
                break
            oldest._forget()
            oldest.transport.close()

    def _forget(self) -> None:
        _UNFINISHED.pop(self, None)
        if self._begun:
            self._begun.cancel()
            self._begun = None


_UNFINISHED: Final = dict[Protocol, float]()
"""The connections of this process whose next head is not complete, by the time since which it has been waited for, the
earliest first."""


def _response(status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    content = orjson.dumps(body)
    every = {
        "content-type": "application/json; charset=utf-8",
        "content-length": len(content),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "connection": "close",
        **headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in every.items())
    return STATUS_LINE[http.HTTPStatus(status)] + lines.encode() + b"\r\n" + content
