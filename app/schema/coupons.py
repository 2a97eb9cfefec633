"""Declares coupons that a customer holds or held."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.access import Role
from app.domain.paging import Sorting, Where
from app.schema.base import Node
from app.schema.enums import CouponOrderField, CouponOrigin, OrderDirection
from app.schema.filters import TimeRange, among, during, terms
from app.schema.origins import Imported
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import ACTOR, CODE, CONTACT, WITH_OWNER, Access


@strawberry.type(description="A coupon of a customer.")
class Coupon(Imported, Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id type value added_at expires_at origin redeemed redeemed_at source customer",
        CODE: "code",
        CONTACT: "source_id",
        ACTOR: "redeemed_by",
    }

    code: str | None = strawberry.field(description="The code that the customer uses.")
    type: str = strawberry.field(description="The kind of coupon, as its source system names it.")
    value: str = strawberry.field(description="The value, as its source system words it. For information only.")
    added_at: datetime = strawberry.field(description="The time when the customer received it.")
    expires_at: datetime | None = strawberry.field(description="The time when it expires. For information only.")
    origin: CouponOrigin = strawberry.field(description="How the customer received it.")
    redeemed: bool = strawberry.field(description="Whether it was redeemed.")
    redeemed_at: datetime | None = strawberry.field(description="The time when it was redeemed.")
    redeemed_by: Actor | None = strawberry.field(description="The person or program that marked it as redeemed.")
    customer = owner()


@strawberry.input(description="A filter on coupons. Conditions that are left out do not filter.")
class CouponFilter:
    redeemed: bool | None = strawberry.field(
        default=None, description="Only redeemed coupons (true), or only those not redeemed (false)."
    )
    origins: list[CouponOrigin] | None = strawberry.field(
        default=None,
        description="Only coupons that the customer received in one of these ways. An empty list matches no rows.",
    )

    types: list[str] | None = strawberry.field(
        default=None, description="Only these kinds, as their source system names them. An empty list matches no rows."
    )
    added_at: TimeRange | None = strawberry.field(
        default=None, description="Only coupons that the customer received in this window."
    )
    expires_at: TimeRange | None = strawberry.field(
        default=None,
        description="Only coupons that expire in this window; those that never expire are in none. The default order "
        "is EXPIRES_AT then.",
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *among("redeemed", None if self.redeemed is None else [self.redeemed]),
            *among("origin", self.origins),
            *among("type", terms("types", self.types)),
            *during("addedAt", self.added_at),
            *during("expiresAt", self.expires_at),
        )


@strawberry.input(description="A sort order for coupons.")
class CouponOrder:
    default: ClassVar[str] = "Newest first; where the filter has `expiresAt`, last to expire first"

    field: CouponOrderField | None = strawberry.field(
        default=None,
        description="The field to sort by. Default: ADDED_AT; EXPIRES_AT where the filter has `expiresAt`.",
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, asked: CouponFilter) -> Sorting:
        default = CouponOrderField.EXPIRES_AT if during("expiresAt", asked.expires_at) else CouponOrderField.ADDED_AT
        return Sorting(self.field or default, self.direction == OrderDirection.DESC)
