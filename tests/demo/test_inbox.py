"""The demo's inbox over real SMTP and HTTP: what comes is shown, whatever it is."""

import asyncio
import html
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from email import policy
from email.message import EmailMessage
from smtplib import SMTP, SMTPSenderRefused

import httpx2
import pytest
from aiosmtplib import send
from starlette.applications import Starlette

from app.demo import inbox as module
from app.demo.inbox import Inbox, InboxUnavailable, routes
from app.demo.sample import mails
from app.domain.mail_html import harmless
from tests.support.hostile_html import HOSTILE
from tests.support.mail_judge import judge

TO = "ada@example.com"


@pytest.fixture
async def inbox() -> AsyncGenerator[Inbox]:
    """Opens an inbox."""
    async with Inbox.open() as inbox:
        yield inbox


@pytest.fixture
async def client(inbox: Inbox) -> AsyncGenerator[httpx2.AsyncClient]:
    """Calls the pages of the inbox."""
    transport = httpx2.ASGITransport(Starlette(routes=routes(inbox)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://demo") as client:
        yield client


def port_of(inbox: Inbox) -> int:
    assert inbox.url.startswith("smtp://127.0.0.1:")
    return int(inbox.url.rpartition(":")[2])


async def deliver(inbox: Inbox, *raws: bytes, options: tuple[str, ...] = ()) -> None:
    """Hands over bytes as they are, one connection for all."""

    def hand_over() -> None:
        with SMTP("127.0.0.1", port_of(inbox)) as smtp:
            for raw in raws:
                smtp.sendmail("shop@example.com", [TO], raw, mail_options=options)

    await asyncio.to_thread(hand_over)


def mail(subject: str = "Hello", *, html: str | None = None, text: str | None = "Hi", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Shop <shop@example.com>", TO, subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    if text is not None:
        message.set_content(text)
    if html is not None:
        (message.add_alternative if text is not None else message.set_content)(html, subtype="html")
    return message


def frame_of(page: str) -> str:
    (document,) = re.findall(r'<iframe [^>]*srcdoc="([^"]*)"', page)
    return html.unescape(document)


async def shown(client: httpx2.AsyncClient, path: str = "/demo/inbox") -> str:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert answer.headers["content-security-policy"].startswith(
        "default-src 'none'; style-src 'unsafe-inline'; img-src "
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


async def test_an_empty_inbox_says_how_to_get_a_mail(client: httpx2.AsyncClient) -> None:
    page = await shown(client)
    assert "No mail yet" in page
    assert "resendEmail(input: {" in page
    assert 'href="../graphql"' in page
    assert '<meta http-equiv="refresh" content="5">' in page


async def test_what_is_sent_is_listed_newest_first_and_shown(inbox: Inbox, client: httpx2.AsyncClient) -> None:
    receipt = mails.receipt("Zoë", "Digital", "9.90 €", "1 May")
    for each in (mail("First"), mail(receipt.subject, html=receipt.html, text=receipt.text, Message_ID="<1@shop>")):
        await send(each, hostname="127.0.0.1", port=port_of(inbox))
    page = await shown(client)
    assert re.findall(r'href="inbox/(\d)">([^<]*)', page) == [("2", receipt.subject), ("1", "First")]
    assert f"to {TO}" in page
    assert "&lt;1@shop&gt;" in page
    page = await shown(client, "/demo/inbox/2")
    assert "Shop &lt;shop@example.com&gt;" in page
    assert judge(frame_of(page)).words.split() == judge(harmless(receipt.html)).words.split()
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert html.escape(receipt.text.splitlines()[0]) in page
    assert "<dt>Subject</dt>" in page


async def test_a_mail_that_came_twice_is_marked_and_one_without_an_id_is_not(
    inbox: Inbox, client: httpx2.AsyncClient
) -> None:
    once, twice, without = (
        mail(Message_ID=f"<{name}@shop>").as_bytes(policy=policy.SMTP) for name in ("once", "twice", "x")
    )
    without = without.replace(b"Message-ID: <x@shop>\r\n", b"")
    await deliver(inbox, twice, once, twice, without, without)
    assert [mail.again for mail in inbox.mails] == [False, False, True, False, False]
    assert (await shown(client)).count(">again<") == 1
    assert ">again<" in await shown(client, "/demo/inbox/3")


async def test_a_file_is_downloaded_and_never_opened(inbox: Inbox, client: httpx2.AsyncClient) -> None:
    message = mail()
    message.add_attachment(b"<script>1</script>", maintype="text", subtype="html", filename="Paß & Co.html")
    message.add_attachment(b"\0\1", maintype="image", subtype="svg+xml", filename='..\\..\\a";b .svg')
    await deliver(inbox, message.as_bytes(policy=policy.SMTP))
    page = await shown(client, "/demo/inbox/1")
    assert re.findall(r'href="1/files/(\d)" download>([^<]*)', page) == [
        ("1", "Paß &amp; Co.html"),
        ("2", "a&#34;;b .svg"),
    ]
    assert "18 Bytes" in page
    assert "<iframe" not in page
    for number, content, name in (
        (1, b"<script>1</script>", "Pa%C3%9F%20%26%20Co.html"),
        (2, b"\0\1", "a%22%3Bb%20.svg"),
    ):
        answer = await client.get(f"/demo/inbox/1/files/{number}")
        assert answer.content == content
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/9", "/1/files/0", "/1/files/2", "/9/files/1", "/" + "9" * 400])
async def test_what_is_not_there_is_not_found(inbox: Inbox, client: httpx2.AsyncClient, path: str) -> None:
    message = mail()
    message.add_attachment(b"x", maintype="text", subtype="plain", filename="x.txt")
    await deliver(inbox, message.as_bytes(policy=policy.SMTP))
    answer = await client.get(f"/demo/inbox{path}")
    assert answer.status_code == 404
    assert "default-src 'none'" in answer.headers["content-security-policy"]


EVIL = "\"><script>alert(1)</script>'{{ 7 * 7 }}"


async def test_nothing_that_a_mail_says_becomes_markup(inbox: Inbox, client: httpx2.AsyncClient) -> None:
    message = mail(EVIL, text=EVIL, X_Evil=EVIL, Message_ID=f"<{EVIL}>")
    message.replace_header("From", f'"{EVIL.replace(chr(34), "")}" <evil@example.com>')
    message.add_attachment(b"x", maintype="text", subtype="plain", filename=EVIL)
    await deliver(inbox, message.as_bytes(policy=policy.SMTP))
    for path in ("/demo/inbox", "/demo/inbox/1"):
        page = await shown(client, path)
        assert "alert(1)" in page
        assert "{{ 7 * 7 }}" in page


@pytest.mark.parametrize("hostile", [html for html in HOSTILE.values() if html.isprintable()])
async def test_hostile_html_stays_in_its_frame_and_is_harmless(
    inbox: Inbox, client: httpx2.AsyncClient, hostile: str
) -> None:
    await deliver(inbox, mail(html=hostile, text=None).as_bytes(policy=policy.SMTP))
    page = await shown(client, "/demo/inbox/1")
    assert page.count("<iframe") == 1
    judge(frame_of(page))


BROKEN = {
    "nothing": b"",
    "no headers": b"\r\nhello",
    "no body": b"Subject: x",
    "no colon": b"this is no header\r\nnor this\r\n\r\nbody",
    "bytes in the subject": "Subject: Zoë \udc00".encode("utf-8", "surrogatepass") + b"\xff\xfe\r\n\r\n\xff\xfe",
    "odd encoded words": b"Subject: =?utf-8?B?!!!?= =?x-none?Q?a?= =?utf-8?Q?=ff=00=0A?= =?utf-7?Q?+2AA-?=\r\n\r\nx",
    "odd charset": b'Content-Type: text/html; charset="../none"\r\n\r\n<p>x',
    "charset that is none": b"Content-Type: text/plain; charset=zlib\r\n\r\nx",
    "charset undefined": b"Content-Type: text/plain; charset=undefined\r\n\r\nx",
    "bad base64": b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!a=b=c",
    "bad uuencode": b"Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 666 \xff\r\nM\r\n",
    "no boundary": b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\nhi\r\n",
    "boundary that never comes": b"Content-Type: multipart/mixed; boundary=x\r\n\r\nhi",
    "boundary left open": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n<p>hi",
    "mail in a mail": b"Content-Type: message/rfc822\r\n\r\nContent-Type: text/html\r\n\r\n<script>1</script>",
    "odd file name": b"Content-Type: text/plain; name*0*=utf-9'x'%FF%00; name*1=b\r\n\r\nx",
    "odd disposition": b"Content-Disposition: attachment; filename==?utf-8?B?Li4vLi4v?=\r\n\r\nx",
    "a thousand headers": b"X-A: b\r\n" * 1_000 + b"\r\nx",
    "one long header": b"Subject: " + b"=?utf-8?Q?a?=\r\n " * 20_000 + b"\r\n\r\nx",
    "many parts": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\nhi\r\n" * 2_000,
    "deep": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(1_500)),
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
async def test_a_broken_mail_is_taken_and_shown_as_well_as_it_can_be(
    inbox: Inbox, client: httpx2.AsyncClient, raw: bytes
) -> None:
    await deliver(inbox, raw)
    await shown(client)
    page = await shown(client, "/demo/inbox/1")
    if "<iframe" in page:
        judge(frame_of(page))
    for path in re.findall(r'href="1/files/(\d+)"', page)[:3]:
        assert (await client.get(f"/demo/inbox/1/files/{path}")).status_code == 200


async def test_text_that_is_no_ascii_is_read(inbox: Inbox, client: httpx2.AsyncClient) -> None:
    raw = "Subject: Grüße\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSchönen Tag".encode()
    await deliver(inbox, raw, mail("Œuvre 日本").as_bytes(policy=policy.SMTP), options=("SMTPUTF8",))
    page = await shown(client)
    assert ">Grüße<" in page
    assert ">Œuvre 日本<" in page
    assert "Schönen Tag" in await shown(client, "/demo/inbox/1")


async def test_the_oldest_go_when_there_are_too_many(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    await deliver(
        inbox, *[mail(f"Mail {number}").as_bytes(policy=policy.SMTP) for number in range(module.MOST_MAILS + 5)]
    )
    assert [mail.number for mail in inbox.mails] == list(range(module.MOST_MAILS + 5, 5, -1))
    monkeypatch.setattr(module, "MOST_BYTES", 5_000)
    await deliver(
        inbox,
        mail("x" * 50, text="x\n" * 1_000).as_bytes(policy=policy.SMTP),
        mail("y", text="y\n" * 1_000).as_bytes(policy=policy.SMTP),
    )
    assert sum(len(mail.raw) for mail in inbox.mails) <= 5_000
    assert [mail.header("Subject") for mail in inbox.mails] == ["y"]


async def test_a_mail_beyond_all_measure_is_refused(inbox: Inbox) -> None:
    with pytest.raises(SMTPSenderRefused) as refused:
        await deliver(inbox, b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * (module.LARGEST_MAIL // 78 + 1))
    assert refused.value.smtp_code == 552
    assert inbox.mails == []


async def test_a_mail_of_20_megabytes_is_taken_and_shown(inbox: Inbox, client: httpx2.AsyncClient) -> None:
    big = b"Subject: big\r\nContent-Type: text/html\r\n\r\n" + (b"<p>" + b"x" * 70 + b"\r\n") * (20_000_000 // 75)
    await deliver(inbox, big)
    assert "read its plain text" in frame_of(await shown(client, "/demo/inbox/1"))


async def test_who_is_still_connected_does_not_hold_up_the_end() -> None:
    async with Inbox.open() as inbox:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(inbox))
        assert (await reader.readline()).startswith(b"220 ")
    with suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port_of(inbox))


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiosmtpd.smtp", None)
    with pytest.raises(InboxUnavailable, match=r"customer-gateway\[inbox\]"):
        async with Inbox.open():
            pass
