"""Admits changes: one call each. What the rules refuse becomes data here and nowhere else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, cast

import strawberry

from app.domain.access import Forbidden, Permission
from app.domain.changes import Invalid, NotFound
from app.domain.ids import check_id
from app.domain.kinds import BY_COLLECTION
from app.domain.refusals import BadUserInput, Refusal
from app.domain.times import stored
from app.domain.vocabulary import CustomerStatus
from app.schema import changes as schema
from app.schema.base import Document, Info, Source
from app.services import activities, adjustments, coupons, emails, notes, passes, points, statuses, tags
from app.services.changes import Changes, Wrote

Input = strawberry.argument(description="The change to make.")


async def add_note(info: Info, input: Annotated[schema.AddNoteInput, Input]) -> schema.AddNotePayload | None:
    async def is_there(node_id: str) -> bool:
        return await _document(info, node_id) is not None

    return await _made(
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
            key=input.idempotency_key,
            is_there=is_there,
        ),
    )


async def adjust_points(
    info: Info, input: Annotated[schema.AdjustPointsInput, Input]
) -> schema.AdjustPointsPayload | None:
    return await _made(
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
    return await _made(
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
    return await _made(
        info,
        "approvePointsAdjustment",
        Permission.APPROVE_ADJUSTMENT,
        ("adjustments", "adjustmentId", input.adjustment_id),
        lambda of, adjustment: adjustments.approve(of, adjustment, key=input.idempotency_key),
    )


async def decline_points_adjustment(
    info: Info, input: Annotated[schema.DeclinePointsAdjustmentInput, Input]
) -> schema.DeclinePointsAdjustmentPayload | None:
    return await _made(
        info,
        "declinePointsAdjustment",
        Permission.ADJUST_POINTS,
        ("adjustments", "adjustmentId", input.adjustment_id),
        lambda of, adjustment: adjustments.decline(of, adjustment, reason=input.reason, key=input.idempotency_key),
    )


async def redeem_coupon(
    info: Info, input: Annotated[schema.RedeemCouponInput, Input]
) -> schema.RedeemCouponPayload | None:
    return await _made(
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
    return await _made(
        info,
        "resendEmail",
        Permission.RESEND_EMAIL,
        ("emails", "emailId", input.email_id),
        lambda of, email: emails.resend(of, email, key=input.idempotency_key),
    )


async def email_pass(info: Info, input: Annotated[schema.EmailPassInput, Input]) -> schema.EmailPassPayload | None:
    return await _made(
        info,
        "emailPass",
        Permission.SEND_PASS,
        ("passes", "passId", input.pass_id),
        lambda of, pass_: passes.email(of, pass_, key=input.idempotency_key),
    )


async def push_pass(info: Info, input: Annotated[schema.PushPassInput, Input]) -> schema.PushPassPayload | None:
    return await _made(
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
    return await _made(
        info,
        "changeCustomerStatus",
        Permission.CHANGE_STATUS,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: statuses.change(of, customer["_id"], to, reason=input.reason, key=input.idempotency_key),
    )


async def tag_customer(
    info: Info, input: Annotated[schema.TagCustomerInput, Input]
) -> schema.TagCustomerPayload | None:
    return await _made(
        info,
        "tagCustomer",
        Permission.TAG_CUSTOMER,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: tags.put_on(of, customer["_id"], input.tag, key=input.idempotency_key),
    )


async def untag_customer(
    info: Info, input: Annotated[schema.TagCustomerInput, Input]
) -> schema.UntagCustomerPayload | None:
    return await _made(
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
        given = input.attributes or []
        attributes = {attribute.name: attribute.value for attribute in given}
        if len(attributes) < len(given):
            raise Invalid("An attribute is given twice.", "attributes")
        return await activities.record(
            of,
            customer["_id"],
            input.type,
            attributes=attributes,
            message=input.message,
            occurred_at=input.occurred_at and stored(input.occurred_at),
            amount=input.points,
            key=input.idempotency_key,
        )

    return await _made(
        info, "recordActivity", Permission.RECORD_ACTIVITY, ("customers", "customerId", input.customer_id), record
    )


async def _made(
    info: Info,
    mutation: str,
    permission: Permission,
    about: tuple[str, str, str],
    change: Callable[[Changes, Document], Awaitable[Wrote]],
) -> Source:
    """Returns the payload. Accepted or refused, one row of the audit log says so. Raises Forbidden, BadUserInput.

    ``about`` is a collection, the input's field and the id in it; ``change`` gets the document as its viewer sees it.
    """
    of: Changes = info.context.changes
    collection, argument, node_id = about
    seen = customer_id = None
    try:
        info.context.viewer.require(permission)  # for any customer at all, or nothing is said of this one
        check_id(node_id, argument, expected=collection)
        seen = await _document(info, node_id)
        if seen is None:
            raise NotFound(f"There is no such {BY_COLLECTION[collection].noun}.", argument)
        customer_id = seen.get("customerId", seen["_id"])
        info.context.viewer.require(permission, customer_id)
        wrote = await change(of, seen)
    except Refusal as refusal:
        await of.audit(mutation).refused(of.store, refusal, customer_id=customer_id)
        if isinstance(refusal, Forbidden | BadUserInput):
            raise
        customer = await _document(info, customer_id) if customer_id else None
        return {"userErrors": schema.user_errors_of(refusal), "customer": customer}
    info.context.forget()
    written = {"customer": customer_id, **wrote}
    documents = await asyncio.gather(*(_written(info, ids) for ids in written.values()))
    return {"userErrors": [], **dict(zip(written, documents, strict=True))}


async def _document(info: Info, node_id: str) -> Source:
    """Returns the document; None if it is missing or not for this viewer."""
    return await info.context.loaders.documents.load(node_id)


async def _written(info: Info, ids: str | list[str]) -> Source:
    if isinstance(ids, str):
        return await _document(info, ids)
    return cast(Source, await asyncio.gather(*(_document(info, each) for each in ids)))
