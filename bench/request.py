"""What one request takes of processors: `python -m bench.request [--profile]`, on the data of `bench.peers`.

The whole application without the HTTP server, called in this process eight at a time; for each workload milliseconds
of ours and of mongod's, the median of five rounds. With `--profile` also where ours go, by function.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import statistics
import time
from collections.abc import Sequence
from typing import Any, Final

import uvloop

from app.main import from_environment
from bench.asgi import answered
from bench.data import DATABASE, FOLDER, seeded
from bench.peers.servers import GATEWAY, cpu_seconds, token
from bench.workloads import requests

_AT_ONCE, _ROUNDS = 8, 5
_TIMES: Final = {"w1": 800, "w2": 80, "w3": 2_000}
_SHOWN: Final = 40


async def measure(application: Any, bodies: Sequence[str], times: int, mongod: int) -> tuple[float, float]:
    """Milliseconds of ours and of mongod's."""
    authorization = f"Bearer {token(0)}".encode()

    async def work(first: int) -> None:
        for number in range(first, times, _AT_ONCE):
            answer = await answered(application, bodies[number % len(bodies)].encode(), authorization)
            assert b'"errors"' not in answer, answer[:1_000]

    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(_ROUNDS + 1):
        before = time.process_time(), cpu_seconds(mongod)
        await asyncio.gather(*map(work, range(_AT_ONCE)))
        ours.append((time.process_time() - before[0]) / times * 1_000)
        theirs.append((cpu_seconds(mongod) - before[1]) / times * 1_000)
    return statistics.median(ours[1:]), statistics.median(theirs[1:])


async def main(uri: str, *, profile: bool) -> None:
    raised = {"COST_PER_MINUTE": "2000000000", "REQUEST_TIMEOUT_SECONDS": "60"}
    os.environ.update({**GATEWAY, **raised, "MONGODB_URI": uri, "MONGODB_DATABASE": DATABASE})
    application: Any = from_environment()
    mongod = int((FOLDER / "db" / "mongod.lock").read_text())
    async with application.lifespan_context(application):
        for workload, bodies in requests(uri).items():
            profiler = cProfile.Profile(time.thread_time)
            if profile:
                profiler.enable()
            ours, theirs = await measure(application, bodies, _TIMES[workload], mongod)
            profiler.disable()
            print(f"{workload}   ours {ours:.2f} ms   mongod {theirs:.2f} ms", flush=True)
            if profile:
                pstats.Stats(profiler).sort_stats("tottime").print_stats(_SHOWN)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--profile", action="store_true")
    given = options.parse_args()
    with seeded() as there, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(there, profile=given.profile))
