"""Mails: put together from what is stored, and handed to an SMTP server over connections that are kept."""

import ssl
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from email.utils import format_datetime, parseaddr
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectResponseError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from app.delivery.relay import Channel, TryLater, Undeliverable
from app.domain.emails import deliverable
from app.domain.outbox import one_line
from app.store.driver import Document, Store, UpdateOne

_KEPT_SECONDS: Final = 10
"""How long an idle connection is used again: servers close them without a word."""
_PERMANENT: Final = 500
_AS_STORED: Final[dict[str, Any]] = {"cte": "base64", "params": {"charset": "utf-8"}}
_PORTS: Final = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Server:
    """Where mails go: ``smtp://user:password@host:port``, or ``smtps://`` for TLS from the first byte."""

    tls: bool
    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> "Server":
        """Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("not of the form smtp://user:password@host:port")
        user, password = (unquote(each) if each else None for each in (parts.username, parts.password))
        return cls(parts.scheme == "smtps", parts.hostname, parts.port or _PORTS[parts.scheme], user, password)

    @property
    def is_here(self) -> bool:
        with suppress(ValueError):
            return ip_address(self.host).is_loopback
        return self.host == "localhost"


def sender_of(text: str) -> Address:
    """From ``service@example.com`` or ``Customer service <service@example.com>``. Raises ValueError."""
    name, address = parseaddr(text)
    if not (address and deliverable(address)):
        raise ValueError("it is no e-mail address, with or without a name")
    return Address(name, addr_spec=address)


@dataclass(slots=True, repr=False)
class Mailer:
    """Takes any number of mails at once, each over a connection of its own."""

    server: Server
    sender: Address
    timeout_seconds: float
    _idle: list[tuple[aiosmtplib.SMTP, float]] = field(default_factory=list[tuple[aiosmtplib.SMTP, float]])

    async def hand_over(self, to: str, message: bytes) -> None:
        """Raises TryLater, Undeliverable."""
        options = [] if to.isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
        try:
            async with self._connection() as connection:
                await connection.sendmail(self.sender.addr_spec, [to], message, mail_options=options)
        except (SMTPConnectResponseError, SMTPHeloError) as refused:
            raise TryLater(f"The mail server does not serve us: {_said(refused)}") from None
        except SMTPAuthenticationError as refused:
            raise TryLater(f"The mail server does not accept our user and password: {_said(refused)}") from None
        except SMTPRecipientsRefused as refused:
            raise _verdict("the address", refused.recipients[0]) from None
        except SMTPResponseException as refused:
            raise _verdict("the mail", refused) from None
        except SMTPNotSupported:
            raise Undeliverable("The mail server cannot take an address with such letters.") from None
        except TimeoutError:
            raise TryLater("The mail server did not answer in time.") from None
        except ssl.SSLError:
            raise TryLater("No safe connection to the mail server could be made.") from None
        except (OSError, SMTPException) as lost:
            told = "could not be reached" if isinstance(lost, aiosmtplib.SMTPConnectError) else "broke off"
            raise TryLater(f"The mail server {told}.") from None

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
        except (SMTPResponseException, SMTPRecipientsRefused):
            self._keep(connection)  # it said no, and listens on
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
        server = self.server
        connection = aiosmtplib.SMTP(
            hostname=server.host, port=server.port, use_tls=server.tls, timeout=self.timeout_seconds
        )
        try:
            await connection.connect()  # with STARTTLS where it is offered
            if server.user is not None:
                if not (server.is_here or connection.get_transport_info("sslcontext")):
                    raise TryLater("The mail server offers no TLS, and a password is not sent in the clear.")
                await connection.login(server.user, server.password or "")
        except BaseException:
            connection.close()
            raise
        return connection


def channel(store: Store, mailer: Mailer) -> Channel:
    """The relay's: what waits in ``deliveries``."""

    async def send(delivery: Document) -> None:
        found = await store.find("emails", {"_id": delivery["emailId"]})
        if not found:
            raise Undeliverable("The mail is not there any more.")
        (email,) = found
        files = await store.find("files", {"_id": {"$in": ids}}) if (ids := email.get("fileIds")) else []
        await mailer.hand_over(delivery["to"], composed(email, files, delivery, sender=mailer.sender))
        if delivery.get("first"):
            await store.write("emails", [UpdateOne({"_id": email["_id"]}, {"$set": {"sentAt": datetime.now(UTC)}})])

    return Channel("mail", "deliveries", "SENT", "deliveredAt", send)


def composed(email: Document, files: Iterable[Document], delivery: Document, *, sender: Address) -> bytes:
    """The mail as it goes over the wire: the same bytes at each attempt, with the same ``Message-ID``.

    Text and HTML are those that are stored, byte for byte, in base64. What is no text for a header is made one line.
    """
    message = EmailMessage(POLICY if delivery["to"].isascii() else POLICY.clone(utf8=True))
    message["Subject"] = one_line(email["subject"])
    message["From"] = sender
    message["To"] = Address(addr_spec=delivery["to"])
    message["Date"] = format_datetime(delivery["requestedAt"])
    message["Message-ID"] = f"<{delivery['_id']}@{sender.domain}>"
    text, html = email.get("text"), email.get("html")
    # As bytes: set as text, line ends and the last line would be changed.
    if text is not None or html is None:
        message.set_content((text or "").encode(), "text", "plain", **_AS_STORED)
    if html is not None:
        add = message.set_content if text is None else message.add_alternative
        add(html.encode(), "text", "html", **_AS_STORED)
    for file in files:
        kind, _, subtype = file["mediaType"].partition("/")
        message.add_attachment(bytes(file["content"]), kind, subtype, filename=one_line(file["name"]))
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"={delivery['_id']}={number}")  # not by chance: the same bytes again
    return message.as_bytes()


def _verdict(what: str, refused: SMTPResponseException) -> TryLater | Undeliverable:
    if refused.code >= _PERMANENT:
        return Undeliverable(f"The mail server refused {what}: {_said(refused)}")
    return TryLater(f"The mail server put {what} off: {_said(refused)}")


def _said(refused: SMTPResponseException) -> str:
    return f"{refused.code} {refused.message}"
