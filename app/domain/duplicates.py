"""Says by what two customers may be the same person. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from app.domain.statuses import CLOSED
from app.domain.vocabulary import DuplicateReason

AT_MOST: Final = 100
"""How many are looked at for each customer: an address that a whole company shares tells little."""


class Traits(NamedTuple):
    """Traits are what a customer is compared by, as it is kept to be searched."""

    customer_id: str
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    person: tuple[str, str] | None
    """The name and the date of birth, where both are known."""


def traits_of(customer: Mapping[str, Any]) -> Traits:
    born, phones = customer.get("dateOfBirth"), customer.get("searchPhones", ())
    international = tuple(phone for phone in phones if phone.startswith("+"))
    person = (customer["searchName"], born) if born and "searchName" in customer else None
    return Traits(customer["_id"], tuple(customer.get("searchEmails", ())), international or tuple(phones), person)


def reasons(of: Traits, other: Mapping[str, Any]) -> Sequence[DuplicateReason]:
    """Returns what the two have in common; nothing where the other account is closed, or is the same one."""
    if other["_id"] == of.customer_id or other["status"] in CLOSED:
        return []
    theirs = traits_of(other)
    shared = {
        DuplicateReason.EMAIL: {*of.emails} & {*theirs.emails},
        DuplicateReason.PHONE: {*of.phones} & {*other.get("searchPhones", ())},
        DuplicateReason.NAME_AND_DATE_OF_BIRTH: of.person is not None and of.person == theirs.person,
    }
    return [reason for reason, is_shared in shared.items() if is_shared]
