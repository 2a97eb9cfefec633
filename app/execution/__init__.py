"""Executes what only reads by plans; what a plan does not cover goes to graphql-core. See docs/decisions/0016."""

from collections import Counter
from typing import Any, Final, Literal, TypeAlias

from graphql import ExecutionResult, GraphQLError
from graphql.execution.values import VariableValues

from app import metrics
from app.execution.context import ExecutionContext
from app.execution.document import Shape, shape_of
from app.execution.errors import ends_answer, with_argument_refusals
from app.execution.plan import Key, Plan
from app.execution.run import Run

Choice: TypeAlias = Literal["compiled", "graphql-core"]
MAX_PLANS: Final = 4
"""How many plans of one operation are kept: one for each choice of what its directives include."""


class Execution:
    """An execution runs operations of one schema. ``counted`` has how many by a plan, and of the others why not.

    What is worked out about an operation is kept with it (``ExecutionContext.plans``), and goes when it goes.
    """

    def __init__(self, choice: Choice = "compiled") -> None:
        self.choice, self.counted = choice, Counter[str]()

    async def run(self, execution: ExecutionContext) -> ExecutionResult:
        """Executes one valid operation, with its variables and its context.

        Errors come in the order of their paths, by either executor.
        """
        plan, by = self._plan(execution)
        self.counted[by] += 1
        metrics.operations_by_executor(by).inc()
        result = with_argument_refusals(
            await (Run(plan, execution).execute() if plan else execution.fallback.execute())
        )
        if result.errors and len(result.errors) > 1:
            result.errors.sort(key=_place_in_order)
        return result

    def makes_plan(self, execution: ExecutionContext) -> bool:
        """Returns whether running it takes a plan that does not exist yet."""
        shape = self._shape(execution)
        return self._uncovered(shape) is None and _key(shape, execution) not in execution.plans.by_values

    def _plan(self, execution: ExecutionContext) -> tuple[Plan | None, str]:
        """Returns the plan, or none and why."""
        shape = self._shape(execution)
        if uncovered := self._uncovered(shape):
            return None, uncovered
        key = _key(shape, execution)
        plans = execution.plans.by_values
        plan = plans.get(key)
        if plan is None:
            values = execution.variable_values
            chosen = VariableValues({name: values.sources[name] for name, _ in key}, dict(key))
            plan = Plan(execution.schema, execution.operation, execution.fragments, chosen)
            if len(plans) == MAX_PLANS:
                del plans[next(iter(plans))]
            plans[key] = plan
        return plan, "plan"

    def _shape(self, execution: ExecutionContext) -> Shape:
        if execution.plans.shape is None:
            execution.plans.shape = shape_of(execution.operation, execution.fragments)
        return execution.plans.shape

    def _uncovered(self, shape: Shape) -> str | None:
        return shape.uncovered if self.choice == "compiled" else "off"


def _key(shape: Shape, execution: ExecutionContext) -> Key:
    if not shape.directive_variables:
        return ()
    coerced = execution.variable_values.coerced
    return tuple((name, coerced[name]) for name in shape.directive_variables if name in coerced)


def _place_in_order(error: GraphQLError) -> tuple[Any, ...]:
    """Sorts errors by path; what ended the whole answer comes last.

    Keys and indexes do not compare with each other, and nothing is at the same place as both.
    """
    keys = ((isinstance(key, str), key if isinstance(key, int) else 0, str(key)) for key in error.path or ())
    return (ends_answer(error), *keys)
