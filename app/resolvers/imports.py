"""Admits readers of imports."""

from app.domain.access import Permission
from app.domain.cursors import DEFAULT_SIZE
from app.domain.listings import IMPORTS
from app.schema.base import Info
from app.schema.connection import After, Before, Connection, First, Last, page_of_all
from app.schema.imports import Import


def imports(
    info: Info, first: First = DEFAULT_SIZE, after: After = None, last: Last = None, before: Before = None
) -> Connection[Import] | None:
    info.context.viewer.require(Permission.READ_AUDIT)
    return page_of_all(info, IMPORTS, (), first=first, after=after, last=last, before=before)
