"""`python -m tests.execution.soak`: random cases through both executors, on a mongod of its own; prints what differs.

Prints the seed of each world, so that `--seed` runs it again. Fails unless all cases ran and none differed.
"""

import argparse
import asyncio
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import structlog

from app.store import indexes
from app.store.driver import Store
from app.store.mongod import embedded_mongod
from tests.support.execution_cases import Both, Case, cases, let_resolvers_fail, populated

CASES_OF_A_WORLD = 2_000


class World(NamedTuple):
    uri: str
    seed: int
    cases: int
    until: float
    """When to end, by ``time.monotonic``."""


class Found(NamedTuple):
    seed: int
    cases: int
    different: int
    by: Mapping[str, int]
    """How many were executed by a plan; and of the others, why not."""


def compared(world: World) -> Found:
    """The cases of one world, in a process of its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return asyncio.run(_compared(world, let_resolvers_fail()))


async def _compared(world: World, fields: Sequence[str]) -> Found:
    rng, done, different = random.Random(world.seed), 0, 0
    async with Store.open(world.uri, f"execution_soak_{world.seed}") as store:
        await store.drop()
        await indexes.apply(store)
        both = Both(store)
        for case in cases(await populated(store, rng), fields, rng):
            if done == world.cases or time.monotonic() > world.until:
                break
            planned, reference = await both.answers(case)
            done += 1
            if planned != reference:
                different += 1
                show(case, planned, reference)
        await store.drop()
    return Found(world.seed, done, different, both.plans.counted)


def soak(uri: str, *, wanted: int, seed: int, seconds: float, processes: int) -> bool:
    """Whether all the cases that were wanted ran, and none differed."""
    begun, by = time.monotonic(), Counter[str]()
    done = different = 0
    sizes = [min(CASES_OF_A_WORLD, wanted - before) for before in range(0, wanted, CASES_OF_A_WORLD)]
    worlds = [World(uri, seed + number, size, begun + seconds) for number, size in enumerate(sizes)]
    # A process for each world: resolvers that were let fail once stay so.
    with ProcessPoolExecutor(processes, get_context("spawn"), max_tasks_per_child=1) as pool:
        for found in pool.map(compared, worlds):
            done, different, by = done + found.cases, different + found.different, by + Counter(found.by)
            print(f"seed {found.seed}: {done} cases, {different} different; {dict(by)}; ", end="")
            print(f"{time.monotonic() - begun:.0f} s", flush=True)
    return done == wanted and not different


def show(case: Case, planned: bytes, reference: bytes) -> None:
    print(case.text, dict(case.variables), case.viewer, dict(case.failing), set(case.breaking), sep="\n")
    print("plan:        ", planned[:4_000].decode())
    print("graphql-core:", reference[:4_000].decode(), flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, default=50_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--seconds", type=float, default=7_200)
    options.add_argument("--processes", type=int, default=os.cpu_count())
    given = options.parse_args()
    with embedded_mongod(Path(".data/soak")) as mongod:
        how = {"wanted": given.cases, "seed": given.seed, "seconds": given.seconds, "processes": given.processes}
        raise SystemExit(not soak(mongod, **how))
