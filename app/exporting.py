"""Exports at the command line: the same rows and the same bytes as the job's, into a file or to standard output."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from app.domain.access import ADMINISTRATOR
from app.domain.cells import PLAIN, Layout
from app.domain.exports import check_format, choose_columns
from app.domain.vocabulary import ExportFormat, ExportTable, ReportTable
from app.graph import input_of, masks_for
from app.schema.customer_lists import CustomerFilter, CustomerOrder
from app.schema.report import ReportFilter
from app.services.export_rows import ExportPlan, batches, total
from app.store.driver import Store

__all__ = ["Done", "plan", "total", "write"]


@dataclass(slots=True)
class Done:
    rows: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        return f"{self.rows:,} rows, {self.bytes:,} bytes"


def plan(
    table: ReportTable | None,
    format_: ExportFormat,
    columns: Sequence[str] | None,
    filter_: object,
    order_by: object,
    layout: Layout = PLAIN,
) -> ExportPlan:
    """Returns the plan of an export of customers or a report's table; filter, order: JSON. Raises BadUserInput."""
    check_format(format_)
    masks = masks_for(ADMINISTRATOR.roles)
    if table:
        whole = ExportTable(table)
        where = input_of(ReportFilter, filter_).where(ADMINISTRATOR)
        return ExportPlan(
            whole, format_, choose_columns(whole, columns, masks), where, "OCCURRED_AT", True, masks, layout
        )
    whole, order = ExportTable.CUSTOMERS, input_of(CustomerOrder, order_by)
    asked = input_of(CustomerFilter, filter_)
    columns_ = choose_columns(whole, columns, masks)
    return ExportPlan(whole, format_, columns_, asked.where(ADMINISTRATOR), *order.sorting(asked), masks, layout)


async def write(store: Store, plan: ExportPlan, done: Done, file: BinaryIO, advance: Callable[[int], None]) -> None:
    async for batch in batches(store, plan):
        file.write(batch.data)
        done.rows, done.bytes = done.rows + batch.rows, done.bytes + len(batch.data)
        advance(batch.rows)
