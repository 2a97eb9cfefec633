"""Uploads that are declared, and attached to a note: by whom, once, all faults at once, and how they are given out."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import time_machine

from app.domain.access import Role
from app.domain.uploads import MOST_BYTES, MOST_OPEN
from app.store.driver import Document, Store
from tests.support.gateway import Ask
from tests.support.mutations import ADD_NOTE, CREATE_UPLOAD, EDIT_NOTE
from tests.support.tokens import token
from tests.support.world import World

DIGEST = "ab" * 32
FILE = {"name": "receipt.pdf", "mimeType": "application/pdf", "bytes": 100, "sha256": DIGEST}
ALAN = token(Role.CUSTOMER_SERVICE_AGENT, subject="alan", name="Alan")
PDF = b"%PDF-1.7"


async def create(ask: Ask, as_: str = "", key: str = "k", **given: Any) -> dict[str, Any]:
    more = {"token": as_} if as_ else {}
    return (await ask(CREATE_UPLOAD, input={**FILE, "idempotencyKey": key, **given}, **more))["data"]["createUpload"]


async def add(ask: Ask, owner: Document, *attached: Document, key: str = "k", **given: Any) -> dict[str, Any]:
    attachments = [{"uploadId": each["_id"]} for each in attached]
    own = {"customerId": owner["_id"], "message": "See", "attachments": attachments, "idempotencyKey": key}
    answer = await ask(ADD_NOTE, input={**own, **given})
    assert "errors" not in answer, answer
    return answer["data"]["addNote"]


def faults(payload: dict[str, Any]) -> list[tuple[str, str]]:
    return [(error["code"], ".".join(error["field"])) for error in payload["userErrors"]]


# ---------------------------------------------------------------- declared


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"mimeType": "text/html"}, [("TYPE_NOT_ALLOWED", "mimeType")]),
        ({"mimeType": "IMAGE/PNG"}, [("TYPE_NOT_ALLOWED", "mimeType")]),
        ({"bytes": MOST_BYTES + 1}, [("TOO_LARGE", "bytes")]),
        ({"bytes": 0}, [("INVALID", "bytes")]),
        ({"bytes": -1}, [("INVALID", "bytes")]),
        ({"sha256": DIGEST[1:]}, [("INVALID", "sha256")]),
        ({"sha256": "g" * 64}, [("INVALID", "sha256")]),
        ({"name": ""}, [("INVALID", "name")]),
        ({"name": "x" * 256}, [("INVALID", "name")]),
        ({"name": "../a.pdf"}, [("INVALID", "name")]),
        ({"name": "C:\\a.pdf"}, [("INVALID", "name")]),
        (
            {"name": " ", "mimeType": "", "bytes": MOST_BYTES + 1, "sha256": ""},
            [("INVALID", "name"), ("TYPE_NOT_ALLOWED", "mimeType"), ("TOO_LARGE", "bytes"), ("INVALID", "sha256")],
        ),
    ],
    ids=str,
)
async def test_what_cannot_be_uploaded_is_refused_with_all_its_faults(
    given: dict[str, Any], expected: list[tuple[str, str]], ask: Ask, store: Store
) -> None:
    payload = await create(ask, **given)
    assert (faults(payload), payload["upload"]) == (expected, None)
    assert await store.find("uploads", {}) == []
    (row,) = await store.find("audit", {})
    assert (row["action"], row["outcome"], row["code"]) == ("createUpload", "REFUSED", expected[0][0])


async def test_an_upload_is_created_once_for_each_key(ask: Ask, store: Store) -> None:
    first, again = await create(ask, sha256=DIGEST.upper()), await create(ask)
    assert first["upload"]["id"] == again["upload"]["id"]
    assert first["upload"]["sha256"] == DIGEST
    assert faults(await create(ask, bytes=101)) == [("IDEMPOTENCY_CONFLICT", "idempotencyKey")]
    assert len(await store.find("uploads", {})) == 1
    rows = await store.find("audit", {"outcome": "ACCEPTED"})
    assert [(row["action"], row["wrote"]) for row in rows] == [("createUpload", [first["upload"]["id"]])]


async def test_nobody_has_more_than_twenty_open_uploads_and_expired_ones_do_not_count(ask: Ask, store: Store) -> None:
    payloads = await asyncio.gather(*(create(ask, key=f"k{at}") for at in range(MOST_OPEN + 3)))
    assert sorted(len(payload["userErrors"]) for payload in payloads) == [0] * MOST_OPEN + [1] * 3
    assert faults(await create(ask, key="one more")) == [("TOO_MANY_UPLOADS", "")]
    assert faults(await create(ask, ALAN)) == []
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1, seconds=1), tick=True):
        assert faults(await create(ask, token(), key="the next day")) == []
    assert len(await store.find("uploads", {"slot": {"$gte": 0}})) == 2


async def test_an_attached_upload_makes_room_for_another(ask: Ask, world: World) -> None:
    ada = await world.customer()
    upload = await world.upload(slot=0)
    payloads = [await create(ask, key=f"k{at}") for at in range(MOST_OPEN)]
    assert [len(payload["userErrors"]) for payload in payloads] == [0] * (MOST_OPEN - 1) + [1]
    assert faults(await add(ask, ada, upload)) == []
    assert faults(await create(ask, key="one more")) == []


async def test_an_upload_is_seen_by_who_created_it_and_by_administrators(ask: Ask, world: World) -> None:
    query = "query($id: ID!) { node(id: $id) { ... on Upload { name url } } }"
    upload = await world.upload(None, createdBy={"subject": "alan", "roles": ["CUSTOMER_SERVICE_AGENT"]})
    own = await world.customer(affiliateId="aff-1")
    for role in Role:
        for subject in ("alan", "grace"):
            who = token(role, subject=subject, customer_id=own["_id"], affiliate_id="aff-1")
            node = (await ask(query, id=upload["_id"], token=who))["data"]["node"]
            sees = role is Role.ADMIN or (role is Role.CUSTOMER_SERVICE_AGENT and subject == "alan")
            assert (node is not None) == sees, (role, subject)


# ---------------------------------------------------------------- attached


async def test_a_note_has_its_files_and_an_edit_leaves_them_alone(ask: Ask, world: World) -> None:
    ada = await world.customer()
    one, two = await world.upload(PDF), await world.upload(PDF, name="other.pdf")
    given = [{"uploadId": two["_id"], "description": " The bill "}, {"uploadId": one["_id"]}]
    payload = await add(ask, ada, attachments=given)
    assert faults(payload) == []
    shown = payload["note"]["attachments"]
    assert [(each["name"], each["description"]) for each in shown] == [("other.pdf", "The bill"), ("receipt.pdf", None)]
    assert [each["id"] for each in shown] == [f"att_{each['_id'][4:]}" for each in (two, one)]
    own = {key: shown[0][key] for key in ("mimeType", "bytes", "sha256", "uploadedBy")}
    assert own == {
        "mimeType": "application/pdf",
        "bytes": len(PDF),
        "sha256": two["sha256"],
        "uploadedBy": {"userId": "tess"},
    }
    again = await add(ask, ada, attachments=given)  # by its key, though both are used up
    assert (again["note"]["id"], faults(again)) == (payload["note"]["id"], [])
    assert len(await world.store.find("notes", {})) == 1
    edit = {"noteId": payload["note"]["id"], "message": "Other", "idempotencyKey": "e"}
    await ask(EDIT_NOTE, input=edit)
    (note,) = await world.store.find("notes", {})
    assert [each["uploadId"] for each in note["attachments"]] == [two["_id"], one["_id"]]
    for upload in await world.store.find("uploads", {}):
        assert (upload["noteId"], upload["customerId"]) == (note["_id"], ada["_id"])
    (activity,) = await world.store.find("activities", {"type": "NOTE_ADDED"})
    assert activity["noteId"] == note["_id"]


async def test_uploads_that_cannot_be_attached_are_all_named_and_nothing_is_written(ask: Ask, world: World) -> None:
    ada = await world.customer()
    note, ago = await world.note(ada), datetime.now(UTC) - timedelta(seconds=1)
    fine = await world.upload(slot=0)
    used = {"noteId": note["_id"], "customerId": ada["_id"]}
    bad = [
        await world.upload(createdBy={"subject": "alan", "roles": ["ADMIN"]}),
        await world.upload(**used),
        await world.upload(None),
        await world.upload(expiresAt=ago),
        {"_id": "upl_never"},
    ]
    before = await world.store.find("uploads", {})
    payload = await add(ask, ada, fine, *bad, links=["cus_never"])
    missing = [("UPLOAD_MISSING", f"attachments.{at}.uploadId") for at in range(1, 6)]
    assert faults(payload) == [("NOT_FOUND", "links"), *missing]
    assert (await world.store.find("uploads", {}), len(await world.store.find("notes", {}))) == (before, 1)
    assert faults(await add(ask, ada, fine)) == []


async def test_what_is_wrong_with_attachments_is_told_with_all_else_that_is(ask: Ask, world: World) -> None:
    ada = await world.customer()
    uploads = [await world.upload() for _ in range(11)]
    assert faults(await add(ask, ada, *uploads, message="")) == [("INVALID", "message"), ("INVALID", "attachments")]
    twice = await add(ask, ada, uploads[0], uploads[1], uploads[0])
    assert faults(twice) == [("INVALID", "attachments.2.uploadId")]
    described = [
        {"uploadId": each["_id"], "description": text} for each, text in zip(uploads, ("x" * 256, ""), strict=False)
    ]
    described += [{"uploadId": uploads[2]["_id"], "description": "x" * 255}]
    payload = await add(ask, ada, attachments=described)
    assert faults(payload) == [("INVALID", f"attachments.{at}.description") for at in (0, 1)]
    assert await world.store.find("notes", {}) == []
    assert faults(await add(ask, ada, *uploads[:10])) == []


async def test_of_two_notes_that_want_one_upload_at_once_one_gets_it(ask: Ask, world: World) -> None:
    customers = [await world.customer() for _ in range(4)]
    upload = await world.upload()
    payloads = await asyncio.gather(*(add(ask, each, upload) for each in customers))
    assert sorted(map(faults, payloads)) == [[], *[[("UPLOAD_MISSING", "attachments.0.uploadId")]] * 3]
    assert len(await world.store.find("notes", {})) == 1


# ---------------------------------------------------------------- given out


URL = "query($id: ID!) { node(id: $id) { ... on Note { attachments { url } } } }"


@pytest.fixture
def attached(ask: Ask, world: World) -> Callable[..., Any]:
    """Attaches a file to a new note, and gives the note's id and the file's url."""

    async def attached(content: bytes, **given: Any) -> tuple[str, str]:
        payload = await add(ask, await world.customer(affiliateId="aff-1"), await world.upload(content, **given))
        return payload["note"]["id"], payload["note"]["attachments"][0]["url"]

    return attached


async def test_a_file_comes_as_a_file_to_keep_under_its_type_whatever_else_it_is(
    attached: Callable[..., Any], client: httpx2.AsyncClient, world: World
) -> None:
    html = b"GIF89a/*<html><script>alert(1)</script>*/" + b"x" * 2_000
    note, url = await attached(html, mimeType="image/gif", name="Zoë\u202e's page.html")
    for method in ("GET", "HEAD"):
        answer = await client.request(method, url)
        assert (answer.status_code, answer.content) == (200, html if method == "GET" else b"")
        headers = {
            "content-type": "image/gif",
            "content-length": str(len(html)),
            "x-content-type-options": "nosniff",
            "content-security-policy": "sandbox; default-src 'none'",
            "cache-control": "private, no-store",
        }
        assert {name: answer.headers[name] for name in headers} == headers
        name = answer.headers["content-disposition"]
        assert name.startswith("attachment; filename*=utf-8''Zo%C3%AB")
        assert name.endswith(".html.gif")
    (row,) = await world.store.find("audit", {"action": "downloadAttachment"})
    assert (row["wrote"], row["actor"]["subject"]) == ([note], "tess")


async def test_a_link_to_a_file_is_good_for_minutes(
    attached: Callable[..., Any], ask: Ask, client: httpx2.AsyncClient
) -> None:
    note, url = await attached(PDF)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=6), tick=True):
        assert (await client.get(url)).status_code == 410
        again = (await ask(URL, id=note))["data"]["node"]["attachments"][0]["url"]
        assert (await client.get(again)).content == PDF


async def test_who_may_not_read_notes_gets_no_link(attached: Callable[..., Any], ask: Ask, world: World) -> None:
    note, _ = await attached(PDF)
    (stored,) = await world.store.find("notes", {"_id": note})
    for role in (Role.API_USER, Role.AFFILIATE, Role.CUSTOMER):
        who = token(role, customer_id=stored["customerId"], affiliate_id="aff-1")
        assert (await ask(URL, id=note, token=who))["data"] == {"node": None}, role


async def test_a_file_that_was_deleted_is_gone(
    attached: Callable[..., Any], client: httpx2.AsyncClient, world: World
) -> None:
    _, url = await attached(PDF)
    await world.store.command({"delete": "uploads", "deletes": [{"q": {}, "limit": 0}]})
    assert (await client.get(url)).status_code == 410


async def test_the_hash_of_a_note_without_attachments_is_that_of_versions_which_knew_none(
    ask: Ask, world: World
) -> None:
    ada = await world.customer()
    given: Document = {"customerId": ada["_id"], "message": "See", "idempotencyKey": "k"}
    inputs: list[Document] = [given, {**given, "attachments": []}, {**given, "attachments": None}]
    for each in inputs:
        assert faults((await ask(ADD_NOTE, input=each))["data"]["addNote"]) == []
    assert len(await world.store.find("notes", {})) == 1
