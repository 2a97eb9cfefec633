"""Takes documents that wait by ``dueAt``, one at a time, for any number of processes."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from app.jobs import Backoff
from app.store.driver import Document, Store, StoreError, UpdateOne, is_transient
from app.store.shards import keys_of

_log = structlog.get_logger("store")
_ORDER: Final = {"dueAt": 1}
_AT_ONCE: Final = 10
"""So many are looked at for one that no other process takes in the same moment."""
_LAST_WORDS_SECONDS: Final = 5
"""How long a claim may take to end when nobody waits for it any more."""


@dataclass(slots=True)
class Queue:
    """A queue takes documents of a collection. One that cannot be written is logged and passed over for a while."""

    store: Store
    collection: str
    _broken: Backoff = field(default_factory=Backoff)

    async def claim(self, lease: timedelta, *, due: datetime) -> Document | None:
        """Returns the document that has waited longest by ``due``, its attempts counted up; None without one.

        It is due again when the lease ends. A claim that is cancelled ends first, and gives back what it took: the
        caller goes on to close the database, and nobody should have to wait for the lease. Raises StoreError.
        """
        now = datetime.now(UTC)
        change = {"$set": {"dueAt": now + lease}, "$inc": {"attempts": 1}}
        taking = asyncio.ensure_future(self._take(change, due=due))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            await self._give_back(taking, now)
            raise

    async def _give_back(self, taking: "asyncio.Future[Document | None]", due: datetime) -> None:
        await asyncio.wait([taking], timeout=_LAST_WORDS_SECONDS)
        if not taking.done():
            taking.cancel()
        elif taking.exception() is None and (taken := taking.result()):
            named = ("_id", "attempts", "dueAt", *keys_of(self.collection))
            ours = {key: taken[key] for key in named}
            undo = UpdateOne(ours, {"$set": {"dueAt": due}, "$inc": {"attempts": -1}})
            with suppress(StoreError):
                await self.store.within(_LAST_WORDS_SECONDS).write(self.collection, [undo])

    async def _take(self, change: Mapping[str, Any], *, due: datetime) -> Document | None:
        """Takes one by its id, and by its shard key: no cluster finds and changes a document without it."""
        named = ("_id", "dueAt", *keys_of(self.collection))
        while True:
            where: Document = {"dueAt": {"$lte": due}}
            if passed := self._broken.left_alone:
                where["_id"] = {"$nin": passed}
            fields = dict.fromkeys(named, 1)
            first = await self.store.find(self.collection, where, sort=_ORDER, limit=_AT_ONCE, fields=fields)
            if not first:
                return None
            for each in first:
                try:
                    if taken := await self.store.find_one_and_update(self.collection, each, change):
                        return taken
                except StoreError as fault:
                    if is_transient(fault):
                        raise
                    again = self._broken.failed(each["_id"])
                    line = {"collection": self.collection, "document": each["_id"], "fault": type(fault).__name__}
                    _log.error("a document that waits cannot be written", **line, again_in_seconds=again)
