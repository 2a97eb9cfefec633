"""Coupons, marked as used."""

from collections.abc import Sequence

from app.domain.changes import Invalid, NotFound
from app.domain.refusals import Refusal
from app.services.changes import Changes, Effect, Session, Wrote
from app.store.driver import Document

_AT_MOST = 100


class AlreadyRedeemed(Refusal):
    code, field = "ALREADY_REDEEMED", ("couponIds",)

    def __init__(self, codes: Sequence[str]) -> None:
        super().__init__(f"Used already: {', '.join(codes)}. Nothing was redeemed.")


async def redeem(of: Changes, customer_id: str, coupon_ids: Sequence[str], *, key: str) -> Wrote:
    """All or none. Raises Invalid, NotFound (another customer's is not found), AlreadyRedeemed."""
    wanted = list(dict.fromkeys(coupon_ids))
    if not 1 <= len(wanted) <= _AT_MOST:
        raise Invalid(f"Name 1 to {_AT_MOST} coupons; there are {len(wanted)}.", "couponIds")

    async def decide(customer: Document, session: Session) -> Effect:
        owned = {"_id": {"$in": wanted}, "customerId": customer["_id"]}
        coupons = {coupon["_id"]: coupon for coupon in await of.store.find("coupons", owned, session=session)}
        if missing := [coupon_id for coupon_id in wanted if coupon_id not in coupons]:
            raise NotFound(f"This customer has no coupon {missing[0][:40]}. Nothing was redeemed.", "couponIds")
        if used := [coupon["code"] for coupon in coupons.values() if coupon["redeemed"]]:
            raise AlreadyRedeemed(used)
        codes = ", ".join(coupons[coupon_id]["code"] for coupon_id in wanted)
        activity = of.activity(
            customer["_id"], "COUPON_REDEEMED", attributes={"couponCode": codes}, subjectId=wanted[0]
        )
        marks = {"redeemed": True, "redeemedAt": of.now, "redeemedBy": activity["actor"]}
        changed = {("coupons", coupon_id): marks for coupon_id in wanted}
        return Effect({"coupons": wanted, "activity": activity["_id"]}, activity, changed=changed)

    given = {"customerId": customer_id, "couponIds": wanted}
    return await of.make("redeemCoupon", customer_id, key, given, decide)
