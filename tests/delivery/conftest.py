"""Relays as a test drives them: one look at what is due at a time, or running."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.delivery import mail
from app.delivery.mail import Mailer, MailServer
from app.delivery.relay import Relay
from app.store.driver import Document, Store, UpdateOne
from tests.support.smtp_server import Peer, mail_server
from tests.support.world import World

SENDER = "Customer service <service@gateway.example.com>"
LONG_SECONDS = 30
"""More than anything here takes on a busy machine; what waits for so long has failed."""


@dataclass
class Post:
    """What is to be sent, and who sends it."""

    world: World
    store: Store

    async def queued(self, **given: Any) -> Document:
        """A delivery that is due; ``given`` are keys of its email, but ``to`` and ``giveUpAt``."""
        to, give_up_at = given.pop("to", "ada@example.com"), given.pop("giveUpAt", None)
        email = await self.world.email(await self.world.customer(), **given)
        now = datetime.now(UTC)
        due = {"status": "QUEUED", "attempts": 0, "requestedAt": now, "dueAt": now}
        first = "sentAt" not in email
        return await self.world.delivery(
            email, to=to, first=first, **due, giveUpAt=give_up_at or now + timedelta(hours=1)
        )

    async def now(self, entry: Document, collection: str = "deliveries") -> Document:
        (found,) = await self.store.find(collection, {"_id": entry["_id"]})
        return found

    async def make_due(self, entry: Document, collection: str = "deliveries") -> None:
        """As if its pause, or the lease of whoever took it, were over."""
        due = {"$set": {"dueAt": datetime.now(UTC) - timedelta(seconds=1)}}
        await self.store.write(collection, [UpdateOne({"_id": entry["_id"], "dueAt": {"$exists": True}}, due)])

    async def settled(self, count: int, status: str = "SENT") -> None:
        """Waits until so many deliveries have it."""

        async def there() -> bool:
            return len(await self.store.find("deliveries", {"status": status})) == count

        await until(there)


@pytest.fixture
def post(world: World, store: Store) -> Post:
    return Post(world, store)


@pytest.fixture
async def peer() -> AsyncGenerator[Peer]:
    async with mail_server() as peer:
        yield peer


@asynccontextmanager
async def relay_to(
    url: str, store: Store, *, timeout_seconds: float = LONG_SECONDS, **server: Any
) -> AsyncGenerator[Relay]:
    """``server`` is what the URL does not say."""
    mailer = Mailer(replace(MailServer.of(url), **server), mail.sender_of(SENDER), timeout_seconds)
    try:
        yield Relay(store, [mail.channel(store, mailer)], timeout_seconds)
    finally:
        await mailer.close()


@asynccontextmanager
async def running(*relays: Relay) -> AsyncGenerator[None]:
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


async def until(question: Callable[[], Any]) -> None:
    """Until its answer, awaited or not, is true."""
    async with asyncio.timeout(LONG_SECONDS):
        while True:
            answer = question()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Of 127.0.0.1, and signed by nobody else."""

    path: Path

    @property
    def serving(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer.example")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    kept = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("certificate") / "peer.pem"
    path.write_bytes(key.private_bytes(*kept) + signed.public_bytes(serialization.Encoding.PEM))
    return Certificate(path)


@pytest.fixture
def trusted(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    """As if an authority that this machine trusts had signed it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    return certificate
