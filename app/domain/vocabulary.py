"""Lists the words that documents and schema share: closed sets of values. Value = name."""

from enum import StrEnum


class CustomerStatus(StrEnum):
    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"
    DEACTIVATED = "DEACTIVATED"
    ANONYMISED = "ANONYMISED"
    MERGED = "MERGED"


class ActorKind(StrEnum):
    AGENT = "AGENT"
    CUSTOMER = "CUSTOMER"
    SYSTEM = "SYSTEM"
    API = "API"
    IMPORT = "IMPORT"


class AccessLevel(StrEnum):
    ADMIN = "ADMIN"
    CUSTOMER_SERVICE_AGENT = "CUSTOMER_SERVICE_AGENT"
    AFFILIATE = "AFFILIATE"
    API_USER = "API_USER"
    CS_ADMIN = "CS_ADMIN"
    SALES_REP = "SALES_REP"
    FINANCE = "FINANCE"
    CUSTOMER = "CUSTOMER"


class CouponOrigin(StrEnum):
    REWARD = "REWARD"
    RULE = "RULE"
    MANUAL = "MANUAL"


class TransactionType(StrEnum):
    SALE = "SALE"
    REFUND = "REFUND"
    VOID = "VOID"


class TransactionStatus(StrEnum):
    ACCEPTED = "ACCEPTED"
    PENDING = "PENDING"
    REJECTED = "REJECTED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    VOIDED = "VOIDED"


class PassType(StrEnum):
    APPLE = "APPLE"
    GOOGLE = "GOOGLE"


class DeliveryStatus(StrEnum):
    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"


class PushStatus(StrEnum):
    QUEUED = "QUEUED"
    INFORMED = "INFORMED"
    FAILED = "FAILED"


class ActivityAction(StrEnum):
    RESEND_EMAIL = "RESEND_EMAIL"
    REDEEM_COUPON = "REDEEM_COUPON"
    EMAIL_PASS = "EMAIL_PASS"  # noqa: S105 # not a password
    PUSH_PASS = "PUSH_PASS"  # noqa: S105 # not a password
    REQUEST_REFUND = "REQUEST_REFUND"
    COMPLETE_REQUEST = "COMPLETE_REQUEST"
    CANCEL_REQUEST = "CANCEL_REQUEST"
    RETRY_REQUEST = "RETRY_REQUEST"


class Outcome(StrEnum):
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"


class ExportTable(StrEnum):
    CUSTOMERS = "CUSTOMERS"
    ACTIONS = "ACTIONS"
    CUSTOM_FIELDS = "CUSTOM_FIELDS"
    DETAILS = "DETAILS"
    DATA_SUBJECT = "DATA_SUBJECT"


class ReportTable(StrEnum):
    ACTIONS = "ACTIONS"
    CUSTOM_FIELDS = "CUSTOM_FIELDS"
    DETAILS = "DETAILS"


class ReportDimension(StrEnum):
    CAMPAIGN = "CAMPAIGN"
    CAMPAIGN_CATEGORY = "CAMPAIGN_CATEGORY"
    PRODUCT = "PRODUCT"
    CALL_CENTER = "CALL_CENTER"
    CURRENCY = "CURRENCY"
    COUNTRY = "COUNTRY"
    USER = "USER"


class SearchMatchKind(StrEnum):
    CUSTOMER_NUMBER = "CUSTOMER_NUMBER"
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    TRANSACTION = "TRANSACTION"
    ORDER = "ORDER"
    COUPON = "COUPON"
    PASS = "PASS"  # noqa: S105 # not a password
    NAME = "NAME"


class ExportFormat(StrEnum):
    CSV = "CSV"
    NDJSON = "NDJSON"
    ZIP = "ZIP"


class ExportStatus(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class AdjustmentStatus(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"


class SettableStatus(StrEnum):
    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"
    DEACTIVATED = "DEACTIVATED"


class DuplicateReason(StrEnum):
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    NAME_AND_DATE_OF_BIRTH = "NAME_AND_DATE_OF_BIRTH"


class TaxIdType(StrEnum):
    EU_VAT = "EU_VAT"
    OTHER = "OTHER"


class TaxIdValidity(StrEnum):
    UNCHECKED = "UNCHECKED"
    VALID = "VALID"
    INVALID = "INVALID"


class PinnedFor(StrEnum):
    ALL = "ALL"
    ME = "ME"


class BlocklistType(StrEnum):
    PAYMENT_CARD = "PAYMENT_CARD"
    BANK_ACCOUNT = "BANK_ACCOUNT"
    CUSTOMER_ID = "CUSTOMER_ID"
    EMAIL = "EMAIL"
    EMAIL_DOMAIN = "EMAIL_DOMAIN"
    IP_ADDRESS = "IP_ADDRESS"
    COUNTRY = "COUNTRY"
    FINGERPRINT = "FINGERPRINT"
    BIN = "BIN"
    ADDRESS = "ADDRESS"


class BlocklistSource(StrEnum):
    AUTOMATED_BLOCKLISTS = "AUTOMATED_BLOCKLISTS"
    MANUAL_BLOCKLISTS = "MANUAL_BLOCKLISTS"
    RISK_SCORE_RULES = "RISK_SCORE_RULES"


class DueDiligenceFactor(StrEnum):
    OCCUPATION = "OCCUPATION"
    ARREST = "ARREST"
    BANKRUPTCY = "BANKRUPTCY"
    FRAUD = "FRAUD"


class DueDiligenceScore(StrEnum):
    """From the best to the worst: two scores are compared by their places here."""

    NOT_FOUND = "NOT_FOUND"
    UNLIKELY = "UNLIKELY"
    UNCLEAR = "UNCLEAR"
    PROBABLE = "PROBABLE"
    CONFIRMED = "CONFIRMED"


class MergeField(StrEnum):
    NAME = "NAME"
    ORGANIZATION = "ORGANIZATION"
    JOB_TITLE = "JOB_TITLE"
    DATE_OF_BIRTH = "DATE_OF_BIRTH"
    WEBSITE = "WEBSITE"
    LOCALE = "LOCALE"
    BILLING_ADDRESS = "BILLING_ADDRESS"
    COUNTRY = "COUNTRY"
    LEAD_SOURCE = "LEAD_SOURCE"
    FIELDS = "FIELDS"


class MergeWarning(StrEnum):
    BLOCKED = "BLOCKED"
    REWARDED_TWICE = "REWARDED_TWICE"
    DUE_DILIGENCE_REQUIRED = "DUE_DILIGENCE_REQUIRED"


class MergeStatus(StrEnum):
    MOVING = "MOVING"
    DONE = "DONE"
    UNDOING = "UNDOING"
    UNDONE = "UNDONE"


class ReadGroup(StrEnum):
    IDENTITY = "IDENTITY"
    CONTACT = "CONTACT"
    HISTORY = "HISTORY"
    POINTS = "POINTS"
    COUPONS = "COUPONS"
    TRANSACTIONS = "TRANSACTIONS"
    PASSES = "PASSES"
    BILLING = "BILLING"
    MAIL = "MAIL"
    NOTES = "NOTES"
    COMPLIANCE = "COMPLIANCE"


class SegmentScope(StrEnum):
    PRIVATE = "PRIVATE"
    SHARED = "SHARED"
    PUBLIC = "PUBLIC"


class ErasureStatus(StrEnum):
    ERASING = "ERASING"
    DONE = "DONE"


class RequestStatus(StrEnum):
    QUEUED = "QUEUED"
    SENT = "SENT"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REVERSED = "REVERSED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    UNDELIVERED = "UNDELIVERED"


class OutcomeStatus(StrEnum):
    """It is what an executor may say of a request."""

    ACTION_REQUIRED = "ACTION_REQUIRED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REVERSED = "REVERSED"


class RequestExecutor(StrEnum):
    ENDPOINT = "ENDPOINT"
    MANUAL = "MANUAL"


class PaymentWay(StrEnum):
    INSTRUMENT = "INSTRUMENT"
    HOSTED_FORM = "HOSTED_FORM"


class OrderKind(StrEnum):
    SUBSCRIPTION = "SUBSCRIPTION"
    ONE_TIME = "ONE_TIME"


class OrderStatus(StrEnum):
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"
    CHURNED = "CHURNED"
    TRIAL_ENDED = "TRIAL_ENDED"
    COMPLETED = "COMPLETED"
    VOIDED = "VOIDED"
    ABANDONED = "ABANDONED"
    OTHER = "OTHER"


class OrderPhase(StrEnum):
    PENDING = "PENDING"
    UPCOMING = "UPCOMING"
    ACTIVE = "ACTIVE"
    PAST = "PAST"


class OrderCanceller(StrEnum):
    MERCHANT = "MERCHANT"
    CUSTOMER = "CUSTOMER"
    SYSTEM = "SYSTEM"


class OrderCancelCategory(StrEnum):
    DID_NOT_USE = "DID_NOT_USE"
    DID_NOT_WANT = "DID_NOT_WANT"
    MISSING_FEATURES = "MISSING_FEATURES"
    BUGS_OR_PROBLEMS = "BUGS_OR_PROBLEMS"
    DO_NOT_REMEMBER = "DO_NOT_REMEMBER"
    RISK_WARNING = "RISK_WARNING"
    CONTRACT_EXPIRED = "CONTRACT_EXPIRED"
    TOO_EXPENSIVE = "TOO_EXPENSIVE"
    BILLING_FAILURE = "BILLING_FAILURE"
    OTHER = "OTHER"


class InvoiceType(StrEnum):
    INITIAL = "INITIAL"
    RENEWAL = "RENEWAL"
    INTERIM = "INTERIM"
    CANCELLATION = "CANCELLATION"
    ONE_TIME = "ONE_TIME"
    REFUND = "REFUND"
    CHARGE = "CHARGE"
    ONE_TIME_SALE = "ONE_TIME_SALE"


class InvoiceStatus(StrEnum):
    DRAFT = "DRAFT"
    QUOTATION = "QUOTATION"
    UNPAID = "UNPAID"
    PARTIALLY_PAID = "PARTIALLY_PAID"
    PAID = "PAID"
    PAST_DUE = "PAST_DUE"
    ABANDONED = "ABANDONED"
    VOIDED = "VOIDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    DISPUTED = "DISPUTED"
    OTHER = "OTHER"


class QuoteType(StrEnum):
    CREATION = "CREATION"
    CHANGE = "CHANGE"
    REACTIVATION = "REACTIVATION"


class QuoteStatus(StrEnum):
    DRAFT = "DRAFT"
    ISSUED = "ISSUED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    OTHER = "OTHER"


class QuoteCondition(StrEnum):
    CUSTOMER = "CUSTOMER"
    PAYMENT = "PAYMENT"
    ORGANIZATION = "ORGANIZATION"


class CreditMemoStatus(StrEnum):
    DRAFT = "DRAFT"
    QUOTATION = "QUOTATION"
    ISSUED = "ISSUED"
    PARTIALLY_APPLIED = "PARTIALLY_APPLIED"
    APPLIED = "APPLIED"
    VOIDED = "VOIDED"
    OTHER = "OTHER"


class CreditMemoReason(StrEnum):
    RETURN = "RETURN"
    PRODUCT_UNSATISFACTORY = "PRODUCT_UNSATISFACTORY"
    ORDER_CHANGE = "ORDER_CHANGE"
    ORDER_CANCELLATION = "ORDER_CANCELLATION"
    CHARGEBACK = "CHARGEBACK"
    WRITE_OFF = "WRITE_OFF"
    WAIVER = "WAIVER"
    CUSTOMER_CREDIT = "CUSTOMER_CREDIT"
    PREPAYMENT = "PREPAYMENT"
    OTHER = "OTHER"


class PaymentInstrumentStatus(StrEnum):
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    EXPIRED = "EXPIRED"
    DEACTIVATED = "DEACTIVATED"
    VERIFICATION_NEEDED = "VERIFICATION_NEEDED"
    OTHER = "OTHER"


class KycRequestStatus(StrEnum):
    GATHERING = "GATHERING"
    ATTEMPTED = "ATTEMPTED"
    PARTIAL = "PARTIAL"
    PENDING_REVIEW = "PENDING_REVIEW"
    FULFILLED = "FULFILLED"
    FAILED = "FAILED"
    ABANDONED = "ABANDONED"
    EXPIRED = "EXPIRED"
    OTHER = "OTHER"


class KycDocumentType(StrEnum):
    IDENTITY_PROOF = "IDENTITY_PROOF"
    ADDRESS_PROOF = "ADDRESS_PROOF"
    FUNDS_PROOF = "FUNDS_PROOF"
    PURCHASE_PROOF = "PURCHASE_PROOF"
    CREDIT_FILE_PROOF = "CREDIT_FILE_PROOF"


class KycDocumentStatus(StrEnum):
    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    ARCHIVED = "ARCHIVED"
    OTHER = "OTHER"


class AmlCheckStatus(StrEnum):
    PENDING_REVIEW = "PENDING_REVIEW"
    IN_REVIEW = "IN_REVIEW"
    NO_MATCH = "NO_MATCH"
    CONFIRMED_MATCH = "CONFIRMED_MATCH"
    FALSE_POSITIVE = "FALSE_POSITIVE"
    OTHER = "OTHER"


class AmlTrigger(StrEnum):
    SIGN_UP = "SIGN_UP"
    RECURRING = "RECURRING"
    PURCHASE = "PURCHASE"


class AmlPriority(StrEnum):
    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class AmlListType(StrEnum):
    PEP = "PEP"
    SANCTIONS = "SANCTIONS"
    ADVERSE_MEDIA = "ADVERSE_MEDIA"
    ENFORCEMENTS = "ENFORCEMENTS"
    STATE_OWNED_ENTERPRISE = "STATE_OWNED_ENTERPRISE"


class AmlEntityType(StrEnum):
    INDIVIDUAL = "INDIVIDUAL"
    ENTITY = "ENTITY"


class AmlConfidence(StrEnum):
    WEAK = "WEAK"
    MEDIUM = "MEDIUM"
    STRONG = "STRONG"
    VERY_STRONG = "VERY_STRONG"


class CustomerChangeKind(StrEnum):
    CHANGED = "CHANGED"
    MERGED = "MERGED"
    ERASED = "ERASED"


class LiveKind(StrEnum):
    ADDED = "ADDED"
    CHANGED = "CHANGED"
    RESET = "RESET"
    HEARTBEAT = "HEARTBEAT"


class LineOutcome(StrEnum):
    """An outcome says what happened to a line of an import.

    UNPARKED ones had been parked, in this run or an earlier one. ERASED ones are of a customer who was anonymised here:
    nothing of them comes in.
    """

    IMPORTED = "IMPORTED"
    UPDATED = "UPDATED"
    UNCHANGED = "UNCHANGED"
    DELETED = "DELETED"
    PARKED = "PARKED"
    UNPARKED = "UNPARKED"
    ERASED = "ERASED"
    REJECTED = "REJECTED"


class WebhookEndpointStatus(StrEnum):
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


class WebhookDeliveryStatus(StrEnum):
    QUEUED = "QUEUED"
    DELIVERED = "DELIVERED"
    GIVEN_UP = "GIVEN_UP"
