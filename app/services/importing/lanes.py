"""Divides the lines of a chunk among lanes, in which they are brought in at a time."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

from app.domain.import_forms import Identity
from app.domain.import_lines import REFERENCES
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

    Lines that may look at the same rows are in one lane: those of one customer, by whatever identity, or of two who
    were merged, and those that tell of one row or refer to it.
    """
    known = {identity: customer["_id"] for identity, customer in by_identity(customers).items()}
    groups = _Groups()
    for customer in customers:
        if "mergedIntoId" in customer:
            groups.join((customer["_id"], customer["mergedIntoId"]))
    for arrival in arrivals:
        groups.join(_looked_at(arrival, known))
    lines = Counter(groups.of(arrival.line.id) for arrival in arrivals)
    taken: list[list[Arrival]] = [[] for _ in range(lanes)]
    lane_of: dict[Hashable, list[Arrival]] = {}
    room = [0] * lanes
    for group, count in lines.most_common():
        least = room.index(min(room))
        room[least] += count
        lane_of[group] = taken[least]
    for arrival in arrivals:
        lane_of[groups.of(arrival.line.id)].append(arrival)
    return [lane for lane in taken if lane]


def _looked_at(arrival: Arrival, known: Mapping[Identity, str]) -> Iterator[Hashable]:
    yield arrival.line.id
    for identity in arrival.line.names:
        yield known.get(identity, identity)
    for key in REFERENCES & arrival.line.document.keys():
        yield arrival.line.document[key]
