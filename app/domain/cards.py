"""Finds card numbers in texts: none of them is to be stored. Pure."""

import re
from typing import Final

_CARD_NUMBER: Final = re.compile(r"(?<![^\W_])\d(?:[\W_]?\d){11,18}(?![^\W_])")
"""12 to 19 digits, however they are grouped, that are not a part of a longer word."""


def holds_card_number(text: str) -> bool:
    """Returns whether there are digits in the text that a card may have."""
    return any(map(_passes_luhn, _CARD_NUMBER.findall(text)))


def _passes_luhn(text: str) -> bool:
    digits = [int(character) for character in reversed(text) if character.isdecimal()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
