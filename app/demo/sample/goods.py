"""Lists what is sold, and in which currency: two shelves of a media house that does not exist."""

from decimal import Decimal
from typing import Final, NamedTuple

from app.domain.attributes import Amount

_RATES: Final = {"EUR": 1, "GBP": 1, "USD": 1, "SEK": 10}  # the price tag, not the exchange
_CURRENCIES: Final = {"GB": "GBP", "SE": "SEK", "US": "USD"}


class Product(NamedTuple):
    name: str
    code: str
    category: str
    euros: Decimal


# Smallest first: a downgrade is a step to the left.
SUBSCRIPTIONS: Final = (
    Product("Nordlicht Basic", "NL-BASIC", "Subscriptions", Decimal("7.99")),
    Product("Nordlicht Plus", "NL-PLUS", "Subscriptions", Decimal("12.99")),
    Product("Nordlicht Family", "NL-FAMILY", "Subscriptions", Decimal("19.99")),
)
SHELF: Final = (
    Product("Espresso beans, 1 kg", "CF-1001", "Coffee", Decimal("18.50")),
    Product("Filter coffee, 500 g", "CF-1002", "Coffee", Decimal("9.90")),
    Product("Ceramic dripper", "KT-2001", "Kitchen", Decimal("24.00")),
    Product("Cast-iron teapot", "KT-2002", "Kitchen", Decimal("49.00")),
    Product("Linen apron", "KT-2003", "Kitchen", Decimal("32.50")),
    Product("Atlas of Islands", "BK-3001", "Books", Decimal("38.00")),
    Product("Pocket notebook", "BK-3002", "Books", Decimal("6.50")),
    Product("Winter crime box", "BK-3003", "Books", Decimal("27.95")),
    Product("Noise-cancelling headphones", "EL-4001", "Electronics", Decimal("189.00")),
    Product("Reading lamp", "EL-4002", "Electronics", Decimal("59.90")),
    Product("Wool blanket", "HM-5001", "Home", Decimal("79.00")),
    Product("Scented candle", "HM-5002", "Home", Decimal("14.90")),
)
HOTLINE: Final = (
    Product("Omega-3, three-month supply", "HL-6001", "Health", Decimal("44.85")),
    Product("Green coffee trial", "HL-6002", "Health", Decimal("4.95")),
    Product("Sleep well set", "HL-6003", "Health", Decimal("69.00")),
)


def currency_of(country: str | None) -> str:
    return _CURRENCIES.get(country or "", "EUR")


def price(euros: Decimal, currency: str) -> Amount:
    return money(euros * _RATES[currency], currency)


def money(amount: Decimal, currency: str) -> Amount:
    """Returns the amount in whole cents."""
    return {"amount": amount.quantize(Decimal("0.01")), "currency": currency}


def show(amount: Amount) -> str:
    return f"{amount['amount']:,} {amount['currency']}"
