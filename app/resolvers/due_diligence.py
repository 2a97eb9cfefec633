"""Admits changes of customers' due diligence."""

from typing import Annotated

from app.domain.access import Permission
from app.resolvers.payloads import Input, make
from app.schema import due_diligence as schema
from app.schema.base import Document, Info
from app.services import due_diligence
from app.services.changes import Changes, Wrote


async def require_due_diligence(
    info: Info, input: Annotated[schema.RequireDueDiligenceInput, Input]
) -> schema.RequireDueDiligencePayload | None:
    return await make(
        info,
        "requireDueDiligence",
        Permission.MANAGE_DUE_DILIGENCE,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: due_diligence.require(
            of, customer["_id"], required=input.required, reason=input.reason, key=input.idempotency_key
        ),
    )


async def set_due_diligence_scores(
    info: Info, input: Annotated[schema.SetDueDiligenceScoresInput, Input]
) -> schema.SetDueDiligenceScoresPayload | None:
    async def set_scores(of: Changes, customer: Document) -> Wrote:
        scores = schema.scores_of(input)
        return await due_diligence.set_scores(
            of, customer["_id"], scores, reason=input.reason, key=input.idempotency_key
        )

    return await make(
        info,
        "setDueDiligenceScores",
        Permission.MANAGE_DUE_DILIGENCE,
        ("customers", "customerId", input.customer_id),
        set_scores,
    )
