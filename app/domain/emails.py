"""Decides whom a mail goes to. Pure."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from email_validator import EmailNotValidError, validate_email

from app.domain.refusals import Refusal


class NoRegisteredEmail(Refusal):
    code = "NO_REGISTERED_EMAIL"


def registered_address(customer: Mapping[str, Any]) -> str:
    """Returns the customer's registered address as it is now, fit for an envelope. Raises NoRegisteredEmail."""
    given = customer.get("email")
    if not given:
        raise NoRegisteredEmail("This customer has no registered e-mail address. Nothing was sent.")
    if not (address := deliverable(given)):
        raise NoRegisteredEmail(
            "The registered e-mail address of this customer is not a valid one. Correct it first; nothing was sent."
        )
    return address


@lru_cache(maxsize=1_000)
def deliverable(given: str) -> str | None:
    """Returns the address as servers take it; None for an invalid one. No server is asked whether it exists."""
    try:
        address = validate_email(given, check_deliverability=False)
    except EmailNotValidError:
        return None
    return address.ascii_email or address.normalized
