"""Decides in which phase of its life an order is. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from app.domain.paging import Ahead, AnyOf, In, Where
from app.domain.vocabulary import OrderPhase, OrderStatus

_PAST: Final = (
    OrderStatus.CHURNED.value,
    OrderStatus.TRIAL_ENDED.value,
    OrderStatus.COMPLETED.value,
    OrderStatus.VOIDED.value,
    OrderStatus.ABANDONED.value,
)
_PHASES: Final[Mapping[OrderPhase, tuple[Where, ...]]] = {
    OrderPhase.PENDING: ((("status", In((OrderStatus.PENDING.value,))),),),
    OrderPhase.UPCOMING: ((("status", In((OrderStatus.ACTIVE.value,))), ("startAt", Ahead())),),
    OrderPhase.ACTIVE: (
        (("status", In((OrderStatus.ACTIVE.value,))), ("startAt", Ahead(lies_ahead=False))),
        (("status", In((OrderStatus.PAUSED.value,))),),
        (("status", In((OrderStatus.CANCELLED.value,))), ("churnAt", Ahead())),
    ),
    OrderPhase.PAST: (
        (("status", In(_PAST)),),
        (("status", In((OrderStatus.CANCELLED.value,))), ("churnAt", Ahead(lies_ahead=False))),
    ),
}
"""The conditions of each phase, of which one holds. An order of another status is in no phase."""


def phase_of(order: Mapping[str, Any], now: datetime) -> OrderPhase | None:
    """Returns the phase of an order; None if its status says nothing that we know."""
    for phase, wheres in _PHASES.items():
        if any(all(_holds(order.get(key), condition, now) for key, condition in where) for where in wheres):
            return phase
    return None


def _holds(value: Any, condition: Any, now: datetime) -> bool:
    match condition:
        case In(values=values):
            return value in values
        case Ahead(lies_ahead=lies_ahead):
            return (value is not None and value > now) is lies_ahead
        case _:
            raise TypeError(condition)


def in_phases(phases: Iterable[OrderPhase]) -> Where:
    """Returns the conditions under which an order is in one of these phases; the first of them has an index."""
    wheres = [where for phase in dict.fromkeys(phases) for where in _PHASES[phase]]
    statuses = [
        value for where in wheres for key, condition in where if key == "status" for value in _values(condition)
    ]
    conditions: Where = (("status", In(tuple(dict.fromkeys(statuses)))),)
    return conditions if all(len(where) == 1 for where in wheres) else (*conditions, ("phase?", AnyOf(tuple(wheres))))


def _values(condition: Any) -> tuple[Any, ...]:
    assert isinstance(condition, In)
    return condition.values
