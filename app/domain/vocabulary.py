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
    """What an executor may say became of a request."""

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
