"""Says what a look is: that a viewer read a customer's record in some quarter of an hour. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from app.domain.ids import derived_id

_QUARTER: Final = timedelta(minutes=15)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class LookKey(NamedTuple):
    """What makes two reads one look. Who acts for a subject is another viewer than the subject."""

    subject: str
    delegate: str | None
    customer_id: str
    quarter: datetime
    """When it begins."""

    @property
    def id(self) -> str:
        """Returns the id of the look, the same in every process."""
        return derived_id("looks", source="gateway", source_id=repr((*self[:3], self.quarter.isoformat())))


def quarter_of(at: datetime) -> datetime:
    """Returns when the quarter of an hour began that this time is in."""
    return at - (at - _EPOCH) % _QUARTER
