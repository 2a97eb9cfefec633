"""Declares exports: asking for a file of customers or of the report, its progress, and where to get it."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.cells import Layout, zone_of
from app.domain.exports import ATTRIBUTE, TABLES, link
from app.schema.base import Document, Info, Node, reads
from app.schema.changes import KEY, MutationPayload
from app.schema.customer_lists import CustomerFilter, CustomerOrder
from app.schema.enums import ExportFormat, ExportStatus, ExportTable, ReportTable, Separator
from app.schema.report import ReportFilter
from app.schema.rules import EXPORT, WITH_OWNER, Access


@strawberry.type(
    description="A file of customers or of a report. It is visible to the requester and to "
    "administrators, and holds what the requester was allowed to read when they asked, with "
    "each row as it was when the worker read it."
)
class Export(Node):
    access: ClassVar[Access] = EXPORT

    table: ExportTable = strawberry.field(description="The table that it holds.")
    format: ExportFormat = strawberry.field(description="The file format.")
    columns: list[str] = strawberry.field(description="The columns, in the order of the file.")
    rows: int = strawberry.field(description="The number of rows written so far.")
    total: int | None = strawberry.field(
        description="The number of rows to write, as counted when the export began. Null as long as it is not known."
    )
    requested_at: datetime = strawberry.field(description="The time when it was requested.")
    started_at: datetime | None = strawberry.field(description="The time when a worker began.")
    finished_at: datetime | None = strawberry.field(description="The time when it was done, failed or was cancelled.")
    expires_at: datetime | None = strawberry.field(description="The time when the file is deleted.")
    error: str | None = strawberry.field(description="The reason why it failed, in plain words.")

    @strawberry.field(description="The state of the export.")
    @staticmethod
    @reads("status expiresAt")
    def status(export: strawberry.Parent[Document], info: Info) -> ExportStatus:
        return _status(export, info.context.now)

    @strawberry.field(
        description="The path of the file at this gateway. Anyone who has it can open the file for a few "
        "minutes, without a token. Null if the status is not DONE."
    )
    @staticmethod
    @reads("status expiresAt secret")
    def url(export: strawberry.Parent[Document], info: Info) -> str | None:
        now = info.context.now
        if _status(export, now) != ExportStatus.DONE:
            return None
        return link(export, min(now + info.context.changes.outgoing.link, export["expiresAt"]))


def _status(export: Document, now: datetime) -> ExportStatus:
    """Returns the status: expired also where the worker has not yet deleted a file whose time is over."""
    over = export["status"] == ExportStatus.DONE and export["expiresAt"] <= now
    return ExportStatus.EXPIRED if over else export["status"]


def columns_of(table: ExportTable) -> str:
    """Returns the names of a table's columns, for a description."""
    return ", ".join(TABLES[table].split())


@strawberry.input(description="How an export file is written.")
class ExportLayout:
    separator: Separator | None = strawberry.field(
        default=Separator.COMMA, description="The separator between the cells of a CSV file."
    )
    byte_order_mark: bool | None = strawberry.field(
        default=False,
        description="Whether a CSV file begins with a byte order mark, by which some spreadsheets recognise UTF-8.",
    )
    time_zone: str | None = strawberry.field(
        default=None,
        description='The time zone in which times are written, with their offset, such as "Europe/Berlin". '
        "Default: UTC. Filters are not affected.",
    )

    def read(self) -> Layout:
        """Returns the layout. Raises BadUserInput."""
        zone = None if self.time_zone is None else zone_of(self.time_zone)
        return Layout(self.separator or Separator.COMMA, bool(self.byte_order_mark), zone)


_LAYOUT = "How the file is written. Default: commas, no byte order mark, times in UTC."


@strawberry.input(description="An export of customers.")
class ExportCustomersInput:
    format: ExportFormat = strawberry.field(description="The file format.")
    idempotency_key: str = strawberry.field(description=KEY)
    filter: CustomerFilter | None = strawberry.field(default=None, description="Which rows to return. Default: all.")
    order_by: CustomerOrder | None = strawberry.field(
        default=None,
        description="The sort order. Default: the segment's, or by name. A customer whose place in the order changes "
        "meanwhile may be in the file twice or not at all.",
    )
    columns: list[str] | None = strawberry.field(
        default=None,
        description="The columns, in the order of the file; 1 to 100. Default: the segment's, or all, which are "
        f"{columns_of(ExportTable.CUSTOMERS)}, and the fields of this gateway's own catalogue, as "
        "`fields.loyaltyTier`.",
    )
    layout: ExportLayout | None = strawberry.field(default=None, description=_LAYOUT)
    segment_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="A saved segment. Only its customers, as it is now; `filter` narrows it. Its columns and its order "
        "are used where `columns` and `orderBy` say no others.",
    )


@strawberry.input(description="An export of one table of the customer-service report.")
class ExportReportInput:
    table: ReportTable = strawberry.field(description="The table to export.")
    filter: ReportFilter = strawberry.field(description="The actions to include, and the window of time.")
    format: ExportFormat = strawberry.field(description="The file format.")
    idempotency_key: str = strawberry.field(description=KEY)
    columns: list[str] | None = strawberry.field(
        default=None,
        description="The columns, in the order of the file; 1 to 100. Default: all. "
        f"ACTIONS: {columns_of(ExportTable.ACTIONS)}. "
        f"CUSTOM_FIELDS: {columns_of(ExportTable.CUSTOM_FIELDS)}. DETAILS: {columns_of(ExportTable.DETAILS)}; "
        f"and any attribute that the catalogue knows, as `{ATTRIBUTE}toAddress`.",
    )
    layout: ExportLayout | None = strawberry.field(default=None, description=_LAYOUT)


@strawberry.input(description="An export to cancel.")
class CancelExportInput:
    export_id: strawberry.ID = strawberry.field(
        description="The id of the export. Cancelling twice has the same result as cancelling once."
    )


@strawberry.type
class Exported(MutationPayload):
    """Every payload of an export has these fields; the schema has no type of this name."""

    access: ClassVar[Access] = {WITH_OWNER: "query user_errors", EXPORT: "export"}

    export: Export | None = strawberry.field(
        description="The export. Query it by its id (`node`) to follow its progress."
    )


@strawberry.type(description="The result of `exportCustomers`.")
class ExportCustomersPayload(Exported): ...


@strawberry.type(description="The result of `exportReport`.")
class ExportReportPayload(Exported): ...


@strawberry.type(description="The result of `cancelExport`.")
class CancelExportPayload(Exported): ...
