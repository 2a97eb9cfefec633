"""Declares points that take two people: what was asked for, and what became of it."""

from datetime import datetime
from typing import Annotated, ClassVar

import strawberry

from app.domain.paging import Where
from app.schema.base import Document, Info, Node, follow_own, reads
from app.schema.enums import AdjustmentStatus
from app.schema.filters import among, of_customer
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.points import PointsEntry
from app.schema.rules import ADJUSTMENT, Access


@strawberry.type(
    description="An adjustment of points beyond the limit of one person: one person asks for it, and "
    "another approves it. The points move when it is approved."
)
class PointsAdjustment(Node):
    access: ClassVar[Access] = ADJUSTMENT

    points: int = strawberry.field(description="The number of points: positive adds, negative deducts.")
    reason: str = strawberry.field(description="The reason for the adjustment.")
    expires_at: datetime | None = strawberry.field(description="The time when added points expire. Null: never.")
    status: AdjustmentStatus = strawberry.field(description="The state of the adjustment.")
    requested_at: datetime = strawberry.field(description="The time when it was requested.")
    requested_by: Actor = strawberry.field(description="The person who asked for it, who cannot approve it.")
    decided_at: datetime | None = strawberry.field(description="The time when it was approved or declined.")
    decided_by: Actor | None = strawberry.field(description="The person who approved or declined it.")
    decision_reason: str | None = strawberry.field(description="The reason why it was declined.")

    customer = owner()

    @strawberry.field(description="The ledger entry that the approval made.")
    @staticmethod
    @reads("entryId customerId")
    def entry(adjustment: strawberry.Parent[Document], info: Info) -> PointsEntry | None:
        return follow_own(info, adjustment, "entryId")


@strawberry.input(
    description="A filter on adjustments. Conditions that are given must all hold; conditions that are "
    "left out do not filter."
)
class PointsAdjustmentFilter:
    customer_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only adjustments for this customer."
    )
    statuses: list[AdjustmentStatus] | None = strawberry.field(
        default=None, description="Only adjustments in one of these states. An empty list matches no rows."
    )

    def where(self) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *of_customer(self.customer_id),
            *among("status", self.statuses),
        )


PointsAdjustmentFilterArgument = Annotated[
    PointsAdjustmentFilter | None,
    strawberry.argument(description="Which adjustments to return. Default: all.", name="filter"),
]
