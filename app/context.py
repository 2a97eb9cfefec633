"""Holds what a request carries."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.access import Viewer
from app.domain.vocabulary import ReadGroup
from app.loaders import Loaders
from app.services.changes import Changes
from app.services.live import Live


@dataclass(slots=True)
class Context:
    """A context is made for one request and dropped with it. ``now`` is the same for all of it."""

    viewer: Viewer
    now: datetime
    changes: Changes
    new_loaders: Callable[[], Loaders]
    phone_region: str | None = None
    """Where phone numbers without a country are from."""
    reads: dict[str, frozenset[ReadGroup]] | None = None
    """What was read of customers so far, by their ids; None where that is not recorded."""
    stream: Live | None = None
    """Of a subscription only."""
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.loaders = self.new_loaders()

    @property
    def live(self) -> Live:
        """Returns what a subscription needs beyond what a request has."""
        assert self.stream, "no subscription"
        return self.stream

    def forget(self) -> None:
        """Forgets what was read before a change."""
        self.loaders = self.new_loaders()
