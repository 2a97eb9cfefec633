"""The commands that bring data in, and show and undo what was brought in."""

import fcntl
import gc
import json
import os
import secrets
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TextIO
from zoneinfo import ZoneInfo

import typer

from app.commands.console import (
    Data,
    MappingFile,
    TimeZoneOfExport,
    console,
    database,
    existing_database,
    fail,
    open_store,
    print_lines,
    progress,
    run,
    usable_file,
)
from app.domain.access import ADMINISTRATOR
from app.domain.refusals import Refusal
from app.domain.times import stored
from app.environment import read_settings
from app.store import indexes

_NICENESS = 10
_LANES = 3

imports = typer.Typer(help="Show what was imported, and undo it: docs/import.md.", invoke_without_command=True)


class UnknownTypes(StrEnum):
    LEGACY = "legacy"
    REFUSE = "refuse"


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
    strict: Annotated[
        bool, typer.Option("--strict", help="Reject a customer for one bad value. Else it costs itself only.")
    ] = False,
    mapping: MappingFile = None,
    timezone: TimeZoneOfExport = None,
    correct: Annotated[
        bool, typer.Option("--correct", help="Let a source tell history anew; the timeline says what was corrected.")
    ] = False,
    lanes: Annotated[
        int | None,
        typer.Option(min=1, max=8, help="How many groups of customers at a time. Default: 3, with --nice-ratio 1."),
    ] = None,
    nice_ratio: Annotated[
        float,
        typer.Option(
            min=0, max=100, help="Rest so many times as long as each 50 lines took, for those who are served meanwhile."
        ),
    ] = 0,
    data: Data = None,
) -> None:
    """Bring in your own data; docs/import.md has the shapes. Twice is the same as once. Exit code 1: some were bad."""
    from app.commands.rows import mapped_rows, tell_rows
    from app.services.importing import (
        HAD_BEEN_PARKED,
        ImportOptions,
        Pace,
        Summary,
        Verdict,
        check_lines,
    )
    from app.services.importing.batches import import_batch
    from app.services.importing.lines import count_lines, lines_of
    from app.services.importing.rows import UnreadableExport

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
    rows = mapped_rows(file, mapping, timezone)
    options = ImportOptions(
        zone=ZoneInfo(settings.points_time_zone),
        strict=strict,
        corrects=correct,
        refuses_unknown_types=unknown_types is UnknownTypes.REFUSE,
        lanes=lanes or (1 if nice_ratio else _LANES),
        pace=Pace(nice_ratio),
    )

    def show(verdict: Verdict) -> None:
        number, kind, outcome, reason = verdict.number, verdict.kind, verdict.outcome, verdict.reason
        if json_:
            told = {
                "line": number,
                "kind": kind,
                "outcome": outcome.value,
                "reason": reason or None,
                "warnings": verdict.warnings,
            }
            typer.echo(json.dumps(told, ensure_ascii=False))
        else:
            typer.echo("  ".join(filter(None, (str(number), kind, outcome.lower(), reason, *verdict.warnings))))

    async def work(uri: str, reject: Callable[[Any], None]) -> tuple[str | None, Summary]:
        tune_process()
        async with open_store(uri, settings) as store:
            if not check:
                await indexes.apply(store)
            label, is_shown = ("Checking", not sys.stdout.isatty()) if check else ("Importing", True)
            with progress(label, None if rows else count_lines(file), is_shown=is_shown) as advance:
                if check:
                    checked = await check_lines(
                        store,
                        lines_of(file, rows),
                        now=now,
                        on_verdict=show,
                        advance=advance,
                        options=options,
                    )
                    return None, checked
                return await import_batch(
                    store,
                    lines_of(file, rows),
                    file_name="-" if is_input else Path(name).name,
                    viewer=ADMINISTRATOR,
                    request_id=secrets.token_hex(8),
                    now=now,
                    reject=reject,
                    warn=reject,
                    advance=advance,
                    options=options,
                )

    with rejects_file(None if check else rejects) as write, database(settings) as uri:

        def reject(rejected: Any) -> None:
            # The line of one that had been parked counts in the file that it came with.
            if rows and not getattr(rejected, "reason", "").endswith(HAD_BEEN_PARKED):
                rejected = replace(rejected, input=rows.raw(rejected.line, rejected.input))
            write(rejected)

        try:
            batch_id, summary = run(work(uri, reject))
        except UnreadableExport as unreadable:
            before = "Nothing was written." if check else "What came before it is imported."
            fail(f"{name} cannot be read on: {unreadable} {before}")
        except KeyboardInterrupt:
            stays = "What was brought in stays; the same command again brings in the rest."
            console.print(f"Stopped. {'Nothing was written.' if check else stays}", soft_wrap=True)
            raise
    written = str(rejects) if not check and rejects.exists() else None
    if json_:
        told = {"id": batch_id, "isCheck": check, **summary.as_json(), "rejects": written}
        told |= rows.as_json() if rows else {}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        console.print(f"{batch_id or 'Nothing was written.'}\n{summary}", markup=False, soft_wrap=True)
        if rows:
            tell_rows(rows)
        if written:
            console.print(f"Bad lines, each with its number and reason: {written}", markup=False, soft_wrap=True)
    if summary.rejected:
        raise typer.Exit(1)


def tune_process() -> None:
    """Lets others go first, as customers are on the phone with those who are served, and freezes what exists.

    With Python's own ways a sixth of our time is spent on looking for garbage, of which lines leave little.
    """
    os.nice(_NICENESS)
    gc.collect()
    gc.freeze()


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
    print_lines(data, lambda store: newest(store, limit), otherwise="Nothing was imported yet.")


@imports.command("parked")
def list_parked(
    limit: Annotated[int, typer.Option(min=1, help="How many identities, those that wait longest first.")] = 20,
    data: Data = None,
) -> None:
    """Show which lines wait for customers whom nobody knows yet: identity by identity."""
    from app.services.importing.parking import waiting_for

    print_lines(data, lambda store: waiting_for(store, limit), otherwise="Nothing waits.")


@imports.command("drop-parked")
def drop_parked(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The source of the identity.")],
    source_id: Annotated[str, typer.Argument(metavar="ID", help="What the source calls the customer.")],
    data: Data = None,
) -> None:
    """Drop the lines that wait for a customer, and print how many those were. It is in the audit log."""
    from app.domain.import_forms import Identity
    from app.services.audit import AuditTrail
    from app.services.importing.parking import drop

    settings = read_settings(data=data)

    async def work(uri: str) -> int:
        async with open_store(uri, settings) as store:
            now = stored(datetime.now(UTC))
            audit = AuditTrail(ADMINISTRATOR, "dropParked", secrets.token_hex(8), now)
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
    from app.services.importing.undo import undo

    settings = read_settings(data=data)

    async def work(uri: str) -> str:
        async with open_store(uri, settings) as store:
            now = stored(datetime.now(UTC))
            return str(await undo(store, batch, ADMINISTRATOR, secrets.token_hex(8), now))

    with existing_database(settings) as uri:
        try:
            typer.echo(run(work(uri)))
        except Refusal as refusal:
            fail(f"{refusal} Nothing was changed.")


@contextmanager
def rejects_file(path: Path | None) -> Generator[Callable[[Any], None]]:
    """Writes a line for each bad one, at once. A file without one is removed; that of an earlier import is renamed.

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
    from app.services.importing import LINES_OF_REJECTS

    try:
        return not line or json.loads(line).keys() in LINES_OF_REJECTS
    except (ValueError, AttributeError):
        return False
