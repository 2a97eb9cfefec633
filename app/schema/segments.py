"""Declares saved segments: a filter on customers with columns and an order, for oneself or for others."""

from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, ClassVar, cast

import strawberry
from strawberry.types.maybe import Some
from strawberry.utils.str_converters import to_camel_case

from app.domain.paging import Exactly, Where
from app.domain.vocabulary import ExportTable
from app.schema.base import Document, Info, Json, Node, reads
from app.schema.changes import KEY, MutationPayload
from app.schema.customer_lists import CustomerFilter, CustomerOrder
from app.schema.enums import CustomerOrderField, OrderDirection, SegmentScope
from app.schema.exports import columns_of
from app.schema.filters import among
from app.schema.inputs import as_json
from app.schema.people import Actor
from app.schema.rules import SEGMENT, WITH_OWNER, Access

_NAME = "The name, at most 100 characters. An owner's segments have different names, whatever their case and accents."
_DESCRIPTION = "What it is for, at most 1,000 characters."
_SHARED_WITH = (
    "The people to share it with, as the subjects of their tokens; at most 100. For the scope SHARED, and for no other."
)
_FILTER = "The customers in it. It is checked with the viewer's rights, as `customers` does."
_ORDER = "The sort order of its customers"
_COLUMNS = (
    f"The columns to show and to export, in this order; 1 to 100 of {columns_of(ExportTable.CUSTOMERS)}, and of the "
    "fields of this gateway's own catalogue, as `fields.loyaltyTier`."
)


@strawberry.type(description="The sort order of a segment's customers.")
class SegmentOrder:
    access: ClassVar[Access] = SEGMENT

    field: CustomerOrderField = strawberry.field(description="The field to sort by.")
    direction: OrderDirection = strawberry.field(description="The direction to sort in.")


@strawberry.type(
    description="A saved segment: a filter on customers, with the columns to show and an order. A viewer who uses it "
    "finds the customers that they may see, and needs every right that the filter needs."
)
class Segment(Node):
    access: ClassVar[Access] = SEGMENT

    name: str = strawberry.field(description="The name, which no other segment of its owner has.")
    description: str | None = strawberry.field(description="What it is for.")
    scope: SegmentScope = strawberry.field(description="For whom it exists.")
    owner: Actor = strawberry.field(description="The person or program that saved it.")
    shared_with: list[str] = strawberry.field(
        description="The people that it is shared with, as the subjects of their tokens; empty for a scope other than "
        "SHARED."
    )
    filter: Json = strawberry.field(description="The customers in it, as a `CustomerFilter`.")
    columns: list[str] | None = strawberry.field(
        description="The columns to show and to export, in this order. Null: all that the viewer may read."
    )
    order_by: SegmentOrder | None = strawberry.field(description="The sort order of its customers. Null: by name.")
    created_at: datetime = strawberry.field(description="The time when it was saved.")
    updated_at: datetime = strawberry.field(description="The time when it was changed last. Stars do not count.")

    @strawberry.field(description="Whether the viewer has starred it.")
    @staticmethod
    @reads("starredBy")
    def starred(segment: strawberry.Parent[Document], info: Info) -> bool:
        return info.context.viewer.subject in segment["starredBy"]


@strawberry.input(
    description="A filter on segments. Conditions that are given must all hold; conditions that are left out do not "
    "filter."
)
class SegmentFilter:
    scopes: list[SegmentScope] | None = strawberry.field(
        default=None, description="Only segments of one of these scopes. An empty list matches no rows."
    )
    own: bool | None = strawberry.field(
        default=None, description="Only the viewer's own segments, if true. False and null do not filter."
    )
    starred: bool | None = strawberry.field(
        default=None, description="Only segments that the viewer has starred, if true. False and null do not filter."
    )

    def where(self, subject: str) -> Where:
        """Returns the conditions of the filter, for a viewer with this subject."""
        return (
            *among("scope", self.scopes),
            *((("subject", Exactly(subject)),) if self.own else ()),
            *((("starredBy", Exactly(subject)),) if self.starred else ()),
        )


SegmentFilterArgument = Annotated[
    SegmentFilter | None,
    strawberry.argument(description="Which segments to return. Default: all that the viewer may see.", name="filter"),
]
SegmentIdArgument = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description="A saved segment. Only its customers, in its order unless `orderBy` says another; `filter` "
        "narrows it."
    ),
]


# ---------------------------------------------------------------- changes


@strawberry.input(description="A segment to save.")
class CreateSegmentInput:
    name: str = strawberry.field(description=_NAME)
    filter: CustomerFilter = strawberry.field(description=_FILTER)
    idempotency_key: str = strawberry.field(description=KEY)
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    scope: SegmentScope | None = strawberry.field(
        default=SegmentScope.PRIVATE, description="For whom it exists. Default: PRIVATE."
    )
    shared_with: list[str] | None = strawberry.field(default=None, description=_SHARED_WITH)
    columns: list[str] | None = strawberry.field(default=None, description=f"{_COLUMNS} Default: all.")
    order_by: CustomerOrder | None = strawberry.field(default=None, description=f"{_ORDER}. Default: by name.")


@strawberry.input(
    description="Values of a segment to change. What is left out stays; null takes a value away. For its owner; for "
    "others it needs MANAGE_SEGMENTS."
)
class UpdateSegmentInput:
    segment_id: strawberry.ID = strawberry.field(description="The id of the segment.")
    idempotency_key: str = strawberry.field(description=KEY)
    name: strawberry.Maybe[str | None] = strawberry.field(description=f"{_NAME} It cannot be cleared.")
    filter: strawberry.Maybe[CustomerFilter | None] = strawberry.field(
        description=f"{_FILTER} It replaces the filter before it. It cannot be cleared."
    )
    description: strawberry.Maybe[str | None] = strawberry.field(description=_DESCRIPTION)
    scope: strawberry.Maybe[SegmentScope | None] = strawberry.field(
        description="For whom it exists. With another one than SHARED, it is shared with nobody any more. It cannot be "
        "cleared."
    )
    shared_with: strawberry.Maybe[list[str] | None] = strawberry.field(description=_SHARED_WITH)
    columns: strawberry.Maybe[list[str] | None] = strawberry.field(description=f"{_COLUMNS} Null: all.")
    order_by: strawberry.Maybe[CustomerOrder | None] = strawberry.field(description=f"{_ORDER}. Null: by name.")


@strawberry.input(description="A segment to delete for good. For its owner; for others it needs MANAGE_SEGMENTS.")
class DeleteSegmentInput:
    segment_id: strawberry.ID = strawberry.field(description="The id of the segment.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.input(description="A segment to star for the viewer, or not to star any more.")
class StarSegmentInput:
    segment_id: strawberry.ID = strawberry.field(description="The id of the segment.")
    starred: bool = strawberry.field(description="Whether the viewer has it starred from now on.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type
class Saved(MutationPayload):
    """Every payload with a segment has these fields; the schema has no type of this name."""

    access: ClassVar[Access] = {WITH_OWNER: "query user_errors", SEGMENT: "segment"}

    segment: Segment | None = strawberry.field(description="The segment after the change.")


@strawberry.type(description="The result of `createSegment`.")
class CreateSegmentPayload(Saved): ...


@strawberry.type(description="The result of `updateSegment`.")
class UpdateSegmentPayload(Saved): ...


@strawberry.type(description="The result of `starSegment`.")
class StarSegmentPayload(Saved): ...


@strawberry.type(description="The result of `deleteSegment`. Exports that were requested with it go on.")
class DeleteSegmentPayload(MutationPayload):
    access: ClassVar[Access] = {WITH_OWNER: "query user_errors", SEGMENT: "deleted_segment_id"}

    deleted_segment_id: strawberry.ID | None = strawberry.field(description="The id of the segment that is gone.")


_OTHERS = ("segment_id", "idempotency_key")


def values_of(input: CreateSegmentInput | UpdateSegmentInput) -> dict[str, Any]:
    """Returns the values that an input gives, by their keys and as they are stored; None takes one away."""
    given = {each.name: getattr(input, each.name) for each in fields(input) if each.name not in _OTHERS}
    return {to_camel_case(name): as_json(plain(value)) for name, value in given.items() if value is not None}


def plain(given: Any) -> Any:
    """Returns the value of an input's field, whether or not null differs there from what is left out."""
    return cast(Some[Any], given).value if isinstance(given, Some) else given
