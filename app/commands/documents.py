"""The commands about trusted documents."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import Data, console, database, existing_database, fail, open_store, run, text_of
from app.environment import read_settings
from app.store import indexes, trusted_documents
from app.store.driver import Document

documents = typer.Typer(help="Say which documents are trusted: docs/trusted-documents.md.", no_args_is_help=True)


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
            await indexes.apply(store)
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
