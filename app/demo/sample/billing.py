"""Tells what other systems own of a customer: orders and invoices, quotes, credit, ways to pay, proofs and checks."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from app.demo.sample.goods import SUBSCRIPTIONS, Product, price, show
from app.demo.sample.life import Life
from app.demo.sample.people import FINANCE, SERVICE, SYSTEM
from app.domain.attributes import Amount, Raw
from app.domain.import_lines import COLLECTION_OF, STATUSES
from app.domain.mirrors import status_of
from app.store.driver import Document

_STATUSES: Final = {COLLECTION_OF[kind]: statuses for kind, statuses in STATUSES.items()}
_BASIC, _PLUS, _FAMILY = SUBSCRIPTIONS
_MONTH: Final = timedelta(days=30)


def _write(life: Life, collection: str, source_status: str, **fields: Any) -> Document:
    """Writes a row as the billing system reports it, in its words for the status."""
    status = status_of(_STATUSES[collection], source_status)
    given = {"source": "billing", "status": status, "sourceStatus": source_status, **fields}
    return life.write(collection, {"startedAt" if collection == "amlChecks" else "createdAt": life.clock, **given})


def _order(life: Life, product: Product, status: str, **fields: Any) -> Document:
    amount = price(product.euros, life.currency)
    return _write(
        life,
        "orders",
        status,
        number=life.code("SO-"),
        kind="SUBSCRIPTION",
        currency=life.currency,
        items=[{"name": product.name, "plan": product.code, "quantity": 1, "amount": amount}],
        **{"inTrial": False, **fields},
    )


def _invoice(life: Life, order: Document, type_: str, status: str, **fields: Any) -> Document:
    amount: Amount = order["items"][0]["amount"]
    invoice = _write(
        life,
        "invoices",
        status,
        number=life.code("INV-"),
        type=type_,
        amount=amount,
        orderId=order["_id"],
        **{"issuedAt": life.clock, "dueAt": life.clock + timedelta(days=14), **fields},
    )
    told: dict[str, Raw] = {"invoiceNumber": invoice["number"], "amount": amount}
    life.tell("INVOICE_ISSUED", told, about=invoice)
    return invoice


def _nothing(life: Life) -> Amount:
    return price(Decimal(0), life.currency)


# ---------------------------------------------------------------- stories


def renew_the_card(life: Life) -> None:
    """Tells of a card that has expired, and of the new one that is charged from now on."""
    holder, address = life.customer["name"], life.customer.get("billingAddress")
    card = {"method": "payment-card", "brand": "Visa", "holder": holder, "billingAddress": address}
    past, ahead = life.now - timedelta(days=200), life.now + timedelta(days=900)
    _write(
        life, "paymentInstruments", "expired", **card, last4="1881", expMonth=past.month, expYear=past.year,
        isDefault=False, useAsBackup=False, fingerprint="fp_7a31", lastPaymentAt=past,
    )  # fmt: skip
    new = _write(
        life, "paymentInstruments", "active", **card, last4="4242", expMonth=ahead.month, expYear=ahead.year,
        isDefault=True, useAsBackup=False, fingerprint="fp_c09e", digitalWallet="Apple Pay", lastPaymentAt=life.clock,
    )  # fmt: skip
    _write(
        life, "paymentInstruments", "active", method="ach", last4="3210", holder=holder, bankName="Hafenbank",
        bankCountry="DE", isDefault=False, useAsBackup=True, stickyGateway="hafenbank-direct",
    )  # fmt: skip
    life.tell("PAYMENT_INSTRUMENT_ADDED", {"paymentInstrument": "Visa •••• 4242"}, by=life.myself, about=new)


def owe_for_a_subscription(life: Life) -> None:
    """Tells of a subscription whose last invoice is past due."""
    start = life.clock - _MONTH
    order = _order(
        life, _PLUS, "active", startAt=start, renewsAt=life.now + timedelta(days=12),
        currentPeriod={"startAt": life.clock, "endAt": life.now + timedelta(days=12)},
    )  # fmt: skip
    bought: dict[str, Raw] = {"orderId": order["number"], "productName": _PLUS.name}
    life.tell("BILLING_ORDER_CREATED", {**bought, "amount": order["items"][0]["amount"]}, about=order)
    _invoice(life, order, "INITIAL", "paid", amountDue=_nothing(life), paidAt=life.clock)
    due = _invoice(
        life, order, "RENEWAL", "past-due", amountDue=order["items"][0]["amount"], dueAt=life.clock + timedelta(days=3)
    )
    declined: dict[str, Raw] = {"amount": due["amount"], "paymentMethod": "Visa •••• 1881"}
    life.tell("PAYMENT_DECLINED", declined, about=due)


def order_this_and_that(life: Life) -> None:
    """Tells of orders in every phase, and of one whose status only its source understands."""
    _order(life, _BASIC, "pending")
    _order(life, _FAMILY, "active", startAt=life.now + timedelta(days=20), renewsAt=life.now + timedelta(days=50))
    _order(life, _BASIC, "trial-ended", startAt=life.clock - _MONTH, inTrial=False)
    _order(life, _BASIC, "delinquent", startAt=life.clock - _MONTH)
    leaving = _order(
        life, _FAMILY, "canceled", startAt=life.clock - 3 * _MONTH, cancelledBy="CUSTOMER",
        cancelCategory="TOO_EXPENSIVE", churnAt=life.now + timedelta(days=9),
    )  # fmt: skip
    bought: dict[str, Raw] = {"orderId": leaving["number"], "productName": _FAMILY.name}
    life.tell("BILLING_SUBSCRIPTION_CANCELLED", bought, by=life.myself, about=leaving)


def accept_a_quote(life: Life) -> None:
    """Tells of an offer that was accepted, and of the order and the invoice that followed."""
    order = _order(life, _FAMILY, "active", startAt=life.clock, renewsAt=life.now + timedelta(days=5))
    invoice = _invoice(life, order, "INITIAL", "paid", amountDue=_nothing(life), paidAt=life.clock)
    accepted = [{"condition": condition, "fulfilled": True} for condition in ("CUSTOMER", "PAYMENT")]
    amount = order["items"][0]["amount"]
    quote = _write(
        life, "quotes", "accepted", number=life.code("QU-"), type="CREATION", initialAmount=amount,
        recurringAmount=amount, acceptance=accepted, expiresAt=life.clock + _MONTH, orderId=order["_id"],
        invoiceId=invoice["_id"],
    )  # fmt: skip
    life.tell("QUOTE_ISSUED", {"amount": amount}, by=life.one_of(SERVICE), about=quote)


def give_credit(life: Life) -> None:
    """Tells of goods that came back, and of a credit that is used in part."""
    paid = next(each for each in life.documents["invoices"] if each["status"] == "PAID")
    total, left = (price(Decimal(euros), life.currency) for euros in ("24.00", "9.00"))
    memo = _write(
        life, "creditMemos", "partially-applied", number=life.code("CM-"), reason="RETURN", total=total, unused=left,
        items=[{"name": "Ceramic dripper", "quantity": 1, "amount": total}], issuedAt=life.clock,
        invoiceId=paid["_id"],
    )  # fmt: skip
    message = f"{show(left)} are left."
    life.tell("CREDIT_MEMO_CREATED", {"amount": total}, by=FINANCE, about=memo, message=message)


def prove_who_they_are(life: Life) -> None:
    """Tells of a large deposit: a passport was asked for, the first picture was blurred, the second one accepted."""
    asked = {"type": "IDENTITY_PROOF", "subtypes": ["passport", "id-card"], "maxAttempts": 3}
    request = _write(
        life, "kycRequests", "fulfilled", documents=[asked], reason="A deposit of 5,000 EUR", expiresAt=life.day(7)
    )
    told: dict[str, Raw] = {"documentTypes": ["Passport"]}
    life.tell("KYC_DOCUMENT_REQUESTED", told, by=FINANCE, about=request)
    passport = {"type": "IDENTITY_PROOF", "subtype": "passport", "requestId": request["_id"]}
    blurred = {"type": "document-unreadable", "message": "The picture is blurred: please take it in daylight."}
    for status, more in (
        ("rejected", {"reviewer": SYSTEM, "rejection": blurred, "tags": ["blurred"]}),
        ("accepted", {"reviewer": FINANCE, "tags": list[str]()}),
    ):
        times = {"processedAt": life.clock, "reviewedAt": life.clock}
        document = _write(life, "kycDocuments", status, **passport, **more, **times)
        life.tell("KYC_DOCUMENT_UPLOADED", told, by=life.myself, about=document)


def share_a_name(life: Life) -> None:
    """Tells of a check against money laundering that found another person, and of the next one, which remembered it."""
    name = life.customer["name"]
    hit = {"name": name.upper(), "listType": "PEP", "entityType": "INDIVIDUAL", "confidence": "STRONG"}
    found = {"hits": [hit], "noMatchReason": "Born in another year", "priority": "P2", "reviewedAt": life.clock}
    first = _write(life, "amlChecks", "false-positive", trigger="PURCHASE", reviewer=FINANCE, **found)
    again = _write(
        life, "amlChecks", "false-positive", trigger="RECURRING", reviewer=SYSTEM, **found,
        inheritedFromId=first["_id"],
    )  # fmt: skip
    for check, name in ((first, "AML-2290"), (again, "AML-2291")):
        checked: dict[str, Raw] = {"checkId": name}
        life.tell("AML_CHECK_COMPLETED", checked, about=check)
