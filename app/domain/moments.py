"""Numbers the rows of one moment: every row of a list by time is written with the key ``order``. Pure.

Times are stored by the millisecond, and most sources tell whole seconds, so that many rows share one. Rows of earlier
versions have no such key, and come first. docs/decisions/0028 says why it is as it is.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

ORDER: Final = "order"
MAX_ORDER: Final = 2**63 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ROWS_AT_MOST: Final = 16
"""Of one change that are told apart from those of the next one in the same millisecond."""


def order_of(arrived_at: datetime, number: int = 0) -> int:
    """Returns nanoseconds since 1970, plus the row's number among those that arrived then: its line in a file, say."""
    return (arrived_at - _EPOCH) // _MICROSECOND * 1_000 + number


def put_in_order(rows: Iterable[dict[str, Any]], arrived_at: datetime, change: int) -> None:
    """Sets ``order`` on the rows of one change made here. ``change`` is its number: their customer's ``revision``."""
    for place, row in enumerate(rows):
        row[ORDER] = order_of(arrived_at, change * _ROWS_AT_MOST + min(place, _ROWS_AT_MOST - 1))
