"""Defines lists and the parts of them that may be asked for: conditions, orders, positions, pages. No I/O."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from app.domain.vocabulary import AccessLevel

COUNT_AT_MOST = 100_000

Position: TypeAlias = tuple[Any, ...]
"""The values of an order's keys in one document: where a page begins. None where the document lacks the key."""


@dataclass(frozen=True, slots=True)
class Named:
    """A name has its value, as an element of a list."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class In:
    """The value is one of these; a list has one of these."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Exactly:
    """The value is this text and no other, also in a list that takes A for a."""

    text: str


@dataclass(frozen=True, slots=True)
class Between:
    """The value is at least the one and below the other; None leaves that side open."""

    at_least: Any = None
    below: Any = None


@dataclass(frozen=True, slots=True)
class Ahead:
    """The value is a time that lies ahead; or else it is not, or there is none.

    It is the database's clock that says so, when it answers: conditions are remembered, and know no clock.
    """

    lies_ahead: bool = True


@dataclass(frozen=True, slots=True)
class Has:
    """The value is a list with an element in this range. Without it, two elements could make the range together."""

    element: Between


@dataclass(frozen=True, slots=True)
class HasNamed:
    """The value is a list of names and values, with a value of this name that is so. Without bounds, with any."""

    name: str
    value: In | Between


@dataclass(frozen=True, slots=True)
class Contains:
    """The value is a text that has a part like this pattern; of an object, any of its values is."""

    pattern: str
    in_values: bool = False


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of these conditions holds. The key that it stands under is a name of its own, not a field."""

    wheres: "tuple[Where, ...]"


Condition: TypeAlias = In | Exactly | Between | Ahead | Has | HasNamed | Contains | AnyOf
Where: TypeAlias = tuple[tuple[str, Condition], ...]
"""Conditions by field, all of which hold. Hashable, so that equal requests meet in one batch."""


def both(where: Where, also: Where) -> Where:
    """Returns the conditions of ``where`` and of ``also``, by field; two on one field hold together."""
    conditions = dict(where)
    for key, condition in also:
        match conditions.get(key), condition:
            case In(these), In(those):
                conditions[key] = In(tuple(value for value in these if value in those))
            case _:
                conditions[key] = condition
    return tuple(conditions.items())


@dataclass(frozen=True, slots=True)
class Order:
    """An order names the document keys to sort by, ties included.

    The first key may be absent: with ``nulls_last`` such rows come last either way; with ``nulls_lowest`` they count as
    less than all others, as an index has them, and a page is read in one go.
    """

    keys: tuple[str, ...]
    nulls_last: bool = False
    nulls_lowest: bool = False

    @property
    def may_lack_first(self) -> bool:
        return self.nulls_last or self.nulls_lowest


def _all_rows(_: frozenset[AccessLevel]) -> Where:
    return ()


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """A listing is a list that hangs on a parent, or on nothing. Its indexes begin with the equalities ``prefix``.

    ``visible`` are the conditions under which a row exists for viewers of these roles.

    ``searched``: conditions may be many and of any kind, so that no index serves them all: the database tries those
    that could. Texts are compared as people do, whatever their case and accents, and rows counted up to
    ``COUNT_AT_MOST``. Each is declared once (listings.py) and equal to itself only.
    """

    collection: str
    prefix: tuple[str, ...]
    orders: Mapping[str, Order]
    base: Where = ()
    owned: bool = True
    searched: bool = False
    visible: Callable[[frozenset[AccessLevel]], Where] = field(default=_all_rows, repr=False)

    @property
    def parent_key(self) -> str | None:
        return next(iter(self.prefix), None) if self.owned else None

    def owned_by(self, parent: object) -> dict[str, object]:
        """Returns the condition that a row belongs to ``parent``."""
        return {self.parent_key: parent} if self.parent_key else {}


class Sorting(NamedTuple):
    """A sorting names an order of a listing, and its direction."""

    order: str
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection says which rows of a listing come, and in which order."""

    listing: Listing
    where: Where
    order: str
    descending: bool = True


MERGING: Final = ("absorbingIds", "rowsMoving")
"""The keys of a customer by which readers know that rows are on their way to a survivor, or from here."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page request asks for ``size`` rows of a selection after ``position``.

    ``backwards`` counts from the end, or before the position. ``keys`` are all that is read of the rows besides what
    makes a cursor; None reads everything.
    """

    selection: Selection
    size: int
    position: Position | None = None
    backwards: bool = False
    keys: tuple[str, ...] | None = None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = (self.selection, self.size, self.position, self.backwards, self.keys)
        object.__setattr__(self, "_hash", hash(values))

    def __hash__(self) -> int:
        """Returns the hash that was computed once: a request is looked up again and again on the way to its page."""
        return self._hash

    def with_fields(self, keys: tuple[str, ...] | None) -> "PageRequest":
        return PageRequest(self.selection, self.size, self.position, self.backwards, keys)

    @property
    def projection(self) -> dict[str, int] | None:
        """Returns the projection of the keys to read; None reads everything."""
        if self.keys is None:
            return None
        listing = self.selection.listing
        merging = MERGING if listing.collection == "customers" else ("formerOwners",)
        return dict.fromkeys(("_id", *listing.orders[self.selection.order].keys, *self.keys, *merging), 1)


@dataclass(slots=True, eq=False)
class Prefetch:
    """A prefetch says what will be asked of customers who are about to be read.

    ``pages`` of their lists, none of it behind a cursor, and these ``fields`` of themselves; None means everything.
    """

    pages: tuple[PageRequest, ...] = ()
    fields: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page holds rows in the selection's order, and says whether there are more before and after them."""

    parent: str
    request: PageRequest
    rows: list[dict[str, Any]]
    has_next: bool
    has_previous: bool
