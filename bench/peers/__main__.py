"""This gateway beside other servers, on the same data in the same run: `python -m bench.peers`.

One server process on one core; mongod and the load on the others. All servers run throughout and are measured in turn,
in rounds; figures are medians over the rounds. Before anything is measured, all must give the same answers.

The load is made by wrk where that is installed, else by autocannon, which takes so much of the database's core that the
fastest servers wait for it.

`--seconds 2 --rounds 1 --concurrency 16 --only w3` is a short run. A run over all workloads writes `results.json` and
the plot in docs/.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from app.catalogue import CATALOGUE
from bench.data import DATABASE, FOLDER, seeded
from bench.peers.report import AT, goals, plot, table
from bench.peers.servers import NODE, NODE_FOLDER, NPM, SERVERS, Running, pin, running
from bench.workloads import QUERIES, requests

RESULTS: Final = Path("bench/results.json")
WRK: Final = shutil.which("wrk")
LOAD_SCRIPT: Final = Path(__file__).parent / "load.lua"
PLOT: Final = Path("docs/bench.svg")
_COMPARED: Final = 25
_PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Cell:
    """One measurement. ``rps`` are requests a second."""

    rps: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


def main(given: argparse.Namespace) -> None:
    install()
    with ExitStack() as opened:
        uri = opened.enter_context(seeded())
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        core = _share_cores()
        (folder / "titles.json").write_text(json.dumps({code: row.title for code, row in CATALOGUE.items()}))
        environment = {"MONGODB_URI": uri, "MONGODB_DATABASE": DATABASE, "TITLES": str(folder / "titles.json")}
        servers = [
            opened.enter_context(running(server, core, environment, folder))
            for server in SERVERS
            if server.name in given.servers
        ]
        print(f"The load is made by {'wrk' if WRK else 'autocannon; with wrk it would take less of the database'}.")
        bodies = requests(uri)
        for workload in given.only:
            compare(servers, workload, bodies[workload])
        results = measure(servers, given, bodies, folder)
        print(table(results, {each.server.name: each.peak_megabytes() for each in servers}))
    print(goals(results))
    if {row["workload"] for row in results} == set(QUERIES) and given.servers == [each.name for each in SERVERS]:
        RESULTS.write_text("[\n" + ",\n".join(f"  {json.dumps(row)}" for row in results) + "\n]\n")
        if AT in given.concurrency:
            PLOT.write_text(plot(results))


def install() -> None:
    """The Node servers as locked, unless they are there."""
    lock, mark = NODE_FOLDER / "package-lock.json", NODE_FOLDER / "node_modules" / "of.lock"
    if not mark.exists() or mark.read_bytes() != lock.read_bytes():
        path = f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"
        command = [NODE, NPM, "ci", "--no-progress", "--ignore-scripts"]
        subprocess.run(command, cwd=NODE_FOLDER, env={**os.environ, "PATH": path}, check=True)  # noqa: S603 # locked
        mark.write_bytes(lock.read_bytes())


def _share_cores() -> int | None:
    """The core of the server; everything else keeps away from it. None where there is but one, or not Linux."""
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
    if len(cores) < 2:
        print("Nothing is pinned to a core: servers, database and load share what there is.")
        return None
    pin(os.getpid(), {*cores[1:]})
    pin(int((FOLDER / "db" / "mongod.lock").read_text()), {*cores[1:]})
    return cores[0]


def compare(servers: Sequence[Running], workload: str, bodies: Sequence[str]) -> None:
    """Raises AssertionError if any answers otherwise than the first."""
    for body in bodies[:_COMPARED]:
        answers: list[Any] = []
        for each in servers:
            headers = {"content-type": "application/json", **each.headers[0]}
            answer = httpx2.post(each.url, content=body, headers=headers, timeout=30, trust_env=False).json()
            assert "errors" not in answer, (each.server.name, answer["errors"])
            answers.append(answer["data"])
            assert answers[0] == answer["data"], f"{each.server.name} answers {workload} otherwise: {body}"


def measure(
    servers: Sequence[Running], given: argparse.Namespace, bodies: Mapping[str, Sequence[str]], folder: Path
) -> list[dict[str, Any]]:
    """Rows of `results.json`, by workload, then concurrency, then server."""
    cells: dict[tuple[str, int, str], list[Cell]] = defaultdict(list)
    for number in range(given.rounds):
        for workload in given.only:
            for concurrency in given.concurrency:
                turn = number % len(servers)
                for each in (*servers[turn:], *servers[:turn]):
                    cell = _measured(each, bodies[workload], concurrency, given, folder)
                    cells[workload, concurrency, each.server.name].append(cell)
                    print(
                        f"round {number + 1}  {workload}  {concurrency:3} at once  {each.server.name:10} "
                        f"{cell.rps:8.1f} requests/s  p50 {cell.p50_ms:8.2f}  p99 {cell.p99_ms:8.2f}  "
                        f"CPU {cell.cpu_ms:7.2f} ms",
                        flush=True,
                    )
    return [
        {"workload": workload, "server": server.server.name, "concurrency": concurrency}
        | {
            name: round(statistics.median(getattr(cell, name) for cell in measured), 3)
            for name in ("rps", "p50_ms", "p99_ms", "cpu_ms")
        }
        for workload in given.only
        for concurrency in given.concurrency
        for server in servers
        for measured in [cells[workload, concurrency, server.server.name]]
    ]


def _measured(each: Running, bodies: Sequence[str], connections: int, given: argparse.Namespace, folder: Path) -> Cell:
    load = {"url": each.url, "connections": connections, "bodies": bodies, "headers": each.headers}
    _loaded({**load, "seconds": given.warm_up}, folder)
    time.sleep(_PAUSE_SECONDS)  # what was cut off at the end is over
    before = each.cpu_seconds()
    found = _loaded({**load, "seconds": given.seconds}, folder)
    cpu_seconds = each.cpu_seconds() - before
    if found["failed"] or not found["responses"]:
        raise RuntimeError(
            f"{each.server.name}: {found['responses']} answers in {given.seconds} s, {found['failed']} failed"
        )
    return Cell(
        rps=found["responses"] / found["seconds"],
        p50_ms=found["p50"],
        p99_ms=found["p99"],
        cpu_ms=cpu_seconds / found["responses"] * 1_000,
    )


def _loaded(load: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    if WRK:
        bodies, headers = folder / "bodies", folder / "headers"
        bodies.write_text("\n".join(load["bodies"]))
        headers.write_text("\n".join(each.get("authorization", "") for each in load["headers"]) + "\n")
        seconds = f"{max(1, round(load['seconds']))}s"
        command = [WRK, "-t1", f"-c{load['connections']}", f"-d{seconds}", "--timeout", "60s", "-s", LOAD_SCRIPT]
        command += [load["url"], "--", bodies, headers]
    else:
        file = folder / "load.json"
        file.write_text(json.dumps(load))
        command = [NODE, NODE_FOLDER / "load.js", file]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 # our own, or wrk
    return json.loads(ran.stdout.splitlines()[-1])


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)

    def words(text: str) -> list[str]:
        return text.split(",")

    def numbers(text: str) -> list[int]:
        return [int(each) for each in text.split(",")]

    names = [server.name for server in SERVERS]
    arguments.add_argument("--seconds", type=float, default=5, help="of each measurement")
    arguments.add_argument("--warm-up", type=float, default=2, help="seconds before each")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--concurrency", type=numbers, default=[1, AT, 64])
    arguments.add_argument("--only", type=words, default=[*QUERIES], help="w1,w2,w3")
    arguments.add_argument("--servers", type=words, default=names, help=",".join(names))
    # Whatever ends us goes through every `finally`, so that what we started stops with us.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupt)
    main(arguments.parse_args())
