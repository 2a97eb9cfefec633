"""Lines sent over HTTP: what becomes of each, what is refused before, and how one goes on after a break."""

import asyncio
import gzip
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.domain.access import Role
from app.http import imports as route
from app.services.importing.batches import newest
from app.store.driver import Store, UpdateOne
from tests.support.digest import delete_all
from tests.support.gateway import gateway_app, serve
from tests.support.import_lines import activity, customer, points
from tests.support.imports_over_http import API, sent, state, told
from tests.support.tokens import token

Line = Any


def ndjson(lines: Sequence[Line]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def test_each_line_is_answered_and_the_summary_comes_last(store: Store) -> None:
    lines = [customer(), activity("A-1"), {**activity("A-2"), "type": None}]
    first, *outcomes, last = told(await sent(store, ndjson(lines), fileName="tonight.ndjson"))
    assert [(each["line"], each["kind"], each["outcome"]) for each in outcomes] == [
        (1, "customer", "IMPORTED"),
        (2, "activity", "IMPORTED"),
        (3, "activity", "REJECTED"),
    ]
    assert outcomes[2]["reason"] == "type is required."
    assert last["summary"]["id"] == first["id"]
    assert last["summary"]["lines"] == 3
    [batch] = await store.find("imports", {})
    assert (batch["_id"], batch["fileName"], batch["lines"]) == (first["id"], "tonight.ndjson", 3)
    assert batch["startedBy"]["id"] == "crm"
    assert "finishedAt" in batch
    [audited] = await store.find("audit", {"action": "import"})
    assert audited["wrote"] == [first["id"]]


async def test_the_same_lines_again_change_nothing(store: Store) -> None:
    lines = ndjson([customer(), activity("A-1")])
    await sent(store, lines)
    _, *outcomes, _ = told(await sent(store, lines))
    assert [each["outcome"] for each in outcomes] == ["UNCHANGED", "UNCHANGED"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("of card 4111 1111 1111 1111.csv", "of card **** **** **** ****.csv"),
        ("20261130120000.csv", "20261130120000.csv"),
        ("a\nb\x1b[2J", "a b [2J"),
        ("\x00", "-"),
    ],
)
async def test_the_name_of_a_file_holds_no_card_number_and_fits_on_a_line(store: Store, given: str, kept: str) -> None:
    await sent(store, b"", fileName=given)
    [batch] = await store.find("imports", {})
    assert batch["fileName"] == kept


async def test_gzip_is_unpacked_also_of_several_members(store: Store) -> None:
    """Zeros behind a member fill up a block of a tape or a disk, and are nothing, as they are to gzip itself."""
    packed = gzip.compress(ndjson([customer()])) + bytes(500) + gzip.compress(ndjson([activity("A-1")])) + bytes(500)
    _, *outcomes, _ = told(await sent(store, packed, headers={"Content-Encoding": "gzip"}))
    assert [each["outcome"] for each in outcomes] == ["IMPORTED", "IMPORTED"]
    *_, last = told(await sent(store, bytes(500), headers={"Content-Encoding": "gzip"}))
    assert last["error"]["message"].startswith("The body is not gzip from here on.")


async def test_a_torn_gzip_says_so_and_what_came_before_is_in(store: Store) -> None:
    packed = gzip.compress(ndjson([customer(str(number)) for number in range(1_001, 1_801)]))
    first, *_, last = told(await sent(store, packed[: len(packed) // 2], headers={"Content-Encoding": "gzip"}))
    assert last["error"]["code"] == "BROKEN_OFF"
    assert f"GET /import/{first['id']}" in last["error"]["message"]
    assert (await state(store, first["id"]))["isRunning"] is False


@pytest.mark.parametrize(
    ("query", "headers", "status", "code", "words"),
    [
        ({"mode": "fast"}, {}, 400, "INVALID", "mode is unknown; there are strict,"),
        ({"strict": ["true", "false"]}, {}, 400, "INVALID", "Give strict once."),
        ({"strict": "yes"}, {}, 400, "INVALID", "strict must be true or false."),
        ({"from": "0", "batch": "imp_x"}, {}, 400, "INVALID", "from must be the number of the first line"),
        ({"from": "5"}, {}, 400, "INVALID", "from goes on with a batch: name it."),
        ({"unknownTypes": "drop"}, {}, 400, "INVALID", "unknownTypes must be legacy or refuse."),
        ({"batch": "imp_nobody"}, {}, 404, "NOT_FOUND", "There is no such import."),
        ({}, {"Content-Type": "text/csv"}, 415, "UNSUPPORTED_MEDIA_TYPE", "application/x-ndjson"),
        ({}, {"Content-Encoding": "br"}, 415, "UNSUPPORTED_MEDIA_TYPE", "gzip"),
        ({}, {"Authorization": "Bearer nonsense"}, 401, "UNAUTHENTICATED", ""),
        ({}, {"Authorization": f"Bearer {token(Role.FINANCE)}"}, 403, "FORBIDDEN", "IMPORT"),
    ],
)
async def test_what_is_refused_wrote_nothing(
    store: Store, query: Any, headers: Any, status: int, code: str, words: str
) -> None:
    response = await sent(store, ndjson([customer()]), headers=headers, **query)
    [error] = response.json()["errors"]
    assert (response.status_code, error["extensions"]["code"]) == (status, code)
    assert words in error["message"]
    assert await store.find("customers", {}) == []
    assert await store.find("imports", {}) == []


async def test_a_break_is_gone_on_with_from_the_line_that_the_batch_names(store: Store, monkeypatch: Any) -> None:
    monkeypatch.setattr(route, "_LINES_PER_CHUNK", 2)
    lines = [customer(), activity("A-1"), activity("A-2"), activity("A-3"), activity("A-4")]

    packed = gzip.compress(ndjson(lines[:4])) + b"no gzip"
    first, *_, last = told(await sent(store, packed, headers={"Content-Encoding": "gzip"}))
    assert last["error"]["code"] == "BROKEN_OFF"
    then = await state(store, first["id"])
    assert then["from"] == 5
    assert not then["isFinished"]
    later: dict[str, Any] = {"batch": first["id"], "from": "6"}
    beyond = await sent(store, ndjson(lines[4:]), **later)
    message = "Lines would be left out: this import goes on from line 5, or an earlier one."
    assert (beyond.status_code, beyond.json()["errors"][0]["message"]) == (400, message)
    assert await state(store, first["id"]) == then
    rest: dict[str, Any] = {"batch": first["id"], "from": str(then["from"])}
    again = await sent(store, ndjson(lines[4:]), **rest)
    assert [each.get("line") for each in told(again)] == [None, 5, None]
    assert (await state(store, first["id"]))["isFinished"]
    assert len(await store.find("activities", {})) == 4
    [batch] = await store.find("imports", {})
    assert batch["lines"] == 5


async def test_lines_that_come_again_after_a_break_are_answered_again_and_count_once(
    store: Store, monkeypatch: Any
) -> None:
    """Whoever has lost answers goes on from an earlier line than the batch names."""
    monkeypatch.setattr(route, "_LINES_PER_CHUNK", 3)
    lines = [customer(), activity("A-1"), {"kind": "no"}, customer(jobTitle="Pilot"), customer(jobTitle="Cook")]
    lines += [activity("A-2"), customer(jobTitle="Pilot")]
    whole = told(await sent(store, ndjson(lines)))[-1]["summary"]["counts"]
    for first in range(1, 6):
        await delete_all(store)
        packed = gzip.compress(ndjson(lines[:5])) + b"no gzip"
        begun, *_ = told(await sent(store, packed, headers={"Content-Encoding": "gzip"}))
        assert (await state(store, begun["id"]))["from"] == 6
        again: dict[str, Any] = {"batch": begun["id"], "from": str(first)}
        _, *outcomes, last = told(await sent(store, ndjson(lines[first - 1 :]), **again))
        assert [each["line"] for each in outcomes] == [*range(first, 8)]
        assert last["summary"]["lines"] == 7
        counts = (await state(store, begun["id"]))["counts"]
        assert counts == last["summary"]["counts"]
        assert sum(each["lines"] for each in counts) == 7
        assert [each for each in counts if each["kind"] != "customer"] == [
            each for each in whole if each["kind"] != "customer"
        ]


async def test_lines_that_wait_for_others_are_sent_again(store: Store, monkeypatch: Any) -> None:
    monkeypatch.setattr(route, "_LINES_PER_CHUNK", 1)
    spent = points("P-1", "SPENT", -50)
    lines = [customer(), spent, activity("A-1")]
    packed = gzip.compress(ndjson(lines)) + b"no gzip"
    first, *_ = told(await sent(store, packed, headers={"Content-Encoding": "gzip"}))
    then = await state(store, first["id"])
    assert then["from"] == 2
    assert (then["linesRead"], then["linesHeld"], then["counts"]) == (
        3,
        1,
        [{"kind": "customer", "outcome": "IMPORTED", "lines": 1}],
    )
    [told_of] = await newest(store, 1)
    assert told_of.endswith("1 lines  -  1 imported  not finished: 3 lines read, 1 of them wait for later ones")
    rest: dict[str, Any] = {"batch": first["id"], "from": "2"}
    await sent(store, ndjson([points("P-0", "EARNED", 50), *lines[1:]]), **rest)
    then = await state(store, first["id"])
    assert (then["isFinished"], then["linesRead"], then["linesHeld"]) == (True, 4, 0)


async def test_a_batch_is_its_beginners_and_ends_once(store: Store) -> None:
    first, *_ = told(await sent(store, ndjson([customer()])))
    again = await sent(store, ndjson([activity("A-1")]), batch=first["id"])
    assert again.json()["errors"][0]["message"] == "This import has ended: begin another one."
    await store.write("imports", [UpdateOne({"_id": first["id"]}, {"$unset": {"finishedAt": ""}})])
    again = await sent(store, ndjson([activity("A-1")]), batch=first["id"])
    assert again.json()["errors"][0]["message"].startswith("This import runs: another request sends its lines")
    others = await sent(store, ndjson([activity("A-1")]), token(Role.API_USER, subject="shop"), batch=first["id"])
    assert others.json()["errors"][0]["message"] == "This import was begun by somebody else: begin another one."


@pytest.mark.parametrize("lines_per_chunk", [1, 1_000])
async def test_a_client_that_reads_while_it_sends_hears_of_each_chunk_and_of_what_came_before_a_pause(
    store: Store, monkeypatch: Any, lines_per_chunk: int
) -> None:
    """A source that never ends is told what became of its rows, without a last line."""
    monkeypatch.setattr(route, "_LINES_PER_CHUNK", lines_per_chunk)
    async with serve(gateway_app(store)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API}\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        heard: list[Any] = []
        for line in (customer(), activity("A-1")):
            body = ndjson([line])
            writer.write(b"%x\r\n%b\r\n" % (len(body), body))
            await writer.drain()
            async with asyncio.timeout(30):
                while sum("outcome" in each for each in heard) < 1 + (line["kind"] == "activity"):
                    text = (await reader.readline()).strip()
                    if text.startswith(b"{"):
                        heard.append(json.loads(text))
        writer.write(b"0\r\n\r\n")
        async with asyncio.timeout(30):
            rest = await reader.readuntil(b"0\r\n\r\n")
        writer.close()
    assert [each["outcome"] for each in heard if "outcome" in each] == ["IMPORTED", "IMPORTED"]
    assert b'"summary"' in rest


async def test_five_megabytes_come_in_whole(store: Store) -> None:
    lines = [customer(), *(activity(f"A-{n}", message="x" * 2_000) for n in range(2_500))]
    *_, last = told(await sent(store, ndjson(lines)))
    assert {(each["kind"], each["outcome"]): each["lines"] for each in last["summary"]["counts"]} == {
        ("customer", "IMPORTED"): 1,
        ("activity", "IMPORTED"): 2_500,
    }


async def test_what_comes_on_standard_input_is_sent_until_it_is_answered(store: Store) -> None:
    lines = [customer(), activity("A-1"), {**activity("A-2"), "type": None}]
    program = Path("examples/clients/python/send.py")
    async with serve(gateway_app(store)) as port:
        environment = {**os.environ, "GATEWAY": f"http://127.0.0.1:{port}/import", "TOKEN": API}
        pipe = asyncio.subprocess.PIPE
        sender = await asyncio.create_subprocess_exec(
            sys.executable, str(program), stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        async with asyncio.timeout(60):
            printed, complaints = await sender.communicate(ndjson(lines))
    assert (sender.returncode, complaints) == (0, b"")
    [rejected] = [json.loads(line) for line in printed.splitlines()]
    assert rejected["reason"] == "type is required."
    assert json.loads(rejected["input"]) == lines[2]
    assert len(await store.find("activities", {})) == 1
