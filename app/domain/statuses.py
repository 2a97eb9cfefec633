"""Which status may follow which, and what the change is called on the timeline. Pure."""

from typing import Final

from app.domain.refusals import Refusal
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
