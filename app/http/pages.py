"""Serves the pages that ship in ``static/``: no CDN, no inline script, no other origin.

Their sources are in ``web/``; ``make web`` rebuilds them. Only files are served: whether a visitor may run a query is
decided where queries come in.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, stat_result
from pathlib import Path
from typing import Final, TypedDict
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC: Final = Path(__file__).with_name("static")

EMPTY_CONFIG = '<script type="application/json" id="config">{}</script>'


def _safe_headers(*origins: str) -> Mapping[str, str]:
    """Returns the headers of a page that asks its own origin, and these."""
    return {
        "Content-Security-Policy": "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self' 'unsafe-inline'",  # the editor and Mantine write style elements and attributes
                "worker-src 'self'",
                "font-src 'self' data:",
                "img-src 'self' data:",
                " ".join(("connect-src 'self'", *origins)),
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            )
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


SAFE_HEADERS: Final = _safe_headers()

NOT_BUILT = """<!doctype html>
<title>Customer gateway</title>
<p>This page has not been built. Run <code>make web</code> (it needs Node.js), then reload.</p>
<p>GraphQL itself works: POST to <code>/graphql</code>.</p>
"""


class PageViewer(TypedDict):
    """A viewer of the page's menu has a label, and the headers that make a request theirs."""

    label: str
    headers: Mapping[str, str]


class PageProvider(TypedDict):
    """The provider of OpenID Connect is where a page has its visitors sign in, as a client of this name."""

    authority: str
    clientId: str
    scope: str
    audience: str


class Config(TypedDict, total=False):
    """The configuration tells the page what it needs: whom one may be, or where one signs in.

    Without either, its visitor brings a token of their own.
    """

    viewers: Sequence[PageViewer]
    oidc: PageProvider


def origin_of(url: str) -> str:
    """Returns where a URL's server is: scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True)
class BuiltPage:
    """A page of the build has its document in ``NAME.html``, and its scripts and styles in ``NAME/``."""

    name: str
    file: Path

    @classmethod
    def of(cls, name: str) -> "BuiltPage":
        """Returns the page of this name in ``static/``."""
        return cls(name, STATIC / f"{name}.html")

    def endpoint(self, config: Config) -> Callable[[Request], Response]:
        """Returns a handler of requests for the page. All who can load it have the viewers' tokens: for demos only."""

        def respond(request: Request) -> Response:
            return self.response(config, up=request.url.path.endswith("/"))

        return respond

    def response(self, config: Config, *, up: bool = False) -> Response:
        """Returns the page, whose visitor is the first viewer until they choose another.

        ``up``: whether its address ends with a slash, so that its files are one level up.
        """
        # An address may answer pages and data, and the page may hold tokens.
        origins = [origin_of(config["oidc"]["authority"])] if "oidc" in config else []
        headers = {**_safe_headers(*origins), "Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding"}
        try:
            html = self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return HTMLResponse(NOT_BUILT, status_code=503, headers=headers)
        if up:
            html = html.replace(f"./{self.name}/", f"../{self.name}/")
        data = json.dumps(config).replace("<", "\\u003c")  # so that no value can close the element
        return HTMLResponse(html.replace(EMPTY_CONFIG, EMPTY_CONFIG.replace("{}", data)), headers=headers)

    @property
    def assets(self) -> Mount:
        """Returns the route of the page's files."""
        return Mount(
            f"/{self.name}",
            _Assets(directory=STATIC / self.name, check_dir=False),
            middleware=[Middleware(ExceptionMiddleware)],  # what is not there is an exception of its own
        )


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
