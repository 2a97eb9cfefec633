"""Declares which lists hang on what, and the orders they come in. Data.

An order's keys make a position unique; the indexes of store/schema.py begin with the prefix and end with them.
``order`` puts rows of one moment in order (domain/moments.py).
"""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Final

from app.domain.access import activity_rows, request_rows
from app.domain.moments import ORDER
from app.domain.paging import Between, In, Listing, Order, PageRequest, Selection
from app.domain.points import HISTORY

ACTIVITIES: Final = Listing(
    "activities",
    ("customerId", "legacy"),
    {
        "OCCURRED_AT": Order(("occurredAt", "order", "_id")),
        "TYPE": Order(("type", "occurredAt", "order", "_id")),
        "POINTS": Order(("points", "occurredAt", "order", "_id"), nulls_last=True),
    },
    visible=activity_rows,
)
POINTS: Final = Listing(
    "points",
    ("customerId", "kind"),
    {
        "SEQ": Order(("seq",)),
        "OCCURRED_AT": Order(("occurredAt", "seq")),
        "POINTS": Order(("points", "occurredAt", "seq")),
    },
    base=(("kind", In(tuple(sorted(kind.value for kind in HISTORY)))),),
)
COUPONS: Final = Listing(
    "coupons",
    ("customerId",),
    {
        "ADDED_AT": Order(("addedAt", "order", "_id")),
        "EXPIRES_AT": Order(("expiresAt", "order", "_id"), nulls_lowest=True),
        "REDEEMED_AT": Order(("redeemedAt", "order", "_id"), nulls_lowest=True),
    },
)
TRANSACTIONS: Final = Listing(
    "transactions",
    ("customerId",),
    {
        "OCCURRED_AT": Order(("occurredAt", "order", "_id")),
        "POINTS_AWARDED": Order(("pointsAwarded", "occurredAt", "order", "_id")),
    },
)
PASSES: Final = Listing(
    "passes",
    ("customerId",),
    {
        "CREATED_AT": Order(("createdAt", "order", "_id")),
        "UPDATED_AT": Order(("updatedAt", "order", "_id")),
    },
)
STATUSES: Final = Listing("statuses", ("customerId",), {"CHANGED_AT": Order(("changedAt", "order", "_id"))})
SEARCHES: Final = Listing("searches", ("customerId",), {"SEARCHED_AT": Order(("searchedAt", "order", "_id"))})
REQUESTS: Final = Listing(
    "requests",
    ("customerId",),
    {"REQUESTED_AT": Order(("requestedAt", "order", "_id"))},
    visible=request_rows,
)
PAYMENT_INSTRUMENTS: Final = Listing(
    "paymentInstruments",
    ("customerId",),
    {
        "CREATED_AT": Order(("createdAt", "order", "_id")),
        "LAST_PAYMENT_AT": Order(("lastPaymentAt", "order", "_id"), nulls_lowest=True),
    },
)
ORDERS: Final = Listing(
    "orders",
    ("customerId",),
    {
        "CREATED_AT": Order(("createdAt", "order", "_id")),
        "RENEWS_AT": Order(("renewsAt", "order", "_id"), nulls_lowest=True),
    },
)
INVOICES: Final = Listing(
    "invoices",
    ("customerId",),
    {
        "CREATED_AT": Order(("createdAt", "order", "_id")),
        "DUE_AT": Order(("dueAt", "order", "_id"), nulls_lowest=True),
    },
)
QUOTES: Final = Listing(
    "quotes",
    ("customerId",),
    {
        "CREATED_AT": Order(("createdAt", "order", "_id")),
        "EXPIRES_AT": Order(("expiresAt", "order", "_id"), nulls_lowest=True),
    },
)
CREDIT_MEMOS: Final = Listing(
    "creditMemos",
    ("customerId",),
    {
        "CREATED_AT": Order(("createdAt", "order", "_id")),
        "ISSUED_AT": Order(("issuedAt", "order", "_id"), nulls_lowest=True),
    },
)
KYC_REQUESTS: Final = Listing(
    "kycRequests",
    ("customerId",),
    {
        "CREATED_AT": Order(("createdAt", "order", "_id")),
        "EXPIRES_AT": Order(("expiresAt", "order", "_id"), nulls_lowest=True),
    },
)
KYC_DOCUMENTS: Final = Listing(
    "kycDocuments",
    ("customerId",),
    {
        "CREATED_AT": Order(("createdAt", "order", "_id")),
        "REVIEWED_AT": Order(("reviewedAt", "order", "_id"), nulls_lowest=True),
    },
)
AML_CHECKS: Final = Listing(
    "amlChecks",
    ("customerId",),
    {
        "STARTED_AT": Order(("startedAt", "order", "_id")),
        "REVIEWED_AT": Order(("reviewedAt", "order", "_id"), nulls_lowest=True),
    },
)
NOTES: Final = Listing("notes", ("customerId",), {"CREATED_AT": Order(("createdAt", "order", "_id"))})
EMAILS: Final = Listing("emails", ("customerId",), {"SENT_AT": Order(("sentAt", "order", "_id"), nulls_lowest=True)})
AUDIT: Final = Listing("audit", (), {"AT": Order(("at", "order", "_id"))})
FEED: Final = Listing("feed", (), {"SEQUENCE": Order(("sequence",))}, base=(("sequence", Between(at_least=1)),))
LOOKS: Final = Listing("looks", (), {"AT": Order(("at", "_id"))})
ADJUSTMENTS: Final = Listing("adjustments", (), {"REQUESTED_AT": Order(("requestedAt", "order", "_id"))})
BLOCKLIST: Final = Listing(
    "blocklist",
    ("listed",),
    {"CREATED_AT": Order(("createdAt", "order", "_id"))},
    base=(("listed", In((True,))),),
    owned=False,
)
SEGMENTS: Final = Listing("segments", (), {"NAME": Order(("name", "_id"))}, searched=True)
IMPORTS: Final = Listing("imports", (), {"STARTED_AT": Order(("startedAt", "_id"))})
WEBHOOK_ENDPOINTS: Final = Listing("webhookEndpoints", (), {"CREATED_AT": Order(("createdAt", "_id"))})
WEBHOOK_DELIVERIES: Final = Listing("webhookDeliveries", ("endpointId",), {"SEQUENCE": Order(("sequence",))})
REFUNDS: Final = Listing("transactions", ("refundOfId",), {"OCCURRED_AT": Order(("occurredAt", "order", "_id"))})
REPORT: Final = Listing(
    "activities",
    ("legacy",),
    {"OCCURRED_AT": Order(("occurredAt", "order", "_id"))},
    base=(("legacy", In((False,))),),
    owned=False,
    visible=activity_rows,
)
CUSTOMERS: Final = Listing(
    "customers",
    (),
    {
        "NAME": Order(("name", "_id")),
        "SEARCHED_NAME": Order(("searchName", "_id")),  # for those whose name begins with what is asked for
        "NUMBER": Order(("number", "_id")),
        "REGISTERED_AT": Order(("registeredAt", "_id")),
        "LAST_ACTIVITY_AT": Order(("lastActivityAt", "_id"), nulls_last=True),
        "SPENDABLE_POINTS": Order(("spendable", "_id"), nulls_last=True),
    },
    searched=True,
)
ENTRIES_OF_TRANSACTION: Final = Listing(
    "points",
    ("transactionId", "kind"),
    {"OCCURRED_AT": Order(("occurredAt", "seq"))},
    base=(("kind", In(tuple(sorted(kind.value for kind in HISTORY)))),),
)
PUSHES: Final = Listing("pushes", ("passId",), {"REQUESTED_AT": Order(("requestedAt", "_id"))})
DELIVERIES: Final = Listing("deliveries", ("emailId",), {"REQUESTED_AT": Order(("requestedAt", "order", "_id"))})

ORDERED: Final = frozenset(
    listing.collection
    for listing in (
        ACTIVITIES,
        COUPONS,
        TRANSACTIONS,
        PASSES,
        STATUSES,
        SEARCHES,
        REQUESTS,
        NOTES,
        EMAILS,
        AUDIT,
        ADJUSTMENTS,
        BLOCKLIST,
        DELIVERIES,
        PAYMENT_INSTRUMENTS,
        ORDERS,
        INVOICES,
        QUOTES,
        CREDIT_MEMOS,
        KYC_REQUESTS,
        KYC_DOCUMENTS,
        AML_CHECKS,
    )
    if any(ORDER in order.keys for order in listing.orders.values())
)
"""The collections whose rows are written with the key ``order``."""

PREVIEWS: Final = {
    listing.collection: PageRequest(Selection(listing, where, next(iter(listing.orders))), size=20)
    for listing, where in (
        (ACTIVITIES, (("legacy", In((False,))),)),
        (POINTS, ()),
        (COUPONS, ()),
        (TRANSACTIONS, ()),
        (PASSES, ()),
        (STATUSES, ()),
    )
}
"""A customer's lists as they are asked for most: all rows, newest first, a page of default size. By collection."""
PREVIEW_FIRST: Final = 11
"""A preview is kept in two parts, of which small pages need the first alone: ten rows, and whether there is another."""
PREVIEW_PARTS: Final = {name: (name, f"{name}More") for name in PREVIEWS}
"""The keys of both."""


def form_of(previews: Mapping[str, PageRequest], first: int, parts: Mapping[str, tuple[str, str]]) -> str:
    """Returns a fingerprint of what a preview is."""
    return sha256(repr((previews, first, parts)).encode()).hexdigest()[:16]


PREVIEW_FORM: Final = form_of(PREVIEWS, PREVIEW_FIRST, PREVIEW_PARTS)
"""A version takes previews of its own form only."""


@lru_cache(256)
def parts_of_preview(page_request: PageRequest) -> tuple[str, ...]:
    """Returns the keys of a customer's preview that hold the requested rows (store/previews.py); empty if none does."""
    name = page_request.selection.listing.collection
    preview = PREVIEWS.get(name)
    if (
        preview is None
        or page_request.selection != preview.selection
        or page_request.position is not None
        or page_request.backwards
    ):
        return ()
    if page_request.size < PREVIEW_FIRST:
        return PREVIEW_PARTS[name][:1]
    return PREVIEW_PARTS[name] if page_request.size <= preview.size else ()
