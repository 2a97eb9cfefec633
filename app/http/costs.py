"""What an operation may cost, from its text, the schema and the page sizes asked for. Pure; docs/decisions/0012.

One unit is about ten microseconds of a core. Everything is counted as often as it may occur: a page as full, a link as
there, a field as often as it is written. What multiplies is what GraphQL multiplies: rows by the rows above them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Final, NamedTuple, TypeAlias, cast

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_leaf_type,
    visit,
)

from app.domain.cursors import DEFAULT_SIZE, MAXIMUM_SIZE
from app.domain.refusals import Refusal

VALUE: Final = 1
"""A value or an object in the answer."""
ROW: Final = 2
"""A document read, besides its values. A page reads one more than it shows."""
LINK: Final = 12
"""A document that another one names, followed one by one though read together."""
COMMAND: Final = 25
"""A field that asks the database, once for all its parents: reads are batched."""
CHANGE: Final = 500
"""A mutation: a transaction of several commands."""
MOST: Final = 2**31 - 1
"""What is told of a cost beyond all bounds: doublings of fragments come to numbers that no client can hold."""
EMBEDDED: Final = 10
"""Items of a list inside a document, such as its tags; no argument says how many."""


class Price(NamedTuple):
    """``once`` whatever the number of parents, ``each`` for every parent; ``row`` for every row of a page's parent."""

    once: float = 0
    each: float = 0
    row: float = 0


DEARER: Final[Mapping[str, Price]] = {
    "totalCount": Price(COMMAND, 100),  # keys of the whole list are counted
    "Customer.activityFacets": Price(COMMAND, 100),
    "Customer.activityGroups": Price(COMMAND, 100),
    "PointsBalance.audit": Price(COMMAND, 1_000),  # every entry is read
    "Activity.availableActions": Price(COMMAND, 2 * LINK),
    "Activity.message": Price(0, 4),  # long texts: the same again by another alias is sent again
    "Activity.attributes": Price(0, 4),
    "Note.message": Price(0, 4),
    "Email.text": Price(0, 20),
    "Email.html": Price(0, 50),
}
"""On top of what the formula says: by type and field, or by field for every type."""

LISTS: Final[Mapping[str, float]] = {"Query.activityTypes": 160}
"""How long a list is that is neither paged nor embedded."""

_SHORT: Final = ("first", "last")
_DECISIVE: Final = {*_SHORT, "ids", "if"}
"""Arguments of fields and directives whose value decides what is counted how often."""
Variables: TypeAlias = Mapping[str, Any]


class TooExpensive(Refusal):
    """The operation would cost more than one may."""

    code = "COST_LIMIT_EXCEEDED"

    def __init__(self, *, cost: int, limit: int) -> None:
        super().__init__(
            f"The operation may cost {cost}; the limit is {limit}. Ask for smaller pages, or for less in each row."
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The cost of one operation, but for its variables. Holds nothing of any viewer."""

    _steps: "tuple[_Step, ...]"
    _fragments: "Mapping[str, tuple[_Step, ...]]"
    _certain: int | None = None
    """Where no variable has a say."""

    def cost(self, variables: Variables) -> int:
        """With coerced variables. Linear in the document: each fragment is added up once."""
        if self._certain is not None:
            return self._certain
        added = _Addition(self._fragments, variables).total(self._steps)
        return ceil(min(added.once + added.each, MOST))


class Pricer:
    """Makes plans for one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema, self._lengths = schema, {**LISTS, **_means(schema)}

    def plans(self, document: DocumentNode) -> Mapping[str | None, Plan]:
        """By operation's name. The document is valid."""
        operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
        fragments = {
            each.name.value: tuple(self._steps(self._type(each.type_condition.name.value), each.selection_set))
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        plans = {
            each.name.value if each.name else None: Plan(
                tuple(self._steps(self._root(each), each.selection_set)), fragments
            )
            for each in operations
        }
        if _depends_on_variables(document):
            return plans
        return {name: replace(plan, _certain=plan.cost({})) for name, plan in plans.items()}

    def _root(self, operation: OperationDefinitionNode) -> GraphQLCompositeType:
        root = self._schema.get_root_type(operation.operation)
        assert root
        return root

    def _type(self, name: str) -> GraphQLCompositeType:
        named = self._schema.get_type(name)
        assert is_composite_type(named)
        return named

    def _steps(self, parent: GraphQLCompositeType, selections: SelectionSetNode) -> "Iterator[_Step]":
        for selection in selections.selections:
            conditions = tuple(_conditions(selection.directives or ()))
            match selection:
                case FieldNode():
                    yield self._field(parent, selection, conditions)
                case InlineFragmentNode(type_condition=condition, selection_set=inner):
                    on = self._type(condition.name.value) if condition else parent
                    yield _Step(conditions, _adds_nothing, tuple(self._steps(on, inner)))
                case FragmentSpreadNode(name=name):
                    yield _Step(conditions, _adds_nothing, (), name.value)
                case _:
                    pass

    def _field(self, parent: GraphQLCompositeType, node: FieldNode, conditions: "_Conditions") -> "_Step":
        name = node.name.value
        field = self._schema.get_field(parent, name)
        assert field
        named = _named(field)
        extra = _plus(DEARER.get(f"{parent.name}.{name}", Price()), DEARER.get(name, Price()))
        if parent is self._schema.mutation_type:
            extra = _plus(extra, Price(0, CHANGE))
        below = tuple(self._steps(named, node.selection_set)) if node.selection_set and is_composite_type(named) else ()
        size = self._size(parent, field, node)
        return _Step(conditions, _combination(parent, field, named, extra, size), below)

    def _size(self, parent: GraphQLCompositeType, field: GraphQLField, node: FieldNode) -> "_Size":
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        if "ids" in field.args:
            return lambda variables: _length(given.get("ids"), variables)
        if _is_short(field):
            asked = [given[name] for name in _SHORT if name in given]
            return lambda variables: max((_number(value, variables) for value in asked), default=DEFAULT_SIZE)
        assumed = EMBEDDED if _is_list(field) else 1
        fixed = self._lengths.get(f"{parent.name}.{node.name.value}", assumed)
        return lambda _: fixed


# ---------------------------------------------------------------- steps of a plan

_Size: TypeAlias = Callable[[Variables], float]
_Conditions: TypeAlias = tuple[tuple[str, ValueNode], ...]
_Combination: TypeAlias = Callable[[Price, Variables], Price]
"""What a field costs when what is selected below it costs this."""


@dataclass(frozen=True, slots=True)
class _Step:
    conditions: _Conditions
    combined: _Combination
    below: "tuple[_Step, ...]"
    fragment: str | None = None


class _Addition:
    """One evaluation of a plan."""

    def __init__(self, fragments: Mapping[str, tuple[_Step, ...]], variables: Variables) -> None:
        self._fragments, self._variables = fragments, variables
        self._known: dict[str, Price] = {}

    def total(self, steps: tuple[_Step, ...]) -> Price:
        once = each = row = 0.0
        for step in steps:
            if all(_holds(name, value, self._variables) for name, value in step.conditions):
                below = self._fragment(step.fragment) if step.fragment else self.total(step.below)
                price = step.combined(below, self._variables)
                once, each, row = once + price.once, each + price.each, row + price.row
        return Price(once, each, row)

    def _fragment(self, name: str) -> Price:
        if name not in self._known:
            self._known[name] = self.total(self._fragments[name])
        return self._known[name]


def _adds_nothing(below: Price, _: Variables) -> Price:
    return below


def _plus(one: Price, other: Price) -> Price:
    return Price(one.once + other.once, one.each + other.each, one.row + other.row)


def _combination(
    parent: GraphQLNamedType, field: GraphQLField, named: GraphQLNamedType, extra: Price, size: _Size
) -> _Combination:
    each, once = VALUE + extra.each, extra.once
    of_page = _is_page(parent)
    is_list = _is_list(field) and not is_leaf_type(named)
    if _is_page(named):

        def page(below: Price, variables: Variables) -> Price:
            rows = size(variables)
            return Price(once + COMMAND + below.once, each + ROW * (rows + 1) + below.each + rows * below.row)

        return page
    if is_list and of_page:
        return lambda below, _: Price(once + below.once, each, VALUE + below.each)
    reads = _is_document(named) and not of_page and not _is_edge(parent)
    command = COMMAND if reads else 0
    read = (ROW if _is_short(field) else LINK) if reads else 0
    item = read + (VALUE if is_list else 0)
    return lambda below, variables: Price(once + command + below.once, each + size(variables) * (item + below.each))


def _named(field: Any) -> GraphQLNamedType:
    return cast(Any, get_named_type(field.type))


def _is_list(field: Any) -> bool:
    return isinstance(getattr(field.type, "of_type", None), GraphQLList) or isinstance(field.type, GraphQLList)


def _is_short(field: GraphQLField) -> bool:
    return any(name in field.args for name in _SHORT)


def _is_page(type_: GraphQLNamedType) -> bool:
    return isinstance(type_, GraphQLObjectType) and {"pageInfo", "nodes"} <= type_.fields.keys()


def _is_edge(type_: GraphQLNamedType) -> bool:
    return isinstance(type_, GraphQLObjectType) and {"cursor", "node"} <= type_.fields.keys()


def _is_document(type_: GraphQLNamedType) -> bool:
    if isinstance(type_, GraphQLObjectType):
        return any(interface.name == "Node" for interface in type_.interfaces)
    return is_abstract_type(type_)


# ---------------------------------------------------------------- values


def _depends_on_variables(document: DocumentNode) -> bool:
    class Look(Visitor):
        found = False

        def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
            self.found |= node.name.value in _DECISIVE and isinstance(node.value, VariableNode)

    look = Look()
    visit(document, look)
    return look.found


def _conditions(directives: tuple[DirectiveNode, ...]) -> Iterator[tuple[str, ValueNode]]:
    for directive in directives:
        if directive.name.value in ("skip", "include"):
            yield from ((directive.name.value, argument.value) for argument in directive.arguments or ())


def _holds(directive: str, value: ValueNode, variables: Variables) -> bool:
    match value:
        case BooleanValueNode(value=said):
            given = said
        case VariableNode(name=name):
            given = variables.get(name.value)
        case _:
            return True
    return given is not (directive == "skip")


def _number(value: ValueNode, variables: Variables) -> int:
    """What lies outside of a list's limits is refused where it is asked for, and reads nothing."""
    match value:
        case IntValueNode(value=digits):
            asked = int(digits) if len(digits) < 10 else MAXIMUM_SIZE
        case VariableNode(name=name):
            asked = variables.get(name.value)
        case NullValueNode():
            asked = None
        case _:
            asked = MAXIMUM_SIZE
    return DEFAULT_SIZE if asked is None else min(max(asked, 0), MAXIMUM_SIZE)


def _length(value: ValueNode | None, variables: Variables) -> int:
    match value:
        case ListValueNode(values=values):
            return len(values)
        case VariableNode(name=name):
            return len(variables.get(name.value) or ())
        case _:
            return 1


def _means(schema: GraphQLSchema) -> dict[str, float]:
    """How long the lists of introspection are in this schema, on average: there is but one answer to ask for."""
    types = list(schema.type_map.values())
    with_fields = [type_ for type_ in types if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)]
    fields = [field for type_ in with_fields for field in type_.fields.values()]
    inputs = sum(len(type_.fields) for type_ in types if isinstance(type_, GraphQLInputObjectType))
    values = sum(len(type_.values) for type_ in types if isinstance(type_, GraphQLEnumType))
    interfaces = sum(len(type_.interfaces) for type_ in with_fields)
    return {
        "__Schema.types": len(types),
        "__Schema.directives": len(schema.directives),
        "__Directive.args": 2,
        "__Type.fields": len(fields) / len(types),
        "__Field.args": sum(len(field.args) for field in fields) / len(fields),
        "__Type.inputFields": inputs / len(types),
        "__Type.enumValues": values / len(types),
        "__Type.ofType": 0.5,  # rarely more than a list of what is not null
        "__Type.interfaces": interfaces / len(types),
        "__Type.possibleTypes": interfaces / len(types),
    }
