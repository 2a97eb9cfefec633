"""Lists the kinds of documents that have an id: one row for each, and every table of theirs is read from here. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind says what one kind of document is called in each place."""

    collection: str
    """Where it is stored."""
    prefix: str
    """Ids begin with it and an underscore."""
    type: str
    """The GraphQL object type."""
    noun: str
    """One of them, in messages."""
    import_word: str | None = None
    """The ``kind`` of a line of an import; None for what is not imported."""


KINDS: Final[Sequence[Kind]] = (
    Kind("customers", prefix="cus", type="Customer", noun="customer", import_word="customer"),
    Kind("activities", prefix="act", type="Activity", noun="activity", import_word="activity"),
    Kind("points", prefix="pts", type="PointsEntry", noun="points entry", import_word="points"),
    Kind("coupons", prefix="cpn", type="Coupon", noun="coupon", import_word="coupon"),
    Kind("transactions", prefix="txn", type="Transaction", noun="transaction", import_word="transaction"),
    Kind("passes", prefix="pas", type="Pass", noun="pass", import_word="pass"),
    Kind("pushes", prefix="psh", type="PassPush", noun="push"),
    Kind("statuses", prefix="sts", type="StatusChange", noun="status change", import_word="status"),
    Kind("emails", prefix="eml", type="Email", noun="e-mail", import_word="email"),
    Kind("deliveries", prefix="dlv", type="EmailDelivery", noun="delivery"),
    Kind("notes", prefix="not", type="Note", noun="note", import_word="note"),
    Kind("audit", prefix="aud", type="AuditEntry", noun="audit entry"),
    Kind("exports", prefix="exp", type="Export", noun="export"),
    Kind("adjustments", prefix="adj", type="PointsAdjustment", noun="adjustment"),
    Kind("blocklist", prefix="blk", type="BlocklistEntry", noun="blocklist entry"),
    Kind("merges", prefix="mrg", type="Merge", noun="merge"),
    Kind("erasures", prefix="ers", type="Erasure", noun="erasure"),
    Kind("segments", prefix="seg", type="Segment", noun="segment"),
    Kind(
        "searches",
        prefix="eds",
        type="DueDiligenceSearch",
        noun="due diligence search",
        import_word="dueDiligenceSearch",
    ),
    Kind("requests", prefix="req", type="Request", noun="request"),
    Kind(
        "paymentInstruments",
        prefix="pin",
        type="PaymentInstrument",
        noun="payment instrument",
        import_word="paymentInstrument",
    ),
    Kind("orders", prefix="ord", type="Order", noun="order", import_word="order"),
    Kind("invoices", prefix="inv", type="Invoice", noun="invoice", import_word="invoice"),
    Kind("quotes", prefix="quo", type="Quote", noun="quote", import_word="quote"),
    Kind("creditMemos", prefix="crm", type="CreditMemo", noun="credit memo", import_word="creditMemo"),
    Kind("kycRequests", prefix="kyr", type="KycRequest", noun="KYC request", import_word="kycRequest"),
    Kind("kycDocuments", prefix="kyd", type="KycDocument", noun="KYC document", import_word="kycDocument"),
    Kind("amlChecks", prefix="aml", type="AmlCheck", noun="AML check", import_word="amlCheck"),
    Kind("looks", prefix="lok", type="Look", noun="look"),
    Kind("uploads", prefix="upl", type="Upload", noun="upload"),
    Kind("webhookEndpoints", prefix="whe", type="WebhookEndpoint", noun="webhook endpoint"),
    Kind("webhookDeliveries", prefix="whd", type="WebhookDelivery", noun="webhook delivery"),
    Kind("imports", prefix="imp", type="Import", noun="import"),
)

BY_COLLECTION: Final[Mapping[str, Kind]] = {kind.collection: kind for kind in KINDS}
BY_PREFIX: Final[Mapping[str, Kind]] = {kind.prefix: kind for kind in KINDS}
BY_TYPE: Final[Mapping[str, Kind]] = {kind.type: kind for kind in KINDS}
BY_IMPORT_WORD: Final[Mapping[str, Kind]] = {kind.import_word: kind for kind in KINDS if kind.import_word}
