"""A customer's lists: rows that fill them, and each of their filters and orders."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import product
from typing import Any

from app.store.driver import Document
from tests.support.schema_walk import below, fields_of, values_of
from tests.support.world import ago

WINDOW = f'{{from: "{ago(days=60).isoformat()}", to: "{ago(days=30).isoformat()}"}}'
FILTERS: Mapping[str, Mapping[str, str]] = {
    "ActivityFilter": {
        "occurredAt": WINDOW,
        "types": '["SUBSCRIPTION_RENEWED", "NOTE_ADDED"]',
        "groups": "[SUBSCRIPTION, NOTE]",
        "actorKinds": "[AGENT, API]",
        "actorIds": '["mira"]',
        "sources": '["platform", "overview"]',
        "notes": "ONLY",
        "text": '"renewed"',
        "hideSystem": "true",
        "legacy": "true",
    },
    "PointsFilter": {
        "occurredAt": WINDOW,
        "kinds": "[SPENT, EXPIRED]",
    },
    "CouponFilter": {
        "redeemed": "true",
        "origins": "[REWARD, MANUAL]",
        "types": '["gift", "points"]',
        "addedAt": WINDOW,
        "expiresAt": WINDOW,
    },
    "PassFilter": {"types": "[GOOGLE]"},
    "TransactionFilter": {
        "occurredAt": WINDOW,
        "types": "[REFUND, VOID]",
        "statuses": "[PENDING, REJECTED]",
    },
    "RequestFilter": {
        "kinds": '["PORTAL_LINK", "PAYOUT"]',
        "statuses": "[FAILED, EXPIRED]",
        "open": "false",
        "requestedAt": WINDOW,
    },
    "PaymentInstrumentFilter": {
        "statuses": "[INACTIVE, OTHER]",
        "methods": '["payment-card", "paypal"]',
        "createdAt": WINDOW,
    },
    "OrderFilter": {
        "phases": "[UPCOMING, PAST]",
        "kinds": "[ONE_TIME]",
        "statuses": "[PAUSED, OTHER]",
        "createdAt": WINDOW,
    },
    "InvoiceFilter": {
        "statuses": "[PAST_DUE, OTHER]",
        "types": "[RENEWAL, CHARGE]",
        "dueAt": WINDOW,
        "createdAt": WINDOW,
    },
    "QuoteFilter": {
        "statuses": "[DRAFT, EXPIRED]",
        "types": "[CHANGE, REACTIVATION]",
        "createdAt": WINDOW,
    },
    "CreditMemoFilter": {
        "statuses": "[DRAFT, APPLIED]",
        "reasons": "[RETURN, OTHER]",
        "createdAt": WINDOW,
    },
    "KycRequestFilter": {
        "statuses": "[FAILED, OTHER]",
        "createdAt": WINDOW,
    },
    "KycDocumentFilter": {
        "statuses": "[REJECTED, ARCHIVED]",
        "types": "[IDENTITY_PROOF, FUNDS_PROOF]",
        "createdAt": WINDOW,
    },
    "AmlCheckFilter": {
        "statuses": "[PENDING_REVIEW, FALSE_POSITIVE]",
        "priorities": "[P0, P2]",
        "startedAt": WINDOW,
    },
}
"""Each filter of the schema, with a value that some rows have and most have not."""


def cycle(number: int, *values: Any) -> Any:
    """Returns the value whose turn it is."""
    return values[number % len(values)]


def noise(collection: str, number: int) -> Document:
    """Returns a row's keys: every value of every filter, never in two rows in a row; two each are of one moment."""
    return {**_noise(collection, number), **({"order": number} if number % 3 else {})}


def _noise(collection: str, number: int) -> Document:
    moment = ago(days=number // 2 * 2)
    match collection:
        case "activities":
            return {
                "type": cycle(number, "ORDER_CREATED", "NOTE_ADDED", "BIRTHDAY", "SUBSCRIPTION_RENEWED", "OLD"),
                "source": cycle(number, "esuite", "billing", "platform", "loyalty", "overview", "callcenter", "esuite"),
                "actor": {
                    "kind": cycle(number, "SYSTEM", "AGENT", "IMPORT", "API", "SYSTEM", "CUSTOMER"),
                    "name": "X",
                    **({"id": "mira"} if number % 4 == 0 else {}),
                },
                "occurredAt": moment,
                **({"points": number} if number % 3 == 0 else {}),
            }
        case "points":
            kind = cycle(number, "EARNED", "SPENT", "RESERVED", "EXPIRED", "ADJUSTED")
            return {"seq": number + 1, "kind": kind, "occurredAt": moment}
        case "coupons":
            return {
                "addedAt": moment,
                "redeemed": number % 3 == 0,
                "origin": cycle(number, "RULE", "REWARD", "MANUAL"),
                "type": cycle(number, "discount", "gift", "points", "discount"),
                **({"expiresAt": moment} if number % 5 else {}),
                **({"redeemedAt": moment} if number % 3 == 0 else {}),
            }
        case "transactions":
            type_, status = cycle(number, "SALE", "REFUND", "SALE", "VOID"), cycle(number, "ACCEPTED", "PENDING")
            return {"occurredAt": moment, "type": type_, "status": status}
        case "passes":
            return {"createdAt": moment, "updatedAt": moment, "type": cycle(number, "APPLE", "GOOGLE")}
        case "notes":
            return {"createdAt": moment}
        case "requests":
            status = cycle(number, "SENT", "FAILED", "SUCCEEDED", "EXPIRED")
            kind = cycle(number, "REFUND", "PORTAL_LINK", "DEPOSIT", "PAYOUT", "ORDER")
            return {"kind": kind, "status": status, "open": status == "SENT", "requestedAt": moment}
        case _ if collection in _MIRRORS:
            return _MIRRORS[collection](number, moment)
        case "emails":
            return {"sentAt": moment}
        case _:
            return {"changedAt": moment}


def _mirror(
    statuses: str, also_by: str, *, time: str = "createdAt", **others: str
) -> Callable[[int, datetime], Document]:
    """Returns what makes rows whose statuses and other words take turns; every fifth lacks the second time."""

    def row(number: int, moment: datetime) -> Document:
        words = {key: cycle(number, *values.split()) for key, values in others.items()}
        status = cycle(number, *statuses.split())
        return {"status": status, time: moment, **words, **({also_by: moment} if number % 5 else {})}

    return row


_MIRRORS = {
    "paymentInstruments": _mirror("ACTIVE INACTIVE EXPIRED OTHER", "lastPaymentAt", method="payment-card ach paypal"),
    "orders": _mirror("ACTIVE PAUSED CHURNED OTHER", "renewsAt", kind="SUBSCRIPTION ONE_TIME"),
    "invoices": _mirror("PAID PAST_DUE UNPAID OTHER", "dueAt", type="INITIAL RENEWAL ONE_TIME CHARGE"),
    "quotes": _mirror("ISSUED DRAFT ACCEPTED EXPIRED", "expiresAt", type="CREATION CHANGE CREATION REACTIVATION"),
    "creditMemos": _mirror("ISSUED DRAFT VOIDED APPLIED", "issuedAt", reason="WAIVER RETURN CHARGEBACK OTHER"),
    "kycRequests": _mirror("GATHERING FAILED FULFILLED OTHER", "expiresAt"),
    "kycDocuments": _mirror(
        "PENDING REJECTED ACCEPTED ARCHIVED", "reviewedAt", type="IDENTITY_PROOF ADDRESS_PROOF FUNDS_PROOF"
    ),
    "amlChecks": _mirror(
        "NO_MATCH PENDING_REVIEW CONFIRMED_MATCH FALSE_POSITIVE", "reviewedAt", time="startedAt", priority="P0 P1 P2 P3"
    ),
}

COLLECTION_OF = {
    "statusHistory": "statuses",
    "activities": "activities",
    "pointsHistory": "points",
    "coupons": "coupons",
    "transactions": "transactions",
    "passes": "passes",
    "notes": "notes",
    "emailHistory": "emails",
    "requests": "requests",
    "paymentInstruments": "paymentInstruments",
    "orders": "orders",
    "invoices": "invoices",
    "quotes": "quotes",
    "creditMemos": "creditMemos",
    "kycRequests": "kycRequests",
    "kycDocuments": "kycDocuments",
    "amlChecks": "amlChecks",
}


def lists() -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yields each list of a customer: its name, and the types of its arguments."""
    for place in below("Customer").values():
        if place.on == "Customer" and "after" in place.field.args:
            yield place.name, place.arguments


SCANNED = {"text", "phases"}
"""What no index finds by itself: rows of the account are read until the page is full, and priced so."""


def single_filters() -> Iterator[tuple[str, str]]:
    """Yields each list with no filter, and with each of its filters alone that an index can find."""
    for name, arguments in lists():
        yield name, ""
        for condition, value in filters_of(arguments).items():
            if condition not in SCANNED:
                yield name, f"filter: {{{condition}: {value}}}"


def orders() -> Iterator[tuple[str, str]]:
    """Yields each list in each order that can be asked for."""
    for name, arguments in lists():
        if "orderBy" in arguments:
            by, direction = fields_of(arguments["orderBy"]).values()
            for field, way in product(values_of(by), values_of(direction)):
                yield name, f"orderBy: {{field: {field}, direction: {way}}}"


def filters_of(arguments: Mapping[str, str]) -> Mapping[str, str]:
    """Returns the conditions of a list's filter, each with a value."""
    if "filter" not in arguments:
        return {}
    values = FILTERS[arguments["filter"]]
    assert values.keys() == fields_of(arguments["filter"]).keys(), "a filter came or went: its cost is to be shown"
    return values
