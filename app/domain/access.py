"""Who is asking, and what they may do. Pure.

Roles add up: who has several may do what any of them may.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.catalogue.model import ActivityType, Audience
from app.domain.paging import In
from app.domain.refusals import Refusal
from app.domain.vocabulary import AccessLevel

Role = AccessLevel
"""A role here is an access level there: the words are the same."""

STAFF: Final = frozenset(
    {Role.ADMIN, Role.CS_ADMIN, Role.CUSTOMER_SERVICE_AGENT, Role.SALES_REP, Role.FINANCE, Role.API_USER}
)
"""Those who may read every customer."""

PEOPLE: Final = STAFF - {Role.API_USER}


class Permission(StrEnum):
    """What a viewer may do beyond reading what they see."""

    SEARCH_BY_CONTACT = "SEARCH_BY_CONTACT"
    SEARCH_BY_LABEL = "SEARCH_BY_LABEL"
    READ_NOTES = "READ_NOTES"
    REPORT = "REPORT"
    EXPORT = "EXPORT"
    READ_AUDIT = "READ_AUDIT"
    ADD_NOTE = "ADD_NOTE"
    TAG_CUSTOMER = "TAG_CUSTOMER"
    ADJUST_POINTS = "ADJUST_POINTS"
    REDEEM_COUPON = "REDEEM_COUPON"
    RESEND_EMAIL = "RESEND_EMAIL"
    SEND_PASS = "SEND_PASS"  # noqa: S105 # not a password
    CHANGE_STATUS = "CHANGE_STATUS"
    RECORD_ACTIVITY = "RECORD_ACTIVITY"


_SUPERVISORS: Final = frozenset({Role.ADMIN, Role.CS_ADMIN})
_SERVICE: Final = _SUPERVISORS | {Role.CUSTOMER_SERVICE_AGENT}

PERMITTED: Final[dict[Permission, frozenset[Role]]] = {
    Permission.SEARCH_BY_CONTACT: STAFF | {Role.CUSTOMER},
    Permission.SEARCH_BY_LABEL: STAFF,
    Permission.READ_NOTES: PEOPLE,
    Permission.REPORT: _SUPERVISORS | {Role.SALES_REP, Role.FINANCE},
    Permission.EXPORT: _SUPERVISORS | {Role.SALES_REP, Role.FINANCE},
    Permission.READ_AUDIT: frozenset({Role.ADMIN}),
    Permission.ADD_NOTE: PEOPLE,
    Permission.TAG_CUSTOMER: PEOPLE,
    Permission.ADJUST_POINTS: _SERVICE | {Role.FINANCE, Role.API_USER},
    Permission.REDEEM_COUPON: _SERVICE | {Role.CUSTOMER},
    Permission.RESEND_EMAIL: _SERVICE | {Role.SALES_REP, Role.CUSTOMER},
    Permission.SEND_PASS: _SERVICE,
    Permission.CHANGE_STATUS: _SERVICE | {Role.CUSTOMER},
    Permission.RECORD_ACTIVITY: _SERVICE | {Role.SALES_REP, Role.API_USER},
}


class Forbidden(Refusal):
    """Asked for by somebody who may not have it."""

    code = "FORBIDDEN"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who the token says is asking. ``customer_id`` belongs to a customer, ``affiliate_id`` to an affiliate."""

    subject: str
    name: str
    roles: frozenset[Role]
    customer_id: str | None = None
    affiliate_id: str | None = None

    @property
    def sees_all_customers(self) -> bool:
        return bool(self.roles & STAFF)

    @property
    def adjust_points_limit(self) -> int | None:
        """The most points in one entry by hand; None is no limit of this viewer's."""
        unlimited = PERMITTED[Permission.ADJUST_POINTS] - {Role.CUSTOMER_SERVICE_AGENT}
        return None if self.roles & unlimited else 1_000 if self.may(Permission.ADJUST_POINTS) else 0

    def may(self, permission: Permission) -> bool:
        return bool(self.roles & PERMITTED[permission])

    def is_one_of(self, roles: Iterable[Role]) -> bool:
        return not self.roles.isdisjoint(roles)

    @property
    def activity_rows(self) -> tuple[tuple[str, In], ...]:
        """Which activities exist for this viewer, in every list, count and facet alike."""
        audience = () if self.roles - {Role.CUSTOMER} else (("audience", In((Audience.CUSTOMER.value,))),)
        notes = () if self.may(Permission.READ_NOTES) else (("isNote", In((False,))),)
        return (*audience, *notes)

    @property
    def reports_own_actions_only(self) -> bool:
        return not self.roles & (PERMITTED[Permission.REPORT] - {Role.SALES_REP})

    def owns(self, asker: Mapping[str, Any]) -> bool:
        """Whether it was this viewer who asked, with no more roles than now; administrators own what anybody did."""
        asked = asker["subject"] == self.subject and self.roles.issuperset(asker["roles"])
        return asked or Role.ADMIN in self.roles

    def knows(self, row: ActivityType) -> bool:
        """Whether activities of this type exist for this viewer: ``activity_rows``, for the catalogue."""
        copies = {"audience": row.audience.value, "isNote": row.is_note}
        return all(copies[key] in condition.values for key, condition in self.activity_rows)

    def require(self, permission: Permission) -> None:
        """Raises Forbidden."""
        if not self.may(permission):
            raise Forbidden(f"Your role does not include {permission}.")


@dataclass(frozen=True, slots=True)
class Masks:
    """What documents lose before certain roles see them: whole collections, or the values of certain keys."""

    hidden: frozenset[str]
    changes: Mapping[str, tuple[tuple[str, Callable[[Any], Any]], ...]]

    def forbids(self, collection: str, key: str) -> bool:
        """Whether a value under that key is refused, and not only replaced."""
        return collection in self.hidden or any(
            name == key and isinstance(change(None), Forbidden) for name, change in self.changes.get(collection, ())
        )

    def applied(self, collection: str, document: dict[str, Any]) -> dict[str, Any]:
        """The document itself where nothing is taken from it."""
        changes = self.changes.get(collection)
        return {**document, **{key: change(document.get(key)) for key, change in changes}} if changes else document
