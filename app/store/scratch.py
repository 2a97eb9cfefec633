"""A scratch is a store in which work is tried out: it reads a live database and writes to a database of its own.

What is read is copied when it is read first, and never again: from then on the copy is what counts, changed or deleted
as it may be. So the live database needs no lock and gets no write, and a transaction sees what those before it wrote.
"""

import asyncio
import re
import secrets
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from app.store import indexes
from app.store.driver import Database, Document, Pipeline, Store

T = TypeVar("T")

_MARK: Final = "_check_"
_NAME_BYTES: Final = 40  # a name has 63 at most
_LEFT_BEHIND: Final = timedelta(days=1)


class Scratch(Store):
    """A scratch is for who reads a row before they write it. ``find`` and ``aggregate`` read the live rows.

    It remembers the ids of what it has copied, about 100 bytes for each row. Of several tasks one copies at a time:
    what a transaction has copied is nobody else's before it commits.
    """

    __slots__ = ("_copied", "_live", "_turn", "_uncommitted")

    def __init__(self, live: Store, database: Database) -> None:
        super().__init__(database, live.deadline)
        self._live = live
        self._turn = asyncio.Lock()
        self._copied: defaultdict[str, set[Any]] = defaultdict(set)
        self._uncommitted: defaultdict[str, set[Any]] = defaultdict(set)

    async def find(
        self,
        collection: str,
        where: Mapping[str, Any],
        *,
        sort: Mapping[str, int] | None = None,
        limit: int = 0,
        fields: Mapping[str, Any] | None = None,
        hint: str | None = None,
        collation: Mapping[str, Any] | None = None,
        session: Any = None,
    ) -> list[Document]:
        """Returns the matching rows as they are by now."""
        options: dict[str, Any] = {"sort": sort, "hint": hint, "collation": collation}
        await self._copy(collection, where, limit, session, options)
        return await super().find(collection, where, limit=limit, fields=fields, session=session, **options)

    async def aggregate(
        self,
        collection: str | None,
        pipeline: Pipeline,
        *,
        hint: str | None = None,
        collation: Mapping[str, Any] | None = None,
        snapshot: bool = False,
        session: Any = None,
    ) -> list[Document]:
        """Returns the result over one collection, by rows as they are by now."""
        options: dict[str, Any] = {"hint": hint, "collation": collation}
        if collection is not None:
            await self._copy(collection, pipeline[0].get("$match", {}), 0, session, options)
        return await super().aggregate(collection, pipeline, snapshot=snapshot, session=session, **options)

    async def transaction(self, body: Callable[[Any], Awaitable[T]]) -> T:
        """Runs ``body(session)`` until it commits, to the scratch alone."""

        async def attempt(session: Any) -> T:
            self._uncommitted.clear()  # what an earlier attempt copied is gone with it
            return await body(session)

        async with self._turn:
            try:
                result = await super().transaction(attempt)
                for collection, ids in self._uncommitted.items():
                    self._copied[collection] |= ids
                return result
            finally:
                self._uncommitted.clear()

    async def _copy(
        self, collection: str, where: Mapping[str, Any], limit: int, session: Any, options: Mapping[str, Any]
    ) -> None:
        """Copies what matches in the live database and was not copied yet: the first ``limit`` rows, 0 for all."""
        async with nullcontext() if session else self._turn:  # a transaction has the turn already
            await self._copy_now(collection, where, limit, session, options)

    async def _copy_now(
        self, collection: str, where: Mapping[str, Any], limit: int, session: Any, options: Mapping[str, Any]
    ) -> None:
        found = await self._live.find(collection, where, fields={"_id": 1}, **options)
        copied, uncommitted = self._copied[collection], self._uncommitted[collection]
        new = [row["_id"] for row in found if row["_id"] not in copied and row["_id"] not in uncommitted]
        if limit:
            del new[limit:]
        if not new:
            return
        rows = await self._live.find(collection, {"_id": {"$in": new}})
        await self.insert(collection, rows, session=session)
        (copied if session is None else uncommitted).update(new)


@asynccontextmanager
async def scratch_of(live: Store, now: datetime) -> AsyncGenerator[Scratch]:
    """Yields a scratch, in a database on the same server with all validators and indexes, which is dropped in the end.

    One that was left behind, because its process was killed, is dropped by the first that begins a day later.
    """
    prefix = live.database.primary.name.encode()[:_NAME_BYTES].decode(errors="ignore") + _MARK
    await _drop_left_behind(live, prefix, now)
    name = f"{prefix}{int(now.timestamp())}_{secrets.token_hex(4)}"
    scratch = Scratch(live, Database(live.database.client, name, live.database.on_command, wire=False))
    try:
        await indexes.apply(Store(scratch.database, live.deadline))
        yield scratch
    finally:
        await scratch.drop()


async def _drop_left_behind(live: Store, prefix: str, now: datetime) -> None:
    names = {"listDatabases": 1, "nameOnly": True, "filter": {"name": {"$regex": f"^{re.escape(prefix)}"}}}
    for each in (await live.command(names, on_admin=True))["databases"]:
        begun = re.fullmatch(r"([0-9]{10})_[0-9a-f]{8}", each["name"].removeprefix(prefix))
        if begun and int(begun[1]) < (now - _LEFT_BEHIND).timestamp():
            database = Database(live.database.client, each["name"], live.database.on_command, wire=False)
            await Store(database, live.deadline).drop()
