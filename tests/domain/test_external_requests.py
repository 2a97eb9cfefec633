"""What decides what became of a request: the newest outcome that can be so."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import permutations, product
from typing import Any

import pytest

from app.domain.external_requests import NEXT, with_outcome
from app.domain.vocabulary import OutcomeStatus, RequestStatus
from tests.support.world import NOW

SENT: Mapping[str, Any] = {"status": "SENT", "outcomes": []}


def after(request: Mapping[str, Any], minute: int, status: str) -> Mapping[str, Any]:
    return {**request, **with_outcome(request, {"status": status, "at": NOW + timedelta(minutes=minute)})}


def test_whatever_comes_in_whatever_order_an_older_outcome_changes_nothing_and_a_newer_one_what_it_may() -> None:
    for statuses in product([each.value for each in OutcomeStatus], repeat=4):
        for told in permutations(enumerate(statuses)):
            request = SENT
            for minute, status in told:
                before, request = request, after(request, minute, status)
                newest = max((each["at"] for each in before["outcomes"]), default=NOW)
                last = request["outcomes"][-1]
                failed_later = before["status"] == "SUCCEEDED" and status == "FAILED"
                follows = failed_later or status in NEXT[RequestStatus(before["status"])]
                if last["at"] >= newest:
                    assert last["decided"] == follows, told
                decided = [each["at"] for each in before["outcomes"] if each["decided"]]
                if decided and last["at"] < max(decided):
                    assert not last["decided"], told
                if not last["decided"]:
                    assert request["status"] == before["status"], told


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ([(1, "SUCCEEDED"), (3, "ACTION_REQUIRED"), (2, "FAILED")], "REVERSED"),  # a link after a success cannot be so
        ([(1, "SUCCEEDED"), (3, "SUCCEEDED"), (2, "FAILED")], "SUCCEEDED"),  # it was done again, or not undone
        ([(1, "SUCCEEDED"), (2, "FAILED"), (4, "FAILED"), (3, "SUCCEEDED")], "REVERSED"),
        ([(2, "FAILED"), (1, "SUCCEEDED")], "FAILED"),
    ],
)
def test_what_cannot_follow_keeps_no_other_from_deciding(told: Sequence[tuple[int, str]], status: str) -> None:
    request = SENT
    for each in told:
        request = after(request, *each)
    assert request["status"] == status
