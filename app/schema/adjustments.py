"""Points that take two people: what was asked for, and what became of it."""

from datetime import datetime
from typing import Annotated, ClassVar

import strawberry

from app.domain.paging import Where
from app.schema.base import Document, Info, Node, follow, follow_own, reads
from app.schema.customers import Customer
from app.schema.enums import AdjustmentStatus
from app.schema.filters import among
from app.schema.people import Actor
from app.schema.points import PointsEntry
from app.schema.rules import ADJUSTMENT, Access


@strawberry.type(
    description="An adjustment of points that is more than one person may make alone: one asks for it, and another "
    "approves it. Points move when it is approved."
)
class PointsAdjustment(Node):
    access: ClassVar[Access] = ADJUSTMENT

    points: int = strawberry.field(description="How many points: positive adds, negative deducts.")
    reason: str = strawberry.field(description="Why they were asked for.")
    expires_at: datetime | None = strawberry.field(description="When added points expire; null: never.")
    status: AdjustmentStatus = strawberry.field(description="Whether it still waits for a decision.")
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    requested_by: Actor = strawberry.field(description="Who asked for it. They cannot approve it themselves.")
    decided_at: datetime | None = strawberry.field(description="When it was approved or declined.")
    decided_by: Actor | None = strawberry.field(description="Who approved or declined it.")
    decision_reason: str | None = strawberry.field(description="Why it was declined.")

    @strawberry.field(description="Whose points.")
    @staticmethod
    def customer(adjustment: strawberry.Parent[Document], info: Info) -> Customer | None:
        return follow(info, adjustment, "customerId")

    @strawberry.field(description="The entry of the ledger that its approval made.")
    @staticmethod
    @reads("entryId customerId")
    def entry(adjustment: strawberry.Parent[Document], info: Info) -> PointsEntry | None:
        return follow_own(info, adjustment, "entryId")


@strawberry.input(description="Which adjustments. A condition that is left out does not filter; all others must hold.")
class PointsAdjustmentFilter:
    customer_id: strawberry.ID | None = strawberry.field(default=None, description="Of this customer.")
    statuses: list[AdjustmentStatus] | None = strawberry.field(
        default=None, description="With one of these statuses. An empty list matches none."
    )

    def where(self) -> Where:
        """Raises BadUserInput."""
        return (
            *among("customerId", None if self.customer_id is None else [self.customer_id]),
            *among("status", self.statuses),
        )


PointsAdjustmentFilterArgument = Annotated[
    PointsAdjustmentFilter | None,
    strawberry.argument(description="Which adjustments. Default: all.", name="filter"),
]
