"""GraphQL over HTTP: Strawberry's view with our context, our errors and a fast encoder."""

from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse
from strawberry.schema import BaseSchema
from strawberry.types import ExecutionResult

from app import faults
from app.context import Context
from app.http import graphiql
from app.loaders import Loaders
from app.store.driver import Store


class GraphQLEndpoint(GraphQL[Context, None]):
    """Answers programs with JSON, and a browser that comes to look with GraphiQL."""

    def __init__(self, schema: BaseSchema, store: Store) -> None:
        super().__init__(schema, graphql_ide=None, subscription_protocols=())
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and graphiql.asks_for_page(request := Request(scope, receive)):
            await graphiql.graphiql_page(request)(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        return Context(Loaders(self._store), datetime.now(UTC))

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        answered: dict[str, Any] = {"data": result.data}
        if result.errors:
            answered["errors"] = [faults.answer(error) for error in result.errors]
        return answered  # pyright: ignore[reportReturnType] # built key by key

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)
