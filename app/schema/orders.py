"""Declares orders and subscriptions, as the systems that fulfil them report them."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.access import Role
from app.domain.orders import in_phases, phase_of
from app.domain.paging import Sorting, Where, both
from app.schema.base import Document, Info, Node, reads
from app.schema.enums import OrderDirection
from app.schema.filters import TimeRange, among, during
from app.schema.mirror_enums import (
    OrderCancelCategory,
    OrderCanceller,
    OrderKind,
    OrderOrderField,
    OrderPhase,
    OrderStatus,
)
from app.schema.mirrors import STATUS, Mirror
from app.schema.rules import BILLING, Access
from app.schema.transactions import Money


@strawberry.type(description="What was ordered.")
class OrderItem:
    access: ClassVar[Access] = BILLING

    name: str = strawberry.field(description="The name of the product or plan.")
    plan: str | None = strawberry.field(description="The id of the plan in the source.")
    quantity: int | None = strawberry.field(description="The quantity.")
    amount: Money | None = strawberry.field(description="The amount of money for it.")


@strawberry.type(description="The time that a subscription is paid for at present.")
class OrderPeriod:
    access: ClassVar[Access] = BILLING

    start_at: datetime = strawberry.field(description="The time when it began.")
    end_at: datetime = strawberry.field(description="The time when it ends.")


@strawberry.type(name="Order", description="An order or a subscription. It is imported, and never edited here.")
class OrderType(Mirror, Node):
    access: ClassVar[Access] = BILLING

    number: str = strawberry.field(description="The number in the source system.")
    kind: OrderKind = strawberry.field(description="Whether it renews.")
    status: OrderStatus = strawberry.field(description=STATUS)

    @strawberry.field(description="The phase that it is in now, by its status and times. Null if the status is OTHER.")
    @staticmethod
    @reads("status startAt churnAt")
    def phase(order: strawberry.Parent[Document], info: Info) -> OrderPhase | None:
        return phase_of(order, info.context.now)

    items: list[OrderItem] = strawberry.field(description="What was ordered; at most 100.")
    currency: str = strawberry.field(description="Three-letter currency code (ISO 4217).")
    created_at: datetime = strawberry.field(description="The time when it was created.")
    start_at: datetime | None = strawberry.field(description="The time when it starts or started.")
    renews_at: datetime | None = strawberry.field(description="The time of the next renewal.")
    current_period: OrderPeriod | None = strawberry.field(
        description="The time that is paid for at present. Null if the source reports none."
    )
    in_trial: bool = strawberry.field(description="Whether it is in its trial.")
    cancelled_by: OrderCanceller | None = strawberry.field(description="Who cancelled it. Null if nobody did.")
    cancel_category: OrderCancelCategory | None = strawberry.field(description="The reason for the cancellation.")
    churn_at: datetime | None = strawberry.field(
        description="The time when a cancelled subscription ends or ended. Until then it is served."
    )


@strawberry.input(description="A filter on orders. Conditions that are left out do not filter.")
class OrderFilter:
    phases: list[OrderPhase] | None = strawberry.field(
        default=None, description="Only orders that are in one of these phases now. An empty list matches no rows."
    )
    kinds: list[OrderKind] | None = strawberry.field(
        default=None, description="Only these kinds. An empty list matches no rows."
    )
    statuses: list[OrderStatus] | None = strawberry.field(
        default=None, description="Only orders with one of these statuses. An empty list matches no rows."
    )
    created_at: TimeRange | None = strawberry.field(
        default=None, description="Only orders that were created in this window."
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        phases = () if self.phases is None else in_phases(self.phases)
        return (
            *both(among("status", self.statuses), phases),
            *among("kind", self.kinds),
            *during("createdAt", self.created_at),
        )


@strawberry.input(description="A sort order for orders.")
class OrderOrder:
    default: ClassVar[str] = "Newest first"

    field: OrderOrderField = strawberry.field(default=OrderOrderField.CREATED_AT, description="The field to sort by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, _: OrderFilter) -> Sorting:
        return Sorting(self.field, self.direction == OrderDirection.DESC)
