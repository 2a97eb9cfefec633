"""Tells orders by telephone: sold in a campaign, tried, billed again, shipped, sometimes returned or charged back.

Every activity carries the dimensions that the customer service report filters by.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from app.demo.sample.goods import HOTLINE, Product, price
from app.demo.sample.life import NIGHTLY, Life
from app.demo.sample.people import AFFILIATE, SALES, SERVICE, SYSTEM
from app.domain.attributes import Raw
from app.store.driver import Document

_CAMPAIGNS: Final = (
    ("Spring radio", "Radio"),
    ("Late-night TV", "TV"),
    ("Newsletter insert", "Print"),
    ("Summer affiliates", "Affiliate"),
)
_CALL_CENTERS: Final = ("Leipzig", "Cardiff", "Manila")
_AGENT_NOTES: Final = (
    "Asked to be called after 18:00.",
    "Confirmed address and delivery by parcel shop.",
    "Explained how the trial turns into a subscription.",
    "Caller upset about the second charge; offered a return.",
)


@dataclass(slots=True)
class PhoneOrder:
    life: Life
    agent: Document
    product: Product
    order: str
    dimensions: dict[str, Any]

    def tell(self, code: str, *names: str, by: Document = SYSTEM, late: timedelta = timedelta(), **more: Any) -> None:
        """Writes an activity of the order. ``names`` are the attributes that the type has besides the order."""
        known: dict[str, Raw] = {
            "productName": self.product.name,
            "amount": price(self.product.euros, self.life.currency),
            "trackingNumber": f"00340{self.order[3:]}",
        }
        attributes: dict[str, Raw] = {"orderId": self.order} | {name: known[name] for name in names}
        self.life.tell(code, attributes, late=late, more=self.dimensions | more, by=by)

    def sell(self) -> None:
        life = self.life
        if life.chance(0.15):
            self.tell("PARTIAL", "productName", by=self.agent)
        if life.chance(0.12):
            self.tell("NEW_SALE_DECLINED", "productName", "amount", by=self.agent)
            return
        # What the agent asked the caller, and typed in.
        asked = [
            {"name": "Best time to call", "value": life.one_of(("Morning", "Evening"))},
            {"name": "Gift wrapping", "value": life.one_of(("Yes", "No"))},
        ]
        self.tell("NEW_SALE_SUCCESS", "productName", "amount", by=self.agent, customFieldsSet=asked)
        life.paid()
        self.tell("TRIAL_STARTED", "productName")
        if life.chance(0.3):
            self.tell("CONSENT_RECEIVED", "productName", by=life.myself)
        if life.chance(0.4):
            note = life.one_of(_AGENT_NOTES)
            life.tell("AGENT_NOTE", by=self.agent, message=note, more=self.dimensions)
        if life.chance(0.3):
            life.plan(1, lambda: self.tell("QA_APPROVED", by=life.one_of(SERVICE)))
        life.plan(2, self.ship)

    def ship(self) -> None:
        # The fulfilment house reports in the evening, at times days later.
        late = timedelta(days=self.life.random.choice((0, 0, 0, 1, 2)), hours=1)
        self.tell("ORDER_SHIPPED", "trackingNumber", late=late)
        if self.life.chance(0.2):
            self.life.plan(9, self.take_back)
        else:
            self.life.plan(14, self.complete_trial, hours=NIGHTLY)

    def take_back(self) -> None:
        self.tell("RMA_PENDING", by=self.life.one_of(SERVICE))
        self.tell("TRIAL_SKIPPED", "productName", by=self.life.one_of(SERVICE))
        self.life.plan(6, lambda: self.tell("ORDER_RETURNED"))
        self.life.plan(8, lambda: self.tell("REFUNDED", "amount", by=self.life.one_of(SERVICE)))

    def complete_trial(self) -> None:
        self.tell("TRIAL_COMPLETED", "productName")
        self.tell("REBILL_STARTED", "productName")
        self.rebill()

    def rebill(self) -> None:
        life = self.life
        if life.chance(0.1):
            self.tell("REBILL_FAILED", "productName", "amount")
            return life.plan(3, self.recycle, hours=NIGHTLY)
        self.tell("REBILL_SUCCESS", "productName", "amount")
        life.paid()
        if life.chance(0.3):
            return life.plan(life.random.randint(2, 25), self.cancel)
        return life.plan(30, self.rebill, hours=NIGHTLY)

    def recycle(self) -> None:
        if self.life.chance(0.5):
            self.tell("RECYCLE_FAILED", "productName", "amount")
            return self.cancel()
        self.tell("RECYCLE_SAVED", "productName", "amount")
        self.life.paid()
        return self.life.plan(30, self.rebill, hours=NIGHTLY)

    def cancel(self) -> None:
        reason = {"name": "Reason for leaving", "value": self.life.one_of(("Too expensive", "No effect", "Moved"))}
        self.tell("REBILL_CANCELLED", "productName", by=self.life.one_of(SERVICE), customFieldsSet=[reason])


def order_by_phone(life: Life) -> None:
    campaign, category = life.one_of(_CAMPAIGNS)
    product = life.one_of(HOTLINE)
    dimensions: dict[str, Any] = {
        "campaign": campaign,
        "campaignCategory": category,
        "product": product.name,
        "callCenter": life.one_of(_CALL_CENTERS),
        "currency": life.currency,
        "country": life.customer.get("country"),
        "orderCustomFields": [
            {"name": "Heard of us", "value": category},
            {"name": "Shirt size", "value": life.one_of(("S", "M", "L", "XL"))},
        ],
    }
    agent = AFFILIATE if category == "Affiliate" else life.one_of(SALES)
    PhoneOrder(life, agent, product, life.code("PH-"), dimensions).sell()
