"""Changes, admitted: may they? One call. What the rules refuse becomes data here and nowhere else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, cast

import strawberry

from app.domain.access import Forbidden, Permission
from app.domain.changes import Invalid, NotFound
from app.domain.ids import COLLECTION_OF
from app.domain.refusals import Refusal
from app.domain.vocabulary import CustomerStatus
from app.schema import changes as schema
from app.schema.base import Info, Source
from app.services import activities, coupons, notes, points, statuses, tags
from app.services.changes import Changes, Wrote

Input = strawberry.argument(description="What to change.")


async def add_note(info: Info, input: Annotated[schema.AddNoteInput, Input]) -> schema.AddNotePayload | None:
    return await _made(
        info,
        "addNote",
        Permission.ADD_NOTE,
        input.customer_id,
        lambda of: notes.add(
            of,
            input.customer_id,
            input.message,
            mentions=input.mentions or [],
            links=input.links or [],
            key=input.idempotency_key,
        ),
    )


async def adjust_points(
    info: Info, input: Annotated[schema.AdjustPointsInput, Input]
) -> schema.AdjustPointsPayload | None:
    return await _made(
        info,
        "adjustPoints",
        Permission.ADJUST_POINTS,
        input.customer_id,
        lambda of: points.adjust(
            of,
            input.customer_id,
            input.points,
            reason=input.reason,
            expires_at=input.expires_at,
            key=input.idempotency_key,
        ),
    )


async def redeem_coupon(
    info: Info, input: Annotated[schema.RedeemCouponInput, Input]
) -> schema.RedeemCouponPayload | None:
    return await _made(
        info,
        "redeemCoupon",
        Permission.REDEEM_COUPON,
        input.customer_id,
        lambda of: coupons.redeem(of, input.customer_id, input.coupon_ids, key=input.idempotency_key),
    )


async def change_customer_status(
    info: Info, input: Annotated[schema.ChangeCustomerStatusInput, Input]
) -> schema.ChangeCustomerStatusPayload | None:
    to = CustomerStatus(input.status)
    return await _made(
        info,
        "changeCustomerStatus",
        Permission.CHANGE_STATUS,
        input.customer_id,
        lambda of: statuses.change(of, input.customer_id, to, reason=input.reason, key=input.idempotency_key),
    )


async def tag_customer(
    info: Info, input: Annotated[schema.TagCustomerInput, Input]
) -> schema.TagCustomerPayload | None:
    return await _made(
        info,
        "tagCustomer",
        Permission.TAG_CUSTOMER,
        input.customer_id,
        lambda of: tags.put_on(of, input.customer_id, input.tag, key=input.idempotency_key),
    )


async def untag_customer(
    info: Info, input: Annotated[schema.TagCustomerInput, Input]
) -> schema.UntagCustomerPayload | None:
    return await _made(
        info,
        "untagCustomer",
        Permission.TAG_CUSTOMER,
        input.customer_id,
        lambda of: tags.take_off(of, input.customer_id, input.tag, key=input.idempotency_key),
    )


async def record_activity(
    info: Info, input: Annotated[schema.RecordActivityInput, Input]
) -> schema.RecordActivityPayload | None:
    async def record(of: Changes) -> Wrote:
        given = input.attributes or []
        attributes = {attribute.name: attribute.value for attribute in given}
        if len(attributes) < len(given):
            raise Invalid("An attribute is given twice.", "attributes")
        return await activities.record(
            of,
            input.customer_id,
            input.type,
            attributes=attributes,
            message=input.message,
            occurred_at=input.occurred_at,
            amount=input.points,
            key=input.idempotency_key,
        )

    return await _made(info, "recordActivity", Permission.RECORD_ACTIVITY, input.customer_id, record)


async def _made(
    info: Info,
    mutation: str,
    permission: Permission,
    customer_id: str,
    change: Callable[[Changes], Awaitable[Wrote]],
) -> Source:
    """The payload. Accepted or refused, one row of the audit log says so. Raises Forbidden."""
    of: Changes = info.context.changes
    seen = None
    try:
        info.context.viewer.require(permission)
        seen = await _document(info, customer_id)
        if seen is None:
            raise NotFound("There is no such customer.", "customerId")
        wrote = await change(of)
    except Refusal as refusal:
        await of.audit(mutation).refused(of.store, refusal, customer_id=customer_id if seen else None)
        if isinstance(refusal, Forbidden):
            raise
        error = {"code": refusal.code, "field": list(refusal.field), "message": str(refusal)}
        return {"userErrors": [error], "customer": seen}
    info.context.forget()
    written = {"customer": customer_id, **wrote}
    documents = await asyncio.gather(*(_written(info, ids) for ids in written.values()))
    return {"userErrors": [], **dict(zip(written, documents, strict=True))}


async def _document(info: Info, node_id: str) -> Source:
    """None for what is not there, what the viewer does not see, and what is no id."""
    known = node_id.partition("_")[0] in COLLECTION_OF
    return await info.context.loaders.documents.load(node_id) if known else None


async def _written(info: Info, ids: str | list[str]) -> Source:
    if isinstance(ids, str):
        return await _document(info, ids)
    return cast(Source, await asyncio.gather(*(_document(info, each) for each in ids)))
