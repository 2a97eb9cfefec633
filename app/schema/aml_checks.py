"""Declares checks against money laundering, as the systems that make them report them."""

from datetime import datetime
from typing import Annotated, ClassVar

import strawberry

from app.domain.access import Role
from app.domain.paging import Sorting, Where
from app.schema.base import Document, Info, Node, follow_own, reads
from app.schema.enums import OrderDirection
from app.schema.filters import TimeRange, among, during
from app.schema.mirror_enums import (
    AmlCheckOrderField,
    AmlCheckStatus,
    AmlConfidence,
    AmlEntityType,
    AmlListType,
    AmlPriority,
    AmlTrigger,
)
from app.schema.mirrors import STATUS, Mirror
from app.schema.people import Actor
from app.schema.rules import AML, Access

_Later = Annotated["AmlCheck", strawberry.lazy("app.schema.aml_checks")]


@strawberry.type(description="An entry of a list that may be about the customer.")
class AmlHit:
    access: ClassVar[Access] = AML

    name: str = strawberry.field(description="The name on the list.")
    list_type: AmlListType = strawberry.field(description="The kind of list.")
    entity_type: AmlEntityType | None = strawberry.field(description="What the entry is about.")
    confidence: AmlConfidence | None = strawberry.field(description="How similar the names are.")


@strawberry.type(
    description="A check against money laundering. It is imported, and never edited here. The customer is not to learn "
    "of it."
)
class AmlCheck(Mirror, Node):
    access: ClassVar[Access] = AML

    status: AmlCheckStatus = strawberry.field(description=STATUS)
    trigger: AmlTrigger | None = strawberry.field(description="The event that caused the check.")
    priority: AmlPriority | None = strawberry.field(description="How urgent its review is.")
    reviewer: Actor | None = strawberry.field(description="The person or program that reviewed it.")
    started_at: datetime = strawberry.field(description="The time when it was started.")
    reviewed_at: datetime | None = strawberry.field(description="The time when it was decided.")
    hits: list[AmlHit] = strawberry.field(description="What was found; at most 100.")
    no_match_reason: str | None = strawberry.field(
        description="The reason why what was found is not about the customer."
    )

    @strawberry.field(description="The earlier check whose decision this one took over.")
    @staticmethod
    @reads("inheritedFromId customerId")
    def inherited_from(check: strawberry.Parent[Document], info: Info) -> _Later | None:
        return follow_own(info, check, "inheritedFromId")


@strawberry.input(description="A filter on AML checks. Conditions that are left out do not filter.")
class AmlCheckFilter:
    statuses: list[AmlCheckStatus] | None = strawberry.field(
        default=None, description="Only those with one of these statuses. An empty list matches no rows."
    )
    priorities: list[AmlPriority] | None = strawberry.field(
        default=None, description="Only these priorities. An empty list matches no rows."
    )
    started_at: TimeRange | None = strawberry.field(
        default=None, description="Only those that were started in this window."
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *among("status", self.statuses),
            *among("priority", self.priorities),
            *during("startedAt", self.started_at),
        )


@strawberry.input(description="A sort order for AML checks.")
class AmlCheckOrder:
    default: ClassVar[str] = "Newest first"

    field: AmlCheckOrderField = strawberry.field(
        default=AmlCheckOrderField.STARTED_AT, description="The field to sort by."
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, _: AmlCheckFilter) -> Sorting:
        return Sorting(self.field, self.direction == OrderDirection.DESC)
