"""The command line."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app import development, logs, serving
from app.domain.access import Role
from app.domain.refusals import Refusal
from app.domain.vocabulary import ExportFormat, ReportTable
from app.http import graphiql
from app.http.inbox import InboxUnavailable
from app.main import LOOPBACK_HOSTS, application, exporter, relay
from app.settings import Settings, SettingsError, read_settings, with_pairs
from app.store import heads
from app.store import indexes as store_indexes
from app.store.driver import DeleteOne, ReplaceOne, Store, StoreError
from app.store.mongod import WAYS_OUT, MongodUnavailable, embedded_mongod, find_mongod

T = TypeVar("T")

cli = typer.Typer(
    help="The customer gateway.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
console = Console(stderr=True, highlight=False)

Data = Annotated[
    Path | None, typer.Option(help="The folder of the MongoDB that we run ourselves. Default: .data/mongodb")
]
UNFINISHED = "unfinished"
"""Holds a mark while the sample is written, so that half of one is never taken for a whole one."""


class What(StrEnum):
    CUSTOMERS = "customers"
    REPORT = "report"


NO_TOKENS = """Nobody could be let in: set JWT_ISSUER, and either JWKS_URL or (for development) JWT_SECRET. For example:
  JWT_ISSUER=https://login.example.com/  JWKS_URL=https://login.example.com/.well-known/jwks.json"""


# ---------------------------------------------------------------- words


@cli.command()
def demo(
    data: Data = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Empty that folder first.")] = False,
    customers: Annotated[int, typer.Option(min=1, help="How many sample customers a new database gets.")] = 1_000,
) -> None:
    """A gateway with sample data and a MongoDB of its own: one command, nothing else needed."""
    everybody = " ".join(Role)  # whoever one chooses to be in GraphiQL, its manual is there
    settings = loopback_only(development.settled(read_settings(data=data, introspection_roles=everybody)))
    with listening(settings) as listener, database(settings, fresh=fresh) as uri:
        run(_prepare_demo(uri, settings, customers))
        people = development.people(settings)
        for label, bearer in people.items():
            typer.echo(f"{label}: {bearer}")
        address = f"http://{settings.host}:{listener.getsockname()[1]}"
        console.print(f"\n  GraphiQL, with five examples to play:  [bold]{address}/graphql[/bold]")
        if settings.smtp_url is None:
            console.print(f"  The mails that it sends arrive at  [bold]{address}/demo/inbox[/bold]")
        console.print("  Ctrl-C stops everything.\n")
        viewers = [
            graphiql.Viewer(label=label, headers={"Authorization": f"Bearer {bearer}"})
            for label, bearer in people.items()
        ]
        logs.configure(settings.log_level, access=settings.access_log)
        made = application(settings, mongodb_uri=uri, page={"viewers": viewers})
        serving.run(listener, made, log_level=settings.log_level, access_log=settings.access_log)


@cli.command()
def serve(
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many processes share the port.")] = 1,
) -> None:
    """The gateway alone, on the MongoDB of MONGODB_URI. SIGTERM ends it when all that was asked is answered."""
    settings = read_settings()
    if settings.jwt_issuer is None or (settings.jwks_url is None) == (settings.jwt_secret is None):
        fail(NO_TOKENS)
    if settings.mongodb_uri is None:
        fail("MONGODB_URI is not set. `serve` runs no database of its own; `python -m app demo` does.\n" + WAYS_OUT)
    with listening(settings) as listener:
        logs.configure(settings.log_level, access=settings.access_log)
        host, port, *_ = listener.getsockname()
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        logs.starting("serve", address=address, workers=workers, database=_without_password(settings.mongodb_uri))
        made = application(settings, mongodb_uri=settings.mongodb_uri) if workers == 1 else "app.main:from_environment"
        serving.run(
            listener,
            made,
            log_level=settings.log_level,
            workers=workers,
            access_log=settings.access_log,
            drain_seconds=settings.drain_seconds,
        )


@cli.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, and end.")] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks for points to expire.")] = 60,
    metrics_port: Annotated[int | None, typer.Option(help="Serve figures for Prometheus on this port.")] = None,
    data: Data = None,
) -> None:
    """Do what falls due: expire points, count the days that are over, send mails, inform the wallet service, export.

    Any number of workers may run.
    """
    from prometheus_client import start_http_server

    from app.worker import Worker

    settings = with_pairs(read_settings(data=data))
    logs.configure(settings.log_level)

    async def work(uri: str) -> bool:
        logs.starting("worker", database=_without_password(uri), metrics_port=metrics_port)
        async with opened(uri, settings) as store, relay(store, settings) as relaying:
            worker = Worker(store, relaying, exporter(store, settings), every, console.print)
            if once:
                return await worker.once()
            await worker.run()
        return True

    if metrics_port:
        start_http_server(metrics_port, settings.host)
    with database(settings) as uri:
        if not run(work(uri)):
            raise typer.Exit(1)


@cli.command()
def seed(
    customers: Annotated[int, typer.Option(min=1, help="How many; each has about 60 activities.")] = 1_000,
    data: Data = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Drop what the database holds first.")] = False,
) -> None:
    """Write sample customers into an empty database."""
    settings = read_settings(data=data)

    async def work(uri: str) -> None:
        async with opened(uri, settings) as store:
            if fresh:
                await store.drop()
            await store_indexes.apply(store)
            if await store.find("customers", {}, limit=1):
                fail("The database holds customers already. Use --fresh to drop them, or another MONGODB_DATABASE.")
            await _seed(store, customers)

    with database(settings) as uri:
        run(work(uri))


@cli.command("import")
def import_(
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="NDJSON, one document a line; - is standard input.")],
    rejects: Annotated[Path | None, typer.Option(help="Where bad lines go. Default: FILE.rejects.ndjson")] = None,
    data: Data = None,
) -> None:
    """Bring in your own data; docs/import.md has the shapes. Twice is the same as once. Exit code 1: some were bad."""
    from app.services.imports import import_lines, lines_of

    settings = read_settings(data=data)
    name = getattr(file, "name", "-")
    rejects = rejects or Path(f"{'stdin' if name in ('-', '<stdin>') else name}.rejects.ndjson")

    async def work(uri: str) -> Any:
        async with opened(uri, settings) as store:
            await store_indexes.apply(store)
            with rejected_to(rejects) as reject, progress("Importing", None) as advance:
                return await import_lines(store, lines_of(file), now=datetime.now(UTC), reject=reject, advance=advance)

    with database(settings) as uri:
        summary = run(work(uri))
    console.print(str(summary))
    if summary.rejected:
        console.print(f"Bad lines, each with its number and reason: {rejects}", soft_wrap=True)
        raise typer.Exit(1)


@cli.command("indexes")
def indexes_(
    check: Annotated[bool, typer.Option("--check", help="Fail if anything differs.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Build what differs.")] = False,
    data: Data = None,
) -> None:
    """Show how collections, validators and indexes differ from what this version declares."""
    settings = read_settings(data=data)

    async def work(uri: str) -> tuple[list[str], list[str]]:
        async with opened(uri, settings) as store:
            if apply:
                await store_indexes.apply(store)
            return await store_indexes.differences(store), await store_indexes.foreign(store)

    with database(settings) as uri:
        differences, others = run(work(uri))
    typer.echo("\n".join(differences) or "Everything is as declared.")
    for name in others:
        typer.echo(f"{name}: not a collection of this gateway, which leaves it alone")
    if check and differences:
        raise typer.Exit(1)


@cli.command()
def rebuild(
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Only compare counted days with their activities, and heads and copies with rows."
        ),
    ] = False,
    data: Data = None,
) -> None:
    """Make again what is copied: what customers are listed by, the heads of their lists, and counted days.

    While the gateway runs, too. The worker counts the days, from two minutes after this.
    """
    from app.services import tallies

    settings = read_settings(data=data)

    async def work(uri: str) -> list[str]:
        async with opened(uri, settings) as store:
            if check:
                days = [f"{day:%Y-%m-%d}" for day in await tallies.differences(store)]
                return [*days, *await heads.differences(store), *await store_indexes.wrong_copies(store)]
            await store_indexes.refresh_copies(store)
            refreshed = await store_indexes.refresh_customers(store, all_of_them=True)
            await heads.forget(store)
            await heads.keep_all(store)
            await store_indexes.forget_days(store)
            await tallies.count_days(store, datetime.now(UTC))
            console.print(f"{refreshed:,} customers refreshed. The worker counts the days.")
            return []

    with database(settings) as uri:
        different = run(work(uri))
    if check:
        typer.echo(
            "\n".join(f"{one}: differs" for one in different)
            or "Every counted day is as its activities, and every head as its lists."
        )
        raise typer.Exit(1 if different else 0)


@cli.command()
def export(
    what: Annotated[What, typer.Argument(help="What to export.")],
    format_: Annotated[ExportFormat, typer.Option("--format", case_sensitive=False)] = ExportFormat.CSV,
    table: Annotated[ReportTable, typer.Option(case_sensitive=False, help="Of the report.")] = ReportTable.DETAILS,
    columns: Annotated[str | None, typer.Option(help="With commas between them. All unless told.")] = None,
    filter_: Annotated[str, typer.Option("--filter", help="JSON: the CustomerFilter or ReportFilter.")] = "{}",
    order_by: Annotated[str, typer.Option(help="JSON: the CustomerOrder.")] = "{}",
    out: Annotated[Path | None, typer.Option(help="The file. Standard output unless told.")] = None,
    data: Data = None,
) -> None:
    """Write customers, or a table of the report, as an administrator of this machine."""
    from app import exporting

    settings = read_settings(data=data)
    chosen = None if columns is None else [name.strip() for name in columns.split(",")]
    try:
        read = json.loads(filter_), json.loads(order_by)
        plan = exporting.plan(None if what == What.CUSTOMERS else table, format_, chosen, *read)
    except (ValueError, Refusal) as unusable:
        fail(f"This cannot be exported: {unusable}")
    done = exporting.Done()

    async def work(uri: str) -> None:
        async with opened(uri, settings) as store:
            with progress("Exporting", await exporting.total(store, plan)) as advance:
                await exporting.write(store, plan, done, out, advance)

    try:
        with database(settings) as uri:
            run(work(uri))
    except KeyboardInterrupt:
        console.print(f"Stopped after {done}. " + ("" if out is None else f"{out} was not written."), soft_wrap=True)
        raise
    console.print(f"{done} written.")


@cli.command()
def schema(
    check: Annotated[Path | None, typer.Option(help="Fail unless this file says the same.")] = None,
    against: Annotated[Path | None, typer.Option(help="Fail if clients of this older schema would break.")] = None,
) -> None:
    """Print the GraphQL schema."""
    from app.sdl import breaking_changes, printed

    if check and check.read_text() != printed():
        fail(f"{check} is not what the code says. Run `make schema` and commit it.")
    if against and (changes := breaking_changes(against.read_text())):
        fail("These changes break clients; deprecate first:\n" + "\n".join(f"  - {change}" for change in changes))
    if not (check or against):
        typer.echo(printed(), nl=False)


@cli.command()
def doctor(data: Data = None) -> None:
    """Say what is set, found and missing."""
    settings = read_settings(data=data)
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = _without_password(str(value)) if value is not None else "(not set)"
        typer.echo(f"{name.upper():26} {shown:34} {field.description}")
    typer.echo(f"{'mongod':26} {find_mongod() or 'not found'}")
    if settings.mongodb_uri is None and find_mongod() is None:
        fail(WAYS_OUT)

    async def work(uri: str) -> list[str]:
        async with opened(uri, settings) as store:
            return await store_indexes.differences(store)

    with database(settings) as uri:
        differences = run(work(uri))
    typer.echo(f"{'mail':26} {'on' if settings.smtp_url else 'off: set SMTP_URL and MAIL_FROM; until then mails wait'}")
    wallet = "on" if settings.wallet_push_url else "off: set WALLET_PUSH_URL and WALLET_PUSH_SECRET; passes still list"
    typer.echo(f"{'wallet':26} {wallet}")
    typer.echo(f"{'database':26} {'as declared' if not differences else 'differs: run `python -m app indexes`'}")


@cli.command()
def token(
    role: Annotated[Role, typer.Option(case_sensitive=False, help="What the bearer may do.")],
    subject: Annotated[str | None, typer.Option(help="Who they are; the role's name unless told.")] = None,
    name: Annotated[str | None, typer.Option(help="What people call them.")] = None,
    customer: Annotated[str | None, typer.Option(help="A customer's id, for the role CUSTOMER.")] = None,
    affiliate: Annotated[str | None, typer.Option(help="An affiliate's id, for the role AFFILIATE.")] = None,
    data: Data = None,
) -> None:
    """Print a token for development, signed with JWT_SECRET (or the demo's own secret), and nothing else."""
    settings = development.settled(read_settings(data=data))
    if role == Role.CUSTOMER and not customer:
        fail("A customer's token needs --customer cus_….")
    if role == Role.AFFILIATE and not affiliate:
        fail("An affiliate's token needs --affiliate ID.")
    typer.echo(
        development.token(settings, role, subject=subject, name=name, customer_id=customer, affiliate_id=affiliate)
    )


@cli.command()
def access() -> None:
    """Print who may read what: roles by field, and by permission."""
    from app.access_table import rows

    for row in rows():
        typer.echo(row)


# ---------------------------------------------------------------- what they share


def loopback_only(settings: Settings) -> Settings:
    if settings.host not in LOOPBACK_HOSTS:
        fail(f"HOST={settings.host} is refused: the demo hands out tokens to whoever asks. Use HOST=127.0.0.1.")
    return settings


@contextmanager
def database(settings: Settings, *, fresh: bool = False) -> Generator[str]:
    """MONGODB_URI, or a mongod of our own for as long as this lasts."""
    if settings.mongodb_uri:
        if fresh:
            fail("--fresh empties the folder of our own MongoDB; with MONGODB_URI there is none.")
        yield settings.mongodb_uri
    else:
        with embedded_mongod(settings.data, fresh=fresh) as uri:
            yield uri


@asynccontextmanager
async def opened(uri: str, settings: Settings) -> AsyncGenerator[Store]:
    logs.configure(settings.log_level)  # to standard error: what a command prints is on the other
    async with Store.open(
        uri,
        settings.mongodb_database,
        driver=settings.mongodb_driver,
        timeout_seconds=settings.request_timeout_seconds,
    ) as store:
        yield store


@contextmanager
def listening(settings: Settings) -> Generator[socket.socket]:
    """The socket, bound before anything slow begins, so that a taken port is said at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as taken:
            taken_by = f"{settings.host}:{settings.port} cannot be listened on ({taken.strerror})."
            fail(f"{taken_by} Try PORT={settings.port + 1}.")
        yield listener


async def _prepare_demo(uri: str, settings: Settings, customers: int) -> None:
    async with opened(uri, settings) as store:
        if await store.find(UNFINISHED, {}, limit=1):
            await store.drop()
        await store_indexes.apply(store)
        if not await store.find("customers", {}, limit=1):
            await _seed(store, customers)


async def _seed(store: Store, customers: int) -> None:
    from app.sample.seed import seed as write
    from app.services.tallies import count_days

    mark = {"_id": "sample"}
    await store.write(UNFINISHED, [ReplaceOne(mark, mark, upsert=True)])
    with progress("Writing sample customers", customers) as advance:
        written = await write(store, customers=customers, now=datetime.now(UTC), advance=advance)
    await count_days(store, datetime.now(UTC), grace=timedelta())  # nobody else writes here yet
    await store.write(UNFINISHED, [DeleteOne(mark)])
    console.print("  " + ", ".join(f"{count:,} {name}" for name, count in written.items() if count))


@contextmanager
def progress(label: str, total: int | None) -> Generator[Callable[[int], None]]:
    columns = TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(label, total=total)
        yield lambda steps: bar.advance(task, steps)


@contextmanager
def rejected_to(path: Path) -> Generator[Callable[[Any], None]]:
    """The file appears with the first bad line; one of an earlier run is gone."""
    path.unlink(missing_ok=True)
    lines: list[Any] = []
    with path.open("w") as out:
        yield lambda reject: lines.append(out.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n"))
    if not lines:
        path.unlink()


def run(work: Awaitable[T]) -> T:
    async def awaited() -> T:
        return await work

    return asyncio.run(awaited())


def fail(message: str) -> NoReturn:
    console.print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(2)


def _without_password(uri: str) -> str:
    scheme, separator, rest = uri.partition("://")
    credentials, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{'…' if credentials else ''}{at}{host}"


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    # Whatever ends us goes through every `finally`, so that what we started stops with us.
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupt)
    try:
        cli()
    except (SettingsError, MongodUnavailable, InboxUnavailable) as unusable:
        console.print(str(unusable), style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except StoreError as unreachable:
        console.print(f"MongoDB: {unreachable}", style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
