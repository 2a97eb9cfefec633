"""The command line."""

import asyncio
import fcntl
import json
import os
import secrets
import shlex
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, BinaryIO, Final, NoReturn, TextIO, TypeVar
from zoneinfo import ZoneInfo

import typer
from graphql import GraphQLError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app import doctor as doctors
from app import logs, serving
from app.demo.executor import executor
from app.demo.inbox import InboxUnavailable
from app.demo.people import development_token, has_secret, with_issuer
from app.demo.people import people as demo_people
from app.demo.sample import SampleUnfinished
from app.domain.access import Role
from app.domain.cells import Layout, Separator, zone_of
from app.domain.ids import is_id_of
from app.domain.refusals import Refusal
from app.domain.times import moment, stored
from app.domain.vocabulary import ExportFormat, ReportTable
from app.environment import Settings, SettingsError, read_settings, with_pairs
from app.http.pages import PageViewer
from app.main import LOOPBACK_HOSTS, application, executors_of, exporter, relay
from app.store import indexes as store_indexes
from app.store import previews, trusted_documents
from app.store.driver import Document, Store, StoreError
from app.store.mongod import MongodUnavailable, embedded_mongod, find_mongod

T = TypeVar("T")

cli = typer.Typer(
    help="The customer gateway.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
documents = typer.Typer(help="Say which documents are trusted: docs/trusted-documents.md.", no_args_is_help=True)
cli.add_typer(documents, name="documents")
webhooks = typer.Typer(help="Say which systems are told of changes: docs/webhooks.md.", no_args_is_help=True)
cli.add_typer(webhooks, name="webhooks")
imports = typer.Typer(help="Show what was imported, and undo it: docs/import.md.", invoke_without_command=True)
cli.add_typer(imports, name="imports")
console = Console(stderr=True, highlight=False)

Data = Annotated[
    Path | None, typer.Option(help="The folder of the MongoDB that we run ourselves. Default: .data/mongodb")
]
Drop = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Drop the database first, whatever it holds. NAME must be its name."),
]


_HAPPENS_SECONDS: Final = 5


class ExportSubject(StrEnum):
    CUSTOMERS = "customers"
    REPORT = "report"


class UnknownTypes(StrEnum):
    LEGACY = "legacy"
    REFUSE = "refuse"


# ---------------------------------------------------------------- commands


@cli.command()
def demo(
    context: typer.Context,
    data: Data = None,
    customers: Annotated[int, typer.Option(min=1, help="How many sample customers a new database gets.")] = 1_000,
    live: Annotated[bool, typer.Option("--live", help="Let something happen every few seconds.")] = False,
    drop: Drop = None,
) -> None:
    """Run a gateway with sample data and a MongoDB of its own: one command, nothing else needed."""
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
    settings = read_settings()
    if faults := [finding.fault for finding in doctors.findings_of(settings) if finding.fault]:
        fail("\n".join(faults))
    assert settings.mongodb_uri  # or there is a finding
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

    from app.services.erase_job import Eraser
    from app.services.merge_job import Mover
    from app.services.request_job import RequestExpiry
    from app.worker import Worker

    settings = with_pairs(read_settings(data=data))
    logs.configure(settings.log_level)

    async def work(uri: str) -> bool:
        logs.starting("worker", database=_without_password(uri), metrics_port=metrics_port)
        async with open_store(uri, settings) as store, relay(store, settings) as relaying:
            worker = Worker(
                store,
                relaying,
                exporter(store, settings),
                Mover(store),
                Eraser(store),
                RequestExpiry(store, executors_of(settings)),
                every,
                console.print,
            )
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


@cli.command("import")
def import_(
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="NDJSON, one document a line; - is standard input.")],
    rejects: Annotated[Path | None, typer.Option(help="Where bad lines go. Default: FILE.rejects.ndjson")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only print what would become of each line. Nothing is written.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the summary on standard output, as JSON.")] = False,
    unknown_types: Annotated[
        UnknownTypes, typer.Option(help="What becomes of activities whose type the catalogue does not have.")
    ] = UnknownTypes.LEGACY,
    data: Data = None,
) -> None:
    """Bring in your own data; docs/import.md has the shapes. Twice is the same as once. Exit code 1: some were bad."""
    from app import exporting
    from app.services.importing import Summary, Verdict, check_lines, count_lines, lines_of
    from app.services.importing.batches import import_batch

    settings = read_settings(data=data)
    name = getattr(file, "name", "-")
    is_input, now = name in ("-", "<stdin>"), datetime.now(UTC)
    # Two that read from standard input in one folder have a file each.
    own = f"stdin.{now:%Y%m%dT%H%M%S}.{os.getpid()}" if is_input else name
    if check and rejects:
        fail("--check writes no rejects: it prints them. Leave --rejects out.")
    rejects = rejects or Path(f"{own}.rejects.ndjson")
    if is_file(rejects, file):
        fail(f"{rejects} is the file to import. Name another one for the rejects.")
    zone, refuses = ZoneInfo(settings.points_time_zone), unknown_types is UnknownTypes.REFUSE

    def show(verdict: Verdict) -> None:
        number, kind, outcome, reason = verdict.number, verdict.kind, verdict.outcome, verdict.reason
        if json_:
            told = {"line": number, "kind": kind, "outcome": outcome.value, "reason": reason or None}
            typer.echo(json.dumps(told, ensure_ascii=False))
        else:
            typer.echo("  ".join(filter(None, (str(number), kind, outcome.lower(), reason))))

    async def work(uri: str, reject: Callable[[Any], None]) -> tuple[str | None, Summary]:
        async with open_store(uri, settings) as store:
            if not check:
                await store_indexes.apply(store)
            label, is_shown = ("Checking", not sys.stdout.isatty()) if check else ("Importing", True)
            with progress(label, count_lines(file), is_shown=is_shown) as advance:
                if check:
                    checked = await check_lines(
                        store,
                        lines_of(file),
                        now=now,
                        on_verdict=show,
                        advance=advance,
                        zone=zone,
                        refuse_unknown_types=refuses,
                    )
                    return None, checked
                return await import_batch(
                    store,
                    lines_of(file),
                    file_name="-" if is_input else Path(name).name,
                    viewer=exporting.ADMINISTRATOR,
                    request_id=secrets.token_hex(8),
                    now=now,
                    reject=reject,
                    advance=advance,
                    zone=zone,
                    refuse_unknown_types=refuses,
                )

    with rejects_file(None if check else rejects) as reject, database(settings) as uri:
        batch_id, summary = run(work(uri, reject))
    written = str(rejects) if summary.rejected and not check else None
    if json_:
        told = {"id": batch_id, "isCheck": check, **summary.as_json(), "rejects": written}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        console.print(f"{batch_id or 'Nothing was written.'}\n{summary}", markup=False, soft_wrap=True)
        if written:
            console.print(f"Bad lines, each with its number and reason: {written}", markup=False, soft_wrap=True)
    if summary.rejected:
        raise typer.Exit(1)


def _print_lines(data: Path | None, read: Callable[[Store], Awaitable[list[str]]], *, otherwise: str) -> None:
    settings = read_settings(data=data)

    async def work(uri: str) -> list[str]:
        async with open_store(uri, settings) as store:
            return await read(store)

    with existing_database(settings) as uri:
        typer.echo("\n".join(run(work(uri))) or otherwise)


@imports.callback()
def list_imports(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    data: Data = None,
) -> None:
    """Show the newest imports: id, when it began, lines, file, and what became of the lines."""
    from app.services.importing.batches import newest

    if context.invoked_subcommand:
        return
    _print_lines(data, lambda store: newest(store, limit), otherwise="Nothing was imported yet.")


@imports.command("parked")
def list_parked(
    limit: Annotated[int, typer.Option(min=1, help="How many identities, those that wait longest first.")] = 20,
    data: Data = None,
) -> None:
    """Show which lines wait for customers whom nobody knows yet: identity by identity."""
    from app.services.importing.parking import waiting_for

    _print_lines(data, lambda store: waiting_for(store, limit), otherwise="Nothing waits.")


@imports.command("drop-parked")
def drop_parked(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The source of the identity.")],
    source_id: Annotated[str, typer.Argument(metavar="ID", help="What the source calls the customer.")],
    data: Data = None,
) -> None:
    """Drop the lines that wait for a customer, and print how many those were. It is in the audit log."""
    from app import exporting
    from app.domain.import_forms import Identity
    from app.services.audit import AuditTrail
    from app.services.importing.parking import drop

    settings = read_settings(data=data)

    async def work(uri: str) -> int:
        async with open_store(uri, settings) as store:
            now = stored(datetime.now(UTC))
            audit = AuditTrail(exporting.ADMINISTRATOR, "dropParked", secrets.token_hex(8), now)
            return await drop(store, Identity(source, source_id), audit)

    with existing_database(settings) as uri:
        dropped = run(work(uri))
    if not dropped:
        fail(f"Nothing waits for {Identity(source, source_id)}. Nothing was dropped.")
    typer.echo(dropped)


@imports.command("undo")
def undo_import(
    batch: Annotated[str, typer.Argument(metavar="ID", help="The id of the import, imp_….")], data: Data = None
) -> None:
    """Take back what an import wrote, as far as nothing followed, and say what stays. The import must have ended."""
    from app import exporting
    from app.services.importing.undo import undo

    settings = read_settings(data=data)

    async def work(uri: str) -> str:
        async with open_store(uri, settings) as store:
            now = stored(datetime.now(UTC))
            return str(await undo(store, batch, exporting.ADMINISTRATOR, secrets.token_hex(8), now))

    with existing_database(settings) as uri:
        try:
            typer.echo(run(work(uri)))
        except Refusal as refusal:
            fail(f"{refusal} Nothing was changed.")


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
    settings = read_settings(data=data)

    async def work(uri: str) -> tuple[list[str], list[str]]:
        async with open_store(uri, settings) as store:
            if apply:
                await store_indexes.apply(store)
            if prune:
                for name in await store_indexes.prune(store):
                    console.print(f"{name}: dropped", markup=False)
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
            ordered = await repairs.put_statuses_in_order(store, datetime.now(UTC))
            console.print(f"{len(found.stale):,} ledgers walked anew, {len(found.broken):,} left as they are.")
            console.print(f"{ordered:,} histories of statuses put in order.")
            await store_indexes.refresh_copies(store)
            refreshed = await store_indexes.refresh_customers(store, all_of_them=True)
            await previews.drop_all(store)
            await previews.refresh_stale(store)
            await store_indexes.forget_days(store)
            await daily_counts.count_days(store, datetime.now(UTC))
            console.print(f"{refreshed:,} customers refreshed. The worker counts the days.")
            return [], []

    with existing_database(settings) as uri:
        different, miscopied = run(work(uri))
    if check:
        typer.echo(
            "\n".join(f"{one}: differs" for one in different)
            or "Every counted day is as its activities, and every preview as its lists."
        )
        for customer_id in miscopied:
            console.print(f"{customer_id}: what customers are listed by differs", markup=False, soft_wrap=True)
        raise typer.Exit(1 if different or miscopied else 0)


def tell_ledgers(customer_ids: Sequence[str]) -> None:
    for customer_id in customer_ids:
        console.print(f"{customer_id}: the points are not what their entries leave", markup=False, soft_wrap=True)


@cli.command()
def export(
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
    done = exporting.Done()

    async def work(uri: str, file: BinaryIO) -> None:
        async with open_store(uri, settings) as store:
            with progress("Exporting", await exporting.total(store, plan)) as advance:
                await exporting.write(store, plan, done, file, advance)

    try:
        with usable_file(out, lambda: exporting.open_out(out)) as file, existing_database(settings) as uri:
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

    async def work(uri: str) -> doctors.Finding:
        async with open_store(uri, settings) as store:
            return await doctors.finding_of_database(store)

    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = "(not set)" if value is None else _without_password(str(value))
        mark = "set" if name in settings.model_fields_set else ""
        typer.echo(f"{name.upper():26} {mark:4} {shown:34} {field.description}")
    mongod = find_mongod()
    typer.echo(f"{'mongod':26} {'':4} {mongod or 'not found'}\n")
    findings = [*doctors.findings_of(settings)]
    if settings.mongodb_uri or (mongod and (settings.data / "db").exists()):
        with database(settings) as uri:
            findings.append(run(work(uri)))
    for finding in findings:
        typer.echo(f"{finding.subject:26} {'BAD ' if finding.fault else 'ok  '} {finding.fault or finding.state}")
    raise typer.Exit(1 if any(finding.fault for finding in findings) else 0)


@documents.command("load")
def load_documents(
    file: Annotated[Path, typer.Argument(help="A manifest of Apollo, of Relay, or of the client preset.")],
    data: Data = None,
) -> None:
    """Bring in a manifest of trusted documents. Twice is the same as once. Exit code 1: some were bad."""
    from app import manifests

    settings = read_settings(data=data)
    try:
        entries = manifests.read(text_of(file))
    except manifests.BadManifest as bad:
        fail(f"{file} is not a manifest: {bad}. Nothing was loaded.")

    async def work(uri: str) -> manifests.Loaded:
        async with open_store(uri, settings) as store:
            await store_indexes.apply(store)
            return await manifests.load(store, entries, settings, datetime.now(UTC))

    with database(settings) as uri:
        loaded = run(work(uri))
    for label, reason in loaded.faults:
        console.print(f"{label}: {reason}", style="red", markup=False, soft_wrap=True)
    console.print(f"{loaded.new:,} documents loaded, {loaded.known:,} were known, {len(loaded.faults):,} are bad.")
    if loaded.faults:
        raise typer.Exit(1)


@documents.command("list")
def list_documents(data: Data = None) -> None:
    """Print the trusted documents: the hash of each, its operations, when it was loaded, and its other ids."""
    settings = read_settings(data=data)

    async def work(uri: str) -> list[Document]:
        async with open_store(uri, settings) as store:
            return await trusted_documents.every(store)

    with existing_database(settings) as uri:
        found = run(work(uri))
    for each in found:
        typer.echo(_line_of(each))


@documents.command("drop")
def drop_documents(
    name_or_id: Annotated[str, typer.Argument(metavar="NAME|ID", help="An id, or the name of an operation.")],
    data: Data = None,
) -> None:
    """Make a document unknown again: the one with this id or, without one, all with an operation of this name.

    Running gateways execute it for another minute.
    """
    settings = read_settings(data=data)

    async def work(uri: str) -> list[Document]:
        async with open_store(uri, settings) as store:
            return await trusted_documents.drop(store, name_or_id.removeprefix("sha256:"))

    with existing_database(settings) as uri:
        dropped = run(work(uri))
    if not dropped:
        fail(f"No trusted document has the id {name_or_id}, or an operation of this name. Nothing was dropped.")
    for each in dropped:
        typer.echo(_line_of(each))


def _line_of(document: Document) -> str:
    """Returns a line to read: what another program needs of it stands first."""
    others = [key for key in document["keys"] if key != document["_id"]]
    names = ",".join(document["operations"]) or "-"
    return "  ".join((f"sha256:{document['_id']}", names, f"{document['loadedAt']:%Y-%m-%dT%H:%M:%SZ}", *others))


@webhooks.command("list")
def list_webhooks(data: Data = None) -> None:
    """Print the webhook endpoints: id, whether it is told anything, name, address, and why it is not."""
    settings = read_settings(data=data)

    async def work(uri: str) -> list[Document]:
        async with open_store(uri, settings) as store:
            return await store.find("webhookEndpoints", {}, sort={"createdAt": 1, "_id": 1})

    with existing_database(settings) as uri:
        found = run(work(uri))
    for each in found:
        typer.echo(
            "  ".join((*(each[key] for key in ("_id", "status", "name", "url")), each.get("disabledReason", "")))
        )


@webhooks.command("create")
def create_webhook(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    url: Annotated[str, typer.Argument(help="The address to post to, https://.")],
    types: Annotated[list[str] | None, typer.Argument(help="Codes of activity types. Default: everything.")] = None,
    data: Data = None,
) -> None:
    """Make a webhook endpoint, and print its id and its secret, which is shown this once."""
    from app.services import webhooks as service

    given = {"name": name, "url": url, "types": types or []}
    wrote, secret = change_webhooks(data, lambda of, key: service.create(of, given, key=key))
    typer.echo(f"{wrote['webhookEndpoint']}  {secret}")


Endpoint = Annotated[str, typer.Argument(metavar="ID", help="The id of the endpoint, whe_….")]


@webhooks.command("rotate")
def rotate_webhook(endpoint: Endpoint, data: Data = None) -> None:
    """Print another secret of an endpoint, shown this once. The one before it signs, too, until the next rotation."""
    from app.services import webhooks as service

    _, secret = change_webhooks(data, lambda of, key: service.rotate(of, endpoint, drop_old=False, key=key))
    typer.echo(secret)


@webhooks.command("disable")
def disable_webhook(endpoint: Endpoint, data: Data = None) -> None:
    """Make an endpoint be told nothing any more. What waits for it is given up."""
    from app.services import webhooks as service

    change_webhooks(data, lambda of, key: service.update(of, endpoint, {"enabled": False}, key=key))


@webhooks.command("redeliver")
def redeliver_webhooks(
    endpoint: Endpoint,
    from_: Annotated[str, typer.Argument(metavar="FROM", help="A time such as 2026-01-31T09:30:00Z.")],
    to: Annotated[str, typer.Argument(metavar="TO", help="The time before which it ends.")],
    data: Data = None,
) -> None:
    """Make the messages of a window of time be sent to an endpoint once more, and print how many those are."""
    from app.services import webhooks as service

    try:
        window = moment(from_), moment(to)
    except (ValueError, OverflowError):
        fail("Give times with their offset, such as 2026-01-31T09:30:00Z.")
    _, count = change_webhooks(data, lambda of, key: service.redeliver(of, endpoint, *window, key=key))
    typer.echo(count)


def change_webhooks(data: Path | None, change: Callable[[Any, str], Awaitable[T]]) -> T:
    """Returns the result of a change that an administrator of this machine makes; it is in the audit log."""
    from app import exporting
    from app.services.changes import Changes, CustomerLocks

    settings = read_settings(data=data)

    async def work(uri: str) -> T:
        async with open_store(uri, settings) as store:
            now, request_id = stored(datetime.now(UTC)), secrets.token_hex(8)
            return await change(Changes(store, CustomerLocks(), exporting.ADMINISTRATOR, now, request_id), request_id)

    with existing_database(settings) as uri:
        try:
            return run(work(uri))
        except Refusal as refusal:
            fail(f"{refusal} Nothing was changed.")


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
def database(settings: Settings, *, drop: str | None = None) -> Generator[str]:
    """Yields the URI of a server: MONGODB_URI, or a mongod of our own for as long as this lasts.

    ``drop`` names the database that is dropped first; nothing is done where that is not the name in the settings.
    """
    name = settings.mongodb_database
    if drop not in (None, name):
        fail(f"--drop {drop} is not the name of the database, which is {name}. Nothing was dropped.")
    with nullcontext(settings.mongodb_uri) if settings.mongodb_uri else embedded_mongod(settings.data) as uri:
        if drop:
            run(_drop(uri, settings))
        yield uri


@asynccontextmanager
async def open_store(uri: str, settings: Settings) -> AsyncGenerator[Store]:
    logs.configure(settings.log_level)  # to standard error: what a command prints is on the other
    async with Store.open(
        uri,
        settings.mongodb_database,
        driver=settings.mongodb_driver,
        timeout_seconds=settings.request_timeout_seconds,
    ) as store:
        yield store


async def _drop(uri: str, settings: Settings) -> None:
    async with open_store(uri, settings) as store:
        await store.drop()
    console.print(f"The database {settings.mongodb_database} was dropped.")


@contextmanager
def existing_database(settings: Settings) -> Generator[str]:
    """Yields what `database` yields; fails where there are no data and the command has nothing to do."""
    if not (settings.mongodb_uri or (settings.data / "db").exists()):
        fail(f"There is no database in {settings.data}. Name another folder (--data), or set MONGODB_URI.")
    with database(settings) as uri:
        yield uri


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


def is_given(context: typer.Context, option: str) -> bool:
    """Returns whether the option stands on the command line, with its default value or another."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


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


@contextmanager
def progress(label: str, total: int | None, *, is_shown: bool = True) -> Generator[Callable[[int], None]]:
    columns = TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not is_shown) as bar:
        task = bar.add_task(label, total=total)
        yield lambda steps: bar.advance(task, steps)


@contextmanager
def rejects_file(path: Path | None) -> Generator[Callable[[Any], None]]:
    """Writes a line for each bad one, at once. The file appears with the first; that of an earlier import is renamed.

    Fails before any work where another file is in the way, or another import writes to it. Without a path nothing is
    written.
    """
    if path is None:
        yield lambda rejected: None
        return
    with usable_file(path, lambda: path.open("a+", encoding="utf-8")) as earlier:
        _lock(earlier, path)
        earlier.seek(0)
        if not _is_of_rejects(line := earlier.readline()):
            fail(f"{path} exists, and is not the rejects file of an import. Name another file with --rejects.")
        if line:
            written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            kept = path.with_stem(f"{path.stem}.{written_at:%Y%m%dT%H%M%S.%f}.{os.getpid()}")
            path.rename(kept)
            console.print(f"The bad lines of an earlier import are now in {kept}.", markup=False, soft_wrap=True)
    with usable_file(path, lambda: path.open("a+", encoding="utf-8", buffering=1)) as out:
        _lock(out, path)
        os.fchmod(out.fileno(), 0o600)  # bad lines hold personal data as good ones do
        written = 0

        def reject(rejected: Any) -> None:
            nonlocal written
            written += out.write(json.dumps(asdict(rejected), ensure_ascii=False) + "\n")

        try:
            yield reject
        finally:
            if not written:
                path.unlink()


def _lock(file: TextIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail(f"Another import writes its bad lines to {path}. Name another file with --rejects.")


def is_file(path: Path, file: BinaryIO) -> bool:
    """Returns whether the input is the file of that path, also where a shell has opened it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except OSError:  # there is none, or it is no file
        return False


def _is_of_rejects(line: str) -> bool:
    """Whether a file that begins with this line is empty, or was written by an import."""
    try:
        return not line or json.loads(line).keys() == {"line", "reason", "input"}
    except (ValueError, AttributeError):
        return False


@contextmanager
def usable_file(path: Path | None, open_file: Callable[[], AbstractContextManager[T]]) -> Generator[T]:
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open_file())
        except OSError as impossible:
            fail(f"{path} cannot be written: {impossible.strerror}.")
        yield file


def text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as unreadable:
        fail(f"{path} cannot be read: {getattr(unreadable, 'strerror', None) or 'it is not UTF-8'}.")


def run(work: Awaitable[T]) -> T:
    async def awaited() -> T:
        return await work

    return asyncio.run(awaited())


def command(words: str) -> str:
    """Returns the command line that calls this very program, to be copied from a message."""
    python = Path(sys.executable)
    return f"{python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python} -m app {words}"


def fail(message: str) -> NoReturn:
    console.print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(2)


def _without_password(uri: str) -> str:
    scheme, separator, rest = uri.partition("://")
    credentials, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{'…' if credentials else ''}{at}{host}"


class Terminated(KeyboardInterrupt):
    """Raised when SIGTERM arrives: `serve` and `worker` end well by it, any other command was interrupted."""


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


async def _happen(store: Store) -> None:
    from app.demo.happenings import happen

    await happen(store, _HAPPENS_SECONDS)


def main() -> None:
    # Whatever ends us goes through every `finally`, so that what we started stops with us.
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
    for ending in (signal.SIGTERM, signal.SIGHUP):
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
        console.print(f"MongoDB: {unreachable}", style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
