"""Declares the closed sets of values of what other systems own, in words."""

from enum import StrEnum

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
    OrderPhase,
    OrderStatus,
    PaymentInstrumentStatus,
    QuoteCondition,
    QuoteStatus,
    QuoteType,
)
from app.schema.base import describe

__all__ = [
    "AmlCheckOrderField",
    "AmlCheckStatus",
    "AmlConfidence",
    "AmlEntityType",
    "AmlListType",
    "AmlPriority",
    "AmlTrigger",
    "CreditMemoOrderField",
    "CreditMemoReason",
    "CreditMemoStatus",
    "InvoiceOrderField",
    "InvoiceStatus",
    "InvoiceType",
    "KycDocumentOrderField",
    "KycDocumentStatus",
    "KycDocumentType",
    "KycRequestOrderField",
    "KycRequestStatus",
    "OrderCancelCategory",
    "OrderCanceller",
    "OrderKind",
    "OrderOrderField",
    "OrderPhase",
    "OrderStatus",
    "PaymentInstrumentOrderField",
    "PaymentInstrumentStatus",
    "QuoteCondition",
    "QuoteOrderField",
    "QuoteStatus",
    "QuoteType",
]


class OrderOrderField(StrEnum):
    CREATED_AT = "CREATED_AT"
    RENEWS_AT = "RENEWS_AT"


class InvoiceOrderField(StrEnum):
    CREATED_AT = "CREATED_AT"
    DUE_AT = "DUE_AT"


class QuoteOrderField(StrEnum):
    CREATED_AT = "CREATED_AT"
    EXPIRES_AT = "EXPIRES_AT"


class CreditMemoOrderField(StrEnum):
    CREATED_AT = "CREATED_AT"
    ISSUED_AT = "ISSUED_AT"


class PaymentInstrumentOrderField(StrEnum):
    CREATED_AT = "CREATED_AT"
    LAST_PAYMENT_AT = "LAST_PAYMENT_AT"


class KycRequestOrderField(StrEnum):
    CREATED_AT = "CREATED_AT"
    EXPIRES_AT = "EXPIRES_AT"


class KycDocumentOrderField(StrEnum):
    CREATED_AT = "CREATED_AT"
    REVIEWED_AT = "REVIEWED_AT"


class AmlCheckOrderField(StrEnum):
    STARTED_AT = "STARTED_AT"
    REVIEWED_AT = "REVIEWED_AT"


describe(
    OrderKind,
    "A kind of order.",
    SUBSCRIPTION="It renews until somebody ends it.",
    ONE_TIME="It is fulfilled once.",
)
describe(
    OrderStatus,
    "The status of an order.",
    PENDING="It waits for a payment or an approval.",
    ACTIVE="It is in force, or will be from `startAt` on.",
    PAUSED="It is suspended for a time.",
    CANCELLED="It was cancelled; it is served until `churnAt`.",
    CHURNED="It was cancelled and has ended.",
    TRIAL_ENDED="It ended with its trial.",
    COMPLETED="It was fulfilled.",
    VOIDED="It was declared void.",
    ABANDONED="The customer did not complete it.",
    OTHER="Another status, see `sourceStatus`.",
)
describe(
    OrderPhase,
    "The phase of an order, by its status and times.",
    PENDING="It is pending.",
    UPCOMING="It is active and starts later.",
    ACTIVE="It is active and has started, is paused, or is cancelled and still served.",
    PAST="It is over.",
)
describe(
    OrderCanceller,
    "Who cancelled an order.",
    MERCHANT="The company.",
    CUSTOMER="The customer.",
    SYSTEM="The billing system by itself.",
)
describe(
    OrderCancelCategory,
    "A reason why an order was cancelled.",
    DID_NOT_USE="The customer did not use it.",
    DID_NOT_WANT="The customer did not want it.",
    MISSING_FEATURES="It lacked something.",
    BUGS_OR_PROBLEMS="It did not work well.",
    DO_NOT_REMEMBER="The customer does not remember it.",
    RISK_WARNING="A check warned of a risk.",
    CONTRACT_EXPIRED="The contract ended.",
    TOO_EXPENSIVE="It cost too much.",
    BILLING_FAILURE="It could not be charged.",
    OTHER="Another reason.",
)
describe(
    InvoiceType,
    "What an invoice is for.",
    INITIAL="The first payment of a subscription.",
    RENEWAL="A renewal of a subscription.",
    INTERIM="A change of a subscription between two renewals.",
    CANCELLATION="The end of a subscription.",
    ONE_TIME="An order that does not renew.",
    REFUND="A refund.",
    CHARGE="A charge without an order.",
    ONE_TIME_SALE="A sale without an order.",
)
describe(
    InvoiceStatus,
    "The status of an invoice.",
    DRAFT="It is being prepared.",
    QUOTATION="It is part of a quote.",
    UNPAID="It was issued and nothing was paid.",
    PARTIALLY_PAID="A part was paid.",
    PAID="It was paid in full.",
    PAST_DUE="It was not paid in time.",
    ABANDONED="The company has given up collecting it.",
    VOIDED="It was declared void.",
    PARTIALLY_REFUNDED="A part of what was paid was refunded.",
    REFUNDED="All that was paid was refunded.",
    DISPUTED="The customer disputes the payment.",
    OTHER="Another status, see `sourceStatus`.",
)
describe(
    QuoteType,
    "What accepting a quote does.",
    CREATION="It makes an order.",
    CHANGE="It changes an order.",
    REACTIVATION="It takes up an order again that had ended.",
)
describe(
    QuoteStatus,
    "The status of a quote.",
    DRAFT="It is being prepared.",
    ISSUED="The customer has it and may accept it.",
    ACCEPTED="It was accepted.",
    REJECTED="The customer rejected it.",
    CANCELLED="The company took it back.",
    EXPIRED="It was not accepted in time.",
    OTHER="Another status, see `sourceStatus`.",
)
describe(
    QuoteCondition,
    "A step that it takes to accept a quote.",
    CUSTOMER="The customer agrees.",
    PAYMENT="The customer pays.",
    ORGANIZATION="The company agrees.",
)
describe(
    CreditMemoStatus,
    "The status of a credit memo.",
    DRAFT="It is being prepared.",
    QUOTATION="It is part of a quote.",
    ISSUED="It was issued and nothing of it was used.",
    PARTIALLY_APPLIED="A part of it was used for invoices.",
    APPLIED="All of it was used for invoices.",
    VOIDED="It was declared void.",
    OTHER="Another status, see `sourceStatus`.",
)
describe(
    CreditMemoReason,
    "A reason for a credit memo.",
    RETURN="The goods came back.",
    PRODUCT_UNSATISFACTORY="The product was not what it should be.",
    ORDER_CHANGE="The order was changed.",
    ORDER_CANCELLATION="The order was cancelled.",
    CHARGEBACK="The bank took a payment back.",
    WRITE_OFF="The amount is given up.",
    WAIVER="The company waives the amount.",
    CUSTOMER_CREDIT="The customer is given a credit.",
    PREPAYMENT="The customer paid in advance.",
    OTHER="Another reason.",
)
describe(
    PaymentInstrumentStatus,
    "The status of a payment instrument.",
    ACTIVE="It can be used.",
    INACTIVE="It was never verified, or is not in use.",
    EXPIRED="The card has expired.",
    DEACTIVATED="It may no longer be used.",
    VERIFICATION_NEEDED="It has to be verified first.",
    OTHER="Another status, see `sourceStatus`.",
)
describe(
    KycRequestStatus,
    "The status of a KYC request.",
    GATHERING="Documents are being collected.",
    ATTEMPTED="The customer has begun.",
    PARTIAL="Some of the proofs were given.",
    PENDING_REVIEW="The proofs wait for a review.",
    FULFILLED="All proofs were accepted.",
    FAILED="The proofs were not accepted.",
    ABANDONED="The customer gave up.",
    EXPIRED="The proofs did not come in time.",
    OTHER="Another status, see `sourceStatus`.",
)
describe(
    KycDocumentType,
    "What a document proves.",
    IDENTITY_PROOF="It proves who the customer is.",
    ADDRESS_PROOF="It proves where the customer lives.",
    FUNDS_PROOF="It proves where the money comes from.",
    PURCHASE_PROOF="It proves a purchase.",
    CREDIT_FILE_PROOF="It shows what a credit agency knows about the customer.",
)
describe(
    KycDocumentStatus,
    "The status of a KYC document.",
    PENDING="It waits to be read.",
    IN_PROGRESS="It is being reviewed.",
    ACCEPTED="It was accepted.",
    REJECTED="It was rejected.",
    ARCHIVED="It was put aside.",
    OTHER="Another status, see `sourceStatus`.",
)
describe(
    AmlCheckStatus,
    "The status of an AML check.",
    PENDING_REVIEW="Something was found and waits for a review.",
    IN_REVIEW="Somebody reviews what was found.",
    NO_MATCH="Nothing was found.",
    CONFIRMED_MATCH="What was found is about the customer.",
    FALSE_POSITIVE="What was found is not about the customer.",
    OTHER="Another status, see `sourceStatus`.",
)
describe(
    AmlTrigger,
    "The event that causes an AML check.",
    SIGN_UP="The customer signed up.",
    RECURRING="A regular check was due.",
    PURCHASE="The customer made a purchase.",
)
describe(
    AmlPriority,
    "How urgent the review of an AML check is.",
    P0="The most urgent.",
    P1="Urgent.",
    P2="Ordinary.",
    P3="The least urgent.",
)
describe(
    AmlListType,
    "A kind of list that customers are compared with.",
    PEP="Persons in public office, and those close to them.",
    SANCTIONS="Persons and companies under sanctions.",
    ADVERSE_MEDIA="Reports in the media.",
    ENFORCEMENTS="Measures of authorities.",
    STATE_OWNED_ENTERPRISE="Companies that a state owns.",
)
describe(
    AmlEntityType,
    "What an entry of a list is about.",
    INDIVIDUAL="A person.",
    ENTITY="A company or another body.",
)
describe(
    AmlConfidence,
    "How similar a name on a list and the customer's name are.",
    WEAK="Hardly similar.",
    MEDIUM="Somewhat similar.",
    STRONG="Very similar.",
    VERY_STRONG="Almost the same.",
)
describe(
    OrderOrderField,
    "A field to sort orders by. Ties are broken by id.",
    CREATED_AT="The time when it was created.",
    RENEWS_AT="The time of the next renewal. Rows without it are lowest.",
)
describe(
    InvoiceOrderField,
    "A field to sort invoices by. Ties are broken by id.",
    CREATED_AT="The time when it was created.",
    DUE_AT="The time by which it is to be paid. Rows without it are lowest.",
)
describe(
    QuoteOrderField,
    "A field to sort quotes by. Ties are broken by id.",
    CREATED_AT="The time when it was created.",
    EXPIRES_AT="The time when it expires. Rows without it are lowest.",
)
describe(
    CreditMemoOrderField,
    "A field to sort credit memos by. Ties are broken by id.",
    CREATED_AT="The time when it was created.",
    ISSUED_AT="The time when it was issued. Rows without it are lowest.",
)
describe(
    PaymentInstrumentOrderField,
    "A field to sort payment instruments by. Ties are broken by id.",
    CREATED_AT="The time when it was added.",
    LAST_PAYMENT_AT="The time of the last payment. Rows without it are lowest.",
)
describe(
    KycRequestOrderField,
    "A field to sort KYC requests by. Ties are broken by id.",
    CREATED_AT="The time when it was created.",
    EXPIRES_AT="The time when it expires. Rows without it are lowest.",
)
describe(
    KycDocumentOrderField,
    "A field to sort KYC documents by. Ties are broken by id.",
    CREATED_AT="The time when it was handed in.",
    REVIEWED_AT="The time when it was reviewed. Rows without it are lowest.",
)
describe(
    AmlCheckOrderField,
    "A field to sort AML checks by. Ties are broken by id.",
    STARTED_AT="The time when it was started.",
    REVIEWED_AT="The time when it was decided. Rows without it are lowest.",
)
