"""Resolves the one search box."""

from typing import Annotated, cast

import strawberry

from app.domain.cursors import size_of
from app.schema.base import Info, ShortList, Source
from app.schema.filters import search_term
from app.schema.search import SearchHit

_AT_MOST = 200


async def search(
    info: Info,
    text: Annotated[str, strawberry.argument(description="The text, as it is typed; at most 200 characters.")],
    first: ShortList = 20,
) -> list[SearchHit] | None:
    term, size = search_term("text", text, at_most=_AT_MOST), size_of(first)
    return cast(Source, await info.context.loaders.search.hits(term, info.context.phone_region, size) if size else [])
