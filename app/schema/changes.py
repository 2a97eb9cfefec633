"""Declares changes as clients ask for them, and what they get back: an input, a payload, user errors as data."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, ClassVar, cast

import strawberry

from app.domain.listings import ACTIVITIES, POINTS
from app.domain.refusals import Refusal, Refusals
from app.domain.uploads import MOST_ATTACHED, TEXT_AT_MOST
from app.domain.vocabulary import SettableStatus
from app.schema.activities import Activity, ActivityFilter, ActivityOrder
from app.schema.adjustments import PointsAdjustment
from app.schema.base import Document, Info, Source, describe
from app.schema.connection import Edge, PagedEdge
from app.schema.coupons import Coupon
from app.schema.customers import Customer
from app.schema.emails import Email, EmailDelivery
from app.schema.enums import PinnedFor
from app.schema.notes import Note
from app.schema.passes import Pass, PassPush
from app.schema.points import PointsEntry, PointsFilter, PointsOrder
from app.schema.rules import ADJUSTMENT, MAIL, WITH_OWNER, Access
from app.schema.statuses import StatusChange

if TYPE_CHECKING:
    from app.graph import Query

_Query = Annotated["Query", strawberry.lazy("app.graph")]


class UserErrorCode(StrEnum):
    NOT_FOUND = "NOT_FOUND"
    INVALID = "INVALID"
    CARD_NUMBER = "CARD_NUMBER"
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
    NUMBER_TAKEN = "NUMBER_TAKEN"
    IDENTITY_TAKEN = "IDENTITY_TAKEN"
    STALE = "STALE"
    NO_REGISTERED_EMAIL = "NO_REGISTERED_EMAIL"
    WALLET_OFF = "WALLET_OFF"
    ALREADY_BLOCKED = "ALREADY_BLOCKED"
    CUSTOMER_MERGED = "CUSTOMER_MERGED"
    MERGE_IN_PROGRESS = "MERGE_IN_PROGRESS"
    RESERVATION_OPEN = "RESERVATION_OPEN"
    ALREADY_UNDONE = "ALREADY_UNDONE"
    NAME_TAKEN = "NAME_TAKEN"
    SEGMENT_INVALID = "SEGMENT_INVALID"
    TYPE_NOT_ALLOWED = "TYPE_NOT_ALLOWED"
    TOO_LARGE = "TOO_LARGE"
    TOO_MANY_UPLOADS = "TOO_MANY_UPLOADS"
    UPLOAD_MISSING = "UPLOAD_MISSING"
    REQUEST_OPEN = "REQUEST_OPEN"
    NOT_REFUNDABLE = "NOT_REFUNDABLE"
    OVER_REFUNDABLE = "OVER_REFUNDABLE"
    WRONG_STATE = "WRONG_STATE"


describe(
    UserErrorCode,
    "A reason why a change was not made.",
    NOT_FOUND="The object does not exist, or this viewer may not see it.",
    INVALID="A value is not valid; the message says why.",
    CARD_NUMBER="A text holds what may be the number of a card: 12 to 19 digits that pass the check of such numbers.",
    NOT_ENOUGH_POINTS="The customer has fewer spendable points.",
    ALREADY_DECIDED="The adjustment is already approved or declined.",
    SAME_PERSON="The person who asked for the points cannot approve them.",
    LIMIT_EXCEEDED="The change is beyond a limit; the message says which.",
    ALREADY_REDEEMED="A coupon is already redeemed.",
    SAME_STATUS="The account already has this status.",
    IDEMPOTENCY_CONFLICT="The idempotency key was used for another change. Use a new key for a new change.",
    UNKNOWN_ACTIVITY_TYPE="The catalogue has no activity type with this code.",
    PLATFORM_ONLY_TYPE="Activities of this type record another change and cannot be written by hand.",
    CUSTOMER_CLOSED="The account is closed for good: anonymised, or merged by a source system that does not say whom "
    "into.",
    NUMBER_TAKEN="Another customer has this number.",
    IDENTITY_TAKEN="Another customer has this id in that source system.",
    STALE="The details were changed after the expected revision. The payload has the customer as they are now.",
    NO_REGISTERED_EMAIL="The customer has no registered e-mail address.",
    WALLET_OFF="No wallet service is connected.",
    ALREADY_BLOCKED="The value is on the blocklist already; the message names the entry.",
    CUSTOMER_MERGED="The customer was merged into another one: make the change there. The payload's customer names the "
    "survivor in `mergedInto`.",
    MERGE_IN_PROGRESS="Rows are still on their way to a survivor, or back. Try again when that is done.",
    RESERVATION_OPEN="Points are reserved for a purchase that another system may still complete.",
    ALREADY_UNDONE="The merge was undone already.",
    NAME_TAKEN="Another segment of the same owner has this name.",
    SEGMENT_INVALID="The segment was saved with what this version does not know; the message says what.",
    TYPE_NOT_ALLOWED="Files of this type cannot be uploaded; the message lists those that can.",
    TOO_LARGE="The file is larger than an upload may be.",
    TOO_MANY_UPLOADS="The viewer has too many uploads that are not attached yet.",
    UPLOAD_MISSING="No such upload waits to be attached: it is unknown, expired, attached already or another person's, "
    "or its content has not been sent.",
    REQUEST_OPEN="A request to another system is open: the same is not asked for twice, and what it "
    "is about is not merged "
    "or erased. The message names it.",
    NOT_REFUNDABLE="Nothing of this transaction can be refunded; the message says why.",
    OVER_REFUNDABLE="Less than that can still be refunded; the message says how much.",
    WRONG_STATE="The state of the request, of what it is about, or of the webhook endpoint does not allow it; the "
    "message says which it is.",
)
describe(
    SettableStatus,
    "A status that can be set by hand.",
    ACTIVE="The account is in use.",
    BLOCKED="The company has blocked the account.",
    DEACTIVATED="The account is deactivated.",
)

KEY = (
    "A key that the client makes for each change, 1 to 128 characters. Sending the same "
    "change again with the same key is safe and returns the first result. Keys are kept for "
    "90 days."
)


@strawberry.type(
    description="A reason why a change was not made. Nothing was written, and the idempotency key is still free."
)
class UserError:
    access: ClassVar[Access] = WITH_OWNER

    code: UserErrorCode = strawberry.field(description="The code, for programs.")
    field: list[str] = strawberry.field(
        description="The path of the input field at fault; empty if it is none in particular."
    )
    message: str = strawberry.field(description="The message, a sentence for people.")


def user_errors_of(refusal: Refusal) -> Source:
    """Returns a refusal as clients see it, each by itself where there are several."""
    several = refusal.refusals if isinstance(refusal, Refusals) else [refusal]
    return [{"code": each.code, "field": list(each.field), "message": str(each)} for each in several]


@strawberry.interface(description="The result of any change.")
class MutationPayload:
    user_errors: list[UserError] = strawberry.field(
        description="All reasons why nothing was changed; empty if the change was made."
    )

    @strawberry.field(description="Everything that can be read, as it is after the change.")
    @staticmethod
    def query() -> _Query:
        return cast(Source, {})

    @classmethod
    def is_type_of(cls, *_: object) -> bool:
        """Returns True: a payload comes from its own mutation only."""
        return True


COMMON = "activity activity_edge customer query user_errors"


@strawberry.type
class Changed(MutationPayload):
    """Every payload about a customer has these fields; the schema has no type of this name."""

    @strawberry.field(description="The activity as a row of `Customer.activities` in its default order, to put on top.")
    @staticmethod
    def activity_edge(payload: strawberry.Parent[Document], info: Info) -> Edge[Activity] | None:
        edge = PagedEdge(ACTIVITIES, ActivityFilter, ActivityOrder)
        return edge.row(payload.get("activity"), info.context.viewer.roles)

    activity: Activity | None = strawberry.field(description="The activity that records the change on the timeline.")
    customer: Customer | None = strawberry.field(description="The customer after the change.")


@strawberry.input(description="An upload to attach to a note. Only the person who created it may attach it, once.")
class NoteAttachmentInput:
    upload_id: strawberry.ID = strawberry.field(description="The id of an upload whose content has been sent.")
    description: str | None = strawberry.field(
        default=None, description=f"A description of the file, at most {TEXT_AT_MOST} characters."
    )


@strawberry.input(description="A note to write on a customer's account.")
class AddNoteInput:
    customer_id: strawberry.ID = strawberry.field(description="The customer's id.")
    message: str = strawberry.field(description="The text, at most 10,000 characters.")
    idempotency_key: str = strawberry.field(description=KEY)
    mentions: list[str] | None = strawberry.field(
        default=None, description="Colleagues to mention, by user name; at most 100."
    )
    links: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description="The ids of what the note is about: customers, transactions or any other node; at most 100.",
    )
    attachments: list[NoteAttachmentInput] | None = strawberry.field(
        default=None, description=f"The files to attach; at most {MOST_ATTACHED}."
    )


@strawberry.type(description="The result of `addNote`.")
class AddNotePayload(Changed):
    access: ClassVar[Access] = WITH_OWNER

    note: Note | None = strawberry.field(description="The note that was written.")


@strawberry.input(description="Another text for a note. Its author and supervisors may edit it.")
class EditNoteInput:
    note_id: strawberry.ID = strawberry.field(description="The note.")
    message: str = strawberry.field(description="The text, at most 10,000 characters.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `editNote`. Without `activity`, it had this text already.")
class EditNotePayload(Changed):
    access: ClassVar[Access] = WITH_OWNER

    note: Note | None = strawberry.field(description="The note.")


@strawberry.input(description="A note to pin, or not to pin any more.")
class PinNoteInput:
    note_id: strawberry.ID = strawberry.field(description="The note.")
    idempotency_key: str = strawberry.field(description=KEY)
    pinned_for: PinnedFor | None = strawberry.field(
        default=None, description="For whom to pin it. Null: for nobody, not for the viewer either."
    )


@strawberry.type(
    description="The result of `pinNote`. Only what changes for everybody is on the timeline, as `activity`."
)
class PinNotePayload(Changed):
    access: ClassVar[Access] = WITH_OWNER

    note: Note | None = strawberry.field(description="The note.")


@strawberry.input(description="Points to add or deduct by hand.")
class AdjustPointsInput:
    customer_id: strawberry.ID = strawberry.field(description="The customer's id.")
    points: int = strawberry.field(description="The number of points: positive adds, negative deducts.")
    reason: str = strawberry.field(
        description="The reason, at most 1,000 characters. It is shown in the points history."
    )
    idempotency_key: str = strawberry.field(description=KEY)
    expires_at: datetime | None = strawberry.field(
        default=None, description="The time when added points expire. Default: never."
    )


@strawberry.type(description="The result of `adjustPoints`.")
class AdjustPointsPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER

    entry: PointsEntry | None = strawberry.field(description="The ledger entry that moved the points.")

    @strawberry.field(description="The entry as a row of `Customer.pointsHistory` in its default order, to put on top.")
    @staticmethod
    def entry_edge(payload: strawberry.Parent[Document], info: Info) -> Edge[PointsEntry] | None:
        edge = PagedEdge(POINTS, PointsFilter, PointsOrder)
        return edge.row(payload.get("entry"), info.context.viewer.roles)


@strawberry.input(description="Points to add or deduct once another person has approved them.")
class RequestPointsAdjustmentInput:
    customer_id: strawberry.ID = strawberry.field(description="The customer's id.")
    points: int = strawberry.field(description="The number of points: positive adds, negative deducts.")
    reason: str = strawberry.field(
        description="The reason, at most 1,000 characters. The person who approves it reads this."
    )
    idempotency_key: str = strawberry.field(description=KEY)
    expires_at: datetime | None = strawberry.field(
        default=None, description="The time when added points expire. Default: never."
    )


@strawberry.type(description="The result of `requestPointsAdjustment`.")
class RequestPointsAdjustmentPayload(Changed):
    access: ClassVar[Access] = {
        WITH_OWNER: COMMON,
        ADJUSTMENT: "adjustment",
    }

    adjustment: PointsAdjustment | None = strawberry.field(description="The adjustment, which now waits for approval.")


@strawberry.input(description="An adjustment to approve. Its points are moved immediately.")
class ApprovePointsAdjustmentInput:
    adjustment_id: strawberry.ID = strawberry.field(
        description="The id of an adjustment that another person asked for."
    )
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `approvePointsAdjustment`.")
class ApprovePointsAdjustmentPayload(Changed):
    access: ClassVar[Access] = {
        WITH_OWNER: f"{COMMON} entry",
        ADJUSTMENT: "adjustment",
    }

    adjustment: PointsAdjustment | None = strawberry.field(description="The approved adjustment.")
    entry: PointsEntry | None = strawberry.field(description="The ledger entry that moved the points.")


@strawberry.input(description="An adjustment to decline, or one's own to withdraw.")
class DeclinePointsAdjustmentInput:
    adjustment_id: strawberry.ID = strawberry.field(description="The id of the adjustment.")
    reason: str = strawberry.field(
        description="The reason, at most 1,000 characters. The person who asked for the points reads this."
    )
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `declinePointsAdjustment`.")
class DeclinePointsAdjustmentPayload(Changed):
    access: ClassVar[Access] = {
        WITH_OWNER: COMMON,
        ADJUSTMENT: "adjustment",
    }

    adjustment: PointsAdjustment | None = strawberry.field(description="The declined adjustment.")


@strawberry.input(description="A status to set on an account.")
class ChangeCustomerStatusInput:
    customer_id: strawberry.ID = strawberry.field(description="The customer's id.")
    status: SettableStatus = strawberry.field(description="The new status.")
    reason: str = strawberry.field(description="The reason, at most 1,000 characters.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `changeCustomerStatus`.")
class ChangeCustomerStatusPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER

    status_change: StatusChange | None = strawberry.field(description="The status change that was recorded.")


@strawberry.input(description="A label to add to a customer or to remove.")
class TagCustomerInput:
    customer_id: strawberry.ID = strawberry.field(description="The customer's id.")
    tag: str = strawberry.field(
        description="The label, at most 100 characters. Labels that differ only in case or accents are the same."
    )
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `tagCustomer`.")
class TagCustomerPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER


@strawberry.type(description="The result of `untagCustomer`.")
class UntagCustomerPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER


@strawberry.input(description="Coupons to mark as redeemed, all or none.")
class RedeemCouponInput:
    customer_id: strawberry.ID = strawberry.field(description="The customer's id.")
    coupon_ids: list[strawberry.ID] = strawberry.field(description="The ids of the coupons; 1 to 100.")
    idempotency_key: str = strawberry.field(description=KEY)
    notify_customer: bool | None = strawberry.field(
        default=False,
        description="Whether to tell the customer by e-mail. Refused if the customer has no registered address.",
    )


@strawberry.type(description="The result of `redeemCoupon`.")
class RedeemCouponPayload(Changed):
    access: ClassVar[Access] = {
        WITH_OWNER: f"{COMMON} coupons",
        MAIL: "delivery",
    }

    coupons: list[Coupon] | None = strawberry.field(description="The coupons after the change.")
    delivery: EmailDelivery | None = strawberry.field(
        description="The delivery of the e-mail that tells the customer. Null if none was requested."
    )


@strawberry.input(description="An e-mail to send again, unchanged, to the address that is registered now.")
class ResendEmailInput:
    email_id: strawberry.ID = strawberry.field(description="The id of the e-mail.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `resendEmail`.")
class ResendEmailPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: COMMON, MAIL: "email delivery"}

    email: Email | None = strawberry.field(description="The e-mail.")
    delivery: EmailDelivery | None = strawberry.field(
        description="The delivery. Query it by its id (`node`) to follow its state."
    )


@strawberry.input(description="A pass to send to the customer's registered e-mail address.")
class EmailPassInput:
    pass_id: strawberry.ID = strawberry.field(description="The pass.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `emailPass`.")
class EmailPassPayload(Changed):
    access: ClassVar[Access] = {
        WITH_OWNER: f"{COMMON} pass_",
        MAIL: "email delivery",
    }

    pass_: Pass | None = strawberry.field(name="pass", description="The pass.")
    email: Email | None = strawberry.field(description="The e-mail with the pass or its download link.")
    delivery: EmailDelivery | None = strawberry.field(
        description="The delivery. Query it by its id (`node`) to follow its state."
    )


@strawberry.input(description="A pass that the wallet service should update.")
class PushPassInput:
    pass_id: strawberry.ID = strawberry.field(description="The pass.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `pushPass`.")
class PushPassPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER

    pass_: Pass | None = strawberry.field(name="pass", description="The pass.")
    push: PassPush | None = strawberry.field(
        description="The request to the wallet service. Query it by its id (`node`) to follow its state."
    )


@strawberry.input(description="One attribute of an activity to record.")
class AttributeInput:
    name: str = strawberry.field(description="The attribute's name in the catalogue.")
    value: str = strawberry.field(
        description='Canonical text: ISO dates, "12.50 EUR", plain digits, items joined by ", ".'
    )


@strawberry.input(description='An activity to record by hand ("Add action").')
class RecordActivityInput:
    customer_id: strawberry.ID = strawberry.field(description="The customer's id.")
    type: str = strawberry.field(
        description="The code of the activity type in the catalogue. Types that record another change are refused."
    )
    idempotency_key: str = strawberry.field(description=KEY)
    attributes: list[AttributeInput] | None = strawberry.field(
        default=None,
        description="The attributes. Those that the catalogue requires must be given; those that it does not "
        "know are refused.",
    )
    message: str | None = strawberry.field(default=None, description="A free text, at most 10,000 characters.")
    occurred_at: datetime | None = strawberry.field(
        default=None, description="The time when it happened. Default: now."
    )
    points: int | None = strawberry.field(default=None, description="The points that it earned, or spent if negative.")


@strawberry.type(description="The result of `recordActivity`.")
class RecordActivityPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER
