"""Writes who looked at the messy customer's record, as the gateway writes it."""

from datetime import datetime, timedelta
from typing import Final

from app.demo.sample.people import ADMIN, FINANCE, LEADS, SERVICE
from app.domain.looks import LookKey, quarter_of
from app.domain.vocabulary import ReadGroup
from app.store.driver import Document

_KEPT: Final = timedelta(days=365)
_LOOKS: Final = (
    (timedelta(hours=1), SERVICE[-1], (ReadGroup.IDENTITY, ReadGroup.CONTACT, ReadGroup.HISTORY, ReadGroup.NOTES)),
    (timedelta(hours=30), SERVICE[-1], (ReadGroup.IDENTITY, ReadGroup.MAIL)),
    (timedelta(days=3), FINANCE, (ReadGroup.IDENTITY, ReadGroup.POINTS, ReadGroup.TRANSACTIONS)),
    (timedelta(days=10), LEADS[-1], tuple(ReadGroup)),
    (timedelta(days=40), ADMIN, (ReadGroup.IDENTITY,)),
)


def looks_at(customer_id: str, now: datetime) -> list[Document]:
    """Returns the looks as they are stored."""
    return [
        {
            "_id": LookKey(person["id"], None, customer_id, quarter_of(now - ago)).id,
            "customerId": customer_id,
            "at": now - ago,
            "viewer": {"id": person["id"], "name": person["name"], "roles": [person["accessLevel"]]},
            "groups": [group.value for group in groups],
            "expiresAt": quarter_of(now - ago) + _KEPT,
        }
        for ago, person, groups in _LOOKS
    ]
