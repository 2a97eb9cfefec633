"""Serves the desk, one customer on one screen, at ``/desk``: docs/desk.md."""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from app.http.pages import SAFE_HEADERS, BuiltPage, Config

PAGE: Final = BuiltPage.of("desk")


def routes(config: Config, *, is_home: bool) -> list[BaseRoute]:
    """Returns the routes of the desk, and of ``/``, which leads to it if ``is_home``, and to GraphiQL otherwise."""
    page = PAGE.endpoint(config)
    home = _redirect_to("desk" if is_home else "graphql")
    # Scripts find GraphQL beside the page, so that there is one address of it, without a slash.
    return [Route("/", home), Route("/desk", page), Route("/desk/", _redirect_to("desk")), PAGE.assets]


def _redirect_to(path: str) -> Callable[[Request], Response]:
    def redirect(request: Request) -> Response:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/{path}", headers=SAFE_HEADERS)

    return redirect
