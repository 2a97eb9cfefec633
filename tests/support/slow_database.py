"""Commands that go on in the database until they are ended."""

from collections.abc import Callable
from typing import Any, TypeAlias

from app.store.driver import Store

ENDLESS: list[dict[str, Any]] = [
    *(stage for name in "abcd" for stage in ({"$set": {name: {"$range": [0, 1_000]}}}, {"$unwind": f"${name}"})),
    {"$match": {"$expr": {"$lt": [{"$add": ["$a", "$b", "$c", "$d"]}, 0]}}},
]
"""None of a million million documents: what has no end looks whether it should end, as a sleeping script does not."""

Slow: TypeAlias = Callable[[str], None]


async def endless(store: Store) -> int:
    """Counts the commands without end that go on in this database; another worker's tests have one of their own."""
    running: dict[str, Any] = {
        "aggregate": 1,
        "pipeline": [{"$currentOp": {}}, {"$project": {"ns": 1, "command.pipeline": 1}}],
        "cursor": {},
    }
    answer = await store.command(running, on_admin=True)
    own = f"{store.database.primary.name}."
    return sum(
        each.get("ns", "").startswith(own) and each.get("command", {}).get("pipeline", [])[:1] == ENDLESS[:1]
        for each in answer["cursor"]["firstBatch"]
    )
