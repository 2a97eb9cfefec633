"""Prints the access rules as tables for people: `python -m app access`, and docs/access.md."""

from collections.abc import Iterable, Iterator
from typing import Final

from app.domain.access import GRANTS, SCOPE_OF, Grant, Permission, Role, Scope
from app.graph import RULES

_ABBREVIATED: Final = {
    Role.ADMIN: "admin",
    Role.CS_ADMIN: "cs admin",
    Role.CUSTOMER_SERVICE_AGENT: "agent",
    Role.SALES_REP: "sales",
    Role.FINANCE: "finance",
    Role.API_USER: "API",
    Role.AFFILIATE: "affiliate",
    Role.CUSTOMER: "customer",
}
_SCOPES: Final = {Scope.ALL: "all", Scope.OWN: "own", Scope.REFERRED: "referred"}


def rows() -> Iterator[str]:
    """Yields a line per field, then one per permission. Rows are another matter: see ``Viewer.activity_rows``."""
    yield _row("field", _ABBREVIATED.values())
    for (type_, field), rule in sorted(RULES.items()):
        yield _row(f"{type_}.{field}", (rule.verdict(role) for role in _ABBREVIATED))
    yield ""
    for head, *cells in permissions():
        yield _row(head, cells)


def permissions() -> Iterator[list[str]]:
    """Yields the customers that each role sees, and those to whom each permission is granted, with its limit."""
    yield ["permission", *_ABBREVIATED.values()]
    yield ["(read)", *(_SCOPES[SCOPE_OF[role]] for role in _ABBREVIATED)]
    granted = {(grant.permission, grant.role): grant for grant in GRANTS}
    for permission in Permission:
        yield [permission.value, *(_cell(granted.get((permission, role))) for role in _ABBREVIATED)]


def markdown() -> str:
    """Returns ``permissions`` as docs/access.md shows them."""
    head, *lines = permissions()
    table = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in table)


def _cell(grant: Grant | None) -> str:
    if grant is None:
        return "no"
    return _SCOPES[grant.scope] + ("" if grant.limit is None else f", {grant.limit:,} at most")


def _row(head: str, cells: Iterable[str]) -> str:
    return f"{head:36}" + "".join(f"  {cell:10}" for cell in cells).rstrip()
