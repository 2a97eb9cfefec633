"""The composition root: settings in, application out. The lifespan opens and closes everything."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from app.graph import schema
from app.http import graphiql, health
from app.http.graphql import GraphQLEndpoint
from app.settings import Settings
from app.store.driver import Store


def routes(store: Store) -> list[BaseRoute]:
    return [*graphiql.routes, *health.routes(store), Route("/graphql", GraphQLEndpoint(schema, store))]


def application(settings: Settings, *, mongodb_uri: str) -> Starlette:
    """``mongodb_uri`` is settled by the caller: the demo has a server of its own."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with Store.open(
            mongodb_uri,
            settings.mongodb_database,
            driver=settings.mongodb_driver,
            timeout_seconds=settings.request_timeout_seconds,
        ) as store:
            app.router.routes += routes(store)
            yield

    return Starlette(lifespan=lifespan)
