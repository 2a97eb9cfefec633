"""Admits exports: each is judged like the list or the report that it is an export of."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

import strawberry

from app.domain.access import Forbidden, Permission
from app.domain.changes import NotFound
from app.domain.exports import choose_columns
from app.domain.ids import check_id
from app.domain.refusals import BadUserInput, Refusal
from app.domain.vocabulary import ExportTable
from app.resolvers.payloads import check_texts
from app.resolvers.segments import as_saved, rows_of
from app.schema import exports as schema
from app.schema.base import Info, Source
from app.schema.changes import user_errors_of
from app.schema.inputs import as_json
from app.services import exports

Input = strawberry.argument(description="The change to make.")


async def export_customers(
    info: Info, input: Annotated[schema.ExportCustomersInput, Input]
) -> schema.ExportCustomersPayload | None:
    async def ask() -> str:
        viewer = info.context.viewer
        if viewer.reports_own_actions_only:
            raise Forbidden("Your role may export reports of your own actions only.")
        of, key, said = info.context.changes, input.idempotency_key, None
        if input.segment_id is not None:  # it may have changed, or be gone, when the client asks again
            said = as_json(input)
            if done := await exports.requested(of, key, said):
                return done
        rows = await rows_of(info, input.filter, input.order_by, input.segment_id)
        choose = partial(choose_columns, ExportTable.CUSTOMERS, masks=info.context.loaders.gate.masks)
        chosen = input.columns
        return await exports.request(
            of,
            "exportCustomers",
            ExportTable.CUSTOMERS,
            input.format,
            as_saved(lambda: choose(rows.columns)) if chosen is None else choose(chosen),
            where=rows.where,
            **rows.sorting._asdict(),
            key=key,
            layout=(input.layout or schema.ExportLayout()).read(),
            said=said,
        )

    return await _made(info, "exportCustomers", ask)


async def export_report(
    info: Info, input: Annotated[schema.ExportReportInput, Input]
) -> schema.ExportReportPayload | None:
    async def ask() -> str:
        table = ExportTable(input.table)
        return await exports.request(
            info.context.changes,
            "exportReport",
            table,
            input.format,
            choose_columns(table, input.columns, info.context.loaders.gate.masks),
            where=input.filter.where(info.context.viewer),
            order="OCCURRED_AT",
            descending=True,
            key=input.idempotency_key,
            layout=(input.layout or schema.ExportLayout()).read(),
        )

    return await _made(info, "exportReport", ask)


async def cancel_export(
    info: Info, input: Annotated[schema.CancelExportInput, Input]
) -> schema.CancelExportPayload | None:
    async def cancel() -> str:
        check_id(input.export_id, "exportId", expected="exports")
        export: Source = await info.context.loaders.documents.load(input.export_id)
        if export is None:
            raise NotFound("There is no such export.", "exportId")
        await exports.cancel(info.context.changes, export)
        return export["_id"]

    return await _made(info, "cancelExport", cancel)


async def _made(info: Info, mutation: str, change: Callable[[], Awaitable[str]]) -> Source:
    """Returns the payload. Accepted or refused, the audit log says so. Raises Forbidden, BadUserInput."""
    of = info.context.changes
    try:
        info.context.viewer.require(Permission.EXPORT)
        check_texts(info)
        export_id = await change()
    except Refusal as refusal:
        await of.audit(mutation).refused(of.store, refusal, customer_id=None)
        if isinstance(refusal, Forbidden | BadUserInput):
            raise
        return {"userErrors": user_errors_of(refusal), "export": None}
    info.context.forget()
    return {"userErrors": [], "export": await info.context.loaders.documents.load(export_id)}
