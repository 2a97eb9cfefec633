"""Serves GraphiQL at the address of GraphQL, to browsers that come without a query."""

from typing import Final

from starlette.requests import Request
from starlette.routing import BaseRoute

from app.http.pages import BuiltPage

PAGE: Final = BuiltPage.of("graphiql")

_NAMES_A_DOCUMENT: Final = frozenset({"query", "documentId", "id", "doc_id", "extensions"})
"""Parameters of a query by GET, which is not a visit."""


def asks_for_page(request: Request) -> bool:
    """Returns whether a person's browser came to look, rather than a client with a query."""
    return (
        request.method in ("GET", "HEAD")
        and _NAMES_A_DOCUMENT.isdisjoint(request.query_params)
        and "text/html" in request.headers.get("accept", "")
    )


routes: list[BaseRoute] = [PAGE.assets]
