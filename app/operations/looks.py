"""Records who looked at customers' records: noted in this process, and in the database soon after.

No request waits for it. A read that is repeated within a quarter of an hour is one look, in whichever process.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import structlog

from app import metrics
from app.domain.access import Role, Viewer
from app.domain.looks import LookKey, quarter_of
from app.domain.vocabulary import ReadGroup
from app.store.deadline import NEVER
from app.store.driver import Database, Store, StoreError, UpdateOne, is_transient

_log = structlog.get_logger("looks")

_FLUSH_SECONDS: Final = 2
_LAST_FLUSH_SECONDS: Final = 5
"""A process that ends waits so long for the database."""
_BATCH: Final = 1_000
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_UNWRITTEN: Final = 50_000
_DUPLICATE_KEY: Final = 11_000
_MOST_NOTED: Final = 100
"""How many operations are noted before their reads are united to looks. A request pays for a note alone."""


@dataclass(slots=True)
class _Look:
    """A look holds what is not in its key: when it began, by whom, and all that was read."""

    at: datetime
    viewer: Viewer
    roles: frozenset[Role]
    groups: frozenset[ReadGroup]

    def unite(self, other: "_Look") -> None:
        self.at = min(self.at, other.at)
        self.roles |= other.roles
        self.groups |= other.groups

    def covers(self, other: "_Look") -> bool:
        """Returns whether uniting with the other changes nothing."""
        return self.at <= other.at and self.roles >= other.roles and self.groups >= other.groups


@dataclass(slots=True)
class Looks:
    """Holds the looks that are not yet written. With 0 for ``kept_days`` nothing is recorded."""

    database: Database
    kept_days: int = 365
    most_unwritten: int = _MOST_UNWRITTEN
    _noted: list[tuple[Viewer, datetime, Mapping[str, frozenset[ReadGroup]]]] = field(default_factory=list[Any])
    _unwritten: dict[LookKey, _Look] = field(default_factory=dict[LookKey, _Look])
    _written: dict[LookKey, _Look] = field(default_factory=dict[LookKey, _Look])
    """The looks of the present quarter as this process has written them: reading the same again writes nothing."""
    _groups: dict[frozenset[ReadGroup], frozenset[ReadGroup]] = field(default_factory=dict[Any, Any])
    """Each set of groups once. A set of six takes 728 bytes, and 50,000 looks have few different ones."""
    _quarter: datetime = _LONG_AGO
    _filling: asyncio.Event = field(default_factory=asyncio.Event)
    _is_losing: bool = False

    def records(self, viewer: Viewer) -> bool:
        """Returns whether it is recorded what this viewer reads."""
        return self.kept_days > 0 and viewer.sees_all_customers

    def add(self, viewer: Viewer, now: datetime, reads: Mapping[str, frozenset[ReadGroup]]) -> None:
        """Notes what a viewer has read, by the ids of customers. What makes it a look is worked out later."""
        self._noted.append((viewer, now, reads))
        if len(self._noted) >= _MOST_NOTED:
            self._unite_noted()

    def _unite_noted(self) -> None:
        noted, self._noted = self._noted, []
        for viewer, now, reads in noted:
            by, quarter = viewer.delegate, quarter_of(now)
            if quarter > self._quarter:
                self._quarter = quarter
                self._written.clear()
            for customer_id, groups in reads.items():
                key = LookKey(viewer.subject, by and by.subject, customer_id, quarter)
                look = _Look(now, viewer, viewer.roles, groups)
                if written := self._written.get(key):
                    if written.covers(look):
                        continue
                    look.unite(written)
                self._put(key, look)
        if len(self._unwritten) > self.most_unwritten // 2:
            self._filling.set()

    def _put(self, key: LookKey, look: _Look) -> None:
        if known := self._unwritten.get(key):
            known.unite(look)
        elif len(self._unwritten) < self.most_unwritten:
            self._unwritten[key] = look
        else:
            self._lose(1)

    def _lose(self, looks: int, fault: BaseException | None = None) -> None:
        """Counts what is lost, and logs the first of it."""
        metrics.LOST_LOOKS.inc(looks)
        if not self._is_losing:
            _log.error("looks are lost", fault=type(fault).__name__ if fault else "full")
        self._is_losing = True

    # ------------------------------------------------------------ flush

    async def flush(self, store: Store) -> None:
        """Writes all that is noted. Raises StoreError; then what is not written is kept for another time."""
        self._unite_noted()
        written_again = set[LookKey]()
        while self._unwritten:
            batch = {key: self._unwritten.pop(key) for key in [*islice(self._unwritten, _BATCH)]}
            try:
                rows = [self._row(key, look) for key, look in batch.items()]
                await store.write("looks", rows, ordered=False)
            except BaseException as fault:
                if isinstance(fault, StoreError) and not is_transient(fault):  # it would be refused again
                    again = {key for key in _just_made(fault, [*batch]) if key not in written_again}
                    written_again |= again
                    for key in again:
                        self._put(key, batch[key])
                    if lost := (_refused(fault) or len(batch)) - len(again):
                        self._lose(lost, fault)
                    continue
                for key, look in batch.items():
                    self._put(key, look)
                raise
            self._is_losing = False
            if len(self._written) < self.most_unwritten:
                for look in batch.values():
                    look.groups = self._groups.setdefault(look.groups, look.groups)
                self._written |= batch

    async def flush_forever(self) -> None:
        """Writes what is noted, again and again; at once where there is much of it."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_SECONDS):
                    await self._filling.wait()
            self._filling.clear()
            with suppress(StoreError):
                await self.flush(self.database.until(NEVER))

    async def flush_last(self) -> None:
        """Writes what is left when the process ends. What cannot be written then is lost, and counted."""
        try:
            await self.flush(self.database.within(_LAST_FLUSH_SECONDS))
        except StoreError as fault:
            self._lose(len(self._unwritten), fault)

    def _row(self, key: LookKey, look: _Look) -> Any:
        """Returns what unites the look with that of other processes, and of earlier flushes."""
        by = look.viewer.delegate
        first = {
            "viewer.id": key.subject,
            "viewer.name": look.viewer.name,
            **({"viewer.delegate": {"id": by.subject, "name": by.name}} if by else {}),
            "expiresAt": key.quarter + timedelta(days=self.kept_days),
        }
        more = {"viewer.roles": {"$each": sorted(look.roles)}, "groups": {"$each": sorted(look.groups)}}
        change = {"$setOnInsert": first, "$min": {"at": look.at}, "$addToSet": more}
        return UpdateOne({"_id": key.id, "customerId": key.customer_id}, change, upsert=True)


def _refused(fault: StoreError) -> int:
    """Returns how many of a bulk write's rows the database refused; 0 if it does not say."""
    details: Any = getattr(fault, "details", None) or {}
    return len(details.get("writeErrors", ()))


def _just_made(fault: StoreError, keys: Sequence[LookKey]) -> list[LookKey]:
    """Returns whose rows another process made in the same moment: written again, they are united with those."""
    details: Any = getattr(fault, "details", None) or {}
    return [keys[each["index"]] for each in details.get("writeErrors", ()) if each["code"] == _DUPLICATE_KEY]
