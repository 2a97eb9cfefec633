"""What an import keeps in memory, however long it is: `python -m bench.import_memory`, in a mongod of its own.

Mixed lines are made while they are written to the standard input of `python -m app import -`, and are never in a file.
Printed are, every ``--every`` lines, the lines that are written so far, how many that is a second since the last time,
and the import's resident memory. `--lines 10000000` takes half an hour; `--customers` says of how many the lines are,
and `--cache` how many GB the server may keep in memory.
"""

import subprocess
import sys
import tempfile
import time
from os import environ
from pathlib import Path
from typing import Annotated, Any

import typer
from pymongo import MongoClient

from app.store.mongod import embedded_mongod
from bench.import_lines import lines_of_shape
from bench.live import megabytes


def measure(uri: str, folder: Path, lines: int, customers: int, every: int) -> None:
    start = last = time.monotonic()
    most, said = 0.0, folder / "said"
    with (
        said.open("w") as errors,
        subprocess.Popen(  # noqa: S603 # our own command
            (sys.executable, "-m", "app", "import", "-", "--rejects", str(folder / "rejects.ndjson")),
            env={**environ, "MONGODB_URI": uri, "MONGODB_DATABASE": "bench_import_memory"},
            stdin=subprocess.PIPE,
            stderr=errors,
        ) as importing,
    ):
        assert importing.stdin
        for written, line in enumerate(lines_of_shape("mixed", lines, customers=customers), 1):
            importing.stdin.write(line)
            if written % every == 0:
                resident, since, last = megabytes(importing.pid), last, time.monotonic()
                most = max(most, resident)
                print(f"{written:>12,} lines  {every / (last - since):>6,.0f} a second  {resident:.0f} MB", flush=True)
        importing.stdin.close()
        if importing.wait():
            raise SystemExit(said.read_text())
    print(f"{lines:,} lines of {customers:,} customers in {time.monotonic() - start:,.0f} s; at most {most:.0f} MB")


def main(
    lines: Annotated[int, typer.Option(min=1)] = 1_000_000,
    customers: Annotated[int, typer.Option(min=1)] = 2_000,
    every: Annotated[int, typer.Option(min=1)] = 100_000,
    cache: Annotated[int, typer.Option(min=1)] = 7,
) -> None:
    with tempfile.TemporaryDirectory(prefix="import-") as name, embedded_mongod(Path(name, "mongodb")) as uri:
        with MongoClient[Any](uri) as client:
            client.admin.command("setParameter", 1, wiredTigerEngineRuntimeConfig=f"cache_size={cache}G")
        measure(uri, Path(name), lines, customers, every)


if __name__ == "__main__":
    typer.run(main)
