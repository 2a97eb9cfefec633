"""Declares the collections of what other systems own: imported, shown, never edited here. Data; no I/O.

``status`` is our word for ``sourceStatus``, which is as the source has it (domain/mirrors.py).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from app.domain.vocabulary import (
    AmlCheckStatus,
    AmlConfidence,
    AmlEntityType,
    AmlListType,
    AmlPriority,
    AmlTrigger,
    CreditMemoReason,
    CreditMemoStatus,
    InvoiceStatus,
    InvoiceType,
    KycDocumentStatus,
    KycDocumentType,
    KycRequestStatus,
    OrderCancelCategory,
    OrderCanceller,
    OrderKind,
    OrderStatus,
    PaymentInstrumentStatus,
    QuoteCondition,
    QuoteStatus,
    QuoteType,
)
from app.store.forms import (
    ACTOR,
    ADDRESS,
    BOOLEAN,
    COUNT,
    COUNTRY,
    CURRENCY,
    CUSTOMER_ID,
    LONG_PERSONAL,
    MONEY,
    PERSONAL,
    TIME,
    WORD,
    Collection,
    Index,
    Schema,
    list_of,
    object_of,
    one_of,
    personal,
    reference,
    text,
)


def _mirror(
    statuses: type[StrEnum],
    required: Mapping[str, Schema],
    optional: Mapping[str, Schema],
    *,
    time: str = "createdAt",
    also_by: str,
    filters: tuple[str, ...],
) -> Collection:
    """Returns a collection that is listed by ``time``, with or without one of the filters, and by ``also_by``."""
    return Collection(
        required={
            **CUSTOMER_ID,
            "source": WORD,
            "status": one_of(statuses),
            "sourceStatus": WORD,
            time: TIME,
            **required,
        },
        optional={also_by: TIME, **optional},
        indexes=(
            Index(f"customerId {time} order _id", partial_on=time),
            *(Index(f"customerId {key} {time} order _id", partial_on=key) for key in ("status", *filters)),
            Index(f"customerId {also_by} order _id", partial_on="_id"),
        ),
    )


_ITEM = object_of({"name": WORD}, {"plan": WORD, "quantity": COUNT, "amount": MONEY})

MIRRORS: Final[Mapping[str, Collection]] = {
    "paymentInstruments": _mirror(
        PaymentInstrumentStatus,
        {"method": WORD, "isDefault": BOOLEAN, "useAsBackup": BOOLEAN},
        {
            "brand": WORD,
            **dict.fromkeys(("last4", "holder", "fingerprint", "bankName"), PERSONAL),
            **dict.fromkeys(("expMonth", "expYear"), COUNT),
            "billingAddress": ADDRESS,
            "stickyGateway": WORD,
            "bankCountry": COUNTRY,
            "digitalWallet": WORD,
        },
        also_by="lastPaymentAt",
        filters=("method",),
    ),
    "orders": _mirror(
        OrderStatus,
        {"number": WORD, "kind": one_of(OrderKind), "currency": CURRENCY, "items": list_of(_ITEM), "inTrial": BOOLEAN},
        {
            **dict.fromkeys(("startAt", "churnAt"), TIME),
            "currentPeriod": object_of({"startAt": TIME, "endAt": TIME}),
            "cancelledBy": one_of(OrderCanceller),
            "cancelCategory": one_of(OrderCancelCategory),
        },
        also_by="renewsAt",
        filters=("kind",),
    ),
    "invoices": _mirror(
        InvoiceStatus,
        {"number": WORD, "type": one_of(InvoiceType), "amount": MONEY},
        {"amountDue": MONEY, **dict.fromkeys(("issuedAt", "paidAt"), TIME), "orderId": reference("orders")},
        also_by="dueAt",
        filters=("type",),
    ),
    "quotes": _mirror(
        QuoteStatus,
        {
            "type": one_of(QuoteType),
            "initialAmount": MONEY,
            "acceptance": list_of(object_of({"condition": one_of(QuoteCondition), "fulfilled": BOOLEAN})),
        },
        {
            "number": WORD,
            "recurringAmount": MONEY,
            "orderId": reference("orders"),
            "invoiceId": reference("invoices"),
        },
        also_by="expiresAt",
        filters=("type",),
    ),
    "creditMemos": _mirror(
        CreditMemoStatus,
        {"number": WORD, "total": MONEY, "unused": MONEY, "items": list_of(_ITEM)},
        {"reason": one_of(CreditMemoReason), "invoiceId": reference("invoices")},
        also_by="issuedAt",
        filters=("reason",),
    ),
    "kycRequests": _mirror(
        KycRequestStatus,
        {
            "documents": list_of(
                object_of({"type": one_of(KycDocumentType)}, {"subtypes": list_of(WORD), "maxAttempts": COUNT})
            )
        },
        {"reason": PERSONAL},
        also_by="expiresAt",
        filters=(),
    ),
    # What is known of a document. The document itself is not stored here.
    "kycDocuments": _mirror(
        KycDocumentStatus,
        {"type": one_of(KycDocumentType), "tags": personal(list_of(text(100)))},
        {
            "subtype": WORD,
            "rejection": object_of({"type": WORD}, {"message": LONG_PERSONAL}),
            "reviewer": ACTOR,
            "processedAt": TIME,
            "requestId": reference("kycRequests"),
        },
        also_by="reviewedAt",
        filters=("type",),
    ),
    "amlChecks": _mirror(
        AmlCheckStatus,
        {
            "hits": list_of(
                object_of(
                    {"name": PERSONAL, "listType": one_of(AmlListType)},
                    {"entityType": one_of(AmlEntityType), "confidence": one_of(AmlConfidence)},
                )
            )
        },
        {
            "trigger": one_of(AmlTrigger),
            "priority": one_of(AmlPriority),
            "reviewer": ACTOR,
            "inheritedFromId": reference("amlChecks"),
            "noMatchReason": PERSONAL,
        },
        time="startedAt",
        also_by="reviewedAt",
        filters=("priority",),
    ),
}
