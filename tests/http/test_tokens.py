"""Tokens: what a good one tells, what each bad one gets, and how often the issuer is asked for its keys."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from time import time
from typing import Any, Final, TypeAlias

import orjson
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st
from jwt.algorithms import Algorithm, ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm

from app.domain.access import Role, Viewer
from app.http import tokens
from app.http.tokens import KeysUnavailable, Unauthenticated, Verifier, issue, verifier
from app.settings import ClaimNames

PrivateKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
Json: TypeAlias = dict[str, Any]

ISSUER, AUDIENCE = "https://login.example", "customer-gateway"
SECRET = "for development only: 32 bytes and more"
RSA, EC, ED = new_rsa(65_537, 2_048), new_ec(SECP256R1()), Ed25519PrivateKey.generate()
STRANGER, SMALL, P384 = new_rsa(65_537, 2_048), new_rsa(65_537, 1_024), new_ec(SECP384R1())
RSA_PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
ADA = "cus_" + "a" * 24

ABSENT: Final = object()
ALGORITHMS: Final[dict[str, Algorithm]] = {
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "RS512": RSAAlgorithm(RSAAlgorithm.SHA512),
    "ES256": ECAlgorithm(ECAlgorithm.SHA256),
    "EdDSA": OKPAlgorithm(),
    "HS256": HMACAlgorithm(HMACAlgorithm.SHA256),
}


def without_absent(members: Json) -> Json:
    return {name: value for name, value in members.items() if value is not ABSENT}


def base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(key: PrivateKey, kid: object, **changes: object) -> Json:
    """The public half, as an issuer publishes it."""
    match key:
        case RSAPrivateKey():
            public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case EllipticCurvePrivateKey():
            public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case _:
            public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return without_absent({**public, "kid": kid, **changes})


def claims(**changes: object) -> Json:
    """Those of a good token, changed."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u-7", "exp": int(time()) + 600, "name": "Grace", "roles": ["ADMIN"]}
    return without_absent({**good, **changes})


def signed(payload: object, *, key: Any = RSA, by: str = "RS256", **header: object) -> str:
    """``header`` may claim something else than what was done."""
    return signed_raw(without_absent({"alg": by, "kid": "rsa", **header}), json.dumps(payload).encode(), key, by)


def signed_raw(header: object, payload: bytes, key: Any = RSA, by: str = "RS256") -> str:
    text = f"{base64(json.dumps(header).encode())}.{base64(payload)}"
    return f"{text}.{base64(ALGORITHMS[by].sign(text.encode(), key))}"


def bearer(token: str) -> str:
    return f"Bearer {token}"


def good(**changes: object) -> str:
    return bearer(signed(claims(**changes)))


def good_but(**header: Any) -> str:
    return bearer(signed(claims(), **header))


def signed_by_hmac(key: bytes) -> str:
    return signed(claims(), key=key, by="HS256")


class Issuer:
    """Publishes keys over HTTP and counts how often it was asked; may answer late, wrongly or not at all."""

    def __init__(self) -> None:
        self.publish(jwk(RSA, "rsa"), jwk(EC, "ec"), jwk(ED, "ed"))
        self.status, self.headers, self.fetches = 200, dict[str, str](), 0
        self.drips, self.may_answer = False, Event()
        self.may_answer.set()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetches += 1
                if not issuer.drips:
                    issuer.may_answer.wait()
                self.send_response(issuer.status)
                for name, value in issuer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                while not issuer.may_answer.wait(0.05):
                    self.wfile.write(b" ")
                self.wfile.write(issuer.body)

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def publish(self, *keys: object) -> None:
        self.body = json.dumps({"keys": keys}).encode()

    def close(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def verifier(self) -> Verifier:
        return verifier(jwks_url=self.url, secret=None, issuer=ISSUER, audience=AUDIENCE)


class Clock:
    """A monotonic clock, by which the age of keys is measured."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def issuer() -> AsyncGenerator[Issuer]:
    """Runs an issuer that publishes its keys."""
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replaces the clock by which the age of keys is measured."""
    clock = Clock()
    monkeypatch.setattr(tokens, "monotonic", clock)
    return clock


def by_secret() -> Verifier:
    return verifier(jwks_url=None, secret=SECRET, issuer=ISSUER, audience=AUDIENCE)


async def reading_of(verifier: Verifier) -> None:
    """Waits for the reading of keys that goes on behind the requests."""
    await verifier._keys._reading  # pyright: ignore # nothing outside needs to wait for it


async def refusal(verifier: Verifier, authorization: str | None) -> str:
    with pytest.raises(Unauthenticated) as refused:
        await verifier.viewer(authorization)
    assert refused.value.code == "UNAUTHENTICATED"
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    return str(refused.value)


# ---------------------------------------------------------------- good ones


@pytest.mark.parametrize(("key", "alg", "kid"), [(RSA, "RS256", "rsa"), (EC, "ES256", "ec"), (ED, "EdDSA", "ed")])
async def test_a_token_of_the_issuer_tells_who_is_asking(issuer: Issuer, key: PrivateKey, alg: str, kid: str) -> None:
    payload = claims(roles=["CUSTOMER", "AFFILIATE"], customerId=ADA, affiliateId="aff-9")
    viewer = await issuer.verifier().viewer(bearer(signed(payload, key=key, by=alg, kid=kid)))
    assert viewer == Viewer(
        subject="u-7",
        name="Grace",
        roles=frozenset({Role.CUSTOMER, Role.AFFILIATE}),
        customer_id=ADA,
        affiliate_id="aff-9",
    )


ACCEPTED: Final[dict[str, Callable[[], str]]] = {
    "the scheme in lower case": lambda: good().replace("Bearer", "bearer"),
    "several audiences": lambda: good(aud=["billing", AUDIENCE]),
    "valid since a moment ago": lambda: good(nbf=time() - 1, iat=time() - 1),
    "issued by a clock that is 5 s ahead": lambda: good(nbf=time() + 5, iat=time() + 5),
    "expired by a clock that is 5 s ahead": lambda: good(exp=time() - 5),
    "for ever": lambda: good(exp=10**300),
    "an access token by type": lambda: bearer(signed(claims(), typ="at+jwt")),
    "a JWT by type": lambda: bearer(signed(claims(), typ="JWT")),
    "a key of its own, which is not read": lambda: bearer(
        signed(claims(), jwk=jwk(STRANGER, "rsa"), jku="http://127.0.0.1:1/", x5u="http://127.0.0.1:1/", x5c=["?"])
    ),
}


@pytest.mark.parametrize("kind", ACCEPTED)
async def test_accepted_is(issuer: Issuer, kind: str) -> None:
    assert (await issuer.verifier().viewer(ACCEPTED[kind]())).roles == {Role.ADMIN}


OWNERSHIP: Final[list[tuple[Json, set[Role], str | None, str | None]]] = [
    ({"roles": ["FINANCE", "sales_rep"]}, {Role.FINANCE, Role.SALES_REP}, None, None),
    ({"roles": ["FINANCE", "Finance", "SUPERUSER", " ADMIN", "", "adm\u0131n"]}, {Role.FINANCE}, None, None),
    ({"roles": ["SUPERUSER"]}, set(), None, None),
    ({"roles": []}, set(), None, None),
    ({"roles": None}, set(), None, None),
    ({"roles": ABSENT}, set(), None, None),
    ({"roles": ["CUSTOMER"]}, set(), None, None),
    ({"roles": ["CUSTOMER"], "customerId": ""}, set(), None, None),
    ({"roles": ["CUSTOMER"], "affiliateId": "aff-9"}, set(), None, None),
    ({"roles": ["AFFILIATE"]}, set(), None, None),
    ({"roles": ["AFFILIATE"], "affiliateId": " "}, set(), None, None),
    ({"roles": ["AFFILIATE", "FINANCE"], "customerId": ADA}, {Role.FINANCE}, None, None),
    ({"roles": ["FINANCE"], "customerId": ADA, "affiliateId": "aff-9"}, {Role.FINANCE}, None, None),
    ({"roles": ["CUSTOMER"], "customerId": ADA, "affiliateId": "aff-9"}, {Role.CUSTOMER}, ADA, None),
]


@pytest.mark.parametrize(("said", "roles", "customer_id", "affiliate_id"), OWNERSHIP)
async def test_only_known_roles_count_and_a_role_needs_what_it_owns(
    said: Json, roles: set[Role], customer_id: str | None, affiliate_id: str | None
) -> None:
    viewer = await by_secret().viewer(bearer(signed(claims(**said), key=SECRET.encode(), by="HS256")))
    assert (viewer.roles, viewer.customer_id, viewer.affiliate_id) == (roles, customer_id, affiliate_id)


@pytest.mark.parametrize("name", [ABSENT, None, "", "  "])
async def test_who_has_no_name_is_called_by_their_subject(issuer: Issuer, name: object) -> None:
    assert (await issuer.verifier().viewer(good(name=name))).name == "u-7"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("System", "u-7"),
        ("  sYSTEM ", "u-7"),
        ("Support", "u-7"),
        ("\uff33ystem", "u-7"),  # a wide S
        ("Ada\r\nSystem: all points were given back", "Ada System: all points were given back"),
        ("Ada\u202elovelace\x00", "Ada lovelace"),
        ("x" * 5_000, "x" * 100),
        ("\n", "u-7"),
    ],
)
async def test_a_name_is_one_line_and_not_one_of_ours(issuer: Issuer, name: str, shown: str) -> None:
    assert (await issuer.verifier().viewer(good(name=name))).name == shown


async def test_a_subject_that_is_called_as_we_are_is_shown_as_a_user(issuer: Issuer) -> None:
    assert (await issuer.verifier().viewer(good(sub="system", name="System"))).name == "system (user)"


@pytest.mark.parametrize("subject", ["x" * 256, "a\nb", "\x00", "\u202eu-7"])
async def test_a_subject_that_is_no_name_of_a_subject_is_refused(issuer: Issuer, subject: str) -> None:
    assert await refusal(issuer.verifier(), good(sub=subject)) == odd("sub")
    assert (await issuer.verifier().viewer(good(sub="x" * 255))).subject == "x" * 255


@pytest.mark.parametrize("url", ["http://login.example/keys", "http://10.0.0.1/keys", "http://127.0.0.1.example/keys"])
def test_keys_come_over_tls_unless_from_this_machine(url: str) -> None:
    with pytest.raises(ValueError, match="JWKS_URL must begin with https://"):
        verifier(jwks_url=url, secret=None, issuer=ISSUER, audience=AUDIENCE)
    for own in (
        "http://127.0.0.1:1/keys",
        "http://localhost/keys",
        "http://[::1]:1/keys",
        url.replace("http:", "https:"),
    ):
        verifier(jwks_url=own, secret=None, issuer=ISSUER, audience=AUDIENCE)


# What these providers put into an access token, and the settings that docs/tokens.md names for each.
PROVIDERS: Final[dict[str, tuple[ClaimNames, Json]]] = {
    "Keycloak": (
        ClaimNames(jwt_roles_claim="realm_access.roles", jwt_customer_id_claim="customer_id"),
        {
            "typ": "Bearer",
            "realm_access": {"roles": ["default-roles-acme", "offline_access", "CUSTOMER", "FINANCE"]},
            "resource_access": {"account": {"roles": ["manage-account"]}},
            "scope": "openid profile",
            "customer_id": ADA,
        },
    ),
    "Keycloak, roles of a client": (
        ClaimNames(jwt_roles_claim="resource_access.customer-gateway.roles", jwt_customer_id_claim="customer_id"),
        {"resource_access": {"customer-gateway": {"roles": ["CUSTOMER", "FINANCE"]}}, "customer_id": ADA},
    ),
    "Auth0": (
        ClaimNames(
            jwt_roles_claim="https://acme.example/roles",
            jwt_name_claim="https://acme.example/name",
            jwt_customer_id_claim="https://acme.example/customerId",
        ),
        {
            "aud": [AUDIENCE, "https://acme.eu.auth0.com/userinfo"],
            "scope": "openid",
            "https://acme.example/roles": ["CUSTOMER", "FINANCE"],
            "https://acme.example/name": "Grace",
            "https://acme.example/customerId": ADA,
            "name": ABSENT,
        },
    ),
    "Microsoft Entra ID": (
        ClaimNames(jwt_customer_id_claim="extn.customerId"),
        {"roles": ["CUSTOMER", "FINANCE"], "extn": {"customerId": ADA}, "ver": "2.0"},
    ),
}


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_claims_of_well_known_providers_are_read_by_the_names_that_are_set(
    issuer: Issuer, provider: str
) -> None:
    names, said = PROVIDERS[provider]
    own = verifier(jwks_url=issuer.url, secret=None, issuer=ISSUER, audience=AUDIENCE, names=names)
    token = signed(claims(**{"roles": ABSENT, **said}))
    assert await own.viewer(bearer(token)) == Viewer("u-7", "Grace", frozenset({Role.CUSTOMER, Role.FINANCE}), ADA)
    wrong = ClaimNames(jwt_roles_claim="nowhere.roles")
    own = verifier(jwks_url=issuer.url, secret=None, issuer=ISSUER, audience=AUDIENCE, names=wrong)
    assert (await own.viewer(bearer(token))).roles == set()


async def test_a_claim_of_another_name_is_refused_by_that_name(issuer: Issuer) -> None:
    names = ClaimNames(jwt_roles_claim="realm_access.roles")
    own = verifier(jwks_url=issuer.url, secret=None, issuer=ISSUER, audience=AUDIENCE, names=names)
    assert await refusal(own, good(realm_access={"roles": "ADMIN"})) == odd("realm_access.roles")
    assert (await own.viewer(good(realm_access=["ADMIN"]))).roles == set()
    assert (await own.viewer(good(**{"realm_access.roles": ["ADMIN"]}))).roles == {Role.ADMIN}  # its very name first


# ---------------------------------------------------------------- bad ones

NO_TOKEN = "Send one bearer token: `Authorization: Bearer …`."
REFUSED = "This token is not accepted here."
EXPIRED = "The token has expired. Get a new one."
NOT_YET = "The token is not valid yet."
OTHER_ISSUER = "The token is from another issuer."
OTHER_AUDIENCE = "The token is for another audience."
LACKS = "The token lacks one of the claims exp, iss, aud and sub."


def odd(claim: str) -> str:
    return f"The token's `{claim}` is not what it should be."


def with_segment(position: int, segment: str) -> str:
    segments = signed(claims()).split(".")
    segments[position] = segment
    return bearer(".".join(segments))


def resigned(**header: Any) -> str:
    """By somebody else's key, with a header that points to it."""
    return bearer(signed(claims(), key=STRANGER, **header))


BAD: Final[dict[str, tuple[Callable[[], str | None], str]]] = {
    # The header
    "absent": (lambda: None, NO_TOKEN),
    "empty": (lambda: "", NO_TOKEN),
    "Basic": (lambda: "Basic YWRhOmFkYQ==", NO_TOKEN),
    "no scheme": (lambda: signed(claims()), NO_TOKEN),
    "no token": (lambda: "Bearer ", NO_TOKEN),
    "two tokens": (lambda: f"{good()} {signed(claims())}", NO_TOKEN),
    "two schemes": (lambda: f"{good()}, {good()}", NO_TOKEN),
    "100 kB": (lambda: good(name="x" * 75_000), NO_TOKEN),
    "just over 8 KiB": (lambda: "Bearer " + "a.b." + "c" * (8 * 1024 - 10), NO_TOKEN),
    "a line break": (lambda: good() + "\n", NO_TOKEN),
    "letters that are not ASCII": (lambda: good() + "é", NO_TOKEN),
    # The form
    "one segment": (lambda: "Bearer abc", NO_TOKEN),
    "two segments": (lambda: "Bearer abc.def", NO_TOKEN),
    "four segments": (lambda: good() + ".abc", NO_TOKEN),
    "five segments, encrypted": (lambda: "Bearer a.b.c.d.e", NO_TOKEN),
    "a header that is not base64": (lambda: with_segment(0, "a"), REFUSED),
    "a header that is not JSON": (lambda: with_segment(0, base64(b"\xff\xfe")), REFUSED),
    "a header that is a list": (lambda: with_segment(0, base64(b"[]")), REFUSED),
    "a header nested 2,000 deep": (lambda: with_segment(0, base64(b"[" * 2_000)), REFUSED),
    "claims that are not JSON": (lambda: bearer(signed_raw({"alg": "RS256", "kid": "rsa"}, b"{")), REFUSED),
    "claims that are a list": (lambda: bearer(signed([])), REFUSED),
    "claims nested 2,000 deep": (lambda: bearer(signed_raw({"alg": "RS256", "kid": "rsa"}, b"[" * 2_000)), REFUSED),
    # The signature
    "other claims under the same signature": (
        lambda: with_segment(1, base64(json.dumps(claims(sub="u-8")).encode())),
        REFUSED,
    ),
    "a signature cut short": (lambda: good()[:-4], REFUSED),
    "a signature of one byte": (lambda: with_segment(2, "AA"), REFUSED),
    "signed by a stranger": (lambda: resigned(), REFUSED),
    "signed by another key of the issuer": (lambda: bearer(signed(claims(), key=EC, by="ES256")), REFUSED),
    "its own key in jwk": (lambda: resigned(jwk=jwk(STRANGER, "rsa")), REFUSED),
    "its own key behind jku": (lambda: resigned(jku="http://127.0.0.1:1/"), REFUSED),
    "its own key behind x5u": (lambda: resigned(x5u="http://127.0.0.1:1/"), REFUSED),
    # The algorithm
    "alg none, unsigned": (lambda: bearer(signed(claims(), alg="none").rpartition(".")[0] + "."), NO_TOKEN),
    "alg none": (lambda: good_but(alg="none"), REFUSED),
    "alg NoNe": (lambda: good_but(alg="NoNe"), REFUSED),
    "alg absent": (lambda: good_but(alg=ABSENT), REFUSED),
    "alg null": (lambda: good_but(alg=None), REFUSED),
    "alg a list": (lambda: good_but(alg=["RS256"]), REFUSED),
    "alg a dict": (lambda: good_but(alg={"RS256": True}), REFUSED),
    "HS256 with the public key, PEM": (lambda: bearer(signed_by_hmac(RSA_PEM)), REFUSED),
    "HS256 with the public key, JWK": (lambda: bearer(signed_by_hmac(json.dumps(jwk(RSA, "rsa")).encode())), REFUSED),
    "HS256 with an empty key": (lambda: bearer(signed_by_hmac(b"")), REFUSED),
    "RS512, which is not ours": (lambda: bearer(signed(claims(), by="RS512")), REFUSED),
    "ES256 for the RSA key": (lambda: good_but(alg="ES256"), REFUSED),
    # The rest of its header
    "kid absent": (lambda: good_but(kid=ABSENT), REFUSED),
    "kid a number": (lambda: good_but(kid=1), REFUSED),
    "kid a list": (lambda: good_but(kid=["rsa"]), REFUSED),
    "kid unknown": (lambda: good_but(kid="../../dev/null"), REFUSED),
    "crit": (lambda: good_but(crit=["exp"]), REFUSED),
    "crit of what the library knows": (lambda: good_but(crit=["b64"], b64=True), REFUSED),
    "b64 false": (lambda: good_but(crit=["b64"], b64=False), REFUSED),
    "typ of an id token's logout": (lambda: good_but(typ="logout+jwt"), REFUSED),
    "typ a dict": (lambda: good_but(typ={}), REFUSED),
    # Claims that every token has
    "iss absent": (lambda: good(iss=ABSENT), LACKS),
    "iss another": (lambda: good(iss="https://login.example/"), OTHER_ISSUER),
    "iss a list": (lambda: good(iss=[ISSUER]), OTHER_ISSUER),
    "aud absent": (lambda: good(aud=ABSENT), LACKS),
    "aud empty": (lambda: good(aud=[]), LACKS),
    "aud another": (lambda: good(aud="billing"), OTHER_AUDIENCE),
    "aud others": (lambda: good(aud=["billing", AUDIENCE + "s"]), OTHER_AUDIENCE),
    "aud a dict": (lambda: good(aud={AUDIENCE: True}), OTHER_AUDIENCE),
    "aud nested": (lambda: good(aud=[[AUDIENCE]]), OTHER_AUDIENCE),
    "exp absent": (lambda: good(exp=ABSENT), LACKS),
    "exp null": (lambda: good(exp=None), LACKS),
    "exp past": (lambda: good(exp=time() - 11), EXPIRED),
    "exp a string": (lambda: good(exp=str(int(time()) + 600)), odd("exp")),
    "exp a word": (lambda: good(exp="tomorrow"), REFUSED),
    "exp true": (lambda: good(exp=True), EXPIRED),
    "exp NaN": (lambda: good(exp=float("nan")), REFUSED),
    "exp infinite": (lambda: good(exp=float("inf")), REFUSED),
    "exp of 5,000 digits": (
        lambda: bearer(signed_raw({"alg": "RS256", "kid": "rsa"}, b'{"exp":' + b"9" * 5_000 + b"}")),
        REFUSED,
    ),
    "exp a dict": (lambda: good(exp={}), REFUSED),
    "nbf ahead": (lambda: good(nbf=time() + 60), NOT_YET),
    "nbf null": (lambda: good(nbf=None), REFUSED),
    "nbf a string": (lambda: good(nbf="0"), odd("nbf")),
    "nbf false": (lambda: good(nbf=False), odd("nbf")),
    "iat ahead": (lambda: good(iat=time() + 3_600), NOT_YET),
    "iat a string": (lambda: good(iat="0"), odd("iat")),
    "iat a list": (lambda: good(iat=[0]), REFUSED),
    "iat -infinite": (lambda: good(iat=float("-inf")), REFUSED),
    "jti a number": (lambda: good(jti=1), REFUSED),
    "sub absent": (lambda: good(sub=ABSENT), LACKS),
    "sub null": (lambda: good(sub=None), LACKS),
    "sub empty": (lambda: good(sub=""), odd("sub")),
    "sub a number": (lambda: good(sub=7), REFUSED),
    "sub half a character": (lambda: good(sub="\ud800"), odd("sub")),
    # Claims of ours
    "name a list": (lambda: good(name=["Grace"]), odd("name")),
    "name a number": (lambda: good(name=0), odd("name")),
    "name half a character": (lambda: good(name="Gr\udcffce"), odd("name")),
    "roles a string": (lambda: good(roles="ADMIN"), odd("roles")),
    "roles an empty string": (lambda: good(roles=""), odd("roles")),
    "roles a number": (lambda: good(roles=0), odd("roles")),
    "roles true": (lambda: good(roles=True), odd("roles")),
    "roles a dict": (lambda: good(roles={"ADMIN": True}), odd("roles")),
    "roles nested": (lambda: good(roles=[["ADMIN"]]), odd("roles")),
    "roles with a null": (lambda: good(roles=["ADMIN", None]), odd("roles")),
    "customerId a number": (lambda: good(roles=["CUSTOMER"], customerId=7), odd("customerId")),
    "customerId a dict": (lambda: good(roles=["CUSTOMER"], customerId={"$ne": None}), odd("customerId")),
    "customerId of something else": (lambda: good(roles=["CUSTOMER"], customerId="act_a"), odd("customerId")),
    "customerId a prefix alone": (lambda: good(roles=["CUSTOMER"], customerId="cus_"), odd("customerId")),
    "act a text": (lambda: good(act="agent-7"), odd("act")),
    "act without a subject": (lambda: good(act={"name": "Grace"}), odd("act")),
    "act with an empty subject": (lambda: good(act={"sub": ""}), odd("act")),
    "act with a subject that is no text": (lambda: good(act={"sub": 7}), odd("act")),
    "act with a name that is no text": (lambda: good(act={"sub": "agent-7", "name": ["Grace"]}), odd("name")),
    "affiliateId a list": (lambda: good(roles=["AFFILIATE"], affiliateId=["aff-9"]), odd("affiliateId")),
    "affiliateId false": (lambda: good(roles=["AFFILIATE"], affiliateId=False), odd("affiliateId")),
}


@pytest.mark.parametrize("kind", BAD)
async def test_refused_is(issuer: Issuer, kind: str) -> None:
    authorization, sentence = BAD[kind]
    assert await refusal(issuer.verifier(), authorization()) == sentence


async def test_a_long_header_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_BEARER", None)
    assert await refusal(by_secret(), "Bearer " + "a" * 100_000) == NO_TOKEN


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FUZZED = by_secret()


async def is_a_viewer_or_refused(authorization: str) -> None:
    """Whoever gets through can be sent as JSON: nothing in them breaks later."""
    try:
        viewer = await FUZZED.viewer(authorization)
    except Unauthenticated:
        return
    orjson.dumps([viewer.subject, viewer.name, sorted(viewer.roles), viewer.customer_id, viewer.affiliate_id])


@given(st.text() | st.text().map(bearer) | st.lists(st.binary().map(base64), max_size=4).map(".".join).map(bearer))
async def test_no_header_does_more_than_be_refused(authorization: str) -> None:
    await is_a_viewer_or_refused(authorization)


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "jku"]), json_values))
@example({"alg": []})
async def test_no_token_header_does_more_than_be_refused(header: Json) -> None:
    await is_a_viewer_or_refused(bearer(signed_raw({"alg": "HS256", **header}, b"{}", SECRET.encode(), "HS256")))


@given(
    st.dictionaries(
        st.sampled_from(
            ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "name", "roles", "customerId", "affiliateId", "act"]
        ),
        json_values | st.sampled_from(["ADMIN", ADA, ["CUSTOMER"], ["AFFILIATE", "ADMIN"]]),
        max_size=4,
    )
)
async def test_no_claims_do_more_than_be_refused(odd_ones: Json) -> None:
    await is_a_viewer_or_refused(bearer(signed(claims(**odd_ones), key=SECRET.encode(), by="HS256")))


# ---------------------------------------------------------------- the issuer's keys


async def test_a_new_key_is_found_without_a_restart_and_the_old_one_ends(issuer: Issuer, clock: Clock) -> None:
    verifier = issuer.verifier()
    old, new = good(), bearer(signed(claims(), key=STRANGER, kid="next"))
    await verifier.viewer(old)
    issuer.publish(jwk(STRANGER, "next"))
    clock.now += 10
    await verifier.viewer(new)
    assert await refusal(verifier, good(sub="u-8")) == REFUSED
    assert issuer.fetches == 2


async def test_a_key_keeps_its_name_and_changes(issuer: Issuer, clock: Clock) -> None:
    verifier = issuer.verifier()
    await verifier.viewer(good())
    issuer.publish(jwk(STRANGER, "rsa"))
    clock.now += 301
    await verifier.viewer(good(sub="u-8"))  # nobody with a known key waits: this one begins the reading
    await reading_of(verifier)
    assert await refusal(verifier, good(sub="u-9")) == REFUSED
    await verifier.viewer(bearer(signed(claims(), key=STRANGER)))
    assert issuer.fetches == 2


async def test_unknown_keys_are_asked_for_once_in_ten_seconds(issuer: Issuer, clock: Clock) -> None:
    verifier = issuer.verifier()
    for kid in range(100):
        clock.now += 0.5
        assert await refusal(verifier, good_but(kid=f"k{kid}")) == REFUSED
    assert issuer.fetches == 5


async def test_a_hundred_at_once_ask_once(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    issuer.may_answer.clear()
    asking = [asyncio.create_task(refusal(verifier, good_but(kid=f"k{kid}"))) for kid in range(100)]
    await asyncio.sleep(0)  # each has gone as far as it can
    issuer.may_answer.set()
    assert await asyncio.gather(*asking) == [REFUSED] * 100
    assert issuer.fetches == 1


async def test_who_goes_away_does_not_take_the_keys_from_who_waits(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    issuer.may_answer.clear()
    first, second = (asyncio.create_task(verifier.viewer(good())) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    issuer.may_answer.set()
    assert (await second).subject == "u-7"
    assert first.cancelled()
    assert issuer.fetches == 1


def answers_with(status: int = 200, body: bytes | None = None, **headers: str) -> Callable[[Issuer], None]:
    def break_(issuer: Issuer) -> None:
        issuer.status, issuer.headers = status, headers
        issuer.body = issuer.body if body is None else body

    return break_


def is_silent(issuer: Issuer) -> None:
    issuer.may_answer.clear()


def drips(issuer: Issuer) -> None:
    issuer.drips = True
    issuer.may_answer.clear()


BROKEN: Final[dict[str, Callable[[Issuer], None]]] = {
    "closed": Issuer.close,
    "silent": is_silent,
    "dripping": drips,
    "failing": answers_with(500),
    "moved": answers_with(302, Location="/keys"),
    "sending HTML": answers_with(body=b"<html>"),
    "sending a list": answers_with(body=b"[]"),
    "sending no keys": answers_with(body=b"{}"),
    "sending null": answers_with(body=b'{"keys": null}'),
    "sending 300 kB": answers_with(body=b'{"keys": [' + b" " * 300_000 + b"]}"),
    "sending a nest": answers_with(body=b"[" * 100_000),
}


def give_up_soon_on(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only on those that never end: a busy machine takes its time for the others."""
    seconds = 1 if BROKEN[kind] in (is_silent, drips) else 30
    monkeypatch.setattr(tokens, "KEYS_TIMEOUT_SECONDS", seconds)


@pytest.mark.parametrize("kind", BROKEN)
async def test_with_no_keys_at_all_nobody_is_blamed_while_the_issuer_is(
    issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    give_up_soon_on(kind, monkeypatch)
    verifier = issuer.verifier()
    BROKEN[kind](issuer)
    for _ in range(3):
        with pytest.raises(KeysUnavailable, match="Tokens cannot be checked just now") as unavailable:
            await verifier.viewer(good())
        assert unavailable.value.code == "UNAVAILABLE"
    assert issuer.fetches == (kind != "closed")
    assert await refusal(verifier, good_but(alg="none")) == REFUSED  # bad whatever the keys are


@pytest.mark.parametrize("kind", BROKEN)
async def test_known_keys_stay_in_use_while_the_issuer_is(
    issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    verifier = issuer.verifier()
    await verifier.viewer(good())
    give_up_soon_on(kind, monkeypatch)
    BROKEN[kind](issuer)
    clock.now += 86_400
    await verifier.viewer(good(sub="u-8"))
    await reading_of(verifier)
    await verifier.viewer(good(sub="u-9"))
    assert await refusal(verifier, good_but(kid="next")) == REFUSED
    assert issuer.fetches == 1 + (kind != "closed")


async def test_an_issuer_that_came_back_is_asked_again(issuer: Issuer, clock: Clock) -> None:
    verifier = issuer.verifier()
    issuer.status = 503
    with pytest.raises(KeysUnavailable):
        await verifier.viewer(good())
    issuer.status = 200
    clock.now += 10
    assert (await verifier.viewer(good())).subject == "u-7"


UNUSABLE: Final[list[object]] = [
    None,
    7,
    "key",
    [],
    {},
    {"kty": "RSA", "kid": "x"},
    {"kty": "RSA", "kid": "x", "n": 1, "e": []},
    {"kty": [], "kid": "x"},
    jwk(RSA, "x", alg={"RS256": True}),
    jwk(RSA, "x", alg="RS512"),
    jwk(RSA, "x", alg="ES256"),
    jwk(RSA, "x", use="enc"),
    jwk(RSA, "x", key_ops=["encrypt"]),
    jwk(RSA, "x", key_ops=5),
    jwk(RSA, ["x"]),
    jwk(RSA, ABSENT),
    jwk(SMALL, "x"),
    jwk(P384, "x"),
    jwk(P384, "x", alg="ES256"),
    without_absent({**RSAAlgorithm.to_jwk(RSA, as_dict=True), "kid": "x", "key_ops": ABSENT}),
    {"kty": "oct", "kid": "x", "k": base64(SECRET.encode())},
]


@pytest.mark.parametrize("unusable", UNUSABLE)
async def test_an_unusable_key_verifies_nothing_and_spoils_no_other(issuer: Issuer, unusable: object) -> None:
    issuer.publish(unusable, jwk(EC, "ec"))
    verifier = issuer.verifier()
    for by, key in {"RS256": RSA, "ES256": P384, "HS256": SECRET.encode()}.items():
        assert await refusal(verifier, bearer(signed(claims(), key=key, by=by, kid="x"))) == REFUSED
    assert await refusal(verifier, bearer(signed(claims(), key=SMALL, kid="x"))) == REFUSED
    await verifier.viewer(bearer(signed(claims(), key=EC, by="ES256", kid="ec")))


async def test_a_key_without_a_name_is_for_tokens_that_name_none(issuer: Issuer) -> None:
    issuer.publish(jwk(RSA, ABSENT))
    verifier = issuer.verifier()
    await verifier.viewer(good_but(kid=ABSENT))
    assert await refusal(verifier, good_but(kid="rsa")) == REFUSED


async def test_one_name_for_keys_of_two_kinds_is_told_apart_by_algorithm(issuer: Issuer) -> None:
    issuer.publish(jwk(RSA, "k"), jwk(EC, "k"))
    verifier = issuer.verifier()
    await verifier.viewer(good_but(kid="k"))
    await verifier.viewer(bearer(signed(claims(), key=EC, by="ES256", kid="k")))


# ---------------------------------------------------------------- memory


class Counted:
    """Keys that count how often they were looked up: once per verification."""

    def __init__(self) -> None:
        self.lookups = 0
        self._keys = tokens._SharedSecret(SECRET)  # pyright: ignore[reportPrivateUsage] # counted, not replaced

    async def find(self, *, kid: str | None, algorithm: object) -> Any:
        self.lookups += 1
        return await self._keys.find(kid=kid, algorithm=algorithm)


@pytest.fixture
def counted() -> Counted:
    """Counts how often keys are looked up."""
    return Counted()


@pytest.fixture
def remembering(counted: Counted) -> Verifier:
    """Gives a verifier that remembers tokens, with keys that count."""
    return Verifier(counted, issuer=ISSUER, audience=AUDIENCE)


def development_token(subject: str = "u-7", *, seconds: float = 600) -> str:
    return issue(
        SECRET,
        roles={Role.ADMIN},
        subject=subject,
        name="Grace",
        issuer=ISSUER,
        audience=AUDIENCE,
        lifetime=timedelta(seconds=seconds),
    )


async def test_a_token_is_verified_once_a_minute(remembering: Verifier, counted: Counted) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as traveller:
        token = bearer(development_token())
        for elapsed, lookups in [(0, 1), (0, 1), (59, 1), (1, 2), (59, 2), (1, 3)]:
            traveller.shift(elapsed)
            assert (await remembering.viewer(token)).subject == "u-7"
            assert counted.lookups == lookups


async def test_an_expired_token_never_passes_though_it_was_remembered(remembering: Verifier, counted: Counted) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as traveller:
        token = bearer(development_token(seconds=30))
        await remembering.viewer(token)
        traveller.shift(30 + 9.9)
        await remembering.viewer(token)
        assert counted.lookups == 1
        traveller.shift(0.1)
        assert await refusal(remembering, token) == EXPIRED


async def test_memory_is_bounded_and_keeps_who_came_last(remembering: Verifier, counted: Counted) -> None:
    first = bearer(development_token("u-first"))
    crowd = [bearer(development_token(f"u-{number}")) for number in range(1_024)]
    await remembering.viewer(first)
    for token in crowd[:-1]:
        await remembering.viewer(token)
    await remembering.viewer(first)
    await remembering.viewer(crowd[-1])  # the one too many: crowd[0] leaves
    assert counted.lookups == 1_025
    await remembering.viewer(first)
    assert counted.lookups == 1_025
    await remembering.viewer(crowd[0])
    assert counted.lookups == 1_026


async def test_a_token_with_one_letter_changed_is_not_the_one_remembered(remembering: Verifier) -> None:
    token = development_token()
    await remembering.viewer(bearer(token))
    changed = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    assert await refusal(remembering, bearer(changed)) == REFUSED


# ---------------------------------------------------------------- the development token


async def test_what_is_issued_is_believed() -> None:
    token = issue(
        SECRET,
        roles=[Role.CUSTOMER],
        subject="ada",
        name="Ada Lovelace",
        customer_id=ADA,
        issuer=ISSUER,
        audience=AUDIENCE,
        lifetime=timedelta(hours=1),
    )
    viewer = await by_secret().viewer(bearer(token))
    assert viewer == Viewer("ada", "Ada Lovelace", frozenset({Role.CUSTOMER}), customer_id=ADA)


async def test_a_secret_verifies_nothing_but_its_own() -> None:
    assert await refusal(by_secret(), good()) == REFUSED
    other = signed(claims(), key=SECRET.encode() + b"!", by="HS256")
    assert await refusal(by_secret(), bearer(other)) == REFUSED


@pytest.mark.parametrize(
    "secret", ["", "31 bytes are too few for HS256.", RSA_PEM.decode()], ids=["empty", "31 bytes", "public key"]
)
def test_a_secret_that_is_short_or_a_public_key_stops_the_start(secret: str) -> None:
    with pytest.raises(ValueError, match="JWT_SECRET must be 32 bytes or more"):
        verifier(jwks_url=None, secret=secret, issuer=ISSUER, audience=AUDIENCE)


@pytest.mark.parametrize(("jwks_url", "secret"), [(None, None), ("https://login.example/keys", SECRET)])
def test_keys_come_from_one_place(jwks_url: str | None, secret: str | None) -> None:
    with pytest.raises(ValueError, match="Either JWKS_URL or JWT_SECRET"):
        verifier(jwks_url=jwks_url, secret=secret, issuer=ISSUER, audience=AUDIENCE)


@pytest.mark.parametrize(("issuer", "audience"), [("", AUDIENCE), (ISSUER, "")])
def test_issuer_and_audience_are_never_left_open(issuer: str, audience: str) -> None:
    with pytest.raises(ValueError, match="JWT_ISSUER and JWT_AUDIENCE"):
        verifier(jwks_url=None, secret=SECRET, issuer=issuer, audience=audience)


@pytest.mark.parametrize("url", ["file:///etc/keys.json", "login.example/keys", "ftp://login.example/keys", ""])
def test_keys_come_over_http(url: str) -> None:
    with pytest.raises(ValueError, match="JWKS_URL must begin with"):
        verifier(jwks_url=url, secret=None, issuer=ISSUER, audience=AUDIENCE)
