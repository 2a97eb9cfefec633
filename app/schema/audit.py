"""Declares the audit log: who asked for which change, and what became of it."""

from datetime import datetime
from typing import Annotated, ClassVar

import strawberry

from app.domain.paging import Where
from app.schema.base import Document, Node, reads
from app.schema.enums import AccessLevel, Outcome
from app.schema.filters import TimeRange, among, during, of_customer, terms
from app.schema.owner import owner
from app.schema.people import Principal
from app.schema.rules import AUDIT, Access


@strawberry.type(description="The viewer who asked for a change, as the token described them at the time.")
class AuditActor:
    access: ClassVar[Access] = AUDIT

    subject: str = strawberry.field(description="The token's subject.")
    name: str = strawberry.field(description="The name that is shown on what they did.")
    roles: list[AccessLevel] = strawberry.field(description="The roles that they had.")
    delegate: Principal | None = strawberry.field(
        description="Who acted in the subject's name, by the token's `act` claim. Null if it was the subject."
    )


@strawberry.type(
    description="A record of one requested change, accepted or refused. Entries never change, except that an erased "
    "customer loses their name in what they did themselves."
)
class AuditEntry(Node):
    access: ClassVar[Access] = AUDIT

    at: datetime = strawberry.field(description="The time when the change was accepted or refused.")
    actor: AuditActor = strawberry.field(description="The viewer who asked for the change.")
    action: str = strawberry.field(
        description="The mutation, such as adjustPoints. Also downloadExport and downloadAttachment, for each "
        "download of the file of an export, e-mail or note, and sendUpload, for each content of an upload, with the "
        "person who requested the link as its actor; and import, for each file imported at the command line."
    )
    outcome: Outcome = strawberry.field(description="The outcome of the request.")
    code: str | None = strawberry.field(description="The error code, if the change was refused.")
    request_id: str = strawberry.field(
        description="The id of the request, as in its X-Request-ID header and in the logs."
    )

    customer = owner("The customer whose account the change was about.")

    @strawberry.field(description="The columns of a requested export; empty for any other change.")
    @staticmethod
    @reads("columns")
    def columns(entry: strawberry.Parent[Document]) -> list[str] | None:
        return entry.get("columns", [])

    @strawberry.field(
        description="The ids of what the change wrote, of the export or e-mail whose file was downloaded, or of the "
        "import; empty if it was refused."
    )
    @staticmethod
    def wrote(entry: strawberry.Parent[Document]) -> list[strawberry.ID] | None:
        return entry.get("wrote", [])


@strawberry.input(
    description="A filter on audit entries. Conditions that are given must all hold; conditions that are "
    "left out do not filter."
)
class AuditFilter:
    at: TimeRange | None = strawberry.field(default=None, description="Only entries of this window.")
    customer_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only changes of this customer's account."
    )
    subject: str | None = strawberry.field(default=None, description="Only changes that this token subject asked for.")

    def where(self) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *of_customer(self.customer_id),
            *among("actor.subject", terms("subject", None if self.subject is None else [self.subject])),
            *during("at", self.at),
        )


AuditFilterArgument = Annotated[
    AuditFilter | None, strawberry.argument(description="Which entries to return. Default: all.", name="filter")
]
