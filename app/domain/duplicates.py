"""Says by what two customers may be the same person. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

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
    """Returns a customer's traits. What is no text, though stored, is nobody's: it costs no other trait or customer."""
    phones = _texts(customer.get("searchPhones"))
    international = tuple(phone for phone in phones if phone.startswith("+"))
    person = _texts([customer.get("searchName"), customer.get("dateOfBirth")])
    return Traits(
        customer["_id"],
        _texts(customer.get("searchEmails")),
        international or phones,
        (person[0], person[1]) if len(person) == 2 else None,
    )


def _texts(stored: Any) -> tuple[str, ...]:
    """Returns those of what should be texts that are some."""
    values = cast(list[Any], stored) if isinstance(stored, list) else []
    return tuple(each for each in values if isinstance(each, str) and each)


def reasons(of: Traits, other: Mapping[str, Any]) -> Sequence[DuplicateReason]:
    """Returns what the two have in common; nothing where the other account is closed, or is the same one."""
    if other["_id"] == of.customer_id or other.get("status") in [*CLOSED]:  # a set asks for the hash of what is stored
        return []
    theirs = traits_of(other)
    shared = {
        DuplicateReason.EMAIL: {*of.emails} & {*theirs.emails},
        DuplicateReason.PHONE: {*of.phones} & {*_texts(other.get("searchPhones"))},
        DuplicateReason.NAME_AND_DATE_OF_BIRTH: of.person is not None and of.person == theirs.person,
    }
    return [reason for reason, is_shared in shared.items() if is_shared]
