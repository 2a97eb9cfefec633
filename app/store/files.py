"""Writes files in GridFS a piece at a time: what was saved with a transaction stays, and nothing else.

The drivers' own writers hold a file open until it is whole. Here each piece is part of somebody's transaction, so that
the next worker after a crash goes on behind the last. Any driver reads what is finished. Collections ``exported.*``.
"""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any, Final

from app.store.driver import Database, DeleteMany, Store, UpdateOne

CHUNK_BYTES: Final = 255 * 1024
_AT_ONCE: Final = 4
_READ_SECONDS: Final = 10
_CHUNKS: Final = "exported.chunks"
_FILES: Final = "exported.files"


async def append(store: Store, file_id: str, length: int, data: bytes, *, session: Any) -> None:
    """Writes data behind the first ``length`` bytes. All chunks but the last are full: that one is written again."""
    number, begun = divmod(length, CHUNK_BYTES)
    if begun and data:
        (last,) = await store.find(_CHUNKS, {"files_id": file_id, "n": number}, session=session)
        data = bytes(last["data"])[:begun] + data
    pieces = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
    chunks = [
        UpdateOne({"files_id": file_id, "n": number + index}, {"$set": {"data": piece}}, upsert=True)
        for index, piece in enumerate(pieces)
    ]
    await store.write(_CHUNKS, chunks, session=session)


async def finish(store: Store, file_id: str, length: int, name: str, *, now: datetime, session: Any) -> None:
    """Writes the file's entry: it exists from now on."""
    file = {"_id": file_id, "length": length, "chunkSize": CHUNK_BYTES, "uploadDate": now, "filename": name}
    await store.insert(_FILES, [file], session=session)


async def read(database: Database, file_id: str) -> AsyncGenerator[bytes]:
    """Yields the file, a megabyte at a time."""
    number = 0
    while True:
        some = {"files_id": file_id, "n": {"$gte": number, "$lt": number + _AT_ONCE}}
        chunks = await database.within(_READ_SECONDS).find(_CHUNKS, some, sort={"n": 1})
        for chunk in chunks:
            yield bytes(chunk["data"])
        if len(chunks) < _AT_ONCE:
            return
        number += _AT_ONCE


async def delete(store: Store, file_id: str) -> None:
    """Deletes whatever exists of the file."""
    await store.write(_FILES, [DeleteMany({"_id": file_id})])
    await store.write(_CHUNKS, [DeleteMany({"files_id": file_id})])
