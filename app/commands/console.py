"""What commands share: how they open a database, say how far they are, and fail."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, nullcontext
from errno import EISDIR
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app import logs
from app.environment import Settings, read_settings, reads_aside
from app.store.driver import Store, until_it_is_there
from app.store.mongod import embedded_mongod

T = TypeVar("T")

console = Console(stderr=True, highlight=False)
Data = Annotated[
    Path | None, typer.Option(help="The folder of the MongoDB that we run ourselves. Default: .data/mongodb")
]
MappingFile = Annotated[
    Path | None, typer.Option(help="A mapping, by which FILE is another system's own export: docs/import.md.")
]
TimeZoneOfExport = Annotated[
    str | None, typer.Option(help="Where times of that export are that have no offset, such as Europe/Berlin.")
]
Drop = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Drop the database first, whatever it holds. NAME must be its name."),
]
_SECRET_OPTION: Final = re.compile(
    r"([?&;][^=&;]*(?:password|passphrase|properties|token|secret|apikey|api_key|signature)[^=&;]*=)[^&;]*",
    re.IGNORECASE,
)
"""An option of an address whose value is a secret: tlsCertificateKeyFilePassword, or the session token of AWS."""


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
async def open_store(uri: str, settings: Settings, *, waits: bool = False) -> AsyncGenerator[Store]:
    """Yields the store of a server that can be used; ``waits`` until there is one. Raises StoreError."""
    logs.configure(settings.log_level)  # to standard error: what a command prints is on the other
    async with Store.open(
        uri,
        settings.mongodb_database,
        driver=settings.mongodb_driver,
        timeout_seconds=settings.request_timeout_seconds,
        reports=reads_aside(settings),
    ) as store:
        await (until_it_is_there(store.check_server) if waits else store.check_server)()
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


def print_lines(data: Path | None, read: Callable[[Store], Awaitable[list[str]]], *, otherwise: str) -> None:
    settings = read_settings(data=data)

    async def work(uri: str) -> list[str]:
        async with open_store(uri, settings) as store:
            return await read(store)

    with existing_database(settings) as uri:
        typer.echo("\n".join(run(work(uri))) or otherwise)


@contextmanager
def progress(label: str, total: int | None, *, is_shown: bool = True) -> Generator[Callable[[int], None]]:
    columns = TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not is_shown) as bar:
        task = bar.add_task(label, total=total)
        yield lambda steps: bar.advance(task, steps)


@contextmanager
def usable_file(path: Path | None, open_file: Callable[[], AbstractContextManager[T]]) -> Generator[T]:
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open_file())
        except OSError as impossible:
            fail(f"{path} cannot be written: {impossible.strerror}.")
        yield file


def usable_out(out: Path | None) -> AbstractContextManager[BinaryIO]:
    """Returns what opens the file to write to, or standard output, and fails with a sentence where it cannot."""
    return usable_file(out, lambda: _open_out(out))


@contextmanager
def _open_out(out: Path | None) -> Generator[BinaryIO]:
    """Yields the file to write to, or standard output. Raises OSError.

    ``out`` appears when it is whole; until then what was there is kept.
    """
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()  # a full disk is noticed before the command says that it is done
        return
    if out.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(out))
    part = out.with_name(f"{out.name}.part")
    try:
        # It holds what only its owner may read, whatever the mask of the shell says.
        with open(part, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            os.fchmod(file.fileno(), 0o600)  # one that was left there keeps its mode when it is opened
            yield file
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as unreadable:
        fail(f"{path} cannot be read: {getattr(unreadable, 'strerror', None) or 'it is not UTF-8'}.")


def is_given(context: typer.Context, option: str) -> bool:
    """Returns whether the option stands on the command line, with its default value or another."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def run(work: Awaitable[T]) -> T:
    async def awaited() -> T:
        return await work

    return asyncio.run(awaited())


def command(words: str) -> str:
    """Returns the command line that calls this very program, to be copied from a message."""
    python = Path(sys.executable)
    return f"{python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python} -m app {words}"


def without_password(uri: str) -> str:
    """Returns the address without what it lets in by: user and password, and options that hold secrets."""
    scheme, separator, rest = uri.partition("://")
    credentials, at, host = rest.rpartition("@")
    options = _SECRET_OPTION.sub(r"\1…", host)
    return f"{scheme}{separator}{'…' if credentials else ''}{at}{options}"


def fail(message: str) -> NoReturn:
    console.print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(2)
