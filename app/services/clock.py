"""Asks the database what time it is, before something is done because of the time that cannot be undone."""

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from app.store.driver import Store

_log = structlog.get_logger("jobs")
MAX_DIFFERENCE: Final = timedelta(minutes=5)
"""Machines that ask a time server differ by less than a second."""


class WrongClock(Exception):
    """Raised where this machine's clock and the database's differ too much. A job that raises it is tried again."""


async def checked_now(store: Store) -> datetime:
    """Returns the time, which the database agrees to. Raises WrongClock, StoreError."""
    if difference := await clock_difference(store):
        _log.error("wrong clock", reason=difference)
        raise WrongClock(difference)
    return datetime.now(UTC)


async def clock_difference(store: Store) -> str | None:
    """Returns in words how far the clocks of this machine and of the database differ, if it is too much."""
    theirs = await store.server_time()
    ahead = datetime.now(UTC) - theirs
    if abs(ahead) < MAX_DIFFERENCE:
        return None
    way = "ahead of" if ahead > timedelta() else "behind"
    return f"The clock of this machine is {abs(ahead).total_seconds():,.0f} s {way} the database's: set it right."
