"""Holds what a request carries."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from app.domain.access import Viewer
from app.domain.vocabulary import ReadGroup
from app.loaders import Loaders
from app.services.changes import Changes
from app.services.watches import Watches
from app.store.driver import Store


class Live(NamedTuple):
    """What a subscription needs beyond what a request has.

    ``renew`` begins anew: with the time of now, nothing read yet, and another deadline. Raises Forbidden.
    """

    watches: Watches
    renew: Callable[[], Awaitable[Store]]


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
    live: Live | None = None
    """For subscriptions only."""
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.loaders = self.new_loaders()

    def forget(self) -> None:
        """Forgets what was read before a change."""
        self.loaders = self.new_loaders()
