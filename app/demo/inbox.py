"""Runs the demo's inbox: an SMTP server of our own on this machine, and the pages that show what it got.

It takes whatever SMTP allows and keeps the last of it in memory. Nothing here trusts a mail: names, subjects and
headers are text, HTML is made harmless and shown in a frame of its own, files are only ever downloaded.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from app.domain.mail_html import harmless

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session

MOST_MAILS: Final = 200
MOST_BYTES: Final = 64 * 1024 * 1024
"""Of all mails together; the oldest go first."""

LARGEST_MAIL: Final = 25 * 1024 * 1024
_LONGEST_HEADER: Final = 2_000
_LONGEST_TEXT: Final = 1_000_000
_LONGEST_NAME: Final = 120
_MOST_SHOWN: Final = 200
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

SAFE_HEADERS: Final = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "style-src 'unsafe-inline'",  # the page's own sheet, and the mail's: a srcdoc frame inherits this policy
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class InboxUnavailable(Exception):
    """Raised if the package that receives mails is not installed; the demo prints how to get it."""


# ---------------------------------------------------------------- mails


@dataclass(frozen=True, slots=True)
class File:
    """A file is attached. ``name`` is the sender's without paths and control characters, or one of ours."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """The content is what a mail shows: either body may be missing, and both. Everything else is a file."""

    html: str | None
    text: str | None
    files: Sequence[File]


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail is stored as it came. ``number`` counts from 1; sender and recipients are the envelope's.

    ``again``: it came before.
    """

    number: int
    received_at: datetime
    sender: str
    recipients: Sequence[str]
    raw: bytes
    headers: Sequence[tuple[str, str]]
    again: bool

    def header(self, name: str) -> str:
        """Returns the first header of that name as people read it; empty without one."""
        return _first(self.headers, name)

    def content(self) -> Content:
        """Returns the content, parsed anew each time. A mail that cannot be parsed is its own text."""
        try:
            return _content(message_from_bytes(self.raw))
        except Exception:  # the parser gives up on some mails in ways that nobody lists
            return Content(None, self.raw.decode("utf-8", "replace"), [])


def _content(message: Message) -> Content:
    html = text = None
    files: list[File] = []
    for part in _parts(message):
        payload = part.get_payload(decode=True)
        content = payload if isinstance(payload, bytes) else part.as_bytes()
        attached = part.get_content_disposition() == "attachment" or part.get_filename() is not None
        kind = part.get_content_type()
        if not attached and html is None and kind == "text/html":
            html = _decoded(content, part)
        elif not attached and text is None and kind == "text/plain":
            text = _decoded(content, part)
        elif len(files) < _MOST_SHOWN:
            files.append(File(_file_name(part, len(files) + 1), _clean(kind), content))
    return Content(html, text, files)


def _parts(message: Message) -> Iterator[Message]:
    """Yields the leaves in order; a mail inside a mail is one."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting += reversed(cast(list[Message], part.get_payload()))
        else:
            yield part


def _headers(raw: bytes) -> Sequence[tuple[str, str]]:
    head = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0]
    return [(name, _words(str(value))) for name, value in message_from_bytes(head).raw_items()][:_MOST_SHOWN]


def _first(headers: Sequence[tuple[str, str]], name: str) -> str:
    return next((value for key, value in headers if key.lower() == name.lower()), "")


def _words(raw: str) -> str:
    """Returns a header's value as people read it: one line, decoded; as it came where that is impossible."""
    value = re.sub(r"\s+", " ", _clean(raw[: 4 * _LONGEST_HEADER]))
    with suppress(HeaderParseError, LookupError, ValueError):
        value = _clean(str(make_header(decode_header(value))))
    return value if len(value) <= _LONGEST_HEADER else value[:_LONGEST_HEADER] + "…"


def _clean(text: str) -> str:
    """Reads bytes that the parser left as half characters as UTF-8; what controls or turns text becomes a blank."""
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "replace")
    return _CONTROLS.sub(" ", raw.decode("utf-8", "replace"))


def _decoded(content: bytes, part: Message) -> str:
    try:
        return content.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def _file_name(part: Message, number: int) -> str:
    name = re.split(r"[/\\]", _words(part.get_filename() or ""))[-1].strip(". ")
    return name[-_LONGEST_NAME:] or f"attachment-{number}"


# ---------------------------------------------------------------- SMTP


class Inbox:
    """The inbox keeps the last mails, at most MOST_MAILS of them and MOST_BYTES. ``url`` is where to send."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._mails: deque[Mail] = deque()
        self._came = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int = 0) -> "AsyncGenerator[Inbox]":
        """Listens on this machine only, on the running event loop; 0 takes a free port. Raises InboxUnavailable."""
        try:
            from aiosmtpd.smtp import SMTP
        except ImportError:
            raise InboxUnavailable(
                "The demo's inbox needs aiosmtpd, which is not installed: pip install 'customer-gateway[inbox]'"
            ) from None

        inbox = cls("")
        peers: set[SMTP] = set()

        def peer() -> SMTP:
            peers.difference_update([peer for peer in peers if peer.transport is None])
            smtp = SMTP(inbox, hostname="localhost", data_size_limit=LARGEST_MAIL, enable_SMTPUTF8=True, loop=loop)
            peers.add(smtp)
            return smtp

        loop = asyncio.get_running_loop()
        server = await loop.create_server(peer, "127.0.0.1", port)
        inbox.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield inbox
        finally:
            server.close()
            for smtp in peers:
                if isinstance(smtp.transport, asyncio.Transport):
                    smtp.transport.abort()
            await server.wait_closed()

    async def handle_DATA(self, _server: "SMTP", _session: "Session", envelope: "Envelope") -> str:  # noqa: N802 # theirs
        """Returns the answer to a mail; the SMTP server calls it with each."""
        raw = envelope.original_content or b""
        headers = _headers(raw)
        message_id = _first(headers, "Message-ID")
        self._came += 1
        mail = Mail(
            number=self._came,
            received_at=datetime.now(UTC),
            sender=_clean(envelope.mail_from or ""),
            recipients=[_clean(recipient) for recipient in envelope.rcpt_tos],
            raw=raw,
            headers=headers,
            again=bool(message_id) and any(mail.header("Message-ID") == message_id for mail in self._mails),
        )
        self._mails.append(mail)
        while len(self._mails) > MOST_MAILS or sum(len(mail.raw) for mail in self._mails) > MOST_BYTES:
            self._mails.popleft()
        return f"250 Kept as number {mail.number}"

    @property
    def mails(self) -> Sequence[Mail]:
        """Returns the mails, newest first."""
        return [*self._mails][::-1]

    def find(self, number: int) -> Mail | None:
        return next((mail for mail in self.mails if mail.number == number), None)


# ---------------------------------------------------------------- pages

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _page(template: str, status_code: int = 200, **values: object) -> Response:
    return HTMLResponse(_TEMPLATES.get_template(template).render(values), status_code, headers=SAFE_HEADERS)


def routes(inbox: Inbox) -> list[BaseRoute]:
    """Returns the pages of the list, a mail and a file. Their handlers are plain functions: Starlette runs threads."""

    def mails(_: Request) -> Response:
        return _page("inbox.html", mails=inbox.mails, url=inbox.url, most=MOST_MAILS)

    def mail(request: Request) -> Response:
        found = inbox.find(request.path_params["number"])
        if found is None:
            return _page("gone.html", 404)
        content = found.content()
        html = None if content.html is None else harmless(content.html)
        return _page("mail.html", mail=found, html=html, text=(content.text or "")[:_LONGEST_TEXT], files=content.files)

    def file(request: Request) -> Response:
        found = inbox.find(request.path_params["number"])
        files = found.content().files if found else ()
        chosen = dict(enumerate(files, 1)).get(request.path_params["file"])
        if chosen is None:
            return _page("gone.html", 404)
        disposition = f"attachment; filename*=UTF-8''{quote(chosen.name, safe='')}"
        # Its own type is for reading only: nothing that a stranger sent is opened here.
        return Response(
            chosen.content,
            media_type="application/octet-stream",
            headers={**SAFE_HEADERS, "Content-Disposition": disposition},
        )

    return [
        Route("/demo/inbox", mails),
        Route("/demo/inbox/{number:int}", mail),
        Route("/demo/inbox/{number:int}/files/{file:int}", file),
    ]
