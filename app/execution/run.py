"""One execution of a plan: level by level, with one read for all that the fields of a level want.

An object is completed as far as it can be without waiting; what has to wait is noted down with the slot it belongs in.
Then everything that was noted is awaited at once, completed into its slots, and so on until nothing waits.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple, cast

from graphql import GraphQLError, Undefined
from graphql.execution import ExecutionResult
from graphql.pyutils import Path as GraphQLPath
from strawberry.execution import optimized_is_awaitable

from app import faults
from app.domain.paging import Slice
from app.execution.complete import unawaited
from app.execution.plan import Field, Path, Plan, Slot
from app.execution.resolve import Owned
from app.loaders.loader import Loader, Wanted

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
        self._plan, self._errors = plan, list[GraphQLError]()
        self._data: dict[str, Any] | None = None
        self._nulled, self._ended = dict[int, Path](), False
        self._asked: dict[Field, Slice | Exception | None] = {}
        self._arguments: dict[Field, Mapping[str, Any]] = {}

    async def execute(self) -> ExecutionResult:
        try:
            self._data = self._plan.root.execute(None, self, None)
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
        path = (above, field.key, None)
        try:
            value = field.resolver.call(source, self, path)
        except Exception as error:
            value = error
        if self.waits(value):
            holder[field.key] = None
            self.wait(field, value, holder, field.key, path)
        else:
            holder[field.key] = self.settled(field, value, (above, field.key, value))

    def waits(self, value: object) -> bool:
        kind = value.__class__
        if kind in _PLAIN:
            return False
        return kind is Wanted or kind is Owned or optimized_is_awaitable(value)

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
            error = self.executor.failed(error, name, keys_of(path), field.nodes, lambda: _document_at(path[0]))
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
        """What an edge asks of all its owners, or why it may not; None if that depends on the owner."""
        if edge not in self._asked:
            assert edge.resolver.ask
            try:
                slice_: Slice | None = edge.resolver.ask(self)
                self._asked[edge] = slice_ and replace(slice_, keys=edge.row_keys)
            except Exception as error:
                self._asked[edge] = error
        return self._asked[edge]

    def info(self, field: Field, path: Path | None) -> Any:
        return self.executor.build_resolve_info(field.definition, field.nodes, field.parent, _as_path(field, path))

    # ------------------------------------------------------------ levels

    async def _level(self) -> None:
        if self._nulled:
            self.pending = [each for each in self.pending if not self._is_nulled(each.path) or unawaited(each.value)]
        level, self.pending = self.pending, []
        values = await self._values(level)
        for (slot, _, holder, key, path), value in zip(level, values, strict=True):
            if self._is_nulled(path):
                unawaited(value)
                continue
            try:
                holder[key] = self.settled(slot, value, (path[0], key, value))
            except GraphQLError as error:
                self._null_above(slot, path, error)

    async def _values(self, level: list[Waiting]) -> list[Any]:
        """What each of a level has waited for; an exception is a value here."""
        values: list[Any] = [waiting.value for waiting in level]
        owned: dict[Slot, list[int]] = defaultdict(list)
        wanted: dict[Loader[Any, Any], list[int]] = defaultdict(list)
        others: list[int] = []
        for index, value in enumerate(values):
            if value.__class__ is Owned:
                owned[level[index].slot].append(index)
            elif value.__class__ is Wanted:
                wanted[value.loader].append(index)
            else:
                others.append(index)

        jobs: list[Any] = []
        places: list[list[int]] = []
        for loader, indexes in wanted.items():
            keys = [values[index].key for index in indexes]
            # Beside strangers who may ask for the same, the tick's end is waited for: one command for all of them.
            jobs.append(_gathered([loader.promise(key) for key in keys]) if others else loader.load_all(keys))
            places.append(indexes)
        if others:
            jobs.append(_gathered([values[index] for index in others]))
            places.append(others)
        pages = None
        if owned or wanted:
            pages = self.context.loaders.pages
            if owned:
                asked = [(values[of[0]].slice, [values[index].owner for index in of]) for of in owned.values()]
                jobs.append(pages.of_owners(asked))
            pages.ahead = self._ahead(level)
        try:
            found = [await jobs[0]] if len(jobs) == 1 else await asyncio.gather(*jobs)
        finally:
            if pages:
                pages.ahead = ()
        for indexes, results in zip(places, found, strict=False):
            for index, result in zip(indexes, results, strict=True):
                values[index] = _then(values[index], result)
        if owned:
            for indexes, its_pages in zip(owned.values(), found[-1], strict=True):
                for index in indexes:
                    values[index] = its_pages[values[index].owner]
        return values

    def _ahead(self, level: list[Waiting]) -> list[Slice]:
        """What the edges of the customers to come will ask, if only one field is waiting for any who have edges."""
        try:
            waiting = [field for field in {slot.field for slot, *_ in level} if field.edges]
        except GraphQLError:  # a directive among them cannot be judged: told where it stands
            return []
        asked = [self.asked(edge) for field in waiting for edge in field.edges] if len(waiting) == 1 else []
        return [*dict.fromkeys(slice_ for slice_ in asked if isinstance(slice_, Slice))]

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


def keys_of(path: Path | None) -> list[str | int]:
    keys: list[str | int] = []
    while path:
        keys.append(path[1])
        path = path[0]
    return keys[::-1]


def _as_path(slot: Slot | None, path: Path | None) -> GraphQLPath:
    """The same as resolvers know it."""
    if path is None:  # the field of every owner
        assert slot
        return GraphQLPath(None, slot.field.key, slot.field.parent.name)
    above = _as_path(slot.above if slot else None, path[0]) if path[0] else None
    name = slot.field.parent.name if slot and slot is slot.field else None
    return GraphQLPath(above, path[1], name)


def _document_at(path: Path | None) -> str | None:
    """The id of the nearest document on the way up."""
    while path:
        source: Any = path[2]
        if isinstance(source, dict) and "_id" in source:
            return str(cast(dict[str, Any], source)["_id"])
        path = path[0]
    return None


def _then(wanted: Any, found: Any) -> Any:
    if isinstance(found, Exception) or wanted.__class__ is not Wanted or wanted.then is None:
        return found
    try:
        return wanted.then(found)
    except Exception as error:
        return error


async def _gathered(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    """What becomes of each; an exception is a value here, unless it ends everything."""
    if len(awaitables) == 1:
        try:
            return [await awaitables[0]]
        except Exception as error:
            return [error]
    found = await asyncio.gather(*awaitables, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException) and not isinstance(each, Exception):
            raise each
    return found
