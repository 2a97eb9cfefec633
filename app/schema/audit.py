"""The audit log: who asked for which change, and what became of it."""

from datetime import datetime
from typing import Annotated, ClassVar

import strawberry

from app.domain.paging import Where
from app.schema.base import Document, Info, Node, follow, reads
from app.schema.customers import Customer
from app.schema.enums import AccessLevel, Outcome
from app.schema.filters import among, during, terms
from app.schema.rules import AUDIT, Access


@strawberry.type(description="Who asked for a change, as their token said it then.")
class AuditActor:
    access: ClassVar[Access] = AUDIT

    subject: str = strawberry.field(description="The token's subject.")
    name: str = strawberry.field(description="The name that was written on what they did.")
    roles: list[AccessLevel] = strawberry.field(description="The roles they had.")


@strawberry.type(description="One change that was asked for, accepted or refused. Entries are never changed.")
class AuditEntry(Node):
    access: ClassVar[Access] = AUDIT

    at: datetime = strawberry.field(description="When it was decided.")
    actor: AuditActor = strawberry.field(description="Who asked for it.")
    action: str = strawberry.field(
        description="The mutation, such as adjustPoints; or downloadExport and downloadAttachment, each time that the "
        "file of an export or of a mail is fetched. The actor is then who asked for the link: a link does not say who "
        "follows it. Or import, for each file that was imported at the machine itself."
    )
    outcome: Outcome = strawberry.field(description="What became of it.")
    code: str | None = strawberry.field(description="Why it was refused.")
    request_id: str = strawberry.field(description="The request, as its answer's X-Request-ID and the logs name it.")

    @strawberry.field(description="Whose account it was about.")
    @staticmethod
    def customer(entry: strawberry.Parent[Document], info: Info) -> Customer | None:
        return follow(info, entry, "customerId")

    @strawberry.field(description="The columns of an export that was asked for; empty for everything else.")
    @staticmethod
    @reads("columns")
    def columns(entry: strawberry.Parent[Document]) -> list[str] | None:
        return entry.get("columns", [])

    @strawberry.field(
        description="The ids of what it wrote, or of the export or mail whose file was fetched; none where it was "
        "refused."
    )
    @staticmethod
    def wrote(entry: strawberry.Parent[Document]) -> list[strawberry.ID] | None:
        return entry.get("wrote", [])


@strawberry.input(description="Which entries; what is left out does not filter, all that is given must hold.")
class AuditFilter:
    from_: datetime | None = strawberry.field(name="from", default=None, description="Not before this moment.")
    to: datetime | None = strawberry.field(default=None, description="Before this moment.")
    customer_id: strawberry.ID | None = strawberry.field(default=None, description="About this customer.")
    subject: str | None = strawberry.field(default=None, description="Asked for by this subject.")

    def where(self) -> Where:
        """Raises BadUserInput."""
        return (
            *among("customerId", None if self.customer_id is None else [self.customer_id]),
            *among("actor.subject", terms("subject", None if self.subject is None else [self.subject])),
            *during("at", self.from_, self.to),
        )


AuditFilterArgument = Annotated[
    AuditFilter | None, strawberry.argument(description="Which entries; all unless told.", name="filter")
]
