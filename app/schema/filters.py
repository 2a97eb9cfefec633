"""Defines what filters have in common: windows of time, sets of values, words that must be known."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import strawberry

from app.catalogue import CATALOGUE
from app.domain.access import Role, knows
from app.domain.ids import check_id
from app.domain.paging import Between, Has, In, Where
from app.domain.refusals import BadUserInput, unknown
from app.domain.search import cleaned, folded, is_visible
from app.domain.times import first_millisecond


@strawberry.input(description="A window of time. An end that is left out is open.")
class TimeRange:
    from_: datetime | None = strawberry.field(name="from", default=None, description="Only rows at or after this time.")
    to: datetime | None = strawberry.field(default=None, description="Only rows before this time.")


_LAST = "\uffff"
"""Stands behind every other character, in any language's order."""


def during(key: str, window: TimeRange | None) -> Where:
    """Returns a condition on a time, if a window with an end is given.

    Raises BadUserInput for a window that ends before it begins.

    A window may lie between two milliseconds; then it holds none, and two that adjoin share no row and lose none.
    """
    at_least, below = (window.from_, window.to) if window else (None, None)
    if at_least and below and at_least >= below:
        raise BadUserInput("from must be earlier than to: from is inside the window, to is just outside it.", "from")
    return ((key, Between(bound(at_least), bound(below))),) if at_least or below else ()


def bound(at: datetime | None) -> datetime | None:
    """Returns the bound of a window as stored times know it. Raises BadUserInput at the end of the year 9999."""
    try:
        return at and first_millisecond(at)
    except OverflowError:
        raise BadUserInput("A window ends with the last millisecond of the year 9999.", "to") from None


def among(key: str, values: Sequence[Any] | None) -> Where:
    """Returns a condition on a key's value, if values are given; an empty list matches nothing."""
    return () if values is None else ((key, In(tuple(dict.fromkeys(values)))),)


def of_customer(customer_id: str | None) -> Where:
    """Returns a condition on the customer, if one is given. Raises BadUserInput for what is not a customer's id."""
    if customer_id is None:
        return ()
    check_id(customer_id, "customerId", expected="customers")
    return among("customerId", [customer_id])


def few(name: str, values: Sequence[Any] | None, *, at_most: int = 100) -> None:
    """Raises BadUserInput for a list that is too long."""
    if len(values or ()) > at_most:
        raise BadUserInput(f"At most {at_most} {name} may be given; there are {len(values or ())}.", name)


def search_term(name: str, given: str, *, at_most: int = 1_000) -> str:
    """Returns the text as it is stored: composed, without blank ends, with single blanks inside.

    Raises BadUserInput for one of which nothing can be seen, or that is too long to be anybody's.
    """
    term = cleaned(given)
    if not is_visible(term):
        raise BadUserInput(f"{name} must not be empty or invisible: leave it out to find everybody.", name)
    if len(term) > at_most:
        raise BadUserInput(f"{name} may have {at_most:,} characters; it has {len(term):,}.", name)
    return term


def folded_term(name: str, given: str, *, at_most: int = 1_000) -> str:
    """Returns the term as it is compared where case and accents make no difference."""
    return folded(search_term(name, given, at_most=at_most))


def terms(name: str, given: Sequence[str] | None) -> list[str] | None:
    """Returns each text as it is given and as it is stored now, because older rows may have it otherwise.

    Raises BadUserInput, also for a list that is too long.
    """
    few(name, given)
    if given is None:
        return None
    return [text for each in given for text in dict.fromkeys((search_term(name, each), each))]


def beginning(key: str, term: str) -> Where:
    """Returns a condition that a text begins with the term, compared as the list compares texts.

    No character has a meaning of its own.
    """
    return ((key, _range(term)),)


def has_beginning(key: str, term: str) -> Where:
    """Returns a condition that one text of a list begins with the term."""
    return ((key, Has(_range(term))),)


def _range(term: str) -> Between:
    return Between(term, term + _LAST)


def check_types(codes: Iterable[str], roles: frozenset[Role], field: str) -> None:
    """Raises BadUserInput for a code that the catalogue does not have, or not for these roles."""
    for code in codes:
        row = CATALOGUE.get(code)
        if row is None or not knows(roles, row):
            known = [code for code, row in CATALOGUE.items() if knows(roles, row)]
            raise unknown("activity type", code, known, field)
