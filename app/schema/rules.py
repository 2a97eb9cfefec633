"""Declares who may read what. Each type has its own rules in ``access``: one for all fields, or fields by rule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from app.catalogue import ATTRIBUTE_NAMES, PERSONAL
from app.domain.access import PEOPLE, PERMITTED, STAFF, Masked, Permission, Role
from app.domain.customer_fields import readable, readable_changes
from app.domain.vocabulary import ActorKind

Document: TypeAlias = dict[str, Any]
Redact: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule shows the stored value to ``readers``, ``redact`` of it to ``redacted_for``, and FORBIDDEN to others."""

    label: str
    readers: frozenset[Role]
    redacted_for: frozenset[Role] = frozenset()
    redact: Redact = lambda _: None
    redacted_label: str = "null"
    redacted_sentence: str = ""

    def for_(self, roles: frozenset[Role]) -> Redact | None:
        """Returns what these roles get of a value; None leaves it alone."""
        if roles & self.readers:
            return None
        return self.redact if roles & self.redacted_for else _forbidden

    def hides_from(self, roles: frozenset[Role]) -> bool:
        """Returns whether these roles get nothing of a value."""
        return not (roles & self.readers or (roles & self.redacted_for and self.redacted_label != "null"))

    @property
    def sentence(self) -> str:
        """Returns what a description says of the roles that do not get the value as it is stored; "" if all do."""
        nobody = [role for role in Role if self.hides_from(frozenset({role}))]
        redacted = [role for role in Role if role in self.redacted_for and role not in nobody]
        parts = [f"Null for {_listed(nobody)}."] if nobody else []
        if len(nobody) > len(Role) // 2:
            parts = [f"Only for {_listed(sorted(self.readers | {*redacted}, key=[*Role].index))}; null for others."]
        return " ".join([*parts, *([f"{self.redacted_sentence} for {_listed(redacted)}."] if redacted else [])])

    def verdict(self, role: Role) -> str:
        if role in self.readers:
            return "yes"
        return self.redacted_label if role in self.redacted_for else "no"


@dataclass(frozen=True, slots=True)
class _ByAudience(Rule):
    """A rule by audience shows each viewer what is about fields that the company's own catalogue lets them read."""

    readable: Callable[[frozenset[Role], Any], Any] = readable

    def for_(self, roles: frozenset[Role]) -> Redact | None:
        if roles & self.readers:
            return None
        return partial(self.readable, roles) if roles & self.redacted_for else _forbidden


def _listed(roles: Sequence[Role]) -> str:
    *others, last = roles
    return f"{', '.join(others)} and {last}" if others else last


def _forbidden(_: Any) -> Masked:
    return Masked()


def _support(actor: Document | None) -> Document | None:
    """Hides agents from customers: every agent is "Support", and nobody has an id."""
    if actor is None:
        return None
    return {"kind": actor["kind"], "name": "Support" if actor["kind"] == ActorKind.AGENT else actor["name"]}


def _impersonal(attributes: Document | None) -> Document:
    """Hides personal attributes, and all that the catalogue does not vouch for: they may hold an address too."""
    return {
        name: _forbidden(raw) if name in PERSONAL or name not in ATTRIBUTE_NAMES else raw
        for name, raw in (attributes or {}).items()
    }


def _readable_changes(
    roles: frozenset[Role], changes: Sequence[Mapping[str, Any]] | None
) -> Sequence[Mapping[str, Any]] | None:
    """Hides changes of what these roles may not read of the customer either."""
    told = readable_changes(roles, changes)
    return told and [each for each in told if roles & (_READ_BY.get(each["field"]) or WITH_OWNER).readers]


_ALL: Final = frozenset(Role)
_REFERRED: Final = _ALL - {Role.AFFILIATE}

WITH_OWNER: Final = Rule("whoever sees what it belongs to", _ALL)
CONTACT: Final = Rule("contact data", _REFERRED)
MAIL: Final = Rule("mails", _REFERRED)
CODE: Final = Rule("coupon codes", _REFERRED)
NOTE: Final = Rule("agents' notes", PEOPLE)
WORDS: Final = Rule("what staff wrote", STAFF, redacted_for=frozenset({Role.CUSTOMER}))
LABELS: Final = Rule(
    "staff's labels",
    STAFF,
    redacted_for=frozenset({Role.CUSTOMER, Role.AFFILIATE}),
    redact=lambda _: [],
    redacted_label="[]",
    redacted_sentence="Empty",
)
DUPLICATES: Final = Rule("who may be the same person", STAFF)
FIELDS: Final = _ByAudience(
    "fields of a company's own catalogue",
    STAFF,
    redacted_for=frozenset({Role.CUSTOMER, Role.AFFILIATE}),
    redacted_label="by audience",
    redacted_sentence="Those meant for them only",
)
FIELD_CHANGES: Final = _ByAudience(
    "changes of details",
    STAFF,
    redacted_for=frozenset({Role.CUSTOMER}),
    redacted_label="by audience",
    redacted_sentence="Without the fields that they may not read",
    readable=_readable_changes,
)
LEAD: Final = Rule("where a customer came from", STAFF)
_READ_BY: Final[Mapping[str, Rule]] = {"leadSource": LEAD}
"""Details that fewer roles may read than changes, each with its rule."""
LAST: Final = Rule("when it last moved", _ALL - {Role.CUSTOMER}, redacted_for=frozenset({Role.CUSTOMER}))
REPORT: Final = Rule("the customer-service report", PERMITTED[Permission.REPORT])
ADJUSTMENT: Final = Rule(
    "adjustments that take two people", PERMITTED[Permission.ADJUST_POINTS] | PERMITTED[Permission.APPROVE_ADJUSTMENT]
)
BLOCKLIST: Final = Rule("the blocklist", PERMITTED[Permission.READ_BLOCKLIST])
MERGE: Final = Rule("merges of customers", STAFF)
ERASURE: Final = Rule("erasures of customers", STAFF)
SEGMENT: Final = Rule("saved segments", PERMITTED[Permission.USE_SEGMENTS])
DUE_DILIGENCE: Final = Rule("due diligence", PERMITTED[Permission.READ_DUE_DILIGENCE])
REQUEST: Final = Rule("requests to other systems", PERMITTED[Permission.READ_REQUESTS])
BILLING: Final = Rule("orders, invoices and how they are paid", PERMITTED[Permission.READ_BILLING])
KYC: Final = Rule("proofs of who a customer is", PERMITTED[Permission.READ_KYC])
AML: Final = Rule("checks against money laundering", PERMITTED[Permission.READ_AML])
EXPORT: Final = Rule("exports", PERMITTED[Permission.EXPORT])
AUDIT: Final = Rule("the audit log", PERMITTED[Permission.READ_AUDIT])
CHANGE: Final = Rule("the changes of all customers", PERMITTED[Permission.FOLLOW_CHANGES])
LOOK: Final = Rule("who looked", PERMITTED[Permission.READ_LOOKS])
WEBHOOK: Final = Rule("webhooks", PERMITTED[Permission.MANAGE_WEBHOOKS])
ACTOR: Final = Rule(
    "who did it",
    _ALL - {Role.CUSTOMER},
    redacted_for=frozenset({Role.CUSTOMER}),
    redact=_support,
    redacted_label='"Support"',
    redacted_sentence='Every agent is "Support", without an id,',
)
ACTORS: Final = Rule("who acted", _ALL - {Role.CUSTOMER}, redacted_for=frozenset({Role.CUSTOMER}))
ATTRIBUTES: Final = Rule(
    "attributes",
    _REFERRED,
    redacted_for=frozenset({Role.AFFILIATE}),
    redact=_impersonal,
    redacted_label="impersonal",
    redacted_sentence="Without personal values",
)

Access: TypeAlias = Rule | Mapping[Rule, str]
"""A type's declaration: one rule for all its fields, or under each rule the python names of its fields."""
