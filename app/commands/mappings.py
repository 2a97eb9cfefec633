"""The commands about mappings: docs/import.md."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import console, fail

mappings = typer.Typer(help="Try mappings of other systems' exports: docs/import.md.", no_args_is_help=True)
File = Annotated[Path, typer.Argument(metavar="MAPPING", help="The mapping, TOML.")]


@mappings.command("check")
def check_mapping(path: File) -> None:
    """Say whether a mapping can be used, and all that is wrong with it. Exit code 2: it cannot."""
    from app.commands.rows import mapping_of

    mapping = mapping_of(path)
    typer.echo(f"{mapping.system}: {mapping.reads}, as {mapping.source}.")


@mappings.command("try")
def try_mapping(
    path: File,
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="The export; - is standard input.")],
    timezone: Annotated[str | None, typer.Option(help="Where times are that have no offset.")] = None,
) -> None:
    """Print the lines that a mapping makes of an export, and import nothing. Exit code 1: some rows were bad."""
    from app.commands.rows import mapping_of, tell_rows
    from app.services.importing.rows import MappedLines, UnreadableExport

    lines, bad = MappedLines(file, mapping_of(path, timezone)), 0
    try:
        for line in lines:
            if line.problem:
                bad += 1
                console.print(f"{line.row}: {line.problem}", style="red", markup=False, soft_wrap=True)
            else:
                typer.echo(line.decode(), nl=False)
    except UnreadableExport as unreadable:
        fail(f"The export cannot be read on: {unreadable}")
    tell_rows(lines)
    if bad:
        raise typer.Exit(1)
