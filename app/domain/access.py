"""Says who may do what, and to which customers. Pure.

A role reaches customers of one scope. A viewer with several roles has, for each customer, the rights of those roles
that reach this customer: roles add up, and never multiply.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from app.catalogue.model import Audience, CatalogueType
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
    """A permission lets a viewer do more than read what they see."""

    SEARCH_BY_CONTACT = "SEARCH_BY_CONTACT"
    SEARCH_BY_LABEL = "SEARCH_BY_LABEL"
    READ_NOTES = "READ_NOTES"
    REPORT = "REPORT"
    EXPORT = "EXPORT"
    READ_AUDIT = "READ_AUDIT"
    READ_LOOKS = "READ_LOOKS"
    CREATE_CUSTOMER = "CREATE_CUSTOMER"
    UPDATE_CUSTOMER = "UPDATE_CUSTOMER"
    ADD_NOTE = "ADD_NOTE"
    EDIT_ALL_NOTES = "EDIT_ALL_NOTES"
    TAG_CUSTOMER = "TAG_CUSTOMER"
    ADJUST_POINTS = "ADJUST_POINTS"
    APPROVE_ADJUSTMENT = "APPROVE_ADJUSTMENT"
    REDEEM_COUPON = "REDEEM_COUPON"
    RESEND_EMAIL = "RESEND_EMAIL"
    SEND_PASS = "SEND_PASS"  # noqa: S105 # not a password
    CHANGE_STATUS = "CHANGE_STATUS"
    RECORD_ACTIVITY = "RECORD_ACTIVITY"
    MERGE_CUSTOMERS = "MERGE_CUSTOMERS"
    ANONYMISE_CUSTOMER = "ANONYMISE_CUSTOMER"
    REQUEST_DATA_EXPORT = "REQUEST_DATA_EXPORT"
    READ_BLOCKLIST = "READ_BLOCKLIST"
    MANAGE_BLOCKLIST = "MANAGE_BLOCKLIST"
    USE_SEGMENTS = "USE_SEGMENTS"
    MANAGE_SEGMENTS = "MANAGE_SEGMENTS"
    READ_DUE_DILIGENCE = "READ_DUE_DILIGENCE"
    MANAGE_DUE_DILIGENCE = "MANAGE_DUE_DILIGENCE"
    READ_REQUESTS = "READ_REQUESTS"
    REQUEST_REFUND = "REQUEST_REFUND"
    REQUEST_PAYMENT = "REQUEST_PAYMENT"
    REQUEST_PAYOUT = "REQUEST_PAYOUT"
    REQUEST_CREDIT = "REQUEST_CREDIT"
    REQUEST_ORDER = "REQUEST_ORDER"
    REQUEST_LINK = "REQUEST_LINK"
    REQUEST_DOCUMENTS = "REQUEST_DOCUMENTS"
    REQUEST_OTHER = "REQUEST_OTHER"
    COMPLETE_REQUEST = "COMPLETE_REQUEST"
    READ_BILLING = "READ_BILLING"
    READ_KYC = "READ_KYC"
    READ_AML = "READ_AML"
    FOLLOW_CHANGES = "FOLLOW_CHANGES"
    MANAGE_WEBHOOKS = "MANAGE_WEBHOOKS"
    IMPORT = "IMPORT"


class Scope(StrEnum):
    """A scope says which customers a right is for."""

    OWN = "OWN"
    """The account that the token's customer has."""
    REFERRED = "REFERRED"
    """Those whom the token's affiliate brought, except their own account."""
    ALL = "ALL"


class Grant(NamedTuple):
    """A grant is a right of a role. ``limit`` is the most of it for one customer in 24 hours; None means no limit."""

    role: Role
    permission: Permission
    scope: Scope
    limit: int | None = None


SCOPE_OF: Final[Mapping[Role, Scope]] = {
    role: {Role.CUSTOMER: Scope.OWN, Role.AFFILIATE: Scope.REFERRED}.get(role, Scope.ALL) for role in Role
}
"""Which customers a role reaches, for reading and for whatever it is granted."""

_SUPERVISORS: Final = frozenset({Role.ADMIN, Role.CS_ADMIN})
_SERVICE: Final = _SUPERVISORS | {Role.CUSTOMER_SERVICE_AGENT}

_GRANTED: Final[Sequence[tuple[Permission, frozenset[Role]]]] = (
    (Permission.SEARCH_BY_CONTACT, STAFF | {Role.CUSTOMER}),
    (Permission.SEARCH_BY_LABEL, STAFF),
    (Permission.READ_NOTES, PEOPLE),
    (Permission.REPORT, _SUPERVISORS | {Role.SALES_REP, Role.FINANCE}),
    (Permission.EXPORT, _SUPERVISORS | {Role.SALES_REP, Role.FINANCE}),
    (Permission.READ_AUDIT, frozenset({Role.ADMIN})),
    (Permission.READ_LOOKS, frozenset({Role.ADMIN})),
    (Permission.CREATE_CUSTOMER, _SERVICE | {Role.SALES_REP, Role.API_USER}),
    (Permission.UPDATE_CUSTOMER, _SERVICE | {Role.SALES_REP, Role.API_USER}),
    (Permission.ADD_NOTE, PEOPLE),
    (Permission.EDIT_ALL_NOTES, _SUPERVISORS),
    (Permission.TAG_CUSTOMER, PEOPLE),
    (Permission.ADJUST_POINTS, _SERVICE | {Role.FINANCE, Role.API_USER}),
    (Permission.APPROVE_ADJUSTMENT, _SUPERVISORS | {Role.FINANCE}),
    (Permission.REDEEM_COUPON, _SERVICE | {Role.CUSTOMER}),
    (Permission.RESEND_EMAIL, _SERVICE | {Role.SALES_REP, Role.CUSTOMER}),
    (Permission.SEND_PASS, _SERVICE),
    (Permission.CHANGE_STATUS, _SERVICE | {Role.CUSTOMER}),
    (Permission.RECORD_ACTIVITY, _SERVICE | {Role.SALES_REP, Role.API_USER}),
    (Permission.MERGE_CUSTOMERS, _SUPERVISORS),
    (Permission.ANONYMISE_CUSTOMER, _SUPERVISORS),
    (Permission.REQUEST_DATA_EXPORT, _SUPERVISORS),
    (Permission.READ_BLOCKLIST, STAFF),
    (Permission.MANAGE_BLOCKLIST, _SUPERVISORS | {Role.FINANCE, Role.API_USER}),
    (Permission.USE_SEGMENTS, STAFF),
    (Permission.MANAGE_SEGMENTS, frozenset({Role.ADMIN})),
    (Permission.READ_DUE_DILIGENCE, _SUPERVISORS | {Role.FINANCE}),
    (Permission.MANAGE_DUE_DILIGENCE, _SUPERVISORS | {Role.FINANCE}),
    (Permission.READ_REQUESTS, STAFF),
    (Permission.REQUEST_REFUND, _SERVICE | {Role.FINANCE}),
    (Permission.REQUEST_PAYMENT, _SERVICE | {Role.SALES_REP, Role.FINANCE}),
    (Permission.REQUEST_PAYOUT, _SUPERVISORS | {Role.FINANCE}),
    (Permission.REQUEST_CREDIT, _SUPERVISORS | {Role.FINANCE}),
    (Permission.REQUEST_ORDER, _SERVICE | {Role.SALES_REP}),
    (Permission.REQUEST_LINK, _SERVICE | {Role.SALES_REP}),
    (Permission.REQUEST_DOCUMENTS, _SERVICE | {Role.FINANCE}),
    (Permission.REQUEST_OTHER, _SERVICE | {Role.FINANCE}),
    (Permission.COMPLETE_REQUEST, _SERVICE | {Role.FINANCE, Role.API_USER}),
    (Permission.READ_BILLING, STAFF | {Role.CUSTOMER}),
    (Permission.READ_KYC, _SERVICE | {Role.FINANCE, Role.API_USER}),
    (Permission.READ_AML, _SUPERVISORS | {Role.FINANCE}),
    (Permission.FOLLOW_CHANGES, frozenset({Role.ADMIN, Role.API_USER})),
    (Permission.MANAGE_WEBHOOKS, frozenset({Role.ADMIN})),
    (Permission.IMPORT, frozenset({Role.ADMIN, Role.API_USER})),
)
_LIMITS: Final[Mapping[tuple[Role, Permission], int]] = {
    (Role.CUSTOMER_SERVICE_AGENT, Permission.ADJUST_POINTS): 1_000,
    (Role.FINANCE, Permission.ADJUST_POINTS): 100_000,
    (Role.API_USER, Permission.ADJUST_POINTS): 100_000,
    (Role.CS_ADMIN, Permission.ADJUST_POINTS): 100_000,
    (Role.ADMIN, Permission.ADJUST_POINTS): 1_000_000,
    (Role.CS_ADMIN, Permission.REQUEST_PAYOUT): 1_000,
    (Role.FINANCE, Permission.REQUEST_PAYOUT): 10_000,
    (Role.ADMIN, Permission.REQUEST_PAYOUT): 100_000,
}
"""What is beyond takes two people: one asks, and another approves (domain/adjustments.py)."""
GRANTS: Final = tuple(
    Grant(role, permission, SCOPE_OF[role], _LIMITS.get((role, permission)))
    for permission, roles in _GRANTED
    for role in Role
    if role in roles
)
"""Every right there is: the one table of who may do what, to whom, and how much of it."""

PERMITTED: Final[Mapping[Permission, frozenset[Role]]] = {
    permission: frozenset(grant.role for grant in GRANTS if grant.permission is permission) for permission in Permission
}


class Forbidden(Refusal):
    """Raised when a viewer may not have what they ask for; the client sees the code FORBIDDEN."""

    code = "FORBIDDEN"


class Masked(Forbidden):
    """Stands in a document for a value that the viewer's roles may not read; the client sees null.

    That is no error: what a role may not read is known beforehand (``viewer.unreadable``), and the response names the
    fields that were masked. Where a field cannot be null it is an error, FORBIDDEN.
    """

    def __init__(self) -> None:
        super().__init__("Your role may not read this.")


def require(roles: frozenset[Role], permission: Permission) -> None:
    """Raises Forbidden if none of the roles has the permission."""
    if not roles & PERMITTED[permission]:
        raise Forbidden(f"Your role does not include {permission}.")


def activity_rows(roles: frozenset[Role]) -> tuple[tuple[str, In], ...]:
    """Returns the conditions under which an activity exists for these roles, in lists, counts and facets alike."""
    audiences = [Audience.CUSTOMER.value]
    if Role.AFFILIATE not in roles:
        audiences.append(Audience.OWNER.value)
    audience = () if roles & STAFF else (("audience", In(tuple(audiences))),)
    notes = () if roles & PERMITTED[Permission.READ_NOTES] else (("isNote", In((False,))),)
    return (*audience, *notes)


def request_rows(roles: frozenset[Role]) -> tuple[tuple[str, In], ...]:
    """Returns the conditions under which a request exists for these roles: who may not read checks for money laundering
    does not learn that somebody was asked about one."""
    return () if roles & PERMITTED[Permission.READ_AML] else (("confidential", In((False,))),)


def knows(roles: frozenset[Role], row: CatalogueType) -> bool:
    """Returns whether activities of this type exist for these roles: ``activity_rows``, for the catalogue."""
    copies = {"audience": row.audience.value, "isNote": row.is_note}
    return all(copies[key] in condition.values for key, condition in activity_rows(roles))


def reads_actors(roles: frozenset[Role]) -> bool:
    """Returns whether viewers of these roles may learn who acted, in every account that they see."""
    return bool(roles & STAFF) or Role.CUSTOMER not in roles


class Delegate(NamedTuple):
    """A delegate is who acts in the name of the token's subject, with the subject's rights (RFC 8693, 4.1)."""

    subject: str
    name: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """A viewer is the caller that the token names.

    ``customer_id`` belongs to a customer, ``affiliate_id`` to an affiliate. ``delegate`` is who really acts, if that is
    somebody else.
    """

    subject: str
    name: str
    roles: frozenset[Role]
    customer_id: str | None = None
    affiliate_id: str | None = None
    delegate: Delegate | None = None
    expires_at: float | None = field(default=None, compare=False)
    """When the token ends, in seconds since 1970. It decides nothing but how long a subscription lasts."""

    @property
    def person(self) -> Delegate:
        """Returns who really acts."""
        return self.delegate or Delegate(self.subject, self.name)

    @property
    def sees_all_customers(self) -> bool:
        return bool(self.roles & STAFF)

    def roles_on(self, customer_id: str) -> frozenset[Role]:
        """Returns those of the viewer's roles that reach a customer whom they see.

        Staff need no referral to see a customer, and so get nothing from one.
        """
        staff = self.roles & STAFF
        if Role.CUSTOMER in self.roles and customer_id == self.customer_id:
            return staff | {Role.CUSTOMER}
        return staff or self.roles & {Role.AFFILIATE}

    def limit_on(self, permission: Permission, customer_id: str | None = None) -> int | None:
        """Returns the most for one customer in 24 hours; None without a limit, 0 where it is not permitted at all."""
        roles = self.roles if customer_id is None else self.roles_on(customer_id)
        limits = [grant.limit for grant in GRANTS if grant.permission is permission and grant.role in roles]
        return None if None in limits else max((limit for limit in limits if limit is not None), default=0)

    def may(self, permission: Permission, customer_id: str | None = None) -> bool:
        """Returns whether the viewer has the permission for this customer, or for any at all if none is given."""
        roles = self.roles if customer_id is None else self.roles_on(customer_id)
        return bool(roles & PERMITTED[permission])

    def is_one_of(self, roles: Iterable[Role]) -> bool:
        return not self.roles.isdisjoint(roles)

    @property
    def activity_rows(self) -> tuple[tuple[str, In], ...]:
        """Returns the conditions under which an activity exists for this viewer, in lists, counts and facets alike."""
        return activity_rows(self.roles)

    @property
    def reads_actors(self) -> bool:
        """Returns whether the viewer may learn who acted, in every account that they see."""
        return reads_actors(self.roles)

    @property
    def reports_own_actions_only(self) -> bool:
        return not self.roles & (PERMITTED[Permission.REPORT] - {Role.SALES_REP})

    def owns(self, asker: Mapping[str, Any]) -> bool:
        """Returns whether this viewer asked for it, with no more roles than now. Administrators own everything."""
        is_asker = asker["subject"] == self.subject and self.roles.issuperset(asker["roles"])
        return is_asker or Role.ADMIN in self.roles

    def knows(self, row: CatalogueType) -> bool:
        """Returns whether activities of this type exist for this viewer: ``activity_rows``, for the catalogue."""
        return knows(self.roles, row)

    def may_to_all(self, permission: Permission) -> bool:
        """Returns whether the viewer has the permission for every customer whom they see."""
        reaching = {self.roles_on(self.customer_id or ""), self.roles_on("")} - {frozenset[Role]()}
        return all(roles & PERMITTED[permission] for roles in reaching)

    def require(self, permission: Permission, customer_id: str | None = None) -> None:
        """Raises Forbidden if the viewer lacks the permission for this customer; for all, if none is given."""
        require(self.roles if customer_id is None else self.roles_on(customer_id), permission)


ADMINISTRATOR: Final = Viewer("command line", "Command line", frozenset({Role.ADMIN}))
"""Whoever sits at the command line of the gateway's own machine."""


def _changed(change: Callable[[Any], Any], value: Any) -> Any:
    """Returns the changed value. One that cannot be changed is the exception that says so, as one masked before is."""
    try:
        return change(value)
    except Exception as broken:
        return value if isinstance(value, Exception) else broken


@dataclass(frozen=True, slots=True)
class Masks:
    """Masks say what documents lose before certain roles see them: whole collections, or the values of certain keys."""

    hidden: frozenset[str]
    changes: Mapping[str, tuple[tuple[str, Callable[[Any], Any]], ...]]
    unreadable: tuple[str, ...] = ()
    """What is null for these roles: fields, as ``Type.field``, and whole types."""

    def forbids(self, collection: str, key: str) -> bool:
        """Returns whether a value under that key is refused, and not only replaced."""
        return collection in self.hidden or any(
            name == key and isinstance(change(None), Forbidden) for name, change in self.changes.get(collection, ())
        )

    def shows(self, collection: str, key: str) -> bool:
        """Returns whether a value under that key is seen as it is stored."""
        changes = self.changes.get(collection, ())
        return collection not in self.hidden and all(name != key for name, _ in changes)

    def applied(self, collection: str, document: dict[str, Any], keys: Collection[str] | None = None) -> dict[str, Any]:
        """Returns the document with its masks applied; the document itself where nothing is taken from it.

        ``keys`` are all that may be looked at beyond what the document has; None means any. A value that is too broken
        to be masked is the exception that says so, and costs its own field only.
        """
        changes = self.changes.get(collection)
        if changes and keys is not None:
            changes = [each for each in changes if each[0] in keys or each[0] in document]
        if not changes:
            return document
        try:
            return {**document, **{key: change(document.get(key)) for key, change in changes}}
        except Exception:  # whatever is stored there
            return {**document, **{key: _changed(change, document.get(key)) for key, change in changes}}
