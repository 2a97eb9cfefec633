"""Pages and counts of any listing, for any number of parents."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

from app.catalogue import SOURCES
from app.domain.access import Forbidden
from app.domain.listings import REPORT
from app.domain.paging import In, Page, Selection, Slice
from app.domain.refusals import unknown
from app.loaders.gate import Gate
from app.loaders.loader import Loader, Wanted
from app.loaders.report import type_totals
from app.metrics import BATCH
from app.store import pages
from app.store.driver import Document, Pipeline, Store, StoreError

T = TypeVar("T", Slice, Selection)
V = TypeVar("V")
Read: TypeAlias = Callable[[Pipeline, Mapping[str, Any] | None], Awaitable[list[Document]]]
"""Reads documents that pass these stages; or with these fields, if there are no stages."""
Beside: TypeAlias = Callable[[Read, Sequence[str], bool], Awaitable[list[Document]]]
"""``Pages.read_beside``."""
Found: TypeAlias = Mapping[str, Page | Exception]
"""By owner."""


class Pages:
    """The pages of one request. Each ``wanted`` page is one owner's; ``of_owners`` reads a whole level of a query."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store, self._gate = store, gate
        self._loader = Loader(partial(pages_of, store, gate))
        self._found: dict[Slice, dict[str, Page | Exception]] = defaultdict(dict)
        self.ahead: Sequence[Slice] = ()
        """What will be asked of the customers who are read next, none of it behind a cursor: read with them."""
        self.customer_keys: frozenset[str] | None = None
        """All that anybody will look at in the customers of this request; None is everything."""

    def wanted(self, owner: str, slice_: Slice) -> Wanted:
        return self._loader.wanted((owner, slice_))

    async def of_owners(self, wanted: Sequence[tuple[Slice, Sequence[str]]]) -> list[Found]:
        """What each slice's owners have of it; one command for all slices of the same owners. None has a position."""
        missing: dict[tuple[str, ...], dict[Slice, None]] = defaultdict(dict)
        for slice_, owners in wanted:
            known = self._found[slice_]
            if unread := tuple(dict.fromkeys(owner for owner in owners if owner not in known)):
                missing[unread][slice_] = None
        if len(missing) == 1:
            await self._read(*next(iter(missing.items())))
        elif missing:
            await asyncio.gather(*(self._read(owners, slices) for owners, slices in missing.items()))
        return [self._found[slice_] for slice_, _ in wanted]

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
                found = await pages.read_beside(self._store, slices, owners)
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

    async def read_beside(self, read: Read, also: Sequence[str], several: bool) -> list[Document]:
        """The customers whom ``read`` finds when they pass these stages, which look up what is wanted ahead of them.

        Of the customers themselves what is wanted of any, and ``also`` these keys. Whom the gate will keep out, nobody
        can ask for a page of.
        """
        slices, keys = tuple(self.ahead), self.customer_keys
        if keys is not None:
            keys = keys.union(("_id", *also))
        fields = None if keys is None else dict.fromkeys(keys, 1)
        if not slices:
            return await read((), fields)
        try:
            refused = await _refused(self._store, slices)
            slices = tuple(slice_ for slice_ in slices if slice_ not in refused)
            found = await read(pages.beside(slices, keys, heads_of="many" if several else "one"), None)
        except StoreError:  # the pages' fault perhaps, which is theirs alone then
            return await read((), fields)
        customers, its_pages = pages.taken(slices, found, with_heads=True)
        for slice_, rows in zip(slices, its_pages, strict=True):
            self._keep(slice_, rows.items())
        for slice_, refusal in refused.items():
            self._found[slice_].update({customer["_id"]: refusal for customer in customers})
        return customers

    def _keep(self, slice_: Slice, found: Iterable[tuple[str, list[Document]]]) -> None:
        known = self._found[slice_]
        for owner, rows in found:
            known[owner] = _masked_page(self._gate, owner, slice_, rows)


async def _refused(store: Store, slices: Collection[Slice]) -> Mapping[Slice, Exception]:
    """Those that name a source of activities that there is not. A command only where one is not of the catalogue."""
    named = {slice_: names for slice_ in slices if (names := _other_sources(slice_.selection))}
    if not named:
        return {}
    names = sorted({name for names in named.values() for name in names})
    known = {row["_id"] for row in await store.find("sources", {"_id": {"$in": names}})}
    return {
        slice_: unknown("source", others[0], SOURCES, "sources")
        for slice_, names in named.items()
        if (others := [name for name in names if name not in known])
    }


def _other_sources(selection: Selection) -> list[str]:
    """The sources of activities that a filter names, and the catalogue does not."""
    condition = dict(selection.where).get("source")
    if selection.listing.collection != "activities" or not isinstance(condition, In):
        return []
    return [name for name in condition.values if name not in SOURCES]


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
    more, beyond = len(found) > slice_.size, slice_.position is not None
    if slice_.backwards:
        return Page(parent, slice_, found[-slice_.size :] if slice_.size else [], has_next=beyond, has_previous=more)
    return Page(parent, slice_, found[: slice_.size], has_next=more, has_previous=beyond)
