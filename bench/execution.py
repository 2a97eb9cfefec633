"""What plans save of our own processor: `python -m bench.execution`, on sample data in a mongod of its own.

Prepared operations, executed in this process without HTTP: by plans and by graphql-core, in interleaved rounds, with
the garbage collector as Python sets it and as `serve` does, and with looks noted. Medians, in milliseconds of
all threads; the ratios are what counts on a noisy machine.
"""

import asyncio
import gc
import statistics
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from graphql import parse

from app.context import Context
from app.demo.sample.seed import seed
from app.domain.access import Role, Viewer
from app.execution import Execution
from app.graph import executable, masks_for
from app.loaders import Loaders
from app.loaders.gate import Gate
from app.operations.looks import Looks
from app.operations.operation import Operation
from app.serving import freeze_gc
from app.settings import Limits
from app.store import indexes
from app.store.driver import Store
from app.store.mongod import embedded_mongod
from bench.workloads import CUSTOMERS, W1, W2, W3

ROUNDS: Final = 5
_TEN: Final = "... on Customer { id name activities(first: 10) { nodes { id type title occurredAt } } }"
NODES: Final = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ {_TEN} }} }}"
ENTITIES: Final = f"query($them: [_Any!]!) {{ _entities(representations: $them) {{ {_TEN} }} }}"


async def measure(uri: str) -> None:
    async with Store.open(uri, "bench_execution") as store:
        await store.drop()
        await indexes.apply(store)
        await seed(store, customers=200, now=datetime.now(UTC))
        hundred = [each["_id"] for each in await store.find("customers", {}, limit=100, fields={"_id": 1})]
        ids, them = hundred[:CUSTOMERS], [{"__typename": "Customer", "id": each} for each in hundred]
        viewer = Viewer("bench", "Bench", frozenset({Role.ADMIN}))
        gate = Gate(store, viewer, masks_for)
        executions = {
            "graphql-core": Execution("graphql-core"),
            "plans": Execution(),
            "plans, looks": Execution(),
            "plans, rare gc": Execution(),
        }
        looks = Looks(store.database)

        async def answer(
            execution: Execution, operation: Operation, variables: Mapping[str, Any], times: int, looks: Looks | None
        ) -> float:
            begun = time.process_time()
            for _ in range(times):
                executor: Any = operation.execution(dict(variables), Limits(), suggests=True)
                executor.context_value = context = Context(
                    viewer,
                    datetime.now(UTC),
                    cast(Any, None),
                    lambda: Loaders(store, gate),
                    reads=None if looks is None else {},
                )
                assert not (await execution.run(executor)).errors
                if looks and context.reads:
                    looks.add(viewer, context.now, context.reads)
            return (time.process_time() - begun) / times * 1000

        number = {"number": "C-100001"}
        for name, text, variables, times in (
            ("W1", W1, number, 40),
            ("W2", W2, {"ids": ids}, 6),
            ("W3", W3, number, 150),
            ("100 × 10, nodes", NODES, {"ids": hundred}, 6),
            ("100 × 10, _entities", ENTITIES, {"them": them}, 6),
        ):
            (operation,) = Operation.each_of(parse(text), executable).values()
            taken: dict[str, list[float]] = {how: [] for how in executions}
            for turn in range(ROUNDS + 1):
                for how, execution in executions.items():
                    if "gc" in how:
                        freeze_gc()
                    milliseconds = await answer(
                        execution, operation, variables, times, looks if "looks" in how else None
                    )
                    gc.unfreeze()
                    if turn:
                        taken[how].append(milliseconds)
            medians = {how: statistics.median(each) for how, each in taken.items()}
            first = medians["graphql-core"]
            print(name, *(f"{how} {each:.2f} ms ({first / each:.1f} ×)" for how, each in medians.items()), sep="   ")
        await store.drop()


if __name__ == "__main__":
    with embedded_mongod(Path(".data/bench")) as mongod:
        asyncio.run(measure(mongod))
