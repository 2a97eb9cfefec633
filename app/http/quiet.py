"""Writes log lines that anybody can cause, without a token as well, at most once in a while, with their count."""

import time
from collections.abc import Callable
from typing import Any, Final

import structlog

EVERY_SECONDS: Final = 60

_log = structlog.get_logger("gateway")


class QuietLine:
    """One kind of line is written. ``times`` in it says how often it was caused since it was last written."""

    def __init__(self, event: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._event, self._clock = event, clock
        self._times, self._next = 0, -float("inf")

    def warn(self, **details: Any) -> None:
        self._times += 1
        now = self._clock()
        if now >= self._next:
            self._next = now + EVERY_SECONDS
            times, self._times = self._times, 0
            _log.warning(self._event, times=times, **details)
