"""Reads all that the fields of one level wait for, in one call for each kind of thing."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from graphql import GraphQLError

from app.domain.activities import uncatalogued_sources
from app.domain.paging import PageRequest, Prefetch
from app.execution.slots import Completion, PendingValue
from app.loaders.loader import Deferred, Reader


async def values_of(
    run: Completion, level: Sequence[PendingValue], customer_fields: frozenset[str] | None
) -> list[Any]:
    """Returns what each of a level has waited for; an exception is a value here."""
    values: list[Any] = [each.value for each in level]
    deferred: dict[Reader, list[int]] = defaultdict(list)
    others: list[int] = []
    for index, value in enumerate(values):
        if value.__class__ is Deferred:
            deferred[value.loader].append(index)
        else:
            others.append(index)

    jobs: list[Any] = []
    places: list[list[int]] = []
    if deferred:
        prefetch, pages = Prefetch(_pages_to_come(run, level), customer_fields), run.context.loaders.pages
        for loader, indexes in deferred.items():
            keys = [values[index].key for index in indexes]
            if others and loader is not pages:
                # Strangers may ask for the same: the tick's end is waited for, for one command for all of them.
                jobs.append(_gathered([loader.promise(key, prefetch) for key in keys]))
            else:
                jobs.append(loader.load_all(keys, prefetch))
            places.append(indexes)
    if others:
        jobs.append(_gathered([values[index] for index in others]))
    found = [await jobs[0]] if len(jobs) == 1 else await asyncio.gather(*jobs)
    if others:
        for index, result in zip(others, found.pop(), strict=True):
            values[index] = result
    for indexes, results in zip(places, found, strict=True):
        for index, result in zip(indexes, results, strict=True):
            then = values[index].then
            values[index] = result if then is None else _then(then, result)
    return values


def _pages_to_come(run: Completion, level: Sequence[PendingValue]) -> tuple[PageRequest, ...]:
    """Returns what edges of the customers to come will ask, if only one waiting field has any with edges."""
    try:
        fields = [field for field in {slot.field for slot, *_ in level} if field.edges]
    except GraphQLError:  # a directive among them cannot be judged: told where it stands
        return ()
    asked = [run.shared_page(edge) for field in fields for edge in field.edges] if len(fields) == 1 else []
    page_requests = dict.fromkeys(page_request for page_request in asked if isinstance(page_request, PageRequest))
    return tuple(
        page_request for page_request in page_requests if not uncatalogued_sources(page_request.selection)
    )  # may have to be refused


def _then(then: Callable[[Any], Any], found: Any) -> Any:
    """Returns the field's value; an exception is a value here."""
    if isinstance(found, Exception):
        return found
    try:
        return then(found)
    except Exception as error:
        return error


async def _gathered(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    """Returns what becomes of each; an exception is a value here, unless it ends everything."""
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
