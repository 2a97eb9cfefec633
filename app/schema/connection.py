"""The one connection: Relay's shape over keyset pages, forwards and backwards."""

from typing import Annotated, ClassVar, Generic, TypeAlias, TypeVar, cast

import strawberry

from app.domain.cursors import cursor_of, slice_of
from app.domain.paging import Listing, Page, Selection, Where, both
from app.schema.base import EVERY_OWNER, Document, Info, Source
from app.schema.rules import WITH_OWNER, Access

T = TypeVar("T")
Row: TypeAlias = tuple[Page, Document]
"""The source of an edge. Its cursor is made only if it is selected."""

First: TypeAlias = Annotated[
    int | None,
    strawberry.argument(description="The first so many, behind `after` if it is given. 20 unless told; at most 100."),
]
After: TypeAlias = Annotated[
    str | None, strawberry.argument(description="A cursor to begin behind. It counts only for the list that gave it.")
]
Last: TypeAlias = Annotated[
    int | None,
    strawberry.argument(description="The last so many, in front of `before` if it is given. At most 100."),
]
Before: TypeAlias = Annotated[
    str | None,
    strawberry.argument(description="A cursor to end in front of. It counts only for the list that gave it."),
]


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    access: ClassVar[Access] = WITH_OWNER

    @strawberry.field(description="Whether there are more behind this page.")
    @staticmethod
    def has_next_page(page: strawberry.Parent[Page]) -> bool:
        return page.has_next

    @strawberry.field(description="Whether there are more in front of this page.")
    @staticmethod
    def has_previous_page(page: strawberry.Parent[Page]) -> bool:
        return page.has_previous

    @strawberry.field(description="The first row's cursor: pass it as `before`. Null on an empty page.")
    @staticmethod
    def start_cursor(page: strawberry.Parent[Page]) -> str | None:
        return cursor_of(page, page.rows[0]) if page.rows else None

    @strawberry.field(description="The last row's cursor: pass it as `after`. Null on an empty page.")
    @staticmethod
    def end_cursor(page: strawberry.Parent[Page]) -> str | None:
        return cursor_of(page, page.rows[-1]) if page.rows else None


@strawberry.type(description="A row of a page, with the cursor that points at it.")
class Edge(Generic[T]):
    access: ClassVar[Access] = WITH_OWNER

    @strawberry.field(description="Points at this row, in this list only.")
    @staticmethod
    def cursor(row: strawberry.Parent[Row]) -> str:
        return cursor_of(*row)

    @strawberry.field(description="The row itself; null only where what is stored cannot be read.")
    @staticmethod
    def node(row: strawberry.Parent[Row]) -> T | None:
        return cast(Source, row[1])


@strawberry.type(
    description="A page of a list. Pages are kept apart by what the rows hold, not by how many there are: "
    "rows that arrive meanwhile make no page overlap or skip."
)
class Connection(Generic[T]):
    access: ClassVar[Access] = WITH_OWNER

    @strawberry.field(description="The rows with their cursors, in the list's order.")
    @staticmethod
    def edges(page: strawberry.Parent[Page]) -> list[Edge[T]]:
        return cast(Source, [(page, document) for document in page.rows])

    @strawberry.field(description="The rows alone, in the list's order.")
    @staticmethod
    def nodes(page: strawberry.Parent[Page]) -> list[T | None]:
        return cast(Source, page.rows)

    @strawberry.field(description="Where this page lies in its list.")
    @staticmethod
    def page_info(page: strawberry.Parent[Page]) -> PageInfo:
        return cast(Source, page)

    @strawberry.field(description="How many rows the whole list has, on all pages. Counted only when selected.")
    @staticmethod
    def total_count(page: strawberry.Parent[Page], info: Info) -> int | None:
        return cast(Source, info.context.loaders.counts.wanted((page.parent, page.slice.selection)))


def page_of(
    info: Info,
    owner: Document,
    listing: Listing,
    *,
    first: int | None,
    after: str | None,
    last: int | None = None,
    before: str | None = None,
    where: Where = (),
    order: str | None = None,
    descending: bool = True,
) -> Source:
    """``owner``'s page of ``listing``, in its first order unless told, still to be awaited.

    Of every owner it is the slice alone, which is everybody's, or None where a cursor makes it one owner's.
    Raises BadUserInput, BadCursor.
    """
    if listing.collection == "activities":
        where = both(where, info.context.viewer.activity_rows)
    selection = Selection(listing, where, order or next(iter(listing.orders)), descending)
    if owner is EVERY_OWNER:
        is_anybodys = after is None and before is None
        return slice_of(selection, "", first=first, after=None, last=last, before=None) if is_anybodys else None
    asked = slice_of(selection, owner["_id"], first=first, after=after, last=last, before=before)
    return info.context.loaders.pages.wanted(owner["_id"], asked)


def rows_of(info: Info, owner: Document, listing: Listing, *, first: int | None) -> Source:
    """The first rows of ``listing`` without a page around them, still to be awaited.

    Those of the owner's own customer only: a row that names what is another's is nobody's.
    """
    customer_id = owner.get("customerId")

    def own(page: Page | None) -> Source:
        return [row for row in page.rows if row.get("customerId") == customer_id] if page else None

    deferred = page_of(info, owner, listing, first=first, after=None)
    deferred.then = own
    return deferred
