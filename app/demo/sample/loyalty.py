"""Tells a member of the loyalty programme: buys, earns, spends, gives back, climbs levels, lets points expire.

Every point moves by the ledger's rules; what they refuse does not happen here, because it is not tried.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from app.demo.sample import mails
from app.demo.sample.coupons import BIRTHDAY_GIFT, REWARDS, Reward, add_coupon, redeem
from app.demo.sample.goods import SHELF, Product, price, show
from app.demo.sample.life import NIGHTLY, Life
from app.demo.sample.passes import pkpass
from app.demo.sample.people import APP, SERVICE, SHOP
from app.domain import points as ledger
from app.domain.attributes import Raw
from app.domain.vocabulary import CouponOrigin, PassType, TransactionStatus, TransactionType
from app.store.driver import Document

_LEVELS: Final = (("Bronze", 0), ("Silver", 500), ("Gold", 2_000), ("Platinum", 6_000))
_PENDING_DAYS: Final = 14
_PLACES: Final = (
    "Hamburg, Mönckebergstraße",
    "London, Marylebone",
    "Lyon, Presqu'île",
    "Malmö, Triangeln",
    "Book fair",
)
_SURVEYS: Final = ("How was your order?", "Your favourite reads", "Two minutes about our app")
_CHALLENGES: Final = ("Three orders in a month", "Five reviews", "Bring your own cup")


@dataclass(slots=True)
class Sale:
    transaction: Document
    euros: Decimal
    lines: list[Product]
    earned: Document | None = None


@dataclass(slots=True)
class Member:
    life: Life
    days_between_visits: float
    level: int = 0
    wallet: Document | None = None

    def join(self) -> None:
        life = self.life
        life.tell("OPT_IN", by=life.myself)
        entry = life.post(ledger.earn(life.points, 50, now=life.clock), reason="Welcome bonus")[0]
        life.tell("PROFILE_COMPLETED", points=50, about=entry, by=life.myself)
        if life.chance(0.4):
            life.tell("NEWSLETTER_SUBSCRIBED", by=life.myself)
        if life.chance(0.4):
            life.plan(2, self.install_app)
        if birthday := life.customer.get("dateOfBirth"):
            self.plan_birthday(birthday)
        self.visit_later()

    def visit_later(self) -> None:
        self.life.plan(self.life.random.expovariate(1 / self.days_between_visits), self.visit)

    def visit(self) -> None:
        visits: tuple[Callable[[], None], ...] = (self.buy, self.use_points, self.do_something_else)
        self.life.random.choices(visits, (62, 13, 25))[0]()
        self.visit_later()

    # ------------------------------------------------------------ buying

    def buy(self, *, waits: bool | None = None) -> None:
        """Buys goods. Points wait (``waits``, drawn by default) until nobody can send the goods back."""
        life = self.life
        # A shop's till sends its sales when it is on line again.
        late = timedelta(days=life.random.randint(1, 3), minutes=17) if life.chance(0.07) else timedelta()
        lines = life.random.sample(SHELF, life.one_of((1, 1, 1, 2, 2, 3)))
        euros = sum((line.euros for line in lines), Decimal(0))
        points = max(1, int(euros * (4 + self.level) / 4))
        waits = life.chance(0.15) if waits is None else waits
        sale = Sale(self.transaction(TransactionType.SALE, euros, points, pending=waits, late=late), euros, lines)
        life.paid()
        if waits:
            life.post(
                ledger.pend(life.points, points, now=life.clock),
                reason="Marketplace order",
                late=late,
                transaction=sale.transaction,
            )
        else:
            self.earn(sale, points, late=late)
        life.tell(
            "PURCHASE",
            self.particulars(sale, euros),
            by=life.one_of((life.myself, SHOP, APP)),
            late=late,
            points=None if waits else points,
            about=sale.transaction,
        )
        if waits:
            self.tell_of(sale, "POINTS_PENDING", points, late=late)
            life.plan(_PENDING_DAYS, partial(self.confirm, sale, points), hours=NIGHTLY)
        else:
            self.after_sale(sale)

    def after_sale(self, sale: Sale) -> None:
        life = self.life
        if life.chance(0.05):
            lines = [(line.name, show(price(line.euros, life.currency))) for line in sale.lines]
            mail = mails.order_confirmation(
                life.customer["name"], sale.transaction["number"], lines, show(sale.transaction["amount"])
            )
            life.mail(mail)
        fate = life.random.random()
        if fate < 0.05:
            life.plan(life.random.randint(3, 20), partial(self.refund, sale, sale.euros, TransactionType.REFUND))
        elif fate < 0.08:
            half = (sale.euros / 2).quantize(Decimal("0.01"))
            life.plan(life.random.randint(3, 20), partial(self.refund, sale, half, TransactionType.REFUND))
        elif fate < 0.09:
            life.plan(0, partial(self.refund, sale, sale.euros, TransactionType.VOID))
        self.promote()

    def transaction(
        self,
        type_: TransactionType,
        euros: Decimal,
        points: int,
        *,
        pending: bool = False,
        late: timedelta = timedelta(),
    ) -> Document:
        status = TransactionStatus.PENDING if pending else TransactionStatus.ACCEPTED
        return self.life.write(
            "transactions",
            {
                "number": self.life.code("T-"),
                "type": type_.value,
                "occurredAt": self.life.ago(late),
                "amount": price(euros, self.life.currency),
                "pointsAwarded": points,
                "status": status.value,
            },
        )

    def earn(self, sale: Sale, points: int, *, late: timedelta = timedelta()) -> None:
        life = self.life
        posting = ledger.earn(life.points, points, now=life.clock, expires_at=self.expiry())
        sale.earned = life.post(posting, reason="Purchase", late=late, transaction=sale.transaction)[-1]

    def confirm(self, sale: Sale, points: int) -> None:
        """Ends the pending period: the points are activated or, now and then, the sale is rejected."""
        life = self.life
        if life.chance(0.1):
            life.post(
                ledger.pend(life.points, -points, now=life.clock), reason="Order rejected", transaction=sale.transaction
            )
            sale.transaction |= {"status": TransactionStatus.REJECTED.value, "pointsAwarded": 0}
            return
        posting = ledger.activate(life.points, points, now=life.clock, expires_at=self.expiry())
        sale.earned = life.post(posting, reason="Marketplace order confirmed", transaction=sale.transaction)[-1]
        sale.transaction["status"] = TransactionStatus.ACCEPTED.value
        self.tell_of(sale, "POINTS_ACTIVATED", points)
        self.after_sale(sale)

    def refund(self, sale: Sale, euros: Decimal, type_: TransactionType) -> None:
        """Gives the money back, and takes back the points, as far as they are still there."""
        life = self.life
        assert sale.earned
        whole = euros == sale.euros
        points = sale.earned["points"] if whole else max(1, sale.earned["points"] // 2)
        posting = life.undo(sale.earned, -points)
        back = self.transaction(type_, euros, 0)
        entry = life.post(posting, by=life.one_of(SERVICE), reason="Purchase given back", transaction=back)[-1]
        back |= {"refundOfId": sale.transaction["_id"], "pointsAwarded": entry["points"]}
        whole_status = TransactionStatus.VOIDED if type_ is TransactionType.VOID else TransactionStatus.REFUNDED
        sale.transaction["status"] = (whole_status if whole else TransactionStatus.PARTIALLY_REFUNDED).value
        life.tell("REFUND", self.particulars(sale, euros), by=life.one_of(SERVICE), points=entry["points"], about=back)

    def expiry(self, *, days: int | None = None) -> datetime:
        """Returns an expiry, after ``days`` or at the end of a month next year, and plans the job that looks for it."""
        clock = self.life.clock
        month_end = datetime(clock.year + 1 + clock.month // 12, clock.month % 12 + 1, 1, tzinfo=UTC)
        expiry = self.life.day(days) if days else month_end
        self.life.plan_at(expiry + timedelta(minutes=30), self.life.expire)
        return expiry

    # ------------------------------------------------------------ using points

    def use_points(self) -> None:
        affordable = [reward for reward in REWARDS if reward.points <= ledger.spendable(self.life.points)]
        if affordable and self.life.chance(0.7):
            self.claim(self.life.one_of(affordable))
        elif ledger.spendable(self.life.points) > 20:
            self.reserve(self.life.random.randint(10, min(400, ledger.spendable(self.life.points))))
        else:
            self.do_something_else()

    def claim(self, reward: Reward) -> None:
        life = self.life
        entry = life.post(
            ledger.spend(life.points, reward.points, now=life.clock), by=life.myself, reason=f"Reward: {reward.name}"
        )[-1]
        life.tell("REWARD_CLAIMED", {"rewardName": reward.name}, by=life.myself, points=-reward.points, about=entry)
        coupon = add_coupon(life, reward, CouponOrigin.REWARD)
        if life.chance(0.6):
            life.plan(life.random.randint(1, 50), partial(redeem, life, coupon))
        elif life.chance(0.1):
            life.plan(2, partial(self.give_back, entry))

    def give_back(self, spent: Document) -> None:
        life = self.life
        posting = life.undo(spent, -spent["points"])
        entry = life.post(posting, by=life.one_of(SERVICE), reason="Reward given back")[-1]
        life.tell("POINTS_ADDED", by=life.one_of(SERVICE), points=entry["points"], message=entry["reason"], about=entry)

    def reserve(self, points: int, *, days: int = 0) -> None:
        """Reserves points at the checkout; ``days`` later they pay, or the basket is left behind."""
        life = self.life
        basket: dict[str, Raw] = {"transactionId": life.code("T-")}
        entry = life.post(ledger.reserve(life.points, points, now=life.clock), by=SHOP, reason="Checkout")[-1]
        life.tell("POINTS_RESERVED", basket, by=SHOP, points=-points, about=entry)
        life.plan(days, partial(self.capture if life.chance(0.6) else self.release, points, basket))

    def release(self, points: int, basket: dict[str, Raw]) -> None:
        life = self.life
        entry = life.post(ledger.release(life.points, points, now=life.clock), by=SHOP, reason="Basket abandoned")[-1]
        life.tell("POINTS_RELEASED", basket, by=SHOP, points=points, about=entry)

    def capture(self, points: int, basket: dict[str, Raw]) -> None:
        life = self.life
        sale = self.transaction(TransactionType.SALE, Decimal(points) / 20, 0)
        sale["number"] = basket["transactionId"]
        life.paid()
        posting = ledger.capture(life.points, points, now=life.clock)
        life.post(posting, by=SHOP, reason="Paid with points", transaction=sale)
        life.tell("PURCHASE", {**basket, "amount": sale["amount"]}, by=SHOP, points=-points, about=sale)

    # ------------------------------------------------------------ everything else

    def do_something_else(self) -> None:
        life = self.life
        match life.random.randrange(6):
            case 0:
                life.tell("CHECK_IN", {"place": life.one_of(_PLACES)}, by=APP)
            case 1:
                life.tell("REVIEW", {"productId": life.one_of(SHELF).code}, by=life.myself, message="★★★★☆")
            case 2:
                life.tell("SURVEY_COMPLETED", {"surveyName": life.one_of(_SURVEYS)}, by=life.myself)
            case 3:
                life.tell("SOCIAL_SHARE", {"url": "https://nordlicht.example/read/winter-crime"}, by=life.myself)
            case 4:
                challenge = life.one_of(_CHALLENGES)
                won: dict[str, Raw] = {"challengeName": challenge}
                self.win("CHALLENGE_COMPLETED", won, 40, f"Challenge: {challenge}", self.expiry(days=10))
            case _:
                self.win("REFERRAL", {}, 100, "Brought a friend along", self.expiry())

    def win(self, code: str, attributes: dict[str, Raw], points: int, reason: str, expires_at: datetime) -> None:
        life = self.life
        entry = life.post(ledger.earn(life.points, points, now=life.clock, expires_at=expires_at), reason=reason)[-1]
        life.tell(code, attributes or None, by=life.myself, points=points, about=entry)

    def install_app(self) -> None:
        self.life.tell("APP_INSTALLED", by=APP)
        serial, type_ = self.life.code("WP-"), self.life.one_of(tuple(PassType))
        self.wallet = self.life.write(
            "passes",
            {
                "serialNumber": serial,
                "type": type_.value,
                "reward": "Member card" if self.life.chance(0.5) else None,
                "createdAt": self.life.clock,
                "updatedAt": self.life.clock,
                "fileId": self.life.keep_file(pkpass(serial)) if type_ is PassType.APPLE else None,
                "downloadUrl": f"https://wallet.nordlicht.example/{serial}" if type_ is PassType.GOOGLE else None,
            },
        )
        card: dict[str, Raw] = {"passId": self.wallet["serialNumber"]}
        if "reward" in self.wallet:
            card["rewardName"] = self.wallet["reward"]
        self.life.tell("PASS_ADDED", card, by=APP, about=self.wallet)

    def promote(self) -> None:
        level = sum(self.life.points["earned"] >= least for _, least in _LEVELS) - 1
        if level <= self.level:
            return
        levels: dict[str, Raw] = {"levelFrom": _LEVELS[self.level][0], "levelTo": _LEVELS[level][0]}
        self.level = level
        self.life.tell("LEVEL_PROMOTION", levels)
        if self.wallet:
            card: dict[str, Raw] = {"passId": self.wallet["serialNumber"]}
            self.wallet["updatedAt"] = self.life.clock
            self.life.tell("PASS_UPDATED", card, about=self.wallet)
            self.life.tell("LOYALTY_PASS_PUSHED", {**card, "passProvider": self.wallet["type"]}, about=self.wallet)

    def plan_birthday(self, date_of_birth: str) -> None:
        month, day = int(date_of_birth[5:7]), int(date_of_birth[8:])
        birthday = self.life.clock.replace(month=month, day=day, hour=6, minute=0, second=0, microsecond=0)
        if birthday <= self.life.clock:
            birthday = birthday.replace(year=birthday.year + 1)
        self.life.plan_at(birthday, partial(self.celebrate, date_of_birth))

    def celebrate(self, date_of_birth: str) -> None:
        self.life.tell("BIRTHDAY")
        coupon = add_coupon(self.life, BIRTHDAY_GIFT, CouponOrigin.RULE)
        if self.life.chance(0.5):
            self.life.plan(self.life.random.randint(1, 30), partial(redeem, self.life, coupon))
        self.plan_birthday(date_of_birth)

    def tell_of(self, sale: Sale, code: str, points: int, *, late: timedelta = timedelta()) -> None:
        number: dict[str, Raw] = {"transactionId": sale.transaction["number"]}
        self.life.tell(code, number, points=points, about=sale.transaction, late=late)

    def particulars(self, sale: Sale, euros: Decimal) -> dict[str, Raw]:
        return {
            "transactionId": sale.transaction["number"],
            "amount": price(euros, self.life.currency),
            "productIds": [line.code for line in sale.lines],
            "productCategories": list(dict.fromkeys(line.category for line in sale.lines)),
        }
