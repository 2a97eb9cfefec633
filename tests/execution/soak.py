"""`python -m tests.execution.soak`: random cases through both executors, on a mongod of its own; prints what differs.

Prints the seed of each world, so that `--seed` runs it again.
"""

import argparse
import asyncio
import logging
import random
import time
from pathlib import Path

import structlog

from app.store import indexes
from app.store.driver import Store
from app.store.mongod import embedded_mongod
from tests.execution.cases import Both, Case, cases, let_resolvers_fail, populated

CASES_OF_A_WORLD = 2_000


async def soak(uri: str, *, wanted: int, seed: int, seconds: float) -> int:
    """How many cases differed."""
    fields, begun, done, different = let_resolvers_fail(), time.monotonic(), 0, 0
    while done < wanted and time.monotonic() - begun < seconds:
        rng = random.Random(seed)
        async with Store.open(uri, f"execution_soak_{seed}") as store:
            await store.drop()
            await indexes.apply(store)
            words = await populated(store, rng)
            both = Both(store)
            for case in cases(words, fields, rng):
                planned, reference = await both.answers(case)
                done += 1
                if planned != reference:
                    different += 1
                    show(case, planned, reference)
                if done % CASES_OF_A_WORLD == 0 or done >= wanted or time.monotonic() - begun > seconds:
                    break
            await store.drop()
        print(
            f"seed {seed}: {done} cases, {different} different; {dict(both.plans.counted)}; "
            f"{time.monotonic() - begun:.0f} s",
            flush=True,
        )
        seed += 1
    return different


def show(case: Case, planned: bytes, reference: bytes) -> None:
    print(case.text, dict(case.variables), case.viewer, dict(case.failing), set(case.breaking), sep="\n")
    print("plan:        ", planned[:4_000].decode())
    print("graphql-core:", reference[:4_000].decode(), flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, default=50_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--seconds", type=float, default=7_200)
    given = options.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with embedded_mongod(Path(".data/soak")) as mongod:
        raise SystemExit(bool(asyncio.run(soak(mongod, wanted=given.cases, seed=given.seed, seconds=given.seconds))))
