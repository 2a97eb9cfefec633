"""Batched reads, made anew for each request. Every document passes the gate."""

from collections.abc import Mapping, Sequence
from functools import partial

from app.domain.paging import Page, Slice, Where
from app.loaders import activities, customers, documents, pages, points, report
from app.loaders.gate import Gate
from app.loaders.loader import Loader
from app.store.driver import Document, Store


class Loaders:
    """One attribute per question that a field may ask."""

    def __init__(self, store: Store, gate: Gate) -> None:
        async def by_id(ids: Sequence[str]) -> Mapping[str, Document]:
            return await gate.admitted(await documents.by_id(store, ids))

        async def by_name(names: Sequence[customers.Name]) -> Mapping[customers.Name, list[Document]]:
            found = await customers.by_name(store, names)
            admitted = await gate.admitted({each["_id"]: each for several in found.values() for each in several})
            for node_id, customer in admitted.items():
                self.documents.prime(node_id, customer)
            return {
                name: customers.surviving([admitted[each["_id"]] for each in several if each["_id"] in admitted])
                for name, several in found.items()
            }

        async def pages_of(keys: Sequence[tuple[str, Slice]]) -> Mapping[tuple[str, Slice], Page]:
            return await pages.pages_of(store, gate, keys)

        async def fields_set(keys: Sequence[tuple[Where, int]]) -> Mapping[tuple[Where, int], list[Document]]:
            return {(where, at_most): await report.fields_set(store, where, at_most) for where, at_most in keys}

        self.documents = Loader(by_id)
        self.customers = Loader(by_name)
        self.pages = Loader(pages_of)
        self.counts = Loader(partial(pages.counts_of, store))
        self.type_counts = Loader(partial(activities.type_counts, store))
        self.type_totals = Loader(partial(report.type_totals, store))
        self.fields_set = Loader(fields_set)
        self.audits = Loader(partial(points.audits, store))
