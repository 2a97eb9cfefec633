"""Documents by their id, whatever their kind."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from app.domain.ids import collection_of
from app.store.driver import Document, Pipeline, Store


async def by_id(store: Store, ids: Sequence[str], ahead: Pipeline = ()) -> Mapping[str, Document]:
    """One command, however many ids and kinds. Ids are of kinds we know (``collection_of`` has seen them).

    ``ahead`` are stages that customers pass.
    """
    wanted: dict[str, list[str]] = defaultdict(list)
    for node_id in ids:
        wanted[collection_of(node_id)].append(node_id)
    matches = [
        (name, [{"$match": {"_id": {"$in": of_kind}}}, *(ahead if name == "customers" else ())])
        for name, of_kind in wanted.items()
    ]
    (first, pipeline), *others = matches
    unions = [{"$unionWith": {"coll": name, "pipeline": pipeline}} for name, pipeline in others]
    return {document["_id"]: document for document in await store.aggregate(first, [*pipeline, *unions])}


def customers(found: Mapping[str, Document]) -> Iterable[Document]:
    """Those of ``by_id`` who have passed ``ahead``."""
    return [document for node_id, document in found.items() if collection_of(node_id) == "customers"]
