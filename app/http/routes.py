"""Routes the way in of GraphQL past Starlette's search for parameters in a path."""

from typing import Any

from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send


class ExactRoute(Route):
    """This route takes one path to an ASGI application, by all methods. Others go Starlette's way."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["path"] == self.path and not scope.get("root_path"):
            return Match.FULL, {"endpoint": self.endpoint, "path_params": {}}
        return super().matches(scope)

    def handle(self, scope: Scope, receive: Receive, send: Send) -> Any:
        return self.app(scope, receive, send)
