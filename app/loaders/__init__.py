"""Batched reads, made anew for each request. Every document passes the gate."""

from collections.abc import Mapping, Sequence
from functools import partial

from app.domain.paging import Where
from app.loaders import activities, customers, documents, pages, points, report
from app.loaders.gate import Gate
from app.loaders.loader import Loader
from app.store.driver import Document, Store


class Loaders:
    """One attribute per question that a field may ask."""

    def __init__(self, store: Store, gate: Gate) -> None:
        async def by_id(ids: Sequence[str]) -> Mapping[str, Document | Exception]:
            return await gate.admitted(await documents.by_id(store, ids, self.pages.read_beside))

        async def by_name(names: Sequence[customers.Name]) -> Mapping[customers.Name, list[Document] | Exception]:
            found = await customers.by_name(store, names, self.pages.read_beside)
            admitted = await gate.admitted({each["_id"]: each for several in found.values() for each in several})
            seen = {node_id: each for node_id, each in admitted.items() if not isinstance(each, Exception)}
            for node_id, customer in seen.items():
                self.documents.prime(node_id, customer)
            broken = {node_id: each for node_id, each in admitted.items() if isinstance(each, Exception)}
            return {
                name: next((broken[each["_id"]] for each in several if each["_id"] in broken), None)
                or customers.surviving([seen[each["_id"]] for each in several if each["_id"] in seen])
                for name, several in found.items()
            }

        async def fields_set(keys: Sequence[tuple[Where, int]]) -> Mapping[tuple[Where, int], list[Document]]:
            return {(where, at_most): await report.fields_set(store, where, at_most) for where, at_most in keys}

        self.gate = gate
        self.documents = Loader(by_id)
        self.customers = Loader(by_name)
        self.pages = pages.Pages(store, gate)
        self.counts = Loader(partial(pages.counts_of, store))
        self.type_counts = Loader(partial(activities.type_counts, store))
        self.type_totals = Loader(partial(report.type_totals, store))
        self.fields_set = Loader(fields_set)
        self.audits = Loader(partial(points.audits, store))
