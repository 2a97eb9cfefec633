"""Holds the kinds of requests to other systems as data: one row each, and no rules.

A row says what is asked, of what, by whom, and what an answer may bring. Companies add rows of their own from a file
(domain/request_kinds.py); a typed mutation is there for each row of this page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from app.catalogue.model import AttributeKind as Kind
from app.catalogue.model import CatalogueAttribute


class RequestGroup(StrEnum):
    """A group holds the kinds that a menu folds together."""

    PAYMENT = "PAYMENT"
    PAYOUT = "PAYOUT"
    ORDER = "ORDER"
    BILLING = "BILLING"
    INSTRUMENT = "INSTRUMENT"
    PORTAL = "PORTAL"
    COMPLIANCE = "COMPLIANCE"
    OTHER = "OTHER"


class RequestGuard(StrEnum):
    """The guard says what is checked before a request is accepted; ``domain/external_requests.py`` holds the rules.

    ONE_OPEN: no other request of the kind is open for the same target; without a target, for the same customer.
    REFUNDABLE: that, and the target is a sale of which so much was not refunded yet.
    """

    NONE = "NONE"
    ONE_OPEN = "ONE_OPEN"
    REFUNDABLE = "REFUNDABLE"


@dataclass(frozen=True, slots=True)
class RequestKind:
    """A kind says what may be asked of another system.

    ``permission`` is a word of domain/access.py, ``target`` a collection.

    ``secrets`` are attributes that nobody reads here: they are kept encrypted until the request is received.
    ``due_after``: a request that is not done by then is overdue. ``gives_link``: its executor answers with a link for
    the customer, which ends ``expires_after`` unless the answer says when. ``confidential``: it exists only for those
    who may read checks for money laundering.
    """

    code: str
    title: str
    description: str
    group: RequestGroup
    permission: str
    attributes: tuple[CatalogueAttribute, ...]
    target: str | None = None
    guard: RequestGuard = RequestGuard.NONE
    gives_link: bool = False
    confidential: bool = False
    expires_after: timedelta = timedelta(hours=1)
    due_after: timedelta = timedelta(days=1)
    secrets: frozenset[str] = frozenset()
    outcome_attributes: tuple[CatalogueAttribute, ...] = ()


def _plain(name: str, label: str, kind: Kind = Kind.TEXT, *, required: bool = True) -> CatalogueAttribute:
    return CatalogueAttribute(name, label, kind, required, personal=False)


def _personal(name: str, label: str, kind: Kind = Kind.TEXT, *, required: bool = True) -> CatalogueAttribute:
    return CatalogueAttribute(name, label, kind, required, personal=True)


_AMOUNT: Final = _plain("amount", "Amount", Kind.MONEY)
_DESCRIPTION: Final = _personal("description", "Description", required=False)
_INVOICES: Final = _plain("invoiceIds", "Invoices", Kind.LIST, required=False)
_INSTRUMENT: Final = _plain("paymentInstrumentId", "Payment instrument", required=False)
_COUPONS: Final = _plain("couponIds", "Coupons", Kind.LIST, required=False)
_REDIRECT: Final = _plain("redirectUrl", "Return address", required=False)
_WEBSITE: Final = _plain("website", "Website")
_ITEMS: Final = _plain("items", "Items", Kind.JSON)
_EXPIRY: Final = _plain("expiresAt", "Expires", Kind.DATETIME, required=False)

_ROWS: Final = (
    RequestKind(
        "REFUND",
        "Refund",
        "Pay back a sale, or a part of it.",
        RequestGroup.PAYMENT,
        "REQUEST_REFUND",
        (_AMOUNT, _DESCRIPTION),
        target="transactions",
        guard=RequestGuard.REFUNDABLE,
        due_after=timedelta(days=3),
    ),
    RequestKind(
        "PAYMENT",
        "Payment",
        "Collect an amount, by a payment instrument or by a form that the customer fills in.",
        RequestGroup.PAYMENT,
        "REQUEST_PAYMENT",
        (_AMOUNT, _DESCRIPTION, _plain("way", "Way"), _INVOICES, _INSTRUMENT),
        guard=RequestGuard.ONE_OPEN,
        gives_link=True,
    ),
    RequestKind(
        "OUTSIDE_PAYMENT",
        "Payment outside",
        "Record a payment that was made outside the systems that report to this gateway.",
        RequestGroup.PAYMENT,
        "REQUEST_PAYMENT",
        (_AMOUNT, _DESCRIPTION, _plain("processedAt", "Paid", Kind.DATETIME), _INVOICES),
    ),
    RequestKind(
        "DEPOSIT",
        "Deposit",
        "Send the customer a link to a deposit form.",
        RequestGroup.PAYMENT,
        "REQUEST_PAYMENT",
        (
            _plain("currency", "Currency"),
            _WEBSITE,
            _plain("strategyId", "Strategy", required=False),
            _plain("amounts", "Amounts", Kind.LIST, required=False),
            _plain("customAmount", "Amount of the customer's choice", Kind.JSON, required=False),
            _plain("propertySetId", "Set of properties", required=False),
            _REDIRECT,
            _EXPIRY,
        ),
        gives_link=True,
    ),
    RequestKind(
        "PAYOUT",
        "Payout",
        "Pay an amount to the customer. It cannot be undone.",
        RequestGroup.PAYOUT,
        "REQUEST_PAYOUT",
        (_AMOUNT, _DESCRIPTION, _INSTRUMENT),
        guard=RequestGuard.ONE_OPEN,
        due_after=timedelta(days=3),
    ),
    RequestKind(
        "PAYOUT_SELECTION",
        "Choice of a payout",
        "Send the customer a link to choose how they are paid.",
        RequestGroup.PAYOUT,
        "REQUEST_PAYOUT",
        (_AMOUNT, _DESCRIPTION, _REDIRECT),
        guard=RequestGuard.ONE_OPEN,
        gives_link=True,
    ),
    RequestKind(
        "ORDER",
        "Order",
        "Create a subscription or a one-time order.",
        RequestGroup.ORDER,
        "REQUEST_ORDER",
        (
            _plain("kind", "Kind"),
            _WEBSITE,
            _ITEMS,
            _COUPONS,
            _plain("autopay", "Paid automatically", Kind.BOOLEAN, required=False),
            _INSTRUMENT,
            _plain("startAt", "Begins", Kind.DATETIME, required=False),
            _plain("abandonAt", "Abandoned", Kind.DATETIME, required=False),
            _plain("delinquencyPeriod", "Delinquency period", required=False),
            _plain("invoiceIssueShift", "Invoice issued", required=False),
            _plain("invoiceDueShift", "Invoice due", required=False),
            _personal("shipping", "Shipping", required=False),
            _personal("poNumber", "Purchase order", required=False),
            _personal("notes", "Notes", required=False),
        ),
    ),
    RequestKind(
        "QUOTE",
        "Quote",
        "Make the customer an offer.",
        RequestGroup.ORDER,
        "REQUEST_ORDER",
        (
            _WEBSITE,
            _ITEMS,
            _COUPONS,
            _EXPIRY,
            _REDIRECT,
            _plain("acceptance", "Accepted by", Kind.LIST, required=False),
            _plain("terms", "Terms", required=False),
            _personal("signatory", "Signatory", required=False),
        ),
    ),
    RequestKind(
        "ORDER_CANCELLATION",
        "Cancellation",
        "Cancel an order or a subscription, at once or later.",
        RequestGroup.ORDER,
        "REQUEST_ORDER",
        (
            _plain("when", "When"),
            _plain("at", "Time", Kind.DATETIME, required=False),
            _plain("category", "Category", required=False),
            _DESCRIPTION,
            _plain("prorated", "Prorated", Kind.BOOLEAN, required=False),
        ),
        target="orders",
        guard=RequestGuard.ONE_OPEN,
    ),
    RequestKind(
        "QUOTE_ACTION",
        "Step of a quote",
        "Issue a quote, take it back, or cancel it.",
        RequestGroup.ORDER,
        "REQUEST_ORDER",
        (_plain("action", "Action"),),
        target="quotes",
        guard=RequestGuard.ONE_OPEN,
    ),
    RequestKind(
        "CREDIT_MEMO",
        "Credit memo",
        "Credit an amount to the customer.",
        RequestGroup.BILLING,
        "REQUEST_CREDIT",
        (
            _plain("amount", "Amount", Kind.MONEY, required=False),
            _plain("items", "Items", Kind.JSON, required=False),
            _plain("category", "Category"),
            _DESCRIPTION,
            _plain("invoiceId", "Invoice", required=False),
        ),
        guard=RequestGuard.ONE_OPEN,
    ),
    RequestKind(
        "COUPON_REDEMPTION",
        "Redemption of coupons",
        "Redeem coupons in the system that issued them.",
        RequestGroup.ORDER,
        "REDEEM_COUPON",
        (_plain("couponIds", "Coupons", Kind.LIST), _plain("notify", "Customer told", Kind.BOOLEAN, required=False)),
        guard=RequestGuard.ONE_OPEN,
    ),
    RequestKind(
        "PORTAL_LINK",
        "Portal link",
        "Get a link by which the customer enters their own portal.",
        RequestGroup.PORTAL,
        "REQUEST_LINK",
        (_plain("portalId", "Portal"), _REDIRECT),
        gives_link=True,
    ),
    RequestKind(
        "PAYMENT_INSTRUMENT",
        "Payment instrument",
        "Add a payment instrument by a token of the payment service. Never a card number.",
        RequestGroup.INSTRUMENT,
        "REQUEST_LINK",
        (
            _personal("token", "Token"),
            _plain("useAsBackup", "Backup", Kind.BOOLEAN, required=False),
            _plain("setDefault", "Default", Kind.BOOLEAN, required=False),
        ),
        secrets=frozenset({"token"}),
    ),
    RequestKind(
        "PAYMENT_INSTRUMENT_CHANGE",
        "Change of a payment instrument",
        "Change one thing of a payment instrument.",
        RequestGroup.INSTRUMENT,
        "REQUEST_LINK",
        (
            _plain("setDefault", "Default", Kind.BOOLEAN, required=False),
            _plain("useAsBackup", "Backup", Kind.BOOLEAN, required=False),
            _plain("deactivate", "Deactivated", Kind.BOOLEAN, required=False),
            _plain("expiry", "Expiry", Kind.JSON, required=False),
            _personal("billingAddress", "Billing address", Kind.JSON, required=False),
            _plain("stickyGateway", "Gateway", required=False),
        ),
        target="paymentInstruments",
        guard=RequestGuard.ONE_OPEN,
    ),
    RequestKind(
        "KYC_DOCUMENT_LINK",
        "Link to a document",
        "Get a link by which a colleague looks at a document, in the system that keeps it.",
        RequestGroup.COMPLIANCE,
        "REQUEST_DOCUMENTS",
        (),
        target="kycDocuments",
        gives_link=True,
    ),
    RequestKind(
        "AML_REVIEW",
        "Review of a check",
        "Say whether a hit of a check is this customer.",
        RequestGroup.COMPLIANCE,
        "READ_AML",
        (_plain("verdict", "Verdict"),),
        target="amlChecks",
        guard=RequestGuard.ONE_OPEN,
        confidential=True,
    ),
    RequestKind(
        "KYC_DOCUMENTS",
        "Identity documents",
        "Ask the customer for documents that prove who they are.",
        RequestGroup.COMPLIANCE,
        "REQUEST_DOCUMENTS",
        (
            _plain("documents", "Documents", Kind.JSON),
            _plain("level", "Level", Kind.INTEGER),
            _REDIRECT,
            _plain("ui", "Form", required=False),
        ),
        guard=RequestGuard.ONE_OPEN,
        gives_link=True,
        due_after=timedelta(days=7),
    ),
    RequestKind(
        "KYC_UPLOAD_LINK",
        "Link to send documents",
        "Get a link by which the customer sends documents to the system that checks them.",
        RequestGroup.COMPLIANCE,
        "REQUEST_DOCUMENTS",
        (),
        gives_link=True,
    ),
    RequestKind(
        "ERASE_AT_SOURCE",
        "Erasure at a source",
        "Have a source system erase what it knows of the customer.",
        RequestGroup.COMPLIANCE,
        "ANONYMISE_CUSTOMER",
        (_plain("source", "System"), _personal("sourceCustomerId", "Customer's id there")),
        guard=RequestGuard.NONE,
        due_after=timedelta(days=30),
        secrets=frozenset({"sourceCustomerId"}),
    ),
)

REQUEST_KINDS: Final[Mapping[str, RequestKind]] = MappingProxyType({row.code: row for row in _ROWS})
MONEY_KINDS: Final = frozenset(
    row.code for row in _ROWS if row.group in (RequestGroup.PAYMENT, RequestGroup.PAYOUT, RequestGroup.BILLING)
)
"""Those by which money moves."""
IMPERSONAL: Final = frozenset(
    each.name for row in _ROWS for each in row.attributes if each.personal is False and each.name not in row.secrets
)
"""The attributes that stay when a customer is erased."""
LINK_ATTRIBUTES: Final = (_personal("url", "Link"), _EXPIRY)
"""What an answer with a link brings. The link is a key: it is kept encrypted, and in no list of attributes."""
