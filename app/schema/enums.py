"""The closed sets of values, in words."""

from enum import StrEnum
from typing import Final

from app.catalogue.model import ActivityGroup, AttributeKind
from app.domain.cells import Separator
from app.domain.points import PointsKind
from app.domain.vocabulary import (
    AccessLevel,
    ActivityAction,
    ActorKind,
    AdjustmentStatus,
    CouponOrigin,
    CustomerStatus,
    DeliveryStatus,
    ExportFormat,
    ExportStatus,
    ExportTable,
    Outcome,
    PassType,
    PushStatus,
    ReportTable,
    SearchMatchKind,
    TransactionStatus,
    TransactionType,
)
from app.schema.base import described

__all__ = [
    "AccessLevel",
    "ActivityAction",
    "ActivityGroup",
    "ActivityOrderField",
    "ActorKind",
    "AdjustmentStatus",
    "AttributeKind",
    "CouponOrigin",
    "CustomerOrderField",
    "CustomerSegment",
    "CustomerStatus",
    "DeliveryStatus",
    "ExportFormat",
    "ExportStatus",
    "ExportTable",
    "NotesFilter",
    "OrderDirection",
    "Outcome",
    "PassType",
    "PointsKind",
    "PointsOrderField",
    "PushStatus",
    "ReportTable",
    "SearchMatchKind",
    "Separator",
    "TransactionStatus",
    "TransactionType",
]

described(
    CustomerStatus,
    "What an account may do now.",
    ACTIVE="In use, nothing stands against it.",
    BLOCKED="Stopped by us: the customer cannot use it.",
    DEACTIVATED="Put to rest, by the customer or for them; it can be reactivated.",
    ANONYMISED="Closed for good: the personal data are gone.",
    MERGED="Closed for good: it lives on in another customer, see `mergedInto`.",
)
described(
    ActorKind,
    "What kind of actor did something, as finely as it is known.",
    AGENT="A person who works for us.",
    CUSTOMER="The customer, through self-service.",
    SYSTEM="A system by itself, such as a monthly billing run.",
    API="A program of a partner or of ours, through an API.",
    IMPORT="An import that does not say who it was.",
)
described(
    AccessLevel,
    "The access level of whoever acted, in the system where they acted.",
    ADMIN="A system administrator.",
    CUSTOMER_SERVICE_AGENT="An agent in customer service.",
    AFFILIATE="A partner who refers customers.",
    API_USER="A program with an account of its own.",
    CS_ADMIN="A supervisor in customer service.",
    SALES_REP="A sales representative.",
    FINANCE="Someone in finance.",
    CUSTOMER="The customer.",
)
described(
    ActivityGroup,
    "The predefined groupings of activities. Every type belongs to exactly one.",
    CUSTOMER="The account itself: created, updated, tagged, merged.",
    ADDRESS="Addresses and their verification.",
    STATUS="Blocked, deactivated, reactivated.",
    SUBSCRIPTION="Subscriptions, trials and their renewals, pauses and changes.",
    ORDER="Orders and purchases.",
    FULFILLMENT="Shipping, returns and what lies between.",
    BILLING="Invoices, charges and credits, billing runs and taxes.",
    PAYMENT="Payments and the instruments they are made with.",
    REFUND="Refunds, voids and chargebacks.",
    CREDIT_CONTROL="Overdue accounts: entering and leaving credit control, attempts to collect.",
    EMAIL="Messages sent to the customer.",
    NOTE="What agents wrote down.",
    POINTS="Loyalty points earned, spent, adjusted, expired.",
    COUPON="Coupons added and redeemed.",
    TRANSACTION="Transactions of the loyalty programme.",
    PASS="Mobile wallet passes.",  # noqa: S106 # not a password
    MEMBERSHIP="Taking part in a programme, and one's level in it.",
    COMPLIANCE="Consent, identity checks, fraud and anti-money-laundering.",
    OTHER="Anything else, legacy entries among it.",
)
described(
    AttributeKind,
    "What an attribute's value is, and so how to show it.",
    TEXT="Plain text.",
    INTEGER="A whole number in plain digits.",
    DECIMAL="A decimal number in plain digits.",
    MONEY='An amount and its currency: "12.50 EUR".',
    BOOLEAN="`true` or `false`.",
    DATE="A day: 2026-01-31.",
    DATETIME="A moment in UTC: 2026-01-31T09:30:00.000Z.",
    LIST="Several texts, joined by a comma and a space; one by one in `values`.",
)
described(
    PointsKind,
    "What an entry of the ledger does. The history holds the first five; the others move no balance for good.",
    EARNED="Points came in: earned grows.",
    SPENT="Points were used: spent grows.",
    ADJUSTED="Somebody corrected the balance, up or down, and said why.",
    EXPIRED="Points were not used in time: expired grows.",
    REFUNDED="A spend was given back (positive), or an earning clawed back (negative).",
    RESERVED="Points were set aside for a purchase under way.",
    RELEASED="A reservation was lifted.",
    PENDING="Points were announced, or what was announced became real or lapsed.",
)
described(
    AdjustmentStatus,
    "Whether points that take two people were moved.",
    PENDING="They wait for another person to approve them.",
    APPROVED="They were approved and moved.",
    DECLINED="They were declined or withdrawn; nothing was moved.",
)
described(
    CouponOrigin,
    "How a customer came by a coupon.",
    REWARD="They claimed it as a reward.",
    RULE="A rule gave it to them.",
    MANUAL="Somebody added it by hand.",
)
described(
    TransactionType,
    "What a transaction is. A refund or a void is one of its own, and changes the first one's status.",
    SALE="The customer paid.",
    REFUND="Money went back after settlement.",
    VOID="A payment was taken back before settlement.",
)
described(
    TransactionStatus,
    "How a transaction stands.",
    ACCEPTED="It counts.",
    PENDING="The programme has a pending period, and it is not over.",
    REJECTED="It does not count.",
    PARTIALLY_REFUNDED="A part of it was refunded.",
    REFUNDED="All of it was refunded.",
    VOIDED="It was taken back before settlement.",
)
described(PassType, "Which wallet a pass is for.", APPLE="Apple Wallet.", GOOGLE="Google Wallet.")
described(
    Outcome,
    "What became of a change that was asked for.",
    ACCEPTED="It was made.",
    REFUSED="It was not made; `code` says why.",
)
described(
    DeliveryStatus,
    "What became of a mail that was asked for.",
    QUEUED="It is waiting to be handed over, or to be tried again.",
    SENT="The mail server took it.",
    FAILED="It was given up; `error` says why.",
)
described(
    PushStatus,
    "What became of informing a pass's provider.",
    QUEUED="It is waiting, or waiting to be tried again.",
    INFORMED="The wallet service was informed. That does not mean that the pass was updated.",
    FAILED="It was given up; `error` says why.",
)
_TABLES: Final = {
    "ACTIONS": "How often each action was done.",
    "CUSTOM_FIELDS": "How often each user set which field to which value, the 100,000 most frequent.",
    "DETAILS": "The actions themselves, newest first.",
}
described(ReportTable, "A table of the customer-service report.", **_TABLES)
described(ExportTable, "What an export holds.", CUSTOMERS="Customers.", **_TABLES)
described(
    ExportFormat,
    "What a file looks like.",
    CSV="For spreadsheets: RFC 4180, UTF-8, titles first. Text that begins like a formula gets an apostrophe in front.",
    NDJSON="For programs: a JSON object on each line, with every value as it is.",
)
described(
    ExportStatus,
    "How far an export is.",
    QUEUED="It waits for a worker.",
    RUNNING="Rows are being written.",
    DONE="The file is there; `url` opens it until `expiresAt`.",
    FAILED="It was given up; `error` says why.",
    CANCELLED="Somebody called it off.",
    EXPIRED="The file is gone.",
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


class PointsOrderField(StrEnum):
    SEQ = "SEQ"
    OCCURRED_AT = "OCCURRED_AT"
    POINTS = "POINTS"


described(
    NotesFilter,
    "What to do with agents' notes.",
    INCLUDE="Show them among the rest.",
    EXCLUDE="Leave them out.",
    ONLY="Show nothing else.",
)
described(OrderDirection, "Which way an order runs.", ASC="Smallest or oldest first.", DESC="Largest or newest first.")
described(
    ActivityOrderField,
    "What to sort activities by. Ties are broken by time, then id; nulls come last.",
    OCCURRED_AT="When it happened.",
    TYPE="The code of its type.",
    POINTS="The points it moved; what moved none comes last.",
)
described(
    PointsOrderField,
    "What to sort the points history by. Ties are broken by time, then id.",
    SEQ="The order of recording, which is the order of the balance.",
    OCCURRED_AT="When it happened: entries that arrived late stand where they belong.",
    POINTS="The points it moved, with their sign.",
)
described(
    CustomerSegment,
    "The built-in segments. Everybody is in exactly one.",
    LEADS="Those who have not paid yet.",
    CUSTOMERS="Those who made one payment or more.",
)
described(
    Separator,
    "What stands between the cells of a line.",
    COMMA="A comma, as RFC 4180 has it.",
    SEMICOLON="A semicolon, as spreadsheets expect where the comma begins decimals.",
    TAB="A tab.",
)
described(
    SearchMatchKind,
    "What of a customer a search has found. Declared by likelihood.",
    CUSTOMER_NUMBER="The customer number.",
    EMAIL="One of their e-mail addresses.",
    PHONE="One of their phone numbers.",
    TRANSACTION="The number of a transaction.",
    ORDER="The number of an order, which an activity names.",
    COUPON="The code of a coupon.",
    PASS="The serial number of a pass.",  # noqa: S106 # not a password
    NAME="The name, or the organisation's.",
)
described(
    CustomerOrderField,
    "What to sort customers by. Ties are broken by id; those who lack it come last.",
    NAME="Their full name, as people sort names: whatever the case and accents.",
    NUMBER="The customer number.",
    REGISTERED_AT="When they first became known.",
    LAST_ACTIVITY_AT="When something last happened on the account, as in `lastActivityAt`.",
    SPENDABLE_POINTS="Points left to spend. What fell due counts until its expiry is written, within a minute or so.",
)
described(
    ActivityAction,
    "What can be done from an activity's tile.",
    RESEND_EMAIL="Send its e-mail again, to the address that is registered now.",
    REDEEM_COUPON="Mark its coupon as used.",
    EMAIL_PASS="Mail its pass again.",  # noqa: S106 # not a password
    PUSH_PASS="Inform the wallet provider that its pass should be updated.",  # noqa: S106 # not a password
)
