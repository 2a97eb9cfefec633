"""Declares payment instruments, as the systems that charge them report them."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.access import Role
from app.domain.paging import Sorting, Where
from app.schema.base import Node
from app.schema.enums import OrderDirection
from app.schema.filters import TimeRange, among, during, terms
from app.schema.mirror_enums import PaymentInstrumentOrderField, PaymentInstrumentStatus
from app.schema.mirrors import STATUS, Mirror
from app.schema.people import Address
from app.schema.rules import BILLING, Access


@strawberry.type(
    description="A card, a bank account or another way to pay, without its number. It is imported, and never edited "
    "here."
)
class PaymentInstrument(Mirror, Node):
    access: ClassVar[Access] = BILLING

    method: str = strawberry.field(description="The method, as the source names it, such as payment-card.")
    status: PaymentInstrumentStatus = strawberry.field(description=STATUS)
    brand: str | None = strawberry.field(description="The brand of a card, such as Visa.")
    last4: str | None = strawberry.field(description="The last characters of the number, at most 4.")
    exp_month: int | None = strawberry.field(description="The month in which a card expires, from 1 to 12.")
    exp_year: int | None = strawberry.field(description="The year in which a card expires.")
    holder: str | None = strawberry.field(description="The name of the holder.")
    billing_address: Address | None = strawberry.field(description="The billing address of the instrument.")
    is_default: bool = strawberry.field(description="Whether the source charges it unless another one is named.")
    use_as_backup: bool = strawberry.field(description="Whether the source charges it when the default one fails.")
    fingerprint: str | None = strawberry.field(
        description="What the source calls the number: the same for the same card, on any account."
    )
    sticky_gateway: str | None = strawberry.field(description="The payment gateway that the source always uses for it.")
    bank_name: str | None = strawberry.field(description="The name of the bank.")
    bank_country: str | None = strawberry.field(description="Two-letter country code of the bank (ISO 3166-1).")
    digital_wallet: str | None = strawberry.field(description="The wallet that holds it, such as Apple Pay.")
    created_at: datetime = strawberry.field(description="The time when it was added.")
    last_payment_at: datetime | None = strawberry.field(description="The time of the last payment with it.")


@strawberry.input(description="A filter on payment instruments. Conditions that are left out do not filter.")
class PaymentInstrumentFilter:
    statuses: list[PaymentInstrumentStatus] | None = strawberry.field(
        default=None, description="Only those with one of these statuses. An empty list matches no rows."
    )
    methods: list[str] | None = strawberry.field(
        default=None, description="Only these methods, as their source names them. An empty list matches no rows."
    )
    created_at: TimeRange | None = strawberry.field(
        default=None, description="Only those that were added in this window."
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *among("status", self.statuses),
            *among("method", terms("methods", self.methods)),
            *during("createdAt", self.created_at),
        )


@strawberry.input(description="A sort order for payment instruments.")
class PaymentInstrumentOrder:
    default: ClassVar[str] = "Newest first"

    field: PaymentInstrumentOrderField = strawberry.field(
        default=PaymentInstrumentOrderField.CREATED_AT, description="The field to sort by."
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, _: PaymentInstrumentFilter) -> Sorting:
        return Sorting(self.field, self.direction == OrderDirection.DESC)
