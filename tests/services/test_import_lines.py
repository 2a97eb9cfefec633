"""Lines as they come: from files, in pieces, and from pipes whose writer pauses."""

import asyncio
import gzip
import os
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from itertools import pairwise
from typing import BinaryIO

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.access import ADMINISTRATOR
from app.domain.mappings import read_mapping
from app.services.importing import lines as taken
from app.services.importing.batches import import_batch
from app.services.importing.lines import (
    LINE_LIMIT_BYTES,
    Lines,
    Pipe,
    chunks_of,
    count_lines,
    from_thread,
    lines_of,
    lines_of_file,
    lines_of_pieces,
)
from app.services.importing.rows import MappedLines, UnreadableExport
from app.services.importing.undo import StillRuns, undo
from app.store import indexes, previews
from app.store.driver import Store
from tests.support.import_lines import NOW, activity, customer, points
from tests.support.relays import until


@pytest.mark.parametrize(("content", "lines"), [(b"", 0), (b"a\nb\n", 2), (b"a\nb", 2), (b"x" * 3_000_000, 1)])
def test_the_lines_of_a_file_are_counted_before_they_are_read(content: bytes, lines: int) -> None:
    file = BytesIO(content)
    assert (count_lines(file), file.read()) == (lines, content)


def test_a_line_without_an_end_is_read_no_further_than_shows_that_it_is_too_long() -> None:
    endless, exact = b"x" * (3 * LINE_LIMIT_BYTES + 5), b"y" * LINE_LIMIT_BYTES
    lines = list(lines_of_file(BytesIO(endless + b"\n" + exact + b"\n" + b"{}\n" + endless)))
    assert [len(line) for line in lines] == [LINE_LIMIT_BYTES + 1, LINE_LIMIT_BYTES + 1, 3, LINE_LIMIT_BYTES + 1]
    assert lines[1:3] == [exact + b"\n", b"{}\n"]


@given(st.binary(max_size=12).map(lambda raw: raw.translate(bytes(b"\na\r"[n % 3] for n in range(256)))), st.data())
def test_however_lines_are_cut_into_pieces_they_are_those_of_a_file(content: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))

    async def pieces() -> AsyncGenerator[bytes]:
        for start, end in pairwise((0, *cuts, len(content))):
            yield content[start:end]

    async def lines() -> Sequence[bytes | None]:
        return [line async for line in lines_of_pieces(pieces())]

    assert asyncio.run(lines()) == [line.removesuffix(b"\n") for line in lines_of_file(BytesIO(content))]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            gzip.compress(b"{}\n", mtime=0),
            "It is packed by gzip: unpack it (gunzip), or send it with Content-Encoding: gzip.",
        ),
        (b"PK\x03\x04" + bytes(30), "It is a ZIP archive, as workbooks of Excel (.xlsx) are: save its sheet as CSV"),
        ("{}\n".encode("utf-16"), "It is UTF-16, and lines are UTF-8: iconv -f UTF-16 -t UTF-8."),
        ("{}\n".encode("utf-16-le"), "It is UTF-16, and lines are UTF-8"),
        ("{}\n".encode("utf-16-be"), "It is UTF-16, and lines are UTF-8"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1_000])
async def test_a_file_of_something_else_is_named_and_is_no_bad_lines(content: bytes, words: str, size: int) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        for start in range(0, len(content), size):
            yield content[start : start + size]

    with pytest.raises(UnreadableExport) as raised:
        list(lines_of_file(BytesIO(content)))
    assert words in str(raised.value)
    with pytest.raises(UnreadableExport) as raised:
        [line async for line in lines_of_pieces(pieces())]
    assert words in str(raised.value)


async def test_what_has_come_is_a_chunk_once_its_sender_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taken, "_PAUSE_SECONDS", 0.01)
    goes_on = asyncio.Event()

    async def pieces() -> AsyncGenerator[bytes]:
        yield b"1\n2\n3"
        await goes_on.wait()
        yield b"4\n"

    chunks = chunks_of(lines_of_pieces(pieces()), 1_000, 1)
    assert await anext(chunks) == [(1, b"1"), (2, b"2")]
    assert await anext(chunks) == []  # and still nothing comes
    goes_on.set()
    assert [chunk async for chunk in chunks if chunk] == [[(3, b"34")]]


async def test_who_stops_taking_lines_leaves_no_task_that_waits_for_more() -> None:
    left = asyncio.Event()

    async def pieces() -> AsyncGenerator[bytes]:
        try:
            yield b"1\n"
            await asyncio.Event().wait()
        finally:
            left.set()

    def waiting() -> list[str]:
        return [name for task in asyncio.all_tasks() if "next_piece" in (name := repr(task.get_coro()))]

    lines = lines_of_pieces(pieces())
    assert await anext(lines) == b"1"
    assert await anext(lines) is None
    assert len(waiting()) == 1
    await lines.aclose()
    assert (left.is_set(), waiting()) == (True, [])


async def test_a_pipe_that_does_not_wait_itself_is_read_and_one_that_breaks_says_so() -> None:
    end, write = os.pipe()
    os.set_blocking(end, False)
    with os.fdopen(end, "rb") as pipe, os.fdopen(write, "wb", buffering=0) as writer:
        lines = chunks_of(lines_of(pipe), 1, 1)
        reading = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0.05)  # so that there is nothing yet where it begins to read
        writer.write(b"1\n")
        assert await reading == [(1, b"1")]
        pipe.close()  # as whoever opened it does at the end of a command, be the thread still waiting or not
        writer.write(b"2\n")
        assert await anext(lines) == [(2, b"2")]
    master, slave = os.openpty()
    os.close(slave)  # the terminal has gone
    with os.fdopen(master, "rb") as terminal, pytest.raises(UnreadableExport, match=r"^Input/output error\.$"):
        await anext(chunks_of(lines_of(terminal), 1, 1))


MAPPING = read_mapping(
    """
system = "Any"
source = "platform"
reads = "ndjson"
lines = "."
"""
)


def lines_as_they_come(pipe: BinaryIO) -> Lines:
    return lines_of(pipe)


def rows_as_they_come(pipe: BinaryIO) -> Lines:
    return lines_of(pipe, MappedLines(Pipe(pipe), MAPPING))


async def test_a_thread_takes_a_few_items_ahead_and_what_came_before_one_that_fails_comes_first() -> None:
    made: list[int] = []

    def items() -> Generator[int]:
        for number in range(10):
            made.append(number)
            yield number
        raise UnreadableExport("Torn.")

    coming = from_thread(items(), 3)
    taken: list[int] = []

    async def take_all() -> None:
        async for some in coming:
            taken.extend(some)
            assert len(made) <= len(taken) + 3 + 1  # that many ahead, and one in the hand

    with pytest.raises(UnreadableExport, match="Torn"):
        await take_all()
    assert taken == [*range(10)]
    assert made == taken


async def test_whoever_leaves_a_thread_lets_it_end() -> None:
    ended = threading.Event()

    def items() -> Generator[int]:
        try:
            while True:
                yield 1
        finally:
            ended.set()

    coming = from_thread(items(), 3)
    await anext(coming)
    await coming.aclose()
    assert await asyncio.to_thread(ended.wait, 30)


@pytest.mark.parametrize("lines_from", [lines_as_they_come, rows_as_they_come])
async def test_a_pipe_whose_writer_pauses_is_imported_whole_meanwhile_and_its_import_is_known_to_run(
    lines_from: Callable[[BinaryIO], Lines], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taken, "_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr("app.services.importing.batches._BETWEEN_NOTES", timedelta())
    monkeypatch.setattr("app.services.importing.batches._PAUSES", timedelta(seconds=1))
    end, write = os.pipe()
    with os.fdopen(end, "rb") as pipe, os.fdopen(write, "wb", buffering=0) as writer:
        importing = asyncio.create_task(
            import_batch(
                store,
                lines_from(pipe),
                file_name="-",
                viewer=ADMINISTRATOR,
                request_id="test",
                now=NOW,
                reject=lambda rejected: pytest.fail(rejected.reason),
                advance=lambda lines: None,
            )
        )
        for number, line in enumerate((customer(), activity("a"), points("p", "EARNED", 5)), 1):
            writer.write(orjson.dumps(line) + b"\n")
            await until(partial(is_whole, store, number))
        [batch] = await store.find("imports", {})
        await until(partial(is_seen, store, after=batch["seenAt"] + timedelta(seconds=1)))
        [batch] = await store.find("imports", {})
        with pytest.raises(StillRuns):
            await undo(store, batch["_id"], ADMINISTRATOR, "test", batch["seenAt"])
        writer.close()
        async with asyncio.timeout(30):
            _, summary = await importing
    assert (summary.lines, summary.last) == (3, 3)
    assert (await store.find("imports", {}))[0]["lines"] == 3


async def is_seen(store: Store, after: datetime) -> bool:
    return (await store.find("imports", {}))[0]["seenAt"] > after


async def is_whole(store: Store, lines: int) -> bool:
    """Returns whether that number of lines is in, with all that is copied from them."""
    [batch, *_] = [*await store.find("imports", {}), {"lines": 0}]
    if batch["lines"] < lines:
        return False
    heads = {each["_id"]: each["revision"] for each in await store.find("heads", {})}
    customers = {each["_id"]: each["revision"] for each in await store.find("customers", {})}
    whole = heads == customers and not await indexes.wrong_copies(store)
    return whole and not await previews.differences(store)
