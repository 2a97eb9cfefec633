"""Resolves the customer-service report."""

from typing import Annotated, cast

import strawberry

from app.schema.base import Info, Source
from app.schema.report import CustomerServiceReport, ReportFilter


def customer_service_report(
    info: Info,
    filter: Annotated[ReportFilter, strawberry.argument(description="The actions to include, and the window of time.")],
) -> CustomerServiceReport | None:
    return cast(Source, filter.where(info.context.viewer))
