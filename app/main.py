"""Builds the application and the relay from the settings. The lifespan opens and closes everything."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, timedelta, tzinfo
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx2
import stamina
import structlog
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import BaseRoute, Router, WebSocketRoute
from starlette.types import Lifespan

from app import logs, sdl, tracing
from app.delivery import executors, mail, wallet
from app.delivery.relay import Channel, Relay
from app.delivery.webhooks import WebhookSender
from app.demo.inbox import Inbox
from app.demo.inbox import routes as inbox_routes
from app.domain import cursors
from app.domain.mappings import Mapping as ImportMapping
from app.domain.signatures import secret_of
from app.environment import LOOPBACK_HOSTS, Settings, SettingsError, read_settings, reads_aside, with_pairs
from app.execution import Execution
from app.graph import executable, masks_for
from app.http import (
    attachments,
    callbacks,
    desk,
    exports,
    graphiql,
    health,
    imports,
    metrics_endpoint,
    schema_file,
    uploads,
)
from app.http.content_encoding import Compression
from app.http.cors import Cors
from app.http.endpoint import Authenticate, GraphQLEndpoint
from app.http.middleware import SHUTDOWN, RequestMiddleware
from app.http.pages import Config
from app.http.routes import ExactRoute
from app.http.tokens import verifier
from app.http.websocket import SOCKETS_PER_STREAM, WebSocketEndpoint
from app.jobs import keep_going
from app.metrics import observe_command
from app.operations.looks import Looks
from app.operations.pipeline import Pipeline
from app.operations.rates import Rates
from app.services import emails, external_requests
from app.services.changes import DeliveryPolicy
from app.services.erase_job import Eraser
from app.services.executors import executors_of
from app.services.export_job import Exporter
from app.services.feed import last_sequence, number_entries
from app.services.letters import Letters
from app.services.mappings import read_mappings
from app.services.merge_job import Mover
from app.services.presence import RENEWAL_SECONDS
from app.services.request_job import RequestExpiry
from app.services.watches import LOOK_SECONDS, Watches
from app.serving import drain_on_sigterm, freeze_gc
from app.settings import Limits, PerMinute
from app.store import shared_keys
from app.store.deadline import NEVER
from app.store.driver import Database, Store, StoreError

_log = structlog.get_logger("gateway")
_NUMBERING_SECONDS: Final = 0.5
"""How long a change may wait for its number in the feed of all customers."""


def routes(
    database: Database,
    authenticate: Authenticate,
    page: Config | None = None,
    *,
    has_page: bool = True,
    timeout_seconds: float = 5,
    outgoing: DeliveryPolicy = DeliveryPolicy(),  # noqa: B008 # frozen
    limits: Limits | None = None,
    rates: Rates | None = None,
    execution: Execution | None = None,
    looks: Looks | None = None,
    phone_region: str | None = None,
    watches: Watches | None = None,
    origins: Sequence[str] = (),
    points_zone: tzinfo = UTC,
    mappings: Mapping[str, ImportMapping] | None = None,
) -> list[BaseRoute]:
    """Returns every route. ``page`` configures GraphiQL and the desk: the demo offers people to be, others not.

    Without ``has_page`` there is neither.
    """
    page = page or {}
    limits = limits or Limits()
    rates = rates or rates_of(database, limits)
    pipeline = Pipeline(
        executable,
        database,
        masks_for=masks_for,
        timeout_seconds=timeout_seconds,
        outgoing=outgoing,
        limits=limits,
        rates=rates,
        execution=execution or Execution(),
        looks=looks or Looks(database),
        phone_region=phone_region,
        watches=watches or Watches(database),
    )
    SHUTDOWN.end_streams = pipeline.subscriptions.drain
    sockets = WebSocketEndpoint(
        pipeline,
        authenticate=authenticate,
        origins=origins,
        sockets_at_most=limits.max_subscriptions,
        of_subject_at_most=limits.max_subscriptions_of_subject * SOCKETS_PER_STREAM,
    )
    endpoint = GraphQLEndpoint(
        pipeline,
        authenticate=authenticate,
        page=graphiql.PAGE.endpoint(page) if has_page else None,
        timeout_seconds=timeout_seconds,
        limits=limits,
    )
    others = [
        *([*graphiql.routes, *desk.routes(page, is_home="viewers" in page)] if has_page else ()),
        *health.routes(database),
        *metrics_endpoint.routes(database),
        *exports.routes(database),
        *schema_file.routes(sdl.printed, authenticate, pipeline),
        *attachments.routes(database),
        *uploads.routes(database, limits),
        *callbacks.routes(database, outgoing),
        *imports.routes(database, authenticate, rates, points_zone, mappings or {}),
    ]
    paths = ("/graphql", "/graphql/")
    ways_in = [ExactRoute(path, endpoint) for path in paths]
    return [*ways_in, *(WebSocketRoute(path, sockets) for path in paths), *others]  # they are tried in turn


def build_app(
    routes: list[BaseRoute],
    lifespan: Lifespan[Router] | None = None,
    *,
    hosts: Sequence[str] = ("*",),
    origins: Sequence[str] = (),
) -> Router:
    """Returns the application: the routes behind the middleware of every request.

    ``hosts`` are the names that it answers to, ``origins`` the other origins whose pages may call it.
    """
    around = [Middleware(RequestMiddleware), Middleware(Compression)]
    if "*" not in hosts:
        around.append(Middleware(TrustedHostMiddleware, allowed_hosts=hosts))
    around.append(Middleware(Cors, tuple(origins)))
    # A redirect of the router's would lead to the host that the caller named.
    return Router(routes, lifespan=lifespan, middleware=around, redirect_slashes=False)


def rates_of(database: Database, limits: Limits) -> Rates:
    return Rates(database, PerMinute.read(limits.cost_per_minute), PerMinute.read(limits.changes_per_minute))


def outgoing(settings: Settings) -> DeliveryPolicy:
    return DeliveryPolicy(
        wallet=settings.wallet_push_url is not None,
        give_up=timedelta(hours=settings.delivery_give_up_hours),
        most_sends=settings.max_sends_of_a_mail,
        most_mails=settings.max_mails_per_day,
        most_exports=settings.max_unfinished_exports,
        link=timedelta(minutes=settings.export_link_minutes),
        letters=Letters(settings.letters),
        executors=executors_of(settings.request_executors),
    )


def sign_in(settings: Settings) -> Config:
    """Returns where visitors of the desk and GraphiQL sign in; nowhere: they bring a token."""
    if not (settings.oidc_authority and settings.oidc_client_id):
        return {}
    return {
        "oidc": {
            "authority": settings.oidc_authority,
            "clientId": settings.oidc_client_id,
            "scope": settings.oidc_scope,
            "audience": settings.jwt_audience,
        }
    }


def exporter(store: Store, settings: Settings) -> Exporter:
    return Exporter(store, masks_for, timedelta(hours=settings.export_kept_hours))


def webhook_sender(store: Store, *, loopback: bool = False) -> AbstractAsyncContextManager[WebhookSender]:
    """Returns what tells webhook endpoints of changes. ``loopback``: whether they may be on this machine."""
    return WebhookSender.open(store, partial(last_sequence, store), loopback=loopback)


@asynccontextmanager
async def relay(store: Store, settings: Settings) -> AsyncGenerator[Relay]:
    """Yields the relay of all channels that have a server. What is queued on others waits for another process."""
    timeout_seconds = settings.delivery_timeout_seconds
    async with AsyncExitStack() as opened:
        channels: list[Channel] = []
        if settings.smtp_url and settings.mail_from:
            server, sender = mail.MailServer.of(settings.smtp_url), mail.sender_of(settings.mail_from)
            mailer = mail.Mailer(server, sender, timeout_seconds)
            opened.push_async_callback(mailer.close)
            channels.append(mail.channel(store, mailer, partial(emails.give_up, store)))
        if settings.wallet_push_url and settings.wallet_push_secret:
            client = await opened.enter_async_context(httpx2.AsyncClient(timeout=timeout_seconds))
            secret = secret_of(settings.wallet_push_secret.get_secret_value())
            channels.append(wallet.channel(store, wallet.Wallet(settings.wallet_push_url, secret, client)))
        asked = executors_of(settings.request_executors)
        if asked.endpoints:
            # No proxy of the environment's: the address that was looked at is the one that is called.
            client = httpx2.AsyncClient(timeout=timeout_seconds, trust_env=False)
            poster = executors.Poster(await opened.enter_async_context(client))
            received, give_up = (
                partial(external_requests.received, store, asked),
                partial(external_requests.give_up, store, asked),
            )
            channels.append(executors.channel(store, asked, poster, received, give_up))
        yield Relay(store, channels, timeout_seconds)


@asynccontextmanager
async def background_workers(
    router: Router, store: Store, settings: Settings, *, to_inbox: bool, loopback: bool = False
) -> AsyncGenerator[None]:
    """What is queued is sent, and what is to be exported is, for as long as this lasts.

    The demo has an inbox of its own for its mails, and webhooks may go to this machine (``loopback``).
    """
    async with AsyncExitStack() as opened:
        if to_inbox:
            inbox = await opened.enter_async_context(Inbox.open())
            router.routes += inbox_routes(inbox)
            own = {"smtp_url": inbox.url, "mail_from": settings.mail_from or "Nordlicht <service@nordlicht.example>"}
            settings = settings.model_copy(update=own)
        relaying = await opened.enter_async_context(relay(store, settings))
        telling = await opened.enter_async_context(webhook_sender(store, loopback=loopback))
        for name, work in (
            *((("relay", relaying.run),) if relaying.channels else ()),
            ("exporter", exporter(store, settings).run),
            ("mover", Mover(store).run),
            ("eraser", Eraser(store).run),
            ("feed numbering", partial(_number_forever, store)),
            ("request expiry", RequestExpiry(store, executors_of(settings.request_executors)).run),
            ("webhooks", telling.run),
        ):
            await opened.enter_async_context(background_task(keep_going(name, work)))
        yield


async def _number_forever(store: Store) -> None:
    await keep_going("feed numbering", partial(number_entries, store), every_seconds=_NUMBERING_SECONDS)


@asynccontextmanager
async def watching(watches: Watches, store: Store) -> AsyncGenerator[None]:
    """Wakes whoever waits for a customer, for as long as this lasts."""
    look = keep_going("feed look", watches.look, every_seconds=LOOK_SECONDS)
    stay = keep_going("presences", watches.presences.renew, every_seconds=RENEWAL_SECONDS)
    async with background_task(watches.listen(store)), background_task(look), background_task(stay):
        yield


@asynccontextmanager
async def background_task(work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Runs ``work`` for as long as this lasts. Should it fail, that is logged at once, and the rest goes on."""
    task = asyncio.create_task(work)
    task.add_done_callback(_log_failure)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def written(looks: Looks) -> AsyncGenerator[None]:
    """Writes looks for as long as this lasts, and what is left of them when it ends."""
    try:
        async with background_task(looks.flush_forever()):
            yield
    finally:
        await looks.flush_last()


@stamina.retry(on=StoreError, attempts=None, timeout=None, wait_max=2)
async def _share_cursors(store: Store) -> None:
    """What one process has made a cursor of, another can read. Without a database there are no rows to point at."""
    cursors.CIPHER.use(await shared_keys.shared(store, "cursors", length=cursors.KEY_BYTES))


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (fault := task.exception()):
        _log.error("background work failed", exc_info=fault)


def application(
    settings: Settings,
    *,
    mongodb_uri: str,
    page: Config | None = None,
    beside: Callable[[Store], Coroutine[Any, Any, None]] | None = None,
) -> Router:
    """Returns the application. The caller decides ``mongodb_uri``: the demo has a server of its own.

    ``beside`` runs for as long as the application does: the demo has something happen.

    Raises ValueError without keys, SettingsError for half a pair.
    """
    with_pairs(settings)
    authenticate = verifier(
        jwks_url=settings.jwks_url,
        secret=settings.jwt_secret.get_secret_value() if settings.jwt_secret else None,
        issuer=settings.jwt_issuer or "",
        audience=settings.jwt_audience,
        names=settings,
    ).viewer

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncGenerator[None]:
        tracing.begin()
        async with (
            Database.open(
                mongodb_uri,
                settings.mongodb_database,
                driver=settings.mongodb_driver,
                timeout_seconds=settings.request_timeout_seconds,
                on_command=observe_command,
                reports=reads_aside(settings),
            ) as database,
            background_workers(
                router,
                database.until(NEVER),
                settings,
                to_inbox=page is not None and settings.smtp_url is None,
                loopback=page is not None,
            ),
        ):
            watches = Watches(database)
            rates, looks = rates_of(database, settings), Looks(database, settings.looks_kept_days)
            router.routes += routes(
                database,
                authenticate,
                page or sign_in(settings),
                has_page=page is not None or settings.graphiql == "on",
                timeout_seconds=settings.request_timeout_seconds,
                outgoing=replace(outgoing(settings), loopback_webhooks=page is not None),
                limits=settings,
                rates=rates,
                execution=Execution(settings.executor),
                looks=looks,
                phone_region=settings.phone_region,
                watches=watches,
                origins=(settings.cors_origins or "").split(),
                points_zone=ZoneInfo(settings.points_time_zone),
                mappings=read_mappings(settings.mappings) if settings.mappings else None,
            )
            freeze_gc()
            async with (
                background_task(_share_cursors(database.until(NEVER))),
                background_task(rates.flush_forever()),
                written(looks),
                watching(watches, database.until(NEVER)),
                background_task(beside(database.until(NEVER))) if beside else nullcontext(),
            ):
                # The demo has nobody before it who sends requests elsewhere.
                with drain_on_sigterm(settings.drain_seconds) if page is None else nullcontext():
                    yield

    # A page that hands out tokens answers to this machine's own names only, whatever a stranger's DNS points here.
    origins = (settings.cors_origins or "").split()
    router = build_app([], lifespan, hosts=LOOPBACK_HOSTS if page else ["*"], origins=origins)
    return router


def from_environment() -> Router:
    """Returns the application that each worker process of ``serve`` runs; ends the process where it cannot be made."""
    try:
        settings = read_settings()
        logs.configure(settings.log_level, access=settings.access_log)
        if settings.mongodb_uri is None:
            raise SettingsError("MONGODB_URI is not set.")
        return application(settings, mongodb_uri=settings.mongodb_uri)
    except (SettingsError, ValueError) as unusable:  # a file that was another when ``serve`` began
        _log.error("settings cannot be used", reason=str(unusable))
        sys.exit(1)  # not by STARTUP_FAILURE, which ends the other workers, too
