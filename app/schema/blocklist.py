"""Declares the blocklist: values that may not be used, recorded here and enforced by the systems that ask for them."""

from datetime import datetime
from typing import Annotated, ClassVar

import strawberry

from app.domain.paging import Where
from app.schema.base import Node
from app.schema.changes import COMMON, KEY, Changed
from app.schema.enums import BlocklistSource, BlocklistType
from app.schema.filters import TimeRange, among, during, of_customer
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import BLOCKLIST, WITH_OWNER, Access

_VALUE = (
    "The value, at most 255 characters. It is stored in the one form in which values of its type are compared. "
    "A card number is refused, whatever the type."
)


@strawberry.type(
    description="A value that may not be used. It is recorded here and enforced elsewhere, by the systems that ask "
    "`blocked`."
)
class BlocklistEntry(Node):
    access: ClassVar[Access] = BLOCKLIST

    type: BlocklistType = strawberry.field(description="The kind of value.")
    value: str = strawberry.field(description="The value, in the form in which values of its type are compared.")
    expires_at: datetime | None = strawberry.field(
        description="The time from which on the value is not blocked any more. Null: never."
    )
    source: BlocklistSource = strawberry.field(description="What put the value on the blocklist.")
    reason: str = strawberry.field(description="The reason why the value was added.")
    created_at: datetime = strawberry.field(description="The time when the value was added.")
    created_by: Actor = strawberry.field(description="The person or program that added it.")
    removed_at: datetime | None = strawberry.field(
        description="The time when the entry was removed. Null: it is on the list."
    )
    removed_by: Actor | None = strawberry.field(description="The person or program that removed the entry.")
    removal_reason: str | None = strawberry.field(description="The reason why the entry was removed.")

    customer = owner("The customer whose value it is, if that is known.")


@strawberry.type(description="Whether a value is blocked.")
class BlocklistCheck:
    access: ClassVar[Access] = BLOCKLIST

    blocked: bool = strawberry.field(description="Whether the value is on the blocklist, by an entry not expired.")
    entry: BlocklistEntry | None = strawberry.field(description="The entry that blocks the value.")


@strawberry.input(description="A value to ask for.")
class BlocklistValueInput:
    type: BlocklistType = strawberry.field(description="The kind of value.")
    value: str = strawberry.field(description="The value, in any form that `addToBlocklist` takes.")


@strawberry.input(
    description="A filter on blocklist entries. Conditions that are given must all hold; conditions that are "
    "left out do not filter."
)
class BlocklistFilter:
    customer_id: strawberry.ID | None = strawberry.field(default=None, description="Only entries about this customer.")
    types: list[BlocklistType] | None = strawberry.field(
        default=None, description="Only values of one of these kinds. An empty list matches no rows."
    )
    sources: list[BlocklistSource] | None = strawberry.field(
        default=None, description="Only entries of one of these sources. An empty list matches no rows."
    )
    created_at: TimeRange | None = strawberry.field(default=None, description="Only entries added in this window.")

    def where(self) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *of_customer(self.customer_id),
            *among("type", self.types),
            *among("source", self.sources),
            *during("createdAt", self.created_at),
        )


BlocklistFilterArgument = Annotated[
    BlocklistFilter | None, strawberry.argument(description="Which entries to return. Default: all.", name="filter")
]
BlocklistValuesArgument = Annotated[
    list[BlocklistValueInput], strawberry.argument(description="The values to ask for; at most 100.")
]


@strawberry.input(description="A value to block. It is recorded here and enforced by the systems that ask `blocked`.")
class AddToBlocklistInput:
    type: BlocklistType = strawberry.field(description="The kind of value.")
    value: str = strawberry.field(description=_VALUE)
    reason: str = strawberry.field(description="The reason, at most 1,000 characters.")
    idempotency_key: str = strawberry.field(description=KEY)
    customer_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="The customer whose value it is. Their timeline tells of it. Default: nobody; of a CUSTOMER_ID, "
        "that customer.",
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="The time from which on the value is not blocked any more. Default: never."
    )
    source: BlocklistSource | None = strawberry.field(
        default=None,
        description="What found the value. Default: MANUAL_BLOCKLISTS; only API users may give another source.",
    )


@strawberry.type(description="The result of `addToBlocklist`. Without a customer, `activity` is null.")
class AddToBlocklistPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: COMMON, BLOCKLIST: "entry"}

    entry: BlocklistEntry | None = strawberry.field(description="The entry that blocks the value.")


@strawberry.input(description="An entry to remove from the blocklist. It stays readable by its id.")
class RemoveFromBlocklistInput:
    entry_id: strawberry.ID = strawberry.field(description="The id of the entry.")
    reason: str = strawberry.field(description="The reason, at most 1,000 characters.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `removeFromBlocklist`. Without a customer, `activity` is null.")
class RemoveFromBlocklistPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: COMMON, BLOCKLIST: "entry"}

    entry: BlocklistEntry | None = strawberry.field(description="The entry, which is not on the list any more.")
