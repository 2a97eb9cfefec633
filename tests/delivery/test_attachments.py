"""What an imported mail carries goes out again byte for byte, is shown, and what fails is on the timeline."""

import base64
import json
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import partial
from typing import Any

import httpx2
import pytest

from app.delivery.mail import Mailer, MailServer, channel, sender_of
from app.delivery.relay import Relay
from app.domain.access import Role
from app.domain.ids import derived_id
from app.services.emails import give_up
from app.services.importing import Reject, import_lines
from app.store import previews
from app.store.driver import Store
from app.store.indexes import wrong_copies
from tests.support.gateway import Ask
from tests.support.relays import SENDER
from tests.support.smtp_server import Peer
from tests.support.tokens import token

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
PDF = b"%PDF-1.7\r\n\x00\xff\r lone carriage returns \n and bytes \x80"
RESEND = (
    """mutation($i: ResendEmailInput!) { resendEmail(input: $i) { delivery { id } userErrors { code message } } }"""
)
SHOW = """query($id: ID!) { node(id: $id) { ... on Email {
  html replyTo attachments { name mediaType size contentId url } } } }"""


MAIL = {"subject": "Hi", "to": "a@example.com"}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def bring(store: Store, **mail: Any) -> list[Reject]:
    own = {"source": "esuite", "id": "E1"}
    person = {"number": "1", "name": "Ada", "registeredAt": "2023-01-01T00:00:00Z", "email": "ada@example.com"}
    lines: list[dict[str, Any]] = [
        {"kind": "customer", **own, **person},
        {"kind": "email", "source": "esuite", "id": "M1", "customer": own, **MAIL, **mail},
    ]
    rejects: list[Reject] = []
    raw = [json.dumps(line).encode() for line in lines]
    await import_lines(store, raw, now=datetime.now(UTC), reject=rejects.append)
    return rejects


EMAIL = derived_id("emails", source="esuite", source_id="M1")
FILES = [
    {"name": "logo.png", "type": "image/png", "content": _base64(PNG), "contentId": "<logo@1>"},
    {"name": "Rechnung März.pdf", "type": "Application/PDF", "content": _base64(PDF)},
    {"name": "visit.ics", "type": "text/calendar", "content": _base64(b"BEGIN:VCALENDAR\r\n\ny")},
]


async def sent_again(ask: Ask, store: Store, peer: Peer) -> EmailMessage:
    given = {"emailId": EMAIL, "idempotencyKey": "k"}
    assert (await ask(RESEND, i=given))["data"]["resendEmail"]["userErrors"] == []
    mailer = Mailer(MailServer.of(peer.url), sender_of(SENDER), 30)
    relay = Relay(store, [channel(store, mailer, partial(give_up, store))], 30)
    await relay.once()
    await mailer.close()
    (mail,) = peer.mails
    return mail.message


async def test_files_and_inline_images_go_out_again_byte_for_byte(ask: Ask, store: Store, peer: Peer) -> None:
    html = '<p>Hello</p><img src="cid:logo@1">'
    assert await bring(store, html=html, text="Hello", attachments=FILES) == []
    message = await sent_again(ask, store, peer)
    parts = {part.get_filename(): part for part in message.walk() if part.get_filename()}
    assert {name: part.get_payload(decode=True) for name, part in parts.items()} == {
        "logo.png": PNG,
        "Rechnung März.pdf": PDF,
        "visit.ics": b"BEGIN:VCALENDAR\r\n\ny",
    }
    assert parts["logo.png"]["Content-ID"] == "<logo@1>"
    assert parts["logo.png"].get_content_disposition() == "inline"
    assert [part.get_content_type() for part in message.walk() if part.is_multipart()] == [
        "multipart/mixed",
        "multipart/alternative",
        "multipart/related",
    ]


@pytest.mark.parametrize("body", [{}, {"html": "<img src='cid:logo@1'>"}, {"text": "Hello"}], ids=str)
async def test_a_mail_is_sent_again_with_whatever_body_it_has(
    body: dict[str, str], ask: Ask, store: Store, peer: Peer
) -> None:
    assert await bring(store, **body, attachments=FILES[:1]) == []
    message = await sent_again(ask, store, peer)
    assert message["Subject"] == "Hi"
    (logo,) = [part for part in message.walk() if part.get_filename()]
    assert logo.get_payload(decode=True) == PNG


async def test_reply_to_and_list_unsubscribe_survive(ask: Ask, store: Store, peer: Peer) -> None:
    addresses = f"<https://example.com/u/{'x' * 300}?a=1>, <mailto:u@example.com>"
    reply_to = "Zoë <zoe@example.com>, help@example.com"
    more = {"listUnsubscribe": addresses, "listUnsubscribePost": True}
    assert await bring(store, text="Hello", replyTo=reply_to, **more) == []
    message = await sent_again(ask, store, peer)
    assert message["Reply-To"] == reply_to
    assert "".join(str(message["List-Unsubscribe"]).split()) == addresses.replace(" ", "")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


async def test_attachments_are_shown_and_opened_and_images_stand_in_the_preview(
    ask: Ask, store: Store, client: httpx2.AsyncClient
) -> None:
    html = '<img src="cid:logo@1"><img src="CID:logo%401"><img src="cid:other"><img src="https://example.com/x.png">'
    assert await bring(store, html=html, attachments=FILES) == []
    shown = (await ask(SHOW, id=EMAIL))["data"]["node"]
    assert shown["html"].count(f'src="data:image/png;base64,{_base64(PNG)}"') == 2
    assert "cid:" not in shown["html"]
    assert "example.com" not in shown["html"]
    sizes = [(each["name"], each["mediaType"], each["size"], each["contentId"]) for each in shown["attachments"]]
    assert sizes == [
        ("logo.png", "image/png", len(PNG), "logo@1"),
        ("Rechnung März.pdf", "application/pdf", len(PDF), None),
        ("visit.ics", "text/calendar", 19, None),
    ]
    opened = await client.get(shown["attachments"][1]["url"])
    assert (opened.status_code, opened.content) == (200, PDF)
    assert opened.headers["content-disposition"].startswith("attachment")
    assert opened.headers["x-content-type-options"] == "nosniff"
    url = shown["attachments"][1]["url"]
    token_ = url.removeprefix("/attachments/")
    other = "B" if token_[0] == "A" else "A"
    for altered in (f"/attachments/{other}{token_[1:]}", "/attachments/x", f"/attachments/{token_[-30:]}"):
        assert (await client.get(altered)).status_code == 403


async def test_each_file_that_a_link_opens_leaves_a_row_in_the_audit_log(
    ask: Ask, store: Store, client: httpx2.AsyncClient
) -> None:
    assert await bring(store, attachments=FILES) == []
    who = token(Role.FINANCE, subject="fin", name="Fin Ance")
    url = (await ask(SHOW, id=EMAIL, token=who))["data"]["node"]["attachments"][1]["url"]
    rows = """{ auditLog { nodes {
      action outcome wrote requestId customer { number } actor { subject name roles } } } }"""
    assert (await client.head(url)).status_code == 200
    assert (await client.get("/attachments/x")).status_code == 403
    assert (await ask(rows))["data"]["auditLog"]["nodes"] == []  # nobody has got a file
    answers = [await client.get(url) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    logged = (await ask(rows))["data"]["auditLog"]["nodes"]
    assert [row.pop("requestId") for row in logged] == [answer.headers["x-request-id"] for answer in answers[::-1]]
    row = {
        "action": "downloadAttachment",
        "outcome": "ACCEPTED",
        "wrote": [EMAIL],
        "customer": {"number": "1"},
        "actor": {"subject": "fin", "name": "Fin Ance", "roles": ["FINANCE"]},
    }
    assert logged == [row, row]


async def test_who_may_not_read_mails_gets_no_link(ask: Ask, store: Store) -> None:
    await bring(store, attachments=FILES)
    who = token(Role.AFFILIATE, affiliate_id="aff-1")
    assert (await ask(SHOW, id=EMAIL, token=who))["data"] == {"node": None}


@pytest.mark.parametrize(
    ("mail", "reason"),
    [
        ({"attachments": [{"name": "x", "type": "pdf", "content": ""}]}, "attachments.0.type"),
        ({"attachments": [{"name": "x", "type": "a/b", "content": "not base64"}]}, "attachments.0.content"),
        ({"attachments": [{**FILES[0]}, {**FILES[0]}]}, "contentIds"),
        ({"attachments": [{**FILES[0], "contentId": "a\r\nb"}]}, "contentId"),
        ({"replyTo": "nobody"}, "replyTo"),
        ({"replyTo": "a@example.com\r\nBcc: b@example.com"}, "replyTo"),
        ({"listUnsubscribe": "javascript:alert(1)"}, "listUnsubscribe"),
        ({"listUnsubscribePost": True}, "listUnsubscribe"),
    ],
)
async def test_what_cannot_be_carried_is_rejected_with_its_reason(
    mail: dict[str, Any], reason: str, store: Store
) -> None:
    (reject,) = await bring(store, **mail)
    assert reason in reject.reason


async def test_a_delivery_that_is_given_up_is_on_the_timeline_once(ask: Ask, store: Store, peer: Peer) -> None:
    await bring(store, text="Hello")
    peer.refuses["RCPT"] = "550 5.1.1 No such user"
    given = {"emailId": EMAIL, "idempotencyKey": "k"}
    await ask(RESEND, i=given)
    mailer = Mailer(MailServer.of(peer.url), sender_of(SENDER), 30)
    relay = Relay(store, [channel(store, mailer, partial(give_up, store))], 30)
    await relay.once()
    await relay.once()
    await mailer.close()
    query = """{ customer(by: {number: "1"}) { activities(filter: {types: ["EMAIL_NOT_DELIVERED"]}) {
      nodes { title message email { id } actor { name } attribute(name: "toAddress") } } } }"""
    (activity,) = (await ask(query))["data"]["customer"]["activities"]["nodes"]
    assert "550" in activity.pop("message")
    assert activity == {
        "title": "Email not delivered",
        "email": {"id": EMAIL},
        "actor": {"name": "System"},
        "attribute": "ada@example.com",
    }
    assert (await previews.differences(store), await wrong_copies(store)) == ([], [])
