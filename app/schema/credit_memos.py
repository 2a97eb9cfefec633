"""Declares credit memos, as the systems that keep them report them."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.access import Role
from app.domain.paging import Sorting, Where
from app.schema.base import Document, Info, Node, follow_own, reads
from app.schema.enums import OrderDirection
from app.schema.filters import TimeRange, among, during
from app.schema.invoices import Invoice
from app.schema.mirror_enums import CreditMemoOrderField, CreditMemoReason, CreditMemoStatus
from app.schema.mirrors import STATUS, Mirror
from app.schema.rules import BILLING, Access
from app.schema.transactions import Money


@strawberry.type(description="What a credit memo gives back.")
class CreditMemoItem:
    access: ClassVar[Access] = BILLING

    name: str = strawberry.field(description="The name of the product, or what it is for.")
    quantity: int | None = strawberry.field(description="The quantity.")
    amount: Money | None = strawberry.field(description="The amount of money for it.")


@strawberry.type(description="An amount that the customer has to their credit. It is imported, and never edited here.")
class CreditMemo(Mirror, Node):
    access: ClassVar[Access] = BILLING

    number: str = strawberry.field(description="The number in the source system.")
    status: CreditMemoStatus = strawberry.field(description=STATUS)
    reason: CreditMemoReason | None = strawberry.field(description="The reason, if the source reports it.")
    total: Money = strawberry.field(description="The whole amount.")
    unused: Money = strawberry.field(description="What is left of it, as the source says: it is not computed here.")
    created_at: datetime = strawberry.field(description="The time when it was created.")
    issued_at: datetime | None = strawberry.field(description="The time when it was issued.")
    items: list[CreditMemoItem] = strawberry.field(description="What it gives back; at most 100.")

    @strawberry.field(description="The invoice that it corrects.")
    @staticmethod
    @reads("invoiceId customerId")
    def invoice(memo: strawberry.Parent[Document], info: Info) -> Invoice | None:
        return follow_own(info, memo, "invoiceId")


@strawberry.input(description="A filter on credit memos. Conditions that are left out do not filter.")
class CreditMemoFilter:
    statuses: list[CreditMemoStatus] | None = strawberry.field(
        default=None, description="Only those with one of these statuses. An empty list matches no rows."
    )
    reasons: list[CreditMemoReason] | None = strawberry.field(
        default=None, description="Only those with one of these reasons. An empty list matches no rows."
    )
    created_at: TimeRange | None = strawberry.field(
        default=None, description="Only those that were created in this window."
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *among("status", self.statuses),
            *among("reason", self.reasons),
            *during("createdAt", self.created_at),
        )


@strawberry.input(description="A sort order for credit memos.")
class CreditMemoOrder:
    default: ClassVar[str] = "Newest first"

    field: CreditMemoOrderField = strawberry.field(
        default=CreditMemoOrderField.CREATED_AT, description="The field to sort by."
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, _: CreditMemoFilter) -> Sorting:
        return Sorting(self.field, self.direction == OrderDirection.DESC)
