"""Which status may follow which, and what the change is called on the timeline. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

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
    """The activity's type. Raises CustomerClosed, SameStatus."""
    if from_ in CLOSED:
        raise CustomerClosed(from_)
    if from_ == to:
        raise SameStatus(to)
    return TRANSITIONS[from_, to]


def in_order(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Changes as they happened: by time; of one moment by the chain from status to status, then as they arrived."""
    waiting = sorted(history, key=lambda each: (each["changedAt"], _arrival(each)))
    ordered: list[Mapping[str, Any]] = []
    while waiting:
        moment = [each for each in waiting if each["changedAt"] == waiting[0]["changedAt"]]
        after = ordered[-1]["to"] if ordered else None
        begins = {each.get("from") for each in moment} - {each["to"] for each in moment}
        following = (
            [each for each in moment if after is not None and each.get("from") == after]
            or [each for each in moment if each.get("from") in begins and each.get("from") is not None]
            or moment
        )
        ordered.append(following[0])
        waiting.remove(following[0])
    return ordered


def status_now(history: Sequence[Mapping[str, Any]], now: datetime) -> str | None:
    """The status after all that has happened by now; None where nothing has."""
    happened = in_order([each for each in history if not is_pending(each, now)])
    return happened[-1]["to"] if happened else None


def is_pending(change: Mapping[str, Any], now: datetime) -> bool:
    return lies_ahead(change["changedAt"], now)


def _arrival(change: Mapping[str, Any]) -> tuple[float, int]:
    """Those of older versions came first."""
    recorded = change.get("recordedAt")
    return (recorded.timestamp() if recorded else 0.0, change.get("arrival", 0))
