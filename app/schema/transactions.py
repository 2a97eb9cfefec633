"""Declares transactions of the loyalty programme and of billing."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, ClassVar, cast

import strawberry

from app.domain.access import Role
from app.domain.listings import ENTRIES_OF_TRANSACTION, REFUNDS
from app.domain.paging import Sorting, Where
from app.domain.refusals import Refusal
from app.schema.base import Document, Info, Node, ShortList, Source, follow_own, reads
from app.schema.connection import rows_of
from app.schema.enums import OrderDirection, TransactionOrderField, TransactionStatus, TransactionType
from app.schema.filters import TimeRange, among, during
from app.schema.origins import Imported
from app.schema.owner import owner
from app.schema.rules import CONTACT, REQUEST, WITH_OWNER, Access

if TYPE_CHECKING:
    from app.schema.points import PointsEntry

_Entry = Annotated["PointsEntry", strawberry.lazy("app.schema.points")]
_Later = Annotated["Transaction", strawberry.lazy("app.schema.transactions")]


@strawberry.type(description="An amount of money.")
class Money:
    access: ClassVar[Access] = WITH_OWNER

    amount: Decimal = strawberry.field(description="The exact amount.")
    currency: str = strawberry.field(description="Three-letter currency code (ISO 4217).")


@strawberry.type(description="A sale, a refund or a void.")
class Transaction(Imported, Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id number type occurred_at amount points_awarded status refund_of refunds points_entries source "
        "customer",
        CONTACT: "source_id",
        REQUEST: "refundable",
    }

    number: str = strawberry.field(description="The number in the source system.")
    type: TransactionType = strawberry.field(description="The kind.")
    occurred_at: datetime = strawberry.field(description="The time when it happened.")
    amount: Money | None = strawberry.field(description="The amount of money, if the source reports it.")
    points_awarded: int = strawberry.field(description="The points that it earned; negative if it took points back.")
    status: TransactionStatus = strawberry.field(description="The status of the transaction.")

    @strawberry.field(description="The sale that this refund or void reverses.")
    @staticmethod
    @reads("refundOfId customerId")
    def refund_of(transaction: strawberry.Parent[Document], info: Info) -> _Later | None:
        return follow_own(info, transaction, "refundOfId")

    @strawberry.field(description="The refunds and voids of this sale, newest first.")
    @staticmethod
    @reads("_id customerId")
    def refunds(transaction: strawberry.Parent[Document], info: Info, first: ShortList = 20) -> list[_Later] | None:
        return rows_of(info, transaction, REFUNDS, first=first)

    @strawberry.field(
        description="The entries of the points ledger that belong to it, newest first. Reservations and pending points "
        "are not included."
    )
    @staticmethod
    @reads("_id customerId")
    def points_entries(
        transaction: strawberry.Parent[Document], info: Info, first: ShortList = 20
    ) -> list[_Entry] | None:
        return rows_of(info, transaction, ENTRIES_OF_TRANSACTION, first=first)

    @strawberry.field(
        description="How much of the sale can still be refunded: its amount less what was refunded, and less what "
        "`requestRefund` has asked for. Zero for what is not a sale that counts, and once a refund of it has no "
        "amount in its currency."
    )
    @staticmethod
    @reads("_id amount refundable")
    async def refundable(transaction: strawberry.Parent[Document], info: Info) -> Money | None:
        if isinstance(masked := transaction.get("refundable"), Refusal):
            raise masked
        if (amount := transaction.get("amount")) is None:
            return None
        found = await info.context.loaders.refundings.load(transaction["_id"])
        return cast(Source, found and {"amount": found.left, "currency": amount["currency"]})

    customer = owner()


@strawberry.input(description="An amount of money.")
class MoneyInput:
    amount: Decimal = strawberry.field(description="The exact amount, more than zero.")
    currency: str = strawberry.field(description="Three-letter currency code (ISO 4217).")


@strawberry.input(description="A filter on transactions. Conditions that are left out do not filter.")
class TransactionFilter:
    occurred_at: TimeRange | None = strawberry.field(default=None, description="Only what happened in this window.")
    types: list[TransactionType] | None = strawberry.field(
        default=None, description="Only these types. An empty list matches no rows."
    )
    statuses: list[TransactionStatus] | None = strawberry.field(
        default=None, description="Only transactions with one of these statuses. An empty list matches no rows."
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *among("type", self.types),
            *among("status", self.statuses),
            *during("occurredAt", self.occurred_at),
        )


@strawberry.input(description="A sort order for transactions.")
class TransactionOrder:
    default: ClassVar[str] = "Newest first"

    field: TransactionOrderField = strawberry.field(
        default=TransactionOrderField.OCCURRED_AT, description="The field to sort by."
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, _: TransactionFilter) -> Sorting:
        return Sorting(self.field, self.direction == OrderDirection.DESC)
