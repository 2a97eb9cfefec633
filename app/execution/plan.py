"""What an operation asks for, worked out once: which fields of which objects, in which slots of the answer.

A slot holds one value: a field's, or an item's of its list. Merging, fragments, ``@skip`` and ``@include`` are
graphql-core's own ``collect_fields``; nothing here depends on a variable but those that these directives name.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.executor import invalid_return_type_error
from graphql.execution.values import VariableValues

from app.domain.access import Role
from app.domain.paging import Slice
from app.execution.complete import Complete, abstract_of, leaf_of, list_of
from app.execution.inline import inlined
from app.execution.keys import customer_keys_of, row_keys_of
from app.execution.path import Path
from app.execution.resolve import Resolver, resolver_of
from app.schema.base import Node

if TYPE_CHECKING:
    from app.execution.run import Run

_IS_NODE: Final = Node.is_type_of.__func__
_SEEN_BEFORE_INLINED: Final = 8
"""Objects of a plan that are completed field by field before a function is made of it."""


class Slot:
    """``above`` is the slot that holds the object or the list in which this one is; None for the root's fields."""

    __slots__ = ("above", "complete", "field", "nullable", "objects", "type")

    def __init__(self, field: "Field", above: "Slot | None", type_: Any, plan: "Plan") -> None:
        self.field, self.above = field, above
        self.nullable = type_.__class__ is not GraphQLNonNull
        named: Any = type_ if self.nullable else type_.of_type
        self.type = named
        self.complete: Complete
        self.objects: Callable[[], Iterable[ObjectPlan]] = tuple
        if named.__class__ is GraphQLList:
            item = Slot(field, self, named.of_type, plan)
            self.complete, self.objects = list_of(item), item.objects
        elif is_leaf_type(named):
            self.complete = leaf_of(named)
        elif is_abstract_type(named):
            possible = plan.schema.get_possible_types(named)
            plans = {each.name: ObjectPlan(plan, each, self) for each in possible}
            self.complete, self.objects = abstract_of(named, self, plans), plans.values
        else:
            one = ObjectPlan(plan, named, self)
            self.complete, self.objects = one.complete, lambda: (one,)


class Field(Slot):
    """A field of an object, merged from all its ``nodes``, under its response ``key``."""

    __slots__ = ("__dict__", "answers", "definition", "details", "key", "name", "nodes", "parent", "resolver")

    def __init__(
        self, parent: "ObjectPlan", key: str, details: list[FieldDetails], definition: GraphQLField, plan: "Plan"
    ) -> None:
        self.key, self.details, self.definition = key, details, definition
        self.nodes: list[FieldNode] = [each.node for each in details]
        self.name, self.parent = self.nodes[0].name.value, parent.type
        self.resolver: Resolver = resolver_of(self)
        self.answers: dict[frozenset[Role], Slice] = {}
        """Of an edge whose arguments are the same in each run: what it asks of all parents, by its viewer's roles."""
        super().__init__(self, parent.slot, cast(Any, definition).type, plan)

    @cached_property
    def edges(self) -> "tuple[Field, ...]":
        """The paged edges of what this field finds: they may be asked once for all of it (``schema.connection``)."""
        return tuple(field for each in self.objects() for field in each.fields if field.resolver.ask)

    @cached_property
    def row_keys(self) -> tuple[str, ...] | None:
        return row_keys_of(self)


class ObjectPlan:
    """The fields that are asked of an object of one type in one slot; None is the root's."""

    def __init__(self, plan: "Plan", type_: GraphQLObjectType, slot: Slot | None) -> None:
        self.type, self.slot, self._plan, self._seen = type_, slot, plan, 0
        # What is true of every node is not asked of each.
        self._is_type_of = None if getattr(type_.is_type_of, "__func__", None) is _IS_NODE else type_.is_type_of
        self.execute: Callable[[Any, Run, Path | None], dict[str, Any]] = self._field_by_field

    @cached_property
    def fields(self) -> "list[Field]":
        """Raises GraphQLError for a directive whose variable is null."""
        plan, type_ = self._plan, self.type
        found = plan.collected(type_, self.slot.field.details if self.slot else None)
        return [
            Field(self, key, details, definition, plan)
            for key, details in found.items()
            if (definition := plan.schema.get_field(type_, details[0].node.name.value))
        ]

    def complete(self, source: Any, run: "Run", path: Path) -> dict[str, Any]:
        if self._is_type_of:
            field = self.slot.field if self.slot else self.fields[0]
            if not self._is_type_of(source, run.info(field, path)):
                raise invalid_return_type_error(self.type, source, field.details)
        return self.execute(source, run, path)

    def _field_by_field(self, source: Any, run: "Run", path: Path | None) -> dict[str, Any]:
        if self._seen == _SEEN_BEFORE_INLINED:
            self.execute = inlined(self.fields, self._field_by_field)
        self._seen += 1
        answer: dict[str, Any] = {}
        for field in self.fields:
            run.put(field, source, answer, path)
        return answer


class Plan:
    """One operation with one choice of what its directives include."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDetails],
        variables: VariableValues,
    ) -> None:
        self.schema, self.operation, self.fragments, self._variables = schema, operation, dict(fragments), variables
        query = schema.query_type
        assert query
        self.root = ObjectPlan(self, query, None)

    @cached_property
    def customer_keys(self) -> frozenset[str] | None:
        return customer_keys_of(self)

    def collected(self, type_: GraphQLObjectType, details: list[FieldDetails] | None) -> dict[str, list[FieldDetails]]:
        """The fields of an object that was found for ``details``, or of the operation itself, by response key."""
        how = (self.schema, self.fragments, self._variables)
        if details is None:
            return collect_fields(*how, type_, self.operation).grouped_field_set
        return collect_subfields(*how, self.operation, type_, details).grouped_field_set
