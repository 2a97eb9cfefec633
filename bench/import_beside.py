"""What an import takes from who is served meanwhile, and two imports from each other: `python -m bench.import_beside`.

A gateway of one process, imports as `python -m app import` in processes of their own, a mongod and the clients, all on
one machine. Whole customers (W1) are asked for at a third of what sixteen clients that wait get answered: alone, then
while a file comes in. Then a file comes in alone, and last two at once. Memory is the largest of each import's, in its
first and in its last quarter. `--lines 100000` is the size of a file, `--lanes 1` what an import does at a time,
`--nice-ratio 3` how long it rests; with `--alone` one file comes in alone, and that is all.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from os import environ
from pathlib import Path
from typing import Annotated, Final

import typer

from app.domain.access import Role
from app.store.driver import Store
from app.store.mongod import embedded_mongod
from bench.data import sample
from bench.floods import bearer
from bench.import_lines import lines_of_shape
from bench.live import megabytes
from bench.overload import Client, Result, not_waiting, p99, request, waiting
from bench.workloads import W1
from tests.support.serving import serving

DATABASE: Final = "bench_import_beside"
_PEOPLE: Final = 1_000
_SHARE: Final = 1 / 3
_ALONE_SECONDS: Final = 30


@dataclass
class Imported:
    """What became of an import: how long it took, and its memory in MB, second by second."""

    seconds: float = 0
    memory: list[float] = field(default_factory=list[float])

    def __str__(self) -> str:
        quarter = max(1, len(self.memory) // 4)
        return f"{self.seconds:.1f} s, {max(self.memory[:quarter]):.0f} and {max(self.memory[-quarter:]):.0f} MB"


async def import_(uri: str, file: Path, options: Sequence[str]) -> Imported:
    """Imports a file. Raises RuntimeError where that failed."""
    start, imported = time.monotonic(), Imported()
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", "import", str(file), *options),
        env={**environ, "MONGODB_URI": uri, "MONGODB_DATABASE": DATABASE},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    said = asyncio.create_task(running.communicate())
    try:
        while not said.done():
            with suppress(OSError, ValueError):  # it has just ended
                imported.memory.append(megabytes(running.pid))
            await asyncio.wait((said,), timeout=1)
        if running.returncode:
            raise RuntimeError((await said)[1].decode())
    finally:
        if running.returncode is None:
            running.kill()
        await said
    imported.seconds = time.monotonic() - start
    return imported


async def served(client: Client, a_second: float, meanwhile: asyncio.Future[Imported]) -> Result:
    """Asks for whole customers until ``meanwhile`` is done."""
    whole = Result()
    while not meanwhile.done():
        part = await not_waiting(client, a_second, 5)
        whole.endings += part.endings
        whole.taken += part.taken
    return whole


async def measure(port: int, uri: str, files: Sequence[Path], lines: int, options: Sequence[str]) -> None:
    async with Store.open(uri, DATABASE) as store:
        found = await store.find("customers", {"status": "ACTIVE"}, fields={"number": 1}, sort={"_id": 1})
    tokens = cycle([bearer(Role.ADMIN, f"s{number}") for number in range(20)])
    asked = cycle([request(W1, {"number": each["number"]}, next(tokens)) for each in found])
    client = Client(port, asked)
    await waiting(client, 5)
    a_second = _SHARE * (await waiting(client, 10)).endings["good"] / 10
    alone = await not_waiting(client, a_second, _ALONE_SECONDS)
    print(f"W1 alone, {a_second:.0f} a second: {alone}", flush=True)
    during = asyncio.create_task(import_(uri, files[0], options))
    beside = await served(client, a_second, during)
    print(f"W1 beside an import: {beside}; p99 {p99([beside]) / p99([alone]):.2f} x", flush=True)
    imported = await during
    print(f"an import beside W1: {lines / imported.seconds:,.0f} lines a second; {imported}", flush=True)
    client.close()
    one = await import_(uri, files[1], options)
    print(f"an import alone: {lines / one.seconds:,.0f} lines a second; {one}", flush=True)
    start = time.monotonic()
    two = await asyncio.gather(*(import_(uri, file, options) for file in files[2:]))
    together = 2 * lines / (time.monotonic() - start)
    print(
        f"two at once: {together:,.0f} lines a second together, {together * one.seconds / lines:.2f} x; "
        + " and ".join(map(str, two))
    )


def written(folder: Path, lines: int, files: int) -> Iterator[Path]:
    """Writes files that have no customer in common."""
    for number in range(files):
        file = folder / f"{number}.ndjson"
        with file.open("wb") as opened:
            opened.writelines(lines_of_shape("mixed", lines, first=number * lines))
        yield file


def main(
    lines: Annotated[int, typer.Option(help="Of each file.")] = 20_000,
    lanes: int | None = None,
    nice_ratio: float = 0,
    alone: Annotated[bool, typer.Option("--alone")] = False,  # an option
) -> None:
    with tempfile.TemporaryDirectory(prefix="import-") as name, embedded_mongod(Path(name, "mongodb")) as uri:
        folder = Path(name)
        options = [*(("--lanes", str(lanes)) if lanes else ()), "--nice-ratio", str(nice_ratio)]
        files = [*written(folder, lines, 1 if alone else 4)]
        if alone:
            imported = asyncio.run(import_(uri, files[0], options))
            print(f"an import alone: {lines / imported.seconds:,.0f} lines a second; {imported}")
            return
        asyncio.run(sample(uri, DATABASE, customers=_PEOPLE))
        with serving(uri, DATABASE, folder, workers=1) as gateway:
            asyncio.run(measure(gateway.port, uri, files, lines, options))


if __name__ == "__main__":
    typer.run(main)
