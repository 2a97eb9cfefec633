"""The command that compares a source's file with what is here: docs/import.md."""

import json
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from app.commands.console import (
    Data,
    MappingFile,
    TimeZoneOfExport,
    existing_database,
    fail,
    open_store,
    progress,
    run,
)
from app.environment import read_settings


def reconcile(
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="The source's file; - is standard input.")],
    mapping: MappingFile = None,
    timezone: TimeZoneOfExport = None,
    json_: Annotated[bool, typer.Option("--json", help="Print it as one JSON object.")] = False,
    data: Data = None,
) -> None:
    """Say what of a source's file is missing here or differs, and what it lacks. Exit code 1: they differ."""
    from app.commands.rows import mapped_rows, tell_rows
    from app.services.importing.lines import count_lines, lines_of_file
    from app.services.importing.reconciling import Reconciliation
    from app.services.importing.reconciling import reconcile as compare
    from app.services.importing.rows import UnreadableExport

    settings = read_settings(data=data)
    rows = mapped_rows(file, mapping, timezone)
    lines = rows or lines_of_file(file)

    async def work(uri: str) -> Reconciliation:
        async with open_store(uri, settings) as store:
            with progress("Comparing", None if rows else count_lines(file)) as advance:
                zone = ZoneInfo(settings.points_time_zone)
                return await compare(store, lines, now=datetime.now(UTC), zone=zone, advance=advance)

    with existing_database(settings) as uri:
        try:
            found = run(work(uri))
        except UnreadableExport as unreadable:
            fail(f"The file cannot be read on: {unreadable} Nothing was compared.")
    if json_:
        typer.echo(json.dumps({**found.as_json(), **(rows.as_json() if rows else {})}, ensure_ascii=False))
    else:
        if rows:
            tell_rows(rows)
        typer.echo(str(found))
    if not found.is_equal:
        raise typer.Exit(1)
