"""Defines the ground of execution: where a value belongs in the answer, and what completing it needs. It knows no run.

A slot holds one value: a field's, or an item's of its list.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, cast

from graphql import FieldNode, GraphQLField, GraphQLNonNull, GraphQLObjectType
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.executor import invalid_return_type_error
from graphql.pyutils import Path as GraphQLPath

from app.domain.access import Role
from app.domain.paging import PageRequest
from app.schema.base import Node

_IS_NODE: Final = Node.is_type_of.__func__
_SEEN_BEFORE_INLINED: Final = 8
"""Objects of a plan that are completed field by field before a function is made of it."""

# ---------------------------------------------------------------- paths

Path: TypeAlias = tuple[Any, str | int, object]
"""The path of what holds the value (None at the root), its key there, and the value that was found for it."""


def keys_of(path: Path | None) -> list[str | int]:
    """Returns the path's keys from the root down, as errors have them."""
    keys: list[str | int] = []
    while path:
        keys.append(path[1])
        path = path[0]
    return keys[::-1]


def document_at(path: Path | None) -> str | None:
    """Returns the id of the nearest document on the way up."""
    while path:
        source: Any = path[2]
        if isinstance(source, dict) and "_id" in source:
            return str(cast(dict[str, Any], source)["_id"])
        path = path[0]
    return None


def graphql_path(slot: "Slot | None", path: Path) -> GraphQLPath:
    """Returns the path as resolvers know it."""
    above = graphql_path(slot.above if slot else None, path[0]) if path[0] else None
    name = slot.field.parent.name if slot and slot is slot.field else None
    return GraphQLPath(above, path[1], name)


# ---------------------------------------------------------------- what completing needs


class Completion(Protocol):
    """What resolving a field, or completing its value, needs is here, of the run that it is part of."""

    context: Any
    """The context of the request."""
    schema: Any
    execution: Any
    pending: "list[PendingValue]"

    def resolve_field(self, field: "Field", source: Any, holder: dict[str, Any], above: Path | None) -> None:
        """Puts the field's value in its slot; null there until it has come."""
        ...

    def complete_value(self, slot: "Slot", value: Any, path: Path) -> Any:
        """Returns the value as the client gets it; else null with an error, or it raises the error."""
        ...

    def is_deferred(self, value: object) -> bool:
        """Returns whether the value has to be awaited."""
        ...

    def defer(self, slot: "Slot", value: object, holder: Any, key: str | int, path: Path) -> None:
        """Notes that ``value`` is to be awaited, and completed into ``holder[key]``."""
        ...

    def handle_field_error(self, slot: "Slot", error: Exception, path: Path) -> None:
        """Returns null if the slot may be null. Raises the error with its place otherwise, for the slot above."""
        ...

    def discard(self, mark: int) -> None:
        """Discards what was deferred since ``mark``: it belongs to what is null now."""
        ...

    def shared_page(self, edge: "Field") -> PageRequest | Exception | None:
        """Returns what an edge asks of all its parents, or why it may not; None if it is one parent's."""
        ...

    def arguments_of(self, field: "Field", make: "Callable[[Completion], Mapping[str, Any]]") -> Mapping[str, Any]:
        """Returns the field's arguments, made when first asked for."""
        ...

    def info(self, field: "Field", path: Path) -> Any:
        """Returns graphql-core's ``info`` for a resolver."""
        ...


class PendingValue(NamedTuple):
    """A pending value belongs into ``holder[key]``, the slot at ``path``, once ``value`` has brought it."""

    slot: "Slot"
    value: Any
    holder: Any
    key: str | int
    path: Path


class Complete(Protocol):
    """It completes a value that is there by the type of its slot."""

    def __call__(self, value: Any, run: Completion, path: Path, /) -> Any: ...


Call: TypeAlias = Callable[[Any, Completion, Path], Any]
"""Source, run and path to a value, a promise of one, or an exception; or it raises one."""
Execute: TypeAlias = Callable[[Any, Completion, Path | None], dict[str, Any]]
"""Source, run and path to an object's fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """A resolver says how a field finds its value. ``call`` is enough; the others say what more is known.

    ``key`` is the document's key under which the value is, ``simple`` a resolver that takes nothing but its source,
    ``ask`` what an edge asks of all its parents at once, ``reads`` all keys that are looked at in a document;
    ``awaits`` where other documents may be looked at, too.
    """

    call: Call
    key: str | None = None
    simple: Callable[[Any], Any] | None = None
    ask: Callable[[Completion], PageRequest | None] | None = None
    reads: tuple[str, ...] | None = None
    awaits: bool = False


# ---------------------------------------------------------------- slots


class Slot:
    """A slot holds one value. ``above`` is the slot whose object or list it is in; None for the root's fields.

    ``complete`` and ``objects`` are set by the plan that it is part of.
    """

    __slots__ = ("above", "complete", "field", "nullable", "objects", "type")

    complete: Complete
    objects: "Callable[[], Iterable[ObjectPlan]]"

    def __init__(self, field: "Field", above: "Slot | None", type_: Any) -> None:
        self.field, self.above = field, above
        self.nullable = type_.__class__ is not GraphQLNonNull
        self.type: Any = type_ if self.nullable else type_.of_type


class Field(Slot):
    """A field is the slot of an object's field, merged from all its ``nodes``, under its response ``key``."""

    __slots__ = ("__dict__", "answers", "definition", "details", "key", "name", "nodes", "parent", "resolver")

    resolver: Resolver

    def __init__(self, parent: "ObjectPlan", key: str, details: list[FieldDetails], definition: GraphQLField) -> None:
        self.key, self.details, self.definition = key, details, definition
        self.nodes: list[FieldNode] = [each.node for each in details]
        self.name, self.parent = self.nodes[0].name.value, parent.type
        self.answers: dict[frozenset[Role], PageRequest] = {}
        """Of an edge whose arguments are the same in each run: what it asks of all parents, by its viewer's roles."""
        super().__init__(self, parent.slot, cast(Any, definition).type)

    @cached_property
    def edges(self) -> "tuple[Field, ...]":
        """Returns the paged edges of what this field finds: they may be asked once for all of it."""
        return tuple(field for each in self.objects() for field in each.fields if field.resolver.ask)


class Builder(Protocol):
    """A builder makes the parts of a plan when they are first needed."""

    def build_fields(self, object_plan: "ObjectPlan") -> list[Field]:
        """Returns the fields of an object. Raises GraphQLError for a directive whose variable is null."""
        ...

    def build_function(self, fields: list[Field], otherwise: Execute) -> Execute:
        """Returns one function that executes these fields; ``otherwise`` is for sources that are no documents."""
        ...


class ObjectPlan:
    """An object plan has the fields that are asked of an object of one type in one slot; None is the root's."""

    def __init__(self, builder: Builder, type_: GraphQLObjectType, slot: Slot | None) -> None:
        self.type, self.slot, self._builder, self._seen = type_, slot, builder, 0
        # What is true of every node is not asked of each.
        self._is_type_of = None if getattr(type_.is_type_of, "__func__", None) is _IS_NODE else type_.is_type_of
        self.execute: Execute = self._field_by_field

    @cached_property
    def fields(self) -> list[Field]:
        """Returns the fields. Raises GraphQLError for a directive whose variable is null."""
        return self._builder.build_fields(self)

    def complete(self, source: Any, run: Completion, path: Path) -> dict[str, Any]:
        if self._is_type_of:
            field = self.slot.field if self.slot else self.fields[0]
            if not self._is_type_of(source, run.info(field, path)):
                raise invalid_return_type_error(self.type, source, field.details)
        return self.execute(source, run, path)

    def _field_by_field(self, source: Any, run: Completion, path: Path | None) -> dict[str, Any]:
        if self._seen == _SEEN_BEFORE_INLINED:
            self.execute = self._builder.build_function(self.fields, self._field_by_field)
            is_all = self._is_type_of is None and type(self).complete is ObjectPlan.complete
            if is_all and self.slot and self.slot.complete == self.complete:
                self.slot.complete = self.execute
        self._seen += 1
        answer: dict[str, Any] = {}
        for field in self.fields:
            run.resolve_field(field, source, answer, path)
        return answer
