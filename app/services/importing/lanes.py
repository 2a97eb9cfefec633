"""Divides the lines of a chunk among lanes, in which they are brought in at a time."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

from app.domain.import_lines import REFERENCES, Line
from app.services.importing.steps import Arrival, by_identity
from app.store.driver import Document


class _Groups:
    """The groups are sets of keys without a key in common."""

    def __init__(self) -> None:
        self._parents: dict[Hashable, Hashable] = {}

    def of(self, key: Hashable) -> Hashable:
        """Returns the key that stands for the group."""
        parents = self._parents
        while (parent := parents.setdefault(key, key)) != key:
            parents[key] = key = parents[parent]
        return key

    def join(self, keys: Iterable[Hashable]) -> None:
        first, *others = map(self.of, keys)
        for other in others:
            self._parents[other] = first


def in_lanes(arrivals: Sequence[Arrival], customers: Sequence[Document], lanes: int) -> list[list[Arrival]]:
    """Returns the lines, in their order, in so many lanes at most.

    Lines that may look at the same rows are in one lane: those of one customer, by whatever identity or number, or of
    two who were merged, and those that tell of one row or refer to it.
    """
    known: dict[Hashable, str] = {key: customer["_id"] for key, customer in by_identity(customers).items()}
    known |= {_Number(customer["number"]): customer["_id"] for customer in customers}
    groups = _Groups()
    for customer in customers:
        if "mergedIntoId" in customer:
            groups.join((customer["_id"], customer["mergedIntoId"]))
    looked_at = [[known.get(key, key) for key in _keys_of(arrival.line)] for arrival in arrivals]
    for keys in looked_at:
        groups.join(keys)
    group_of = [groups.of(keys[0]) for keys in looked_at]
    taken: list[list[Arrival]] = [[] for _ in range(lanes)]
    lane_of: dict[Hashable, list[Arrival]] = {}
    room = [0] * lanes
    for group, count in Counter(group_of).most_common():
        least = room.index(min(room))
        room[least] += count
        lane_of[group] = taken[least]
    for arrival, group in zip(arrivals, group_of, strict=True):
        lane_of[group].append(arrival)
    return [lane for lane in taken if lane]


class _Number(NamedTuple):
    """It keeps a customer's number apart from other keys."""

    number: str


def _keys_of(line: Line) -> Iterator[Hashable]:
    yield from line.names
    if line.id:
        yield line.id
    if line.owner:
        for key in REFERENCES & line.document.keys():
            yield line.document[key]
    else:
        if "number" in line.document:
            yield _Number(line.document["number"])
        if "mergedInto" in line.document:
            yield line.document["mergedInto"]
