"""Finds what keeps `serve` from starting or from answering: `serve` refuses with it, `doctor` lists it."""

import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Final, NamedTuple

from app.environment import EXAMPLES, Settings, SettingsError, with_pairs
from app.http.tokens import verifier
from app.services.clock import clock_difference
from app.store import indexes
from app.store.driver import Store, StoreError, plain_words
from app.store.rights import missing_rights

NO_TOKENS: Final = """\
Nobody could be let in: set JWT_ISSUER, and either JWKS_URL or (for development) JWT_SECRET. For example:
  JWT_ISSUER=https://login.example.com/  JWKS_URL=https://login.example.com/.well-known/jwks.json"""
NO_DATABASE: Final = "MONGODB_URI is not set. `serve` runs no database of its own; `demo` does."


class Finding(NamedTuple):
    """A finding's ``fault`` is a sentence that names the way out; None if all is well, as ``state`` says."""

    subject: str
    state: str
    fault: str | None = None


def findings_of(settings: Settings) -> Iterator[Finding]:
    """Yields what can be judged without asking anybody."""
    yield Finding(
        "tokens", "checked by " + ("JWKS_URL" if settings.jwks_url else "JWT_SECRET"), _tokens_fault(settings)
    )
    yield Finding("address", f"{settings.host}:{settings.port}", address_fault(settings))
    yield Finding("MongoDB", "MONGODB_URI is set", None if settings.mongodb_uri else NO_DATABASE)
    mail = "on" if settings.smtp_url else "off: set SMTP_URL and MAIL_FROM; until then mails wait"
    signing_in = "by OIDC_AUTHORITY" if settings.oidc_authority else "off: set OIDC_AUTHORITY and OIDC_CLIENT_ID"
    wallet = "on" if settings.wallet_push_url else "off: set WALLET_PUSH_URL and WALLET_PUSH_SECRET; passes still list"
    try:
        with_pairs(settings)
    except SettingsError as half:
        yield Finding("what goes together", "", str(half))
    else:
        yield Finding("mail", mail)
        yield Finding("wallet", wallet)
        yield Finding("signing in", signing_in)


async def finding_of_database(opening: AbstractAsyncContextManager[Store]) -> Finding:
    """Returns what the database says, or that it says nothing."""
    try:
        async with opening as store:
            differences, missing = await indexes.differences(store), await missing_rights(store)
            clocks = await clock_difference(store)
    except StoreError as unusable:
        return Finding("database", "", f"MongoDB: {plain_words(unusable)}")
    if missing:
        listed = "".join(f"\n  - {each}" for each in missing)
        return Finding(
            "database", "", f"The user of MONGODB_URI lacks rights; the role readWrite has them all:{listed}"
        )
    if differences:
        listed = "".join(f"\n  - {difference}" for difference in differences)
        return Finding(
            "database", "", f"It differs from what this version declares; `indexes --apply` mends that:{listed}"
        )
    if clocks:
        return Finding("database", "", clocks)
    return Finding("database", "as declared")


def address_fault(settings: Settings) -> str | None:
    """Returns why HOST cannot be listened on, if it cannot; a port that is taken is another matter."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((settings.host, 0))
    except (OSError, UnicodeError):
        return f"HOST={settings.host} is no address of this machine. Example: HOST=127.0.0.1, or HOST=0.0.0.0 for all."
    return None


def _tokens_fault(settings: Settings) -> str | None:
    if settings.jwt_issuer is None or (settings.jwks_url is None) == (settings.jwt_secret is None):
        return NO_TOKENS
    if settings.jwt_secret and settings.jwt_secret.get_secret_value() == EXAMPLES["JWT_SECRET"]:
        return "JWT_SECRET is the example of the documentation, which everybody knows. Make one: openssl rand -hex 32"
    try:
        verifier(
            jwks_url=settings.jwks_url,
            secret=settings.jwt_secret.get_secret_value() if settings.jwt_secret else None,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            names=settings,
        )
    except ValueError as unusable:
        return str(unusable)
    return None
