"""Adds up exact amounts. Pure.

An amount has up to 34 digits, and Python's own context rounds whatever it computes to 28 of them.
"""

from collections.abc import Iterable
from decimal import Context, Decimal, Inexact
from typing import Final

_EXACT: Final = Context(prec=200, traps=[Inexact])
"""Of amounts that are written in 34 digits, before and after the point, any sum has fewer."""


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Returns the exact sum."""
    result = Decimal(0)
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return result


def difference(amount: Decimal, less: Decimal) -> Decimal:
    """Returns exactly what is left of the amount."""
    return _EXACT.subtract(amount, less)
