"""Changes as clients ask for them, and what they get back: an input, a payload, user errors as data."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

import strawberry

from app.domain.vocabulary import SettableStatus
from app.schema.activities import Activity
from app.schema.adjustments import PointsAdjustment
from app.schema.base import described
from app.schema.coupons import Coupon
from app.schema.customers import Customer
from app.schema.emails import Email, EmailDelivery
from app.schema.notes import Note
from app.schema.passes import Pass, PassPush
from app.schema.points import PointsEntry
from app.schema.rules import ADJUSTMENT, MAIL, WITH_OWNER, Access
from app.schema.statuses import StatusChange


class UserErrorCode(StrEnum):
    NOT_FOUND = "NOT_FOUND"
    INVALID = "INVALID"
    NOT_ENOUGH_POINTS = "NOT_ENOUGH_POINTS"
    ALREADY_DECIDED = "ALREADY_DECIDED"
    SAME_PERSON = "SAME_PERSON"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    ALREADY_REDEEMED = "ALREADY_REDEEMED"
    SAME_STATUS = "SAME_STATUS"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    UNKNOWN_ACTIVITY_TYPE = "UNKNOWN_ACTIVITY_TYPE"
    PLATFORM_ONLY_TYPE = "PLATFORM_ONLY_TYPE"
    CUSTOMER_CLOSED = "CUSTOMER_CLOSED"
    NO_REGISTERED_EMAIL = "NO_REGISTERED_EMAIL"
    WALLET_OFF = "WALLET_OFF"


described(
    UserErrorCode,
    "Why a change was not made.",
    NOT_FOUND="What it is about is not there, or not yours to see.",
    INVALID="A value cannot be used; the message says why.",
    NOT_ENOUGH_POINTS="More points were asked for than are spendable.",
    ALREADY_DECIDED="The adjustment was approved or declined before.",
    SAME_PERSON="Another person has to approve what you asked for.",
    LIMIT_EXCEEDED="More than you may do at once, or more than can be kept.",
    ALREADY_REDEEMED="A coupon was used before.",
    SAME_STATUS="The customer has this status already.",
    IDEMPOTENCY_CONFLICT="The key has made another change; a new change needs a new key.",
    UNKNOWN_ACTIVITY_TYPE="No type of the catalogue has this code.",
    PLATFORM_ONLY_TYPE="This type is written by the change itself, never by hand.",
    CUSTOMER_CLOSED="The account is closed for good: anonymised, or merged into another.",
    NO_REGISTERED_EMAIL="The customer has no registered e-mail address that mails can go to.",
    WALLET_OFF="No wallet service is connected here.",
)
described(
    SettableStatus,
    "A status that can be set by hand.",
    ACTIVE="In use again.",
    BLOCKED="Stopped by us.",
    DEACTIVATED="Put to rest.",
)

KEY = (
    "Made by you, 1 to 128 characters, new for each change: sending the same change again with the same key is safe, "
    "and gives back what was written the first time. Kept for 90 days."
)


@strawberry.type(description="Why a change was not made. Nothing was written, and the key is still free.")
class UserError:
    access: ClassVar[Access] = WITH_OWNER

    code: UserErrorCode = strawberry.field(description="For programs.")
    field: list[str] = strawberry.field(description="The input's field to change; empty: none in particular.")
    message: str = strawberry.field(description="For people: a sentence to act on.")


@strawberry.type
class Changed:
    """What every payload has; no type of the schema's own."""

    activity: Activity | None = strawberry.field(description="The one activity that tells of the change.")
    customer: Customer | None = strawberry.field(description="The customer as they are now.")
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when it was.")


@strawberry.input(description="A note to write on an account.")
class AddNoteInput:
    customer_id: strawberry.ID = strawberry.field(description="Whose account.")
    message: str = strawberry.field(description="The text, up to 10,000 characters.")
    idempotency_key: str = strawberry.field(description=KEY)
    mentions: list[str] | None = strawberry.field(
        default=None, description="Colleagues to mention, by user name; at most 100."
    )
    links: list[strawberry.ID] | None = strawberry.field(
        default=None, description="What it is about: customers, transactions, anything with an id; at most 100."
    )


@strawberry.type(description="What became of it.")
class AddNotePayload(Changed):
    access: ClassVar[Access] = WITH_OWNER

    note: Note | None = strawberry.field(description="The note.")


@strawberry.input(description="Points to add or deduct by hand.")
class AdjustPointsInput:
    customer_id: strawberry.ID = strawberry.field(description="Whose account.")
    points: int = strawberry.field(description="How many: positive adds, negative deducts.")
    reason: str = strawberry.field(description="Why, up to 1,000 characters: whoever asks later reads this.")
    idempotency_key: str = strawberry.field(description=KEY)
    expires_at: datetime | None = strawberry.field(
        default=None, description="When added points end; never unless told."
    )


@strawberry.type(description="What became of it.")
class AdjustPointsPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER

    entry: PointsEntry | None = strawberry.field(description="The entry of the ledger.")


@strawberry.input(description="Points to add or deduct once another person has approved it.")
class RequestPointsAdjustmentInput:
    customer_id: strawberry.ID = strawberry.field(description="Whose points.")
    points: int = strawberry.field(description="How many points: positive adds, negative deducts.")
    reason: str = strawberry.field(description="Why, up to 1,000 characters. Whoever approves it reads this.")
    idempotency_key: str = strawberry.field(description=KEY)
    expires_at: datetime | None = strawberry.field(
        default=None, description="When added points expire. Default: never."
    )


@strawberry.type(description="The result of asking for an adjustment.")
class RequestPointsAdjustmentPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: "activity customer user_errors", ADJUSTMENT: "adjustment"}

    adjustment: PointsAdjustment | None = strawberry.field(description="What waits for approval now.")


@strawberry.input(description="An adjustment to approve. Its points are moved at once.")
class ApprovePointsAdjustmentInput:
    adjustment_id: strawberry.ID = strawberry.field(description="The adjustment; another person asked for it.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of approving an adjustment.")
class ApprovePointsAdjustmentPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: "activity customer user_errors entry", ADJUSTMENT: "adjustment"}

    adjustment: PointsAdjustment | None = strawberry.field(description="The adjustment, approved now.")
    entry: PointsEntry | None = strawberry.field(description="The entry of the ledger.")


@strawberry.input(description="An adjustment to decline, or one of your own to withdraw.")
class DeclinePointsAdjustmentInput:
    adjustment_id: strawberry.ID = strawberry.field(description="The adjustment.")
    reason: str = strawberry.field(description="Why, up to 1,000 characters. Whoever asked for it reads this.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of declining an adjustment.")
class DeclinePointsAdjustmentPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: "activity customer user_errors", ADJUSTMENT: "adjustment"}

    adjustment: PointsAdjustment | None = strawberry.field(description="The adjustment, declined now.")


@strawberry.input(description="A status to set.")
class ChangeCustomerStatusInput:
    customer_id: strawberry.ID = strawberry.field(description="Whose account.")
    status: SettableStatus = strawberry.field(description="The status from now on.")
    reason: str = strawberry.field(description="Why, up to 1,000 characters.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="What became of it.")
class ChangeCustomerStatusPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER

    status_change: StatusChange | None = strawberry.field(description="The change.")


@strawberry.input(description="A label to put on a customer, or to take off.")
class TagCustomerInput:
    customer_id: strawberry.ID = strawberry.field(description="Whose account.")
    tag: str = strawberry.field(description="The label, up to 100 characters. Case makes no other label of it.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="What became of it.")
class TagCustomerPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER


@strawberry.type(description="What became of it.")
class UntagCustomerPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER


@strawberry.input(description="Coupons to mark as used: all of them or none.")
class RedeemCouponInput:
    customer_id: strawberry.ID = strawberry.field(description="Whose coupons.")
    coupon_ids: list[strawberry.ID] = strawberry.field(description="Which ones; 1 to 100.")
    idempotency_key: str = strawberry.field(description=KEY)
    notify_customer: bool | None = strawberry.field(
        default=False, description="Tell the customer by mail, at their registered address. Without one: refused."
    )


@strawberry.type(description="What became of it.")
class RedeemCouponPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: "activity customer user_errors coupons", MAIL: "delivery"}

    coupons: list[Coupon] | None = strawberry.field(description="The coupons, used now.")
    delivery: EmailDelivery | None = strawberry.field(
        description="The mail that tells the customer, on its way; null unless it was asked for."
    )


@strawberry.input(description="A mail to send again, as it was, to the customer's registered address as it is now.")
class ResendEmailInput:
    email_id: strawberry.ID = strawberry.field(description="The mail.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="What became of it.")
class ResendEmailPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: "activity customer user_errors", MAIL: "email delivery"}

    email: Email | None = strawberry.field(description="The mail, as it was sent the first time.")
    delivery: EmailDelivery | None = strawberry.field(
        description="Its way to the customer: ask for it again by its id (`node`) to learn what became of it."
    )


@strawberry.input(description="A pass to mail to the customer's registered address.")
class EmailPassInput:
    pass_id: strawberry.ID = strawberry.field(description="The pass.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="What became of it.")
class EmailPassPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: "activity customer user_errors pass_", MAIL: "email delivery"}

    pass_: Pass | None = strawberry.field(name="pass", description="The pass.")
    email: Email | None = strawberry.field(description="The mail that carries it, or its download link.")
    delivery: EmailDelivery | None = strawberry.field(
        description="Its way to the customer: ask for it again by its id (`node`) to learn what became of it."
    )


@strawberry.input(description="A pass whose provider is to be informed that it should be updated.")
class PushPassInput:
    pass_id: strawberry.ID = strawberry.field(description="The pass.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="What became of it.")
class PushPassPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER

    pass_: Pass | None = strawberry.field(name="pass", description="The pass.")
    push: PassPush | None = strawberry.field(
        description="Whether its provider is informed yet: ask for it again by its id (`node`)."
    )


@strawberry.input(description="One attribute of an activity.")
class AttributeInput:
    name: str = strawberry.field(description="Its name in the catalogue.")
    value: str = strawberry.field(
        description='Canonical text: ISO dates, "12.50 EUR", plain digits, items joined by ", ".'
    )


@strawberry.input(description='An activity to write by hand: "Add action".')
class RecordActivityInput:
    customer_id: strawberry.ID = strawberry.field(description="Whose account.")
    type: str = strawberry.field(description="The code of its type in the catalogue; not one of the platform's own.")
    idempotency_key: str = strawberry.field(description=KEY)
    attributes: list[AttributeInput] | None = strawberry.field(
        default=None, description="What the catalogue asks for: required ones must be there, unknown ones must not."
    )
    message: str | None = strawberry.field(default=None, description="Anything more to say, up to 10,000 characters.")
    occurred_at: datetime | None = strawberry.field(default=None, description="When it happened; now unless told.")
    points: int | None = strawberry.field(
        default=None, description="Points that it earned, or spent if negative; the ledger decides."
    )


@strawberry.type(description="What became of it.")
class RecordActivityPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER
