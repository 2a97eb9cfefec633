"""Says which systems do what they are asked, and what can be asked of them. Pure; services/executors.py reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from app.catalogue.external_requests import LINK_ATTRIBUTES, REQUEST_KINDS, RequestGroup, RequestKind
from app.catalogue.model import CatalogueAttribute
from app.domain.access import Permission
from app.domain.signatures import BadSignature, verify

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def usable_url(url: str) -> str:
    """Returns the address. Raises ValueError unless it is https, or http to this machine itself."""
    if not url.isprintable() or " " in url:
        raise ValueError("an address has neither blanks nor control characters")
    parts = urlsplit(url)
    if parts.username or parts.password or parts.fragment or not parts.hostname:
        raise ValueError("an address has a host, and neither a password nor a fragment")
    _ = parts.port  # which is read only when it is asked for
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return url
    if parts.scheme != "https":
        raise ValueError("https:// is needed")
    return url


def host_of(url: str) -> str:
    """Returns the host of a usable address."""
    return urlsplit(url).hostname or ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint is a system that does what it is asked. All ``secrets`` are good: two while one replaces the other.

    ``private``: it may be on this machine or in a private network.
    """

    name: str
    url: str
    secrets: Sequence[bytes] = field(repr=False)
    kinds: frozenset[str]
    private: bool = False


@dataclass(frozen=True, slots=True)
class Executors:
    """Executors are the systems that are asked, and what can be asked of them. Without a file, people do it all."""

    kinds: Mapping[str, RequestKind] = field(default_factory=lambda: REQUEST_KINDS)
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict[str, Endpoint])
    """By name."""

    def endpoint_of(self, kind: str) -> Endpoint | None:
        """Returns the endpoint of a kind; None if a person does it."""
        return next((each for each in self.endpoints.values() if kind in each.kinds), None)

    def kind(self, code: str) -> RequestKind:
        """Returns the row of a kind; for one that the file has lost since, a row with no more than its name."""
        title = code.replace("_", " ").capitalize()
        lost = RequestKind(code, title, "", RequestGroup.OTHER, Permission.REQUEST_OTHER, ())
        return self.kinds.get(code, lost)

    def signer_of(self, headers: Mapping[str, str], body: bytes, *, now: float) -> tuple[Endpoint, str]:
        """Returns the endpoint that has signed a message, and the message's id. Raises BadSignature."""
        fault = BadSignature("No endpoint is connected.")
        for endpoint in self.endpoints.values():
            try:
                return endpoint, verify(endpoint.secrets, headers, body, now=now)
            except BadSignature as refused:
                fault = refused
        raise fault


def outcome_attributes(kind: RequestKind) -> tuple[CatalogueAttribute, ...]:
    """Returns what an answer may bring."""
    return kind.outcome_attributes + (LINK_ATTRIBUTES if kind.gives_link else ())
