"""Reads in batches, made anew for each request. Every document passes the gate."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial

from app.domain.duplicates import Traits
from app.domain.external_requests import Refunding
from app.domain.paging import Prefetch, Selection, Where
from app.domain.report import MAX_OPTIONS
from app.loaders import activities, blocklist, points
from app.loaders.balances import amounts_due, credit_balances, next_renewals
from app.loaders.customers import Name, by_name, surviving, tags
from app.loaders.documents import DocumentLoader, Near, by_id, by_kind
from app.loaders.duplicates import duplicates
from app.loaders.external_requests import refundings
from app.loaders.gate import Gate
from app.loaders.live import Feed
from app.loaders.loader import CustomerLoader, Loader, each_apart
from app.loaders.notes import Pins, pinned_notes
from app.loaders.pages import Pages, ValueCounts, counts_of, value_counts_of, values_of
from app.loaders.search import Search
from app.store import report
from app.store.driver import Document, Store, StoreError
from app.store.sealed import unsealer


class Loaders:
    """Holds a loader for each question that a field may ask, made when it is asked first.

    None of them refers back to this: what a request has read is free when it ends, not when garbage is next collected.
    """

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store, self.gate = store, gate

    @cached_property
    def documents(self) -> DocumentLoader:
        return DocumentLoader(partial(_by_id, self._store, self.gate, self.pages))

    async def take(self, stored: Mapping[str, Document]) -> None:
        """Takes documents, by their ids, that are known to be stored so: they are not read. The gate judges them."""
        admitted = await self.gate.admitted(stored)
        for node_id in stored:
            self.documents.prime(node_id, admitted.get(node_id))

    @cached_property
    def customers(self) -> Loader[Name, list[Document]]:
        return CustomerLoader(partial(_by_name, self._store, self.gate, self.pages, self.documents))

    @cached_property
    def blocklist(self) -> Loader[blocklist.Value, Document]:
        """Loads listed entries of the blocklist by their type and value."""
        return Loader(partial(blocklist.by_value, self._store, self.gate))

    @cached_property
    def pages(self) -> Pages:
        return Pages(self._store, self.gate)

    @cached_property
    def files(self) -> Loader[str, Document]:
        """Loads files of mails that the gate has admitted."""
        return Loader(partial(_files, self._store))

    @cached_property
    def search(self) -> Search:
        return Search(self._store, self.gate)

    @cached_property
    def counts(self) -> Loader[tuple[str, Selection], int]:
        return Loader(partial(counts_of, self._store, self.gate))

    @cached_property
    def value_counts(self) -> Loader[tuple[str, ValueCounts], list[Document]]:
        return Loader(partial(value_counts_of, self._store, self.gate))

    @cached_property
    def options(self) -> Loader[tuple[str, ValueCounts], list[str]]:
        return Loader(partial(values_of, self._store.aside_in_query(), at_most=MAX_OPTIONS))

    @cached_property
    def type_counts(self) -> Loader[str, Mapping[str, int]]:
        return Loader(partial(activities.type_counts, self._store, self.gate))

    @cached_property
    def type_totals(self) -> Loader[Where, Mapping[str, int]]:
        return Loader(partial(report.type_totals, self._store.aside_in_query()))

    @cached_property
    def day_totals(self) -> Loader[Where, Mapping[datetime, int]]:
        return Loader(partial(report.day_totals, self._store.aside_in_query()))

    @cached_property
    def fields_set(self) -> Loader[tuple[Where, int], list[Document]]:
        return Loader(partial(_fields_set, self._store.aside_in_query()))

    @cached_property
    def duplicates(self) -> Loader[Traits, list[Document]]:
        return Loader(partial(duplicates, self._store))

    @cached_property
    def pinned_notes(self) -> Loader[Pins, list[Document]]:
        return Loader(partial(pinned_notes, self._store, self.gate))

    @cached_property
    def credit_balances(self) -> Loader[str, list[Document]]:
        return Loader(partial(credit_balances, self._store, self.gate))

    @cached_property
    def amounts_due(self) -> Loader[str, list[Document]]:
        return Loader(partial(amounts_due, self._store, self.gate))

    @cached_property
    def next_renewals(self) -> Loader[tuple[str, datetime], datetime]:
        return Loader(partial(next_renewals, self._store, self.gate))

    @cached_property
    def tags(self) -> Loader[str, list[str]]:
        return Loader(partial(tags, self._store))

    @cached_property
    def secrets(self) -> Loader[tuple[str, bytes], str]:
        """Loads what is sealed, by the document's id and the sealed bytes."""
        return Loader(partial(_unsealed, self._store))

    @cached_property
    def refundings(self) -> Loader[str, Refunding]:
        """Loads what may still be refunded of a sale, by the transaction's id."""
        return Loader(partial(refundings, self._store))

    @cached_property
    def feed(self) -> Feed:
        return Feed(self._store)

    @cached_property
    def audits(self) -> Loader[str, points.LedgerAudit]:
        return Loader(partial(points.audits, self._store))


async def _by_id(
    store: Store, gate: Gate, pages: Pages, ids: Sequence[str], near: Near, prefetch: Prefetch
) -> Mapping[str, Document | Exception]:
    """Reads all kinds together; if that fails, each by itself, so that a fault costs its own kind only."""
    try:
        documents, their_pages = await by_id(store, ids, prefetch, near)
        admitted = await gate.admitted(documents, prefetch.fields)
        pages.add(their_pages, documents)
        return admitted
    except StoreError:
        kinds = by_kind(ids)
        if len(kinds) == 1:
            raise

    async def tried(of_kind: Sequence[str]) -> Mapping[str, Document | Exception]:
        try:
            return await _by_id(store, gate, pages, of_kind, near, prefetch)
        except Exception as failed:  # a value: its own kind's alone
            return dict.fromkeys(of_kind, failed)

    parts = await asyncio.gather(*map(tried, kinds.values()))
    return {node_id: found for part in parts for node_id, found in part.items()}


async def _by_name(
    store: Store, gate: Gate, pages: Pages, documents: Loader[str, Document], names: Sequence[Name], prefetch: Prefetch
) -> Mapping[Name, list[Document]]:
    found, their_pages = await by_name(store, names, prefetch)
    documents_by_id = {each["_id"]: each for several in found.values() for each in several}
    seen = await gate.admitted(documents_by_id, prefetch.fields)
    if their_pages:
        pages.add(their_pages, documents_by_id)
    for node_id, customer in seen.items():
        documents.prime(node_id, customer)
    return {
        name: surviving([seen[each["_id"]] for each in several if each["_id"] in seen])
        for name, several in found.items()
    }


async def _unsealed(store: Store, keys: Sequence[tuple[str, bytes]]) -> Mapping[tuple[str, bytes], str | Exception]:
    return each_apart(keys, await unsealer(store))


async def _files(store: Store, ids: Sequence[str]) -> Mapping[str, Document]:
    return {file["_id"]: file for file in await store.find("files", {"_id": {"$in": list(ids)}})}


async def _fields_set(store: Store, keys: Sequence[tuple[Where, int]]) -> Mapping[tuple[Where, int], list[Document]]:
    return {(where, at_most): await report.fields_set(store, where, at_most) for where, at_most in keys}
