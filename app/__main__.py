"""The command line."""

import signal

if __name__ == "__main__":  # the modules below take half a second, in which Ctrl-C ends the process and says nothing
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import asyncio
import errno
import json
import os
import shlex
import socket
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, BinaryIO, Final, TypeVar

import typer
from graphql import GraphQLError

from app import doctor as doctors
from app import logs
from app.commands.catalogue import catalogue
from app.commands.console import (
    Data,
    Drop,
    command,
    console,
    database,
    existing_database,
    fail,
    is_given,
    open_store,
    progress,
    run,
    text_of,
    usable_out,
    without_password,
)
from app.commands.documents import documents
from app.commands.imports import import_, imports
from app.commands.mappings import mappings
from app.commands.reconcile import reconcile
from app.commands.restoring import erasures, restored
from app.commands.shard import shard
from app.commands.webhooks import webhooks
from app.demo.executor import executor
from app.demo.inbox import InboxUnavailable
from app.demo.people import development_token, has_secret, with_issuer
from app.demo.people import people as demo_people
from app.demo.sample import SampleUnfinished
from app.domain.access import Role
from app.domain.cells import Layout, Separator, zone_of
from app.domain.ids import is_id_of
from app.domain.refusals import Refusal
from app.domain.vocabulary import ExportFormat, ReportTable
from app.environment import LOOPBACK_HOSTS, Settings, SettingsError, near_misses, read_settings, with_pairs
from app.http.pages import PageViewer
from app.store import indexes as store_indexes
from app.store import previews
from app.store.driver import Document, Store, StoreError, plain_words
from app.store.mongod import MongodUnavailable, find_mongod

T = TypeVar("T")

cli = typer.Typer(
    help="The customer gateway.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
cli.add_typer(documents, name="documents")
cli.add_typer(webhooks, name="webhooks")
cli.add_typer(imports, name="imports")
cli.add_typer(mappings, name="mappings")
cli.add_typer(catalogue, name="catalogue")
cli.command("shard")(shard)
cli.add_typer(erasures, name="erasures")

_HAPPENS_SECONDS: Final = 5
_ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Errors of the file that is written to: it is full, or may not grow."""


class ExportSubject(StrEnum):
    CUSTOMERS = "customers"
    REPORT = "report"


# ---------------------------------------------------------------- commands


@cli.callback()
def say_near_misses(context: typer.Context) -> None:
    """Say which variables are probably misspelled settings. What logs for long says so in its log."""
    if context.invoked_subcommand not in ("serve", "worker"):
        for hint in near_misses(os.environ):
            console.print(hint, style="yellow", markup=False, soft_wrap=True)


@cli.command()
def demo(
    context: typer.Context,
    data: Data = None,
    customers: Annotated[int, typer.Option(min=1, help="How many sample customers a new database gets.")] = 1_000,
    live: Annotated[bool, typer.Option("--live", help="Let something happen every few seconds.")] = False,
    drop: Drop = None,
) -> None:
    """Run a gateway with sample data and a MongoDB of its own: one command, nothing else needed."""
    from app import serving
    from app.main import application

    everybody = " ".join(Role)  # whatever role one takes in GraphiQL, its manual is there
    settings = loopback_only(with_issuer(read_settings(data=data, introspection_roles=everybody)))
    with listening(settings) as listener, database(settings, drop=drop) as uri:
        if not run(_prepare_demo(uri, settings, customers)) and is_given(context, "customers"):
            console.print(f"  --customers {customers} is ignored: the database has its customers already.")
        people = demo_people(settings)
        address = f"http://{settings.host}:{listener.getsockname()[1]}"
        console.print(f"\n  The desk, one customer on one screen:  [bold]{address}/desk[/bold]")
        console.print(f"  GraphiQL, with nine examples to play:  [bold]{address}/graphql[/bold]")
        if settings.smtp_url is None:
            console.print(f"  The mails that it sends arrive at  [bold]{address}/demo/inbox[/bold]")
        console.print(f"  In both you can be: {', '.join(people)}.", soft_wrap=True)
        own = "" if data is None else f" --data {shlex.quote(str(data))}"
        console.print(f"  A token for other programs: {command('token --role admin' + own)}", soft_wrap=True)
        console.print("  Ctrl-C stops everything.\n")
        viewers = [
            PageViewer(label=label, headers={"Authorization": f"Bearer {bearer}"}) for label, bearer in people.items()
        ]
        logs.configure(settings.log_level, access=settings.access_log)
        folder = settings.data if settings.mongodb_uri is None else None
        with executor(address, folder) if settings.request_executors is None else nullcontext() as file:
            if file:
                settings = settings.model_copy(update={"request_executors": file})
            made = application(settings, mongodb_uri=uri, page={"viewers": viewers}, beside=_happen if live else None)
            serving.run(
                listener,
                made,
                log_level=settings.log_level,
                access_log=settings.access_log,
                max_head_bytes=settings.max_head_bytes,
                max_body_bytes=settings.max_body_bytes,
            )


@cli.command()
def serve(
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many processes share the port.")] = 1,
) -> None:
    """Run the gateway alone, on the MongoDB of MONGODB_URI. SIGTERM ends it when all requests are answered."""
    from app import serving
    from app.main import application

    settings = read_settings()
    if faults := [finding.fault for finding in doctors.findings_of(settings) if finding.fault]:
        fail("\n".join(faults))
    assert settings.mongodb_uri  # or there is a finding
    with listening(settings) as listener:
        logs.configure(settings.log_level, access=settings.access_log)
        host, port, *_ = listener.getsockname()
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        logs.starting("serve", address=address, workers=workers, database=without_password(settings.mongodb_uri))
        logs.hints("serve", near_misses(os.environ))
        made = application(settings, mongodb_uri=settings.mongodb_uri) if workers == 1 else "app.main:from_environment"
        with suppress(Terminated):  # it works until it is told to end
            serving.run(
                listener,
                made,
                log_level=settings.log_level,
                workers=workers,
                access_log=settings.access_log,
                drain_seconds=settings.drain_seconds,
                max_head_bytes=settings.max_head_bytes,
                max_body_bytes=settings.max_body_bytes,
            )


@cli.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, and end.")] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks for points to expire.")] = 60,
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Serve figures for Prometheus on this port.")
    ] = None,
    data: Data = None,
) -> None:
    """Do what falls due: expire points, count the days that are over, send mails, inform the wallet service, export.

    Any number of workers may run.
    """
    from prometheus_client import start_http_server

    from app.main import exporter, relay
    from app.services.erase_job import Eraser
    from app.services.executors import executors_of
    from app.services.merge_job import Mover
    from app.services.request_job import RequestExpiry
    from app.worker import Worker

    settings = with_pairs(read_settings(data=data))
    logs.configure(settings.log_level)

    async def work(uri: str) -> bool:
        logs.starting("worker", database=without_password(uri), metrics_port=metrics_port)
        logs.hints("worker", near_misses(os.environ))
        async with open_store(uri, settings, waits=not once) as store, relay(store, settings) as relaying:
            worker = Worker(
                store,
                relaying,
                exporter(store, settings),
                Mover(store),
                Eraser(store),
                RequestExpiry(store, executors_of(settings.request_executors)),
                every,
                console.print,
            )
            with ending_in_order():
                if once:
                    return await worker.once()
                await worker.run()
        return True

    if metrics_port:
        try:
            start_http_server(metrics_port, settings.host)
        except (OSError, UnicodeError) as taken:
            reason = doctors.address_fault(settings) or getattr(taken, "strerror", None) or taken
            fail(f"--metrics-port {metrics_port} cannot be listened on: {reason}. Name another port.")
    with existing_database(settings) as uri:
        try:
            done = run(work(uri))
        except Terminated:
            if once:
                raise
            done = True  # it works until it is told to end
        if not done:
            raise typer.Exit(1)


@cli.command()
def seed(
    customers: Annotated[int, typer.Option(min=1, help="How many; each has about 60 activities.")] = 1_000,
    data: Data = None,
    drop: Drop = None,
) -> None:
    """Write sample customers into an empty database, or complete what an interrupted `seed` or `demo` began."""
    settings = read_settings(data=data)

    async def work(uri: str) -> bool:
        async with open_store(uri, settings) as store:
            return await _seed(store, customers)

    with database(settings, drop=drop) as uri:
        if not run(work(uri)):
            fail(
                f"The database {settings.mongodb_database} holds customers already, and sample customers go into an "
                "empty one only. Nothing was written. Set MONGODB_DATABASE to another name."
            )


cli.command("import")(import_)
cli.command()(restored)
cli.command("reconcile")(reconcile)


@cli.command("indexes")
def indexes_(
    check: Annotated[bool, typer.Option("--check", help="Fail if anything differs.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Build what differs.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Drop the indexes that only earlier versions need. None of them may run.")
    ] = False,
    data: Data = None,
) -> None:
    """Show how collections, validators and indexes differ from what this version declares."""
    settings, failed = read_settings(data=data), set[str]()

    async def work(uri: str) -> tuple[list[str], list[str]]:
        async with open_store(uri, settings) as store:
            if apply:
                failed.update(await store_indexes.apply(store))
            if prune:
                for name in await store_indexes.prune(store):
                    console.print(f"{name}: dropped", markup=False)
            return await store_indexes.differences(store), await store_indexes.foreign(store)

    with database(settings) as uri:
        differences, others = run(work(uri))
    typer.echo("\n".join(differences) or "Everything is as declared.")
    for name in others:
        typer.echo(f"{name}: not a collection of this gateway, which leaves it alone")
    tell_not_refreshed(failed)
    if failed or (check and differences):
        raise typer.Exit(1)


@cli.command()
def rebuild(
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Only compare counted days with their activities, and previews and copies with rows."
        ),
    ] = False,
    data: Data = None,
) -> None:
    """Make again what is copied: what customers are listed and found by, the previews of their lists, and counted days.

    Also what versions before this one left otherwise: balances that were reckoned in the order of arrival, and changes
    of status of one moment. While the gateway runs, too. The worker counts the days, from two minutes after this.
    """
    from app.services import daily_counts, repairs

    settings = read_settings(data=data)

    async def work(uri: str) -> tuple[list[str], list[str]]:
        async with open_store(uri, settings) as store:
            if check:
                days = [f"{day:%Y-%m-%d}" for day in await daily_counts.differences(store)]
                found = await repairs.ledgers(store)
                tell_ledgers([*found.stale, *found.broken])
                different = [*days, *(await previews.differences(store)), *found.stale, *found.broken]
                return different, await store_indexes.wrong_copies(store)
            found = await repairs.walk_ledgers(store, datetime.now(UTC))
            tell_ledgers(found.broken)
            await repairs.date_steps_of_imports(store, datetime.now(UTC))
            ordered = await repairs.put_statuses_in_order(store, datetime.now(UTC))
            console.print(f"{len(found.stale):,} ledgers walked anew, {len(found.broken):,} left as they are.")
            console.print(f"{ordered:,} histories of statuses put in order.")
            failed = await store_indexes.refresh_copies(store)
            refreshed = await store_indexes.refresh_customers(store, all_of_them=True)
            failed |= refreshed.failed
            await previews.drop_all(store)
            await previews.refresh_stale(store)
            await store_indexes.forget_days(store)
            await daily_counts.count_days(store, datetime.now(UTC))
            console.print(f"{refreshed.made:,} customers refreshed. The worker counts the days.")
            return [*found.broken], sorted(failed)

    with existing_database(settings) as uri:
        different, miscopied = run(work(uri))
    if check:
        typer.echo(
            "\n".join(f"{one}: differs" for one in different)
            or "Every counted day is as its activities, and every preview as its lists."
        )
        for customer_id in miscopied:
            console.print(f"{customer_id}: what customers are listed by differs", markup=False, soft_wrap=True)
    else:
        tell_not_refreshed(miscopied)
    raise typer.Exit(1 if different or miscopied else 0)


def tell_not_refreshed(customer_ids: Iterable[str]) -> None:
    for customer_id in sorted(customer_ids):
        console.print(
            f"{customer_id}: what customers are listed by could not be made again; see the log above.",
            markup=False,
            soft_wrap=True,
        )


def tell_ledgers(customer_ids: Sequence[str]) -> None:
    for customer_id in customer_ids:
        console.print(f"{customer_id}: the points are not what their entries leave", markup=False, soft_wrap=True)


@cli.command()
def export(
    context: typer.Context,
    what: Annotated[ExportSubject, typer.Argument(help="What to export.")],
    format_: Annotated[ExportFormat, typer.Option("--format", case_sensitive=False)] = ExportFormat.CSV,
    table: Annotated[ReportTable, typer.Option(case_sensitive=False, help="Of the report.")] = ReportTable.DETAILS,
    columns: Annotated[str | None, typer.Option(help="With commas between them. Default: all.")] = None,
    filter_: Annotated[str, typer.Option("--filter", help="JSON: the CustomerFilter or ReportFilter.")] = "{}",
    order_by: Annotated[str, typer.Option(help="JSON: the CustomerOrder.")] = "{}",
    out: Annotated[Path | None, typer.Option(help="The file. Default: standard output.")] = None,
    separator: Annotated[
        Separator, typer.Option(case_sensitive=False, help="Between the cells of CSV.")
    ] = Separator.COMMA,
    bom: Annotated[bool, typer.Option("--bom", help="Begin CSV with the mark that some spreadsheets want.")] = False,
    time_zone: Annotated[
        str | None, typer.Option(help="Write times in this zone, such as Europe/Berlin. Default: UTC.")
    ] = None,
    data: Data = None,
) -> None:
    """Write customers, or a table of the report, as an administrator of this machine."""
    from app import exporting

    settings = read_settings(data=data)
    chosen = None if columns is None else [name.strip() for name in columns.split(",")]
    try:
        read = json.loads(filter_), json.loads(order_by)
        layout = Layout(separator, bom, None if time_zone is None else zone_of(time_zone))
        plan = exporting.plan(None if what == ExportSubject.CUSTOMERS else table, format_, chosen, *read, layout)
    except (ValueError, Refusal) as unusable:
        fail(f"This cannot be exported: {unusable}")
    for option, of in (("table", ExportSubject.REPORT), ("order_by", ExportSubject.CUSTOMERS)):
        if what != of and is_given(context, option):
            fail(f"This cannot be exported: --{option.replace('_', '-')} is an option of `export {of}`.")
    done = exporting.Done()

    async def work(uri: str, file: BinaryIO) -> None:
        async with open_store(uri, settings) as store:
            with progress("Exporting", await exporting.total(store, plan)) as advance:
                await exporting.write(store, plan, done, file, advance)

    try:
        with usable_out(out) as file, existing_database(settings) as uri:
            run(work(uri, file))
    except KeyboardInterrupt:
        console.print(f"Stopped after {done}. " + ("" if out is None else f"{out} was not written."), soft_wrap=True)
        raise
    console.print(f"{done} written.")


@cli.command()
def schema(
    check: Annotated[Path | None, typer.Option(help="Fail unless this file says the same.")] = None,
    against: Annotated[Path | None, typer.Option(help="Fail if clients of this older schema would break.")] = None,
    subgraph: Annotated[bool, typer.Option("--subgraph", help="Print it as a subgraph of Federation 2.")] = False,
) -> None:
    """Print the GraphQL schema."""
    from app.sdl import breaking_changes, printed, printed_subgraph

    if check and text_of(check) != printed():
        fail(f"{check} is not what the code says. Run `make schema` and commit it.")
    try:
        changes = breaking_changes(text_of(against)) if against else []
    except GraphQLError as wrong:
        fail(f"{against} is not a GraphQL schema: {wrong.message}")
    if changes:
        fail("These changes break clients; deprecate first:\n" + "\n".join(f"  - {change}" for change in changes))
    if not (check or against):
        typer.echo(printed_subgraph() if subgraph else printed(), nl=False)


@cli.command()
def doctor(data: Data = None) -> None:
    """Say what is set, found and missing, and what would keep `serve` from its work. Exit code 1: something would."""
    settings = read_settings(data=data)

    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = "(not set)" if value is None else without_password(str(value))
        mark = "set" if name in settings.model_fields_set else ""
        typer.echo(f"{name.upper():26} {mark:4} {shown:34} {field.description}")
    mongod = find_mongod()
    typer.echo(f"{'mongod':26} {'':4} {mongod or 'not found'}\n")
    findings = [*doctors.findings_of(settings)]
    if settings.mongodb_uri or (mongod and (settings.data / "db").exists()):
        with database(settings) as uri:
            findings.append(run(doctors.finding_of_database(open_store(uri, settings))))
    for finding in findings:
        typer.echo(f"{finding.subject:26} {'BAD ' if finding.fault else 'ok  '} {finding.fault or finding.state}")
    raise typer.Exit(1 if any(finding.fault for finding in findings) else 0)


@cli.command()
def token(
    role: Annotated[Role, typer.Option(case_sensitive=False, help="What the bearer may do.")],
    subject: Annotated[str | None, typer.Option(help="Who they are. Default: the role's name.")] = None,
    name: Annotated[str | None, typer.Option(help="What people call them. Default: the role's name.")] = None,
    customer: Annotated[
        str | None, typer.Option(metavar="ID|NUMBER", help="Which customer, for the role CUSTOMER.")
    ] = None,
    affiliate: Annotated[str | None, typer.Option(help="An affiliate's id, for the role AFFILIATE.")] = None,
    data: Data = None,
) -> None:
    """Print a token for development, signed with JWT_SECRET (or the demo's own secret), and nothing else."""
    settings = read_settings(data=data)
    if not (settings.jwks_url or settings.jwt_secret or has_secret(settings)):
        fail(
            f"There is no secret in {settings.data}: start the demo once, name its folder (--data), or set JWT_SECRET."
        )
    settings = with_issuer(settings)
    if role == Role.CUSTOMER and not customer:
        fail("A customer's token needs --customer, an id (cus_…) or a number.")
    if role == Role.AFFILIATE and not affiliate:
        fail("An affiliate's token needs --affiliate ID.")
    if customer and not is_id_of("customers", customer):
        customer = _customer_id(settings, customer)
    typer.echo(
        development_token(settings, role, subject=subject, name=name, customer_id=customer, affiliate_id=affiliate)
    )


def _customer_id(settings: Settings, number: str) -> str:
    async def work(uri: str) -> list[Document]:
        async with open_store(uri, settings) as store:
            return await store.find("customers", {"number": number}, fields={"_id": 1})

    with existing_database(settings) as uri:
        found = run(work(uri))
    if not found:
        fail(f"No customer has the number {number} in the database {settings.mongodb_database}.")
    return found[0]["_id"]


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
def listening(settings: Settings) -> Generator[socket.socket]:
    """Yields the socket, bound before anything slow begins, so that a taken port is reported at once."""
    if fault := doctors.address_fault(settings):
        fail(fault)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as taken:
            other = settings.port + 1 if 1024 <= settings.port < 65_535 else 8000
            fail(f"{settings.host}:{settings.port} cannot be listened on ({taken.strerror}). Try PORT={other}.")
        yield listener


async def _prepare_demo(uri: str, settings: Settings, customers: int) -> bool:
    async with open_store(uri, settings) as store:
        return await _seed(store, customers)


async def _seed(store: Store, customers: int) -> bool:
    """Writes the sample into an empty database, or what is missing of one; False where there are other customers."""
    from app.demo.sample.seed import complete, unfinished
    from app.demo.sample.seed import seed as write
    from app.services.daily_counts import count_days

    await store_indexes.apply(store)
    mark = await unfinished(store)
    if mark is None and await store.find("customers", {}, limit=1):
        return False
    now = datetime.now(UTC)
    label, total = ("Writing sample customers", customers) if mark is None else ("Completing the sample", None)
    with progress(label, total) as advance:
        if mark is None:
            written = await write(store, customers=customers, now=now, advance=advance)
        else:
            written = await complete(store, mark, advance)
    await count_days(store, now, grace=timedelta())  # nobody else writes here yet
    console.print("  " + ", ".join(f"{count:,} {name}" for name, count in written.items() if count))
    return True


class Terminated(KeyboardInterrupt):
    """Raised when SIGTERM arrives: `serve` and `worker` end well by it, any other command was interrupted."""


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


@contextmanager
def ending_in_order() -> Generator[None]:
    """Has a signal cancel the running task, so that what it has under way may end: a mail is noted that was just taken.

    Raises afterwards what the signal raises elsewhere. A second one acts at once.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    endings = [ending for ending in _ENDINGS if signal.getsignal(ending) is _interrupt]
    received: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        handle(_interrupt)
        received.append(number)
        if task:
            loop.call_soon_threadsafe(task.cancel)

    def handle(handler: Callable[[int, FrameType | None], None]) -> None:
        for ending in endings:
            signal.signal(ending, handler)

    handle(end)
    try:
        yield
    except asyncio.CancelledError:
        if not received:
            raise
        _interrupt(received[0], None)
    finally:
        handle(_interrupt)


async def _happen(store: Store) -> None:
    from app.demo.happenings import happen

    await happen(store, _HAPPENS_SECONDS)


def main() -> None:
    # Whatever ends us goes through every `finally`, so that what we started stops with us. Not by Python's own handler:
    # asyncio replaces that one, and a command that waits for lines of its input would not hear the first Ctrl-C.
    for ending in _ENDINGS:
        if ending != signal.SIGHUP or signal.getsignal(ending) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(ending, _interrupt)
    try:
        cli()
    except SampleUnfinished:
        console.print(
            "An older version began to write sample customers here and did not finish. Nothing was written. "
            "Set MONGODB_DATABASE to another name, or drop this database by typing its name: --drop NAME.",
            style="red",
            soft_wrap=True,
        )
        sys.exit(2)
    except (SettingsError, MongodUnavailable, InboxUnavailable) as unusable:
        console.print(str(unusable), style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except StoreError as unreachable:
        console.print(f"MongoDB: {plain_words(unreachable)}", style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except OSError as failed:
        if failed.errno not in _FULL:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what could not be written is not tried again at the exit
        console.print(f"What was to be written could not be: {failed.strerror}.", style="red", soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        for ending in _ENDINGS:  # all is done: what Python and the driver do at the exit needs no `finally` of ours
            if signal.getsignal(ending) is not signal.SIG_IGN:
                signal.signal(ending, signal.SIG_DFL)


if __name__ == "__main__":
    main()
