"""Ways in to anything that has an id."""

import asyncio
from typing import Annotated, cast

import strawberry

from app.domain.cursors import MAXIMUM_SIZE
from app.domain.ids import collection_of
from app.domain.refusals import BadUserInput
from app.schema.base import Info, Node, Source


async def node(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="The id, with its kind in front.")],
) -> Node | None:
    return await _load(info, id)


async def nodes(
    info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="At most 100 ids, of any kinds.")]
) -> list[Node | None]:
    if len(ids) > MAXIMUM_SIZE:
        raise BadUserInput(f"At most {MAXIMUM_SIZE} ids may be asked for at once; there are {len(ids)}.", "ids")
    # An id that cannot be costs its own place in the list, not its neighbours'.
    return cast(Source, await asyncio.gather(*(_load(info, each) for each in ids), return_exceptions=True))


async def _load(info: Info, node_id: str) -> Source:
    collection_of(node_id)
    return await info.context.loaders.documents.load(node_id)
