"""Takes lines from files, pipes and bodies, as they come, and puts them into chunks."""

import asyncio
import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass
from select import select
from threading import Event, Semaphore, Thread
from typing import BinaryIO, Final, TypeAlias, TypeVar

from app.services.importing.rows import BEGINNING_BYTES, Coming, MappedLines, UnreadableExport, check_is_lines
from app.services.importing.steps import MappedLine

LINE_LIMIT_BYTES: Final = 1024 * 1024
_CHUNK_BYTES: Final = 8 * LINE_LIMIT_BYTES
_PIECE_BYTES: Final = 1024 * 1024
_PIECES_AHEAD: Final = 2
_ROWS_AHEAD: Final = 200
_PAUSE_SECONDS: Final = 1
T = TypeVar("T")

Lines: TypeAlias = Iterable[bytes] | AsyncIterable[bytes | None]
"""None of those that come one by one: their sender pauses."""

Chunk: TypeAlias = list[tuple[int, bytes]]
"""Lines with their numbers."""


def lines_of(file: BinaryIO, rows: MappedLines | None = None) -> Lines:
    """Returns a file's lines, or those of its ``rows``; a pipe's as they come. See `lines_of_file` for long ones."""
    if file.seekable():
        return rows or lines_of_file(file)
    return lines_of_rows(rows) if rows else lines_of_pieces(_each(from_thread(_pieces_of(Pipe(file)), _PIECES_AHEAD)))


async def _each(some: AsyncGenerator[Sequence[T]]) -> AsyncGenerator[T]:
    async with aclosing(some):
        async for items in some:
            for item in items:
                yield item


def lines_of_file(file: BinaryIO) -> Iterator[bytes]:
    """Yields a file's lines, and of one beyond the limit, however long, only as much as shows that it is.

    Raises UnreadableExport for a file of something else.
    """
    is_first = True
    while line := file.readline(LINE_LIMIT_BYTES + 1):
        if is_first:
            check_is_lines(line)
            is_first = False
        yield line
        while len(line) > LINE_LIMIT_BYTES and not line.endswith(b"\n"):
            line = file.readline(LINE_LIMIT_BYTES + 1)


def count_lines(file: BinaryIO) -> int | None:
    """Returns how many lines a file has, and goes back to its beginning; None of one that can be read once only."""
    if not file.seekable():
        return None
    lines, last = 0, b"\n"
    while block := file.read(LINE_LIMIT_BYTES):
        lines, last = lines + block.count(b"\n"), block
    file.seek(0)
    return lines + (not last.endswith(b"\n"))


async def lines_of_rows(
    rows: MappedLines, each: Callable[[int], Awaitable[None]] | None = None
) -> AsyncGenerator[bytes | None]:
    """Yields the lines of rows that come, read by a thread, and None for each second in which none comes.

    ``each`` hears how many rows were mapped.
    """
    async with aclosing(_with_pauses(from_thread(rows.by_row(), _ROWS_AHEAD))) as coming:
        async for mapped in coming:
            if mapped is None:
                yield None
                continue
            for lines in mapped:
                for line in lines:
                    yield line
            if each:
                await each(len(mapped))


async def lines_of_pieces(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes | None]:
    """Yields lines, and None for each second in which no piece comes. Raises UnreadableExport for something else."""
    begun, beginning = bytearray(), b""
    async with aclosing(_with_pauses(pieces)) as coming:
        async for piece in coming:
            if piece is None:
                yield None
                continue
            if len(beginning) < BEGINNING_BYTES:
                beginning += piece[:BEGINNING_BYTES]
                check_is_lines(beginning)
            *whole, rest = piece.split(b"\n")
            for line in whole:
                begun += line[: LINE_LIMIT_BYTES + 1 - len(begun)]
                yield bytes(begun)
                begun.clear()
            begun += rest[: max(0, LINE_LIMIT_BYTES + 1 - len(begun))]
    if begun:
        yield bytes(begun)


async def _with_pauses(pieces: AsyncGenerator[T]) -> AsyncGenerator[T | None]:
    async def next_piece() -> T | None:
        return await anext(pieces, None)

    async with aclosing(pieces):
        while True:
            coming = asyncio.create_task(next_piece())
            try:
                while not (await asyncio.wait((coming,), timeout=_PAUSE_SECONDS))[0]:
                    yield None
            except BaseException:  # whoever takes them leaves
                coming.cancel()
                await asyncio.wait((coming,))
                raise
            piece = coming.result()
            if piece is None:
                return
            yield piece


class Pipe(Coming):
    """A pipe is read as far as it has come, by a thread perhaps: whoever opened it may close it meanwhile."""

    def __init__(self, pipe: BinaryIO) -> None:
        super().__init__()
        self._end = os.dup(pipe.fileno())

    def take(self) -> bytes:
        select([self._end], [], [])  # some pipes do not wait themselves
        return os.read(self._end, _PIECE_BYTES)

    def close(self) -> None:
        if not self.closed:
            os.close(self._end)
        super().close()


def _pieces_of(pipe: Pipe) -> Generator[bytes]:
    """Yields what a pipe has. Raises UnreadableExport."""
    with pipe:
        try:
            while piece := pipe.take():
                yield piece
        except OSError as broken:
            raise UnreadableExport(f"{broken.strerror}.") from broken


async def from_thread(items: Generator[T], ahead: int) -> AsyncGenerator[Sequence[T]]:
    """Yields what a generator has that may wait, as it comes; raises what it raises, after what came before.

    A thread of its own takes so many items ahead. It waits with the generator, and nobody waits for it at the end.
    """
    loop, room, is_left = asyncio.get_running_loop(), Semaphore(ahead), Event()
    taken: asyncio.Queue[T | _End] = asyncio.Queue()

    def take() -> None:
        end = _End()
        with suppress(RuntimeError):  # the loop is closed: nobody wants it any more
            try:
                with closing(items):
                    for item in items:
                        room.acquire()
                        if is_left.is_set():
                            return
                        loop.call_soon_threadsafe(taken.put_nowait, item)
            except Exception as broken:
                end = _End(broken)
            loop.call_soon_threadsafe(taken.put_nowait, end)

    Thread(target=take, daemon=True).start()
    try:
        while True:
            some = [await taken.get()]
            while not taken.empty():
                some.append(taken.get_nowait())
            if come := [each for each in some if not isinstance(each, _End)]:
                room.release(len(come))
                yield come
            if isinstance(end := some[-1], _End):
                if end.broken:
                    raise end.broken
                return
    finally:
        is_left.set()
        room.release()


@dataclass(frozen=True, slots=True)
class _End:
    broken: Exception | None = None


async def chunks_of(lines: Lines, lines_per_chunk: int, first: int, *, ends_at: int = 0) -> AsyncGenerator[Chunk]:
    """Yields lines with their numbers, of an export whole rows, and what there is when the sender pauses, if anything.

    What came before a break comes, too, before that is told. A chunk ends with the line ``ends_at`` in any case.
    """
    chunk: Chunk = []
    length, number = 0, first - 1
    broken: Exception | None = None
    try:
        async for line in lines if isinstance(lines, AsyncIterable) else _one_by_one(lines):
            if line is None:
                yield chunk
                chunk, length = [], 0
                continue
            is_mapped = isinstance(line, MappedLine)
            number = line.row if is_mapped else number + 1
            chunk.append((number, line))
            length += len(line)
            is_full = len(chunk) >= lines_per_chunk or length >= _CHUNK_BYTES or number == ends_at
            if is_full and (not is_mapped or line.ends_row):
                yield chunk
                chunk, length = [], 0
    except Exception as wrong:  # of the lines' own: what is done with a chunk is not done in here
        broken = wrong
    if chunk:
        yield chunk
    if broken:
        raise broken


async def _one_by_one(lines: Iterable[bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield line
