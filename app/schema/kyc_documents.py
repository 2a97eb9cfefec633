"""Declares what is known of proofs of who a customer is. The documents themselves are not stored here."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.access import Role
from app.domain.paging import Sorting, Where
from app.schema.base import Document, Info, Node, follow_own, reads
from app.schema.enums import OrderDirection
from app.schema.filters import TimeRange, among, during
from app.schema.kyc_requests import KycRequest
from app.schema.mirror_enums import KycDocumentOrderField, KycDocumentStatus, KycDocumentType
from app.schema.mirrors import STATUS, Mirror
from app.schema.people import Actor
from app.schema.rules import KYC, Access


@strawberry.type(description="A reason why a document was rejected.")
class KycRejection:
    access: ClassVar[Access] = KYC

    type: str = strawberry.field(description="The kind of reason, as the source names it.")
    message: str | None = strawberry.field(description="What the customer was told.")


@strawberry.type(
    description="What is known of a document that proves who a customer is. The document itself is not stored here. It "
    "is imported, and never edited here."
)
class KycDocument(Mirror, Node):
    access: ClassVar[Access] = KYC

    type: KycDocumentType = strawberry.field(description="What it proves.")
    subtype: str | None = strawberry.field(description="The kind of document in the source, such as passport.")
    status: KycDocumentStatus = strawberry.field(description=STATUS)
    rejection: KycRejection | None = strawberry.field(description="The reason why it was rejected.")
    reviewer: Actor | None = strawberry.field(description="The person or program that reviewed it.")
    created_at: datetime = strawberry.field(description="The time when it was handed in.")
    processed_at: datetime | None = strawberry.field(description="The time when a program had read it.")
    reviewed_at: datetime | None = strawberry.field(description="The time when it was accepted or rejected.")
    tags: list[str] = strawberry.field(description="The labels that it has in the source.")

    @strawberry.field(description="The request that it answers.")
    @staticmethod
    @reads("requestId customerId")
    def request(document: strawberry.Parent[Document], info: Info) -> KycRequest | None:
        return follow_own(info, document, "requestId")


@strawberry.input(description="A filter on KYC documents. Conditions that are left out do not filter.")
class KycDocumentFilter:
    statuses: list[KycDocumentStatus] | None = strawberry.field(
        default=None, description="Only those with one of these statuses. An empty list matches no rows."
    )
    types: list[KycDocumentType] | None = strawberry.field(
        default=None, description="Only documents that prove one of these. An empty list matches no rows."
    )
    created_at: TimeRange | None = strawberry.field(
        default=None, description="Only those that were handed in in this window."
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *among("status", self.statuses),
            *among("type", self.types),
            *during("createdAt", self.created_at),
        )


@strawberry.input(description="A sort order for KYC documents.")
class KycDocumentOrder:
    default: ClassVar[str] = "Newest first"

    field: KycDocumentOrderField = strawberry.field(
        default=KycDocumentOrderField.CREATED_AT, description="The field to sort by."
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, _: KycDocumentFilter) -> Sorting:
        return Sorting(self.field, self.direction == OrderDirection.DESC)
