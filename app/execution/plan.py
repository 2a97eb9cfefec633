"""Works out once what an operation asks for: which fields of which objects, in which slots of the answer.

Merging, fragments, ``@skip`` and ``@include`` are graphql-core's own ``collect_fields``; nothing here depends on a
variable but those that these directives name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from graphql import (
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues

from app.execution.complete import abstract_of, leaf_of, list_of
from app.execution.document import Shape
from app.execution.inline import inlined
from app.execution.keys import customer_keys_of, row_keys_of
from app.execution.looks import CUSTOMER, CustomerPlan
from app.execution.resolve import resolver_of
from app.execution.slots import Execute, Field, ObjectPlan, Slot

Key: TypeAlias = tuple[tuple[str, Any], ...]
"""The values of the variables that decide what is included."""


class Plan:
    """A plan is one operation with one choice of what its directives include."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDetails],
        variables: VariableValues,
    ) -> None:
        self.schema, self.operation, self.fragments, self._variables = schema, operation, dict(fragments), variables
        self._row_keys: dict[Field, tuple[str, ...] | None] = {}
        root = schema.get_root_type(operation.operation)
        assert root
        self.root = ObjectPlan(self, root, None)

    @cached_property
    def customer_keys(self) -> frozenset[str] | None:
        """Returns all keys that may be looked at in customers; None means everything."""
        return customer_keys_of(self.root)

    def row_keys(self, edge: Field) -> tuple[str, ...] | None:
        """Returns all keys that may be looked at in the rows of the edge's page; None means everything."""
        if edge not in self._row_keys:
            self._row_keys[edge] = row_keys_of(edge)
        return self._row_keys[edge]

    def build_fields(self, object_plan: ObjectPlan) -> list[Field]:
        """Returns the fields of an object. Raises GraphQLError for a directive whose variable is null."""
        type_, slot = object_plan.type, object_plan.slot
        found = self._collected(type_, slot.field.details if slot else None)
        fields = [
            Field(object_plan, key, details, definition)
            for key, details in found.items()
            if (definition := self.schema.get_field(type_, details[0].node.name.value))
        ]
        for each in fields:
            each.resolver = resolver_of(each)
            self._build(each)
        return fields

    def build_function(self, fields: list[Field], otherwise: Execute) -> Execute:
        return inlined(fields, otherwise)

    def _build(self, slot: Slot) -> None:
        """Sets how the slot's value is completed, and which objects may be in it."""
        slot.objects = tuple
        if slot.type.__class__ is GraphQLList:
            item = Slot(slot.field, slot, slot.type.of_type)
            self._build(item)
            slot.complete, slot.objects = list_of(item), item.objects
        elif is_leaf_type(slot.type):
            slot.complete = leaf_of(slot.type)
        elif is_abstract_type(slot.type):
            possible = self.schema.get_possible_types(slot.type)
            plans = {each.name: self._object_plan(each, slot) for each in possible}
            slot.complete, slot.objects = abstract_of(slot.type, slot, plans), plans.values
        else:
            one = self._object_plan(slot.type, slot)
            slot.complete, slot.objects = one.complete, lambda: (one,)

    def _object_plan(self, type_: GraphQLObjectType, slot: Slot) -> ObjectPlan:
        return (CustomerPlan if type_.name == CUSTOMER else ObjectPlan)(self, type_, slot)

    def _collected(self, type_: GraphQLObjectType, details: list[FieldDetails] | None) -> dict[str, list[FieldDetails]]:
        """Returns the fields of an object that was found for ``details``, or of the operation, by response key."""
        how = (self.schema, self.fragments, self._variables)
        if details is None:
            return collect_fields(*how, type_, self.operation).grouped_field_set
        return collect_subfields(*how, self.operation, type_, details).grouped_field_set


@dataclass(slots=True)
class Plans:
    """It holds the plans of one operation, as long as the operation itself is kept."""

    shape: Shape | None = None
    by_values: dict[Key, Plan] = field(default_factory=dict[Key, Plan])
    """By the values of the variables that decide what is included."""
