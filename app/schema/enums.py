"""Declares the closed sets of values, in words."""

from enum import StrEnum
from typing import Final

from app.catalogue.external_requests import RequestGroup
from app.catalogue.model import ActivityGroup, AttributeKind
from app.domain.cells import Separator
from app.domain.points import PointsKind
from app.domain.vocabulary import (
    AccessLevel,
    ActivityAction,
    ActorKind,
    AdjustmentStatus,
    BlocklistSource,
    BlocklistType,
    CouponOrigin,
    CustomerChangeKind,
    CustomerStatus,
    DeliveryStatus,
    DueDiligenceFactor,
    DueDiligenceScore,
    DuplicateReason,
    ErasureStatus,
    ExportFormat,
    ExportStatus,
    ExportTable,
    LineOutcome,
    LiveKind,
    MergeField,
    MergeStatus,
    MergeWarning,
    Outcome,
    OutcomeStatus,
    PassType,
    PaymentWay,
    PinnedFor,
    PushStatus,
    ReadGroup,
    ReportDimension,
    ReportTable,
    RequestExecutor,
    RequestStatus,
    SearchMatchKind,
    SegmentScope,
    TaxIdType,
    TaxIdValidity,
    TransactionStatus,
    TransactionType,
    WebhookDeliveryStatus,
    WebhookEndpointStatus,
)
from app.schema.base import describe

__all__ = [
    "AccessLevel",
    "ActivityAction",
    "ActivityGroup",
    "ActivityOrderField",
    "ActorKind",
    "AdjustmentStatus",
    "AttributeKind",
    "BlocklistSource",
    "BlocklistType",
    "CouponOrderField",
    "CouponOrigin",
    "CustomerChangeKind",
    "CustomerOrderField",
    "CustomerSegment",
    "CustomerStatus",
    "DeliveryStatus",
    "DueDiligenceFactor",
    "DueDiligenceScore",
    "DuplicateReason",
    "ErasureStatus",
    "ExportFormat",
    "ExportStatus",
    "ExportTable",
    "LineOutcome",
    "LiveKind",
    "MergeField",
    "MergeStatus",
    "MergeWarning",
    "NotesFilter",
    "OrderDirection",
    "Outcome",
    "OutcomeStatus",
    "PassOrderField",
    "PassType",
    "PaymentWay",
    "PinnedFor",
    "PointsKind",
    "PointsOrderField",
    "PushStatus",
    "ReadGroup",
    "ReportDimension",
    "ReportTable",
    "RequestExecutor",
    "RequestGroup",
    "RequestOrderField",
    "RequestStatus",
    "SearchMatchKind",
    "SegmentScope",
    "Separator",
    "TaxIdType",
    "TaxIdValidity",
    "TransactionOrderField",
    "TransactionStatus",
    "TransactionType",
    "WebhookDeliveryStatus",
    "WebhookEndpointStatus",
]

describe(
    CustomerStatus,
    "The status of an account.",
    ACTIVE="The account is in use.",
    BLOCKED="The company has blocked the account; the customer cannot use it.",
    DEACTIVATED="The account was deactivated, by the customer or for them; it can be reactivated.",
    ANONYMISED="The account is closed for good, and the personal data are erased.",
    MERGED="The account is closed for good and was merged into another customer, see `mergedInto`.",
)
describe(
    ActorKind,
    "A kind of actor, as precisely as it is known.",
    AGENT="A person who works for the company.",
    CUSTOMER="The customer, through self-service.",
    SYSTEM="A system by itself, such as a monthly billing run.",
    API="A program, through an API.",
    IMPORT="An import that does not name the actor.",
)
describe(
    AccessLevel,
    "A role, as this gateway and the source systems name it.",
    ADMIN="A system administrator.",
    CUSTOMER_SERVICE_AGENT="An agent in customer service.",
    AFFILIATE="A partner who refers customers.",
    API_USER="A program that has an account of its own.",
    CS_ADMIN="A supervisor in customer service.",
    SALES_REP="A sales representative.",
    FINANCE="Someone in finance.",
    CUSTOMER="The customer.",
)
describe(
    ReadGroup,
    "A group of the fields of `Customer`, as looks name what was read.",
    IDENTITY="Who they are: name, number, status, and what else a list of customers shows.",
    CONTACT="How to reach them, and what identifies them elsewhere: addresses, phone numbers, ids, date of birth.",
    HISTORY="What happened: activities and their counts, changes of status, merges.",
    POINTS="The balance and the entries of points.",
    COUPONS="Coupons.",
    TRANSACTIONS="Transactions.",
    PASSES="Passes.",
    MAIL="E-mails.",
    NOTES="Notes.",
    BILLING="Orders, invoices, quotes, credit memos and payment instruments.",
    COMPLIANCE="Due diligence, proofs of identity, and checks against money laundering.",
)
describe(
    SegmentScope,
    "For whom a saved segment exists. Those who may MANAGE_SEGMENTS see all of them.",
    PRIVATE="For its owner alone.",
    SHARED="For its owner and the people in `sharedWith`.",
    PUBLIC="For everybody who may USE_SEGMENTS.",
)
describe(
    BlocklistType,
    "A kind of value that can be blocked.",
    PAYMENT_CARD="A token or fingerprint of a payment card, as the payment system writes it. Never a card number.",
    BANK_ACCOUNT="An IBAN or account number, stored in capitals, without blanks and hyphens.",
    CUSTOMER_ID="The id of a customer here.",
    EMAIL="An e-mail address. Case makes no difference.",
    EMAIL_DOMAIN="The domain of e-mail addresses. It covers no address by itself: ask for both.",
    IP_ADDRESS="An IPv4 or IPv6 address, stored in its shortest form.",
    COUNTRY="Two-letter country code (ISO 3166-1).",
    FINGERPRINT="A fingerprint of a device, as the system that took it writes it.",
    BIN="The first 6 to 8 digits of card numbers, which name the bank.",
    ADDRESS="A postal address in one line. Case and accents make no difference.",
)
describe(
    BlocklistSource,
    "What put a value on the blocklist.",
    AUTOMATED_BLOCKLISTS="A system, by itself.",
    MANUAL_BLOCKLISTS="A person, by hand.",
    RISK_SCORE_RULES="A rule about risk scores.",
)
describe(
    ActivityGroup,
    "A predefined group of activity types. Every type belongs to exactly one.",
    CUSTOMER="Changes of the account itself: created, updated, tagged, merged.",
    ADDRESS="Addresses and their verification.",
    STATUS="Status changes: blocked, deactivated, reactivated.",
    SUBSCRIPTION="Subscriptions, trials and their renewals, pauses and changes.",
    ORDER="Orders and purchases.",
    FULFILLMENT="Shipping, returns and everything between.",
    BILLING="Invoices, charges and credits, billing runs and taxes.",
    PAYMENT="Payments and the instruments they are made with.",
    REFUND="Refunds, voids and chargebacks.",
    CREDIT_CONTROL="Overdue accounts: entering and leaving credit control, attempts to collect.",
    EMAIL="Messages sent to the customer.",
    NOTE="Notes by agents.",
    POINTS="Loyalty points earned, spent, adjusted, expired.",
    COUPON="Coupons added and redeemed.",
    TRANSACTION="Transactions of the loyalty programme.",
    PASS="Mobile wallet passes.",  # noqa: S106 # not a password
    MEMBERSHIP="Taking part in a programme, and one's level in it.",
    COMPLIANCE="Consent, identity checks, fraud and anti-money-laundering.",
    REQUEST="Requests to other systems, and their outcomes.",
    OTHER="Everything else, including entries whose type is not in the catalogue.",
)
describe(
    AttributeKind,
    "The kind of an attribute's value, which says how to show it.",
    TEXT="Plain text.",
    INTEGER="A whole number in plain digits.",
    DECIMAL="A decimal number in plain digits.",
    MONEY='An amount and its currency: "12.50 EUR".',
    BOOLEAN="`true` or `false`.",
    DATE="A day: 2026-01-31.",
    DATETIME="A moment in UTC: 2026-01-31T09:30:00.000Z.",
    JSON="A JSON object or list, as text.",
    LIST="Several texts, joined by a comma and a space; `values` has them one by one.",
)
describe(
    PointsKind,
    "A kind of ledger entry. RESERVED, RELEASED and PENDING do not change the balance, and are not in the history.",
    EARNED="Points came in; `earned` grows.",
    SPENT="Points were used; `spent` grows.",
    ADJUSTED="A person corrected the balance, up or down, with a reason.",
    EXPIRED="Points were not used in time; `expired` grows.",
    REFUNDED="A spend was given back (positive), or an earning clawed back (negative).",
    RESERVED="Points were set aside for a purchase under way.",
    RELEASED="A reservation was released.",
    PENDING="Points were announced, or what was announced became real or lapsed.",
    TRANSFERRED_IN="Points came from a customer who was merged into this one, or came back; negative for a debt.",
    TRANSFERRED_OUT="Points went to the customer into whom this one was merged, or went back; positive for a debt.",
)
describe(
    AdjustmentStatus,
    "The state of an adjustment that takes two people.",
    PENDING="The points wait for another person's approval.",
    APPROVED="The adjustment was approved and the points were moved.",
    DECLINED="The adjustment was declined or withdrawn; no points were moved.",
)
describe(
    CouponOrigin,
    "How a customer received a coupon.",
    REWARD="The customer claimed it as a reward.",
    RULE="A rule of the programme added it.",
    MANUAL="A person added it by hand.",
)
describe(
    TransactionType,
    "A type of transaction. A refund or a void is a transaction of its own and changes the status of the sale.",
    SALE="The customer paid.",
    REFUND="The customer got money back after settlement.",
    VOID="The sale was reversed before settlement.",
)
describe(
    TransactionStatus,
    "The status of a transaction.",
    ACCEPTED="The transaction counts.",
    PENDING="The pending period of the programme is not over.",
    REJECTED="The transaction was rejected and does not count.",
    PARTIALLY_REFUNDED="A part of it was refunded.",
    REFUNDED="All of it was refunded.",
    VOIDED="The transaction was reversed before settlement.",
)
describe(PassType, "A mobile wallet.", APPLE="Apple Wallet.", GOOGLE="Google Wallet.")
describe(
    Outcome,
    "The outcome of a requested change.",
    ACCEPTED="The change was made.",
    REFUSED="The change was not made; `code` says why.",
)
describe(
    DeliveryStatus,
    "The state of a delivery: of an e-mail to the mail server, or of a request to the system that does it.",
    QUEUED="It waits for its first attempt, or for the next one.",
    SENT="The server accepted it.",
    FAILED="It failed for good, or was called off; `error` says why.",
)
describe(
    LineOutcome,
    "The outcome of a line of an import.",
    IMPORTED="The line created something new.",
    UPDATED="The line changed something that existed.",
    UNCHANGED="Everything in the line was already stored.",
    DELETED="The line deleted something that existed.",
    PARKED="The line waits for a customer who does not exist yet.",
    UNPARKED="The line had been parked, and was imported now.",
    ERASED="The line is about a customer who was anonymised here, and was not imported.",
    REJECTED="The line was not imported; the rejects file says why.",
)
describe(
    WebhookEndpointStatus,
    "Whether messages are sent to a webhook endpoint.",
    ENABLED="Messages are sent.",
    DISABLED="No messages are sent; `disabledReason` says why.",
)
describe(
    WebhookDeliveryStatus,
    "The state of a message to a webhook endpoint.",
    QUEUED="It waits for an attempt, or for an earlier message about the same customer.",
    DELIVERED="The endpoint took it.",
    GIVEN_UP="It is not sent any more; `error` says why.",
)
describe(
    PushStatus,
    "The state of a request to the wallet service.",
    QUEUED="It waits for its first attempt, or for the next one.",
    INFORMED="The wallet service accepted the request. The pass may not be updated yet.",
    FAILED="It failed for good; `error` says why.",
)
_TABLES: Final = {
    "ACTIONS": "The number of times that each type of action was done.",
    "CUSTOM_FIELDS": "The number of times that each user set each custom field to each value: the 100,000 most "
    "frequent.",
    "DETAILS": "The activities, newest first.",
}
describe(
    ReportDimension,
    "A dimension of the customer-service report: what its filter takes values of.",
    CAMPAIGN="Campaigns, for `campaigns`.",
    CAMPAIGN_CATEGORY="Categories of campaigns, for `campaignCategories`.",
    PRODUCT="Products, for `products`.",
    CALL_CENTER="Call centres, for `callCenters`.",
    CURRENCY="Base currencies of orders, for `currencies`.",
    COUNTRY="Countries of orders, for `countries`.",
    USER="People who work for the company, by name, for `users`.",
)
describe(ReportTable, "A table of the customer-service report.", **_TABLES)
describe(
    ExportTable,
    "A table that can be exported.",
    CUSTOMERS="Customers.",
    DATA_SUBJECT="All that is known of one person, for them (`requestDataExport`).",
    **_TABLES,
)
describe(
    ExportFormat,
    "A file format.",
    CSV="CSV (RFC 4180) in UTF-8 with a header row, for spreadsheets. Text that begins like a "
    "formula gets an apostrophe in front.",
    NDJSON="Newline-delimited JSON, one object per row, for programs.",
    ZIP="A zip with `data.json`, `data.html` and files. Only of `requestDataExport`.",
)
describe(
    ExportStatus,
    "The state of an export.",
    QUEUED="The export waits for a worker.",
    RUNNING="A worker writes rows.",
    DONE="The file is complete; `url` opens it until `expiresAt`.",
    FAILED="It failed for good; `error` says why.",
    CANCELLED="The export was cancelled.",
    EXPIRED="The file was deleted.",
)


class NotesFilter(StrEnum):
    INCLUDE = "INCLUDE"
    EXCLUDE = "EXCLUDE"
    ONLY = "ONLY"


class OrderDirection(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


class ActivityOrderField(StrEnum):
    OCCURRED_AT = "OCCURRED_AT"
    TYPE = "TYPE"
    POINTS = "POINTS"


class CustomerSegment(StrEnum):
    LEADS = "LEADS"
    CUSTOMERS = "CUSTOMERS"


class CustomerOrderField(StrEnum):
    NAME = "NAME"
    NUMBER = "NUMBER"
    REGISTERED_AT = "REGISTERED_AT"
    LAST_ACTIVITY_AT = "LAST_ACTIVITY_AT"
    SPENDABLE_POINTS = "SPENDABLE_POINTS"


class CouponOrderField(StrEnum):
    ADDED_AT = "ADDED_AT"
    EXPIRES_AT = "EXPIRES_AT"
    REDEEMED_AT = "REDEEMED_AT"


class RequestOrderField(StrEnum):
    REQUESTED_AT = "REQUESTED_AT"


class TransactionOrderField(StrEnum):
    OCCURRED_AT = "OCCURRED_AT"
    POINTS_AWARDED = "POINTS_AWARDED"


class PassOrderField(StrEnum):
    CREATED_AT = "CREATED_AT"
    UPDATED_AT = "UPDATED_AT"


class PointsOrderField(StrEnum):
    SEQ = "SEQ"
    OCCURRED_AT = "OCCURRED_AT"
    POINTS = "POINTS"


describe(
    NotesFilter,
    "Whether agents' notes are included.",
    INCLUDE="Notes are included.",
    EXCLUDE="Notes are left out.",
    ONLY="Only notes are included.",
)
describe(OrderDirection, "A sort direction.", ASC="Smallest or oldest first.", DESC="Largest or newest first.")
describe(
    CouponOrderField,
    "A field to sort coupons by. Ties are broken by id; null counts as the smallest value.",
    ADDED_AT="The time when the customer received it.",
    EXPIRES_AT="The time when it expires. Coupons that never expire come first in ascending order, last in descending "
    "order; the filter `expiresAt` leaves them out.",
    REDEEMED_AT="The time when it was redeemed. Coupons that are not redeemed come first in ascending order, last in "
    "descending order.",
)
describe(
    TransactionOrderField,
    "A field to sort transactions by. Ties are broken by time, then by id.",
    OCCURRED_AT="The time when it happened.",
    POINTS_AWARDED="The points that it earned.",
)
describe(
    PassOrderField,
    "A field to sort passes by. Ties are broken by id.",
    CREATED_AT="The time when it was made.",
    UPDATED_AT="The time of the last change of its content.",
)
describe(
    ActivityOrderField,
    "A field to sort activities by. Ties are broken by time, then by id; null comes last.",
    OCCURRED_AT="The time when it happened.",
    TYPE="The code of its type.",
    POINTS="The points that it moved; activities that moved none come last.",
)
describe(
    PointsOrderField,
    "A field to sort the points history by. Ties are broken by time, then by id.",
    SEQ="The order of recording, which is the order of the balance.",
    OCCURRED_AT="The time when it happened.",
    POINTS="The number of points, with their sign.",
)
describe(
    CustomerSegment,
    "A built-in segment. Every customer is in exactly one.",
    LEADS="Customers without a payment.",
    CUSTOMERS="Customers with one payment or more.",
)
describe(
    Separator,
    "A separator between the cells of a CSV file.",
    COMMA="A comma, as RFC 4180 has it.",
    SEMICOLON="A semicolon, as spreadsheets expect where the comma begins decimals.",
    TAB="A tab.",
)
describe(
    SearchMatchKind,
    "A kind of value that matches a search, declared by likelihood.",
    CUSTOMER_NUMBER="The customer number.",
    EMAIL="One of their e-mail addresses.",
    PHONE="One of their phone numbers.",
    TRANSACTION="The number of a transaction.",
    ORDER="The number of an order that an activity names.",
    COUPON="The code of a coupon.",
    PASS="The serial number of a pass.",  # noqa: S106 # not a password
    NAME="The name of the person or organisation.",
)
describe(
    CustomerOrderField,
    "A field to sort customers by. Ties are broken by id; null comes last.",
    NAME="The full name, ignoring case and accents.",
    NUMBER="The customer number.",
    REGISTERED_AT="The time when the customer first became known.",
    LAST_ACTIVITY_AT="The time of the latest activity, as in `lastActivityAt`.",
    SPENDABLE_POINTS="The spendable points. Points that have just expired count until the expiry is recorded, "
    "within a minute or so.",
)
describe(
    ActivityAction,
    "An action that can be taken from an activity's tile.",
    RESEND_EMAIL="Send the e-mail again, to the address that is registered now.",
    REDEEM_COUPON="Mark the coupon as redeemed.",
    EMAIL_PASS="Send the pass by e-mail.",  # noqa: S106 # not a password
    PUSH_PASS="Ask the wallet service to update the pass.",  # noqa: S106 # not a password
    REQUEST_REFUND="Ask for a refund of the sale, of all that is `refundable` or less.",
    COMPLETE_REQUEST="Report an outcome of the request.",
    CANCEL_REQUEST="Call the request off: nobody has it yet.",
    RETRY_REQUEST="Send the request again, which could not be delivered.",
)
describe(
    RequestStatus,
    "The state of a request to another system.",
    QUEUED="It is on its way.",
    SENT="The system has it, or a person does it. That does not say that it is done.",
    ACTION_REQUIRED="A link waits for the customer.",
    SUCCEEDED="It was done. What was done may be reversed later.",
    FAILED="It was not done.",
    REVERSED="It was done, and does not stand any more.",
    CANCELLED="It was called off before anybody had it.",
    EXPIRED="The customer did not follow the link in time.",
    UNDELIVERED="The system could not be reached. Nobody has refused it: `retryRequest` sends it again.",
)
describe(
    OutcomeStatus,
    "What the system that was asked says of a request.",
    ACTION_REQUIRED="A link waits for the customer.",
    SUCCEEDED="It was done.",
    FAILED="It was not done.",
    REVERSED="It was done, and does not stand any more.",
)
describe(
    RequestExecutor,
    "Who does what is asked.",
    ENDPOINT="A system that is connected.",
    MANUAL="A person, in the other system; they report the outcome here.",
)
describe(
    RequestGroup,
    "A group of kinds of requests.",
    PAYMENT="Money that comes in, or goes back.",
    PAYOUT="Money that is paid to the customer.",
    ORDER="Orders, subscriptions and quotes.",
    BILLING="Invoices and credit.",
    INSTRUMENT="Cards, accounts and wallets to pay with.",
    PORTAL="The customer's own pages.",
    COMPLIANCE="What the law asks for.",
    OTHER="Everything else.",
)
describe(
    RequestOrderField,
    "A field to sort requests by. Ties are broken by id.",
    REQUESTED_AT="The time when it was asked for.",
)
describe(
    PaymentWay,
    "A way to collect a payment.",
    INSTRUMENT="By a payment instrument of the customer's.",
    HOSTED_FORM="By a form of the payment service, which the customer gets a link to.",
)
describe(
    DuplicateReason,
    "A reason why two customers may be the same person.",
    EMAIL="They share an e-mail address.",
    PHONE="They share a phone number.",
    NAME_AND_DATE_OF_BIRTH="They have the same name, but for case and accents, and the same date of birth.",
)
describe(
    TaxIdType,
    "A kind of tax id.",
    EU_VAT="A value-added-tax number of the European Union, with its country: DE123456789.",
    OTHER="Any other tax id.",
)
describe(
    TaxIdValidity,
    "What is known of a tax id.",
    UNCHECKED="Nobody has checked it yet.",
    VALID="A source system says that it is valid.",
    INVALID="A source system says that it is not valid.",
)
describe(
    PinnedFor,
    "For whom a note is pinned.",
    ALL="For everybody who may read it.",
    ME="For the viewer alone.",
)
describe(
    DueDiligenceFactor,
    "What enhanced due diligence looks for.",
    OCCUPATION="An occupation that calls for care, such as a public office.",
    ARREST="An arrest.",
    BANKRUPTCY="A bankruptcy.",
    FRAUD="A fraud.",
)
describe(
    DueDiligenceScore,
    "How sure it is that a factor is true of a customer, from the best score to the worst.",
    NOT_FOUND="Nothing was found.",
    UNLIKELY="Something was found that is hardly about the customer.",
    UNCLEAR="Something was found, and nobody can tell whether it is about the customer.",
    PROBABLE="What was found is probably about the customer.",
    CONFIRMED="What was found is about the customer.",
)
describe(
    MergeField,
    "A field of which a customer has one value.",
    NAME="The name, with the given and the family name.",
    ORGANIZATION="The organisation.",
    JOB_TITLE="The job title.",
    DATE_OF_BIRTH="The date of birth.",
    WEBSITE="The website.",
    LOCALE="The language to write in.",
    BILLING_ADDRESS="The billing address.",
    COUNTRY="The country.",
    LEAD_SOURCE="Where the customer came from.",
    FIELDS="The fields that this gateway's own catalogue adds, together. Those without a value are filled from the "
    "other customers.",
)
describe(
    MergeWarning,
    "What to know before merging.",
    BLOCKED="One of the customers is blocked, so that the survivor will be.",
    REWARDED_TWICE="Two of the customers have an activity that a loyalty programme rewards once for each person. No "
    "points are taken back.",
    DUE_DILIGENCE_REQUIRED="Due diligence is required of one of the customers, so that it will be of the survivor.",
)
describe(
    MergeStatus,
    "The state of a merge.",
    MOVING="The customers are merged, and rows are on their way. The survivor's lists have them already.",
    DONE="All rows were moved.",
    UNDOING="The merge was undone, and rows are on their way back.",
    UNDONE="The merge was undone, and all rows are back.",
)
describe(
    ErasureStatus,
    "The state of an erasure.",
    ERASING="The customer is anonymised, and a worker takes what is personal out of the rows on the account.",
    DONE="Nothing personal is left.",
)
describe(
    CustomerChangeKind,
    "What happened to a customer.",
    CHANGED="Something of the customer was added or changed; new customers are CHANGED, too.",
    MERGED="The customer was merged into another one, whom `mergedInto` names; or was changed after that.",
    ERASED="The customer's personal data were erased: systems that have a copy erase it, too.",
)
describe(
    LiveKind,
    "What an event is about.",
    ADDED="An activity was added to the timeline, also one that happened long ago.",
    CHANGED="An activity was corrected; or, without an activity, something else of the customer was changed: read "
    "again what the client shows of it.",
    RESET="More was changed than can be told one by one, or what was missed is not kept any more: read the customer "
    "again, and go on from this cursor.",
    HEARTBEAT="Nothing happened. Comes first, and after 20 seconds without another event: a client that hears nothing "
    "for a minute subscribes again.",
)
