"""Sending the content of an upload: what is taken, what is refused before anything is kept, and who gives up midway."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any

import httpx2
import pytest
import time_machine
from pymongo.errors import AutoReconnect

from app.domain.access import Role, Viewer
from app.domain.uploads import MOST_BYTES, link
from app.http import uploads as route
from app.http.cors import Cors
from app.services import uploads
from app.services.audit import AuditTrail
from app.store import files
from app.store.driver import Store
from app.store.files import CHUNK_BYTES
from tests.support.gateway import Ask, gateway_app, serve
from tests.support.mutations import CREATE_UPLOAD
from tests.support.relays import until
from tests.support.world import World

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
FILES = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "image/gif": b"GIF89a\x01\0\x01\0",
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
    "application/json": b'\xef\xbb\xbf {"name": "Zo\xc3\xab"}\n',
    "application/zip": b"PK\x03\x04\x14\0",
    "text/csv": b"name;amount\r\nZo\xeb;1\r\n",
}
HTML = b"<html><script>alert(1)</script></html>"
TYPE, HASH, LARGE = (415, "TYPE_NOT_ALLOWED"), (422, "HASH_MISMATCH"), (413, "TOO_LARGE")


def declared(content: bytes, mime_type: str = "image/png", **given: Any) -> dict[str, Any]:
    digest = sha256(content).hexdigest()
    own = {"name": "a", "mimeType": mime_type, "bytes": len(content), "sha256": digest}
    return {**own, "idempotencyKey": f"{mime_type} {digest}", **given}


async def created(ask: Ask, content: bytes, mime_type: str = "image/png", **given: Any) -> dict[str, Any]:
    payload = (await ask(CREATE_UPLOAD, input=declared(content, mime_type, **given)))["data"]["createUpload"]
    assert payload["userErrors"] == []
    return payload["upload"]


def verdict(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["cache-control"] == "private, no-store"
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


async def chunks(store: Store) -> int:
    return len(await store.find("uploaded.chunks", {}, fields={"n": 1}))


async def kept(store: Store) -> tuple[int, int]:
    """Counts chunks and files."""
    return await chunks(store), len(await store.find("uploaded.files", {}))


async def content_of(store: Store, upload_id: str) -> bytes:
    (upload,) = await store.find("uploads", {"_id": upload_id})
    return b"".join([piece async for piece in files.UPLOADED.read(store.database, upload["fileId"])])


# ---------------------------------------------------------------- what is taken


@pytest.mark.parametrize("mime_type", FILES)
async def test_a_file_is_stored_byte_for_byte_and_its_upload_says_so(
    mime_type: str, client: httpx2.AsyncClient, ask: Ask, store: Store
) -> None:
    content = FILES[mime_type]
    upload = await created(ask, content, mime_type)
    assert (upload["completedAt"], upload["url"][:9]) == (None, "/uploads/")
    answer = await client.put(upload["url"], content=content, headers={"Content-Type": mime_type})
    assert (answer.status_code, answer.content) == (204, b"")
    assert await content_of(store, upload["id"]) == content
    query = "query($id: ID!) { node(id: $id) { ... on Upload { completedAt url } } }"
    node = (await ask(query, id=upload["id"]))["data"]["node"]
    assert node["completedAt"]
    assert node["url"] is None
    (row,) = await store.find("audit", {"action": "sendUpload"})
    assert (row["outcome"], row["wrote"], row["requestId"]) == (
        "ACCEPTED",
        [upload["id"]],
        answer.headers["x-request-id"],
    )


async def test_the_same_content_once_more_is_a_success_that_writes_nothing_and_another_is_refused(
    client: httpx2.AsyncClient, ask: Ask, store: Store
) -> None:
    upload = await created(ask, PNG)
    for _ in range(2):
        assert (await client.put(upload["url"], content=PNG)).status_code == 204
        assert await kept(store) == (1, 1)
    other = PNG[:-1] + b"x"
    assert verdict(await client.put(upload["url"], content=other)) == HASH
    assert await content_of(store, upload["id"]) == PNG


async def test_two_at_once_leave_one_file_that_is_whole(
    client: httpx2.AsyncClient, ask: Ask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHUNK_BYTES", 1_000)
    upload = await created(ask, PNG)
    answers = await asyncio.gather(*(client.put(upload["url"], content=PNG) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {204}
    assert await content_of(store, upload["id"]) == PNG
    assert await kept(store) == (-(-len(PNG) // 1_000), 1)


async def test_a_zip_bomb_is_stored_as_the_few_bytes_that_it_is(
    client: httpx2.AsyncClient, ask: Ask, store: Store
) -> None:
    bomb = b"PK\x03\x04" + zlib.compress(bytes(50_000_000), 9)
    upload = await created(ask, bomb, "application/zip")
    assert (await client.put(upload["url"], content=bomb)).status_code == 204
    assert await content_of(store, upload["id"]) == bomb


async def test_a_file_that_is_two_kinds_at_once_is_taken_for_the_one_that_it_begins_as(
    client: httpx2.AsyncClient, ask: Ask
) -> None:
    for mime_type, begin in (("image/gif", b"GIF89a/*"), ("application/pdf", b"%PDF-1.7\n")):
        polyglot = begin + HTML + b"PK\x03\x04"
        upload = await created(ask, polyglot, mime_type)
        assert (await client.put(upload["url"], content=polyglot)).status_code == 204
        lie = await created(ask, polyglot, "application/zip")
        assert verdict(await client.put(lie["url"], content=polyglot)) == TYPE


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("mime_type", "content"),
    [
        ("image/png", HTML),
        ("image/png", FILES["image/gif"]),
        ("image/jpeg", PNG),
        ("application/pdf", b"\n%PDF-1.7"),
        ("application/zip", b"MZ\x90\0"),
        ("application/json", HTML),
        ("application/json", b'{"a": "\xff"}'),
        ("application/json", b'{"a": "\xc3'),
        ("application/json", b'{"a": 1]'),
        ("application/json", b"   "),
        ("text/csv", b"a;\0b"),
        ("text/csv", FILES["application/pdf"]),
        ("image/png", b"\x89"),
    ],
    ids=str,
)
async def test_a_file_that_is_not_what_its_type_says_is_refused_and_not_kept(
    mime_type: str, content: bytes, client: httpx2.AsyncClient, ask: Ask, store: Store
) -> None:
    upload = await created(ask, content, mime_type)
    assert verdict(await client.put(upload["url"], content=content)) == TYPE
    assert await kept(store) == (0, 0)
    (row,) = await store.find("audit", {"action": "sendUpload"})
    assert (row["outcome"], row["code"]) == ("REFUSED", "TYPE_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("content", "expected"),
    [(PNG[:-1], HASH), (PNG[:-1] + b"x", HASH), (b"", HASH), (PNG + b"x", LARGE)],
    ids=["shorter", "other", "empty", "longer"],
)
@pytest.mark.parametrize("says_length", [True, False])
async def test_a_size_or_hash_that_is_a_lie_is_refused_and_not_kept(
    content: bytes,
    expected: tuple[int, str],
    says_length: bool,
    client: httpx2.AsyncClient,
    ask: Ask,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "CHUNK_BYTES", 1_000)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 700):
            yield content[start : start + 700]

    upload = await created(ask, PNG)
    answer = await client.put(upload["url"], content=content if says_length else pieces())
    assert verdict(answer) == expected
    assert await kept(store) == (0, 0)
    assert (await client.put(upload["url"], content=PNG)).status_code == 204  # it may be put right


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content-Encoding": "gzip"}, (415, "UNSUPPORTED_MEDIA_TYPE")),
        ({"Content-Type": "multipart/form-data; boundary=x"}, TYPE),
        ({"Content-Type": "text/html"}, TYPE),
        ({"Content-Range": "bytes 0-9/20"}, (400, "BAD_REQUEST")),
        ({"Content-Length": "9" * 40}, LARGE),
    ],
    ids=str,
)
async def test_headers_that_contradict_the_upload_are_refused_before_the_body(
    headers: dict[str, str], expected: tuple[int, str], client: httpx2.AsyncClient, ask: Ask, store: Store
) -> None:
    upload = await created(ask, PNG)
    assert verdict(await client.put(upload["url"], content=PNG, headers=headers)) == expected
    assert await kept(store) == (0, 0)


async def test_nothing_but_put_is_answered(client: httpx2.AsyncClient, ask: Ask) -> None:
    url = (await created(ask, PNG))["url"]
    for method in ("GET", "HEAD", "POST", "DELETE", "PATCH"):
        assert (await client.request(method, url)).status_code == 405, method


# ---------------------------------------------------------------- links


async def test_a_link_that_was_altered_or_is_for_something_else_is_refused(
    client: httpx2.AsyncClient, ask: Ask, store: Store
) -> None:
    url = (await created(ask, PNG))["url"]
    token = url.removeprefix("/uploads/")
    other = "B" if token[0] == "A" else "A"
    for bad in (f"/uploads/{other}{token[1:]}", "/uploads/x", f"/uploads/{token[:-4]}", f"/uploads/{'é' * 3_000}"):
        assert verdict(await client.put(bad, content=PNG)) == (403, "FORBIDDEN")
    assert (await client.get(f"/attachments/{token}")).status_code == 403
    assert await kept(store) == (0, 0)


async def test_a_link_is_good_for_minutes_and_never_longer_than_its_upload(
    client: httpx2.AsyncClient, ask: Ask, world: World
) -> None:
    now = datetime.now(UTC)
    upload = await created(ask, PNG)
    with time_machine.travel(now + timedelta(minutes=6), tick=True):
        assert verdict(await client.put(upload["url"], content=PNG)) == (410, "EXPIRED")
        again = (await ask(CREATE_UPLOAD, input=declared(PNG)))["data"]["createUpload"]["upload"]
        assert again["id"] == upload["id"]
        assert (await client.put(again["url"], content=PNG)).status_code == 204
    tess = Viewer("tess", "Tess", frozenset({Role.ADMIN}))
    soon = await world.upload(None, expiresAt=now - timedelta(seconds=1))
    assert verdict(await client.put(link(soon, now + timedelta(minutes=5), tess), content=b"x")) == (410, "EXPIRED")
    gone = {**soon, "_id": "upl_gone", "expiresAt": now + timedelta(days=1)}
    assert verdict(await client.put(link(gone, now + timedelta(minutes=5), tess), content=b"x")) == (410, "EXPIRED")


# ---------------------------------------------------------------- little memory, and nothing that is left


async def test_no_more_than_a_chunk_and_a_piece_of_a_file_is_held(world: World, store: Store) -> None:
    content = PNG[:8] + bytes(6 * CHUNK_BYTES)
    size, sent, held = 50_000, 0, list[int]()
    upload = await world.upload(None, mimeType="image/png", bytes=len(content), sha256=sha256(content).hexdigest())

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for start in range(0, len(content), size):
            held.append(sent - await chunks(store) * CHUNK_BYTES)
            sent += len(content[start : start + size])
            yield content[start : start + size]

    audit = AuditTrail(Viewer("tess", "Tess", frozenset()), "sendUpload", "r", datetime.now(UTC))
    await uploads.receive(store.database, upload, audit, pieces())
    assert max(held) < CHUNK_BYTES
    assert await content_of(store, upload["_id"]) == content


async def test_the_largest_file_there_may_be_is_taken_over_a_socket(ask: Ask, store: Store) -> None:
    content = PNG[:8] + bytes(MOST_BYTES - 8)
    upload = await created(ask, content)
    async with serve(gateway_app(store)) as port, httpx2.AsyncClient(timeout=120) as client:
        answer = await client.put(f"http://127.0.0.1:{port}{upload['url']}", content=content)
    assert answer.status_code == 204
    assert await chunks(store) == -(-MOST_BYTES // CHUNK_BYTES)


async def _put(port: int, url: str, *headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "\r\n".join((f"PUT {url} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""))
    writer.write(head.encode())
    return reader, writer


async def test_a_client_that_vanishes_midway_leaves_nothing(ask: Ask, store: Store) -> None:
    content = PNG[:8] + bytes(4 * CHUNK_BYTES)
    upload = await created(ask, content)
    async with serve(gateway_app(store)) as port:
        _, writer = await _put(port, upload["url"], f"Content-Length: {len(content)}")
        writer.write(content[: 2 * CHUNK_BYTES + 1_000])
        await writer.drain()

        async def some() -> bool:
            return await chunks(store) == 2

        async def none() -> bool:
            return await chunks(store) == 0

        await until(some)
        writer.transport.abort()
        await until(none)
    (row,) = await store.find("uploads", {})
    assert "fileId" not in row


async def test_more_than_was_declared_is_cut_off_at_once(ask: Ask, store: Store) -> None:
    upload = await created(ask, PNG)
    async with serve(gateway_app(store)) as port:
        reader, writer = await _put(port, upload["url"], "Transfer-Encoding: chunked")
        piece = PNG + b"x"
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))  # and there is more to come, as far as anybody knows
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).lower()
        assert head.startswith(b"http/1.1 413")
        assert b"connection: close" in head
        writer.close()
    assert await kept(store) == (0, 0)


async def test_a_client_that_falls_silent_is_not_waited_for(
    ask: Ask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "_SILENCE_SECONDS", 0.2)
    upload = await created(ask, PNG)
    async with serve(gateway_app(store)) as port:
        reader, writer = await _put(port, upload["url"], f"Content-Length: {len(PNG)}")
        writer.write(PNG[:100])
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 408")
        writer.close()
    assert await kept(store) == (0, 0)


@pytest.mark.parametrize("chunks_before", [0, 2])
async def test_a_database_that_goes_away_midway_is_503_and_the_same_link_works_later(
    chunks_before: int, client: httpx2.AsyncClient, ask: Ask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await created(ask, PNG)
    monkeypatch.setattr(files, "CHUNK_BYTES", 1_000)
    write, written = Store.write, 0

    async def away(self: Store, collection: str, *args: Any, **options: Any) -> Any:
        nonlocal written
        if collection == "uploaded.chunks":
            written += 1
            if written > chunks_before:
                raise AutoReconnect("connection closed")
        return await write(self, collection, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", away)
        answer = await client.put(upload["url"], content=PNG)
    assert verdict(answer) == (HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"
    assert (await client.put(upload["url"], content=PNG)).status_code == 204
    assert await content_of(store, upload["id"]) == PNG


# ---------------------------------------------------------------- what the worker deletes


async def test_unused_uploads_and_what_killed_processes_left_are_swept_and_attached_files_stay(
    world: World, store: Store
) -> None:
    ada = await world.customer()
    note = await world.note(ada)
    now = datetime.now(UTC)
    unused, fresh = await world.upload(expiresAt=now - timedelta(hours=2)), await world.upload()
    killed = await world.upload(None, expiresAt=now - timedelta(hours=2))
    used = await world.upload(noteId=note["_id"], customerId=ada["_id"], expiresAt=now - timedelta(hours=2))
    for upload in (killed, used):
        await files.UPLOADED.append(store, f"{upload['_id']}.half", 0, b"half")
    assert await uploads.sweep(store, now) == 2
    left = await store.find("uploads", {}, fields={"dueAt": 1})
    assert {each["_id"]: "dueAt" in each for each in left} == {fresh["_id"]: True, used["_id"]: False}
    stored = {each["files_id"] for each in await store.find("uploaded.chunks", {})}
    assert (
        stored == {fresh["fileId"], used["fileId"]} == {each["_id"] for each in await store.find("uploaded.files", {})}
    )
    assert unused["fileId"] not in stored
    assert await uploads.sweep(store, now) == 0


# ---------------------------------------------------------------- pages of other origins


async def test_a_page_of_a_listed_origin_may_put(store: Store) -> None:

    asked = {"Origin": "https://desk.example.com", "Access-Control-Request-Method": "PUT"}
    app = Cors(gateway_app(store), ("https://desk.example.com",))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        answer = await client.options("/uploads/x", headers=asked)
        assert answer.status_code == 200
        assert "PUT" in answer.headers["access-control-allow-methods"]
        refused = await client.put("/uploads/x", content=b"x", headers={"Origin": "https://desk.example.com"})
    assert refused.headers["access-control-allow-origin"] == "https://desk.example.com"
