"""Batched reads, made anew for each request."""

from functools import partial

from app.loaders import activities, customers, documents, pages, points
from app.loaders.loader import Loader
from app.store.driver import Store


class Loaders:
    """One attribute per question that a field may ask."""

    def __init__(self, store: Store) -> None:
        self.documents = Loader(partial(documents.by_id, store))
        self.customers = Loader(partial(customers.by_name, store))
        self.pages = Loader(partial(pages.pages_of, store))
        self.counts = Loader(partial(pages.counts_of, store))
        self.type_counts = Loader(partial(activities.type_counts, store))
        self.audits = Loader(partial(points.audits, store))
