"""Decides which status may follow which, and how the timeline calls the change. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final, TypeAlias

from app.domain.refusals import Refusal
from app.domain.times import lies_ahead
from app.domain.vocabulary import CustomerStatus

ACTIVE, BLOCKED, DEACTIVATED = CustomerStatus.ACTIVE, CustomerStatus.BLOCKED, CustomerStatus.DEACTIVATED

CLOSED: Final = frozenset({CustomerStatus.ANONYMISED, CustomerStatus.MERGED})
"""Nothing is changed any more on such an account."""

TRANSITIONS: Final = {
    (ACTIVE, BLOCKED): "CUSTOMER_BLOCKED",
    (ACTIVE, DEACTIVATED): "CUSTOMER_DEACTIVATED",
    (BLOCKED, ACTIVE): "CUSTOMER_REACTIVATED",
    (BLOCKED, DEACTIVATED): "CUSTOMER_DEACTIVATED",
    (DEACTIVATED, ACTIVE): "CUSTOMER_REACTIVATED",
    (DEACTIVATED, BLOCKED): "CUSTOMER_BLOCKED",
}
"""From and to → the activity that tells of it. What is not here is not allowed."""


class SameStatus(Refusal):
    code, field = "SAME_STATUS", ("status",)

    def __init__(self, status: CustomerStatus) -> None:
        super().__init__(f"The customer is {status} already.")


class CustomerClosed(Refusal):
    code, field = "CUSTOMER_CLOSED", ("customerId",)

    def __init__(self, status: str) -> None:
        super().__init__(f"This account is closed for good ({status}): nothing is changed on it any more.")


def change(from_: CustomerStatus, to: CustomerStatus) -> str:
    """Returns the type of the activity that tells of the change. Raises CustomerClosed, SameStatus."""
    if from_ in CLOSED:
        raise CustomerClosed(from_)
    if from_ == to:
        raise SameStatus(to)
    return TRANSITIONS[from_, to]


def in_order(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns changes as they happened: by time, then by the chain from status to status, then as they arrived."""
    ordered: list[Mapping[str, Any]] = []
    by_time = sorted(history, key=lambda each: (each["changedAt"], _arrival(each)))
    for _, of_moment in groupby(by_time, key=lambda each: each["changedAt"]):
        waiting, status = list(of_moment), ordered[-1]["to"] if ordered else None
        while waiting:
            change = waiting.pop(_next(waiting, status))
            ordered.append(change)
            status = change["to"]
    return ordered


_Links: TypeAlias = Counter[tuple[str | None, str]]
"""How many changes there are of each kind: from and to."""


def _next(waiting: Sequence[Mapping[str, Any]], status: str | None) -> int:
    """Returns the place of the change that comes next after ``status``; among equals, the one that arrived first."""
    if len(waiting) == 1:
        return 0
    links = _Links((each.get("from"), each["to"]) for each in waiting)
    whole = {link for link in links if _is_chain(links - _Links([link]), link[1])}
    starts, ends = {start for start, _ in links}, {end for _, end in links}
    choices = (
        {link for link in whole if link[0] == status},  # the rest follows from it, and it from what was before
        {link for link in whole if link[0] is not None},
        {link for link in links if link[0] == status and status is not None},
        {link for link in links if link[0] is not None and link[0] not in ends},
        {link for link in links if link[0] is None and link[1] in starts},
        set(links),
    )
    chosen = next(filter(None, choices))
    return next(place for place, each in enumerate(waiting) if (each.get("from"), each["to"]) in chosen)


def _is_chain(links: _Links, start: str) -> bool:
    """Returns whether all can be walked one after the other from ``start``: an Eulerian trail."""
    surplus: Counter[str | None] = Counter()
    for (one, other), count in links.items():
        surplus[one] += count
        surplus[other] -= count
    if any(surplus.values()) and (surplus[start] != 1 or sorted(filter(None, surplus.values())) != [-1, 1]):
        return False
    reached: set[str | None] = {start}
    for _ in links:
        reached |= {other for one, other in links if one in reached}
    return all(one in reached for one, _ in links)


def places(history: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    """Returns, by id, the places of those changes that share their moment with others."""
    moments = Counter(each["changedAt"] for each in history)
    if len(moments) == len(history):
        return {}
    ordered = [each for each in in_order(history) if moments[each["changedAt"]] > 1]
    return {
        change["_id"]: place
        for _, of_moment in groupby(ordered, key=lambda each: each["changedAt"])
        for place, change in enumerate(of_moment)
    }


def status_now(history: Sequence[Mapping[str, Any]], now: datetime) -> str | None:
    """Returns the status after all that has happened by now; None where nothing has."""
    happened = in_order([each for each in history if not is_pending(each, now)])
    return happened[-1]["to"] if happened else None


def is_pending(change: Mapping[str, Any], now: datetime) -> bool:
    return lies_ahead(change["changedAt"], now)


def _arrival(change: Mapping[str, Any]) -> tuple[float, int]:
    """Returns what sorts changes by their arrival; those of older versions came first."""
    recorded = change.get("recordedAt")
    return (recorded.timestamp() if recorded else 0.0, change.get("arrival", 0))
