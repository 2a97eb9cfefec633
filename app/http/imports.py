"""Takes lines of an import over HTTP, and answers with what became of each, line by line: docs/import.md.

By a mapping it takes rows of another system's export. They are read as the command reads a file, in a thread, which
waits for what comes.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from concurrent.futures import Future
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from http import HTTPStatus
from typing import Any, Final

import orjson
from asgi_correlation_id import correlation_id
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from app.domain.access import Permission, Viewer
from app.domain.changes import Invalid, NotFound
from app.domain.mappings import BadZone, zone_named
from app.domain.mappings import Mapping as ImportMapping
from app.domain.times import stored
from app.http.endpoint import Authenticate
from app.http.file_links import ANSWER_SECONDS, HEADERS, failed, refused
from app.http.middleware import SHUTDOWN
from app.http.request import HTTPError
from app.http.status import failure
from app.operations.admission import Admission
from app.operations.rates import RateLimited, Rates
from app.services.importing import ImportOptions, Verdict, batches
from app.services.importing.lines import LINE_LIMIT_BYTES, lines_of_pieces, lines_of_rows
from app.services.importing.rows import Coming, MappedLines, UnreadableExport
from app.services.mappings import mapping_named
from app.store.deadline import NEVER
from app.store.driver import Database, Document

PATH: Final = "/import"
PRICE_OF_LINE: Final = 100
"""What a line costs of a minute's budget: a millisecond of a core, ours and MongoDB's together."""
PRICE_OF_ROW: Final = 40
"""What a mapping costs for a row, beside the lines that it makes of it."""
_AT_ONCE: Final = 2
_LINES_PER_CHUNK: Final = 200
"""Fewer than at the command line: between two chunks other requests have their turn."""
_PAID_AT_ONCE: Final = 200
_DOCUMENT_AT_MOST: Final = 16 * 1024 * 1024
"""A JSON document is read whole, and others are served meanwhile."""
_SILENCE_SECONDS: Final = 60
_ANSWERS_AT_MOST: Final = 16 * 1024 * 1024
"""Of a client that reads no answer before it has sent all lines, so many bytes are kept; then it is not read on."""
_TYPES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl", "")
_OPTIONS: Final = ("strict", "correct", "unknownTypes", "fileName", "batch", "from", "mapping", "timezone")
_HEADERS: Final = ((b"content-type", b"application/x-ndjson; charset=utf-8"), (b"cache-control", b"no-store"))


def routes(
    database: Database,
    authenticate: Authenticate,
    rates: Rates,
    zone: tzinfo,
    mappings: Mapping[str, ImportMapping],
) -> list[BaseRoute]:
    """Returns the routes. ``zone`` is the programme's: where days of points end. ``mappings`` have names."""
    at_once = Admission(_AT_ONCE, 0, 0)

    async def admitted(request: Request) -> Viewer:
        viewer = await authenticate(request.headers.get("authorization"))
        viewer.require(Permission.IMPORT)
        rates.spend(viewer, PRICE_OF_LINE)
        return viewer

    async def post(request: Request) -> Response:
        try:
            viewer = await admitted(request)
            given, options = _given(request, mappings), _options_of(request, zone)
            unpacked = _unpacked(request)
            await at_once.enter(viewer.subject)
            try:
                store, now = database.within(ANSWER_SECONDS), stored(datetime.now(UTC))
                if given.batch_id is None:
                    request_id = correlation_id.get() or ""
                    batch = await batches.begin(store, given.file_name, viewer, request_id, now)
                else:
                    batch = await batches.reopen(store, given.batch_id, viewer, now, first=given.first)
            except BaseException:  # the turn is given back whatever happens: nobody else would
                at_once.leave()
                raise
        except NotFound as missing:
            return refused(HTTPStatus.NOT_FOUND, missing.code, str(missing))
        except Exception as error:  # whatever it is, its text stays here
            return failed(error)

        async def work(answers: "_Answers") -> Mapping[str, Any]:
            async def each_chunk(lines: int) -> None:
                await _pay(rates, viewer, lines, PRICE_OF_LINE)
                await answers.wait_for_reader()

            async def each_rows(rows: int) -> None:
                await _pay(rates, viewer, rows, PRICE_OF_ROW)

            body = _Body(unpacked)
            rows = (
                MappedLines(body, given.mapping, first=given.first, document_at_most=_DOCUMENT_AT_MOST)
                if given.mapping
                else None
            )
            lines = lines_of_rows(rows, each_rows) if rows else lines_of_pieces(unpacked)
            try:
                async with aclosing(lines):
                    summary = await batches.go_on(
                        database.until(NEVER),
                        batch,
                        lines,
                        first=given.first,
                        now=now,
                        on_verdict=answers.tell,
                        each_chunk=each_chunk,
                        options=options,
                        lines_per_chunk=_LINES_PER_CHUNK,
                    )
            finally:
                body.leave()
                at_once.leave()
            return {**summary.as_json(), **(rows.as_json() if rows else {})}

        return _Answers(batch["_id"], work)

    async def get(request: Request) -> Response:
        try:
            await admitted(request)
            batch = await batches.find(database.within(ANSWER_SECONDS), request.path_params["id"])
        except NotFound as missing:
            return refused(HTTPStatus.NOT_FOUND, missing.code, str(missing))
        except Exception as error:  # whatever it is, its text stays here
            return failed(error)
        return JSONResponse(_state_of(batch, datetime.now(UTC)), headers=HEADERS)

    return [Route(PATH, post, methods=["POST"]), Route(f"{PATH}/{{id}}", get, methods=["GET"])]


def _state_of(batch: Document, now: datetime) -> Mapping[str, Any]:
    return {
        "id": batch["_id"],
        "isRunning": batches.is_running(batch, now),
        "isFinished": "finishedAt" in batch,
        "from": batch.get("settledLines", 0) + 1,
        "counts": batch["counts"],
        "linesRead": batch.get("linesRead", 0),
        "linesHeld": batch.get("linesHeld", 0),
    }


# ---------------------------------------------------------------- what is asked for


@dataclass(frozen=True, slots=True)
class _Given:
    file_name: str
    batch_id: str | None
    first: int
    mapping: ImportMapping | None


def _given(request: Request, mappings: Mapping[str, ImportMapping]) -> _Given:
    """Returns what the address says of the lines. Raises Invalid, HTTPError."""
    query = request.query_params
    if strangers := sorted(query.keys() - {*_OPTIONS}):
        raise Invalid(f"{strangers[0][:50]} is unknown; there are {', '.join(_OPTIONS)}.", strangers[0][:50])
    if twice := sorted(name for name in query if len(query.getlist(name)) > 1):
        raise Invalid(f"Give {twice[0]} once.", twice[0])
    mapping = _mapping_of(query.get("mapping"), query.get("timezone"), mappings)
    type_ = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if mapping is None and type_ not in _TYPES:
        raise HTTPError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send lines as {_TYPES[0]}, in UTF-8.", Connection="close")
    first = query.get("from", "1")
    if not (first.isascii() and first.isdecimal() and 1 <= int(first[:18]) and len(first) <= 18):
        raise Invalid("from must be the number of the first line, from 1 on.", "from")
    if "from" in query and "batch" not in query:
        raise Invalid("from goes on with a batch: name it.", "batch")
    return _Given(query.get("fileName") or "-", query.get("batch"), int(first), mapping)


def _mapping_of(name: str | None, timezone: str | None, mappings: Mapping[str, ImportMapping]) -> ImportMapping | None:
    """Raises Invalid."""
    if name is None:
        if timezone is not None:
            raise Invalid("timezone is for times of a mapping: lines say their offsets themselves.", "timezone")
        return None
    mapping = mapping_named(name, mappings)
    try:
        return mapping.in_zone(zone_named(timezone)) if timezone else mapping
    except BadZone as bad:
        raise Invalid(f"timezone {bad}", "timezone") from None


def _options_of(request: Request, zone: tzinfo) -> ImportOptions:
    """Raises Invalid."""
    query = request.query_params
    flags: dict[str, bool] = {}
    for name in ("strict", "correct"):
        if (word := query.get(name, "false")) not in ("true", "false"):
            raise Invalid(f"{name} must be true or false.", name)
        flags[name] = word == "true"
    if (unknown := query.get("unknownTypes", "legacy")) not in ("legacy", "refuse"):
        raise Invalid("unknownTypes must be legacy or refuse.", "unknownTypes")
    return ImportOptions(zone, flags["strict"], flags["correct"], unknown == "refuse")


# ---------------------------------------------------------------- lines


class _BrokenOff(Exception):
    """Raised for a body that cannot be read on; what came before it is imported."""


async def _pieces(request: Request) -> AsyncGenerator[bytes]:
    """Yields the body as it comes. Raises ClientDisconnect, _BrokenOff for a client that has fallen silent."""
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                piece = await anext(stream, None)
        except TimeoutError:
            raise _BrokenOff(f"Nothing came for {_SILENCE_SECONDS} s.") from None
        if piece is None:
            return
        yield piece


def _unpacked(request: Request) -> AsyncGenerator[bytes]:
    """Returns the body's pieces, unpacked. Raises HTTPError for what cannot be unpacked."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding == "identity":
        return _pieces(request)
    if coding != "gzip":
        message = "Send the lines as they are, or compressed by gzip."
        raise HTTPError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message, Connection="close")
    return _gunzipped(_pieces(request))


async def _gunzipped(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yields what was compressed, at most a mebibyte at once: a small piece may hold a thousand times its bytes."""
    member, begun, is_behind = zlib.decompressobj(wbits=31), False, False
    async for piece in pieces:
        while piece := piece.lstrip(b"\0") if is_behind else piece:  # zeros may fill up a block behind a member
            begun, is_behind = True, False
            try:
                yield member.decompress(piece, LINE_LIMIT_BYTES)
            except zlib.error:
                raise _BrokenOff("The body is not gzip from here on.") from None
            piece = member.unconsumed_tail
            if member.eof:  # another may follow, as `cat a.gz b.gz` makes
                piece, member, begun, is_behind = member.unused_data, zlib.decompressobj(wbits=31), False, True
    if begun and not member.eof:
        raise _BrokenOff("The compressed body ends too early.")


class _Body(Coming):
    """A body is read as a file by a thread, and waits for its pieces in the loop."""

    def __init__(self, pieces: AsyncGenerator[bytes]) -> None:
        super().__init__()
        self._pieces, self._loop = pieces, asyncio.get_running_loop()
        self._coming: Future[bytes | None] | None = None
        self._is_left = False

    def take(self) -> bytes:
        """Raises what the pieces raise, and _BrokenOff once nobody waits for it."""
        if self._is_left:
            raise _BrokenOff("Nobody waits for it.")
        self._coming = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
        return self._coming.result() or b""

    async def _next(self) -> bytes | None:
        return await anext(self._pieces, None)

    def leave(self) -> None:
        """Lets go of a thread that waits."""
        self._is_left = True
        if self._coming:
            self._coming.cancel()


async def _pay(rates: Rates, viewer: Viewer, things: int, price: int) -> None:
    """Waits until the subject may spend so much, a few at once: a row may make any number of lines.

    Raises _BrokenOff while the process leaves.
    """
    while things:
        if SHUTDOWN.draining:
            raise _BrokenOff("This gateway is being replaced: go on with another one.")
        paid = min(things, _PAID_AT_ONCE)
        try:
            rates.spend(viewer, paid * price)
            things -= paid
        except RateLimited as limited:
            await asyncio.sleep(min(limited.seconds, 1))


# ---------------------------------------------------------------- answers


class _Answers(Response):
    """The answers are lines, too: the batch, then what became of each line, then the summary or what broke it off."""

    def __init__(self, batch_id: str, work: Callable[["_Answers"], Awaitable[Mapping[str, Any]]]) -> None:
        super().__init__()
        self._batch_id, self._import = batch_id, work
        self._told = bytearray()
        self._news, self._read = asyncio.Event(), asyncio.Event()

    def tell(self, verdict: Verdict) -> None:
        told: dict[str, Any] = {"line": verdict.number, "kind": verdict.kind, "outcome": verdict.outcome.value}
        if verdict.reason:
            told["reason"] = verdict.reason
        if verdict.warnings:
            told["warnings"] = verdict.warnings
        self._say(told)

    def _say(self, told: Mapping[str, Any]) -> None:
        self._told += orjson.dumps(told) + b"\n"
        self._news.set()

    async def wait_for_reader(self) -> None:
        while len(self._told) > _ANSWERS_AT_MOST:
            self._read.clear()
            await self._read.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        self._say({"id": self._batch_id})
        working = asyncio.create_task(self._work())
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                body, self._told = bytes(self._told), bytearray()
                self._read.set()
                done = working.done()
                await send({"type": "http.response.body", "body": body, "more_body": not done})
                if done:
                    return
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working

    async def _work(self) -> None:
        try:
            summary = await self._import(self)
        except ClientDisconnect:
            pass  # nobody reads it
        except UnreadableExport as unreadable:
            message = f"The export cannot be read on: {unreadable} What came before it is imported."
            self._say({"error": {"code": Invalid.code, "message": message}})
        except _BrokenOff as broken:
            self._say({"error": {"code": "BROKEN_OFF", "message": f"{broken} {self._way_out}"}})
        except Exception as fault:  # whatever it is, its text stays here
            error = failure(fault).body["errors"][0]
            self._say(
                {"error": {"code": error["extensions"]["code"], "message": f"{error['message']} {self._way_out}"}}
            )
        else:
            self._say({"summary": {"id": self._batch_id, **summary}})
        finally:
            self._news.set()

    @property
    def _way_out(self) -> str:
        return f"GET {PATH}/{self._batch_id} says from which line on to send it again."
