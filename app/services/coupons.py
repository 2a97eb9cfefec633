"""Redeems coupons, and tells the customer if wished."""

from collections.abc import Sequence

from app.domain import changes
from app.domain.changes import Invalid, NotFound
from app.domain.ids import check_id
from app.domain.refusals import Refusal
from app.services import emails
from app.services.changes import Changes, Effect, Session, Wrote
from app.store.driver import Document

_AT_MOST = 100


class AlreadyRedeemed(Refusal):
    code, field = "ALREADY_REDEEMED", ("couponIds",)

    def __init__(self, codes: Sequence[str]) -> None:
        super().__init__(f"Used already: {', '.join(codes)}. Nothing was redeemed.")


async def redeem(of: Changes, customer_id: str, coupon_ids: Sequence[str], *, notify: bool, key: str) -> Wrote:
    """Redeems all of the coupons or none. ``notify`` tells the customer by mail.

    Raises BadUserInput, Invalid, NotFound (another customer's is not found), AlreadyRedeemed, NoRegisteredEmail.
    """
    wanted = list(dict.fromkeys(coupon_ids))
    changes.check(lambda: _check_number(wanted), lambda: changes.key(key))

    for coupon_id in wanted:
        check_id(coupon_id, "couponIds", expected="coupons")

    async def decide(customer: Document, session: Session) -> Effect:
        owned = {"_id": {"$in": wanted}, "customerId": customer["_id"]}
        coupons = {coupon["_id"]: coupon for coupon in await of.store.find("coupons", owned, session=session)}
        if missing := [coupon_id for coupon_id in wanted if coupon_id not in coupons]:
            raise NotFound(f"This customer has no coupon {missing[0][:40]}. Nothing was redeemed.", "couponIds")
        if used := [coupon["code"] for coupon in coupons.values() if coupon["redeemed"]]:
            raise AlreadyRedeemed(used)
        used_now = [coupons[coupon_id] for coupon_id in wanted]
        new: dict[str, list[Document]] = {}
        wrote: dict[str, str | list[str]] = {"coupons": wanted}
        if notify:
            told = [{"code": coupon["code"], "value": coupon["value"]} for coupon in used_now]
            words = {"name": customer["name"], "coupons": told, "day": f"{of.now:%-d %B %Y}"}
            letter = of.outgoing.letters.write("coupons", **words)
            email, delivery = await emails.written(of, customer, letter, session)
            new, wrote["delivery"] = {"emails": [email], "deliveries": [delivery]}, delivery["_id"]
        activity = of.activity(
            customer["_id"],
            "COUPON_REDEEMED",
            attributes={"couponCode": ", ".join(coupon["code"] for coupon in used_now)},
            emailId=new["emails"][0]["_id"] if new else None,
            subjectId=wanted[0],
        )
        marks = {"redeemed": True, "redeemedAt": of.now, "redeemedBy": activity["actor"]}
        changed = {("coupons", coupon_id): marks for coupon_id in wanted}
        return Effect({**wrote, "activity": activity["_id"]}, activity, new=new, changed=changed)

    given = {"customerId": customer_id, "couponIds": wanted} | ({"notifyCustomer": True} if notify else {})
    return await of.run_once("redeemCoupon", customer_id, key, given, decide)


def _check_number(coupon_ids: Sequence[str]) -> None:
    if not 1 <= len(coupon_ids) <= _AT_MOST:
        raise Invalid(f"Name 1 to {_AT_MOST} coupons; there are {len(coupon_ids)}.", "couponIds")
