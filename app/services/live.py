"""Holds what a subscription needs beyond what a request has."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.services.watches import Watches


@dataclass(frozen=True, slots=True)
class Live:
    """It has the watches of the process, and ``renew``.

    ``renew`` begins anew: with the time of now, nothing read yet, and another deadline. It raises Forbidden.
    """

    watches: Watches
    renew: Callable[[], Awaitable[None]]
