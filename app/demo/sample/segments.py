"""Saves the segments that the people of the demo work with: one for each scope."""

from datetime import datetime, timedelta
from typing import Any, Final

from app.demo.sample.people import ADMIN, FINANCE, LEADS, SERVICE
from app.domain.ids import derived_id
from app.domain.search import folded
from app.domain.vocabulary import SegmentScope
from app.store.driver import Document

_SAVED: Final[
    tuple[tuple[str, SegmentScope, Document, tuple[Document, ...], tuple[Document, ...], dict[str, Any]], ...]
] = (
    (
        "My loyal customers",
        SegmentScope.PRIVATE,
        SERVICE[-1],
        (),
        (SERVICE[-1],),
        {
            "filter": {"tags": ["loyal"], "statuses": ["ACTIVE"]},
            "columns": ["number", "name", "lastActivityAt"],
            "orderBy": {"field": "LAST_ACTIVITY_AT", "direction": "DESC"},
        },
    ),
    (
        "Leads from Germany",
        SegmentScope.SHARED,
        LEADS[-1],
        (SERVICE[-1], FINANCE),
        (),
        {
            "description": "To be called before the campaign ends.",
            "filter": {"segment": "LEADS", "countries": ["DE"]},
            "columns": ["number", "name", "phones", "registeredAt"],
        },
    ),
    (
        "Many points",
        SegmentScope.PUBLIC,
        ADMIN,
        (),
        (SERVICE[-1], ADMIN),
        {
            "description": "Whoever may redeem a reward.",
            "filter": {"segment": "CUSTOMERS", "spendablePoints": {"min": 500}},
            "columns": ["number", "name", "spendablePoints", "email"],
            "orderBy": {"field": "SPENDABLE_POINTS", "direction": "DESC"},
        },
    ),
)
"""Name, scope, owner, with whom it is shared, who has starred it, and what it says."""


def saved(now: datetime) -> list[Document]:
    """Returns the segments as they are stored."""
    return [
        {
            "_id": derived_id("segments", source="sample", source_id=name),
            "name": name,
            "searchName": folded(name),
            "scope": scope.value,
            "subject": owner["id"],
            "owner": owner,
            "sharedWith": [each["id"] for each in shared],
            "starredBy": [each["id"] for each in starred],
            **says,
            "slot": 0,
            "createdAt": now - timedelta(days=60),
            "updatedAt": now - timedelta(days=30),
        }
        for name, scope, owner, shared, starred, says in _SAVED
    ]
