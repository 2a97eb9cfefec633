"""The phase of an order: what its status and times say, as one table."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.mirrors import status_of
from app.domain.orders import in_phases, phase_of
from app.domain.paging import In
from app.domain.vocabulary import InvoiceStatus, OrderPhase, OrderStatus, QuoteStatus

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
PAST, AHEAD = NOW - timedelta(days=1), NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("order", "phase"),
    [
        ({"status": "PENDING"}, "PENDING"),
        ({"status": "PENDING", "startAt": AHEAD}, "PENDING"),
        ({"status": "ACTIVE"}, "ACTIVE"),
        ({"status": "ACTIVE", "startAt": PAST}, "ACTIVE"),
        ({"status": "ACTIVE", "startAt": NOW}, "ACTIVE"),
        ({"status": "ACTIVE", "startAt": NOW + timedelta(milliseconds=1)}, "UPCOMING"),
        ({"status": "ACTIVE", "startAt": AHEAD}, "UPCOMING"),
        ({"status": "PAUSED"}, "ACTIVE"),
        ({"status": "PAUSED", "startAt": AHEAD}, "ACTIVE"),
        ({"status": "CANCELLED", "churnAt": AHEAD}, "ACTIVE"),
        ({"status": "CANCELLED", "churnAt": NOW}, "PAST"),
        ({"status": "CANCELLED", "churnAt": PAST}, "PAST"),
        ({"status": "CANCELLED"}, "PAST"),
        ({"status": "CHURNED", "churnAt": AHEAD}, "PAST"),
        ({"status": "TRIAL_ENDED"}, "PAST"),
        ({"status": "COMPLETED"}, "PAST"),
        ({"status": "VOIDED"}, "PAST"),
        ({"status": "ABANDONED"}, "PAST"),
        ({"status": "OTHER"}, None),
        ({"status": "OTHER", "startAt": AHEAD}, None),
    ],
)
def test_a_phase_follows_from_status_and_times(order: dict[str, Any], phase: str | None) -> None:
    assert phase_of(order, NOW) == phase


def test_every_status_but_other_is_in_a_phase() -> None:
    assert {status for status in OrderStatus if phase_of({"status": status}, NOW) is None} == {OrderStatus.OTHER}


def test_phases_without_a_time_are_a_condition_on_the_status_alone() -> None:
    assert in_phases([OrderPhase.PENDING]) == (("status", In(("PENDING",))),)
    assert dict(in_phases([OrderPhase.UPCOMING, OrderPhase.PENDING]))["status"] == In(("ACTIVE", "PENDING"))
    assert in_phases([]) == (("status", In(())),)


@pytest.mark.parametrize(
    ("source_status", "status"),
    [
        ("paid", "PAID"),
        ("partially-paid", "PARTIALLY_PAID"),
        ("Partially paid", "PARTIALLY_PAID"),
        (" PAST_DUE ", "PAST_DUE"),
        ("written-off", "OTHER"),
        ("other", "OTHER"),
        ("---", "OTHER"),
    ],
)
def test_a_status_is_known_however_its_source_writes_it(source_status: str, status: str) -> None:
    assert status_of(InvoiceStatus, source_status) == status


@pytest.mark.parametrize("source_status", ["canceled", "cancelled", "Canceled"])
def test_a_cancelled_quote_is_one_in_either_spelling(source_status: str) -> None:
    assert status_of(QuoteStatus, source_status) == "CANCELLED"
