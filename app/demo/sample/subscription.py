"""Tells a subscription: bought, renewed, refused by the bank, chased, paused, changed, cancelled, bought again.

Each step plans the next one, so what a subscription is doing is what it has planned. Renewals keep to their day.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from app.demo.sample import mails
from app.demo.sample.goods import SUBSCRIPTIONS, Product, price, show
from app.demo.sample.life import NIGHTLY, Life
from app.demo.sample.people import SERVICE, SHOP
from app.domain.attributes import Amount, Raw

_METHODS: Final = ("Visa •••• 4242", "Mastercard •••• 4444", "Visa •••• 1881", "Klarna", "SEPA direct debit", "PayPal")
_REFUSALS: Final = {"dibsAcquirerResponseCode": ("51", "54", "61", "91"), "klarnaResponseCode": ("PAYMENT_REFUSED",)}
_MONTH: Final = 30


@dataclass(slots=True)
class Subscription:
    life: Life
    product: Product
    method: str
    order: str
    discounts: int
    """Months that are still discounted."""
    days: int
    """From one renewal to the next."""
    back_office: str
    """Which system books the invoices and payments: overview or billing."""
    due: datetime = field(init=False)
    """The day of the next renewal."""
    refusals: int = 0

    @property
    def bought(self) -> dict[str, Raw]:
        return {"productName": self.product.name, "orderId": self.order}

    @property
    def price(self) -> Amount:
        return price(self.product.euros, self.life.currency)

    @property
    def due_date(self) -> str:
        return self.due.date().isoformat()

    # ------------------------------------------------------------ paying

    def begin(self) -> None:
        life = self.life
        attributes: dict[str, Raw] = {"productName": self.product.name, "productOrderId": self.order}
        if self.discounts:
            attributes |= {"discountName": "Welcome offer", "totalDiscountOccurrences": self.discounts}
        life.tell("NEW_PURCHASE", attributes, by=life.one_of((life.myself, life.myself, SHOP)))
        life.tell("NEW_PAYMENT_METHOD", {"maskedPanOrKlarna": self.method}, by=life.myself)
        if self.back_office == "billing":
            life.tell("BILLING_ORDER_CREATED", {**self.bought, "amount": self.price}, by=SHOP)
        else:
            life.tell("SUBSCRIPTION_CREATED", self.bought, by=life.myself)
        self.collect({})
        self.due = life.day(self.days)
        life.mail(
            mails.order_confirmation(
                life.customer["name"], self.order, [(self.product.name, show(self.price))], show(self.price)
            )
        )
        self.renew_when_due()

    def renew_when_due(self) -> None:
        self.life.plan((self.due - self.life.day()).days, self.renew, hours=NIGHTLY)

    def renew(self) -> None:
        self.due = self.life.day(self.days)
        if self.life.chance(0.04):
            return self.fail()
        discount = self.use_discount()
        self.life.tell("SUBSCRIPTION_RENEWED", self.bought | discount)
        self.collect(discount)
        if self.life.chance(0.04):
            name, day = self.life.customer["name"], self.life.date()
            self.life.mail(mails.receipt(name, self.product.name, show(self.price), day))
        return self.go_on()

    def use_discount(self) -> dict[str, Raw]:
        if not self.discounts:
            return {}
        self.discounts -= 1
        return {"discountName": "Welcome offer", "discountOccurrence": 3 - self.discounts}

    def collect(self, discount: dict[str, Raw]) -> None:
        """Collects one payment, as the systems that hear of it tell it, all at the same moment."""
        life = self.life
        life.paid()
        life.tell("SUBSCRIPTION_BILLING_SUCCESS", self.bought | discount)
        amount = price(self.product.euros / 2, life.currency) if discount else self.price
        invoice: dict[str, Raw] = {"invoiceNumber": life.code("INV-"), "amount": amount}
        paid: dict[str, Raw] = {"amount": amount, "paymentMethod": self.method}
        if self.back_office == "billing":
            life.tell("INVOICE_ISSUED", invoice)
            life.tell("PAYMENT_COLLECTED", {**paid, "transactionId": life.code("ch_")})
        else:
            life.tell("INVOICE_CREATED", invoice)
            life.tell("PAYMENT_RECEIVED", paid)

    # ------------------------------------------------------------ not paying

    @property
    def refusal(self) -> dict[str, Raw]:
        name = "klarnaResponseCode" if self.method == "Klarna" else "dibsAcquirerResponseCode"
        return {name: self.life.one_of(_REFUSALS[name])}

    def fail(self) -> None:
        life = self.life
        refusal = self.refusal
        self.refusals = 1
        life.tell("SUBSCRIPTION_BILLING_FAILED", self.bought | refusal)
        life.tell("CREDIT_CONTROL_CYCLE_ENTERED", refusal)
        if self.back_office == "billing":
            life.tell("PAYMENT_DECLINED", {"amount": self.price, "paymentMethod": self.method})
        life.mail(mails.payment_failed(life.customer["name"], self.product.name, show(self.price), self.method))
        life.plan(5, self.resubmit, hours=NIGHTLY)

    def resubmit(self) -> None:
        life = self.life
        if life.chance(0.35):
            self.refusals += 1
            life.tell("SUBSCRIPTION_BILLING_RESUBMISSION_FAILED", self.bought | self.refusal)
            return life.plan(5, self.resubmit if self.refusals < 4 else self.cancel, hours=NIGHTLY)
        life.tell("CREDIT_CONTROL_CYCLE_EXITED")
        self.collect({})
        return self.renew_when_due()

    # ------------------------------------------------------------ changing one's mind

    def go_on(self) -> None:
        """Plans what the customer does before the next renewal: nothing, mostly."""
        if self.life.chance(0.8):
            return self.renew_when_due()
        whims = (self.schedule_pause, self.change, self.schedule_cancellation, self.fiddle)
        return self.life.plan(self.life.random.randint(1, 12), self.life.one_of(whims))

    def schedule_pause(self) -> None:
        life = self.life
        months = life.one_of((1, 2, 3))
        starts: dict[str, Raw] = {"scheduledPauseDate": self.due_date, "months": months}
        life.tell("PAUSE_SCHEDULED", starts | self.bought, by=life.myself)
        life.mail(mails.pause_confirmed(life.customer["name"], self.product.name, months, self.due_date))
        if life.chance(0.2):
            life.plan(9, partial(self.say, "SCHEDULED_PAUSE_CANCELLED"))
            self.renew_when_due()
        else:
            life.plan_at(self.due, partial(self.pause, months))

    def pause(self, months: int) -> None:
        self.life.tell("PAUSE_ACTIVATED", {"months": months, **self.bought})
        if self.life.chance(0.3):
            self.life.plan(months * _MONTH - 12, partial(self.resume, "PAUSE_ENDED_EARLY"))
        else:
            self.life.plan(months * _MONTH, partial(self.resume, "PAUSE_ENDED"), hours=NIGHTLY)

    def resume(self, code: str) -> None:
        if code == "PAUSE_ENDED":
            self.life.tell(code, self.bought)
        else:
            self.say(code)
        self.due = self.life.day(1)
        self.renew_when_due()

    def change(self) -> None:
        size = SUBSCRIPTIONS.index(self.product)
        if size and self.life.chance(0.6):
            return self.schedule_downgrade(SUBSCRIPTIONS[size - 1])
        self.switch(SUBSCRIPTIONS[min(size + 1, len(SUBSCRIPTIONS) - 1)])
        return self.renew_when_due()

    def schedule_downgrade(self, smaller: Product) -> None:
        life = self.life
        life.tell(
            "SUBSCRIPTION_DOWNGRADE_SCHEDULED",
            {
                "productFrom": self.product.name,
                "productTo": smaller.name,
                "scheduledDowngradeDate": self.due_date,
                "orderId": self.order,
            },
            by=life.myself,
        )
        if life.chance(0.25):
            life.plan(6, partial(self.say, "SUBSCRIPTION_DOWNGRADE_WITHDRAWN"))
        else:
            life.plan_at(self.due, partial(self.switch, smaller))
        self.renew_when_due()

    def switch(self, product: Product) -> None:
        if product == self.product:
            return
        products: dict[str, Raw] = {"productFrom": self.product.name, "productTo": product.name}
        self.product = product
        self.life.tell("SUBSCRIPTION_CHANGED", {**products, "orderId": self.order}, by=self.life.myself)
        self.life.tell("ENTITLEMENTS_REFRESHED", self.bought)

    def fiddle(self) -> None:
        """Changes small things about paying."""
        life = self.life
        match life.random.randrange(3):
            case 0:
                old, self.method = self.method, life.one_of(_METHODS)
                new_method: dict[str, Raw] = {"from": old, "to": self.method, "productName": self.product.name}
                life.tell("ACCOUNT_PAYMENT_METHOD_CHANGED", new_method, by=life.myself)
                if self.back_office == "billing":
                    life.tell("PAYMENT_INSTRUMENT_ADDED", {"paymentInstrument": self.method}, by=life.myself)
                    life.tell("PAYMENT_INSTRUMENT_DEACTIVATED", {"paymentInstrument": old}, by=life.myself)
            case 1:
                today = life.clock.day
                days: dict[str, Raw] = {"billDayFrom": today, "billDayTo": today % 28 + 1}
                life.tell("BILLING_DATE_CHANGED", days, by=life.one_of(SERVICE))
            case _:
                life.tell("ADDITIONAL_PAYMENT_MADE", {"paymentMethod": self.method}, by=life.myself)
                life.paid()
        self.renew_when_due()

    # ------------------------------------------------------------ leaving

    def schedule_cancellation(self) -> None:
        life = self.life
        life.tell(
            "SUBSCRIPTION_CANCELLATION_SCHEDULED",
            {**self.bought, "scheduledCancellationDate": self.due_date},
            by=life.one_of((life.myself, life.myself, life.one_of(SERVICE))),
        )
        life.mail(mails.farewell(life.customer["name"], self.product.name, self.due_date))
        if life.chance(0.3):
            life.plan(life.random.randint(2, 16), partial(self.say, "SUBSCRIPTION_CANCELLATION_WITHDRAWN"))
            self.renew_when_due()
        else:
            life.plan_at(self.due, self.cancel)

    def cancel(self) -> None:
        self.life.tell("SUBSCRIPTION_CANCELLED", self.bought)
        if self.back_office == "billing":
            self.life.tell("BILLING_SUBSCRIPTION_CANCELLED", self.bought)
        if self.life.chance(0.4):
            self.life.plan(self.life.random.randint(40, 200), partial(subscribe, self.life))

    def say(self, code: str) -> None:
        """Writes what the customer did alone, about this subscription."""
        self.life.tell(code, self.bought, by=self.life.myself)


def subscribe(life: Life) -> None:
    Subscription(
        life,
        product=life.random.choices(SUBSCRIPTIONS, (3, 4, 2))[0],
        method=life.one_of(_METHODS),
        order=life.code("SO-"),
        discounts=life.one_of((0, 0, 3)),
        days=life.one_of((_MONTH, _MONTH, 3 * _MONTH)),
        back_office=life.one_of(("overview", "billing")),
    ).begin()
