"""Lists the ways in which the ledger refuses points."""

from app.domain.points.entries import MAX_TOTAL
from app.domain.refusals import Refusal


class NotEnoughPoints(Refusal):
    code, field = "NOT_ENOUGH_POINTS", ("points",)

    def __init__(self, *, spendable: int, asked: int) -> None:
        super().__init__(f"{asked} points were asked for; {spendable} are spendable.")


class ReservationOpen(Refusal):
    """Raised if a customer with reserved points is merged away. The client sees a user error."""

    code, field = "RESERVATION_OPEN", ("ids",)

    def __init__(self, reserved: int) -> None:
        super().__init__(
            f"{reserved} points are reserved for a purchase that another system may still complete. Merge the customer "
            "once the reservation is released or captured."
        )


class TotalExceeded(Refusal):
    code, field = "LIMIT_EXCEEDED", ("points",)

    def __init__(self, figure: str, value: int) -> None:
        super().__init__(f"This would make {figure} {value}; at most {MAX_TOTAL} can be kept.")


class InvalidPoints(Refusal):
    """Raised for points that no balance makes right: none, the wrong sign, or more than there is to undo.

    The client sees a user error, an import a reject.
    """

    code, field = "INVALID", ("points",)


class InvalidExpiry(Refusal):
    code, field = "INVALID", ("expiresAt",)


class OutOfOrder(Refusal):
    """Raised if too much was out of order for one go. An import sees a reject.

    What was judged is in, and the rest may be given again.
    """

    code, field = "INVALID", ("occurredAt",)

    def __init__(self) -> None:
        super().__init__("Too many points of this customer came out of order: import the file again, oldest first.")
