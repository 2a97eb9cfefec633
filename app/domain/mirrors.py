"""Reads what other systems own and this gateway only shows: orders, invoices and their like. Pure."""

import re
from enum import StrEnum
from typing import Final

_SEPARATORS: Final = re.compile(r"[\W_]+")
_SPELLINGS: Final = {"CANCELED": "CANCELLED"}


def status_of(statuses: type[StrEnum], source_status: str) -> str:
    """Returns our word for the status that a source has, however it writes it; OTHER if there is none."""
    word = _SEPARATORS.sub("_", source_status).strip("_").upper()
    word = _SPELLINGS.get(word, word)
    return word if word in statuses.__members__ else "OTHER"
