"""Reads documents by their id, whatever their kind."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias

from app.domain.ids import collection_of
from app.domain.paging import Prefetch
from app.loaders.loader import CustomerLoader
from app.store.driver import Document, Store, StoreError
from app.store.pages import CustomerPages, fields_of, read_with_pages
from app.store.shards import OF_CUSTOMER, keys_of

Near: TypeAlias = Mapping[str, Collection[str]]
"""By the id of a document, the customers of whom it is."""


def by_kind(ids: Sequence[str]) -> dict[str, list[str]]:
    """Returns the ids by collection."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for node_id in ids:
        kinds[collection_of(node_id)].append(node_id)
    return kinds


class DocumentLoader(CustomerLoader[str, Document]):
    """This loader reads documents by id, where it was told that they lie."""

    def __init__(
        self, read: Callable[[Sequence[str], Near, Prefetch], Awaitable[Mapping[str, Document | Exception]]]
    ) -> None:
        self._near: dict[str, set[str]] = {}
        super().__init__(lambda ids, prefetch, near=self._near: read(ids, near, prefetch))

    def near(self, node_id: str, owners: Iterable[str]) -> None:
        """Says of which customers a document is: a cluster's router asks their shards, and no other unless it must."""
        self._near.setdefault(node_id, set()).update(owners)


async def by_id(
    store: Store, ids: Sequence[str], prefetch: Prefetch, near: Near
) -> tuple[Mapping[str, Document], CustomerPages]:
    """Returns the documents, and the pages of customers that come with them. One command, however many ids and kinds.

    Ids are of kinds we know (``collection_of`` has seen them). ``near``: the customers of whom they are, where that is
    known. One who is not found there is looked for everywhere, by a second command.
    """
    kinds = by_kind(ids)
    are_customers = kinds.keys() == {"customers"}
    if are_customers and prefetch.pages:
        with suppress(StoreError):  # the pages' fault perhaps, which is theirs alone then
            customers, pages = await read_with_pages(store, {"_id": {"$in": ids}}, prefetch, ids=ids)
            return {customer["_id"]: customer for customer in customers}, pages
    matches = [(name, [{"$match": _where(name, of_kind, near)}]) for name, of_kind in kinds.items()]
    (first, pipeline), *others = matches
    unions = [{"$unionWith": {"coll": name, "pipeline": pipeline}} for name, pipeline in others]
    fields = fields_of(prefetch) if are_customers else None
    projected = [{"$project": dict.fromkeys(fields, 1)}] if fields else []
    found = await store.aggregate(first, [*pipeline, *unions, *projected])
    documents = {document["_id"]: document for document in found}
    if astray := [node_id for node_id in ids if node_id in near and node_id not in documents]:
        elsewhere, _ = await by_id(store, astray, prefetch, {})
        documents |= elsewhere
    return documents, {}


def _where(collection: str, ids: Sequence[str], near: Near) -> Document:
    where: Document = {"_id": {"$in": ids}}
    if keys_of(collection) == (OF_CUSTOMER,) and all(node_id in near for node_id in ids):
        where[OF_CUSTOMER] = {"$in": sorted({owner for node_id in ids for owner in near[node_id]})}
    return where
