"""Declares coupons that a customer holds or held."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.access import Role
from app.domain.paging import Where
from app.schema.base import Node
from app.schema.enums import CouponOrigin
from app.schema.filters import among
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import ACTOR, CODE, WITH_OWNER, Access


@strawberry.type(description="A coupon of a customer.")
class Coupon(Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id type value added_at expires_at origin redeemed redeemed_at customer",
        CODE: "code",
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

    def where(self, _: frozenset[Role]) -> Where:
        return (
            *among("redeemed", None if self.redeemed is None else [self.redeemed]),
            *among("origin", self.origins),
        )
