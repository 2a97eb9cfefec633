"""Executes a plan once: level by level, with one read for all that the fields of a level want.

An object is completed as far as it can be without waiting; what has to wait is noted down with the slot it belongs in.
Then everything that was noted is awaited at once, completed into its slots, and so on until nothing waits.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from graphql import GraphQLError, Undefined
from graphql.execution import ExecutionResult
from strawberry.execution import optimized_is_awaitable

from app.domain.access import Masked, Role
from app.domain.paging import Page, PageRequest
from app.execution.complete import discard_promise
from app.execution.context import ExecutionContext
from app.execution.errors import ends_answer
from app.execution.level import values_of
from app.execution.plan import Plan
from app.execution.resolve import is_constant
from app.execution.slots import Completion, Field, Path, PendingValue, Slot, document_at, graphql_path, keys_of
from app.loaders.loader import Deferred

_PLAIN: Final = frozenset({type(None), bool, int, float, str, dict, list, tuple, Page})
"""Nothing of these kinds has to be awaited."""


class Run:
    """A run executes a plan once."""

    def __init__(self, plan: Plan, execution: ExecutionContext) -> None:
        self.execution = execution
        self.schema, self.context = execution.schema, execution.context_value
        self.pending: list[PendingValue] = []
        self.plan, self._errors = plan, list[GraphQLError]()
        self._data: dict[str, Any] | None = None
        self._nulled, self._ended = dict[int, Path](), False
        self._shared_pages: dict[Field, PageRequest | Exception | None] = {}
        self._arguments: dict[Field, Mapping[str, Any]] = {}

    async def execute(self) -> ExecutionResult:
        try:
            self._data = self.plan.root.execute(self.execution.root_value, self, None)
        except GraphQLError as error:
            self._errors.append(error)
            self.discard(0)
        try:
            while self.pending:
                await self._level()
        finally:
            self.discard(0)
        return ExecutionResult(self._data, self._errors or None)

    # ------------------------------------------------------------ what fields and objects ask for

    def resolve_field(self, field: Field, source: Any, holder: dict[str, Any], above: Path | None) -> None:
        """Puts the field's value in its slot; null there until it has come."""
        try:
            value = field.resolver.call(source, self, (above, field.key, None))
        except Exception as error:
            value = error
        self.complete_or_defer(field, value, holder, above)

    def complete_or_defer(self, field: Field, value: Any, holder: dict[str, Any], above: Path | None) -> None:
        """Completes a value or an exception that was found already; a promise of one is noted."""
        if self.is_deferred(value):
            holder[field.key] = None
            self.defer(field, value, holder, field.key, (above, field.key, None))
        else:
            holder[field.key] = self.complete_value(field, value, (above, field.key, value))

    def is_deferred(self, value: object) -> bool:
        kind = value.__class__
        return kind is Deferred or (kind not in _PLAIN and optimized_is_awaitable(value))

    def defer(self, slot: Slot, value: object, holder: Any, key: str | int, path: Path) -> None:
        self.pending.append(PendingValue(slot, value, holder, key, path))

    def complete_value(self, slot: Slot, value: Any, path: Path) -> Any:
        """Returns the value as the client gets it; else null with an error, or it raises the error."""
        if isinstance(value, Exception):
            return self.handle_field_error(slot, value, path)
        if value is None or value is Undefined:
            if slot.nullable:
                return None
            field = slot.field
            return self.handle_field_error(
                slot, TypeError(f"Cannot return null for non-nullable field {field.parent}.{field.name}."), path
            )
        mark = len(self.pending)
        try:
            return slot.complete(value, self, path)
        except Exception as error:
            self.discard(mark)
            return self.handle_field_error(slot, error, path)

    def handle_field_error(self, slot: Slot, error: Exception, path: Path) -> None:
        """Returns null if the slot may be null. Raises the error with its place otherwise, for the slot above."""
        # GraphQL October 2021, 6.4.4 Handling Field Errors
        if slot.nullable and isinstance(error, Masked):
            self.execution.masked.add(f"{slot.field.parent}.{slot.field.name}")
            return
        if getattr(error, "path", None) is None:
            field = slot.field
            name = f"{field.parent}.{field.key}" if slot is field else str(path[1])
            error = self.execution.locate(error, name, keys_of(path), field.nodes, lambda: document_at(path[0]))
        if not slot.nullable or ends_answer(error):
            raise error
        if not self._is_nulled(path):
            self._errors.append(cast(GraphQLError, error))

    def discard(self, mark: int) -> None:
        """Discards what was deferred since ``mark``: it belongs to what is null now."""
        for each in self.pending[mark:]:
            discard_promise(each.value)
        del self.pending[mark:]

    def arguments_of(self, field: Field, make: Callable[[Completion], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Returns the field's arguments, made when first asked for."""
        if field not in self._arguments:
            self._arguments[field] = make(self)
        return self._arguments[field]

    def shared_page(self, edge: Field) -> PageRequest | Exception | None:
        """Returns what an edge asks of all its parents, or why it may not; None if a cursor makes it one parent's."""
        if edge not in self._shared_pages:
            roles = self.context.viewer.roles
            self._shared_pages[edge] = edge.answers.get(roles) or self._ask(edge, roles)
        return self._shared_pages[edge]

    def _ask(self, edge: Field, roles: frozenset[Role]) -> PageRequest | Exception | None:
        assert edge.resolver.ask
        try:
            page_request: PageRequest | None = edge.resolver.ask(self)
            page_request = page_request and page_request.with_fields(self.plan.row_keys(edge))
        except Exception as error:
            return error
        if page_request and is_constant(edge.nodes[0]):
            edge.answers[roles] = page_request
        return page_request

    def info(self, field: Field, path: Path) -> Any:
        return cast(Any, self.execution.fallback).build_resolve_info(
            field.definition, field.nodes, field.parent, graphql_path(field, path)
        )

    # ------------------------------------------------------------ levels

    async def _level(self) -> None:
        if self._nulled:
            self._discard_nulled()
        level, self.pending = self.pending, []
        values = await values_of(self, level, self.plan.customer_keys)
        for (slot, _, holder, key, path), value in zip(level, values, strict=True):
            if self._is_nulled(path):
                discard_promise(value)
                continue
            try:
                holder[key] = self.complete_value(slot, value, (path[0], key, value))
            except GraphQLError as error:
                self._null_above(slot, path, error)

    def _discard_nulled(self) -> None:
        pending, self.pending = self.pending, []
        for each in pending:
            if self._is_nulled(each.path):
                discard_promise(each.value)
            else:
                self.pending.append(each)

    # ------------------------------------------------------------ nulls that come late

    def _null_above(self, slot: Slot, path: Path, error: GraphQLError) -> None:
        """Puts null in the nearest slot above that may be null."""
        above, at = slot.above, path[0]
        while above and at and (not above.nullable or ends_answer(error)):
            above, at = above.above, at[0]
        self._errors.append(error)
        if not above or not at:
            self._data, self._ended = None, True
            self.discard(0)
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
