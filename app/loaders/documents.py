"""Documents by their id, whatever their kind."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.ids import collection_of
from app.loaders.pages import Beside
from app.store.driver import Document, Pipeline, Store


def by_kind(ids: Sequence[str]) -> dict[str, list[str]]:
    """By collection."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for node_id in ids:
        kinds[collection_of(node_id)].append(node_id)
    return kinds


async def by_id(store: Store, ids: Sequence[str], beside: Beside) -> Mapping[str, Document]:
    """One command, however many ids and kinds. Ids are of kinds we know (``collection_of`` has seen them)."""
    wanted = by_kind(ids)
    matches = [(name, [{"$match": {"_id": {"$in": of_kind}}}]) for name, of_kind in wanted.items()]
    (first, pipeline), *others = matches
    unions = [{"$unionWith": {"coll": name, "pipeline": pipeline}} for name, pipeline in others]

    async def read(stages: Pipeline, fields: Mapping[str, Any] | None) -> list[Document]:
        projected = [{"$project": fields}] if fields else []
        return await store.aggregate(first, [*pipeline, *unions, *stages, *projected])

    found = await (beside(read, (), len(ids) > 1) if wanted.keys() == {"customers"} else read((), None))
    return {document["_id"]: document for document in found}
