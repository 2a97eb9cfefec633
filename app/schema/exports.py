"""Exports: asking for a file of customers or of the report, how far it is, and where to get it."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.cells import Layout, zone_of
from app.domain.exports import ATTRIBUTE, TABLES, link
from app.schema.base import Document, Info, Node, reads
from app.schema.changes import KEY, UserError
from app.schema.customer_lists import CustomerFilter, CustomerOrder
from app.schema.enums import ExportFormat, ExportStatus, ExportTable, ReportTable, Separator
from app.schema.report import ReportFilter
from app.schema.rules import EXPORT, WITH_OWNER, Access


@strawberry.type(
    description="A file that somebody asked for: for them and for administrators. It holds what they might read when "
    "they asked, with each row as it was when the worker came to it."
)
class Export(Node):
    access: ClassVar[Access] = EXPORT

    table: ExportTable = strawberry.field(description="What it holds.")
    format: ExportFormat = strawberry.field(description="What the file looks like.")
    columns: list[str] = strawberry.field(description="The columns, in their order.")
    rows: int = strawberry.field(description="How many rows are written so far.")
    total: int | None = strawberry.field(
        description="How many there were to write when it began; null as long as nobody knows."
    )
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    started_at: datetime | None = strawberry.field(description="When a worker came to it.")
    finished_at: datetime | None = strawberry.field(description="When it was done, given up or cancelled.")
    expires_at: datetime | None = strawberry.field(description="When the file will be deleted.")
    error: str | None = strawberry.field(description="Why it was given up, in plain words.")

    @strawberry.field(description="How far it is.")
    @staticmethod
    @reads("status expiresAt")
    def status(export: strawberry.Parent[Document], info: Info) -> ExportStatus:
        return _status(export, info.context.now)

    @strawberry.field(
        description="The path of the file below this gateway's address, made anew each time: it opens the file for a "
        "few minutes to whoever has it, without a token. Null unless the status is DONE."
    )
    @staticmethod
    @reads("status expiresAt secret")
    def url(export: strawberry.Parent[Document], info: Info) -> str | None:
        now = info.context.now
        if _status(export, now) != ExportStatus.DONE:
            return None
        return link(export, min(now + info.context.changes.outgoing.link, export["expiresAt"]))


def _status(export: Document, now: datetime) -> ExportStatus:
    """The worker may not have come to delete a file whose time is over."""
    over = export["status"] == ExportStatus.DONE and export["expiresAt"] <= now
    return ExportStatus.EXPIRED if over else export["status"]


def _all(table: ExportTable) -> str:
    return ", ".join(TABLES[table].split())


@strawberry.input(description="How the file is written.")
class ExportLayout:
    separator: Separator | None = strawberry.field(
        default=Separator.COMMA, description="What stands between the cells of a CSV file."
    )
    byte_order_mark: bool | None = strawberry.field(
        default=False, description="Begin a CSV file with the mark by which some spreadsheets know UTF-8."
    )
    time_zone: str | None = strawberry.field(
        default=None,
        description='Write times in this zone, with their offset: "Europe/Berlin". In UTC unless told. What is '
        "filtered does not change.",
    )

    def read(self) -> Layout:
        """Raises BadUserInput."""
        zone = None if self.time_zone is None else zone_of(self.time_zone)
        return Layout(self.separator or Separator.COMMA, bool(self.byte_order_mark), zone)


_LAYOUT = "How the file is written: with commas, without a byte order mark and in UTC unless told."


@strawberry.input(description="Customers to export.")
class ExportCustomersInput:
    format: ExportFormat = strawberry.field(description="What the file shall look like.")
    idempotency_key: str = strawberry.field(description=KEY)
    filter: CustomerFilter | None = strawberry.field(default=None, description="Which ones; all unless told.")
    order_by: CustomerOrder | None = strawberry.field(
        default=None,
        description="By name unless told. Who moves in that order meanwhile may be in the file twice, or not at all.",
    )
    columns: list[str] | None = strawberry.field(
        default=None,
        description=f"Which columns, in which order; 1 to 100. All unless told: {_all(ExportTable.CUSTOMERS)}.",
    )
    layout: ExportLayout | None = strawberry.field(default=None, description=_LAYOUT)


@strawberry.input(description="A table of the customer-service report to export.")
class ExportReportInput:
    table: ReportTable = strawberry.field(description="Which of its tables.")
    filter: ReportFilter = strawberry.field(description="Which actions, and of which time.")
    format: ExportFormat = strawberry.field(description="What the file shall look like.")
    idempotency_key: str = strawberry.field(description=KEY)
    columns: list[str] | None = strawberry.field(
        default=None,
        description=f"Which columns, in which order; 1 to 100. All unless told. ACTIONS: {_all(ExportTable.ACTIONS)}. "
        f"CUSTOM_FIELDS: {_all(ExportTable.CUSTOM_FIELDS)}. DETAILS: {_all(ExportTable.DETAILS)}; and any attribute "
        f"that the catalogue knows, as `{ATTRIBUTE}toAddress`.",
    )
    layout: ExportLayout | None = strawberry.field(default=None, description=_LAYOUT)


@strawberry.input(description="An export to call off.")
class CancelExportInput:
    export_id: strawberry.ID = strawberry.field(description="Which one. Twice is the same as once.")


@strawberry.type
class Exported:
    """What their payloads have; no type of the schema's own."""

    access: ClassVar[Access] = {WITH_OWNER: "user_errors", EXPORT: "export"}

    export: Export | None = strawberry.field(description="The export: ask for it again by its id (`node`).")
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when it was.")


@strawberry.type(description="What became of it.")
class ExportCustomersPayload(Exported): ...


@strawberry.type(description="What became of it.")
class ExportReportPayload(Exported): ...


@strawberry.type(description="What became of it.")
class CancelExportPayload(Exported): ...
