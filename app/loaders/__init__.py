"""Batched reads, made anew for each request. Every document passes the gate."""

from collections.abc import Mapping, Sequence
from functools import partial

from app.loaders import activities, customers, documents, pages, points
from app.loaders.gate import Gate
from app.loaders.loader import Loader
from app.store.driver import Document, Store


class Loaders:
    """One attribute per question that a field may ask."""

    def __init__(self, store: Store, gate: Gate) -> None:
        async def by_id(ids: Sequence[str]) -> Mapping[str, Document]:
            found = await self.pages.beside(partial(documents.by_id, store, ids), documents.customers)
            return await gate.admitted(found)

        async def by_name(names: Sequence[customers.Name]) -> Mapping[customers.Name, list[Document]]:
            found = await self.pages.beside(partial(customers.by_name, store, names), customers.found_exactly)
            admitted = await gate.admitted({each["_id"]: each for several in found.values() for each in several})
            for node_id, customer in admitted.items():
                self.documents.prime(node_id, customer)
            return {
                name: customers.surviving([admitted[each["_id"]] for each in several if each["_id"] in admitted])
                for name, several in found.items()
            }

        self.documents = Loader(by_id)
        self.customers = Loader(by_name)
        self.pages = pages.Pages(store, gate)
        self.counts = Loader(partial(pages.counts_of, store))
        self.type_counts = Loader(partial(activities.type_counts, store))
        self.audits = Loader(partial(points.audits, store))
