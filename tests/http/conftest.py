"""What the tests of the door share."""

from starlette.applications import Starlette

from app.http.tokens import verifier
from app.main import assembled, routes
from app.settings import Limits
from app.store.driver import Store
from tests.conftest import AUTHORITY, SECRET


def door(store: Store, limits: Limits | None = None, *, timeout_seconds: float = 60) -> Starlette:
    """The application as a client meets it."""
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    return assembled(routes(store, authenticate, timeout_seconds=timeout_seconds, limits=limits))
