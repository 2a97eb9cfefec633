"""Executes read queries by plans; what a plan does not cover goes to graphql-core. See docs/decisions/0016."""

from collections import Counter
from typing import Any, Final, Literal, TypeAlias

from graphql import ExecutionResult, GraphQLError
from graphql.execution.values import VariableValues

from app import metrics
from app.execution.document import Shape, shape_of
from app.execution.plan import Plan
from app.execution.run import Run
from app.faults import Executor, is_final, with_refusals

Choice: TypeAlias = Literal["compiled", "graphql-core"]
Key: TypeAlias = tuple[tuple[str, Any], ...]
"""The values of the variables that decide what is included."""

MAX_PLANS: Final = 4
"""How many plans of one operation are kept: one for each choice of what its directives include."""


class Execution:
    """Executes operations of one schema. ``counted`` has how many by a plan, and of the others why not.

    What is worked out about an operation is kept with it (``Executor.plans``), and goes when it goes.
    """

    def __init__(self, choice: Choice = "compiled") -> None:
        self.choice, self.counted = choice, Counter[str]()

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

    def makes_plan(self, executor: Executor) -> bool:
        """Whether running it takes a plan that is not there yet."""
        shape = self._shape(executor)
        return self._uncovered(shape) is None and _key(shape, executor) not in executor.plans.by_values

    def _plan(self, executor: Executor) -> tuple[Plan | None, str]:
        """Or none, and why."""
        shape = self._shape(executor)
        if uncovered := self._uncovered(shape):
            return None, uncovered
        key = _key(shape, executor)
        plans = executor.plans.by_values
        plan = plans.get(key)
        if plan is None:
            values = executor.variable_values
            chosen = VariableValues({name: values.sources[name] for name, _ in key}, dict(key))
            plan = Plan(executor.schema, executor.operation, executor.fragments, chosen)
            if len(plans) == MAX_PLANS:
                del plans[next(iter(plans))]
            plans[key] = plan
        return plan, "plan"

    def _shape(self, executor: Executor) -> Shape:
        if executor.plans.shape is None:
            executor.plans.shape = shape_of(executor.operation, executor.fragments)
        return executor.plans.shape

    def _uncovered(self, shape: Shape) -> str | None:
        return shape.uncovered if self.choice == "compiled" else "off"


def _key(shape: Shape, executor: Executor) -> Key:
    coerced = executor.variable_values.coerced
    return tuple((name, coerced[name]) for name in shape.directive_variables if name in coerced)


def _place(error: GraphQLError) -> tuple[Any, ...]:
    """Keys and indexes do not compare with each other, and nothing is at the same place as both.

    What ended the whole answer comes last.
    """
    keys = ((isinstance(key, str), key if isinstance(key, int) else 0, str(key)) for key in error.path or ())
    return (is_final(error), *keys)
