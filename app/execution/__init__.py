"""Executes read queries by plans; what a plan does not cover goes to graphql-core. See docs/decisions/0016."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

from graphql import ExecutionResult, GraphQLError
from graphql.execution.values import VariableValues

from app import metrics
from app.execution.document import Operation, operation_of
from app.execution.plan import Plan
from app.execution.run import Run
from app.faults import Executor, is_final, with_refusals

Choice: TypeAlias = Literal["compiled", "graphql-core"]
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_PLANS: Final = 256
_LONGEST: Final = 20_000
"""Characters of a document whose plan is kept: what is longer is planned each time."""


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
    """Executes operations of one schema. ``counted`` has how many by a plan, and of the others why not."""

    def __init__(self, choice: Choice = "compiled") -> None:
        self.choice, self.counted = choice, Counter[str]()
        self._operations = Bounded[tuple[str, str | None], Operation](_PLANS)
        self._plans = Bounded[tuple[str, str | None, tuple[Any, ...]], Plan](_PLANS)

    async def run(self, executor: Executor) -> ExecutionResult:
        """``executor`` is graphql-core's: one valid operation, with its variables and its context.

        Errors come in the order of their paths, whoever executed.
        """
        plan, by = self._plan(executor)
        self.counted[by] += 1
        metrics.executed(by).inc()
        result = with_refusals(await (Run(plan, executor).execute() if plan else executor.run()))
        if result.errors and len(result.errors) > 1:
            result.errors.sort(key=_place)
        return result

    def _plan(self, executor: Executor) -> tuple[Plan | None, str]:
        """Or none, and why."""
        core: Any = executor
        node, values = core.operation, core.variable_values
        text, name = node.loc.source.body, node.name.value if node.name else None
        keep = len(text) <= _LONGEST
        if self.choice != "compiled":
            return None, "off"
        operation = self._operations.get((text, name), lambda: operation_of(node, core.fragments), keep=keep)
        if operation.uncovered:
            return None, operation.uncovered
        chosen = VariableValues(
            {name: values.sources[name] for name in operation.directive_variables if name in values.sources},
            {name: values.coerced[name] for name in operation.directive_variables if name in values.coerced},
        )
        key = (text, name, tuple(chosen.coerced.items()))
        return self._plans.get(key, lambda: Plan(core.schema, node, core.fragments, chosen), keep=keep), "plan"


def _place(error: GraphQLError) -> tuple[Any, ...]:
    """Keys and indexes do not compare with each other, and nothing is at the same place as both.

    What ended the whole answer comes last.
    """
    keys = ((isinstance(key, str), key if isinstance(key, int) else 0, str(key)) for key in error.path or ())
    return (is_final(error), *keys)
