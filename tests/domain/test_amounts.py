"""Amounts add up exactly, however many digits they have."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from app.domain.amounts import difference, total


def _amount(digits: int, exponent: int) -> Decimal:
    return Decimal(f"{digits}E{exponent}")


AMOUNTS = st.builds(_amount, st.integers(-(10**34) + 1, 10**34 - 1), st.integers(-34, 0))
"""Those that are accepted: 34 digits."""


@given(st.lists(AMOUNTS, max_size=9))
def test_a_sum_is_exact(amounts: list[Decimal]) -> None:
    assert Fraction(total(amounts)) == sum(map(Fraction, amounts))


@given(AMOUNTS, AMOUNTS)
def test_what_is_left_is_exact(amount: Decimal, less: Decimal) -> None:
    assert Fraction(difference(amount, less)) == Fraction(amount) - Fraction(less)
