"""Notes whose records an operation reads, and which groups of fields of each, by either executor.

A customer in a page of rows is noted only where more is asked of them than IDENTITY: a name beside a row, or a list of
customers, is not yet a look at anybody's record.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias, cast

from graphql import GraphQLObjectType
from graphql.pyutils import Path as GraphQLPath
from strawberry.utils.str_converters import to_camel_case

from app.domain.access import Role
from app.domain.kinds import BY_COLLECTION
from app.domain.vocabulary import ReadGroup
from app.execution.slots import Builder, Completion, ObjectPlan, Path, Slot
from app.schema.customers import Customer
from app.schema.rules import Rule

Reads: TypeAlias = dict[str, frozenset[ReadGroup]]
"""What was read of customers, by their ids."""

CUSTOMER: Final = BY_COLLECTION["customers"].type
_PAGE: Final = "Connection"
"""The names of the types of pages end with it (schema/connection.py)."""

_RULES: Final = {
    name: rule for rule, names in cast(Mapping[Rule, str], Customer.access).items() for name in names.split()
}
_GROUPS: Final = {
    to_camel_case(name): (group, _RULES[name])
    for group, names in Customer.read_groups.items()
    for name in names.split()
}
"""By the name of a field of ``Customer``: its group, and who may read it."""
_NAMES_ONLY: Final = frozenset({ReadGroup.IDENTITY})


def groups_read(fields: Iterable[str], roles: frozenset[Role], *, is_in_page: bool) -> frozenset[ReadGroup]:
    """Returns the groups of these fields of a customer, without fields that are masked for these roles.

    Empty if there is nothing to note.
    """
    known = [_GROUPS[name] for name in fields if name in _GROUPS]
    groups = frozenset(group for group, rule in known if not rule.hides_from(roles))
    return frozenset[ReadGroup]() if is_in_page and groups == _NAMES_ONLY else groups


class CustomerPlan(ObjectPlan):
    """It notes what is read of the customers in its slot. What that is, is found out once for the viewers of a role."""

    def __init__(self, builder: Builder, type_: GraphQLObjectType, slot: Slot | None) -> None:
        super().__init__(builder, type_, slot)
        self._groups: dict[frozenset[Role], frozenset[ReadGroup]] = {}

    def complete(self, source: Any, run: Completion, path: Path) -> dict[str, Any]:
        reads: Reads | None = run.context.reads
        if reads is not None:
            roles = run.context.viewer.roles_on(source["_id"])
            groups = self._groups.get(roles)
            if groups is None:
                groups = self._groups[roles] = self._groups_for(roles)
            _add(reads, source["_id"], groups)
        return super().complete(source, run, path)

    def _groups_for(self, roles: frozenset[Role]) -> frozenset[ReadGroup]:
        above, is_in_page = self.slot, False
        while above and not is_in_page:
            above, is_in_page = above.above, above.field.parent.name.endswith(_PAGE)
        return groups_read((field.name for field in self.fields), roles, is_in_page=is_in_page)


def note_read(context: Any, customer: Any, fields: Iterable[str], *, is_in_page: bool) -> None:
    """Notes that graphql-core reads these fields of a customer, in the context of its request."""
    reads: Reads | None = context.reads
    if reads is not None:
        roles = context.viewer.roles_on(customer["_id"])
        _add(reads, customer["_id"], groups_read(fields, roles, is_in_page=is_in_page))


def is_in_page(path: GraphQLPath | None) -> bool:
    """Returns whether an object at this path is in a page of rows, or hangs on something in one."""
    while path is not None:
        if (path.typename or "").endswith(_PAGE):
            return True
        path = path.prev
    return False


def _add(reads: Reads, customer_id: str, groups: frozenset[ReadGroup]) -> None:
    if groups:
        known = reads.get(customer_id)
        reads[customer_id] = groups | known if known else groups
