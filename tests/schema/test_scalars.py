"""What scalars take and what they refuse."""

from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLError, GraphQLScalarType

from app.graph import executable

DECIMAL: Any = executable.type_map["Decimal"]


@pytest.mark.parametrize("text", ["12.50", "0", "-0.01", "007", "9" * 34])
def test_a_decimal_is_digits_with_a_sign_and_a_point(text: str) -> None:
    assert isinstance(DECIMAL, GraphQLScalarType)
    assert DECIMAL.parse_value(text) == Decimal(text)


@pytest.mark.parametrize(
    "value",
    ["1_000", " 5", "5 ", "５", "1E3", "1e-2", ".5", "5.", "+5", "", "-", "1,5", "NaN", "-Infinity", "5\n", 5, 1.5],
)
def test_what_a_client_may_have_meant_as_another_number_is_no_decimal(value: object) -> None:
    """Python reads some of these: the first as a thousand, the fourth, in full width, as 5."""
    with pytest.raises((ValueError, GraphQLError), match="decimal number as a string"):
        DECIMAL.parse_value(value)
