"""Ways to keep a day's counts while activities are written: `python -m bench.tallies`, in a mongod of its own.

Transactions that write one activity, sixteen at once, and beside it: nothing (a day is counted once it is over, as this
gateway does); one document of the day, counted up; one of sixteen documents of the day; a document of its own, to be
added up later. Median of three rounds.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.domain.ids import new_id
from app.services.changes import activity_of
from app.store import indexes
from app.store.driver import InsertOne, Store, UpdateOne
from app.store.mongod import embedded_mongod

CHANGES, AT_ONCE, ROUNDS = 400, 16, 3
SYSTEM = {"kind": "SYSTEM", "name": "System"}


async def measure(uri: str) -> None:
    async with Store.open(uri, "bench_tallies") as store:
        await store.drop()
        await indexes.apply(store)

        def count_up(day: str) -> Any:
            return UpdateOne({"_id": day}, {"$inc": {"BIRTHDAY": 1}}, upsert=True)

        ways: dict[str, Callable[[], list[Any]]] = {
            "nothing": list,
            "one document of the day": lambda: [count_up("today")],
            "one of sixteen documents": lambda: [count_up(f"today {random.randrange(16)}")],  # noqa: S311 # no secret
            "a document of its own": lambda: [InsertOne({"_id": new_id("activities"), "type": "BIRTHDAY"})],
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                taken[name].append(await _rate(lambda way=way: _write(store, way())))
        for name, rates in taken.items():
            print(f"{name:26} {statistics.median(rates):7.0f} transactions a second")
        await store.drop()


async def _write(store: Store, beside: list[Any]) -> None:
    activity = activity_of(new_id("customers"), "BIRTHDAY", SYSTEM, datetime.now(UTC))

    async def body(session: Any) -> None:
        await store.insert("activities", [activity], session=session)
        await store.write("bench_counts", beside, session=session)

    await store.transaction(body)


async def _rate(work: Callable[[], Awaitable[None]]) -> float:
    queue = iter(range(CHANGES))

    async def sender() -> None:
        for _ in queue:
            await work()

    start = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
    return CHANGES / (time.perf_counter() - start)


if __name__ == "__main__":
    with embedded_mongod(Path(".data/bench")) as mongod:
        asyncio.run(measure(mongod))
