"""Resolves the customer-service report."""

from typing import Annotated, cast

import strawberry

from app.domain.report import MAX_OPTIONS, OPTION_KEYS
from app.schema.base import Info, Source
from app.schema.enums import ReportDimension
from app.schema.filters import TimeRange
from app.schema.report import CustomerServiceReport, ReportFilter, ReportOptions, options_of


def customer_service_report(
    info: Info,
    filter: Annotated[ReportFilter, strawberry.argument(description="The actions to include, and the window of time.")],
) -> CustomerServiceReport | None:
    return cast(Source, filter.where(info.context.viewer))


async def report_options(
    info: Info,
    dimension: Annotated[ReportDimension, strawberry.argument(description="What to choose values of.")],
    occurred_at: Annotated[
        TimeRange | None,
        strawberry.argument(description="Only values of actions in this window. Default: at any time."),
    ] = None,
    starts_with: Annotated[
        str | None,
        strawberry.argument(description="Only values that begin with this text, its capitals and accents included."),
    ] = None,
) -> ReportOptions | None:
    selection = options_of(info.context.viewer, dimension, occurred_at, starts_with)
    values = await info.context.loaders.options.load(("", (selection, (OPTION_KEYS[dimension],)))) or []
    return cast(Source, {"values": values[:MAX_OPTIONS], "hasMore": len(values) > MAX_OPTIONS})
