"""Decides what may be on the blocklist, and until when it counts. Pure.

It is recorded here and enforced elsewhere: by the systems that ask whether a value is blocked.
"""

import ipaddress
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from app.domain import changes
from app.domain.access import Forbidden, Role, Viewer
from app.domain.card_numbers import holds_card_number
from app.domain.changes import CardNumber, Invalid
from app.domain.ids import is_id_of
from app.domain.import_forms import COUNTRY, EMAIL_ADDRESS, Form, matching
from app.domain.refusals import Refusal
from app.domain.search import address, folded
from app.domain.vocabulary import BlocklistSource, BlocklistType

_AT_MOST: Final = 255


class AlreadyBlocked(Refusal):
    code, field = "ALREADY_BLOCKED", ("value",)

    def __init__(self, entry_id: str) -> None:
        super().__init__(f"The value is on the blocklist already, by the entry {entry_id}.")


# ---------------------------------------------------------------- values


def _bank_account(text: str) -> str:
    return matching(r"[A-Z0-9]{4,34}", "").read(re.sub(r"[\s-]", "", text).upper())


def _customer_id(text: str) -> str:
    if not is_id_of("customers", text):
        raise ValueError
    return text


def _email(text: str) -> str:
    return address(EMAIL_ADDRESS.read(text))


def _email_domain(text: str) -> str:
    return _email(f"any@{text}").partition("@")[2]


def _country(text: str) -> str:
    return COUNTRY.read(text.upper())


def _ip_address(text: str) -> str:
    if "%" in text:  # the zone of an interface, which means nothing to another machine
        raise ValueError
    given = ipaddress.ip_address(text)
    return str(getattr(given, "ipv4_mapped", None) or given)


_AS_GIVEN: Final = Form(f"a text of at most {_AT_MOST} characters", str)
_FORMS: Final[Mapping[BlocklistType, Form]] = {
    BlocklistType.PAYMENT_CARD: _AS_GIVEN,
    BlocklistType.BANK_ACCOUNT: Form("an IBAN or account number of 4 to 34 letters and digits", _bank_account),
    BlocklistType.CUSTOMER_ID: Form("the id of a customer, which begins with cus_", _customer_id),
    BlocklistType.EMAIL: Form("an e-mail address", _email),
    BlocklistType.EMAIL_DOMAIN: Form("the domain of e-mail addresses, such as example.com", _email_domain),
    BlocklistType.IP_ADDRESS: Form("an IPv4 or IPv6 address", _ip_address),
    BlocklistType.COUNTRY: Form(COUNTRY.requirement, _country),
    BlocklistType.FINGERPRINT: _AS_GIVEN,
    BlocklistType.BIN: matching(r"[0-9]{6,8}", "6 to 8 digits"),
    BlocklistType.ADDRESS: Form("a postal address", folded),
}


def read(type_: BlocklistType, value: str, *field: str) -> str:
    """Returns the value as it is stored and compared. Raises Invalid, also for whatever holds a card number."""
    plain = changes.formed(_FORMS[type_], changes.text(value, *field, at_most=_AT_MOST, lines=False), *field)
    if type_ is not BlocklistType.IP_ADDRESS and holds_card_number(plain):
        raise CardNumber(*field)
    return plain


# ---------------------------------------------------------------- entries


def check_customer(type_: BlocklistType, value: str, customer_id: str | None) -> None:
    """Raises Invalid if an entry that blocks a customer is about another one."""
    if type_ is BlocklistType.CUSTOMER_ID and customer_id != value.strip():
        raise Invalid("customerId must be the customer whom value names; it may be left out.", "customerId")


def check_expiry(expires_at: datetime | None, now: datetime) -> None:
    if expires_at and expires_at <= now:
        raise Invalid("expiresAt must be in the future.", "expiresAt")


def check_source(source: BlocklistSource, viewer: Viewer) -> None:
    """Raises Forbidden if a person says that something else than a person added the entry."""
    if source is not BlocklistSource.MANUAL_BLOCKLISTS and Role.API_USER not in viewer.roles:
        raise Forbidden("Only programs may give another source than MANUAL_BLOCKLISTS.", "source")


def has_expired(entry: Mapping[str, Any], now: datetime) -> bool:
    return "expiresAt" in entry and entry["expiresAt"] <= now
