"""Saves the segments that the people of the demo work with: one for each scope."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from app.demo.sample.people import ADMIN, FINANCE, LEADS, SERVICE
from app.domain.ids import derived_id
from app.domain.search import folded
from app.domain.vocabulary import SegmentScope
from app.store.driver import Document


def saved(now: datetime) -> list[Document]:
    """Returns the segments as they are stored."""
    agent, lead = SERVICE[-1], LEADS[-1]  # those who have tokens of the demo
    return [
        _segment(
            now,
            "My loyal customers",
            SegmentScope.PRIVATE,
            agent,
            starred_by=[agent],
            filter={"tags": ["loyal"], "statuses": ["ACTIVE"]},
            columns=["number", "name", "lastActivityAt"],
            orderBy={"field": "LAST_ACTIVITY_AT", "direction": "DESC"},
        ),
        _segment(
            now,
            "Leads from Germany",
            SegmentScope.SHARED,
            lead,
            shared_with=[agent, FINANCE],
            description="To be called before the campaign ends.",
            filter={"segment": "LEADS", "countries": ["DE"]},
            columns=["number", "name", "phones", "registeredAt"],
        ),
        _segment(
            now,
            "Many points",
            SegmentScope.PUBLIC,
            ADMIN,
            starred_by=[agent, ADMIN],
            description="Whoever may redeem a reward.",
            filter={"segment": "CUSTOMERS", "spendablePoints": {"min": 500}},
            columns=["number", "name", "spendablePoints", "email"],
            orderBy={"field": "SPENDABLE_POINTS", "direction": "DESC"},
        ),
    ]


def _segment(
    now: datetime,
    name: str,
    scope: SegmentScope,
    owner: Document,
    *,
    shared_with: Sequence[Document] = (),
    starred_by: Sequence[Document] = (),
    **given: Any,
) -> Document:
    return {
        "_id": derived_id("segments", source="sample", source_id=name),
        "name": name,
        "searchName": folded(name),
        "scope": scope.value,
        "subject": owner["id"],
        "owner": owner,
        "sharedWith": [each["id"] for each in shared_with],
        "starredBy": [each["id"] for each in starred_by],
        **given,
        "slot": 0,
        "createdAt": now - timedelta(days=60),
        "updatedAt": now - timedelta(days=30),
    }
