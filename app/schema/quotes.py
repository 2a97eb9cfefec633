"""Declares quotes, as the systems that make them report them."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.access import Role
from app.domain.paging import Sorting, Where
from app.schema.base import Document, Info, Node, follow_own, reads
from app.schema.enums import OrderDirection
from app.schema.filters import TimeRange, among, during
from app.schema.invoices import Invoice
from app.schema.mirror_enums import QuoteCondition, QuoteOrderField, QuoteStatus, QuoteType
from app.schema.mirrors import STATUS, Mirror
from app.schema.orders import OrderType
from app.schema.rules import BILLING, Access
from app.schema.transactions import Money


@strawberry.type(description="A condition on which a quote is accepted.")
class QuoteAcceptance:
    access: ClassVar[Access] = BILLING

    condition: QuoteCondition = strawberry.field(description="Whose or which step it takes.")
    fulfilled: bool = strawberry.field(description="Whether it was taken.")


@strawberry.type(description="A price that the customer was offered. It is imported, and never edited here.")
class Quote(Mirror, Node):
    access: ClassVar[Access] = BILLING

    number: str | None = strawberry.field(description="The number in the source system, if it has one yet.")
    type: QuoteType = strawberry.field(description="What accepting the quote does.")
    status: QuoteStatus = strawberry.field(description=STATUS)
    acceptance: list[QuoteAcceptance] = strawberry.field(description="The conditions on which it is accepted.")
    initial_amount: Money = strawberry.field(description="What is to be paid at once.")
    recurring_amount: Money | None = strawberry.field(description="What each renewal costs, if it renews.")
    created_at: datetime = strawberry.field(description="The time when it was created.")
    expires_at: datetime | None = strawberry.field(description="The time when it expires.")

    @strawberry.field(description="The order that it made, or is to change.")
    @staticmethod
    @reads("orderId customerId")
    def order(quote: strawberry.Parent[Document], info: Info) -> OrderType | None:
        return follow_own(info, quote, "orderId")

    @strawberry.field(description="The invoice that followed from it.")
    @staticmethod
    @reads("invoiceId customerId")
    def invoice(quote: strawberry.Parent[Document], info: Info) -> Invoice | None:
        return follow_own(info, quote, "invoiceId")


@strawberry.input(description="A filter on quotes. Conditions that are left out do not filter.")
class QuoteFilter:
    statuses: list[QuoteStatus] | None = strawberry.field(
        default=None, description="Only those with one of these statuses. An empty list matches no rows."
    )
    types: list[QuoteType] | None = strawberry.field(
        default=None, description="Only these types. An empty list matches no rows."
    )
    created_at: TimeRange | None = strawberry.field(
        default=None, description="Only those that were created in this window."
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *among("status", self.statuses),
            *among("type", self.types),
            *during("createdAt", self.created_at),
        )


@strawberry.input(description="A sort order for quotes.")
class QuoteOrder:
    default: ClassVar[str] = "Newest first"

    field: QuoteOrderField = strawberry.field(default=QuoteOrderField.CREATED_AT, description="The field to sort by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, _: QuoteFilter) -> Sorting:
        return Sorting(self.field, self.direction == OrderDirection.DESC)
