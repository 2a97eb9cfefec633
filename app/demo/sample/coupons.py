"""Tells coupons: what they are worth, how a customer comes by one, and who marks it as used."""

from decimal import Decimal
from typing import Final, NamedTuple

from app.demo.sample.goods import money, show
from app.demo.sample.life import Life
from app.demo.sample.people import SERVICE, SYSTEM
from app.domain.attributes import Raw
from app.domain.vocabulary import CouponOrigin
from app.store.driver import Document

_DAYS: Final = 60
"""How long a coupon is good for."""


class Reward(NamedTuple):
    name: str
    points: int
    type: str
    value: str


REWARDS: Final = (
    Reward("Free coffee", 150, "FREE_ITEM", "1 coffee"),
    Reward("Free shipping", 200, "FREE_SHIPPING", "1 order"),
    Reward("10 off", 400, "AMOUNT", "10.00"),
    Reward("20 % off books", 600, "PERCENT", "20%"),
    Reward("Roastery tour", 1_500, "EXPERIENCE", "2 persons"),
)
BIRTHDAY_GIFT: Final = Reward("Birthday gift", 0, "PERCENT", "15%")
GOODWILL: Final = Reward("Goodwill voucher", 0, "AMOUNT", "5.00")


def add_coupon(life: Life, reward: Reward, origin: CouponOrigin, *, by: Document = SYSTEM) -> Document:
    coupon = life.write(
        "coupons",
        {
            "code": life.code("NL"),
            "type": reward.type,
            "value": show(money(Decimal(reward.value), life.currency)) if reward.type == "AMOUNT" else reward.value,
            "addedAt": life.clock,
            "expiresAt": life.day(_DAYS),
            "origin": origin.value,
            "redeemed": False,
        },
    )
    attributes: dict[str, Raw] = {"couponCode": coupon["code"], "rewardName": reward.name}
    life.tell("COUPON_ADDED", attributes, about=coupon, by=by)
    return coupon


def redeem(life: Life, coupon: Document) -> None:
    """Redeems the coupon: by the customer, mostly; by an agent on the phone; or at the back office's till."""
    by, code = life.random.choices(
        (
            (life.myself, "LOYALTY_COUPON_REDEEMED"),
            (life.one_of(SERVICE), "COUPON_REDEEMED"),
            (life.one_of(SERVICE), "BILLING_COUPON_REDEEMED"),
        ),
        (7, 2, 1),
    )[0]
    coupon |= {"redeemed": True, "redeemedAt": life.clock, "redeemedBy": by}
    codes: dict[str, Raw] = {"couponCode": coupon["code"]}
    if code == "BILLING_COUPON_REDEEMED":
        codes = {"couponCodes": [coupon["code"]]}
    life.tell(code, codes, by=by, about=coupon)
