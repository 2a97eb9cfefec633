"""Verifies bearer tokens by keys and algorithms that we choose and the token never does (RFC 8725).

Every refusal is a sentence of ours: nothing of the token and nothing of the library's words leaves this module.
"""

import asyncio
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_address
from time import monotonic, time
from typing import Any, Final, Protocol, cast
from unicodedata import normalize
from urllib.parse import urlsplit
from urllib.request import HTTPErrorProcessor, build_opener

import jwt
import structlog
from jwt import PyJWK, PyJWTError

from app.domain.access import Delegate, Role, Viewer
from app.domain.ids import check_id
from app.domain.refusals import BadUserInput, Refusal
from app.settings import ClaimNames

HEADER_MAX_BYTES: Final = 8 * 1024
LEEWAY_SECONDS: Final = 10
"""How far two synchronised clocks may differ; a token outlives its ``exp`` by this much."""

SUBJECT_MAX_CHARACTERS: Final = 255
"""OpenID Connect Core 1.0, section 2."""
NAME_MAX_CHARACTERS: Final = 100
_OUR_NAMES: Final = ("system", "support")
"""What a timeline calls those who are no person, and to customers every agent."""

REMEMBERED_TOKENS: Final = 1_024
REMEMBERED_SECONDS: Final = 60
"""How long a verified token is taken at its word: a key that its issuer withdrew lives on for as long as this."""

KEYS_LIFETIME_SECONDS: Final = 300
KEYS_TIMEOUT_SECONDS: Final = 3
KEYS_PAUSE_SECONDS: Final = 10
"""The issuer is asked at most once in this time, whatever tokens name and whether it answered or not.

Longer than the timeout, so that one reading is over before the next begins.
"""

KEYS_MAX_BYTES: Final = 256 * 1024

_SHARED_ALGORITHM: Final = "HS256"
_PUBLISHED_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
_TYPES: Final = ("jwt", "at+jwt")
_BEARER: Final = re.compile(r"bearer +([\w-]+\.[\w-]+\.[\w-]+)", re.ASCII | re.IGNORECASE)
_ROLES: Final = {spelling: role for role in Role for spelling in (role.value, role.value.lower())}
_CLAIM_NAMES: Final = ClaimNames()
_JWT: Final = jwt.PyJWT({"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True})

_log = structlog.get_logger("gateway")


class Unauthenticated(Refusal):
    """Raised if there is no token, or none that can be believed; the client sees 401 and UNAUTHENTICATED."""

    code = "UNAUTHENTICATED"


class KeysUnavailable(Refusal):
    """Raised if the issuer's keys were never read: the token may be good, and nobody can tell.

    The client sees 503 and UNAVAILABLE.
    """

    code = "UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("Tokens cannot be checked just now. Try again in a moment.")


_NO_TOKEN: Final = "Send one bearer token: `Authorization: Bearer …`."  # noqa: S105 # a sentence
_REFUSED: Final = "This token is not accepted here."
_SENTENCES: Final[dict[type[PyJWTError], str]] = {
    # These are found out after the signature was: only who holds a token of the issuer's reads them.
    jwt.ExpiredSignatureError: "The token has expired. Get a new one.",
    jwt.ImmatureSignatureError: "The token is not valid yet.",
    jwt.InvalidIssuerError: "The token is from another issuer.",
    jwt.InvalidAudienceError: "The token is for another audience.",
    jwt.MissingRequiredClaimError: "The token lacks one of the claims exp, iss, aud and sub.",
}


def verifier(
    *, jwks_url: str | None, secret: str | None, issuer: str, audience: str, names: ClaimNames = _CLAIM_NAMES
) -> "Verifier":
    """Returns a verifier by the issuer's published keys, or by a shared secret (development). Raises ValueError."""
    if not (issuer and audience):
        raise ValueError("JWT_ISSUER and JWT_AUDIENCE must be set.")
    match jwks_url, secret:
        case str(), None:
            return Verifier(_PublishedKeys(jwks_url), issuer=issuer, audience=audience, names=names)
        case None, str():
            return Verifier(_SharedSecret(secret), issuer=issuer, audience=audience, names=names)
        case _:
            raise ValueError("Either JWKS_URL or JWT_SECRET must be set, and not both.")


def issue(
    secret: str,
    *,
    roles: Collection[Role],
    subject: str,
    name: str,
    customer_id: str | None = None,
    affiliate_id: str | None = None,
    delegate: Delegate | None = None,
    issuer: str,
    audience: str,
    lifetime: timedelta,
    names: ClaimNames = _CLAIM_NAMES,
) -> str:
    """Returns a development token. Raises ValueError for a secret that cannot be used."""
    now = int(time())
    claims = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "iat": now,
        "exp": now + int(lifetime.total_seconds()),
        names.jwt_name_claim: name,
        names.jwt_roles_claim: sorted(roles),
        names.jwt_customer_id_claim: customer_id,
        names.jwt_affiliate_id_claim: affiliate_id,
        "act": delegate and {"sub": delegate.subject, names.jwt_name_claim: delegate.name},
    }
    return _JWT.encode({claim: value for claim, value in claims.items() if value is not None}, _secret_key(secret))


# ---------------------------------------------------------------- the token


@dataclass(frozen=True, slots=True)
class _Verified:
    viewer: Viewer
    until: float


class Verifier:
    """A verifier turns an Authorization header into a viewer, and remembers whom it verified lately."""

    def __init__(self, keys: "_Keys", *, issuer: str, audience: str, names: ClaimNames = _CLAIM_NAMES) -> None:
        self._keys = keys
        self._names = names
        self._issuer = issuer
        self._audience = audience
        self._verified: dict[bytes, _Verified] = {}

    async def viewer(self, authorization: str | None) -> Viewer:
        """Returns the viewer. Raises Unauthenticated, or KeysUnavailable."""
        if not authorization or len(authorization) > HEADER_MAX_BYTES:  # long ones are refused unread
            raise Unauthenticated(_NO_TOKEN)
        digest = sha256(authorization.encode()).digest()  # so that memory holds nothing to steal
        verified = self._verified.pop(digest, None)
        if verified is None or verified.until <= time():
            verified = await self._verify(_bearer(authorization))
        self._verified[digest] = verified  # at the end again: the first is the one longest unused
        if len(self._verified) > REMEMBERED_TOKENS:
            del self._verified[next(iter(self._verified))]
        return verified.viewer

    async def _verify(self, token: str) -> _Verified:
        try:
            claims = await self._claims(token)
        except PyJWTError as error:
            raise Unauthenticated(_SENTENCES.get(type(error), _REFUSED)) from None
        viewer = _viewer(claims, self._names)
        return _Verified(viewer, min(int(claims["exp"]) + LEEWAY_SECONDS, time() + REMEMBERED_SECONDS))

    async def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token.partition(".")[0] + "..")  # the rest costs more, and is not needed yet
        # A header that must be understood (crit) changes what a token means; one that brings a key is never read.
        if "crit" in header or str(header.get("typ", "JWT")).lower() not in _TYPES:
            raise Unauthenticated(_REFUSED)
        key = await self._keys.find(kid=header.get("kid"), algorithm=header.get("alg"))
        if key is None:
            raise Unauthenticated(_REFUSED)
        return _JWT.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_SECONDS,
        )


def _bearer(authorization: str) -> str:
    if bearer := _BEARER.fullmatch(authorization):
        return bearer[1]
    raise Unauthenticated(_NO_TOKEN)


def _viewer(claims: dict[str, Any], names: ClaimNames) -> Viewer:
    """Returns the viewer. Null and blank are absent; roles that are unknown, or lack their id, are left out."""
    for claim in ("exp", "nbf", "iat"):
        if type(claims.get(claim, 0)) not in (int, float):  # the library takes "1" and true for numbers
            raise _odd(claim)
    subject = _text(claims, "sub")
    if subject is None or len(subject) > SUBJECT_MAX_CHARACTERS or not subject.isprintable():
        raise _odd("sub")
    customer_id = _text(claims, names.jwt_customer_id_claim)
    try:
        if customer_id:
            check_id(customer_id, expected="customers")
    except BadUserInput:
        raise _odd(names.jwt_customer_id_claim) from None
    owned = {Role.CUSTOMER: customer_id, Role.AFFILIATE: _text(claims, names.jwt_affiliate_id_claim)}
    known = [_ROLES[role] for role in _texts(claims, names.jwt_roles_claim) if role in _ROLES]
    roles = frozenset(role for role in known if owned.get(role, True))
    return Viewer(
        subject=subject,
        name=_shown_name(_text(claims, names.jwt_name_claim) or "", subject),
        roles=roles,
        customer_id=customer_id if Role.CUSTOMER in roles else None,
        affiliate_id=owned[Role.AFFILIATE] if Role.AFFILIATE in roles else None,
        delegate=_delegate(claims, names),
        expires_at=float(claims["exp"]),
    )


def _delegate(claims: dict[str, Any], names: ClaimNames) -> Delegate | None:
    """Returns who acts now, by the outermost ``act``: what is nested in it acted before them (RFC 8693, 4.1)."""
    match claims.get("act"):
        case None:
            return None
        case {"sub": str(subject), **rest} if 0 < len(subject) <= SUBJECT_MAX_CHARACTERS and subject.isprintable():
            return Delegate(
                subject, _shown_name(_text(cast(dict[str, Any], rest), names.jwt_name_claim) or "", subject)
            )
        case _:
            raise _odd("act")


def _shown_name(name: str, subject: str) -> str:
    """Returns one line of at most 100 characters, which cannot be taken for this gateway's own words."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    shown = next(
        (each for each in (line, subject) if each and normalize("NFKC", each).casefold() not in _OUR_NAMES), ""
    )
    return (shown or f"{subject} (user)")[:NAME_MAX_CHARACTERS]


def _claim(claims: dict[str, Any], name: str) -> object:
    """Returns the claim by its own name, which may have dots (a URL does), or else by a path into objects."""
    if name in claims:
        return claims[name]
    found: object = claims
    for key in name.split("."):
        if not isinstance(found, dict):
            return None
        found = cast(dict[str, object], found).get(key)
    return found


def _text(claims: dict[str, Any], name: str) -> str | None:
    match _claim(claims, name):
        case None:
            return None
        case str(text) if not re.search("[\ud800-\udfff]", text):  # half a character cannot be stored or sent
            return text if text.strip() else None
        case _:
            raise _odd(name)


def _texts(claims: dict[str, Any], name: str) -> list[str]:
    match cast(Any, _claim(claims, name)):
        case None:
            return []
        case [*texts] if all(isinstance(text, str) for text in texts):
            return texts
        case _:
            raise _odd(name)


def _odd(claim: str) -> Unauthenticated:
    return Unauthenticated(f"The token's `{claim}` is not what it should be.")


# ---------------------------------------------------------------- the keys


class _Keys(Protocol):
    async def find(self, *, kid: str | None, algorithm: object) -> PyJWK | None:
        """Returns our key that the token means, if any; it verifies one algorithm only. Raises KeysUnavailable."""
        ...


class _SharedSecret:
    def __init__(self, secret: str) -> None:
        self._key = _secret_key(secret)

    async def find(self, *, kid: str | None, algorithm: object) -> PyJWK | None:
        return self._key


def _secret_key(secret: str) -> PyJWK:
    try:
        key = PyJWK({"kty": "oct", "k": urlsafe_b64encode(secret.encode()).decode()}, _SHARED_ALGORITHM)
        _JWT.encode({}, key)
    except PyJWTError:
        raise ValueError("JWT_SECRET must be 32 bytes or more, and not a key of another kind.") from None
    return key


class _PublishedKeys:
    """The issuer's keys are read again now and then, and when a token names one that is not known.

    Only a token with an unknown key waits for the issuer. Keys stay in use for as long as it does not answer.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValueError("JWKS_URL must begin with https://.")
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            # Somebody who can change an answer on its way would choose our keys.
            raise ValueError("JWKS_URL must begin with https://: http:// is for this machine's own addresses only.")
        self._url = url
        self._keys: dict[tuple[str | None, str], PyJWK] | None = None
        self._read_at = self._asked_at = 0.0
        self._reading: asyncio.Task[None] | None = None

    async def find(self, *, kid: str | None, algorithm: object) -> PyJWK | None:
        if algorithm not in _PUBLISHED_ALGORITHMS:
            return None
        wanted = kid, cast(str, algorithm)
        if self._keys is None or wanted not in self._keys:
            await asyncio.shield(self._refresh())  # shared: who goes away must not take it from the others
        elif monotonic() - self._read_at > KEYS_LIFETIME_SECONDS:
            self._refresh()
        if self._keys is None:
            raise KeysUnavailable
        return self._keys.get(wanted)

    def _refresh(self) -> asyncio.Task[None]:
        """Returns the latest reading: a new one, if enough time has passed."""
        now = monotonic()
        if self._reading is None or now - self._asked_at >= KEYS_PAUSE_SECONDS:
            self._asked_at = now
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(KEYS_TIMEOUT_SECONDS):
                self._keys = _usable(await asyncio.to_thread(_fetch, self._url))
        except Exception as error:  # whatever the issuer's server does, what was read before stays
            _log.warning("signing keys could not be read", fault=type(error).__name__)
        else:
            self._read_at = monotonic()
            _log.info("signing keys read", keys=len(self._keys))


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


class _AsAnswered(HTTPErrorProcessor):
    """Follows no redirect: one from https to http would let the network choose our keys."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response

    https_response = http_response


def _fetch(url: str) -> bytes:
    with build_opener(_AsAnswered).open(url, timeout=KEYS_TIMEOUT_SECONDS) as response:
        if response.status != 200:
            raise ValueError
        return response.read(KEYS_MAX_BYTES)  # what is cut off here is no JSON any more


def _usable(jwks: bytes) -> dict[tuple[str | None, str], PyJWK]:
    """Returns keys by kid and algorithm: the token names both, and gets a key only where we have the pair."""
    keys = [key for jwk in json.loads(jwks)["keys"] if (key := _key(jwk))]
    return {(key.key_id, key.algorithm_name): key for key in keys}


def _key(jwk: dict[str, Any]) -> PyJWK | None:
    """Returns the key, if it is for signatures and not a private one that was published."""
    try:
        for_signatures = jwk.get("use", "sig") == "sig" and "verify" in jwk.get("key_ops", ["verify"])
        named = isinstance(jwk.get("kid"), str | None)
        return PyJWK(jwk) if for_signatures and named and "d" not in jwk else None
    except (PyJWTError, TypeError, AttributeError):  # an odd one does not spoil the others
        return None
