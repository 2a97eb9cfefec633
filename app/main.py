"""The composition root: settings in, application out. The lifespan opens and closes everything."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from asgi_correlation_id import CorrelationIdMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import BaseRoute, Route
from starlette.types import Lifespan

from app.graph import executable, masks_for
from app.http import graphiql, health
from app.http.graphql import Authenticate, GraphQLEndpoint
from app.http.tokens import verifier
from app.settings import Limits, Settings
from app.store.driver import Store

REQUEST_ID: Final = "X-Request-ID"
LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "::1")


def routes(
    store: Store,
    authenticate: Authenticate,
    page: graphiql.Config | None = None,
    *,
    timeout_seconds: float = 5,
    limits: Limits | None = None,
) -> list[BaseRoute]:
    """``page`` is what GraphiQL is told: the demo has people to be, anybody else brings a token."""
    endpoint = GraphQLEndpoint(
        executable,
        store,
        authenticate=authenticate,
        masks_for=masks_for,
        page=graphiql.endpoint(page or {}),
        timeout_seconds=timeout_seconds,
        limits=limits or Limits(),
    )
    return [*graphiql.routes, *health.routes(store), Route("/graphql", endpoint)]


def assembled(
    routes: list[BaseRoute],
    lifespan: Lifespan[Starlette] | None = None,
    *,
    hosts: Sequence[str] = ("*",),
    origins: Sequence[str] = (),
) -> Starlette:
    """With what every request passes: a request id, ours unless the client gave one; the hosts we answer for, and the
    other origins whose pages may call us."""
    around = [
        Middleware(CorrelationIdMiddleware),
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Content-Type", REQUEST_ID),
            expose_headers=(REQUEST_ID,),
        ),
    ]
    return Starlette(routes=routes, lifespan=lifespan, middleware=around)


def application(settings: Settings, *, mongodb_uri: str, page: graphiql.Config | None = None) -> Starlette:
    """``mongodb_uri`` is settled by the caller: the demo has a server of its own. Raises ValueError without keys."""
    authenticate = verifier(
        jwks_url=settings.jwks_url,
        secret=settings.jwt_secret.get_secret_value() if settings.jwt_secret else None,
        issuer=settings.jwt_issuer or "",
        audience=settings.jwt_audience,
    ).viewer

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with Store.open(
            mongodb_uri,
            settings.mongodb_database,
            driver=settings.mongodb_driver,
            timeout_seconds=settings.request_timeout_seconds,
        ) as store:
            app.router.routes += routes(
                store, authenticate, page, timeout_seconds=settings.request_timeout_seconds, limits=settings
            )
            yield

    # A page that hands out tokens answers to this machine's own names only, whatever a stranger's DNS points here.
    origins = (settings.cors_origins or "").split()
    return assembled([], lifespan, hosts=LOOPBACK_HOSTS if page else ["*"], origins=origins)
