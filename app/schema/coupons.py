"""Coupons that a customer holds or held."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.access import Role
from app.domain.paging import Where
from app.schema.base import Node
from app.schema.enums import CouponOrigin
from app.schema.filters import among
from app.schema.people import Actor
from app.schema.rules import ACTOR, CODE, WITH_OWNER, Access


@strawberry.type(description="A coupon that was given to a customer.")
class Coupon(Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id type value added_at expires_at origin redeemed redeemed_at",
        CODE: "code",
        ACTOR: "redeemed_by",
    }

    code: str | None = strawberry.field(description="The code the customer uses.")
    type: str = strawberry.field(description="What kind of coupon it is, as its source names it.")
    value: str = strawberry.field(description="What it is worth, as its source words it: for information only.")
    added_at: datetime = strawberry.field(description="When the customer got it.")
    expires_at: datetime | None = strawberry.field(description="When it ends: for information only.")
    origin: CouponOrigin = strawberry.field(description="How the customer came by it.")
    redeemed: bool = strawberry.field(description="Whether it was used.")
    redeemed_at: datetime | None = strawberry.field(description="When it was used.")
    redeemed_by: Actor | None = strawberry.field(description="Who marked it as used.")


@strawberry.input(description="Which coupons; what is left out does not filter.")
class CouponFilter:
    redeemed: bool | None = strawberry.field(default=None, description="Only used ones, or only unused ones.")
    origins: list[CouponOrigin] | None = strawberry.field(
        default=None, description="Only those the customer came by in one of these ways. An empty list matches none."
    )

    def where(self, _: frozenset[Role]) -> Where:
        return (
            *among("redeemed", None if self.redeemed is None else [self.redeemed]),
            *among("origin", self.origins),
        )
