"""Pages and counts of any listing, for any number of parents."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from app.domain.access import Forbidden
from app.domain.activities import uncatalogued_sources, unknown_source
from app.domain.listings import REPORT
from app.domain.paging import Page, Prefetch, Selection, Slice
from app.loaders.gate import Gate
from app.loaders.loader import Deferred, Loader
from app.metrics import BATCH
from app.store import pages
from app.store.driver import Document, Store
from app.store.report import type_totals

T = TypeVar("T", Slice, Selection)
V = TypeVar("V")


class Pages:
    """The pages of one request: one of each parent and slice. The parent of a list that hangs on nothing is ``""``."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store, self._gate = store, gate
        self._loader = Loader(partial(pages_of, store, gate))
        self._found: dict[Slice, dict[str, Page | Exception]] = defaultdict(dict)

    def defer(self, parent: str, slice_: Slice, then: Callable[[Page | None], Any] | None = None) -> Deferred:
        """A page that is read when it is awaited, or with the others of a level."""
        return Deferred(self, (parent, slice_), then)

    def promise(self, key: tuple[str, Slice], prefetch: Prefetch | None = None) -> "asyncio.Future[Page | None]":
        """A page that is read with the others of this tick."""
        return self._loader.promise(key)

    async def load_all(
        self, keys: Sequence[tuple[str, Slice]], prefetch: Prefetch | None = None
    ) -> list[Page | Exception]:
        """All at once: one command for all slices of the same parents. An exception is its own key's."""
        places: dict[int, dict[str, Page | Exception]] = {}  # most often one slice serves all parents
        unread: dict[Slice, dict[str, None]] = {}
        known: list[Any] = []
        for parent, slice_ in keys:
            place = places.get(id(slice_))
            if place is None:
                place = places[id(slice_)] = self._found[slice_]
            page = place.get(parent)
            if page is None:
                unread.setdefault(slice_, {})[parent] = None
            known.append(page)
        if not unread:
            return known
        missing: dict[tuple[Slice | None, tuple[str, ...]], list[Slice]] = defaultdict(list)
        for slice_, parents in unread.items():
            missing[None if _is_shared(slice_) else slice_, tuple(parents)].append(slice_)
        if len(missing) == 1:
            ((_, parents), slices) = next(iter(missing.items()))
            await self._read(parents, slices)
        elif missing:
            await asyncio.gather(*(self._read(parents, slices) for (_, parents), slices in missing.items()))
        return [places[id(slice_)][parent] for parent, slice_ in keys]

    async def _read(self, owners: Sequence[str], among: Collection[Slice]) -> None:
        """If slices cannot be read together, each is read by itself: a fault costs its own list."""
        refused = await _refused(self._store, among)
        for slice_, refusal in refused.items():
            self._found[slice_].update(dict.fromkeys(owners, refusal))
        slices = [slice_ for slice_ in among if slice_ not in refused]
        if not slices:
            return
        BATCH.observe(len(slices) * len(owners))
        try:
            if len(slices) > 1:
                found = await pages.read_together(self._store, slices, owners)
            else:
                found = [await pages.read_pages(self._store, slices[0], owners)]
        except Exception as failed:
            if len(slices) > 1:
                await asyncio.gather(*(self._read(owners, [slice_]) for slice_ in slices))
            else:
                self._found[slices[0]].update(dict.fromkeys(owners, failed))
        else:
            for slice_, rows in zip(slices, found, strict=True):
                self._keep(slice_, ((owner, rows[owner]) for owner in owners))

    def add(self, found: Mapping[Slice, Mapping[str, list[Document]]]) -> None:
        """Takes pages that were read with their customers. Whom the gate keeps out, nobody can ask for a page of."""
        for slice_, rows in found.items():
            self._keep(slice_, rows.items())

    def _keep(self, slice_: Slice, found: Iterable[tuple[str, list[Document]]]) -> None:
        known, gate = self._found[slice_], self._gate
        for owner, rows in found:
            known[owner] = _masked_page(gate, owner, slice_, rows)


async def _refused(store: Store, slices: Collection[Slice]) -> Mapping[Slice, Exception]:
    """Those that name a source of activities that there is not. A command only where one is not of the catalogue."""
    named = {slice_: names for slice_ in slices if (names := uncatalogued_sources(slice_.selection))}
    if not named:
        return {}
    names = sorted({name for names in named.values() for name in names})
    known = {row["_id"] for row in await store.find("sources", {"_id": {"$in": names}})}
    return {
        slice_: unknown_source(others[0])
        for slice_, names in named.items()
        if (others := [name for name in names if name not in known])
    }


async def pages_of(
    store: Store, gate: Gate, keys: Sequence[tuple[str, Slice]]
) -> Mapping[tuple[str, Slice], Page | Exception]:
    """One command per distinct slice. The parents were admitted, so their rows need only be masked."""

    async def read(slice_: Slice, parents: list[str]) -> Mapping[str, Page | Exception]:
        if refusal := (await _refused(store, [slice_])).get(slice_):
            return dict.fromkeys(parents, refusal)
        found = await pages.read_pages(store, slice_, parents)
        return {parent: _masked_page(gate, parent, slice_, found[parent]) for parent in parents}

    return await _each(read, keys)


async def counts_of(
    store: Store, keys: Sequence[tuple[str, Selection]]
) -> Mapping[tuple[str, Selection], int | Exception]:
    """One command per distinct selection. Zero where there is nothing."""

    async def count(selection: Selection, parents: list[str]) -> Mapping[str, int]:
        if selection.listing is REPORT:
            totals = await type_totals(store, [selection.where])
            return dict.fromkeys(parents, sum(totals[selection.where].values()))
        found = await pages.count(store, selection, parents)
        return {parent: found.get(parent, 0) for parent in parents}

    return await _each(count, keys)


def _is_shared(slice_: Slice) -> bool:
    """Whether it can be read together with others: it hangs on parents, and has no position in the list of one."""
    return slice_.position is None and slice_.selection.listing.parent_key is not None


async def _each(
    read: Callable[[T, list[str]], Awaitable[Mapping[str, V]]], keys: Sequence[tuple[str, T]]
) -> Mapping[tuple[str, T], V | Exception]:
    """One ``read`` for all parents of whom the same is asked. If one fails, that is no fault of the others."""
    parents: dict[T, list[str]] = defaultdict(list)
    for parent, asked in keys:
        parents[asked].append(parent)

    async def tried(asked: T) -> Mapping[str, V | Exception]:
        try:
            return await read(asked, parents[asked])
        except Exception as failed:
            return dict.fromkeys(parents[asked], failed)

    found = await asyncio.gather(*map(tried, parents))
    return {(parent, asked): value for asked, its in zip(parents, found, strict=True) for parent, value in its.items()}


def _masked_page(gate: Gate, owner: str, slice_: Slice, found: list[Document]) -> Page | Exception:
    """A row that is too broken to be masked costs its own page. Of rows that are hidden there is no page."""
    collection = slice_.selection.listing.collection
    if gate.hides(collection, owner):
        return Forbidden("Your role may not read this.")
    try:
        return _page(owner, slice_, gate.masked(collection, owner, found))
    except Exception as broken:
        return broken


def _page(parent: str, slice_: Slice, found: list[Document]) -> Page:
    """``found`` has one row too many, at the far end, where there are more."""
    size, beyond = slice_.size, slice_.position is not None
    more = len(found) > size
    if slice_.backwards:
        return Page(parent, slice_, found[-size:] if size else [], has_next=beyond, has_previous=more)
    return Page(parent, slice_, found[:size], has_next=more, has_previous=beyond)
