"""Declares invoices, as the systems that issue them report them."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.access import Role
from app.domain.paging import Sorting, Where
from app.schema.base import Document, Info, Node, follow_own, reads
from app.schema.enums import OrderDirection
from app.schema.filters import TimeRange, among, during
from app.schema.mirror_enums import InvoiceOrderField, InvoiceStatus, InvoiceType
from app.schema.mirrors import STATUS, Mirror
from app.schema.orders import OrderType
from app.schema.rules import BILLING, Access
from app.schema.transactions import Money


@strawberry.type(description="An invoice. It is imported, and never edited here.")
class Invoice(Mirror, Node):
    access: ClassVar[Access] = BILLING

    number: str = strawberry.field(description="The number in the source system.")
    type: InvoiceType = strawberry.field(description="What it is for.")
    status: InvoiceStatus = strawberry.field(description=STATUS)
    amount: Money = strawberry.field(description="The amount of money.")
    amount_due: Money | None = strawberry.field(description="What is still to be paid, if the source reports it.")
    created_at: datetime = strawberry.field(description="The time when it was created.")
    issued_at: datetime | None = strawberry.field(description="The time when it was issued.")
    due_at: datetime | None = strawberry.field(description="The time by which it is to be paid.")
    paid_at: datetime | None = strawberry.field(description="The time when it was paid in full.")

    @strawberry.field(description="The order that it is for.")
    @staticmethod
    @reads("orderId customerId")
    def order(invoice: strawberry.Parent[Document], info: Info) -> OrderType | None:
        return follow_own(info, invoice, "orderId")


@strawberry.input(description="A filter on invoices. Conditions that are left out do not filter.")
class InvoiceFilter:
    statuses: list[InvoiceStatus] | None = strawberry.field(
        default=None, description="Only those with one of these statuses. An empty list matches no rows."
    )
    types: list[InvoiceType] | None = strawberry.field(
        default=None, description="Only these types. An empty list matches no rows."
    )
    due_at: TimeRange | None = strawberry.field(
        default=None,
        description="Only invoices that are due in this window. The default order is DUE_AT then.",
    )
    created_at: TimeRange | None = strawberry.field(
        default=None, description="Only those that were created in this window."
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *among("status", self.statuses),
            *among("type", self.types),
            *during("dueAt", self.due_at),
            *during("createdAt", self.created_at),
        )


@strawberry.input(description="A sort order for invoices.")
class InvoiceOrder:
    default: ClassVar[str] = "Newest first; where the filter has `dueAt`, last due first"

    field: InvoiceOrderField | None = strawberry.field(
        default=None,
        description="The field to sort by. Default: CREATED_AT; DUE_AT where the filter has `dueAt`.",
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, asked: InvoiceFilter) -> Sorting:
        default = InvoiceOrderField.DUE_AT if during("dueAt", asked.due_at) else InvoiceOrderField.CREATED_AT
        return Sorting(self.field or default, self.direction == OrderDirection.DESC)
