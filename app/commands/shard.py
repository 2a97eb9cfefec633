"""The command about a sharded cluster: docs/scale.md."""

import json
from typing import Annotated

import typer

from app.commands.console import Data, database, fail, open_store, run
from app.environment import read_settings
from app.store import sharding
from app.store.shards import SHARDS, Whole


def shard(
    plan: Annotated[bool, typer.Option("--plan", help="Print the commands, as mongosh takes them.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Send them to the cluster of MONGODB_URI.")] = False,
    data: Data = None,
) -> None:
    """Say where each collection lies on a sharded cluster, and shard what is to be: docs/scale.md."""
    if plan == apply:
        fail("Say --plan to see the commands, or --apply to send them.")
    settings = read_settings(data=data)
    name = settings.mongodb_database
    if plan:
        for on_admin, command in sharding.plan(name):
            told = json.dumps(command)
            typer.echo(
                f"db.adminCommand({told})" if on_admin else f"db.getSiblingDB({json.dumps(name)}).runCommand({told})"
            )
        for collection, placed in SHARDS.items():
            if isinstance(placed, Whole):
                typer.echo(f"// {collection} stays whole. {placed.reason}")
        return

    async def work(uri: str) -> list[str]:
        async with open_store(uri, settings) as store:
            return await sharding.apply(store, name)

    with database(settings) as uri:
        try:
            sharded = run(work(uri))
        except sharding.NoRouter as none:
            fail(str(none))
    typer.echo("\n".join(f"{each}: sharded" for each in sharded))
