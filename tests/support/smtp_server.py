"""A mail server of our own, on the test's event loop: it behaves as a test wants, and keeps every mail that it took."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from enum import StrEnum
from typing import Any, NoReturn

from aiosmtpd.smtp import SMTP, AuthResult


class Does(StrEnum):
    """What a mail server does with one mail."""

    TAKES_IT = "takes it"
    SAYS_451 = "answers 451"
    SAYS_550_TO_THE_ADDRESS = "answers 550 at RCPT"
    SAYS_550_TO_THE_MAIL = "answers 550 at DATA"
    STALLS = "stalls"
    DROPS_IT = "drops the line before keeping"
    KEEPS_IT_AND_DROPS = "drops the line after keeping"


REFUSES = {Does.SAYS_550_TO_THE_ADDRESS, Does.SAYS_550_TO_THE_MAIL}


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that was accepted."""

    sender: str
    to: list[str]
    content: bytes
    options: list[str]
    connection: int
    user: str | None
    tls: bool
    at: float = field(default_factory=time.monotonic)

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.content, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])


class Grumpy(SMTP):
    """Answers some commands as its peer wants, and all others as the protocol has it."""

    def _refused(self, command: str) -> str | None:
        peer: Peer = self.event_handler
        return peer.refuses.get(command)

    async def push(self, status: Any) -> None:
        """The banner is what it says before anything was asked."""
        is_first = str(status).startswith("220 ") and self.session is not None and not self.session.host_name
        banner = self._refused("BANNER") if is_first else None
        await super().push(banner or status)

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        if refused := self._refused("EHLO"):
            await self.push(refused)
        else:
            await super().smtp_EHLO(hostname)

    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802
        if refused := self._refused("EHLO"):
            await self.push(refused)
        else:
            await super().smtp_HELO(hostname)

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        if refused := self._refused("STARTTLS"):
            await self.push(refused)
        else:
            await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        if refused := self._refused("AUTH"):
            await self.push(refused)
        else:
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        if refused := self._refused("MAIL"):
            await self.push(refused)
        else:
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        if refused := self._refused("RCPT"):
            await self.push(refused)
        else:
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if refused := self._refused("DATA"):
            await self.push(refused)
        else:
            await super().smtp_DATA(arg)


@dataclass
class Peer:
    """A mail server; ``does`` is asked once for each mail that is offered, with its addressee.

    ``refuses`` has a reply for a command, BANNER for what is said first, and END for what is said to the mail itself.
    """

    refuses: dict[str, str] = field(default_factory=dict[str, str], kw_only=True)

    does: Callable[[str], Does] = lambda _to: Does.TAKES_IT
    tls: bool = False
    """From the first byte."""
    port: int = 0
    mails: list[Mail] = field(default_factory=list[Mail])
    offered: list[tuple[str, Does, float]] = field(default_factory=list[tuple[str, Does, float]])
    connections: list[SMTP] = field(default_factory=list[SMTP])

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def then(self, *deeds: Does) -> None:
        """Does one deed after another, and then takes whatever comes."""
        left = iter(deeds)
        self.does = lambda _to: next(left, Does.TAKES_IT)

    def hang_up(self) -> None:
        """Closes all connections, as a server does that has heard nothing for long."""
        for connection in self.connections:
            if connection.transport is not None:
                connection.transport.close()

    # What aiosmtpd asks its handler.

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, _options: list[str]) -> str:  # noqa: N802
        envelope.does = self.does(address)
        self.offered.append((address, envelope.does, time.monotonic()))
        if envelope.does is Does.SAYS_550_TO_THE_ADDRESS:
            return "550 5.1.1 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        if refused := self.refuses.get("END"):
            return refused
        match envelope.does:
            case Does.SAYS_451:
                return "451 4.7.1 Greylisted,\x07 come back later"
            case Does.SAYS_550_TO_THE_MAIL:
                return "550 5.7.1 Looks like spam"
            case Does.STALLS:
                await _forever()
            case Does.DROPS_IT:
                await _dropped(server)
            case _:
                self._keep(server, session, envelope)
        if envelope.does is Does.KEEPS_IT_AND_DROPS:
            await _dropped(server)
        return "250 Kept"

    def _keep(self, server: SMTP, session: Any, envelope: Any) -> None:
        user = session.auth_data.login.decode() if session.auth_data else None
        number = self.connections.index(server)
        mail = (envelope.mail_from, envelope.rcpt_tos, envelope.original_content, envelope.mail_options)
        self.mails.append(Mail(*mail, number, user, self.tls or session.ssl is not None))


async def _forever() -> NoReturn:
    """Waits until the line is gone: aiosmtpd cancels us then."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def _dropped(server: SMTP) -> NoReturn:
    assert server.transport is not None
    server.transport.abort()  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue] # aiosmtpd has no types
    await _forever()


@asynccontextmanager
async def mail_server(
    *,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    user: tuple[str, str] | None = None,
    smtputf8: bool = True,
    size: int | None = None,
    port: int = 0,
) -> AsyncGenerator[Peer]:
    """Runs a mail server: ``tls`` from the first byte, ``starttls`` offered, and a ``user`` who may sign in."""
    peer = Peer(tls=tls is not None)
    loop = asyncio.get_running_loop()

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        success = user is not None and (given.login.decode(), given.password.decode()) == user
        return AuthResult(success=success, handled=False, auth_data=given)

    signing_in: dict[str, Any] = (
        {"authenticator": authenticate, "auth_require_tls": starttls is not None} if user else {}
    )

    def connection() -> SMTP:
        made = Grumpy(
            peer,
            hostname="peer.example",
            data_size_limit=size,
            enable_SMTPUTF8=smtputf8,
            tls_context=starttls,
            loop=loop,
            **signing_in,
        )
        peer.connections.append(made)
        return made

    server = await loop.create_server(connection, "127.0.0.1", port, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        peer.hang_up()
        await server.wait_closed()
        await asyncio.sleep(0)
