"""Mails as they arrive at a real mail server, and what is said of them where they do not."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from unicodedata import category

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.delivery.mail import MailServer, compose, sender_of
from app.domain.ids import new_id
from app.store.driver import Document, Store, UpdateOne
from tests.support.relays import SENDER, Certificate, Post, relay_to
from tests.support.smtp_server import Does, Mail, Peer, mail_server


async def sent(store: Store, post: Post, peer: Peer, **queued: Any) -> Mail:
    delivery = await post.queued(**queued)
    async with relay_to(peer.url, store) as relay:
        await relay.once()
    now = await post.now(delivery)
    assert (now["status"], now["attempts"], now.get("error")) == ("SENT", 1, None)
    (mail,) = peer.mails
    return mail


def bodies(mail: Mail) -> dict[str, bytes]:
    parts = [part for part in mail.message.walk() if not part.is_multipart()]
    return {part.get_content_type(): bytes(part.get_payload(decode=True)) for part in parts}  # pyright: ignore[reportArgumentType] # bytes, once decoded


# ---------------------------------------------------------------- what arrives


@pytest.mark.parametrize(
    "body",
    [
        "one\ntwo\n",
        "one\r\ntwo\r\n\r\n",
        "lone\rreturn, no end",
        "trailing spaces   \n\t \n",
        "Grüße, 世界 👩‍🚀\u2028\u0085",
        ".\n..\n.dots\r\n.\r\n",
        "From here\n>From there\n",
        "x" * 5_000,
        "ä" * 4_000_000,
    ],
    ids=["LF", "CRLF", "CR", "trailing", "letters", "dots", "From", "one long line", "four million"],
)
async def test_text_and_html_arrive_byte_for_byte(body: str, store: Store, post: Post, peer: Peer) -> None:
    html = body[:10_000][::-1]
    mail = await sent(store, post, peer, text=body, html=html)
    assert bodies(mail) == {"text/plain": body.encode(), "text/html": html.encode()}
    assert mail.message.get_content_type() == "multipart/alternative"
    assert {part.get_content_charset() for part in mail.message.iter_parts()} == {"utf-8"}


@pytest.mark.parametrize(("key", "kind"), [("text", "text/plain"), ("html", "text/html")])
async def test_a_mail_with_one_body_is_that_body_alone(
    key: str, kind: str, store: Store, post: Post, peer: Peer
) -> None:
    mail = await sent(store, post, peer, **{key: "Hello\n"})
    assert (mail.message.is_multipart(), bodies(mail)) == (False, {kind: b"Hello\n"})


async def test_a_mail_says_who_to_whom_and_when_it_was_asked_for(store: Store, post: Post, peer: Peer) -> None:
    delivery = await post.queued(subject="Ihr Beleg über 5 €", text="Hello", to="Ada@example.com")
    async with relay_to(peer.url, store) as relay:
        await relay.once()
    (mail,) = peer.mails
    assert (mail.sender, mail.to) == ("service@gateway.example.com", ["Ada@example.com"])
    said = mail.message
    assert (said["From"], said["To"], said["Subject"]) == (SENDER, "Ada@example.com", "Ihr Beleg über 5 €")
    assert mail.id == f"<{delivery['_id']}@gateway.example.com>"
    assert parsedate_to_datetime(said["Date"]) == delivery["requestedAt"].replace(microsecond=0)
    (email,) = await store.find("emails", {})
    assert email["sentAt"] >= delivery["requestedAt"]
    assert (await post.now(delivery))["deliveredAt"] >= email["sentAt"]


async def test_resending_leaves_the_time_of_the_first_sending_alone(store: Store, post: Post, peer: Peer) -> None:
    first = datetime(2020, 1, 1, tzinfo=UTC)
    await sent(store, post, peer, text="Hello", sentAt=first)
    (email,) = await store.find("emails", {})
    assert email["sentAt"] == first


async def test_resending_an_imported_mail_says_nothing_of_when_it_was_first_sent(
    store: Store, post: Post, peer: Peer
) -> None:
    """Else the same import again would find another mail than it brought."""
    delivery = await post.queued(text="Hello")
    await store.write("deliveries", [UpdateOne({"_id": delivery["_id"]}, {"$unset": {"first": ""}})])
    async with relay_to(peer.url, store) as relay:
        await relay.once()
    (email,) = await store.find("emails", {})
    assert (len(peer.mails), "sentAt" in email) == (1, False)


BREAKS = ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\r\n ", "\r\n\r\n"]


@pytest.mark.parametrize("line_break", BREAKS, ids=repr)
async def test_a_subject_with_line_breaks_adds_no_header_and_no_recipient(
    line_break: str, store: Store, post: Post, peer: Peer
) -> None:
    subject = f"Receipt{line_break}Bcc: eve@example.com{line_break}X-Evil: yes{line_break}{line_break}Body ü"
    mail = await sent(store, post, peer, subject=subject, text="Hello")
    assert mail.to == ["ada@example.com"]
    assert sorted(mail.message.keys()) == sorted(
        ["Subject", "From", "To", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]
    )
    assert bodies(mail) == {"text/plain": b"Hello"}
    assert str(mail.message["Subject"]).split() == subject.split()


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com\r\nRCPT TO:<eve@example.com>",
        "ada@example.com>\r\nRCPT TO:<eve@example.com",
        "ada@example.com, eve@example.com",
        "Ada <ada@example.com>, eve@example.com",
        "ada@example.com\nBcc: eve@example.com",
        "nobody",
        "@",
    ],
)
async def test_a_stored_address_that_is_none_reaches_nobody(address: str, store: Store, post: Post, peer: Peer) -> None:
    """``resendEmail`` would not queue it; an entry that says so all the same harms nobody."""
    delivery = await post.queued(to=address, text="Hello")
    async with relay_to(peer.url, store) as relay:
        await relay.once()
    assert (peer.mails, peer.offered) == ([], [])
    now = await post.now(delivery)
    assert (now["status"], now["error"]) == ("FAILED", "The address is not a valid e-mail address.")


@settings(max_examples=300)
@given(st.text(max_size=200))
@example("00000000" + "\xa0" * 10 + "𐀀𐀀𐀀  ¡")  # a blank between two encoded words, which folding loses
@example("=?utf-8?q?x?= and =?utf-8?b?4oKs?=")  # reads like encoded words, and is none
@example("x" * 60 + " " * 20 + "y" * 60)
def test_a_subject_is_read_as_it_was_written_but_for_line_breaks_and_what_is_no_text(subject: str) -> None:
    for to in ("ada@example.com", "ädä@example.com"):
        written = _composed(subject=subject, to=to)
        mail = Mail("", [], written, [], 0, None, tls=False)
        assert str(mail.message["Subject"]) == _without_controls(subject).strip()
        assert bodies(mail) == {"text/plain": b""}
        assert max(map(len, written.split(b"\r\n"))) <= 78  # RFC 5322, 2.1.1


@settings(max_examples=200)
@given(st.text(min_size=1, max_size=200))
@example("00000000" + "\xa0" * 10 + "𐀀𐀀𐀀  ¡.pdf")
def test_the_name_of_a_file_is_read_as_it_was_written(name: str) -> None:
    file = {"mediaType": "application/pdf", "content": b"%PDF", "name": name}
    mail = Mail("", [], _composed(subject="Receipt", files=[file]), [], 0, None, tls=False)
    (attachment,) = mail.message.iter_attachments()
    assert (attachment.get_filename() or "") == _without_controls(name).strip()
    assert attachment.get_content() == b"%PDF"


@pytest.mark.parametrize("subject", ["Nur 5 €", "Family 👨‍👩‍👧 day", "שלום\u200f!", "two  spaces", "x" * 1_000])
def test_a_subject_keeps_what_is_not_seen_but_meant(subject: str) -> None:
    assert str(Mail("", [], _composed(subject=subject), [], 0, None, tls=False).message["Subject"]) == subject


def _composed(*, to: str = "ada@example.com", files: Sequence[Document] = (), **email: Any) -> bytes:
    delivery = {"_id": new_id("deliveries"), "to": to, "requestedAt": datetime(2026, 1, 1, tzinfo=UTC)}
    return compose(email, files, delivery, sender=sender_of(SENDER))


def _without_controls(text: str) -> str:
    """Also without half characters and the two breaks that Unicode has of its own."""
    return "".join(" " if category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter for letter in text)


async def test_a_file_arrives_byte_for_byte_beside_the_text(store: Store, post: Post, peer: Peer) -> None:
    content = bytes(range(256)) * 40
    files: list[Document] = [
        {
            "_id": f"fil_{secrets.token_hex(8)}",
            "customerId": new_id("customers"),
            "name": name,
            "mediaType": kind,
            "content": content,
        }
        for name, kind in (
            ("Kaffee für Ada\r\nX-Evil: yes.pkpass", "application/vnd.apple.pkpass"),
            ("notes.txt", "text/plain"),
            ("mail.eml", "message/rfc822"),
        )
    ]
    await store.insert("files", files)
    mail = await sent(store, post, peer, text="Your pass\n", fileIds=[file["_id"] for file in files])
    arrived = [(part.get_filename(), part.get_content_type()) for part in mail.message.iter_attachments()]
    assert arrived == [
        ("Kaffee für Ada  X-Evil: yes.pkpass", "application/vnd.apple.pkpass"),
        ("notes.txt", "text/plain"),
        ("mail.eml", "message/rfc822"),
    ]
    assert all("X-Evil" not in part for part in mail.message.walk())
    assert bodies(mail)["application/vnd.apple.pkpass"] == content


async def test_each_attempt_sends_the_very_same_bytes(store: Store, post: Post, peer: Peer) -> None:
    file: Document = {
        "_id": f"fil_{secrets.token_hex(8)}",
        "customerId": new_id("customers"),
        "name": "a",
        "content": b"x",
    }
    await store.insert("files", [{**file, "mediaType": "application/pdf"}])
    peer.then(*[Does.KEEPS_IT_AND_DROPS] * 3)
    delivery = await post.queued(text="T", html="<b>H</b>", subject="Grüße", fileIds=[file["_id"]])
    for _ in range(4):
        async with relay_to(peer.url, store) as relay:
            await relay.once()
        await post.make_due(delivery)
    assert len(peer.mails) == 4
    assert len({mail.content for mail in peer.mails}) == 1
    assert peer.mails[0].message.get_all("Message-ID") == [f"<{delivery['_id']}@gateway.example.com>"]


# ---------------------------------------------------------------- letters that not every server takes


async def test_an_address_with_such_letters_arrives_where_the_server_takes_them(
    store: Store, post: Post, peer: Peer
) -> None:
    mail = await sent(store, post, peer, to="jörg@bücher.example.com", text="Hello", subject="Grüße")
    assert (mail.to, mail.message["To"]) == (["jörg@bücher.example.com"], "jörg@bücher.example.com")
    assert "SMTPUTF8" in mail.options
    assert mail.message["Subject"] == "Grüße"


async def test_an_address_with_such_letters_fails_where_the_server_does_not(store: Store, post: Post) -> None:
    async with mail_server(smtputf8=False) as peer, relay_to(peer.url, store) as relay:
        delivery, other = await post.queued(to="jörg@example.com", text="A"), await post.queued(text="B")
        await relay.once()
        now = await post.now(delivery)
        assert (now["status"], now["attempts"]) == ("FAILED", 1)
        assert now["error"] == "The mail server cannot take an address with such letters."
        assert (await post.now(other))["status"] == "SENT"
        assert [mail.to for mail in peer.mails] == [["ada@example.com"]]


# ---------------------------------------------------------------- safe lines, users and passwords


@pytest.mark.usefixtures("trusted")
async def test_tls_from_the_first_byte(store: Store, post: Post, certificate: Certificate) -> None:
    async with mail_server(tls=certificate.serving, user=("gate", "secret")) as peer:
        for url in (f"smtps://127.0.0.1:{peer.port}", f"smtps://gate:secret@127.0.0.1:{peer.port}"):
            async with relay_to(url, store) as relay:
                await post.queued(text="Hello")
                await relay.once()
    assert [(mail.tls, mail.user) for mail in peer.mails] == [(True, None), (True, "gate")]


@pytest.mark.usefixtures("trusted")
async def test_starttls_where_it_is_offered_and_the_password_behind_it(
    store: Store, post: Post, certificate: Certificate
) -> None:
    async with (
        mail_server(starttls=certificate.serving, user=("gate", "p@ss/wörd")) as peer,
        relay_to(peer.url.replace("//", "//gate:p%40ss%2Fw%C3%B6rd@"), store) as relay,
    ):
        await post.queued(text="Hello")
        await relay.once()
    assert [(mail.tls, mail.user) for mail in peer.mails] == [(True, "gate")]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_nothing_is_sent_over_a_line_that_only_looks_safe(
    scheme: str, store: Store, post: Post, certificate: Certificate
) -> None:
    tls: dict[str, Any] = {"starttls" if scheme == "smtp" else "tls": certificate.serving}
    async with mail_server(**tls) as peer, relay_to(peer.url.replace("smtp", scheme), store) as relay:
        delivery = await post.queued(text="Hello")
        await relay.once()
    assert peer.mails == []
    now = await post.now(delivery)
    assert (now["status"], now["error"]) == ("QUEUED", "No safe connection to the mail server could be made.")


async def test_a_password_goes_in_the_clear_to_this_machine_only(store: Store, post: Post) -> None:
    async with mail_server(user=("gate", "secret")) as peer:
        url = peer.url.replace("//", "//gate:secret@")
        delivery = await post.queued(text="Hello")
        # The same machine, by a name that does not say so.
        async with relay_to(url, store, host="0.0.0.0") as relay:
            await relay.once()
        now = await post.now(delivery)
        assert now["error"] == "The mail server offers no TLS, and a password is not sent in the clear."
        assert (now["status"], peer.mails) == ("QUEUED", [])
        await post.make_due(delivery)
        async with relay_to(url, store) as relay:
            await relay.once()
        assert [(mail.user, mail.tls) for mail in peer.mails] == [("gate", False)]


async def test_a_wrong_password_is_said_and_is_no_failure_of_the_mails(store: Store, post: Post) -> None:
    async with (
        mail_server(user=("gate", "secret")) as peer,
        relay_to(peer.url.replace("//", "//gate:wrong@"), store) as relay,
    ):
        delivery = await post.queued(text="Hello")
        await relay.once()
    now = await post.now(delivery)
    assert now["status"] == "QUEUED"
    assert now["error"].startswith("The mail server does not accept our user and password: 535")


async def test_a_server_that_lets_nobody_sign_in_is_said_so(store: Store, post: Post, peer: Peer) -> None:
    async with relay_to(peer.url.replace("//", "//gate:secret@"), store) as relay:
        delivery = await post.queued(text="Hello")
        await relay.once()
    now = await post.now(delivery)
    assert now["status"] == "QUEUED"
    assert now["error"] == "The mail server offers no way to sign in, but SMTP_URL has a user."


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("[::1]", True),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("10.0.0.1", False),
        ("[::]", False),
    ],
)
def test_what_is_this_machine(host: str, here: bool) -> None:
    assert MailServer.of(f"smtp://user:password@{host}:25").is_here is here


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example.com",
        "smtp://",
        "smtp://mail.example.com/inbox",
        "smtp://mail.example.com?x=1",
        "smtp://user:1#23@mail.example.com",
        "smtp://mail.example.com:0",
        "smtp://mail.example.com:99999",
        "mail.example.com:25",
    ],
)
def test_an_smtp_url_that_cannot_be_meant_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        MailServer.of(url)


def test_a_server_does_not_show_its_password() -> None:
    assert "secret" not in repr(MailServer.of("smtp://user:secret@mail.example.com"))


@pytest.mark.parametrize(
    "sender", ["nobody", "jörg@example.com", "a@example.com, b@example.com", "A <a@example.com> b", "a@example.com\nx"]
)
def test_a_sender_that_not_every_server_takes_is_refused(sender: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        sender_of(sender)


def test_a_sender_may_have_a_name_and_a_domain_in_any_letters() -> None:
    sender = sender_of("Bücher & Söhne <service@bücher.example.com>")
    assert (sender.display_name, sender.addr_spec) == ("Bücher & Söhne", "service@xn--bcher-kva.example.com")


# ---------------------------------------------------------------- connections


async def test_a_connection_is_used_again_after_mails_taken_and_refused(store: Store, post: Post, peer: Peer) -> None:
    peer.then(Does.TAKES_IT, Does.SAYS_451, Does.SAYS_550_TO_THE_ADDRESS, Does.SAYS_550_TO_THE_MAIL)
    for _ in range(6):
        await post.queued(text="Hello")
    async with relay_to(peer.url, store) as relay:
        await relay.once()
    assert (len(peer.offered), len(peer.mails), len(peer.connections)) == (6, 3, 1)


async def test_a_connection_that_died_meanwhile_costs_no_attempt(store: Store, post: Post, peer: Peer) -> None:
    async with relay_to(peer.url, store) as relay:
        for _ in range(2):
            delivery = await post.queued(text="Hello")
            await relay.once()
            assert [(await post.now(delivery))[key] for key in ("status", "attempts")] == ["SENT", 1]
            peer.hang_up()
            await asyncio.sleep(0.05)
    assert [mail.connection for mail in peer.mails] == [0, 1]


async def test_a_mail_too_large_for_the_server_fails_at_once_in_its_words(store: Store, post: Post) -> None:
    async with mail_server(size=1_000_000) as peer, relay_to(peer.url, store) as relay:
        large, small = await post.queued(text="x" * 1_000_000), await post.queued(text="x")
        await relay.once()
        now = await post.now(large)
        assert (now["status"], now["attempts"]) == ("FAILED", 1)
        assert now["error"].startswith("The mail server refused the mail: 552")
        assert (await post.now(small))["status"] == "SENT"


async def test_a_mail_of_20_mb_arrives_whole(store: Store, post: Post, peer: Peer) -> None:
    files: list[Document] = [
        {"_id": f"fil_{secrets.token_hex(8)}", "customerId": new_id("customers"), "name": name, "mediaType": "a/b"}
        | {"content": name.encode() * 7_500_000}
        for name in "xy"
    ]
    for file in files:
        await store.insert("files", [file])
    mail = await sent(store, post, peer, text="Hello", fileIds=[file["_id"] for file in files])
    arrived = [bytes(part.get_payload(decode=True)) for part in mail.message.iter_attachments()]  # pyright: ignore[reportArgumentType] # bytes, once decoded
    assert arrived == [file["content"] for file in files]
    assert len(mail.content) > 20_000_000
