"""Makes mails of what is stored, and hands them to an SMTP server over connections that stay open."""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from email.utils import format_datetime
from ipaddress import ip_address
from typing import Any, Final, cast
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from app.delivery.refusals import Stage, is_final
from app.delivery.relay import Channel, GiveUp, TryLater, Undeliverable
from app.domain.emails import deliverable
from app.domain.outbox import one_line
from app.store.driver import Document, Store, UpdateOne

_KEPT_SECONDS: Final = 10
"""How long an idle connection is used again: servers close them without a word."""
_PERMANENT: Final = 500
_TOO_SLOW: Final = "The mail server did not answer in time."
_AS_STORED: Final[dict[str, Any]] = {"cte": "base64", "params": {"charset": "utf-8"}}
_SENDER: Final = re.compile(r'(?P<bare>[^\s<>]+)|"?(?P<name>[^"<>]*)"?\s*<(?P<address>[^\s<>]+)>')
_PLAIN_SUBJECT: Final = re.compile(r"(?=.{0,60}\Z)([!-~]+( [!-~]+)*)?")
_PORTS: Final = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class MailServer:
    """Mails go to this server: ``smtp://user:password@host:port``, or ``smtps://`` for TLS from the first byte."""

    tls: bool
    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> "MailServer":
        """Returns the server of this URL. Raises ValueError."""
        parts = urlsplit(url)
        more = parts.path.strip("/") or parts.query or parts.fragment
        if parts.scheme not in _PORTS or not parts.hostname or parts.port == 0 or more:
            raise ValueError("not of the form smtp://user:password@host:port")
        user, password = (unquote(each) if each else None for each in (parts.username, parts.password))
        return cls(parts.scheme == "smtps", parts.hostname, parts.port or _PORTS[parts.scheme], user, password)

    @property
    def is_here(self) -> bool:
        with suppress(ValueError):
            return ip_address(self.host).is_loopback
        return self.host == "localhost"


def sender_of(text: str) -> Address:
    """Reads ``service@example.com`` or ``Customer service <service@example.com>``. Raises ValueError."""
    given = _SENDER.fullmatch(text)
    address = deliverable(given["bare"] or given["address"]) if given else None
    # An address in other letters would need a server that takes them for each mail, to any recipient.
    if not (given and address and address.isascii()):
        raise ValueError("it is no e-mail address in ASCII, with or without a name")
    return Address((given["name"] or "").strip(), addr_spec=address)


@dataclass(slots=True, repr=False)
class Mailer:
    """Takes any number of mails at once, each over a connection of its own."""

    server: MailServer
    sender: Address
    timeout_seconds: float
    _idle: list[tuple[aiosmtplib.SMTP, float]] = field(default_factory=list[tuple[aiosmtplib.SMTP, float]])

    async def hand_over(self, to: str, message: bytes) -> None:
        """Hands a mail to the server. Raises TryLater, Undeliverable."""
        options = [] if to.isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
        try:
            async with self._connection() as connection:
                await connection.sendmail(self.sender.addr_spec, [to], message, mail_options=options)
        except (SMTPRecipientsRefused, SMTPResponseException) as refused:
            raise _verdict(refused) from None
        except SMTPNotSupported:
            raise Undeliverable("The mail server cannot take an address with such letters.") from None
        except TimeoutError:
            raise TryLater(_TOO_SLOW) from None
        except (OSError, SMTPException):
            raise TryLater("The mail server broke off.") from None

    async def close(self) -> None:
        while self._idle:
            connection, _ = self._idle.pop()
            with suppress(OSError, SMTPException):
                await connection.quit(timeout=1)

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[aiosmtplib.SMTP]:
        connection = self._kept() or await self._opened()
        try:
            yield connection
        except (SMTPResponseException, SMTPRecipientsRefused) as refused:
            if _is_about_us(refused):
                connection.close()
            else:
                self._keep(connection)  # it said no to one mail, and listens on
            raise
        except BaseException:
            connection.close()
            raise
        self._keep(connection)

    def _kept(self) -> aiosmtplib.SMTP | None:
        while self._idle:
            connection, since = self._idle.pop()
            if connection.is_connected and time.monotonic() - since < _KEPT_SECONDS:
                return connection
            connection.close()
        return None

    def _keep(self, connection: aiosmtplib.SMTP) -> None:
        if connection.is_connected:
            self._idle.append((connection, time.monotonic()))

    async def _opened(self) -> aiosmtplib.SMTP:
        """Opens a connection. Raises TryLater, whatever the server says: no mail was refused yet."""
        server = self.server
        connection = aiosmtplib.SMTP(
            hostname=server.host, port=server.port, use_tls=server.tls, timeout=self.timeout_seconds
        )
        try:
            await connection.connect()  # with STARTTLS where it is offered
            if server.user is not None:
                await self._sign_in(connection, server.user)
        except BaseException as failed:
            connection.close()
            if isinstance(failed, OSError | SMTPException):
                raise TryLater(_why_not_open(failed)) from None
            raise
        return connection

    async def _sign_in(self, connection: aiosmtplib.SMTP, user: str) -> None:
        if not (self.server.is_here or connection.get_transport_info("sslcontext")):
            raise TryLater("The mail server offers no TLS, and a password is not sent in the clear.")
        if connection.is_ehlo_or_helo_needed:
            await connection.ehlo()
        if not connection.supported_auth_methods:
            raise TryLater("The mail server offers no way to sign in, but SMTP_URL has a user.")
        await connection.login(user, self.server.password or "")


def _why_not_open(failed: OSError | SMTPException) -> str:
    match failed:
        case SMTPAuthenticationError():
            return f"The mail server does not accept our user and password: {_said(failed)}"
        case SMTPResponseException():
            return f"The mail server does not serve us: {_said(failed)}"
        case TimeoutError():
            return _TOO_SLOW
        case ssl.SSLError() | SMTPConnectError(__cause__=ssl.SSLError()):
            return "No safe connection to the mail server could be made."
        case _:
            return "The mail server could not be reached."


def channel(store: Store, mailer: Mailer, give_up: GiveUp | None = None) -> Channel:
    """Returns the channel of the mails that wait in ``deliveries``, for the relay."""

    async def send(delivery: Document) -> None:
        found = await store.find("emails", {"_id": delivery["emailId"]})
        if not found:
            raise Undeliverable("The mail is not there any more.")
        (email,) = found
        if not deliverable(delivery["to"]):
            raise Undeliverable("The address is not a valid e-mail address.")
        attached: list[Document] = email.get("attachments", [])
        ids = [*email.get("fileIds", []), *(each["fileId"] for each in attached)]
        stored = {file["_id"]: file for file in await store.find("files", {"_id": {"$in": ids}})}
        if missing := [each["name"] for each in attached if each["fileId"] not in stored]:
            raise Undeliverable(f"The attachment {one_line(missing[0])} is not there any more.")
        files = [stored[each] for each in email.get("fileIds", []) if each in stored]
        files += [{**each, "content": stored[each["fileId"]]["content"]} for each in attached]
        # In a thread: twenty megabytes take a second, and ours is also the loop of those who ask.
        message = await asyncio.to_thread(compose, email, files, delivery, sender=mailer.sender)
        await mailer.hand_over(delivery["to"], message)

    async def arrived(delivery: Document, at: datetime) -> None:
        if delivery.get("first"):
            await store.write("emails", [UpdateOne({"_id": delivery["emailId"]}, {"$set": {"sentAt": at}})])

    return Channel("mail", "deliveries", "SENT", "deliveredAt", send, arrived, give_up)


def compose(email: Document, files: Iterable[Document], delivery: Document, *, sender: Address) -> bytes:
    """Returns the mail as it goes over the wire: the same bytes at each attempt, with the same ``Message-ID``.

    Text and HTML are those that are stored, byte for byte, in base64. What is not fit for a header is made one line.
    """
    message = EmailMessage(POLICY if delivery["to"].isascii() else POLICY.clone(utf8=True))
    message["From"] = sender
    username, _, domain = delivery["to"].rpartition("@")
    message["To"] = Address(username=username, domain=domain)  # as an ``addr_spec`` it would have to be ASCII
    message["Date"] = format_datetime(delivery["requestedAt"])
    message["Message-ID"] = f"<{delivery['_id']}@{sender.domain}>"
    text, html = email.get("text"), email.get("html")
    # As bytes: set as text, line ends and the last line would be changed.
    if text is not None or html is None:
        message.set_content((text or "").encode(), "text", "plain", **_AS_STORED)
    inline: list[Document] = []
    if html is not None:
        files = [*files]
        inline = [file for file in files if "contentId" in file]
        add = message.set_content if text is None else message.add_alternative
        add(html.encode(), "text", "html", **_AS_STORED)
        for file in inline:
            shown = message if text is None else message.get_payload(1)
            kind, _, subtype = file["mediaType"].partition("/")
            content, cid = bytes(file["content"]), f"<{file['contentId']}>"
            cast(EmailMessage, shown).add_related(
                content, kind, subtype, cid=cid, filename=one_line(file["name"]), disposition="inline"
            )
    for file in files:
        if file not in inline:
            kind, _, subtype = file["mediaType"].partition("/")
            message.add_attachment(bytes(file["content"]), kind, subtype, filename=one_line(file["name"]))
    if "replyTo" in email:
        message["Reply-To"] = one_line(email["replyTo"])
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"={delivery['_id']}={number}")  # not by chance: the same bytes again
    return _subject_line(one_line(email["subject"])) + _list_lines(email) + message.as_bytes()


def _list_lines(email: Document) -> bytes:
    """Returns the header lines of a mailing list (RFC 2369, RFC 8058).

    ``EmailMessage`` would encode what is longer than a line, and no address may be.
    """
    addresses = re.findall(r"<[^<>]*>", one_line(email.get("listUnsubscribe", "")))
    if not addresses:
        return b""
    post = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" if email.get("listUnsubscribePost") else ""
    return ("List-Unsubscribe: " + ",\r\n ".join(addresses) + "\r\n" + post).encode("ascii", "ignore")


def _subject_line(subject: str) -> bytes:
    """Returns the header line of a subject, which reads as the very text that it was made from.

    ``EmailMessage`` folds between two encoded words (RFC 2047, 6.2) and can lose a blank there, differently in each
    version of Python. Here a subject is either plain, short ASCII that nobody folds, or encoded words throughout,
    blanks inside them.
    """
    is_plain = _PLAIN_SUBJECT.fullmatch(subject) and "=?" not in subject
    header = subject if is_plain else Header(subject, "utf-8", header_name="Subject").encode(linesep="\r\n")
    return f"Subject: {header}\r\n".encode()


def _verdict(refused: SMTPResponseException | SMTPRecipientsRefused) -> TryLater | Undeliverable:
    stage, refusal = _stage_of(refused)
    what = "the address" if stage is Stage.RCPT else "the mail"
    if is_final(stage, refusal.code, refusal.message):
        return Undeliverable(f"The mail server refused {what}: {_said(refusal)}")
    if _is_about_us(refused):
        return TryLater(f"The mail server takes no mails from us: {_said(refusal)}")
    return TryLater(f"The mail server put {what} off: {_said(refusal)}")


def _is_about_us(refused: SMTPResponseException | SMTPRecipientsRefused) -> bool:
    stage, refusal = _stage_of(refused)
    return refusal.code >= _PERMANENT and not is_final(stage, refusal.code, refusal.message)


def _stage_of(refused: SMTPResponseException | SMTPRecipientsRefused) -> tuple[Stage, SMTPResponseException]:
    if isinstance(refused, SMTPRecipientsRefused):
        refused = refused.recipients[0]
    return next((stage for kind, stage in _STAGES.items() if isinstance(refused, kind)), Stage.CONNECTION), refused


_STAGES: Final = {SMTPSenderRefused: Stage.MAIL, SMTPRecipientRefused: Stage.RCPT, SMTPDataError: Stage.DATA}


def _said(refused: SMTPResponseException) -> str:
    return f"{refused.code} {refused.message}"
