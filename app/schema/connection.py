"""Declares the one connection: Relay's shape over keyset pages, forwards and backwards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from inspect import Parameter, Signature
from typing import Annotated, Any, ClassVar, Final, Generic, Protocol, TypeAlias, TypeVar, cast

import strawberry

from app.domain.access import Role
from app.domain.cursors import DEFAULT_SIZE, cursor_of, page_request_of
from app.domain.merging import owners_of
from app.domain.paging import Listing, Page, PageRequest, Selection, Sorting, Where, both
from app.schema.base import Document, Info, Source
from app.schema.rules import WITH_OWNER, Access

T = TypeVar("T")
Row: TypeAlias = tuple[Page, Document]
"""The source of an edge. Its cursor is made only if it is selected."""

First: TypeAlias = Annotated[
    int | None,
    strawberry.argument(
        description="Returns the first *n* rows after the `after` cursor. Maximum 100. The default gives way to `last`."
    ),
]
After: TypeAlias = Annotated[
    str | None,
    strawberry.argument(
        description="Returns rows after this cursor. A cursor is valid only for the list that returned it."
    ),
]
Last: TypeAlias = Annotated[
    int | None,
    strawberry.argument(description="Returns the last *n* rows before the `before` cursor. Maximum 100."),
]
Before: TypeAlias = Annotated[
    str | None,
    strawberry.argument(
        description="Returns rows before this cursor. A cursor is valid only for the list that returned it."
    ),
]


At: TypeAlias = Annotated[
    datetime | None,
    strawberry.argument(
        description="Begins the page at this time instead of at a cursor, to jump to a date: with `first`, the rows "
        "from there on in the order of the list; with `last`, the rows just before them. Only in the order of time. "
        "`pageInfo` assumes rows on the other side of that time."
    ),
]


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    access: ClassVar[Access] = WITH_OWNER

    @strawberry.field(description="Whether there are rows after this page.")
    @staticmethod
    def has_next_page(page: strawberry.Parent[Page]) -> bool:
        return page.has_next

    @strawberry.field(description="Whether there are rows before this page.")
    @staticmethod
    def has_previous_page(page: strawberry.Parent[Page]) -> bool:
        return page.has_previous

    @strawberry.field(description="The cursor of the first row, to pass as `before`. Null if the page is empty.")
    @staticmethod
    def start_cursor(page: strawberry.Parent[Page]) -> str | None:
        return cursor_of(page, page.rows[0]) if page.rows else None

    @strawberry.field(description="The cursor of the last row, to pass as `after`. Null if the page is empty.")
    @staticmethod
    def end_cursor(page: strawberry.Parent[Page]) -> str | None:
        return cursor_of(page, page.rows[-1]) if page.rows else None


@strawberry.type(description="One row of a page, with its cursor.")
class Edge(Generic[T]):
    access: ClassVar[Access] = WITH_OWNER

    @strawberry.field(description="The cursor of this row, valid in this list only.")
    @staticmethod
    def cursor(row: strawberry.Parent[Row]) -> str:
        return cursor_of(*row)

    @strawberry.field(description="The row. Null only if the stored row cannot be read.")
    @staticmethod
    def node(row: strawberry.Parent[Row]) -> T | None:
        return cast(Source, row[1])


@strawberry.type(
    description="One page of a list (Relay cursor connections). Rows that are added while a client pages "
    "do not make pages overlap or skip rows."
)
class Connection(Generic[T]):
    access: ClassVar[Access] = WITH_OWNER

    @strawberry.field(description="The rows with their cursors, in the order of the list.")
    @staticmethod
    def edges(page: strawberry.Parent[Page]) -> list[Edge[T]]:
        return cast(Source, [(page, document) for document in page.rows])

    @strawberry.field(description="The rows, in the order of the list.")
    @staticmethod
    def nodes(page: strawberry.Parent[Page]) -> list[T | None]:
        return cast(Source, page.rows)

    @strawberry.field(description="The position of this page in the list.")
    @staticmethod
    def page_info(page: strawberry.Parent[Page]) -> PageInfo:
        return cast(Source, page)

    @strawberry.field(description="The number of rows in the whole list. Counted only if it is selected.")
    @staticmethod
    def total_count(page: strawberry.Parent[Page], info: Info) -> int | None:
        return cast(Source, info.context.loaders.counts.defer((page.parent, page.request.selection)))


# ---------------------------------------------------------------- edges


class FilterInput(Protocol):
    """A filter says which rows a list has."""

    def where(self, roles: frozenset[Role], /) -> Where: ...


class OrderInput(Protocol):
    """An order says in which order rows come. ``default`` is the order without it, in words."""

    default: ClassVar[str]

    def sorting(self, filter: Any, /) -> Sorting: ...


@dataclass(frozen=True, slots=True, eq=False)
class PagedEdge:
    """A paged edge is a list that hangs on an object, as data: arguments and roles alone say which rows it has.

    Nothing here is given an owner, a viewer or a clock. What it answers to a viewer is therefore true for all viewers
    of the same roles, and for all owners: a plan asks once for a level, and remembers the answer.
    """

    listing: Listing
    filter: Callable[[], FilterInput] | None
    order: Callable[[], OrderInput] | None

    def selection(self, filter: FilterInput | None, order: OrderInput | None, roles: frozenset[Role]) -> Selection:
        """Returns the rows to select, and their order. Raises BadUserInput, Forbidden."""
        filter = filter or (self.filter() if self.filter else None)
        order = order or (self.order() if self.order else None)
        sorting = order.sorting(filter) if order else None
        return selection_of(self.listing, roles, filter.where(roles) if filter else (), sorting)

    def page(self, parent: str, roles: frozenset[Role], given: Mapping[str, Any]) -> PageRequest:
        """Returns the page of ``parent``'s list that is asked for. Raises BadUserInput, BadCursor, Forbidden."""
        selection = self.selection(given.get("filter"), given.get("order_by"), roles)
        return page_request_of(selection, parent, at=given.get("at"), **{name: given.get(name) for name in _RELAY})

    def row(self, document: Document | None, roles: frozenset[Role]) -> Source:
        """Returns the source of an edge: a document as a row of the list as it is without arguments; None without one.

        Its cursor is good for this list.
        """
        if document is None:
            return None
        request = PageRequest(self.selection(None, None, roles), DEFAULT_SIZE)
        parent = document[self.listing.parent_key or "_id"]
        return Page(parent, request, [document], has_next=False, has_previous=False), document

    def shared_page(self, roles: frozenset[Role], given: Mapping[str, Any]) -> PageRequest | None:
        """Returns the page that all parents share; None if a cursor makes it a part of one parent's list."""
        if any(given.get(name) is not None for name in _POSITIONS):
            return None
        return self.page("", roles, given)


PAGED_EDGES: Final[dict[Callable[..., Any], PagedEdge]] = {}
"""By the resolver that ``paged`` has made."""
_POSITIONS: Final = ("after", "before", "at")
_RELAY: Final = {"first": First, "after": After, "last": Last, "before": Before}


def paged(
    listing: Listing,
    node: type[Any],
    *,
    filter: type[FilterInput] | None = None,
    order: type[OrderInput] | None = None,
    at: bool = False,
    description: str,
) -> Any:
    """Returns a field with a page of ``listing``, whose rows are ``node``s, for each document of the declaring type.

    ``at``: whether a page may begin at a time.
    """
    edge = PagedEdge(listing, filter, order)

    def resolve(parent: Document, info: Info, **given: Any) -> Source:
        parent_id: str = parent["_id"]
        page_request = edge.page(parent_id, info.context.viewer.roles, given)
        return info.context.loaders.pages.defer(parent_id, page_request)

    arguments: dict[str, Any] = {**_RELAY}
    if at:
        arguments["at"] = At
    if filter:
        which = strawberry.argument(description="Which rows to return. Default: all.")
        arguments["filter"] = Annotated[cast(Any, filter) | None, which]
    if order:
        way = strawberry.argument(
            description=f"The sort order. Default: {order.default[0].lower() + order.default[1:]}."
        )
        arguments["order_by"] = Annotated[cast(Any, order) | None, way]
    cast(Any, resolve).__signature__ = Signature(
        [
            Parameter("parent", Parameter.KEYWORD_ONLY, annotation=strawberry.Parent[Document]),
            Parameter("info", Parameter.KEYWORD_ONLY, annotation=Info),
            *(
                Parameter(
                    name, Parameter.KEYWORD_ONLY, default=DEFAULT_SIZE if name == "first" else None, annotation=each
                )
                for name, each in arguments.items()
            ),
        ],
        return_annotation=cast(Any, Connection)[node] | None,
    )
    PAGED_EDGES[resolve] = edge
    return strawberry.field(resolver=resolve, description=description)


def selection_of(
    listing: Listing, roles: frozenset[Role], where: Where = (), sorting: Sorting | None = None
) -> Selection:
    """Returns the rows of ``listing`` that exist for these roles, by default in its first order."""
    order, descending = sorting or Sorting(next(iter(listing.orders)))
    return Selection(listing, both(where, listing.visible(roles)), order, descending)


def page_of_all(
    info: Info,
    listing: Listing,
    where: Where,
    sorting: Sorting | None = None,
    *,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Source:
    """Returns a page of a list that hangs on nothing, still to be awaited. Raises BadUserInput, BadCursor."""
    selection = selection_of(listing, info.context.viewer.roles, where, sorting)
    page_request = page_request_of(selection, "", first=first, after=after, last=last, before=before)
    return info.context.loaders.pages.defer("", page_request)


def rows_of(info: Info, parent: Document, listing: Listing, *, first: int | None) -> Source:
    """Returns the first rows of ``listing`` without a page around them, still to be awaited.

    Only rows of the parent's own customer: a row that names what is another's is nobody's.
    """
    owners = owners_of(parent)

    def own(page: Page | None) -> Source:
        return [row for row in page.rows if not owners.isdisjoint(owners_of(row))] if page else None

    selection = selection_of(listing, info.context.viewer.roles)
    page_request = page_request_of(selection, parent["_id"], first=first, after=None, last=None, before=None)
    return info.context.loaders.pages.defer(parent["_id"], page_request, own)
