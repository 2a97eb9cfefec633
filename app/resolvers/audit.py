"""Admits readers of the audit log."""

from app.domain.access import Permission
from app.domain.cursors import DEFAULT_SIZE
from app.domain.listings import AUDIT
from app.schema.audit import AuditEntry, AuditFilter, AuditFilterArgument
from app.schema.base import Info
from app.schema.connection import After, Before, Connection, First, Last, page_of_all


def audit_log(
    info: Info,
    first: First = DEFAULT_SIZE,
    after: After = None,
    last: Last = None,
    before: Before = None,
    filter_: AuditFilterArgument = None,
) -> Connection[AuditEntry] | None:
    info.context.viewer.require(Permission.READ_AUDIT)
    where = (filter_ or AuditFilter()).where()
    return page_of_all(info, AUDIT, where, first=first, after=after, last=last, before=before)
