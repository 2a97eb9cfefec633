"""Serves GraphiQL from the build that ships in ``static/``: no CDN, no inline script, no other origin.

Its sources are in ``web/``; ``make web`` rebuilds. It serves files only: whether a visitor may run a query is
decided where queries come in.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from os import PathLike, stat_result
from pathlib import Path
from typing import Final, TypedDict

from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).with_name("static")
PAGE = STATIC / "graphiql.html"
ASSETS = STATIC / "graphiql"

EMPTY_CONFIG = '<script type="application/json" id="config">{}</script>'

SAFE_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self' 'unsafe-inline'",  # the editor writes style elements and attributes
            "worker-src 'self'",
            "font-src 'self' data:",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

NOT_BUILT = """<!doctype html>
<title>Customer gateway</title>
<p>The GraphiQL page has not been built. Run <code>make web</code> (it needs Node.js), then reload.</p>
<p>GraphQL itself works: POST to this address.</p>
"""


_NAMES_A_DOCUMENT: Final = frozenset({"query", "documentId", "id", "doc_id", "extensions"})
"""Parameters of a query by GET, which is not a visit."""


def asks_for_page(request: Request) -> bool:
    """Returns whether a person's browser came to look, rather than a client with a query."""
    return (
        request.method in ("GET", "HEAD")
        and _NAMES_A_DOCUMENT.isdisjoint(request.query_params)
        and "text/html" in request.headers.get("accept", "")
    )


class GraphiQLViewer(TypedDict):
    """A viewer of the page's menu has a label, and the headers that make a request theirs."""

    label: str
    headers: Mapping[str, str]


class Config(TypedDict, total=False):
    """The configuration tells the page what it needs. Without ``viewers`` its visitor brings a token of their own."""

    viewers: Sequence[GraphiQLViewer]


def endpoint(config: Config) -> Callable[[Request], Response]:
    """Returns a handler of requests for the page. All who can load it have the viewers' tokens: for demos only."""

    def graphiql_page(request: Request) -> Response:
        return page(config=config, files="../graphiql/" if request.url.path.endswith("/") else "./graphiql/")

    return graphiql_page


def page(*, config: Config, files: str = "./graphiql/") -> Response:
    """Returns the page, whose scripts are in ``files``; its visitor is the first viewer until they choose another."""
    # One address answers pages and data, and the page may hold tokens.
    headers = {**SAFE_HEADERS, "Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding"}
    try:
        html = PAGE.read_text(encoding="utf-8").replace("./graphiql/", files)
    except FileNotFoundError:
        return HTMLResponse(NOT_BUILT, status_code=503, headers=headers)
    data = json.dumps(config).replace("<", "\\u003c")  # so that no value can close the element
    return HTMLResponse(html.replace(EMPTY_CONFIG, EMPTY_CONFIG.replace("{}", data)), headers=headers)


async def _home(request: Request) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/graphql", headers=SAFE_HEADERS)


class _Assets(StaticFiles):
    async def check_config(self) -> None:
        """Checks nothing: a missing build is for the page to report; its files are then simply not found."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(SAFE_HEADERS)
        # Their names change with their content.
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["Vary"] = "Accept-Encoding"
        return response


routes: list[BaseRoute] = [
    Route("/", _home),
    Mount(
        "/graphiql",
        _Assets(directory=ASSETS, check_dir=False),
        middleware=[Middleware(ExceptionMiddleware)],  # what is not there is an exception of its own
    ),
]
