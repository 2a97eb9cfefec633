"""Says by when work has to end, here and in the database."""

import time
from dataclasses import dataclass
from math import inf
from typing import Final, Self


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline is a moment on the monotonic clock. Every command to the database has one."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        return cls(time.monotonic() + seconds)

    @property
    def remaining_seconds(self) -> float:
        """Returns the seconds that are left: none or fewer when the moment has passed, infinitely many for NEVER."""
        return self.at - time.monotonic()

    def within(self, seconds: float) -> "Deadline":
        """Returns the sooner of this moment and the one in ``seconds``."""
        return min(self, Deadline.after(seconds), key=lambda deadline: deadline.at)


NEVER: Final = Deadline(inf)
"""For work that nobody waits for, or that an operator interrupts: a command to a server that has stopped answering
ends when the driver gives the server up."""
