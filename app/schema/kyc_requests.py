"""Declares requests for proofs of who a customer is, as the systems that ask for them report them."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.access import Role
from app.domain.paging import Sorting, Where
from app.schema.base import Node
from app.schema.enums import OrderDirection
from app.schema.filters import TimeRange, among, during
from app.schema.mirror_enums import KycDocumentType, KycRequestOrderField, KycRequestStatus
from app.schema.mirrors import STATUS, Mirror
from app.schema.rules import KYC, Access


@strawberry.type(description="A proof that a customer is asked for.")
class KycRequirement:
    access: ClassVar[Access] = KYC

    type: KycDocumentType = strawberry.field(description="What is to be proved.")
    subtypes: list[str] | None = strawberry.field(
        description="The kinds of document that are accepted, as the source names them. Null if it names none."
    )
    max_attempts: int | None = strawberry.field(description="How often the customer may try; 0 is without a limit.")


@strawberry.type(description="A request to a customer to prove who they are. It is imported, and never edited here.")
class KycRequest(Mirror, Node):
    access: ClassVar[Access] = KYC

    status: KycRequestStatus = strawberry.field(description=STATUS)
    documents: list[KycRequirement] = strawberry.field(description="The proofs that are asked for.")
    reason: str | None = strawberry.field(description="The reason why they are asked for.")
    created_at: datetime = strawberry.field(description="The time when it was created.")
    expires_at: datetime | None = strawberry.field(description="The time when it expires.")


@strawberry.input(description="A filter on KYC requests. Conditions that are left out do not filter.")
class KycRequestFilter:
    statuses: list[KycRequestStatus] | None = strawberry.field(
        default=None, description="Only those with one of these statuses. An empty list matches no rows."
    )
    created_at: TimeRange | None = strawberry.field(
        default=None, description="Only those that were created in this window."
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *among("status", self.statuses),
            *during("createdAt", self.created_at),
        )


@strawberry.input(description="A sort order for KYC requests.")
class KycRequestOrder:
    default: ClassVar[str] = "Newest first"

    field: KycRequestOrderField = strawberry.field(
        default=KycRequestOrderField.CREATED_AT, description="The field to sort by."
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, _: KycRequestFilter) -> Sorting:
        return Sorting(self.field, self.direction == OrderDirection.DESC)
