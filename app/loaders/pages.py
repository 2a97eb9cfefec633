"""Pages and counts of any listing, for any number of parents."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeVar

from app.domain.listings import REPORT
from app.domain.paging import Page, Selection, Slice
from app.loaders.gate import Gate
from app.loaders.report import type_totals
from app.store import pages
from app.store.driver import Document, Store

T = TypeVar("T", Slice, Selection)


async def pages_of(store: Store, gate: Gate, keys: Sequence[tuple[str, Slice]]) -> Mapping[tuple[str, Slice], Page]:
    """One command per distinct slice. The parents were admitted, so their rows need only be masked."""

    async def read(slice_: Slice, parents: list[str]) -> list[Page]:
        found = await pages.read_pages(store, slice_, parents)
        collection = slice_.selection.listing.collection
        return [_page(parent, slice_, gate.masked(collection, found[parent])) for parent in parents]

    read_all = await asyncio.gather(*(read(slice_, parents) for slice_, parents in _by_second(keys).items()))
    return {(page.parent, page.slice): page for group in read_all for page in group}


async def counts_of(store: Store, keys: Sequence[tuple[str, Selection]]) -> Mapping[tuple[str, Selection], int]:
    """One command per distinct selection. Zero where there is nothing."""

    async def count(selection: Selection, parents: list[str]) -> dict[tuple[str, Selection], int]:
        if selection.listing is REPORT:
            totals = await type_totals(store, [selection.where])
            return {(parent, selection): sum(totals[selection.where].values()) for parent in parents}
        found = await pages.count(store, selection, parents)
        return {(parent, selection): found.get(parent, 0) for parent in parents}

    counted = await asyncio.gather(*(count(selection, parents) for selection, parents in _by_second(keys).items()))
    return {key: number for group in counted for key, number in group.items()}


def _by_second(keys: Sequence[tuple[str, T]]) -> Mapping[T, list[str]]:
    parents: dict[T, list[str]] = defaultdict(list)
    for parent, asked in keys:
        parents[asked].append(parent)
    return parents


def _page(parent: str, slice_: Slice, found: list[Document]) -> Page:
    """``found`` has one row too many, at the far end, where there are more."""
    more, beyond = len(found) > slice_.size, slice_.position is not None
    if slice_.backwards:
        return Page(parent, slice_, found[-slice_.size :] if slice_.size else [], has_next=beyond, has_previous=more)
    return Page(parent, slice_, found[: slice_.size], has_next=more, has_previous=beyond)
