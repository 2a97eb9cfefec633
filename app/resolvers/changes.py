"""Admits changes of what customers have: one call each."""

from typing import Annotated

from app.domain.access import Permission
from app.domain.times import stored
from app.domain.uploads import Attaching
from app.domain.vocabulary import CustomerStatus, PinnedFor
from app.resolvers.payloads import Input, attributes_of, document_of, make
from app.schema import changes as schema
from app.schema.base import Document, Info
from app.services import activities, adjustments, coupons, emails, notes, passes, points, statuses, tags
from app.services.changes import Changes, Wrote


async def add_note(info: Info, input: Annotated[schema.AddNoteInput, Input]) -> schema.AddNotePayload | None:
    async def is_there(node_id: str) -> bool:
        return await document_of(info, node_id) is not None

    return await make(
        info,
        "addNote",
        Permission.ADD_NOTE,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: notes.add(
            of,
            customer["_id"],
            input.message,
            mentions=input.mentions or [],
            links=input.links or [],
            attachments=[Attaching(each.upload_id, each.description) for each in input.attachments or []],
            key=input.idempotency_key,
            is_there=is_there,
        ),
    )


async def edit_note(info: Info, input: Annotated[schema.EditNoteInput, Input]) -> schema.EditNotePayload | None:
    return await make(
        info,
        "editNote",
        Permission.ADD_NOTE,
        ("notes", "noteId", input.note_id),
        lambda of, note: notes.edit(of, note, input.message, key=input.idempotency_key),
    )


async def pin_note(info: Info, input: Annotated[schema.PinNoteInput, Input]) -> schema.PinNotePayload | None:
    pinned_for = input.pinned_for and PinnedFor(input.pinned_for)
    return await make(
        info,
        "pinNote",
        Permission.ADD_NOTE,
        ("notes", "noteId", input.note_id),
        lambda of, note: notes.pin(of, note, pinned_for, key=input.idempotency_key),
    )


async def adjust_points(
    info: Info, input: Annotated[schema.AdjustPointsInput, Input]
) -> schema.AdjustPointsPayload | None:
    return await make(
        info,
        "adjustPoints",
        Permission.ADJUST_POINTS,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: points.adjust(
            of,
            customer["_id"],
            input.points,
            reason=input.reason,
            expires_at=input.expires_at and stored(input.expires_at),
            key=input.idempotency_key,
        ),
    )


async def request_points_adjustment(
    info: Info, input: Annotated[schema.RequestPointsAdjustmentInput, Input]
) -> schema.RequestPointsAdjustmentPayload | None:
    return await make(
        info,
        "requestPointsAdjustment",
        Permission.ADJUST_POINTS,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: adjustments.request(
            of,
            customer["_id"],
            input.points,
            reason=input.reason,
            expires_at=input.expires_at and stored(input.expires_at),
            key=input.idempotency_key,
        ),
    )


async def approve_points_adjustment(
    info: Info, input: Annotated[schema.ApprovePointsAdjustmentInput, Input]
) -> schema.ApprovePointsAdjustmentPayload | None:
    return await make(
        info,
        "approvePointsAdjustment",
        Permission.APPROVE_ADJUSTMENT,
        ("adjustments", "adjustmentId", input.adjustment_id),
        lambda of, adjustment: adjustments.approve(of, adjustment, key=input.idempotency_key),
    )


async def decline_points_adjustment(
    info: Info, input: Annotated[schema.DeclinePointsAdjustmentInput, Input]
) -> schema.DeclinePointsAdjustmentPayload | None:
    return await make(
        info,
        "declinePointsAdjustment",
        Permission.ADJUST_POINTS,
        ("adjustments", "adjustmentId", input.adjustment_id),
        lambda of, adjustment: adjustments.decline(of, adjustment, reason=input.reason, key=input.idempotency_key),
    )


async def redeem_coupon(
    info: Info, input: Annotated[schema.RedeemCouponInput, Input]
) -> schema.RedeemCouponPayload | None:
    return await make(
        info,
        "redeemCoupon",
        Permission.REDEEM_COUPON,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: coupons.redeem(
            of, customer["_id"], input.coupon_ids, notify=bool(input.notify_customer), key=input.idempotency_key
        ),
    )


async def resend_email(
    info: Info, input: Annotated[schema.ResendEmailInput, Input]
) -> schema.ResendEmailPayload | None:
    return await make(
        info,
        "resendEmail",
        Permission.RESEND_EMAIL,
        ("emails", "emailId", input.email_id),
        lambda of, email: emails.resend(of, email, key=input.idempotency_key),
    )


async def email_pass(info: Info, input: Annotated[schema.EmailPassInput, Input]) -> schema.EmailPassPayload | None:
    return await make(
        info,
        "emailPass",
        Permission.SEND_PASS,
        ("passes", "passId", input.pass_id),
        lambda of, pass_: passes.email(of, pass_, key=input.idempotency_key),
    )


async def push_pass(info: Info, input: Annotated[schema.PushPassInput, Input]) -> schema.PushPassPayload | None:
    return await make(
        info,
        "pushPass",
        Permission.SEND_PASS,
        ("passes", "passId", input.pass_id),
        lambda of, pass_: passes.push(of, pass_, key=input.idempotency_key),
    )


async def change_customer_status(
    info: Info, input: Annotated[schema.ChangeCustomerStatusInput, Input]
) -> schema.ChangeCustomerStatusPayload | None:
    to = CustomerStatus(input.status)
    return await make(
        info,
        "changeCustomerStatus",
        Permission.CHANGE_STATUS,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: statuses.change(of, customer["_id"], to, reason=input.reason, key=input.idempotency_key),
    )


async def tag_customer(
    info: Info, input: Annotated[schema.TagCustomerInput, Input]
) -> schema.TagCustomerPayload | None:
    return await make(
        info,
        "tagCustomer",
        Permission.TAG_CUSTOMER,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: tags.put_on(of, customer["_id"], input.tag, key=input.idempotency_key),
    )


async def untag_customer(
    info: Info, input: Annotated[schema.TagCustomerInput, Input]
) -> schema.UntagCustomerPayload | None:
    return await make(
        info,
        "untagCustomer",
        Permission.TAG_CUSTOMER,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: tags.take_off(of, customer["_id"], input.tag, key=input.idempotency_key),
    )


async def record_activity(
    info: Info, input: Annotated[schema.RecordActivityInput, Input]
) -> schema.RecordActivityPayload | None:
    async def record(of: Changes, customer: Document) -> Wrote:
        return await activities.record(
            of,
            customer["_id"],
            input.type,
            attributes=attributes_of(input.attributes),
            message=input.message,
            occurred_at=input.occurred_at and stored(input.occurred_at),
            amount=input.points,
            key=input.idempotency_key,
        )

    return await make(
        info, "recordActivity", Permission.RECORD_ACTIVITY, ("customers", "customerId", input.customer_id), record
    )
