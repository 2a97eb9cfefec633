"""One execution of a plan: level by level, with one read for all that the fields of a level want.

An object is completed as far as it can be without waiting; what has to wait is noted down with the slot it belongs in.
Then everything that was noted is awaited at once, completed into its slots, and so on until nothing waits.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

from graphql import GraphQLError, Undefined
from graphql.execution import ExecutionResult
from strawberry.execution import optimized_is_awaitable

from app import faults
from app.domain.access import Role
from app.domain.paging import Slice
from app.execution.complete import unawaited
from app.execution.level import values_of
from app.execution.path import Path, as_resolvers_know_it, document_at, keys_of
from app.execution.plan import Field, Plan, Slot
from app.execution.resolve import is_constant
from app.loaders.loader import Wanted

_PLAIN: Final = frozenset({type(None), bool, int, float, str, dict, list, tuple})


class Waiting(NamedTuple):
    """What ``value`` promises belongs into ``holder[key]``, the slot at ``path``."""

    slot: Slot
    value: Any
    holder: Any
    key: str | int
    path: Path


class Run:
    def __init__(self, plan: Plan, executor: faults.Executor) -> None:
        self.executor: Any = executor
        self.schema, self.context = self.executor.schema, self.executor.context_value
        self.pending: list[Waiting] = []
        self.plan, self._errors = plan, list[GraphQLError]()
        self._data: dict[str, Any] | None = None
        self._nulled, self._ended = dict[int, Path](), False
        self._asked: dict[Field, Slice | Exception | None] = {}
        self._arguments: dict[Field, Mapping[str, Any]] = {}

    async def execute(self) -> ExecutionResult:
        try:
            self._data = self.plan.root.execute(None, self, None)
        except GraphQLError as error:
            self._errors.append(error)
            self.forget(0)
        try:
            while self.pending:
                await self._level()
        finally:
            self.forget(0)
        return ExecutionResult(self._data, self._errors or None)

    # ------------------------------------------------------------ what fields and objects ask for

    def put(self, field: Field, source: Any, holder: dict[str, Any], above: Path | None) -> None:
        """The field's value in its slot; null there until it has come."""
        try:
            value = field.resolver.call(source, self, (above, field.key, None))
        except Exception as error:
            value = error
        self.put_found(field, value, holder, above)

    def put_found(self, field: Field, value: Any, holder: dict[str, Any], above: Path | None) -> None:
        """The same of a value, an exception or a promise that was found already."""
        if self.waits(value):
            holder[field.key] = None
            self.wait(field, value, holder, field.key, (above, field.key, None))
        else:
            holder[field.key] = self.settled(field, value, (above, field.key, value))

    def waits(self, value: object) -> bool:
        kind = value.__class__
        if kind in _PLAIN:
            return False
        return kind is Wanted or optimized_is_awaitable(value)

    def wait(self, slot: Slot, value: object, holder: Any, key: str | int, path: Path) -> None:
        self.pending.append(Waiting(slot, value, holder, key, path))

    def settled(self, slot: Slot, value: Any, path: Path) -> Any:
        """The value as the client gets it. Where that cannot be: null and an error, or the error raised."""
        if isinstance(value, Exception):
            return self.failed(slot, value, path)
        if value is None or value is Undefined:
            if slot.nullable:
                return None
            field = slot.field
            return self.failed(
                slot, TypeError(f"Cannot return null for non-nullable field {field.parent}.{field.name}."), path
            )
        mark = len(self.pending)
        try:
            return slot.complete(value, self, path)
        except Exception as error:
            self.forget(mark)
            return self.failed(slot, error, path)

    def failed(self, slot: Slot, error: Exception, path: Path) -> None:
        """Null, if the slot may be null. Raises the error with its place otherwise, for the slot above."""
        if getattr(error, "path", None) is None:
            field = slot.field
            name = f"{field.parent}.{field.key}" if slot is field else str(path[1])
            error = self.executor.failed(error, name, keys_of(path), field.nodes, lambda: document_at(path[0]))
        if not slot.nullable or faults.is_final(error):
            raise error
        if not self._is_nulled(path):
            self._errors.append(cast(GraphQLError, error))

    def forget(self, mark: int) -> None:
        """What waits since ``mark`` belongs to what is null now."""
        for waiting in self.pending[mark:]:
            unawaited(waiting.value)
        del self.pending[mark:]

    def once(self, field: Field, make: Callable[["Run"], Mapping[str, Any]]) -> Mapping[str, Any]:
        """The field's arguments, made when first asked for."""
        if field not in self._arguments:
            self._arguments[field] = make(self)
        return self._arguments[field]

    def asked(self, edge: Field) -> Slice | Exception | None:
        """What an edge asks of all its parents, or why it may not; None if a cursor makes it one parent's."""
        if edge not in self._asked:
            roles = self.context.viewer.roles
            self._asked[edge] = edge.answers.get(roles) or self._ask(edge, roles)
        return self._asked[edge]

    def _ask(self, edge: Field, roles: frozenset[Role]) -> Slice | Exception | None:
        assert edge.resolver.ask
        try:
            slice_: Slice | None = edge.resolver.ask(self)
            slice_ = slice_ and slice_.reading(edge.row_keys)
        except Exception as error:
            return error
        if slice_ and is_constant(edge.nodes[0]):
            edge.answers[roles] = slice_
        return slice_

    def info(self, field: Field, path: Path | None) -> Any:
        return self.executor.core.build_resolve_info(
            field.definition, field.nodes, field.parent, as_resolvers_know_it(field, path)
        )

    # ------------------------------------------------------------ levels

    async def _level(self) -> None:
        if self._nulled:
            self.pending = [each for each in self.pending if not self._is_nulled(each.path) or unawaited(each.value)]
        level, self.pending = self.pending, []
        values = await values_of(self, level)
        for (slot, _, holder, key, path), value in zip(level, values, strict=True):
            if self._is_nulled(path):
                unawaited(value)
                continue
            try:
                holder[key] = self.settled(slot, value, (path[0], key, value))
            except GraphQLError as error:
                self._null_above(slot, path, error)

    # ------------------------------------------------------------ nulls that come late

    def _null_above(self, slot: Slot, path: Path, error: GraphQLError) -> None:
        """Null for the nearest slot above that may be null."""
        above, at = slot.above, path[0]
        while above and at and (not above.nullable or faults.is_final(error)):
            above, at = above.above, at[0]
        self._errors.append(error)
        if not above or not at:
            self._data, self._ended = None, True
            self.forget(0)
            return
        *way, last = keys_of(at)
        holder: Any = self._data
        for key in way:
            holder = holder[key]
        holder[last] = None
        self._nulled[id(at)] = at

    def _is_nulled(self, path: Path | None) -> bool:
        if self._ended or not self._nulled:
            return self._ended
        while path:
            if id(path) in self._nulled:
                return True
            path = path[0]
        return False
