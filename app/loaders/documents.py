"""Reads documents by their id, whatever their kind."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress

from app.domain.ids import collection_of
from app.domain.paging import Prefetch
from app.store.driver import Document, Store, StoreError
from app.store.pages import CustomerPages, fields_of, read_with_pages


def by_kind(ids: Sequence[str]) -> dict[str, list[str]]:
    """Returns the ids by collection."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for node_id in ids:
        kinds[collection_of(node_id)].append(node_id)
    return kinds


async def by_id(store: Store, ids: Sequence[str], prefetch: Prefetch) -> tuple[Mapping[str, Document], CustomerPages]:
    """Returns the documents, and the pages of customers that come with them. One command, however many ids and kinds.

    Ids are of kinds we know (``collection_of`` has seen them).
    """
    kinds = by_kind(ids)
    are_customers = kinds.keys() == {"customers"}
    if are_customers and prefetch.pages:
        with suppress(StoreError):  # the pages' fault perhaps, which is theirs alone then
            customers, pages = await read_with_pages(store, {"_id": {"$in": ids}}, prefetch, several=len(ids) > 1)
            return {customer["_id"]: customer for customer in customers}, pages
    matches = [(name, [{"$match": {"_id": {"$in": of_kind}}}]) for name, of_kind in kinds.items()]
    (first, pipeline), *others = matches
    unions = [{"$unionWith": {"coll": name, "pipeline": pipeline}} for name, pipeline in others]
    fields = fields_of(prefetch) if are_customers else None
    projected = [{"$project": dict.fromkeys(fields, 1)}] if fields else []
    found = await store.aggregate(first, [*pipeline, *unions, *projected])
    return {document["_id"]: document for document in found}, {}
