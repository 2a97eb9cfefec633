"""All that the fields of one level wait for, in one call for each kind of thing."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

from app.domain.paging import Slice
from app.loaders.loader import Reads, Wanted

if TYPE_CHECKING:
    from app.execution.run import Run, Waiting


async def values_of(run: "Run", level: Sequence["Waiting"]) -> list[Any]:
    """What each of a level has waited for; an exception is a value here."""
    values: list[Any] = [waiting.value for waiting in level]
    wanted: dict[Reads, list[int]] = defaultdict(list)
    others: list[int] = []
    for index, value in enumerate(values):
        if value.__class__ is Wanted:
            wanted[value.loader].append(index)
        else:
            others.append(index)

    jobs: list[Any] = []
    places: list[list[int]] = []
    pages: Any = run.context.loaders.pages if wanted else None
    for loader, indexes in wanted.items():
        keys = [values[index].key for index in indexes]
        # Beside strangers who may ask for the same, the tick's end is waited for: one command for all of them.
        is_promised = others and loader is not pages
        jobs.append(_gathered([loader.promise(key) for key in keys]) if is_promised else loader.load_all(keys))
        places.append(indexes)
    if others:
        jobs.append(_gathered([values[index] for index in others]))
        places.append(others)
    if pages:
        pages.ahead, pages.customer_keys = _ahead(run, level), run.plan.customer_keys
    try:
        found = [await jobs[0]] if len(jobs) == 1 else await asyncio.gather(*jobs)
    finally:
        if pages:
            pages.ahead = ()
    for indexes, results in zip(places, found, strict=True):
        for index, result in zip(indexes, results, strict=True):
            values[index] = _then(values[index], result)
    return values


def _ahead(run: "Run", level: Sequence["Waiting"]) -> list[Slice]:
    """What the edges of the customers to come will ask, if only one field is waiting for any who have edges."""
    try:
        waiting = [field for field in {slot.field for slot, *_ in level} if field.edges]
    except GraphQLError:  # a directive among them cannot be judged: told where it stands
        return []
    asked = [run.asked(edge) for field in waiting for edge in field.edges] if len(waiting) == 1 else []
    return [*dict.fromkeys(slice_ for slice_ in asked if isinstance(slice_, Slice))]


def _then(wanted: Any, found: Any) -> Any:
    if isinstance(found, Exception) or wanted.__class__ is not Wanted or wanted.then is None:
        return found
    try:
        return wanted.then(found)
    except Exception as error:
        return error


async def _gathered(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    """What becomes of each; an exception is a value here, unless it ends everything."""
    if len(awaitables) == 1:
        try:
            return [await awaitables[0]]
        except Exception as error:
            return [error]
    found = await asyncio.gather(*awaitables, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException) and not isinstance(each, Exception):
            raise each
    return found
