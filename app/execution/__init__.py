"""Executes read queries by plans; whatever a plan does not cover goes to graphql-core. See docs/decisions/0016."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar, cast

import graphql
from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema
from graphql.execution.values import VariableValues, get_variable_values
from strawberry.execution import optimized_is_awaitable

from app.execution.document import Operation, operation_of
from app.execution.plan import Plan
from app.execution.run import Run

Choice: TypeAlias = Literal["compiled", "graphql-core"]
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_PLANS: Final = 256
_LONGEST: Final = 20_000
"""Characters of a document whose plan is kept: what is longer is planned each time."""
_AT_MOST: Final = 50
"""Errors about variables, as graphql-core has it."""
_NO_VARIABLES: Final = VariableValues({}, {})


class Bounded(Generic[K, V]):
    """Remembers what was made for the keys asked for last, of whatever is worth it."""

    def __init__(self, size: int) -> None:
        self._size, self._kept = size, OrderedDict[K, V]()

    def get(self, key: K, make: Callable[[], V], *, keep: bool) -> V:
        if not keep:
            return make()
        try:
            self._kept.move_to_end(key)
            return self._kept[key]
        except KeyError:
            made = self._kept[key] = make()
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
            return made


class Execution:
    """Executes validated documents of one schema. ``counted`` has how many by a plan, and by why not.

    ``executor`` is graphql-core's, for what has no plan.
    """

    def __init__(self, schema: GraphQLSchema, executor: type[Any], *, choice: Choice = "compiled") -> None:
        self.schema, self.choice, self.counted = schema, choice, Counter[str]()
        self._executor = executor
        self._operations = Bounded[tuple[str, str | None], Operation](_PLANS)
        self._plans = Bounded[tuple[str, str | None, tuple[Any, ...]], Plan](_PLANS)

    async def execute(
        self, document: DocumentNode, operation_name: str | None, variables: Mapping[str, Any] | None, context: Any
    ) -> ExecutionResult:
        """Errors come in the order of their paths, whoever executed."""
        result = await self._executed(document, operation_name, variables, context)
        if result.errors and len(result.errors) > 1:
            result.errors.sort(key=_place)
        return result

    async def _executed(
        self, document: DocumentNode, operation_name: str | None, variables: Mapping[str, Any] | None, context: Any
    ) -> ExecutionResult:
        text = document.loc.source.body if document.loc else None
        if self.choice != "compiled" or text is None:
            return await self._passed_on("off", document, operation_name, variables, context)
        keep = len(text) <= _LONGEST
        operation = self._operations.get(
            (text, operation_name), lambda: operation_of(document, operation_name), keep=keep
        )
        if operation.uncovered or not operation.node:
            return await self._passed_on(operation.uncovered or "", document, operation_name, variables, context)
        self.counted["plan"] += 1
        node = operation.node
        values = (
            get_variable_values(self.schema, node.variable_definitions, dict(variables or {}), max_errors=_AT_MOST)
            if node.variable_definitions
            else _NO_VARIABLES
        )
        if isinstance(values, list):
            return ExecutionResult(None, values)
        chosen = VariableValues(
            {name: values.sources[name] for name in operation.directive_variables if name in values.sources},
            {name: values.coerced[name] for name in operation.directive_variables if name in values.coerced},
        )
        key = (text, operation_name, tuple(chosen.coerced.items()))
        plan = self._plans.get(key, lambda: Plan(self.schema, node, operation.fragments, chosen), keep=keep)
        return await Run(plan, self._executor, values, context).execute()

    async def _passed_on(
        self,
        reason: str,
        document: DocumentNode,
        operation_name: str | None,
        variables: Mapping[str, Any] | None,
        context: Any,
    ) -> ExecutionResult:
        self.counted[reason] += 1
        result = cast(Any, graphql).execute(
            self.schema,
            document,
            context_value=context,
            variable_values=dict(variables or {}),
            operation_name=operation_name,
            executor_class=self._executor,
            is_awaitable=optimized_is_awaitable,
        )
        return await result if optimized_is_awaitable(result) else result


def _place(error: GraphQLError) -> tuple[tuple[bool, int, str], ...]:
    """Keys and indexes do not compare with each other, and nothing is at the same place as both."""
    return tuple((isinstance(key, str), key if isinstance(key, int) else 0, str(key)) for key in error.path or ())
