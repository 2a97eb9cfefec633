"""Shortcuts past the driver, where PyMongo is the one that they were tested with: commands by wire, cheap time-outs.

With another version, or one whose inside is not as we know it, the driver does all by itself: more slowly, and as well.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

import pymongo
import structlog

from app.store.fall_back import UnknownPymongo

TESTED: Final = "4.20."
"""How the version begins that the shortcuts were tested with; pyproject.toml and the lock say the same."""

_log = structlog.get_logger("store")


def _load() -> tuple[type[Any] | None, Callable[[float], AbstractContextManager[None]], str]:
    """Reads by wire, if they can be had; a time-out for commands; and why not, if they cannot."""
    if not pymongo.version.startswith(TESTED):
        return None, pymongo.timeout, f"tested with {TESTED}x only"
    try:
        from app.store.pymongo_internals import Timeout
        from app.store.wire import Wire
    except (ImportError, AttributeError) as changed:
        return None, pymongo.timeout, str(changed)
    return Wire, Timeout, ""


_wire, timeout, _missing = _load()
"""``timeout(seconds)`` is ``pymongo.timeout``, or the same in half its instructions."""


def wire(*args: Any) -> Any:
    """Returns what sends commands by wire; None where the driver is to send them."""
    try:
        if _wire:
            return _wire(*args)
        say_off(_missing)
    except UnknownPymongo as changed:
        say_off(str(changed))
    return None


_said: set[str] = set()


def say_off(why: str) -> None:
    """One line for each process, however many reads there are."""
    if not _said:
        _said.add(why)
        _log.warning("commands by wire are off: the driver sends all", pymongo=pymongo.version, why=why)
