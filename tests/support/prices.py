"""What an operation of our schema costs, from its text."""

from collections.abc import Mapping
from typing import Any

from graphql import DocumentNode, parse, validate

from app.execution.document import shape_of
from app.graph import executable
from app.operations.cost import CostPlan, Pricer
from app.operations.operation import Operation


def cost(query: str, *, compiled: bool = True, **variables: Any) -> int:
    """Prices an operation with coerced variables. The document is valid and has one operation."""
    document = parse(query)
    assert validate(executable, document) == []
    (plan,) = cost_plans(document, compiled=compiled).values()
    return plan.cost(variables)


def cost_plans(document: DocumentNode, *, compiled: bool = True) -> Mapping[str | None, CostPlan]:
    """Returns the cost plan of each operation of a document, by its name."""
    operations = Operation.each_of(document, executable)
    shapes = {name: shape_of(each.node, each.fragments) for name, each in operations.items()}
    return Pricer(executable, compiled=compiled).plans(document, shapes)
