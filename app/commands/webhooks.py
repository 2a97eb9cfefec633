"""The commands about webhook endpoints."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from app.commands.console import Data, existing_database, fail, open_store, run
from app.domain.access import ADMINISTRATOR
from app.domain.refusals import Refusal
from app.domain.times import moment, stored
from app.environment import read_settings
from app.store.driver import Document

T = TypeVar("T")

webhooks = typer.Typer(help="Say which systems are told of changes: docs/webhooks.md.", no_args_is_help=True)


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
    from app.services.changes import Changes, CustomerLocks

    settings = read_settings(data=data)

    async def work(uri: str) -> T:
        async with open_store(uri, settings) as store:
            now, request_id = stored(datetime.now(UTC)), secrets.token_hex(8)
            return await change(Changes(store, CustomerLocks(), ADMINISTRATOR, now, request_id), request_id)

    with existing_database(settings) as uri:
        try:
            return run(work(uri))
        except Refusal as refusal:
            fail(f"{refusal} Nothing was changed.")
