"""Takes lines from files, pipes and bodies, as they come, and puts them into chunks."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import aclosing, suppress
from select import select
from threading import Semaphore, Thread
from typing import BinaryIO, Final, TypeAlias, TypeVar

from app.services.importing.rows import UnreadableExport
from app.services.importing.steps import MappedLine

LINE_LIMIT_BYTES: Final = 1024 * 1024
_CHUNK_BYTES: Final = 8 * LINE_LIMIT_BYTES
_PIECE_BYTES: Final = 1024 * 1024
_PIECES_AHEAD: Final = 2
_PAUSE_SECONDS: Final = 1
T = TypeVar("T")

Lines: TypeAlias = Iterable[bytes] | AsyncIterable[bytes | None]
"""None of those that come one by one: their sender pauses."""

Chunk: TypeAlias = list[tuple[int, bytes]]
"""Lines with their numbers."""


def lines_of(file: BinaryIO) -> Lines:
    """Returns a file's lines, a pipe's as they come; of one beyond the limit only as much as shows that it is."""
    return lines_of_file(file) if file.seekable() else lines_of_pieces(_pieces_of_pipe(file))


def lines_of_file(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(LINE_LIMIT_BYTES + 1):
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


async def lines_of_pieces(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes | None]:
    """Yields lines, and None for each second in which no piece comes."""
    begun = bytearray()
    async with aclosing(_with_pauses(pieces)) as coming:
        async for piece in coming:
            if piece is None:
                yield None
                continue
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


async def _pieces_of_pipe(pipe: BinaryIO) -> AsyncGenerator[bytes]:
    """Yields what a pipe has. It is waited for by a thread of its own, for which nobody has to wait at the end.

    Raises UnreadableExport.
    """
    loop, free = asyncio.get_running_loop(), Semaphore(_PIECES_AHEAD)
    taken: asyncio.Queue[bytes | OSError] = asyncio.Queue()
    end = os.dup(pipe.fileno())  # whoever opened the pipe may close it while the thread waits

    def read() -> None:
        piece: bytes | OSError = b" "
        with suppress(RuntimeError):  # the loop is closed: nobody wants it any more
            while piece and isinstance(piece, bytes):
                free.acquire()
                try:
                    select([end], [], [])  # some pipes do not wait themselves
                    piece = os.read(end, _PIECE_BYTES)
                except OSError as broken:
                    piece = broken
                loop.call_soon_threadsafe(taken.put_nowait, piece)
        os.close(end)

    Thread(target=read, daemon=True).start()
    while piece := await taken.get():
        if isinstance(piece, OSError):
            raise UnreadableExport(f"{piece.strerror}.") from piece
        free.release()
        yield piece


async def chunks_of(lines: Lines, lines_per_chunk: int, first: int) -> AsyncGenerator[Chunk]:
    """Yields lines with their numbers, of an export whole rows, and what there is when the sender pauses, if anything.

    What came before a break comes, too, before that is told.
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
            if (len(chunk) >= lines_per_chunk or length >= _CHUNK_BYTES) and (not is_mapped or line.ends_row):
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
