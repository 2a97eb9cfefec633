"""Importing beside a raw `insert_many`: `python -m bench.import`, in a mongod of its own.

Three generated files: mixed, of customers mostly, of points mostly. Each goes through the code of `python -m app
import`; then the database is dropped, made anew with the same collections, validators and indexes, and the very
documents that the import left are written by `insert_many`, a thousand at a time. Rounds are interleaved; figures are
medians. "All" are all documents, "rows" those without previews, entries of the feed and what else we keep of our own.

`--lines N` for smaller files, `--rounds N`, `--lanes 1` for one transaction after the other, `--shape mixed` for one of
them, `--profile` says where its time goes.
"""

import asyncio
import cProfile
import pstats
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from app.commands.imports import tune_process
from app.domain.access import ADMINISTRATOR
from app.domain.times import stored
from app.services.importing import ImportOptions
from app.services.importing.batches import import_batch
from app.store import indexes
from app.store.driver import Document, Store
from app.store.mongod import embedded_mongod
from app.store.schema import COLLECTIONS
from bench.import_lines import SHAPES, lines_of_shape

_KEPT_BY_US: Final = {"heads", "feed", "tallies", "versions", "sources", "imports", "importSteps", "audit"}
_AT_ONCE: Final = 1_000


async def _imported(store: Store, lines: list[bytes], lanes: int, profile: cProfile.Profile | None) -> float:
    await store.drop()
    await indexes.apply(store)
    start = time.perf_counter()
    if profile:
        profile.enable()
    _, summary = await import_batch(
        store,
        lines,
        file_name="bench",
        viewer=ADMINISTRATOR,
        request_id="bench",
        now=stored(datetime.now(UTC)),
        reject=lambda rejected: print(rejected.reason),
        advance=lambda lines: None,
        options=ImportOptions(lanes=lanes),
    )
    if profile:
        profile.disable()
    assert not summary.rejected
    return time.perf_counter() - start


async def _written(store: Store, documents: dict[str, list[Document]]) -> float:
    await store.drop()
    await indexes.apply(store)
    start = time.perf_counter()
    for collection, those in documents.items():
        for first in range(0, len(those), _AT_ONCE):
            await store.insert(collection, those[first : first + _AT_ONCE])
    return time.perf_counter() - start


async def _documents(store: Store) -> dict[str, list[Document]]:
    found = {name: await store.find(name, {}) for name in COLLECTIONS if name != "versions"}
    return {name: those for name, those in found.items() if those}


async def measure(uri: str, shapes: list[str], lines: int, rounds: int, lanes: int, *, profiled: bool) -> None:
    tune_process()
    async with Store.open(uri, "bench_import") as store:
        taken: dict[tuple[str, str], list[float]] = {}
        documents: dict[str, int] = {}
        for round_ in range(rounds):
            for shape in shapes:
                given = list(lines_of_shape(shape, lines))
                profile = cProfile.Profile() if profiled else None
                taken.setdefault((shape, "import"), []).append(await _imported(store, given, lanes, profile))
                if profile:
                    pstats.Stats(profile).sort_stats("tottime").print_stats(45).sort_stats("cumtime").print_stats(60)
                whole = await _documents(store)
                documents[shape] = sum(map(len, whole.values()))
                taken.setdefault((shape, "all"), []).append(await _written(store, whole))
                rows = {name: those for name, those in whole.items() if name not in _KEPT_BY_US}
                taken.setdefault((shape, "rows"), []).append(await _written(store, rows))
                latest = {name: taken[shape, name][-1] for name in ("import", "all", "rows")}
                print(
                    f"round {round_ + 1}, {shape}: " + ", ".join(f"{k} {v:.2f} s" for k, v in latest.items()),
                    flush=True,
                )
        for shape in shapes:
            seconds, all_, rows = (statistics.median(taken[shape, name]) for name in ("import", "all", "rows"))
            print(
                f"{shape:10} {lines / seconds:7,.0f} lines/s, {documents[shape]:,} documents; import {seconds:.1f} s; "
                f"insert_many of all {all_:.1f} s, {seconds / all_:.2f} x; of rows {rows:.1f} s, {seconds / rows:.2f} x"
            )
        await store.drop()


def main(
    lines: int = 100_000,
    rounds: int = 3,
    lanes: int = 3,
    shape: Annotated[list[str] | None, typer.Option(help="One of mixed, customers, points.")] = None,
    profile: Annotated[bool, typer.Option("--profile")] = False,  # an option
) -> None:
    with embedded_mongod(Path(".data/bench-import")) as uri:
        asyncio.run(measure(uri, shape or list(SHAPES), lines, rounds, lanes, profiled=profile))


if __name__ == "__main__":
    typer.run(main)
