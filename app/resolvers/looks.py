"""Admits readers of who looked at customers' records."""

from app.domain.access import Permission
from app.domain.cursors import DEFAULT_SIZE
from app.domain.listings import LOOKS
from app.schema.base import Info
from app.schema.connection import After, Before, Connection, First, Last, page_of_all
from app.schema.looks import Look, LookFilter, LookFilterArgument


def looks(
    info: Info,
    first: First = DEFAULT_SIZE,
    after: After = None,
    last: Last = None,
    before: Before = None,
    filter_: LookFilterArgument = None,
) -> Connection[Look] | None:
    info.context.viewer.require(Permission.READ_LOOKS)
    where = (filter_ or LookFilter()).where()
    return page_of_all(info, LOOKS, where, first=first, after=after, last=last, before=before)
