"""Relays as a test drives them: one look at what is due at a time, or running."""

import ipaddress
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.store.driver import Store
from tests.support.relays import Certificate, Post
from tests.support.smtp_server import Peer, mail_server
from tests.support.world import World


@pytest.fixture
def post(world: World, store: Store) -> Post:
    """Queues deliveries, and looks at them."""
    return Post(world, store)


@pytest.fixture
async def peer() -> AsyncGenerator[Peer]:
    """Runs a mail server that behaves as a test wants."""
    async with mail_server() as peer:
        yield peer


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Makes a certificate of 127.0.0.1 that nobody else has signed."""
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
    """Trusts the certificate, as if an authority that this machine trusts had signed it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    return certificate
