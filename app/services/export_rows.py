"""Reads what an export holds: rows in batches, by keyset, as the asker may see them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.domain.access import Masks
from app.domain.cells import PLAIN, Layout, Separator, head, lines, zone_of
from app.domain.exports import CUSTOMER, Column, column_of, where_of
from app.domain.listings import CUSTOMERS, REPORT
from app.domain.paging import PageRequest, Position, Selection, Where
from app.domain.report import actions
from app.domain.vocabulary import ExportFormat, ExportTable
from app.store import pages, report
from app.store.driver import Document, Store

ROWS: Final = 1_000
"""In one batch: about a quarter of a megabyte."""
FIELDS_AT_MOST: Final = 100_000
_READ_SECONDS: Final = 45


class Unreadable(Exception):
    """Raised if a row cannot be written; the export fails with its message, which is for people."""


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """A plan says what is read, and how it is written. ``masks`` are the asker's."""

    table: ExportTable
    format: ExportFormat
    columns: Sequence[Column]
    where: Where
    order: str
    descending: bool
    masks: Masks
    layout: Layout = PLAIN

    @classmethod
    def of(cls, export: Mapping[str, Any], masks: Masks) -> "ExportPlan":
        table = ExportTable(export["table"])
        columns = tuple(column_of(table, name) for name in export["columns"])
        where = where_of(export["where"])
        format_, layout = ExportFormat(export["format"]), layout_of(export)
        return cls(table, format_, columns, where, export["order"], export["descending"], masks, layout)

    @property
    def selection(self) -> Selection:
        listing = CUSTOMERS if self.table == ExportTable.CUSTOMERS else REPORT
        return Selection(listing, self.where, self.order, self.descending)

    @property
    def order_keys(self) -> Sequence[str]:
        return self.selection.listing.orders[self.order].keys

    def position_of(self, export: Mapping[str, Any]) -> Position | None:
        """Returns where the file ends already; None at its beginning, or if its order is one that we do not have."""
        position: Position = tuple(export.get("position", ()))
        return position if len(position) == len(self.order_keys) else None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch holds rows as bytes, and the position behind them; no position if the batch is all."""

    rows: int
    data: bytes
    position: Position | None
    is_last: bool


def layout_of(export: Mapping[str, Any]) -> Layout:
    zone = export.get("timeZone")
    return Layout(
        Separator(export.get("separator", Separator.COMMA)),
        export.get("byteOrderMark", False),
        zone_of(zone) if zone else None,
    )


async def total(store: Store, plan: ExportPlan) -> int | None:
    """Returns how many rows there will be, if nothing changes; None if it is not known before they are read."""
    match plan.table:
        case ExportTable.CUSTOMERS:
            return sum((await pages.count(store, plan.selection, ["customers"], at_most=None)).values())
        case ExportTable.DETAILS:
            return sum((await report.type_totals(store, [plan.where]))[plan.where].values())
        case _:
            return None


async def batches(store: Store, plan: ExportPlan, position: Position | None = None) -> AsyncGenerator[Batch]:
    """Yields batches from the beginning, head first, or from a position; at least one. Raises Unreadable.

    Memory is constant.
    """
    begin = b"" if position else head(plan.format, [column.title for column in plan.columns], plan.layout)
    async for rows, behind, is_last in _rows(store, plan, position):
        data = await asyncio.to_thread(_written, plan, rows)  # requests beside it need not wait for all of them
        yield Batch(len(rows), begin + data, behind, is_last)
        begin = b""


def _written(plan: ExportPlan, rows: Sequence[Document]) -> bytes:
    names = [column.name for column in plan.columns]
    try:
        values = ([column.read(row) for column in plan.columns] for row in rows)
        return lines(plan.format, names, values, plan.layout)
    except Exception:
        if len(rows) == 1:
            raise Unreadable(f"What is stored under {rows[0].get('_id')} cannot be read.") from None
        for row in rows:
            _written(plan, [row])
        raise


async def _rows(
    store: Store, plan: ExportPlan, position: Position | None
) -> AsyncGenerator[tuple[list[Document], Position | None, bool]]:
    match plan.table:
        case ExportTable.ACTIONS:
            totals = await report.type_totals(store.within(_READ_SECONDS), [plan.where])
            yield actions(totals[plan.where]), None, True
        case ExportTable.CUSTOM_FIELDS:
            fields = await report.fields_set(store.within(_READ_SECONDS), plan.where, FIELDS_AT_MOST)
            yield fields, None, True
        case _:
            async for batch in _pages(store, plan, position):
                yield batch


async def _pages(
    store: Store, plan: ExportPlan, position: Position | None
) -> AsyncGenerator[tuple[list[Document], Position | None, bool]]:
    selection, is_last = plan.selection, False
    keys = tuple(dict.fromkeys(key for column in plan.columns for key in column.keys))
    while not is_last:
        # A page reads one row more than its size, to know whether there are more; here that one is a row, too.
        page_request = PageRequest(selection, ROWS - 1, position, keys=keys)
        hurried = store.within(_READ_SECONDS)
        found = (await pages.read_pages(hurried, page_request, [""]))[""]
        rows = await _seen(hurried, plan, found)
        is_last = len(found) < ROWS
        position = tuple(found[-1].get(key) for key in plan.order_keys) if found else position
        yield rows, position, is_last


async def _seen(store: Store, plan: ExportPlan, found: Sequence[Document]) -> list[Document]:
    """Returns rows as the asker may see them, and with activities the customers of whom a column tells."""
    collection = plan.selection.listing.collection
    rows = [plan.masks.applied(collection, row) for row in found]
    told = {column.field: 1 for column in plan.columns if column.collection != collection}
    if not told:
        return rows
    ids = sorted({row["customerId"] for row in found})
    customers = {
        customer["_id"]: plan.masks.applied("customers", customer)
        for customer in await store.find("customers", {"_id": {"$in": ids}}, fields=told)
    }
    return [{**row, CUSTOMER: customers.get(row["customerId"])} for row in rows]
