"""Tells how a customer comes to us, what an ordinary life then has in store, and how a few of them end."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from app.demo.sample import mails, service
from app.demo.sample.callcenter import order_by_phone
from app.demo.sample.goods import SUBSCRIPTIONS, price
from app.demo.sample.life import Life
from app.demo.sample.loyalty import Member
from app.demo.sample.people import APP, IMPORT, SALES, SHOP
from app.demo.sample.subscription import subscribe


def register(life: Life) -> None:
    life.tell("NEW_CUSTOMER_CREATED", by=life.one_of((SHOP, SHOP, APP)))
    if life.chance(0.4):
        life.tell("CUSTOMER_CREATED", by=SHOP)
    life.mail(mails.welcome(life.customer.get("firstName", life.customer["name"])))


def settle_in(life: Life) -> None:
    """Plans the life of an ordinary customer."""
    if life.chance(0.1):
        return look_around(life)
    if life.chance(0.15):
        bring_over(life)
    if life.chance(0.8):
        life.plan(life.random.randint(0, 10), lambda: subscribe(life))
    if life.chance(0.7):
        member = Member(life, days_between_visits=life.random.choice((20, 35, 60, 90)))
        life.plan(life.random.randint(0, 30), member.join)
    if life.chance(0.2):
        life.plan(life.random.randint(5, 300), lambda: order_by_phone(life))
    for _ in range(life.one_of((0, 1, 2, 3, 4))):
        life.plan(life.random.randint(10, 900), lambda: service.contact(life))
    return end_badly(life)


def look_around(life: Life) -> None:
    """Plans a lead's life: an offer, perhaps a basket, no payment."""
    offer = price(SUBSCRIPTIONS[1].euros, life.currency)
    expires = life.date(30)
    quote = {"amount": offer, "expirationDate": expires}
    life.plan(1, lambda: life.tell("QUOTE_ISSUED", quote, by=life.one_of(SALES)))
    if life.chance(0.5):
        life.plan(3, lambda: life.tell("LEAD_SOURCE_UPDATED", {"changedFields": ["campaign"]}, by=life.one_of(SALES)))


def end_badly(life: Life) -> None:
    """Plans how a few lives end: some are blocked, and some of those for good; a few leave."""
    fate = life.random.random()
    if fate < 0.03:
        life.plan(life.random.randint(60, 600), lambda: lock_out(life, comes_back=fate < 0.02))
    elif fate < 0.05:
        life.plan(life.random.randint(200, 900), lambda: leave(life))


def lock_out(life: Life, *, comes_back: bool) -> None:
    service.block(life)
    life.stop()
    if comes_back:
        life.plan(12, lambda: service.reactivate(life))
        life.plan(13, lambda: subscribe(life))


def leave(life: Life) -> None:
    service.deactivate(life)
    life.stop()


def bring_over(life: Life) -> None:
    """Writes what the old system told on the day of its shutdown; the catalogue knows none of these types."""
    since = life.customer["registeredAt"]
    life.tell_legacy(
        "ABO_PRAEMIE_VERSANDT",
        "Abo-Prämie versandt",
        {"praemie": "Thermosflasche", "Versand-Nr": "0034012345", "anzahl": 1, "bezahlt": True},
        source="esuite",
        by=IMPORT,
        late=timedelta(days=400),
    )
    life.tell_legacy(
        "crm2.record.migrated",
        "Record migrated from CRM 2",
        {
            "old_customer_no": f"K{life.customer['number'][2:]}",
            "openBalance": Decimal("0.00"),
            "firstSeen": datetime(since.year - 3, 5, 17, 9, 30, tzinfo=UTC),
            "lists": ["print", "donors"],
        },
        source="billing",
        by=IMPORT,
        late=timedelta(hours=8),
    )
