"""Declares the changes of all customers, for systems that keep a copy in step."""

from datetime import datetime
from typing import ClassVar, cast

import strawberry

from app.domain.cursors import cursor_of
from app.domain.paging import Page
from app.schema.base import Document, Info, Source, reads
from app.schema.enums import CustomerChangeKind
from app.schema.owner import owner
from app.schema.rules import CHANGE, Access


@strawberry.type(
    description="What one transaction changed of one customer. It has ids and no values: read `customer` for what is "
    "so now. Kept for 72 hours."
)
class CustomerChange:
    access: ClassVar[Access] = CHANGE

    kind: CustomerChangeKind = strawberry.field(description="What happened to the customer.")
    customer_id: strawberry.ID = strawberry.field(description="The id of the customer.")
    revision: int = strawberry.field(
        description="The customer's revision after it. Changes of one customer come in the order of their revisions, "
        "which may skip numbers."
    )
    at: datetime = strawberry.field(description="The time of the change. Times of several processes may differ a bit.")

    @strawberry.field(
        description="The kinds of rows that were written, by the names of the fields of `Customer`, such as coupons. "
        "`customers` means details of the customer."
    )
    @staticmethod
    @reads("collections")
    def collections(change: strawberry.Parent[Document]) -> list[str]:
        return change["collections"]

    @strawberry.field(description="The codes of the types of the activities that were added, each once.")
    @staticmethod
    @reads("types")
    def activity_types(change: strawberry.Parent[Document]) -> list[str]:
        return change["types"]

    @strawberry.field(
        description="The ids of the activities that were added. `nodes(ids:)` reads them as they are now."
    )
    @staticmethod
    @reads("addedIds")
    def added_activity_ids(change: strawberry.Parent[Document]) -> list[strawberry.ID]:
        return change["addedIds"]

    @strawberry.field(description="The ids of activities that were there before and were corrected.")
    @staticmethod
    @reads("rewrittenIds")
    def corrected_activity_ids(change: strawberry.Parent[Document]) -> list[strawberry.ID]:
        return change["rewrittenIds"]

    @strawberry.field(
        description="Whether more was changed than the ids say, as by a merge or a large import: read the customer "
        "again as a whole."
    )
    @staticmethod
    @reads("isPartial")
    def partial(change: strawberry.Parent[Document]) -> bool:
        return change.get("isPartial", False)

    customer = owner("The customer as they are now. Of one who was merged, `mergedInto` names the survivor.")


@strawberry.type(
    description="A page of changes, oldest first. Asking again with `endCursor` as `after` goes on, however often."
)
class CustomerChanges:
    access: ClassVar[Access] = CHANGE

    @strawberry.field(description="The changes, in the order in which they are numbered.")
    @staticmethod
    def nodes(page: strawberry.Parent[Page]) -> list[CustomerChange]:
        return cast(Source, page.rows)

    @strawberry.field(
        description="The cursor behind the last change of the page. Null if the page is empty: keep the one you have."
    )
    @staticmethod
    def end_cursor(page: strawberry.Parent[Page]) -> str | None:
        return cursor_of(page, page.rows[-1]) if page.rows else None

    @strawberry.field(description="Whether there are more changes at this moment.")
    @staticmethod
    def has_next_page(page: strawberry.Parent[Page]) -> bool:
        return page.has_next

    @strawberry.field(
        description="The cursor behind the newest change there is, to begin from now. Read all customers after it."
    )
    @staticmethod
    async def head(page: strawberry.Parent[Page], info: Info) -> str:
        return cursor_of(page, {"sequence": await info.context.loaders.feed.last()})
