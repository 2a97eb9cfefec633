"""Declares looks: who read which customer's record, and what of it."""

from datetime import datetime
from typing import Annotated, ClassVar

import strawberry

from app.domain.paging import Where
from app.schema.base import Document, Node, reads
from app.schema.enums import AccessLevel, ReadGroup
from app.schema.filters import TimeRange, among, during, of_customer, terms
from app.schema.owner import owner
from app.schema.people import Principal
from app.schema.rules import LOOK, Access


@strawberry.type(description="The viewer who read a customer's record, as the token described them at the time.")
class LookViewer:
    access: ClassVar[Access] = LOOK

    user_id: str = strawberry.field(description="The token's subject.")
    name: str = strawberry.field(description="The name that is shown on what they do.")
    roles: list[AccessLevel] = strawberry.field(description="The roles that they had.")
    delegate: Principal | None = strawberry.field(
        description="Who acted in the subject's name, by the token's `act` claim. Null if it was the subject."
    )


@strawberry.type(
    description="A look: that staff or a program of theirs read a customer's record, once for each quarter of an hour. "
    "A record is read where an operation returns a `Customer` with more than the `id`. In a page of rows, fields of "
    "IDENTITY alone do not count. Exports are in the audit log."
)
class Look(Node):
    access: ClassVar[Access] = LOOK

    at: datetime = strawberry.field(description="The time of the first read in that quarter of an hour.")
    viewer: LookViewer = strawberry.field(description="The viewer who read it.")

    @strawberry.field(description="The groups of fields that were read; masked fields do not count.")
    @staticmethod
    @reads("groups")
    def groups(look: strawberry.Parent[Document]) -> list[ReadGroup]:
        return [group for group in ReadGroup if group in look["groups"]]  # they come in the order of reading

    customer = owner("The customer whose record was read.")


@strawberry.input(
    description="A filter on looks. Conditions that are given must all hold; conditions that are left out do not "
    "filter."
)
class LookFilter:
    at: TimeRange | None = strawberry.field(default=None, description="Only looks of this window.")
    customer_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only looks at this customer's record."
    )
    viewer: str | None = strawberry.field(default=None, description="Only looks of the viewer with this token subject.")
    groups: list[ReadGroup] | None = strawberry.field(
        default=None, description="Only looks at fields of one of these groups. An empty list matches no rows."
    )

    def where(self) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *of_customer(self.customer_id),
            *among("viewer.id", terms("viewer", None if self.viewer is None else [self.viewer])),
            *during("at", self.at),
            *among("groups", self.groups),
        )


LookFilterArgument = Annotated[
    LookFilter | None, strawberry.argument(description="Which looks to return. Default: all.", name="filter")
]
