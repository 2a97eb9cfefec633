"""Reads pages and counts of any listing, for any number of parents."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, TypeAlias, TypeVar

from app.domain.access import Masked
from app.domain.activities import uncatalogued_sources, unknown_source
from app.domain.listings import REPORT, parts_of_preview
from app.domain.merging import moved
from app.domain.paging import Page, PageRequest, Prefetch, Selection
from app.loaders.gate import Gate
from app.loaders.loader import Deferred, Loader
from app.metrics import BATCH
from app.store import pages
from app.store.driver import Document, Store, StoreError
from app.store.report import type_totals

ValueCounts: TypeAlias = tuple[Selection, tuple[str, ...]]
"""A selection whose rows are counted by the values of these keys."""
T = TypeVar("T", PageRequest, Selection, ValueCounts)
V = TypeVar("V")


class Pages:
    """Loads the pages of one GraphQL request by parent and page request.

    The parent of a list that hangs on nothing is ``""``.
    """

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store, self._gate = store, gate
        self._found: dict[PageRequest, dict[str, Page | Exception]] = defaultdict(dict)
        self._without_preview: set[str] = set()
        """Customers whose previews were read and are not to be believed."""

    @cached_property
    def _loader(self) -> Loader[tuple[str, PageRequest], Page]:
        return Loader(partial(pages_of, self._store, self._gate))

    def defer(
        self, parent: str, page_request: PageRequest, then: Callable[[Page | None], Any] | None = None
    ) -> Deferred:
        """Returns a page that is read when it is awaited, or with the others of a level."""
        return Deferred(self, (parent, page_request), then)

    def promise(self, key: tuple[str, PageRequest], prefetch: Prefetch | None = None) -> "asyncio.Future[Page | None]":
        """Returns a future of the page, which is read with the others of this tick."""
        return self._loader.promise(key)

    async def load_all(
        self, keys: Sequence[tuple[str, PageRequest]], prefetch: Prefetch | None = None
    ) -> list[Page | Exception]:
        """Returns the pages: one command for all requests of the same parents. An exception belongs to its own key."""
        places: dict[int, dict[str, Page | Exception]] = {}  # most often one request serves all parents
        unread: dict[PageRequest, dict[str, None]] = {}
        known: list[Any] = []
        for parent, page_request in keys:
            place = places.get(id(page_request))
            if place is None:
                place = places[id(page_request)] = self._found[page_request]
            page = place.get(parent)
            if page is None:
                unread.setdefault(page_request, {})[parent] = None
            known.append(page)
        if not unread:
            return known
        missing: dict[tuple[PageRequest | None, tuple[str, ...]], list[PageRequest]] = defaultdict(list)
        for page_request, parents in unread.items():
            missing[None if _is_shared(page_request) else page_request, tuple(parents)].append(page_request)
        if len(missing) == 1:
            ((_, parents), page_requests) = next(iter(missing.items()))
            await self._read(parents, page_requests)
        elif missing:
            await asyncio.gather(
                *(self._read(parents, page_requests) for (_, parents), page_requests in missing.items())
            )
        return [places[id(page_request)][parent] for parent, page_request in keys]

    async def _read(self, owners: Sequence[str], among: Collection[PageRequest]) -> None:
        """Reads pages together; if that fails, each by itself, so that a fault costs its own list only."""
        refused = await _refused(self._store, among)
        for page_request, refusal in refused.items():
            self._found[page_request].update(dict.fromkeys(owners, refusal))
        page_requests = [page_request for page_request in among if page_request not in refused]
        if not page_requests:
            return
        owners = await self._settled(owners, page_requests)
        kept = [page_request for page_request in page_requests if parts_of_preview(page_request)]
        of_preview = [owner for owner in owners if owner not in self._without_preview]
        if len(of_preview) * len(kept) <= 1:  # one seek takes the database less
            await self._seek(owners, page_requests)
            return
        others = [page_request for page_request in page_requests if page_request not in kept]

        async def read_kept() -> None:
            await self._read_previews(of_preview, kept)
            unread = [owner for owner in owners if any(owner not in self._found[each] for each in kept)]
            await self._seek(await self._settled(unread, kept), kept)

        await asyncio.gather(read_kept(), self._seek(owners, others))

    async def _read_previews(self, customer_ids: Sequence[str], page_requests: Sequence[PageRequest]) -> None:
        """Reads pages from the previews of customers, as far as these are to be believed."""
        where, prefetch = {"_id": {"$in": customer_ids}}, Prefetch(tuple(page_requests), frozenset())
        with suppress(StoreError):  # the previews' fault perhaps
            customers, read = await pages.read_with_pages(self._store, where, prefetch, ids=customer_ids)
            self._gate.notice(customers)
            self.add(read, customer_ids)

    async def _settled(self, owners: Sequence[str], page_requests: Sequence[PageRequest]) -> Sequence[str]:
        """Reads the pages of those who are being merged, and returns all others."""
        if moving := [owner for owner in owners if owner in self._gate.moving]:
            reads = (self._read_moving(owner, page_request) for owner in moving for page_request in page_requests)
            await asyncio.gather(*reads)
        return [owner for owner in owners if owner not in self._gate.moving]

    async def _seek(self, owners: Sequence[str], page_requests: Sequence[PageRequest]) -> None:
        if not owners or not page_requests:
            return
        BATCH.observe(len(page_requests) * len(owners))
        try:
            if len(page_requests) > 1:
                found = await pages.read_together(self._store, page_requests, owners)
            else:
                found = [await pages.read_pages(_reading(self._store, page_requests[0]), page_requests[0], owners)]
        except Exception as failed:
            if len(page_requests) > 1:
                await asyncio.gather(*(self._seek(owners, [page_request]) for page_request in page_requests))
            else:
                self._found[page_requests[0]].update(dict.fromkeys(owners, failed))
        else:
            for page_request, rows in zip(page_requests, found, strict=True):
                self._keep(page_request, ((owner, rows[owner]) for owner in owners))

    async def _read_moving(self, owner: str, page_request: PageRequest) -> None:
        """Reads a page of a customer who is being merged: with the rows that are still on their way."""
        known = self._found[page_request]
        try:
            known[owner] = await _moving_page(self._store, self._gate, owner, page_request)
        except Exception as failed:  # costs its own page alone
            known[owner] = failed

    def add(self, found: Mapping[PageRequest, Mapping[str, list[Document]]], customer_ids: Iterable[str]) -> None:
        """Takes pages that were read with these customers; those whom the gate keeps out cannot be asked for."""
        for page_request, rows in found.items():
            self._keep(page_request, rows.items())
            if parts_of_preview(page_request):
                self._without_preview.update(each for each in customer_ids if each not in rows)

    def _keep(self, page_request: PageRequest, found: Iterable[tuple[str, list[Document]]]) -> None:
        known, gate = self._found[page_request], self._gate
        for owner, rows in found:
            if gate.moving and owner in gate.moving:  # came without what is still on its way
                continue
            known[owner] = _masked_page(gate, owner, page_request, rows)


async def _refused(store: Store, page_requests: Collection[PageRequest]) -> Mapping[PageRequest, Exception]:
    """Returns refusals for requests that name an unknown source. A command only if the catalogue lacks one."""
    named = {
        page_request: names for page_request in page_requests if (names := uncatalogued_sources(page_request.selection))
    }
    if not named:
        return {}
    names = sorted({name for names in named.values() for name in names})
    known = {row["_id"] for row in await store.find("sources", {"_id": {"$in": names}})}
    return {
        page_request: unknown_source(others[0])
        for page_request, names in named.items()
        if (others := [name for name in names if name not in known])
    }


async def pages_of(
    store: Store, gate: Gate, keys: Sequence[tuple[str, PageRequest]]
) -> Mapping[tuple[str, PageRequest], Page | Exception]:
    """Returns pages by one command for each distinct request. Their parents were admitted, so rows are only masked."""

    async def read(page_request: PageRequest, parents: list[str]) -> Mapping[str, Page | Exception]:
        if refusal := (await _refused(store, [page_request])).get(page_request):
            return dict.fromkeys(parents, refusal)
        moving = [parent for parent in parents if parent in gate.moving]
        whole = [await _moving_page(store, gate, parent, page_request) for parent in moving]
        settled = [parent for parent in parents if parent not in gate.moving]
        found: Mapping[str, list[Document]] = {}
        if settled:
            found = await pages.read_pages(_reading(store, page_request), page_request, settled)
        masked = {parent: _masked_page(gate, parent, page_request, found[parent]) for parent in settled}
        return masked | dict(zip(moving, whole, strict=True))

    return await _each(read, keys)


async def _moving_page(store: Store, gate: Gate, owner: str, page_request: PageRequest) -> Page | Exception:
    """Reads a page of a customer who is being merged: with the rows that are still on their way, as they will be."""
    parts = gate.parts(page_request.selection.listing.collection, owner)
    if parts == (owner,):
        rows = (await pages.read_pages(store, page_request, parts))[owner]
    else:
        found = await pages.read_page_of_several(store, page_request, parts)
        rows = [moved(row, owner) for row in found]
    return _masked_page(gate, owner, page_request, rows)


async def counts_of(
    store: Store, gate: Gate, keys: Sequence[tuple[str, Selection]]
) -> Mapping[tuple[str, Selection], int | Exception]:
    """Returns counts, 0 where there is nothing, by one command for each distinct selection."""

    async def count(selection: Selection, parents: list[str]) -> Mapping[str, int]:
        if selection.listing is REPORT:
            totals = await type_totals(store.aside_in_query(), [selection.where])
            return dict.fromkeys(parents, sum(totals[selection.where].values()))
        parts = _parts(gate, selection, parents)
        found = await pages.count(store, selection, _all(parts), snapshot=bool(gate.moving))
        return {parent: sum(found.get(each, 0) for each in own) for parent, own in parts.items()}

    return await _each(count, keys)


def _parts(gate: Gate, selection: Selection, parents: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Returns whose rows the list of each parent has: its own, except while a merge moves them."""
    if not gate.moving:
        return {parent: (parent,) for parent in parents}
    return {parent: gate.parts(selection.listing.collection, parent) for parent in parents}


def _all(parts: Mapping[str, Sequence[str]]) -> list[str]:
    return [each for own in parts.values() for each in own]


async def value_counts_of(
    store: Store, gate: Gate, keys: Sequence[tuple[str, ValueCounts]]
) -> Mapping[tuple[str, ValueCounts], list[Document] | Exception]:
    """Returns how often each value occurs in a selection of a parent's rows, most frequent first.

    One command per distinct selection.
    """

    async def count(asked: ValueCounts, parents: list[str]) -> Mapping[str, list[Document]]:
        selection, names = asked
        parts = _parts(gate, selection, parents)
        found = await pages.counts_by_value(store, selection, _all(parts), names, snapshot=bool(gate.moving))
        return {parent: _summed([found[each] for each in own]) for parent, own in parts.items()}

    return await _each(count, keys)


def _summed(several: Sequence[list[Document]]) -> list[Document]:
    """Returns the counts of several customers as one's, most frequent first."""
    if len(several) == 1:
        return several[0]
    totals: dict[str, Document] = {}
    for row in (row for rows in several for row in rows):
        known = totals.setdefault(repr(row["value"]), {**row, "count": 0})
        known["count"] += row["count"]
    return sorted(totals.values(), key=lambda row: (-row["count"], repr(row["value"])))


async def values_of(
    store: Store, keys: Sequence[tuple[str, ValueCounts]], *, at_most: int
) -> Mapping[tuple[str, ValueCounts], list[Any] | Exception]:
    """Returns the values that a key has in a selection, smallest first, and one more than ``at_most`` if there is more.

    One command per distinct selection and key.
    """

    async def read(asked: ValueCounts, parents: list[str]) -> Mapping[str, list[Any]]:
        selection, (name,) = asked
        return dict.fromkeys(parents, await pages.distinct(store, selection, name, at_most + 1))

    return await _each(read, keys)


def _reading(store: Store, page_request: PageRequest) -> Store:
    return store.aside_in_query() if page_request.selection.listing is REPORT else store


def _is_shared(page_request: PageRequest) -> bool:
    """Returns whether it can be read together with others: it hangs on parents, and has no position in one's list."""
    return page_request.position is None and page_request.selection.listing.parent_key is not None


async def _each(
    read: Callable[[T, list[str]], Awaitable[Mapping[str, V]]], keys: Sequence[tuple[str, T]]
) -> Mapping[tuple[str, T], V | Exception]:
    """Calls ``read`` once for all parents of the same request. If one call fails, the others do not."""
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


def _masked_page(gate: Gate, owner: str, page_request: PageRequest, found: list[Document]) -> Page | Exception:
    """Returns the masked page, or its exception: a broken row costs its own page, and hidden rows have none."""
    collection = page_request.selection.listing.collection
    if gate.hides(collection, owner):
        return Masked()
    try:
        return _page(owner, page_request, gate.masked(collection, owner, found))
    except Exception as broken:
        return broken


def _page(parent: str, page_request: PageRequest, found: list[Document]) -> Page:
    """Makes a page of ``found``, which has one row too many, at the far end, if there are more."""
    size, beyond = page_request.size, page_request.position is not None
    more = len(found) > size
    if page_request.backwards:
        return Page(parent, page_request, found[-size:] if size else [], has_next=beyond, has_previous=more)
    return Page(parent, page_request, found[:size], has_next=more, has_previous=beyond)
