"""Declares what the rooms below ask of the environment: claims, limits and rates. ``environment.py`` reads it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Self, TypeVar

from pydantic import AfterValidator, BaseModel, Field, NonNegativeInt, PositiveInt

from app.domain.access import STAFF, Role

MOST: Final = 10**12
"""The largest number that a setting may be: a larger one does not fit into the database, or into a clock."""

T = TypeVar("T")


def _roles(names: str) -> str:
    """Returns the names unchanged. Raises ValueError for an unknown role."""
    if strangers := set(names.split()) - {role.value for role in Role}:
        raise ValueError(f"no role is called {' or '.join(sorted(strangers))}")
    return names


@dataclass(frozen=True, slots=True)
class PerMinute:
    """It limits what one subject may have in a minute: one number for all, and others for some roles."""

    default: int
    by_role: Mapping[Role, int]

    @classmethod
    def read(cls, text: str | int) -> "PerMinute":
        """Reads `600000 API_USER=6000000`. Raises ValueError."""
        return cls(*_by_role(str(text), _number, "number"))

    def of(self, roles: Collection[Role]) -> int:
        """Returns the most that any of the roles may have."""
        return max((self.by_role.get(role, self.default) for role in roles), default=self.default)


def _number(digits: str) -> int:
    """Raises ValueError for anything but a whole number above zero."""
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits) <= MOST):
        raise ValueError(f"{digits} does not say how much")
    return int(digits)


def _by_role(text: str, read: Callable[[str], T], noun: str) -> tuple[T, Mapping[Role, T]]:
    """Returns the value for all roles, and those of some roles: `600000 API_USER=6000000`. Raises ValueError."""
    values: dict[str, T] = {}
    for word in text.split():
        name, _, value = word.rpartition("=")
        if name and name not in {role.value for role in Role}:
            raise ValueError(f"no role is called {name}")
        if name in values:
            raise ValueError(f"{name or f'the {noun} for all roles'} is there twice")
        values[name] = read(value)
    if "" not in values:
        raise ValueError(f"the {noun} for all other roles is missing")
    return values.pop(""), {Role(name): value for name, value in values.items()}


def _per_minute(text: str | int) -> str | int:
    PerMinute.read(text)
    return text


class TrustMode(StrEnum):
    """It says what names the document of a request: OFF: its text; ONLY: the id of a trusted one; ALLOW: either."""

    OFF = "OFF"
    ALLOW = "ALLOW"
    ONLY = "ONLY"


@dataclass(frozen=True, slots=True)
class TrustByRole:
    """It says who may send texts and who may send ids: one mode for all, and others for some roles.

    What one role may, another role of the same token does not take away.
    """

    default: TrustMode
    by_role: Mapping[Role, TrustMode]

    @classmethod
    def read(cls, text: str) -> Self:
        """Reads `ALLOW API_USER=ONLY`. Raises ValueError."""
        return cls(*_by_role(text, _mode, "mode"))

    @property
    def refuses_texts(self) -> bool:
        """Returns whether there is a role that may not send texts."""
        return TrustMode.ONLY in (self.default, *self.by_role.values())

    def takes_texts(self, roles: Collection[Role]) -> bool:
        return any(self.by_role.get(role, self.default) != TrustMode.ONLY for role in roles)

    def takes_ids(self, roles: Collection[Role]) -> bool:
        return any(self.by_role.get(role, self.default) != TrustMode.OFF for role in roles)


def _mode(word: str) -> TrustMode:
    if word not in {mode.value for mode in TrustMode}:
        raise ValueError(f"{word} is not one of {', '.join(TrustMode)}")
    return TrustMode(word)


def _trust(text: str) -> str:
    TrustByRole.read(text)
    return text


_ClaimName = Annotated[str, Field(min_length=1, max_length=200)]


class ClaimNames(BaseModel, frozen=True):
    """The claim names say where a token says whom it is for: a claim's own name, dots and all, or a path into objects.

    docs/tokens.md has the meaning of each.
    """

    jwt_roles_claim: _ClaimName = Field(
        default="roles", description="The claim with the roles, or a path to it: `realm_access.roles`."
    )
    jwt_name_claim: _ClaimName = Field(default="name", description="The claim with the name that colleagues read.")
    jwt_customer_id_claim: _ClaimName = Field(default="customerId", description="The claim with a customer's id.")
    jwt_affiliate_id_claim: _ClaimName = Field(default="affiliateId", description="The claim with an affiliate's id.")


class Limits(BaseModel, frozen=True):
    """The limits say how much one request may ask for. What each figure protects: docs/decisions/0012."""

    max_head_bytes: PositiveInt = Field(
        default=16_384, description="The longest request line with its headers, in bytes; a query by GET is in it."
    )
    max_body_bytes: PositiveInt = Field(default=1_048_576, description="The longest request, in bytes.")
    max_document_characters: PositiveInt = Field(
        default=50_000, description="The longest GraphQL document; variables apart."
    )
    max_tokens: PositiveInt = Field(default=2_000, description="The most tokens in a document.")
    max_depth: PositiveInt = Field(default=12, description="How deep fields may nest.")
    max_introspection_depth: PositiveInt = Field(
        default=15, description="How deep they may nest in `__schema` and `__type`."
    )
    max_aliases: NonNegativeInt = Field(default=30, description="The most aliases in a document.")
    max_name_characters: PositiveInt = Field(default=100, description="The longest alias.")
    max_root_fields: PositiveInt = Field(default=10, description="The most fields at the top of a query.")
    max_mutations: PositiveInt = Field(default=5, description="The most changes in one request.")
    max_directives: NonNegativeInt = Field(default=50, description="The most directives in a document.")
    max_comparisons: PositiveInt = Field(
        default=20_000, description="The most work spent on finding out whether fields of one name can be merged."
    )
    max_variable_values: PositiveInt = Field(
        default=2_000, description="The most values in a request's variables, at any depth."
    )
    max_cost: PositiveInt = Field(
        default=20_000, description="The most that one operation may cost; the formula is below."
    )
    max_errors: PositiveInt = Field(
        default=10, description="The most faults of a document, or of its variables, told at once."
    )
    max_failed_fields: PositiveInt = Field(
        default=1_000, description="How many fields of an answer may fail before all of it does."
    )
    max_fields: PositiveInt = Field(
        default=2_500, description="The most fields in a document, those of fragments counted wherever they are spread."
    )
    cached_bytes: NonNegativeInt = Field(
        default=33_554_432, description="How much memory checked documents may take, kept for the next time."
    )
    cost_per_minute: Annotated[str | int, AfterValidator(_per_minute)] = Field(
        default="600000 API_USER=6000000",
        description="The most that one subject's requests may cost in a minute; other numbers for some roles.",
    )
    changes_per_minute: Annotated[str | int, AfterValidator(_per_minute)] = Field(
        default="120 API_USER=3000",
        description="The most changes that one subject may ask for in a minute; other numbers for some roles.",
    )
    trusted_documents: Annotated[str, AfterValidator(_trust)] = Field(
        default="ALLOW",
        description="Whether requests may name a trusted document instead of sending its text: OFF, ALLOW, or ONLY "
        "those; other modes for some roles.",
    )
    max_at_once: PositiveInt = Field(default=16, description="The most requests that a process works on at once.")
    max_waiting: NonNegativeInt = Field(
        default=256, description="How many more may wait for that; whoever comes then is told OVERLOADED."
    )
    max_waiting_seconds: Annotated[float, Field(gt=0, le=60)] = Field(default=1, description="How long they may wait.")
    max_subscriptions: NonNegativeInt = Field(default=1_000, description="The most streams of events in a process.")
    max_subscriptions_of_subject: PositiveInt = Field(
        default=10, description="The most of them that one subject may have in a process."
    )
    max_subscription_seconds: PositiveInt = Field(
        default=3_600, description="How long one lasts at most; it ends earlier with its token."
    )
    introspection_roles: Annotated[str, AfterValidator(_roles)] = Field(
        default=" ".join(role for role in Role if role in STAFF),
        description="Who may read the schema and is helped with suggestions; others must know it.",
    )
