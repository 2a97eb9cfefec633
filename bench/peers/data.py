"""What the two Python peers ask the database: the commands that the gateway's own loaders would send for the same."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from bson import CodecOptions, MinKey
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

Document = dict[str, Any]

_ANY: Final = {"$gte": MinKey()}
"""Always true, and what a partial index asks for."""
_HISTORY: Final = ["ADJUSTED", "EARNED", "EXPIRED", "REFUNDED", "SPENT"]


_AWARE: Final[CodecOptions[Document]] = CodecOptions(tz_aware=True)


class List(NamedTuple):
    collection: str
    where: Mapping[str, Any]
    sort: Mapping[str, int]


LISTS: Final = {
    "activities": List("activities", {"legacy": False, "occurredAt": _ANY}, {"occurredAt": -1, "order": -1, "_id": -1}),
    "pointsHistory": List("points", {"kind": {"$in": _HISTORY}, "seq": _ANY}, {"seq": -1}),
    "coupons": List("coupons", {"addedAt": _ANY}, {"addedAt": -1, "order": -1, "_id": -1}),
    "transactions": List("transactions", {"occurredAt": _ANY}, {"occurredAt": -1, "order": -1, "_id": -1}),
    "passes": List("passes", {}, {"createdAt": -1, "order": -1, "_id": -1}),
    "statusHistory": List("statuses", {}, {"changedAt": -1, "order": -1, "_id": -1}),
}


def titles() -> dict[str, str]:
    """What a type of activity is called."""
    return json.loads(Path(os.environ["TITLES"]).read_text())


def database() -> "AsyncDatabase[Document]":
    client = AsyncMongoClient[Document](os.environ["MONGODB_URI"])
    return client.get_database(os.environ["MONGODB_DATABASE"], codec_options=_AWARE)


async def rows(
    db: "AsyncDatabase[Document]",
    name: str,
    customer_ids: Sequence[str],
    first: int,
    fields: Sequence[str] | None = None,
) -> dict[str, list[Document]]:
    """By customer, one row more than ``first`` where there is one. One command."""
    collection, where, sort = LISTS[name]
    if len(customer_ids) == 1:
        own = {**where, "customerId": customer_ids[0]}
        cursor = db[collection].find(own, fields).sort(list(sort.items())).limit(first + 1)
        return {customer_ids[0]: await cursor.to_list(None)}
    own = {**where, "$expr": {"$eq": ["$customerId", "$$customer"]}}
    pipeline = [{"$match": own}, {"$sort": sort}, {"$limit": first + 1}]
    lookup = {"from": collection, "let": {"customer": "$_id"}, "pipeline": pipeline, "as": "rows"}
    stages: list[Document] = [{"$documents": [{"_id": each} for each in customer_ids]}, {"$lookup": lookup}]
    if fields:
        stages.append({"$project": {f"rows.{field}": 1 for field in ("_id", *fields)}})
    cursor = await db.aggregate(stages, batchSize=1_000)
    return {each["_id"]: each["rows"] for each in await cursor.to_list(None)}
