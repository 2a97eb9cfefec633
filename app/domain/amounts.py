"""Reads and adds up exact amounts. Pure.

An amount has up to 34 digits, and Python's own context rounds whatever it computes to 28 of them.
"""

import re
from collections.abc import Iterable
from decimal import Context, Decimal, Inexact
from typing import Final

DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
"""A decimal number. Python's Decimal also reads "1_000", " 5", exponents and the digits of every script."""
_EXACT: Final = Context(prec=200, traps=[Inexact])
"""Amounts have at most 34 digits before and after the point, so that any sum has fewer than 200."""


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Returns the exact sum."""
    result = Decimal(0)
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return result


def difference(amount: Decimal, less: Decimal) -> Decimal:
    """Returns exactly what is left of the amount."""
    return _EXACT.subtract(amount, less)
