"""The executable schema: one line per way in."""

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from app.faults import Executor
from app.resolvers import catalogue, customers, nodes
from app.schema.base import SCALARS, Node, read_key
from app.schema.catalogue import ActivityType
from app.schema.customers import Customer


@strawberry.type(description="Ways to read.")
class Query:
    node: Node | None = strawberry.field(resolver=nodes.node, description="Anything by its id; null if there is none.")
    nodes: list[Node | None] = strawberry.field(
        resolver=nodes.nodes, description="Several by their ids, in their order; null where there is none."
    )
    customer: Customer | None = strawberry.field(
        resolver=customers.customer, description="One customer, whole; null if nobody is known by that name."
    )
    activity_types: list[ActivityType] = strawberry.field(
        resolver=catalogue.activity_types, description="The catalogue: every type of activity that systems tell."
    )


class Schema(strawberry.Schema):
    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Strawberry would log every error with its text; ours are logged by id, where they happen."""


schema = Schema(
    query=Query,
    execution_context_class=Executor,
    config=StrawberryConfig(default_resolver=read_key, scalar_map=SCALARS),
)
