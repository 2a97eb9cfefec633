"""Writes any activity of the catalogue with all its attributes: the timeline of the customer who has everything."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from app.catalogue import CATALOGUE
from app.catalogue.model import AttributeKind, Audience, CatalogueAttribute, CatalogueType
from app.demo.sample.goods import money
from app.demo.sample.life import Life
from app.demo.sample.people import ADMIN, APP, SALES, SERVICE, SHOP, SYSTEM
from app.domain.attributes import Raw
from app.store.driver import Document

_VALUES: Final[dict[str, Raw]] = {
    "billDayFrom": 1,
    "billDayTo": 15,
    "blocklistType": "E-mail address",
    "challengeName": "Three orders in a month",
    "changedFields": ["line1", "postalCode", "city"],
    "checkId": "AML-2291",
    "currentActiveProduct": "Nordlicht Plus",
    "dibsAcquirerResponseCode": "51",
    "discountName": "Summer offer",
    "discountOccurrence": 2,
    "documentTypes": ["Passport", "Utility bill"],
    "fraudResult": "Pass, score 12 of 100",
    "factors": ["OCCUPATION", "FRAUD"],
    "from": "Visa •••• 4242",
    "klarnaResponseCode": "PAYMENT_REFUSED",
    "levelFrom": "Platinum",
    "levelTo": "Gold",
    "maskedPanOrKlarna": "•••• •••• •••• 4242",
    "membershipName": "Nordlicht Book Club",
    "mergedCustomerIds": ["C-100008"],
    "months": 2,
    "paymentInstrument": "Mastercard •••• 4444",
    "paymentMethod": "Klarna",
    "place": "Hamburg, Mönckebergstraße",
    "productCategories": ["Coffee", "Books"],
    "productFrom": "Nordlicht Family",
    "productId": "BK-3001",
    "productIds": ["CF-1001", "BK-3001"],
    "productName": "Nordlicht Plus",
    "productTo": "Nordlicht Basic",
    "refundedTo": "Visa •••• 4242",
    "rewardName": "10 off",
    "statusFrom": "BLOCKED",
    "statusTo": "ACTIVE",
    "surveyName": "How was your order?",
    "tag": "vip",
    "to": "Klarna",
    "totalDiscountOccurrences": 3,
    "trackingNumber": "00340434161094",
    "transactionType": "refund",
    "url": "https://nordlicht.example/read/winter-crime",
}
_DIMENSIONS: Final[dict[str, Any]] = {
    "campaign": "Spring radio",
    "campaignCategory": "Radio",
    "product": "Sleep well set",
    "callCenter": "Leipzig",
    "currency": "EUR",
    "country": "DE",
    "orderCustomFields": [{"name": "Shirt size", "value": "M"}],
    "customFieldsSet": [{"name": "Best time to call", "value": "Evening"}],
}
# Which document an attribute speaks of, and which of its keys it repeats.
_SUBJECTS: Final = {
    "couponCode": "coupons",
    "couponCodes": "coupons",
    "passId": "passes",
    "transactionId": "transactions",
    "emailSubject": "emails",
}
_KEYS: Final = {
    "couponCode": "code",
    "couponCodes": "code",
    "passId": "serialNumber",
    "passProvider": "type",
    "transactionId": "number",
    "amount": "amount",
    "emailSubject": "subject",
    "toAddress": "to",
}
_PREFIXES: Final = {"accountId": "ACC-", "invoiceNumber": "INV-", "requestId": "po_"}
_ONCE: Final = ("NEW_CUSTOMER_CREATED", "CUSTOMER_CREATED", "CUSTOMERS_MERGED", "CUSTOMER_ANONYMISED", "EMAIL_SENT")


def complete(life: Life) -> None:
    """Lets every type happen that this life has not yet shown with all its attributes."""
    shown = {(activity["type"], frozenset(activity.get("attributes", ()))) for activity in life.documents["activities"]}
    for row in CATALOGUE.values():
        if (row.code, frozenset(attribute.name for attribute in row.attributes)) not in shown:
            happen(life, row)


def fill(life: Life, activities: int) -> None:
    """Adds activities that change nothing but the timeline, until it has that many."""
    rows = [row for row in CATALOGUE.values() if row.source in ("esuite", "overview", "callcenter", "billing")]
    rows = [row for row in rows if row.code not in _ONCE]
    while len(life.documents["activities"]) < activities:
        happen(life, life.one_of(rows))


def happen(life: Life, row: CatalogueType) -> None:
    """Writes an activity of this type, on any day since the registration."""
    days = (life.now - life.customer["registeredAt"]).days
    life.clock = life.now - timedelta(days=life.random.randrange(1, days))
    life.clock = life.day() + timedelta(seconds=life.random.randrange(8 * 3_600, 22 * 3_600))
    about = _subject(life, row)
    more: dict[str, Any] = dict(_DIMENSIONS) if row.source == "callcenter" else {}
    if about and about in life.documents["emails"]:
        more["emailId"] = about["_id"]
    life.tell(
        row.code,
        {attribute.name: _value(life, attribute, about) for attribute in row.attributes} or None,
        by=_actor(life, row),
        message="Asked to be called after 18:00." if row.is_note else None,
        about=about,
        more=more,
    )


def _names(row: CatalogueType) -> set[str]:
    return {attribute.name for attribute in row.attributes}


def _subject(life: Life, row: CatalogueType) -> Document | None:
    for name, collection in _SUBJECTS.items():
        if name in _names(row):
            return life.one_of(life.documents[collection])
    return None


def _actor(life: Life, row: CatalogueType) -> Document:
    if row.is_note:
        return life.one_of(SERVICE)
    if row.audience is Audience.STAFF:
        return life.one_of((SYSTEM, ADMIN))
    return life.one_of((SYSTEM, life.myself, SHOP, APP, *SALES))


def _value(life: Life, attribute: CatalogueAttribute, about: Document | None) -> Raw:
    """Returns what the subject says, else what usually stands there, else anything of the kind."""
    if about and (key := _KEYS.get(attribute.name)) and key in about:
        return [about[key]] if attribute.kind is AttributeKind.LIST else about[key]
    if attribute.name in _VALUES:
        return _VALUES[attribute.name]
    match attribute.kind:
        case AttributeKind.MONEY:
            return money(Decimal(life.random.randrange(400, 20_000)) / 100, life.currency)
        case AttributeKind.DATE:
            return life.date(30)
        case AttributeKind.DATETIME:
            return life.clock
        case AttributeKind.INTEGER:
            return 1
        case AttributeKind.DECIMAL:
            return Decimal("1.5")
        case AttributeKind.BOOLEAN:
            return True
        case AttributeKind.LIST:
            return [attribute.label]
        case AttributeKind.JSON:
            return "{}"
        case AttributeKind.TEXT:
            return life.code(_PREFIXES.get(attribute.name, "SO-"))
