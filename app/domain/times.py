"""Reads moments as clients write them (RFC 3339), and cuts them to what is stored: UTC, with milliseconds. Pure."""

import re
from datetime import datetime, timedelta
from typing import Final

_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
"""RFC 3339, 5.6: neither weeks nor days of the year, nothing left out, and no blank for the T."""
_MILLISECOND: Final = timedelta(milliseconds=1)
CLOCK_ALLOWANCE: Final = timedelta(minutes=5)
"""How far ahead of ours another system's clock may be."""


def moment(text: str) -> datetime:
    """Returns the moment in UTC, exact to the microsecond. Raises ValueError.

    What is finer is not lost to ``first_millisecond``: a moment between two milliseconds stays between them. A leap
    second is the second after it, as clocks of computers count.
    """
    found = _TIME.fullmatch(text)
    if not found:
        raise ValueError
    day, minute, second, fraction, sign, hours, minutes = found.groups()
    is_leap = second == "60"
    at = datetime.fromisoformat(f"{day}T{minute}:{'59' if is_leap else second}+00:00")
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        at += -offset if sign == "+" else offset
    if is_leap:
        following = at + timedelta(seconds=1)
        if following.day != 1 or following.hour or following.minute:
            raise ValueError  # only a month of UTC ends with one
        at = following
    return at.replace(microsecond=_microsecond(fraction or ""))


def _microsecond(fraction: str) -> int:
    """Returns the microsecond that a second's digits say.

    Where only finer digits stand behind a millisecond, they count as one microsecond.
    """
    microsecond = int(fraction[:6].ljust(6, "0"))
    is_between = microsecond % 1_000 == 0 and fraction[6:].strip("0") != ""
    return microsecond + is_between


def stored(at: datetime) -> datetime:
    """Returns the millisecond that a moment lies in: what is stored of it."""
    return at.replace(microsecond=at.microsecond // 1_000 * 1_000)


def first_millisecond(at: datetime) -> datetime:
    """Returns the first millisecond that is not before a moment. Raises OverflowError at the end of the year 9999.

    Stored times are milliseconds: those from the moment on are those from this one on, and those before it are those
    before this one.
    """
    return at if at.microsecond % 1_000 == 0 else stored(at) + _MILLISECOND


def lies_ahead(at: datetime, now: datetime) -> bool:
    """Returns whether it cannot have happened yet, even if clocks differ."""
    return at - now > CLOCK_ALLOWANCE
