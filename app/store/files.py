"""Writes files in GridFS a piece at a time: what was saved stays, and nothing else.

The drivers' own writers hold a file open until it is whole. Here each piece may be part of somebody's transaction, so
that the next worker after a crash goes on behind the last. Any driver reads what is finished.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.store.driver import Database, DeleteMany, Store, UpdateOne

CHUNK_BYTES: Final = 255 * 1024
_AT_ONCE: Final = 4
_READ_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class FileBucket:
    """A bucket holds files in two collections, ``<name>.files`` and ``<name>.chunks``."""

    name: str

    @property
    def _files(self) -> str:
        return f"{self.name}.files"

    @property
    def _chunks(self) -> str:
        return f"{self.name}.chunks"

    async def append(self, store: Store, file_id: str, length: int, data: bytes, *, session: Any = None) -> None:
        """Writes data behind the first ``length`` bytes. All chunks but the last are full: that is written again."""
        number, begun = divmod(length, CHUNK_BYTES)
        if begun and data:
            (last,) = await store.find(self._chunks, {"files_id": file_id, "n": number}, session=session)
            data = bytes(last["data"])[:begun] + data
        pieces = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
        chunks = [
            UpdateOne({"files_id": file_id, "n": number + index}, {"$set": {"data": piece}}, upsert=True)
            for index, piece in enumerate(pieces)
        ]
        await store.write(self._chunks, chunks, session=session)

    async def finish(self, store: Store, file_id: str, length: int, name: str, *, now: datetime, session: Any) -> None:
        """Writes the file's entry: it exists from now on."""
        file = {"_id": file_id, "length": length, "chunkSize": CHUNK_BYTES, "uploadDate": now, "filename": name}
        await store.insert(self._files, [file], session=session)

    async def read(self, database: Database, file_id: str) -> AsyncGenerator[bytes]:
        """Yields the file, a megabyte at a time."""
        number = 0
        while True:
            some = {"files_id": file_id, "n": {"$gte": number, "$lt": number + _AT_ONCE}}
            chunks = await database.within(_READ_SECONDS).find(self._chunks, some, sort={"n": 1})
            for chunk in chunks:
                yield bytes(chunk["data"])
            if len(chunks) < _AT_ONCE:
                return
            number += _AT_ONCE

    async def delete(self, store: Store, file_id: str) -> None:
        """Deletes whatever exists of the file."""
        await store.write(self._files, [DeleteMany({"_id": file_id})])
        await store.write(self._chunks, [DeleteMany({"files_id": file_id})])

    async def delete_all(self, store: Store, prefix: str, *, but: str | None = None) -> None:
        """Deletes whatever exists of the files whose ids begin with ``prefix``, except for one."""
        ids = {"$gte": prefix, "$lt": f"{prefix}\uffff", "$ne": but}
        await store.write(self._files, [DeleteMany({"_id": ids})])
        await store.write(self._chunks, [DeleteMany({"files_id": ids})])


EXPORTED: Final = FileBucket("exported")
UPLOADED: Final = FileBucket("uploaded")
