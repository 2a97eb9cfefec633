"""Takes documents that wait by ``dueAt``, one at a time, for any number of processes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog

from app.jobs import Backoff
from app.store.driver import Document, Store, StoreError, is_transient

_log = structlog.get_logger("store")
_ORDER: Final = {"dueAt": 1}


@dataclass(slots=True)
class Queue:
    """A queue takes documents of a collection. One that cannot be written is logged and passed over for a while."""

    store: Store
    collection: str
    _broken: Backoff = field(default_factory=Backoff)

    async def take(self, change: Mapping[str, Any], *, due: datetime) -> Document | None:
        """Changes and returns the document that has waited longest by ``due``; None without one. Raises StoreError."""
        while True:
            where: Document = {"dueAt": {"$lte": due}}
            if passed := self._broken.left_alone:
                where["_id"] = {"$nin": passed}
            try:
                return await self.store.find_one_and_update(self.collection, where, change, sort=_ORDER)
            except StoreError as fault:
                if is_transient(fault):
                    raise
                first = await self.store.find(self.collection, where, sort=_ORDER, limit=1, fields={"_id": 1})
                if not first:
                    return None
                again = self._broken.failed(first[0]["_id"])
                line = {"collection": self.collection, "document": first[0]["_id"], "fault": type(fault).__name__}
                _log.error("a document that waits cannot be written", **line, again_in_seconds=again)
