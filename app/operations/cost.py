"""Prices an operation by its text, the schema and the page sizes asked for. Pure; docs/decisions/0025.

One unit is ten microseconds of a core, ours and the database's together: `python -m bench.prices` compares. Everything
is counted as often as it may occur: a page as full, a link as there, a field as often as it is written. What multiplies
is what GraphQL multiplies: rows by the rows above them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from heapq import nlargest
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
    Undefined,
    ValueNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_leaf_type,
    value_from_ast_untyped,
    visit,
)

from app.domain.cursors import DEFAULT_SIZE, MAXIMUM_SIZE
from app.domain.listings import PREVIEWS
from app.domain.times import moment
from app.execution import MAX_PLANS
from app.execution.document import Shape, walked
from app.operations.errors import RequestRefusal

REQUEST: Final = 15
"""Any request, before anything is known of it."""
TEXT: Final = 100
"""A text that is not known yet: it is parsed and validated. Spent from the rate only."""
CHARACTER: Final = 0.5
"""A character of it."""
LOOKUP: Final = 25
"""An id of a document that this process does not remember: it is looked up. Spent from the rate only."""
BODY_BYTES: Final = 2_000
"""So many bytes of a body that came together are a unit; its small beginning is part of the request."""
ERROR: Final = 3
"""A field that failed. Nobody can tell before it does."""
PLAN_FIELD: Final = 3.5
"""A field of an operation that is planned anew. Spent from the rate only."""
DEAREST_FIELD: Final = 1.2
"""A field of an operation that is refused for its cost: its part in the whole is found. Spent from the rate only."""
VALUE: Final = 0.06
"""A value or an object in the answer."""
CORE_VALUE: Final = 1.0
"""The same where graphql-core executes, as it does changes."""
SCHEMA_VALUE: Final = 0.25
"""The same of the schema itself, which graphql-core answers."""
COMMAND: Final = 25.0
"""A field that asks the database, once for all its parents: reads are batched."""
LINK: Final = 1.0
"""A document that another one names."""
PAGE: Final = 5.0
"""A page of a list of one parent, whatever is on it; and once for all parents."""
ROW: Final = 0.15
"""A row of such a page. A page reads one more than it shows."""
SEEK: Final = 6.0
"""A page that is not the newest rows, kept with their customer: it is looked up in the list."""
SEEK_ROW: Final = 0.3
"""A row of it."""
SCAN: Final = 60.0
"""A page of one customer's rows of which some condition has no index: rows are read until it is full."""
CHANGE: Final = 1_000.0
"""A mutation: a transaction of several commands."""
MAX_REPORTED_COST: Final = 2**31 - 1
"""What is told of a cost, or of fields, beyond all bounds: doublings of fragments come to numbers that no client can
hold."""
EMBEDDED: Final = 4
"""Items of a list inside a document, such as its tags; no argument says how many."""


class Price(NamedTuple):
    """A price counts ``once`` for all parents, ``each`` for every parent, and ``row`` for every row of a page's parent.

    ``counts``: what is counted of the page or report that the field is of, once however often it is asked for.
    """

    once: float = 0
    each: float = 0
    row: float = 0
    counts: frozenset[str] = frozenset()


COUNTS: Final[Mapping[str, frozenset[str]]] = {
    "totalCount": frozenset({"rows"}),
    "CustomerServiceReport.total": frozenset({"types"}),
    "CustomerServiceReport.actions": frozenset({"types"}),
    "CustomerServiceReport.days": frozenset({"days"}),
    "CustomerServiceReport.customFields": frozenset({"fields"}),
}
"""Which fields count, by type and field, or by field for every type; what that costs, the page or report knows."""

EXTRA_COSTS: Final[Mapping[str, Price]] = {
    "cursor": Price(0, 0.6),
    "startCursor": Price(0, 0.6),
    "endCursor": Price(0, 0.6),
    # Links to files, which are sealed as cursors are.
    **dict.fromkeys(("EmailAttachment.url", "Export.url", "NoteAttachment.url", "Upload.url"), Price(0, 0.6)),
    "Customer.activityFacets": Price(100, 22),
    "Customer.activityGroups": Price(100, 22),
    "Customer.activityActors": Price(100, 40),
    "Customer.activitySources": Price(100, 22),
    "Customer.pinnedNotes": Price(COMMAND, 6),  # whole, with their versions and attachments
    "Customer.possibleDuplicates": Price(2 * COMMAND, 10),
    "Customer.creditBalances": Price(COMMAND, 8),  # every credit memo is read
    "Customer.amountDue": Price(COMMAND, 8),  # every invoice
    "Customer.nextRenewalAt": Price(COMMAND, 8),  # every order
    "PointsBalance.audit": Price(150, 180),  # every entry is read
    "CustomerServiceReport.details": Price(15),
    "Query.search": Price(1_500),
    "Query.blocked": Price(COMMAND),
    "BlocklistCheck.blocked": Price(0, LINK),  # each value is read and looked up, whatever is asked of its entry
    "Query.previewAnonymise": Price(1_000),
    "Query.previewMerge": Price(1_000),  # rows are counted, whatever is asked of it
    "Query.customerTags": Price(200),  # of some hundred labels
    "Query.reportOptions": Price(400),  # of some hundred values
    "Query._service": Price(50),  # a long text
    "Activity.availableActions": Price(2 * COMMAND, 7),  # of a sale it reads what `refundable` does
    "Transaction.refundable": Price(COMMAND, 3),
    "Request.link": Price(COMMAND, 1),
    **dict.fromkeys(
        ("Activity.attributes", "Customer.fields", "Request.attributes", "RequestOutcome.attributes"), Price(0, 0.3)
    ),
    "Activity.attribute": Price(0, 0.3),
    "Activity.message": Price(0, 0.2),  # long texts: the same again by another alias is sent again
    "Note.message": Price(0, 0.2),
    "Note.pinnedFor": Price(0, 0.2),
    "Segment.filter": Price(0, 0.3),
    "Segment.starred": Price(0, 0.2),
    "Email.text": Price(0, 0.2),
    "Email.html": Price(0, 12),  # made harmless
}
"""On top of what the formula says: by type and field, or by field for every type."""

LISTS: Final[Mapping[str, float]] = {
    "Query.activityTypes": 160,
    "Query.customerFields": 20,
    "Note.links": 2,
    "Email.deliveries": 2,
    "Pass.pushes": 2,
    "Transaction.pointsEntries": 2,
}
"""How long a list is that is neither paged nor embedded."""

_SHORT: Final = ("first", "last")
_KEYS: Final = ("ids", "representations", "values")
"""Arguments that say which documents are asked for, one by one."""
_DECISIVE: Final = frozenset({*_SHORT, "after", "at", "before", "filter", "orderBy", "segmentId", *_KEYS, "if"})
"""Arguments of fields and directives whose value decides what is counted how often."""
Variables: TypeAlias = Mapping[str, Any]


class TooExpensive(RequestRefusal):
    """Raised if the operation would cost more than one may; the client sees a 400 with its cost and dearest fields."""

    code = "COST_LIMIT_EXCEEDED"

    def __init__(self, *, cost: int, limit: int, dearest: Sequence["FieldCost"]) -> None:
        fields = ", ".join(f"{_short('.'.join(each.path))} ({each.cost})" for each in dearest)
        super().__init__(
            f"The operation may cost {cost}; the limit is {limit}. Ask for smaller pages, or for less in each row. "
            f"Its dearest fields: {fields}."
        )
        self.extensions = {"dearest": [{"path": [*each.path], "cost": each.cost} for each in dearest]}
        self.response_extensions = {"cost": cost_extension(cost, limit)}


class FieldCost(NamedTuple):
    """It tells what a field costs by itself, at all places of its path: without what is selected in it."""

    path: tuple[str, ...]
    cost: int


def _short(path: str) -> str:
    """Returns the path, or its end: a sentence has room for three of them."""
    return path if len(path) <= _PATH_CHARACTERS else f"…{path[-_PATH_CHARACTERS:]}"


_PATH_CHARACTERS: Final = 80


def cost_extension(cost: int, limit: int) -> dict[str, int]:
    """Returns what a response says of the cost of its operation."""
    return {"requested": cost, "limit": limit, "remaining": max(limit - cost, 0)}


def price_of_text(text: str) -> int:
    """Returns the price of parsing and validating a text."""
    return ceil(TEXT + len(text) * CHARACTER)


def price_of_body(size: int) -> int:
    """Returns the price of reading ``size`` bytes, before it is known what they say."""
    return size // BODY_BYTES


def price_of_plan(fields: int) -> int:
    return ceil(fields * PLAN_FIELD)


def price_of_dearest(fields: int) -> int:
    """Returns the price of finding an operation's dearest fields."""
    return ceil(fields * DEAREST_FIELD)


@dataclass(frozen=True, slots=True)
class CostPlan:
    """A cost plan knows the cost of one operation, but for its variables. Holds nothing of any viewer.

    ``fields``: how many there are in its plan at most, one for each type where an object may be of several.
    ``variants``: how many plans may be kept, one for each choice of what its directives include.
    """

    fields: int
    variants: int
    _steps: "tuple[_Step, ...]"
    _fragments: "Mapping[str, tuple[_Step, ...]]"
    _certain: int | None = None
    """Where no variable has a say."""

    def cost(self, variables: Variables) -> int:
        """Returns the cost with coerced variables. Linear in the document: each fragment is added up once."""
        if self._certain is not None:
            return self._certain
        added = _Addition(self._fragments, variables).total(self._steps)
        return ceil(round(min(REQUEST + added.once + added.each, MAX_REPORTED_COST), 6))

    def dearest(self, variables: Variables, *, most: int = 3) -> Sequence[FieldCost]:
        """Returns the fields that cost most, the dearest first. It takes longer than ``cost``: for who is refused."""
        costs = _FieldCosts(self._fragments, variables).all(self._steps)
        return [FieldCost(path, round(costs[path])) for path in nlargest(most, costs, key=costs.__getitem__)]


class Pricer:
    """A pricer makes cost plans for one schema. ``compiled``: queries are executed by plans, where they can be."""

    def __init__(self, schema: GraphQLSchema, *, compiled: bool = True) -> None:
        self._schema, self._compiled = schema, compiled
        self._lengths = {**LISTS, **_means(schema)}

    def plans(self, document: DocumentNode, shapes: Mapping[str | None, Shape]) -> Mapping[str | None, CostPlan]:
        """Returns cost plans by operation's name, as ``shapes`` are. The document is valid."""
        depends, by_value = _depends_on_variables(document), dict[float, Mapping[str, tuple[_Step, ...]]]()
        plans: dict[str | None, CostPlan] = {}
        for each in document.definitions:
            if isinstance(each, OperationDefinitionNode):
                name = each.name.value if each.name else None
                shape = shapes[name]
                value = VALUE if self._compiled and not shape.uncovered else CORE_VALUE
                if value not in by_value:
                    by_value[value] = self._fragments(document, value)
                steps = tuple(self._steps(self._root(each), each.selection_set, value))
                fields = min(_Width(by_value[value]).total(steps), MAX_REPORTED_COST)
                variants = min(2 ** len(shape.directive_variables), MAX_PLANS)
                plan = CostPlan(fields, variants, steps, by_value[value])
                plans[name] = plan if depends else replace(plan, _certain=plan.cost({}))
        return plans

    def _fragments(self, document: DocumentNode, value: float) -> "Mapping[str, tuple[_Step, ...]]":
        return {
            each.name.value: tuple(self._steps(self._type(each.type_condition.name.value), each.selection_set, value))
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }

    def _root(self, operation: OperationDefinitionNode) -> GraphQLCompositeType:
        root = self._schema.get_root_type(operation.operation)
        assert root
        return root

    def _type(self, name: str) -> GraphQLCompositeType:
        named = self._schema.get_type(name)
        assert is_composite_type(named)
        return named

    def _steps(self, parent: GraphQLCompositeType, selections: SelectionSetNode, value: float) -> "Iterator[_Step]":
        for selection in selections.selections:
            conditions = tuple(_conditions(selection.directives or ()))
            match selection:
                case FieldNode():
                    yield self._field(parent, selection, conditions, value)
                case InlineFragmentNode(type_condition=condition, selection_set=inner):
                    on = self._type(condition.name.value) if condition else parent
                    yield _Step(conditions, _adds_nothing, tuple(self._steps(on, inner, value)))
                case FragmentSpreadNode(name=name):
                    yield _Step(conditions, _adds_nothing, (), fragment=name.value)
                case _:
                    pass

    def _field(self, parent: GraphQLCompositeType, node: FieldNode, conditions: "_Conditions", value: float) -> "_Step":
        name = node.name.value
        field = self._schema.get_field(parent, name)
        assert field
        named, coordinate = _named(field), f"{parent.name}.{name}"
        if parent.name.startswith("__"):
            value = SCHEMA_VALUE
        extra = _plus(EXTRA_COSTS.get(coordinate, Price()), EXTRA_COSTS.get(name, Price()))
        extra = extra._replace(counts=COUNTS.get(coordinate, COUNTS.get(name, frozenset())))
        if parent is self._schema.mutation_type:
            extra = _plus(extra, Price(0, CHANGE))
        inner = node.selection_set
        below = tuple(self._steps(named, inner, value)) if inner and is_composite_type(named) else ()
        types = len(self._schema.get_possible_types(parent)) if is_abstract_type(parent) else 1
        arguments = {each.name.value: each.value for each in node.arguments or ()}
        if _is_page(named):
            combined = _page(coordinate, arguments, extra.once, value + extra.each)
        elif coordinate == REPORT:
            combined = _report(arguments, value)
        else:
            combined = _combination(parent, field, named, extra, self._size(coordinate, field, arguments), value)
        return _Step(conditions, combined, below, types, key=(node.alias or node.name).value)

    def _size(self, coordinate: str, field: GraphQLField, arguments: Mapping[str, ValueNode]) -> "_Size":
        for name in _KEYS:
            if name in field.args:
                return lambda variables: _length(arguments.get(name), variables)
        if _is_short(field):
            return partial(_page_size, arguments)
        fixed = self._lengths.get(coordinate, EMBEDDED if _is_list(field) else 1)
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
    fields: int = 0
    """How many fields of a plan it is itself."""
    fragment: str | None = None
    key: str | None = None
    """A field's name in the answer."""


class _Addition:
    """An addition is one evaluation of a plan."""

    def __init__(self, fragments: Mapping[str, tuple[_Step, ...]], variables: Variables) -> None:
        self._fragments, self._variables = fragments, variables
        self._known: dict[str, Price] = {}

    def total(self, steps: tuple[_Step, ...]) -> Price:
        once = each = row = 0.0
        counts = frozenset[str]()
        for step in steps:
            if all(_holds(name, value, self._variables) for name, value in step.conditions):
                below = self._fragment(step.fragment) if step.fragment else self.total(step.below)
                price = step.combined(below, self._variables)
                once, each, row = once + price.once, each + price.each, row + price.row
                counts |= price.counts
        return Price(once, each, row, counts)

    def _fragment(self, name: str) -> Price:
        if name not in self._known:
            self._known[name] = self.total(self._fragments[name])
        return self._known[name]


class _FieldCosts:
    """It tells the fields of one evaluation what each of them costs by itself.

    Each step's price is linear in the prices below it, but for what is counted, so that a field's part in the whole is
    known from the parts of the fields above it: those of a price's ``once``, ``each`` and ``row``.
    """

    def __init__(self, fragments: Mapping[str, tuple[_Step, ...]], variables: Variables) -> None:
        self._fragments, self._variables = fragments, variables
        self._costs = dict[tuple[str, ...], float]()

    def all(self, steps: tuple[_Step, ...]) -> Mapping[tuple[str, ...], float]:
        """Returns costs by path; fields that are selected at one path several times are one. Their sum is the price."""
        self._walk(steps, Price(1, 1, 0), ())
        return self._costs

    def _walk(self, steps: tuple[_Step, ...], part: Price, path: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Adds up; returns what is counted for the field above, with the path of the first field that counts it."""
        counted = dict[str, tuple[str, ...]]()
        for step in steps:
            for count, where in self._step(self._with_content(step), part, path).items():
                counted.setdefault(count, where)
        return counted

    def _with_content(self, step: _Step) -> _Step:
        """Returns the step, or the only one that a fragment holds, however deep: chains of them take no time."""
        while step.key is None and not step.conditions and len(self._below(step)) == 1:
            (step,) = self._below(step)
        return step

    def _below(self, step: _Step) -> tuple[_Step, ...]:
        return self._fragments[step.fragment] if step.fragment else step.below

    def _step(self, step: _Step, part: Price, path: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        if not all(_holds(name, value, self._variables) for name, value in step.conditions):
            return {}
        if step.key is None:
            return self._walk(self._below(step), part, path)
        path = (*path, step.key)
        own = step.combined(Price(), self._variables)
        self._add(path, own, part)
        if not step.below:
            return dict.fromkeys(own.counts, path)
        units = (Price(once=1), Price(each=1), Price(row=1))
        once, each, row = (_of(part, _minus(step.combined(unit, self._variables), own)) for unit in units)
        counted = self._walk(step.below, Price(once, each, row), path)
        for count, where in counted.items():
            self._add(where, _minus(step.combined(Price(counts=frozenset({count})), self._variables), own), part)
        left = step.combined(Price(counts=frozenset(counted)), self._variables).counts
        return {count: counted.get(count, path) for count in left}

    def _add(self, path: tuple[str, ...], price: Price, part: Price) -> None:
        self._costs[path] = self._costs.get(path, 0) + _of(part, price)


def _of(part: Price, price: Price) -> float:
    return part.once * price.once + part.each * price.each + part.row * price.row


class _Width:
    """It counts how many fields a plan of these steps has at most, whatever its variables."""

    def __init__(self, fragments: Mapping[str, tuple[_Step, ...]]) -> None:
        self._fragments = fragments
        self._known: dict[str, int] = {}

    def total(self, steps: tuple[_Step, ...]) -> int:
        return sum(
            self._fragment(step.fragment)
            if step.fragment
            else step.fields + max(step.fields, 1) * self.total(step.below)
            for step in steps
        )

    def _fragment(self, name: str) -> int:
        if name not in self._known:
            self._known[name] = self.total(self._fragments[name])
        return self._known[name]


def _adds_nothing(below: Price, _: Variables) -> Price:
    return below


def _plus(one: Price, other: Price) -> Price:
    return Price(one.once + other.once, one.each + other.each, one.row + other.row, one.counts | other.counts)


def _minus(one: Price, other: Price) -> Price:
    return Price(one.once - other.once, one.each - other.each, one.row - other.row)


def _combination(
    parent: GraphQLNamedType, field: GraphQLField, named: GraphQLNamedType, extra: Price, size: _Size, value: float
) -> _Combination:
    each, once, counts = value + extra.each, extra.once, extra.counts
    of_page = _is_page(parent)
    is_list = _is_list(field) and not is_leaf_type(named)
    if is_list and of_page:
        return lambda below, _: Price(once + below.once, each, value + below.each)
    reads = _is_document(named) and not of_page and not _is_edge(parent)
    if not reads:
        item = value if is_list else 0
        return lambda below, variables: Price(
            once + below.once, each + size(variables) * (item + below.each), 0, counts
        )
    first = PAGE if _is_short(field) else 0  # a page's rows without a page around them
    item = (ROW if _is_short(field) else LINK) + (value if is_list else 0)
    return lambda below, variables: Price(
        once + COMMAND + below.once, each + first + size(variables) * (item + below.each)
    )


# ---------------------------------------------------------------- pages and reports

CUSTOMERS: Final = "Query.customers"
REPORT: Final = "Query.customerServiceReport"
DETAILS: Final = "CustomerServiceReport.details"

COUNT: Final = Price(80, 8)
"""Counting the keys of a customer's list."""
CUSTOMER_ROW: Final = 3.0
"""A row of the list of customers, who are read whole."""
COUNT_CUSTOMERS: Final = 700.0
"""Counting most of them, and those who have what an index finds."""
COUNT_FEW_CUSTOMERS: Final = 200.0
_FINDS: Final = frozenset({"number", "name", "lastName", "email", "tags", "campaigns"})
EMAIL_PREFIX: Final = 830.0
"""Customers by the beginning of an e-mail address, of which each may have several; and counting them."""
COUNT_BY_EMAIL_PREFIX: Final = 2_500.0
SORT_CUSTOMERS: Final = 100.0
"""Those who have what is asked for, in an order that is not theirs."""

DAYS: Final[Mapping[str, float]] = {"types": 6.0, "days": 6.0, "rows": 6.0, "fields": 3.0}
"""A day of a report, by what is counted: it was counted when it was over, and is added up."""
DAYS_OF_USERS: Final[Mapping[str, float]] = {"types": 0.08, "days": 0.08, "rows": 0.08, "fields": 2.0}
"""The same where only some users' actions are: an index finds them."""
MAX_DAYS: Final = 1_250
"""Of more days than that, the first are seldom there to be counted."""


def _page(coordinate: str, arguments: Mapping[str, ValueNode], once: float, each: float) -> _Combination:
    is_customers, of_customer = coordinate == CUSTOMERS, coordinate.startswith("Customer.")

    def page(below: Price, variables: Variables) -> Price:
        rows = _page_size(arguments, variables)
        given = _given(arguments, variables)
        added, counts = once + below.once, below.counts
        if of_customer and rows <= HEAD_ROWS and not given.keys() & _SEEKS:
            added, own = added + PAGE, PAGE + ROW * (rows + 1)
        elif is_customers:
            added += COMMAND + _customers(given, is_counted="rows" in counts)
            own = CUSTOMER_ROW * (rows + 1)
        else:
            added, own = added + COMMAND, PAGE + SEEK + SEEK_ROW * (rows + 1)
        if of_customer and any(_fields(given.get("filter")).get(name) is not None for name in _SCANNED):
            own += SCAN
        if coordinate == DETAILS:
            return Price(added, each + own + below.each + rows * below.row, 0, counts)
        if counts and not is_customers:
            added, own = added + COUNT.once, own + COUNT.each
        return Price(added, each + own + below.each + rows * below.row)

    return page


_SCANNED: Final = ("text", "phases")
"""Conditions that no index answers by itself."""
HEAD_ROWS: Final = max(head.size for head in PREVIEWS.values())
_SEEKS: Final = frozenset({"last", "after", "at", "before", "filter", "orderBy"})
"""Arguments that ask for other rows than the newest."""


def _customers(given: Mapping[str, Any], *, is_counted: bool) -> float:
    """Returns what finding customers costs, and counting them."""
    asked = {name for name, value in _fields(given.get("filter")).items() if value is not None}
    if "segmentId" in given:  # what it says is read later: it may be the dearest filter there is, see decision 33
        asked.add("emailPrefix")
    by_prefix = "emailPrefix" in asked
    sorting = SORT_CUSTOMERS if asked and "orderBy" in given else 0
    added = (EMAIL_PREFIX if by_prefix else sorting) + (COMMAND if "segmentId" in given else 0)
    if not is_counted:
        return added
    if by_prefix:
        return added + COUNT_BY_EMAIL_PREFIX
    return added + (COUNT_FEW_CUSTOMERS if asked & _FINDS else COUNT_CUSTOMERS)


def _report(arguments: Mapping[str, ValueNode], value: float) -> _Combination:
    def report(below: Price, variables: Variables) -> Price:
        conditions = _fields(_given(arguments, variables).get("filter"))
        window = _fields(conditions.get("occurredAt"))
        days = _days(window.get("from"), window.get("to"))
        a_day = DAYS_OF_USERS if conditions.get("users") else DAYS
        counted = sum(COMMAND + days * a_day[each] for each in below.counts)
        return Price(counted + below.once, value + below.each)

    return report


def _days(*window: datetime | str | None) -> float:
    """Returns the days of a window: texts in the document, times in variables."""
    try:
        begin, end = (each if isinstance(each, datetime) else moment(each or "") for each in window)
    except ValueError:
        return MAX_DAYS
    return min(max((end - begin) / timedelta(days=1) + 1, 1), MAX_DAYS)


def _fields(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _given(arguments: Mapping[str, ValueNode], variables: Variables) -> dict[str, Any]:
    """Returns arguments with a value, in Python."""
    values = {name: value_from_ast_untyped(node, dict(variables)) for name, node in arguments.items()}
    return {name: value for name, value in values.items() if value is not None and value is not Undefined}


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
    class VariableFinder(Visitor):
        found = False

        def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
            if node.name.value in _DECISIVE:
                self.found |= any(isinstance(each, VariableNode) for each in walked(node.value))

    look = VariableFinder()
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


def _page_size(arguments: Mapping[str, ValueNode], variables: Variables) -> int:
    asked = [arguments[name] for name in _SHORT if name in arguments]
    return max((_number(value, variables) for value in asked), default=DEFAULT_SIZE)


def _number(value: ValueNode, variables: Variables) -> int:
    """Returns at least one: what would be read of each row is prepared even where there is none.

    What lies outside of a list's limits is refused where it is asked for, and reads nothing.
    """
    match value:
        case IntValueNode(value=digits):
            asked = int(digits) if len(digits) < 10 else MAXIMUM_SIZE
        case VariableNode(name=name):
            asked = variables.get(name.value)
        case NullValueNode():
            asked = None
        case _:
            asked = MAXIMUM_SIZE
    return DEFAULT_SIZE if asked is None else min(max(asked, 1), MAXIMUM_SIZE)


def _length(value: ValueNode | None, variables: Variables) -> int:
    match value:
        case ListValueNode(values=values):
            return max(len(values), 1)
        case VariableNode(name=name):
            return max(len(variables.get(name.value) or ()), 1)
        case _:
            return 1


def _means(schema: GraphQLSchema) -> dict[str, float]:
    """Returns how long the lists of introspection are in this schema, on average."""
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
