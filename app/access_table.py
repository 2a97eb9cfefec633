"""The access rules as a table for people."""

from collections.abc import Iterable, Iterator

from app.domain.access import PERMITTED, Role
from app.graph import RULES

_ABBREVIATED = {
    Role.ADMIN: "admin",
    Role.CS_ADMIN: "cs admin",
    Role.CUSTOMER_SERVICE_AGENT: "agent",
    Role.SALES_REP: "sales",
    Role.FINANCE: "finance",
    Role.API_USER: "API",
    Role.AFFILIATE: "affiliate",
    Role.CUSTOMER: "customer",
}


def rows() -> Iterator[str]:
    """A line per field, then one per permission. Rows are another matter: see ``Viewer.activity_rows`` and the gate."""
    yield _row("field", _ABBREVIATED.values())
    for (type_, field), rule in sorted(RULES.items()):
        yield _row(f"{type_}.{field}", (rule.verdict(role) for role in _ABBREVIATED))
    yield ""
    for permission, roles in PERMITTED.items():
        yield _row(permission, ("yes" if role in roles else "no" for role in _ABBREVIATED))


def _row(head: str, cells: Iterable[str]) -> str:
    return f"{head:36}" + "".join(f"  {cell:10}" for cell in cells).rstrip()
