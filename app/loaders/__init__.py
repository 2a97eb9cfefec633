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
            return await gate.admitted(await documents.by_id(store, ids, self.pages.read_beside))

        async def by_name(names: Sequence[customers.Name]) -> Mapping[customers.Name, list[Document]]:
            found = await customers.by_name(store, names, self.pages.read_beside)
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
