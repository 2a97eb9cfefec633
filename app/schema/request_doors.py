"""Declares the mutations that ask other systems for something: one input for each kind of the catalogue.

The fields of an input are the attributes of its kind, beside the customer or the target, a reason and a key; a test
compares them.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Final, NamedTuple, cast

import strawberry
from strawberry.utils.str_converters import to_camel_case

from app.domain.external_requests import overrides
from app.domain.times import stored
from app.schema.base import Document, describe
from app.schema.changes import COMMON, KEY, AttributeInput, Changed
from app.schema.details import AddressInput
from app.schema.enums import OutcomeStatus, PaymentWay
from app.schema.external_requests import Request
from app.schema.mirror_enums import CreditMemoReason, KycDocumentType, OrderCancelCategory, OrderKind, QuoteCondition
from app.schema.rules import REQUEST, WITH_OWNER, Access
from app.schema.transactions import MoneyInput, Transaction

_REASON: Final = "The reason, at most 1,000 characters. Default: none."
_DESCRIPTION: Final = "What the customer reads of it, at most 1,000 characters. Default: nothing."
_CUSTOMER: Final = "The customer's id."
_REDIRECT: Final = "Where the customer comes back to. Default: as the other system has it."
_WEBSITE: Final = "The website, as the other system names it."
_INSTRUMENT: Final = "The payment instrument, as the other system names it. Default: the customer's default one."
_COUPONS: Final = "The coupons, as the other system names them. Default: none."


class QuoteAction(StrEnum):
    ISSUE = "ISSUE"
    RECALL = "RECALL"
    CANCEL = "CANCEL"


class CancellationTime(StrEnum):
    NOW = "NOW"
    AT_NEXT_RENEWAL = "AT_NEXT_RENEWAL"
    AT = "AT"


class AmlVerdict(StrEnum):
    NO_MATCH = "NO_MATCH"
    CONFIRMED_MATCH = "CONFIRMED_MATCH"
    FALSE_POSITIVE = "FALSE_POSITIVE"


class CustomAmountPolicy(StrEnum):
    BY_STRATEGY = "BY_STRATEGY"
    DENY = "DENY"
    ALLOW = "ALLOW"


describe(
    QuoteAction,
    "A step of a quote.",
    ISSUE="Send a draft to the customer.",
    RECALL="Take an issued quote back to a draft.",
    CANCEL="Cancel a draft or an issued quote.",
)
describe(
    CancellationTime,
    "When an order is cancelled.",
    NOW="At once.",
    AT_NEXT_RENEWAL="When what is paid for has ended.",
    AT="At the time that is given.",
)
describe(
    AmlVerdict,
    "A verdict on the hits of a check.",
    NO_MATCH="No hit is about the customer.",
    CONFIRMED_MATCH="A hit is about the customer.",
    FALSE_POSITIVE="The hits look like the customer, but are about somebody else.",
)
describe(
    CustomAmountPolicy,
    "Whether a customer may choose an amount of their own.",
    BY_STRATEGY="The strategy decides.",
    DENY="The customer may not choose an amount.",
    ALLOW="The customer may choose an amount within the given bounds.",
)


@strawberry.type(description="The result of a request to another system.")
class RequestPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: COMMON, REQUEST: "request"}

    request: Request | None = strawberry.field(description="The request.")


@strawberry.type(description="The result of several requests to another system: all were made, or none.")
class RequestRefundsPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: COMMON, REQUEST: "requests"}

    requests: list[Request | None] | None = strawberry.field(description="The requests, in the order of the input.")


@strawberry.type(description="The result of `recordOutsidePayment`.")
class RecordOutsidePaymentPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: f"{COMMON} transaction", REQUEST: "request"}

    request: Request | None = strawberry.field(description="The request, which has succeeded.")
    transaction: Transaction | None = strawberry.field(description="The transaction that records the payment.")


# ---------------------------------------------------------------- payments


@strawberry.input(description="A refund to ask for.")
class RequestRefundInput:
    transaction_id: strawberry.ID = strawberry.field(description="The id of the sale.")
    idempotency_key: str = strawberry.field(description=KEY)
    amount: Decimal | None = strawberry.field(
        default=None, description="The amount, in the currency of the sale. Default: all that can still be refunded."
    )
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="Several sales of one customer to refund whole.")
class RequestRefundsInput:
    transaction_ids: list[strawberry.ID] = strawberry.field(description="The ids of the sales; at least 1, at most 50.")
    idempotency_key: str = strawberry.field(description=KEY)
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="A payment to ask for.")
class RequestPaymentInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    amount: MoneyInput = strawberry.field(description="The amount to collect.")
    way: PaymentWay = strawberry.field(description="How it is collected.")
    idempotency_key: str = strawberry.field(description=KEY)
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    invoice_ids: list[str] | None = strawberry.field(
        default=None, description="The invoices that it pays, as the other system names them. Default: none."
    )
    payment_instrument_id: str | None = strawberry.field(default=None, description=_INSTRUMENT)
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="A payment that was made elsewhere: in cash, by bank transfer.")
class RecordOutsidePaymentInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    amount: MoneyInput = strawberry.field(description="The amount that was paid.")
    processed_at: datetime = strawberry.field(description="The time when it was paid, not in the future.")
    idempotency_key: str = strawberry.field(description=KEY)
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    invoice_ids: list[str] | None = strawberry.field(
        default=None, description="The invoices that it paid, as their system names them. Default: none."
    )
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="Whether the customer may choose an amount of their own.")
class CustomAmountInput:
    policy: CustomAmountPolicy = strawberry.field(description="Whether they may.")
    min: Decimal | None = strawberry.field(default=None, description="The least, with ALLOW. Default: no least.")
    max: Decimal | None = strawberry.field(default=None, description="The most, with ALLOW. Default: no most.")
    multiple_of: Decimal | None = strawberry.field(
        default=None, description="What it must be a multiple of, with ALLOW. Default: any amount."
    )


@strawberry.input(description="A deposit form to ask for. `strategyId` and `amounts` exclude each other.")
class RequestDepositInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    currency: str = strawberry.field(description="Three-letter currency code (ISO 4217).")
    website: str = strawberry.field(description=_WEBSITE)
    idempotency_key: str = strawberry.field(description=KEY)
    strategy_id: str | None = strawberry.field(
        default=None, description="The strategy that offers amounts, as the other system names it. Default: its own."
    )
    amounts: list[Decimal] | None = strawberry.field(
        default=None, description="The amounts to offer. Default: those of the strategy."
    )
    custom_amount: CustomAmountInput | None = strawberry.field(
        default=None, description="An amount of the customer's choice. Default: as the strategy says."
    )
    property_set_id: str | None = strawberry.field(
        default=None, description="The properties to ask for, as the other system names them. Default: none."
    )
    redirect_url: str | None = strawberry.field(default=None, description=_REDIRECT)
    expires_at: datetime | None = strawberry.field(
        default=None, description="When the form ends. Default: an hour after it was made."
    )
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="A payout to ask for. It cannot be undone.")
class RequestPayoutInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    amount: MoneyInput = strawberry.field(description="The amount to pay.")
    confirm_amount: Decimal = strawberry.field(description="The same amount once more, as a person has typed it.")
    idempotency_key: str = strawberry.field(description=KEY)
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    payment_instrument_id: str | None = strawberry.field(default=None, description=_INSTRUMENT)
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="A link to ask for, by which the customer chooses how they are paid.")
class RequestPayoutSelectionInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    amount: MoneyInput = strawberry.field(description="The amount to pay.")
    idempotency_key: str = strawberry.field(description=KEY)
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    redirect_url: str | None = strawberry.field(default=None, description=_REDIRECT)
    reason: str | None = strawberry.field(default=None, description=_REASON)


# ---------------------------------------------------------------- orders


@strawberry.input(description="A plan in an order.")
class OrderItemInput:
    plan_id: str = strawberry.field(description="The plan, as the other system names it.")
    quantity: int = strawberry.field(description="The quantity, at least 1.")
    overrides: str | None = strawberry.field(
        default=None,
        description="What differs from the plan for this order, a JSON object as text. It is sent as an object, and "
        "checked by the other system. Default: nothing.",
    )


@strawberry.input(description="An order to ask for.")
class RequestOrderInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    kind: OrderKind = strawberry.field(description="The kind of order.")
    website: str = strawberry.field(description=_WEBSITE)
    items: list[OrderItemInput] = strawberry.field(description="The plans, at least 1.")
    idempotency_key: str = strawberry.field(description=KEY)
    coupon_ids: list[str] | None = strawberry.field(default=None, description=_COUPONS)
    autopay: bool | None = strawberry.field(
        default=None, description="Whether renewals are paid without asking. Default: as the other system has it."
    )
    payment_instrument_id: str | None = strawberry.field(default=None, description=_INSTRUMENT)
    start_at: datetime | None = strawberry.field(default=None, description="When it begins. Default: at once.")
    abandon_at: datetime | None = strawberry.field(
        default=None, description="When it is given up if it is not paid. Default: never."
    )
    delinquency_period: str | None = strawberry.field(
        default=None, description="How long a payment may be late, an ISO 8601 duration such as P7D. Default: none."
    )
    invoice_issue_shift: str | None = strawberry.field(
        default=None, description="How long before the renewal the invoice is issued, ISO 8601. Default: not before."
    )
    invoice_due_shift: str | None = strawberry.field(
        default=None, description="How long after the issue the invoice is due, ISO 8601. Default: at once."
    )
    shipping: str | None = strawberry.field(default=None, description="How it is shipped. Default: as usual.")
    po_number: str | None = strawberry.field(default=None, description="The number of the customer's purchase order.")
    notes: str | None = strawberry.field(default=None, description="Notes on the order, at most 1,000 characters.")
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="A quote to ask for.")
class RequestQuoteInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    website: str = strawberry.field(description=_WEBSITE)
    items: list[OrderItemInput] = strawberry.field(description="The plans, at least 1.")
    idempotency_key: str = strawberry.field(description=KEY)
    coupon_ids: list[str] | None = strawberry.field(default=None, description=_COUPONS)
    expires_at: datetime | None = strawberry.field(
        default=None, description="When the offer ends. Default: as the other system has it, most often in a month."
    )
    redirect_url: str | None = strawberry.field(default=None, description=_REDIRECT)
    acceptance: list[QuoteCondition] | None = strawberry.field(
        default=None, description="What it takes to accept it. Default: as the other system has it."
    )
    terms: str | None = strawberry.field(default=None, description="Terms of the offer, at most 1,000 characters.")
    signatory: str | None = strawberry.field(default=None, description="The person who signs for the customer.")
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="An order to cancel.")
class RequestOrderCancellationInput:
    order_id: strawberry.ID = strawberry.field(description="The id of the order.")
    when: CancellationTime = strawberry.field(description="When it is cancelled.")
    idempotency_key: str = strawberry.field(description=KEY)
    at: datetime | None = strawberry.field(default=None, description="The time, with AT. Default: none.")
    category: OrderCancelCategory | None = strawberry.field(
        default=None, description="Why the customer cancels, for statistics. Default: nobody says."
    )
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    prorated: bool | None = strawberry.field(
        default=None, description="Whether unused time is paid back. Default: as the other system has it."
    )
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="A step of a quote to ask for.")
class RequestQuoteActionInput:
    quote_id: strawberry.ID = strawberry.field(description="The id of the quote.")
    action: QuoteAction = strawberry.field(description="The step.")
    idempotency_key: str = strawberry.field(description=KEY)
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="What a credit memo credits.")
class CreditMemoItemInput:
    description: str = strawberry.field(description="What it is for.")
    amount: Decimal = strawberry.field(description="The exact amount, more than zero, in the currency of the memo.")
    quantity: int = strawberry.field(default=1, description="The quantity, at least 1.")


@strawberry.input(description="A credit memo to ask for: by an amount or by items, not both.")
class RequestCreditMemoInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    category: CreditMemoReason = strawberry.field(description="Why it is credited, for the books.")
    idempotency_key: str = strawberry.field(description=KEY)
    amount: MoneyInput | None = strawberry.field(default=None, description="The amount. Default: that of the items.")
    items: list[CreditMemoItemInput] | None = strawberry.field(
        default=None, description="What is credited, at most 100. Default: one amount."
    )
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    invoice_id: str | None = strawberry.field(
        default=None, description="The invoice that it corrects, as the other system names it. Default: none."
    )
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="Coupons to redeem in the system that issued them.")
class RequestCouponRedemptionInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    coupon_ids: list[str] = strawberry.field(description="The coupons, as that system names them.")
    idempotency_key: str = strawberry.field(description=KEY)
    notify: bool | None = strawberry.field(
        default=None, description="Whether the customer is told. Default: as the other system has it."
    )
    reason: str | None = strawberry.field(default=None, description=_REASON)


# ---------------------------------------------------------------- links, instruments, documents


@strawberry.input(description="A link to ask for, to the customer's own portal.")
class RequestPortalLinkInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    portal_id: str = strawberry.field(description="The portal, as the other system names it.")
    idempotency_key: str = strawberry.field(description=KEY)
    redirect_url: str | None = strawberry.field(default=None, description=_REDIRECT)
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="A payment instrument to add.")
class RequestPaymentInstrumentInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    token: str = strawberry.field(
        description="The token that the payment service gave for it. Never a card number. It is handed on, and read by "
        "nobody here."
    )
    idempotency_key: str = strawberry.field(description=KEY)
    use_as_backup: bool | None = strawberry.field(
        default=None, description="Whether it is used when another one is declined. Default: it is not."
    )
    set_default: bool | None = strawberry.field(
        default=None, description="Whether it becomes the default. Default: it does not."
    )
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="The end of a card.")
class CardExpiryInput:
    month: int = strawberry.field(description="The month, 1 to 12.")
    year: int = strawberry.field(description="The year, with four digits.")


@strawberry.input(one_of=True, description="A change of a payment instrument: set exactly one field.")
class PaymentInstrumentChange:
    set_default: strawberry.Maybe[bool] = strawberry.field(description="Make it the default; true.")
    use_as_backup: strawberry.Maybe[bool] = strawberry.field(
        description="Whether it is used when another one is declined."
    )
    deactivate: strawberry.Maybe[bool] = strawberry.field(description="Never use it again; true.")
    expiry: strawberry.Maybe[CardExpiryInput] = strawberry.field(description="The end of the card that replaces it.")
    billing_address: strawberry.Maybe[AddressInput] = strawberry.field(description="Another billing address.")
    sticky_gateway: strawberry.Maybe[str] = strawberry.field(
        description="The payment gateway to use it with, as the other system names it."
    )


@strawberry.input(description="A payment instrument to change.")
class RequestPaymentInstrumentChangeInput:
    instrument_id: strawberry.ID = strawberry.field(description="The id of the payment instrument.")
    change: PaymentInstrumentChange = strawberry.field(description="The one thing to change.")
    idempotency_key: str = strawberry.field(description=KEY)
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="A document to look at, in the system that keeps it.")
class RequestKycDocumentLinkInput:
    document_id: strawberry.ID = strawberry.field(description="The id of the document.")
    idempotency_key: str = strawberry.field(description=KEY)
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="A verdict on a check.")
class RequestAmlReviewInput:
    check_id: strawberry.ID = strawberry.field(description="The id of the check.")
    verdict: AmlVerdict = strawberry.field(description="The verdict.")
    idempotency_key: str = strawberry.field(description=KEY)
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="A document to ask for.")
class KycDocumentRequestInput:
    type: KycDocumentType = strawberry.field(description="What it proves.")
    subtypes: list[str] | None = strawberry.field(
        default=None, description="The documents that do, such as passport. Default: any."
    )
    max_attempts: int | None = strawberry.field(
        default=None, description="How often the customer may try, 0 to 100; 0 is without limit. Default: 3."
    )
    selfie: bool | None = strawberry.field(
        default=None,
        description="Whether a picture of the person is needed; for IDENTITY_PROOF only. Default: it is not.",
    )
    liveness: bool | None = strawberry.field(
        default=None, description="Whether the person must move; for IDENTITY_PROOF only. Default: they need not."
    )


@strawberry.input(description="Documents to ask the customer for.")
class RequestKycDocumentsInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    documents: list[KycDocumentRequestInput] = strawberry.field(description="The documents, at least 1.")
    idempotency_key: str = strawberry.field(description=KEY)
    level: int = strawberry.field(default=2, description="How exactly names must match: 1 moderate, 2 strict, 3 basic.")
    redirect_url: str | None = strawberry.field(default=None, description=_REDIRECT)
    ui: str | None = strawberry.field(
        default=None, description="The form, 1 or 2. Default: as the other system has it."
    )
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="A link to ask for, by which the customer sends documents.")
class RequestKycUploadLinkInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    idempotency_key: str = strawberry.field(description=KEY)
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="A source system that is asked to erase what it knows of a customer.")
class RequestEraseAtSourceInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    source: str = strawberry.field(description="The system, as in the customer's `identities`.")
    source_customer_id: str = strawberry.field(
        description="The customer's id there. It is handed on, and kept by nobody."
    )
    idempotency_key: str = strawberry.field(description=KEY)
    reason: str | None = strawberry.field(default=None, description=_REASON)


# ---------------------------------------------------------------- any kind, and what became of it


@strawberry.input(description="A request of a kind of the company's own.")
class RequestInput:
    kind: str = strawberry.field(description="The code of the kind; `requestKinds` has them.")
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    idempotency_key: str = strawberry.field(description=KEY)
    attributes: list[AttributeInput] | None = strawberry.field(
        default=None, description="The attributes that the kind takes. Default: none."
    )
    reason: str | None = strawberry.field(default=None, description=_REASON)


@strawberry.input(description="The outcome of a request, as the system that was asked reports it.")
class CompleteRequestInput:
    request_id: strawberry.ID = strawberry.field(description="The request.")
    status: OutcomeStatus = strawberry.field(description="The outcome.")
    idempotency_key: str = strawberry.field(description=KEY)
    code: str | None = strawberry.field(default=None, description="The system's code for it, at most 128 characters.")
    message: str | None = strawberry.field(
        default=None, description="The other system's own message, at most 1,000 characters."
    )
    reference: str | None = strawberry.field(
        default=None, description="The other system's id of what it did, at most 255 characters."
    )
    at: datetime | None = strawberry.field(
        default=None, description="The time of the outcome in the other system. The newest decides. Default: now."
    )
    attributes: list[AttributeInput] | None = strawberry.field(
        default=None, description="What the kind lists, such as the `url` of a link for the customer. Default: nothing."
    )
    results: list[strawberry.ID] | None = strawberry.field(
        default=None, description="The ids of what came of it, such as a transaction; at most 100. Default: none."
    )


@strawberry.input(description="A request to call off. Only what nobody has yet can be.")
class CancelRequestInput:
    request_id: strawberry.ID = strawberry.field(description="The request.")
    reason: str = strawberry.field(description="The reason, at most 1,000 characters.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.input(description="A request to send again that could not be delivered.")
class RetryRequestInput:
    request_id: strawberry.ID = strawberry.field(description="The request.")
    idempotency_key: str = strawberry.field(description=KEY)
    reason: str | None = strawberry.field(default=None, description=_REASON)


# ---------------------------------------------------------------- the doors


class Door(NamedTuple):
    """A door is a mutation that asks for one kind. ``about``: a collection, and the input's field with the id in it."""

    mutation: str
    kind: str
    input: type
    about: tuple[str, str]
    description: str


_OF_CUSTOMER: Final = ("customers", "customerId")
DOORS: Final = (
    Door("requestPayment", "PAYMENT", RequestPaymentInput, _OF_CUSTOMER, "Ask for a payment."),
    Door("requestDeposit", "DEPOSIT", RequestDepositInput, _OF_CUSTOMER, "Ask for a deposit form for the customer."),
    Door(
        "requestPayout",
        "PAYOUT",
        RequestPayoutInput,
        _OF_CUSTOMER,
        "Ask for a payout, which cannot be undone. Limited for each role, per customer in 24 hours.",
    ),
    Door(
        "requestPayoutSelection",
        "PAYOUT_SELECTION",
        RequestPayoutSelectionInput,
        _OF_CUSTOMER,
        "Ask for a link by which the customer chooses how they are paid.",
    ),
    Door("requestOrder", "ORDER", RequestOrderInput, _OF_CUSTOMER, "Ask for an order."),
    Door("requestQuote", "QUOTE", RequestQuoteInput, _OF_CUSTOMER, "Ask for a quote."),
    Door(
        "requestOrderCancellation",
        "ORDER_CANCELLATION",
        RequestOrderCancellationInput,
        ("orders", "orderId"),
        "Ask for the cancellation of an order.",
    ),
    Door(
        "requestQuoteAction",
        "QUOTE_ACTION",
        RequestQuoteActionInput,
        ("quotes", "quoteId"),
        "Ask for a step of a quote: issue, recall or cancel it.",
    ),
    Door("requestCreditMemo", "CREDIT_MEMO", RequestCreditMemoInput, _OF_CUSTOMER, "Ask for a credit memo."),
    Door(
        "requestPaymentInstrumentChange",
        "PAYMENT_INSTRUMENT_CHANGE",
        RequestPaymentInstrumentChangeInput,
        ("paymentInstruments", "instrumentId"),
        "Ask for a change of a payment instrument.",
    ),
    Door(
        "requestKycDocumentLink",
        "KYC_DOCUMENT_LINK",
        RequestKycDocumentLinkInput,
        ("kycDocuments", "documentId"),
        "Ask for a link to look at a document, in the system that keeps it.",
    ),
    Door(
        "requestAmlReview",
        "AML_REVIEW",
        RequestAmlReviewInput,
        ("amlChecks", "checkId"),
        "Ask the system that checks for money laundering to take a verdict.",
    ),
    Door(
        "requestCouponRedemption",
        "COUPON_REDEMPTION",
        RequestCouponRedemptionInput,
        _OF_CUSTOMER,
        "Ask the system that issued coupons to redeem them. `redeemCoupon` marks those of this gateway as used.",
    ),
    Door("requestPortalLink", "PORTAL_LINK", RequestPortalLinkInput, _OF_CUSTOMER, "Ask for a link to the portal."),
    Door(
        "requestPaymentInstrument",
        "PAYMENT_INSTRUMENT",
        RequestPaymentInstrumentInput,
        _OF_CUSTOMER,
        "Ask for a payment instrument to be added.",
    ),
    Door(
        "requestKycDocuments",
        "KYC_DOCUMENTS",
        RequestKycDocumentsInput,
        _OF_CUSTOMER,
        "Ask for documents that prove who the customer is.",
    ),
    Door(
        "requestKycUploadLink",
        "KYC_UPLOAD_LINK",
        RequestKycUploadLinkInput,
        _OF_CUSTOMER,
        "Ask for a link by which the customer sends documents.",
    ),
    Door(
        "requestEraseAtSource",
        "ERASE_AT_SOURCE",
        RequestEraseAtSourceInput,
        _OF_CUSTOMER,
        "Ask a source system to erase what it knows of the customer.",
    ),
)
"""The mutations that do nothing but ask; the others have a resolver of their own."""
_OWN: Final = frozenset({"idempotency_key", "reason", "confirm_amount", "customer_id"})


def given_of(input: Any, target_field: str) -> Mapping[str, Any]:
    """Returns the attributes of an input by their names, as JSON has them; without those that were not given.

    Raises Invalid for what should be JSON and is not.
    """
    skipped = {*_OWN, target_field, "change"}
    given = {field.name: getattr(input, field.name) for field in fields(input) if field.name not in skipped}
    if (change := getattr(input, "change", None)) is not None:
        given |= {field.name: some.value for field in fields(change) if (some := getattr(change, field.name))}
    return {to_camel_case(name): _plain(value) for name, value in given.items() if value is not None}


def _plain(value: Any) -> Any:
    match value:
        case StrEnum():
            return value.value
        case datetime():
            return stored(value)
        case MoneyInput():
            return {"amount": value.amount, "currency": value.currency}
        case list():
            return [_text(each) for each in cast(list[Any], value)]
        case _ if hasattr(value, "__strawberry_definition__"):
            return _nested(value)
        case _:
            return value


def _nested(value: Any) -> Document:
    inner = {to_camel_case(field.name): getattr(value, field.name) for field in fields(value)}
    if isinstance(value, OrderItemInput) and value.overrides is not None:
        inner["overrides"] = overrides(value.overrides, "items", "overrides")
    return {name: _text(each) for name, each in inner.items() if each is not None}


def _text(value: Any) -> Any:
    """Returns an item of a list, or a value in an object: amounts are exact texts there."""
    return f"{value:f}" if isinstance(value, Decimal) else _plain(value)
