"""Does the worker's ten jobs side by side, none of which stops another."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from app.delivery.relay import Relay
from app.jobs import Backoff, keep_going, log_failure
from app.services.clock import checked_now
from app.services.daily_counts import count_days
from app.services.erase_job import Eraser
from app.services.expiry import expire_due
from app.services.export_job import Exporter
from app.services.importing.batches import refresh_previews
from app.services.merge_job import Mover
from app.services.request_job import RequestExpiry
from app.services.statuses import apply_due
from app.services.uploads import sweep
from app.store.driver import Store

_log = structlog.get_logger("worker")


@dataclass(slots=True, repr=False)
class Worker:
    store: Store
    relay: Relay
    exporter: Exporter
    mover: Mover
    eraser: Eraser
    request_expiry: RequestExpiry
    every_seconds: float = 60
    """Between two looks for points to expire, and for days to count."""
    tell: Callable[[str], None] = lambda _: None
    """Gets a sentence for people whenever something was done."""
    _customers: Backoff = field(default_factory=Backoff)
    _days: Backoff = field(default_factory=Backoff)

    async def run(self) -> None:
        """Runs until it is cancelled. Each failure is logged."""
        _log.info("ready")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.relay.run())
            tasks.create_task(self.exporter.run())
            tasks.create_task(self.mover.run())
            tasks.create_task(self.eraser.run())
            tasks.create_task(self.request_expiry.run())
            tasks.create_task(keep_going("expiry", self._expire, every_seconds=self.every_seconds))
            tasks.create_task(keep_going("statuses", self._restate, every_seconds=self.every_seconds))
            tasks.create_task(keep_going("uploads", self._sweep, every_seconds=self.every_seconds))
            tasks.create_task(keep_going("previews", self._refresh_previews, every_seconds=self.every_seconds))
            tasks.create_task(keep_going("day counts", self._count, every_seconds=self.every_seconds))

    async def once(self) -> bool:
        """Does what is due now. False if one of the jobs failed; the others are done all the same."""
        jobs: dict[str, Callable[[], Awaitable[object]]] = {
            "expiry": self._expire,
            "statuses": self._restate,
            "uploads": self._sweep,
            "previews": self._refresh_previews,
            "day counts": self._count,
            "outbox relay": self.relay.once,
            "exporter": self.exporter.once,
            "mover": self.mover.once,
            "request expiry": self.request_expiry.once,
            "eraser": self.eraser.once,
        }
        succeeded = True
        for name, job in jobs.items():
            try:
                await job()
            except Exception as fault:
                log_failure(name, fault)
                succeeded = False
        return succeeded

    async def _expire(self) -> None:
        if expired := await expire_due(self.store, await checked_now(self.store), backoff=self._customers):
            self.tell(f"Points expired for {expired:,} customers.")

    async def _restate(self) -> None:
        if restated := await apply_due(self.store, await checked_now(self.store)):
            self.tell(f"Statuses that took effect: of {restated:,} customers.")

    async def _sweep(self) -> None:
        if swept := await sweep(self.store, await checked_now(self.store)):
            self.tell(f"Uploads deleted that nobody used: {swept:,}.")

    async def _refresh_previews(self) -> None:
        if refreshed := await refresh_previews(self.store, datetime.now(UTC)):
            self.tell(f"Previews made that imports had left stale: {refreshed:,}.")

    async def _count(self) -> None:
        if counted := await count_days(self.store, await checked_now(self.store), backoff=self._days):
            self.tell(f"Days counted for reports: {counted:,}.")
