"""Admits adjustments that take two people."""

from app.domain.access import Forbidden
from app.domain.cursors import DEFAULT_SIZE
from app.domain.listings import ADJUSTMENTS
from app.schema.adjustments import PointsAdjustment, PointsAdjustmentFilter, PointsAdjustmentFilterArgument
from app.schema.base import Info
from app.schema.connection import After, Before, Connection, First, Last, page_of_all


def points_adjustments(
    info: Info,
    first: First = DEFAULT_SIZE,
    after: After = None,
    last: Last = None,
    before: Before = None,
    filter_: PointsAdjustmentFilterArgument = None,
) -> Connection[PointsAdjustment] | None:
    if "adjustments" in info.context.loaders.gate.masks.hidden:
        raise Forbidden("Your role may not read this.")
    where = (filter_ or PointsAdjustmentFilter()).where()
    return page_of_all(info, ADJUSTMENTS, where, first=first, after=after, last=last, before=before)
