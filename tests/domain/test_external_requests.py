"""What became of a request does not depend on the order in which its outcomes arrive."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import permutations, product
from typing import Any

from app.domain.external_requests import with_end, with_outcome
from app.domain.vocabulary import OutcomeStatus, RequestStatus
from tests.support.world import NOW


def status_after(outcomes: Iterable[tuple[int, str]]) -> str:
    """Returns the status of a request whose outcomes, each with its minute, arrive in this order."""
    request: Mapping[str, Any] = {"status": "SENT", "outcomes": []}
    for minute, status in outcomes:
        at = NOW + timedelta(minutes=minute)
        if status != "EXPIRED":
            before = request["status"]
            request = {**request, **with_outcome(request, {"status": status, "at": at})}
            assert request["outcomes"][-1]["decided"] == (request["status"] != before)
        elif request["status"] == "ACTION_REQUIRED":
            request = {**request, **with_end(request, RequestStatus.EXPIRED, at=at, now=at, by={})}
    return str(request["status"])


def test_outcomes_lead_to_one_status_in_whatever_order_they_arrive() -> None:
    """A link that was reported after a success could not be so, and hid that the refund had failed in between."""
    for statuses in product([each.value for each in OutcomeStatus], repeat=3):
        outcomes = [*enumerate(statuses)]
        assert {status_after(each) for each in permutations(outcomes)} == {status_after(outcomes)}, statuses
    assert status_after([(1, "SUCCEEDED"), (3, "ACTION_REQUIRED"), (2, "FAILED")]) == "REVERSED"
    link = (1, "ACTION_REQUIRED")
    assert status_after([link, (5, "EXPIRED"), (9, "ACTION_REQUIRED")]) == "EXPIRED"
    for minute in (0, 3, 9):  # a truth that comes late replaces an expiry, whichever clock it has
        assert status_after([link, (5, "EXPIRED"), (minute, "SUCCEEDED")]) == "SUCCEEDED"
