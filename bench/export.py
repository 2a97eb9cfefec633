"""An export of a million rows: `python -m bench.export FOLDER`.

FOLDER holds the data of a mongod of our own, made with `python -m app seed --customers 20000 --data FOLDER` (1.2
million activities). What is exported is the details of the report, in both formats: as the job does it, into GridFS, a
transaction a batch; then the same rows as the command line does it, into nothing. Each in a process of its own, which
prints its rows a second and the most memory it ever had: before it began, and in all. `--rows` takes fewer.
"""

import argparse
import asyncio
import resource
import secrets
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import run
from typing import Any, Final

from app.domain.access import Role
from app.domain.exports import TABLES, conditions_of
from app.domain.ids import new_id
from app.domain.paging import Between, Where
from app.domain.vocabulary import ExportFormat, ExportTable
from app.graph import masks_for
from app.services import daily_counts
from app.services.export_job import Exporter
from app.services.export_rows import ExportPlan, batches
from app.store import indexes
from app.store.driver import Document, Store
from app.store.files import EXPORTED
from app.store.mongod import embedded_mongod

COLUMNS: Final = TABLES[ExportTable.DETAILS].split()


def megabytes() -> float:
    """The most that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


async def one(uri: str, way: str, format_: ExportFormat, rows: int) -> None:
    async with Store.open(uri, "customer_gateway", timeout_seconds=60) as store:
        where = await newest(store, rows)
        export = exported(format_, where)
        before, start = megabytes(), time.perf_counter()
        if way == "job":
            await store.insert("exports", [export])
            await Exporter(store, masks_for).once()
            (done,) = await store.find("exports", {"_id": export["_id"]})
            assert done["status"] == "DONE", done
            written, length = done["rows"], done["bytes"]
        else:
            written = length = 0
            async for batch in batches(store, ExportPlan.of(export, masks_for(frozenset({Role.ADMIN})))):
                written, length = written + batch.rows, length + len(batch.data)
        taken = time.perf_counter() - start
        print(
            f"{way:13} {format_:7} {written:10,} {length / 1e6:8.0f} {taken:8.1f} {written / taken:10,.0f} "
            f"{before:8.0f} {megabytes():8.0f}",
            flush=True,
        )
        await EXPORTED.delete(store, export["_id"])


async def newest(store: Store, rows: int) -> Where:
    """The window of so many activities, up to now."""
    found = await store.aggregate(
        "activities",
        [
            {"$match": {"legacy": False}},
            {"$sort": {"occurredAt": -1, "_id": -1}},
            {"$skip": rows - 1},
            {"$limit": 1},
            {"$project": {"occurredAt": 1}},
        ],
    )
    begin = found[0]["occurredAt"] if found else datetime(2000, 1, 1, tzinfo=UTC)
    return (("occurredAt", Between(begin, datetime.now(UTC) + timedelta(days=1))),)


def exported(format_: ExportFormat, where: Where) -> Document:
    now = datetime.now(UTC)
    return {
        "_id": new_id("exports"),
        "table": ExportTable.DETAILS.value,
        "format": format_.value,
        "columns": COLUMNS,
        "where": conditions_of(where),
        "order": "OCCURRED_AT",
        "descending": True,
        "status": "QUEUED",
        "requestedBy": {"subject": "bench", "roles": [Role.ADMIN.value]},
        "requestedAt": now,
        "dueAt": now,
        "key": secrets.token_hex(8),
        "inputHash": "bench",
        "secret": secrets.token_bytes(32),
        "attempts": 0,
        "rows": 0,
        "bytes": 0,
    }


async def prepare(uri: str) -> None:
    async with Store.open(uri, "customer_gateway", timeout_seconds=60) as store:
        await indexes.apply(store)
        await daily_counts.count_days(store, datetime.now(UTC), grace=timedelta())
        sizes = {name: (await store.command({"count": name}))["n"] for name in ("customers", "activities")}
        print(", ".join(f"{count:,} {name}" for name, count in sizes.items()), f"{len(COLUMNS)} columns", sep=", ")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given: Any = arguments.parse_args()
    if given.one:
        uri, way, format_ = given.one
        asyncio.run(one(uri, way, ExportFormat(format_), given.rows))
        return
    with embedded_mongod(given.folder) as uri:
        asyncio.run(prepare(uri))
        print(f"{'':13} {'':7} {'rows':>10} {'MB':>8} {'s':>8} {'rows/s':>10} {'MiB':>8} {'at most':>8}", flush=True)
        for way in ("job", "command line"):
            for format_ in ExportFormat:
                again = [sys.executable, "-m", "bench.export", str(given.folder), "--rows", str(given.rows)]
                run([*again, "--one", uri, way, format_], check=True)  # noqa: S603 # this very module


if __name__ == "__main__":
    main()
