"""Says what the customer-service report counts, and which of it daily counts hold already. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app.catalogue import copied
from app.domain.activities import title_of
from app.domain.paging import Between, In, Where
from app.domain.vocabulary import ReportDimension

DIMENSIONS: Final[Mapping[ReportDimension, str]] = {
    ReportDimension.CAMPAIGN: "campaign",
    ReportDimension.CAMPAIGN_CATEGORY: "campaignCategory",
    ReportDimension.PRODUCT: "product",
    ReportDimension.CALL_CENTER: "callCenter",
    ReportDimension.CURRENCY: "currency",
    ReportDimension.COUNTRY: "country",
}
"""What an activity of a call centre says about the order that it belongs to: the key of each."""
OPTION_KEYS: Final = {**DIMENSIONS, ReportDimension.USER: "actor.name"}
MAX_OPTIONS: Final = 1_000

SYSTEM_NAME: Final = "System"
DAY: Final = timedelta(days=1)
_TALLIED: Final = frozenset({"occurredAt", "type", "isNote", "actor.kind", "actor.accessLevel", "actor.name"})
Window = tuple[datetime, datetime]
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Split:
    """A split has a report's conditions in two parts that share no row: for daily counts, and for the activities."""

    tallied: Where | None
    raw: Where | None


def split(where: Where) -> Split:
    """Splits a report's conditions: daily counts hold no names of people, but for "System", which most rows have."""
    conditions = dict(where)
    if not conditions.keys() <= _TALLIED:
        return Split(None, where)
    match conditions.get("actor.name"):
        case In(names) if SYSTEM_NAME not in names:
            return Split(None, where)
        case In(names):
            others = tuple(name for name in names if name != SYSTEM_NAME)
            system = tuple({**conditions, "actor.name": In((SYSTEM_NAME,))}.items())
            return Split(system, tuple({**conditions, "actor.name": In(others)}.items()) if others else None)
        case _:
            return Split(where, None)


def window_of(where: Where) -> Window:
    """Returns the report's window, whose ends may be those of all time."""
    window = dict(where).get("occurredAt", Between())
    assert isinstance(window, Between)
    return window.at_least or _FIRST, window.below or _LAST


def whole_days(window: Window) -> Window:
    """Returns the midnights (UTC) between which the window holds whole days; none if the second is not later."""
    first, end = day_of(window[0]), day_of(window[1])
    return (first if first == window[0] else first + DAY), end


def day_of(moment: datetime) -> datetime:
    """Returns the midnight (UTC) that begins the moment's day."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def without(days: Iterable[datetime], window: Window) -> list[Window]:
    """Returns what is left of the window without these days, all of which lie in it; oldest first."""
    rest: list[Window] = []
    begin, end = window
    for day in sorted(days):
        if begin < day:
            rest.append((begin, day))
        begin = day + DAY
    return [*rest, (begin, end)] if begin < end else rest


def add_up(tallies: Iterable[Sequence[Mapping[str, Any]]], where: Where) -> Counter[str]:
    """Returns the counts of days, by type: of those kinds of actor that ``where`` asks for."""
    conditions = dict(where)
    totals: Counter[str] = Counter()
    for counts in tallies:
        for each in counts:
            actor = {"actor.kind": each["kind"], "actor.accessLevel": each.get("accessLevel")}
            matches = all(holds(conditions.get(key), value) for key, value in actor.items())
            if matches and ("actor.name" not in conditions or each["isSystem"]):
                totals.update(each["types"])
    return totals


def of_types(totals: Mapping[str, int], where: Where) -> dict[str, int]:
    """Returns the totals without types that ``where`` does not ask for; the catalogue knows which types are notes.

    Types of a process whose catalogue is another one count as they do among the rows.
    """
    conditions = dict(where)
    return {
        code: total
        for code, total in totals.items()
        if holds(conditions.get("type"), code) and holds(conditions.get("isNote"), copied(code)["isNote"])
    }


def actions(totals: Mapping[str, int]) -> list[dict[str, Any]]:
    """Returns the table of actions, most frequent first."""
    rows = sorted(totals.items(), key=lambda counted: (-counted[1], counted[0]))
    return [{"type": code, "title": title_of(code), "total": total} for code, total in rows]


def holds(condition: object, value: object) -> bool:
    assert condition is None or isinstance(condition, In)
    return condition is None or value in condition.values
