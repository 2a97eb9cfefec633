"""Exports and real processes: a worker that is killed in the middle, and another that goes on."""

import asyncio
import os
import sys

from app.domain.ids import new_id
from app.graph import masks_for
from app.services.export_job import Exporter
from app.store import files
from app.store.driver import Document, Driver, InsertOne, Store, UpdateOne
from tests.support.world import World, ago

ROWS = 5_000
ADMIN = {"subject": "tess", "roles": ["ADMIN"]}
COLUMNS = ["number", "name", "registeredAt", "tags"]


async def content(store: Store, export: Document) -> bytes:
    return b"".join([chunk async for chunk in files.EXPORTED.read(store.database, export["_id"])])


async def now(store: Store, export: Document) -> Document:
    (found,) = await store.find("exports", {"_id": export["_id"]})
    return found


async def test_what_a_killed_worker_began_another_ends_and_no_byte_differs(
    world: World, mongodb_uri: str, database_name: str, driver: Driver
) -> None:
    store = world.store
    one = await world.customer()
    several = [
        {
            **one,
            "_id": new_id("customers"),
            "number": f"N-{number:05}",
            "name": f'Say "{number % 7}"',
            "tags": ["a", "b"],
        }
        for number in range(ROWS - 1)
    ]
    await store.insert("customers", several)
    undisturbed = await world.export(columns=COLUMNS, requestedBy=ADMIN)
    exporter = Exporter(store, masks_for)
    await exporter.once()

    export = await world.export(columns=COLUMNS, requestedBy=ADMIN)
    own = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name, "MONGODB_DRIVER": driver}
    words = (sys.executable, "-m", "app", "worker", "--once")
    worker = await asyncio.create_subprocess_exec(*words, env=os.environ | own)
    try:
        while not (await now(store, export))["rows"]:
            assert worker.returncode is None
            await asyncio.sleep(0.005)  # asked often, to kill it in the middle
    finally:
        worker.kill()
        await worker.wait()
    half = await now(store, export)
    assert half["status"] == "RUNNING"
    assert 0 < half["rows"] < ROWS
    assert len(await content(store, export)) == half["bytes"]

    await store.write("exports", [UpdateOne({"_id": export["_id"]}, {"$set": {"dueAt": ago(days=1)}})])
    await exporter.once()
    done = await now(store, export)
    assert (done["status"], done["rows"], done["attempts"]) == ("DONE", ROWS, 2)
    assert await content(store, export) == await content(store, undisturbed)


async def test_what_an_older_version_began_in_an_order_of_other_keys_is_begun_again(world: World) -> None:
    store = world.store
    for _ in range(3):
        await world.customer()
    undisturbed = await world.export(columns=COLUMNS, requestedBy=ADMIN)
    exporter = Exporter(store, masks_for)
    await exporter.once()
    export = await world.export(columns=COLUMNS, requestedBy=ADMIN)
    half = {"status": "RUNNING", "position": ["of one key"], "rows": 2, "bytes": 4, "startedAt": ago(days=1)}
    await store.write("exported.chunks", [InsertOne({"files_id": export["_id"], "n": 0, "data": b"half" * 100})])
    await store.write("exports", [UpdateOne({"_id": export["_id"]}, {"$set": half})])
    await exporter.once()
    done = await now(store, export)
    assert (done["status"], done["rows"]) == ("DONE", 3)
    assert await content(store, export) == await content(store, undisturbed)
