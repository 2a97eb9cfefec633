"""The commands for the day on which a backup is restored: docs/operations.md."""

import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import typer

from app.commands.console import Data, console, existing_database, fail, open_store, run, text_of, usable_out
from app.domain.access import ADMINISTRATOR
from app.domain.times import stored
from app.environment import read_settings
from app.services.executors import executors_of

erasures = typer.Typer(help="Keep outside who was erased, and erase them again after a restore.", no_args_is_help=True)


def restored(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The database's name: what waits in it is given up.")],
    data: Data = None,
) -> None:
    """Make a restored database safe to serve, before anything else runs: what may have been sent is not sent again.

    Mails, wallet messages and requests that waited when the backup was made are given up, for people to look at.
    """
    from app.services.restoring import make_safe

    settings = read_settings(data=data)
    if name != settings.mongodb_database:
        fail(f"{name} is not the name of the database, which is {settings.mongodb_database}. Nothing was changed.")

    async def work(uri: str) -> None:
        async with open_store(uri, settings) as store:
            done = await make_safe(store, executors_of(settings.request_executors))
        typer.echo(f"Given up: {done.mails:,} mails, {done.pushes:,} wallet messages, {done.requests:,} requests.")
        typer.echo(f"Numbers of changes were skipped for {done.customers:,} customers.")

    with existing_database(settings) as uri:
        run(work(uri))


_NOT_AN_EXPORT: Final = "{file} is not what `erasures export` prints: {reason}"


def _lines_of(file: Path) -> list[Any]:
    try:
        return [json.loads(line) for line in text_of(file).splitlines()]
    except ValueError:
        fail(_NOT_AN_EXPORT.format(file=file, reason="a line is not JSON. Nothing was changed."))


@erasures.command("export")
def export_erasures(
    out: Annotated[
        Path | None, typer.Option(help="The file, replaced once the new one is whole. Default: standard output.")
    ] = None,
    data: Data = None,
) -> None:
    """Write who was erased, a line each: ids and hashes, and nothing else of them. Keep it where no backup goes.

    Whom the file named before stays in it, also where the database does not know of it yet, after a restore.
    """
    from app.services.restoring import BadErasure, erasures

    settings = read_settings(data=data)
    earlier = _lines_of(out) if out and out.is_file() else []

    async def work(uri: str, file: BinaryIO) -> None:
        async with open_store(uri, settings) as store:
            async for line in erasures(store, earlier):
                file.write(json.dumps(line).encode() + b"\n")

    with usable_out(out) as file, existing_database(settings) as uri:
        try:
            run(work(uri, file))
        except BadErasure as unusable:
            fail(_NOT_AN_EXPORT.format(file=out, reason=unusable))


@erasures.command("replay")
def replay_erasures(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `erasures export` printed.")], data: Data = None
) -> None:
    """Erase again whom a restore has brought back; it may be done twice. Exit code 1: somebody is left, or may be."""
    from app.services.changes import Changes, CustomerLocks, DeliveryPolicy
    from app.services.restoring import BadErasure, is_whole, replay

    settings = read_settings(data=data)
    lines = _lines_of(file)

    async def work(uri: str) -> dict[str, str]:
        left: dict[str, str] = {}
        erased = 0
        async with open_store(uri, settings) as store:
            policy = replace(DeliveryPolicy(), executors=executors_of(settings.request_executors))
            for line in lines:
                now, request_id = stored(datetime.now(UTC)), secrets.token_hex(8)
                of = Changes(store, CustomerLocks(), ADMINISTRATOR, now, request_id, policy)
                done = await replay(of, line)
                erased += len(done.erased)
                left.update(done.left)
        typer.echo(f"Erased again: {erased:,}. The worker takes what is personal out of their rows.")
        return left

    with existing_database(settings) as uri:
        try:
            left = run(work(uri))
        except BadErasure as unusable:
            fail(_NOT_AN_EXPORT.format(file=file, reason=unusable))
    for customer_id, why in left.items():
        console.print(f"{customer_id} is not erased: {why}", markup=False, soft_wrap=True)
    if not (whole := is_whole(lines)):
        console.print(
            f"{file} is not whole: it does not end with the number of its lines, and whoever else was erased is still "
            "there. Replay the file that was kept before it, too.",
            markup=False,
            soft_wrap=True,
        )
    raise typer.Exit(1 if left or not whole else 0)
