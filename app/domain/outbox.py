"""Decides when a delivery is tried again, and when it is given up. Pure."""

from datetime import datetime, timedelta
from typing import Final
from unicodedata import category

_FIRST_PAUSE: Final = timedelta(seconds=2)
_LONGEST_PAUSE: Final = timedelta(minutes=10)
_NO_TEXT: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode's categories of controls, half characters, and breaks of lines and paragraphs."""


def next_try(now: datetime, *, attempts: int, give_up_at: datetime, chance: float) -> datetime | None:
    """Returns when to try again after ``attempts`` (1 or more) that failed; None gives up.

    Pauses double up to ten minutes. ``chance``, from 0 to 1, takes up to half of one away, so that what failed
    together does not come back together. The last try falls on ``give_up_at``.
    """
    if now >= give_up_at:
        return None
    pause = min(_FIRST_PAUSE * 2 ** min(attempts - 1, 20), _LONGEST_PAUSE) * (1 - chance / 2)
    return min(now + pause, give_up_at)


def reason(text: str) -> str:
    """Returns a server's text as it is stored and shown: one line of up to 500 characters."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= 500 else f"{line[:499]}…"


def one_line(text: str) -> str:
    """Returns the text fit for a header: without line breaks and other controls, so that it cannot begin another."""
    return "".join(" " if category(character) in _NO_TEXT else character for character in text).strip()
