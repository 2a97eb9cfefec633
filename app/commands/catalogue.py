"""The commands about a company's own catalogue: docs/catalogue.md."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.catalogue import OURS, OWN, BadCatalogue, OwnCatalogue, read_own
from app.commands.console import Data, console, database, fail, open_store, run
from app.environment import read_settings
from app.services.catalogue import VersionTaken, apply

catalogue = typer.Typer(
    help="Say which types of activity there are besides ours: docs/catalogue.md.", no_args_is_help=True
)


@catalogue.command("check")
def check_catalogue(file: Annotated[Path, typer.Argument(help="The file, TOML.")]) -> None:
    """Say whether a catalogue of your own can be used, and all that is wrong with it. Exit code 2: it cannot."""
    try:
        own = read_own(file)
    except BadCatalogue as bad:
        fail("\n".join(bad.sentences))
    typer.echo(_summary(own))


@catalogue.command("apply")
def apply_catalogue(data: Data = None) -> None:
    """Make what is stored follow the catalogue of CATALOGUE: legacy activities whose type is known by now, and groups.

    While the gateway runs, too. Start it with the same file before.
    """
    settings = read_settings(data=data)
    if settings.catalogue is None:
        fail("CATALOGUE is not set: there is nothing to apply but ours, which `indexes --apply` does.")

    async def work(uri: str) -> int:
        async with open_store(uri, settings) as store:
            return await apply(store, OWN, datetime.now(UTC))

    with database(settings) as uri:
        try:
            changed = run(work(uri))
        except VersionTaken as taken:
            fail(str(taken))
    console.print(_summary(OWN), markup=False)
    typer.echo(f"{changed:,} activities have another group, audience or state than before.")


def _summary(own: OwnCatalogue) -> str:
    languages = sorted({language for titles in own.titles.values() for language in titles})
    parts = [f"{len(own.rows):,} types besides the {len(OURS):,} of the gateway"]
    if own.fields:
        parts.append(f"{len(own.fields):,} fields of customers")
    if languages:
        parts.append(f"titles of {len(own.titles):,} of the gateway's types in {', '.join(languages)}")
    return f"Version {own.version}: {'; '.join(parts)}."
