"""Answers with the catalogue."""

from typing import Annotated, cast

import strawberry

from app.catalogue import SOURCES, types_in
from app.domain import customer_fields as fields
from app.domain.refusals import unknown
from app.schema.base import Info, Source
from app.schema.catalogue import ActivityType, CustomerFieldDefinition
from app.schema.enums import ActivityGroup


def activity_types(
    info: Info,
    groups: Annotated[
        list[ActivityGroup] | None, strawberry.argument(description="Only these groups. An empty list matches no rows.")
    ] = None,
    source: Annotated[str | None, strawberry.argument(description="Only activity types of this source system.")] = None,
) -> list[ActivityType]:
    if source is not None and source not in SOURCES:
        raise unknown("source of activity types", source, SOURCES, "source")
    return cast(Source, [row for row in types_in(groups, source) if info.context.viewer.knows(row)])


def customer_fields(info: Info) -> list[CustomerFieldDefinition]:
    return cast(Source, list(fields.known(info.context.viewer.roles)))
