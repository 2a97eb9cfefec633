"""What a request carries."""

from dataclasses import dataclass
from datetime import datetime

from app.domain.access import Viewer
from app.loaders import Loaders


@dataclass(frozen=True, slots=True)
class Context:
    """Made for one request and dropped with it. ``now`` is the same for all of it."""

    viewer: Viewer
    loaders: Loaders
    now: datetime
    request_id: str
