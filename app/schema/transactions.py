"""Transactions of the loyalty programme and of billing."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar

import strawberry

from app.domain.access import Role
from app.domain.listings import REFUNDS
from app.domain.paging import Where
from app.schema.base import Document, Info, Node, ShortList, follow_own, reads
from app.schema.connection import rows_of
from app.schema.enums import TransactionStatus, TransactionType
from app.schema.filters import among, during
from app.schema.rules import WITH_OWNER, Access

_Later = Annotated["Transaction", strawberry.lazy("app.schema.transactions")]


@strawberry.type(description="An amount of money.")
class Money:
    access: ClassVar[Access] = WITH_OWNER

    amount: Decimal = strawberry.field(description="How much, exactly.")
    currency: str = strawberry.field(description="Three-letter currency code (ISO 4217).")


@strawberry.type(description="A sale, a refund or a void.")
class Transaction(Node):
    access: ClassVar[Access] = WITH_OWNER

    number: str = strawberry.field(description="The number its source gave it.")
    type: TransactionType = strawberry.field(description="What it is.")
    occurred_at: datetime = strawberry.field(description="When it happened.")
    amount: Money | None = strawberry.field(description="How much money it moved, where the source says so.")
    points_awarded: int = strawberry.field(description="The points that it earned; negative where it took some back.")
    status: TransactionStatus = strawberry.field(description="How it stands.")

    @strawberry.field(description="The sale that this refund or void takes back.")
    @staticmethod
    @reads("refundOfId customerId")
    def refund_of(transaction: strawberry.Parent[Document], info: Info) -> _Later | None:
        return follow_own(info, transaction, "refundOfId")

    @strawberry.field(description="The refunds and voids of this sale, newest first.")
    @staticmethod
    @reads("_id customerId")
    def refunds(transaction: strawberry.Parent[Document], info: Info, first: ShortList = 20) -> list[_Later] | None:
        return rows_of(info, transaction, REFUNDS, first=first)


@strawberry.input(description="Which transactions; what is left out does not filter.")
class TransactionFilter:
    from_: datetime | None = strawberry.field(name="from", default=None, description="Not before this moment.")
    to: datetime | None = strawberry.field(default=None, description="Before this moment.")
    types: list[TransactionType] | None = strawberry.field(
        default=None, description="Only these types. An empty list matches none."
    )
    statuses: list[TransactionStatus] | None = strawberry.field(
        default=None, description="Only those that stand like this. An empty list matches none."
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Raises BadUserInput."""
        return (
            *among("type", self.types),
            *among("status", self.statuses),
            *during("occurredAt", self.from_, self.to),
        )
