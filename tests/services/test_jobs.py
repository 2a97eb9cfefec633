"""Jobs, each by itself: what cannot be done for one customer, day or entry is done for all others, and logged."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from app.delivery.relay import Channel, Relay
from app.domain import points
from app.domain.executors import Executors
from app.graph import masks_for
from app.jobs import Backoff, at_once, keep_going
from app.services.daily_counts import count_days
from app.services.daily_counts import differences as wrong_days
from app.services.erase_job import Eraser
from app.services.expiry import expire_due
from app.services.export_job import Exporter
from app.services.merge_job import Mover
from app.services.request_job import RequestExpiry
from app.store import indexes, previews
from app.store.driver import Document, Driver, Store, Unavailable, UpdateMany, UpdateOne
from app.worker import Worker
from tests.support.commands import Commands
from tests.support.relays import until
from tests.support.world import NOW, World, ago

LATER = NOW + timedelta(days=40)
SPOILT: dict[str, Document] = {
    "customers": {"status": "NO_SUCH_STATUS"},
    "deliveries": {"status": "NO_SUCH_STATUS"},
    "pushes": {"status": "NO_SUCH_STATUS"},
    "exports": {"format": "NO_SUCH_FORMAT"},
}
"""What each collection's validator lets nobody write: whatever else one changes of such a document is refused."""


async def spoil(store: Store, collection: str, id_: Any) -> None:
    update = {"q": {"_id": id_}, "u": {"$set": SPOILT[collection]}}
    await store.command({"update": collection, "updates": [update], "bypassDocumentValidation": True})


async def with_due_points(world: World, **given: Any) -> Document:
    customer = await world.customer(**given)
    await world.ledger(customer, points.earn(points.empty(), 100, now=NOW, expires_at=NOW + timedelta(days=30)))
    return customer


async def spendable(store: Store, customer: Document) -> int:
    (found,) = await store.find("customers", {"_id": customer["_id"]})
    return found["spendable"]


# ---------------------------------------------------------------- expiry


async def test_whose_due_points_are_reserved_is_not_touched_however_often_one_looks(
    store: Store, world: World, commands: Commands
) -> None:
    ada = await world.customer()
    soon = points.earn(points.empty(), 100, now=NOW, expires_at=NOW + timedelta(days=30))
    await world.ledger(ada, soon, points.reserve(soon.state, 100, now=NOW))
    await previews.refresh_stale(store)
    (before,) = await store.find("customers", {})
    commands.clear()
    for _ in range(3):
        assert await expire_due(store, LATER) == 0
    assert commands.names == ["find"] * 3
    assert await store.find("customers", {}) == [before]
    assert await previews.refresh_stale(store) == 0


@pytest.mark.parametrize("place", range(3))
async def test_one_who_cannot_be_written_keeps_nobody_else_from_expiry(place: int, store: Store, world: World) -> None:
    customers = sorted([await with_due_points(world) for _ in range(3)], key=lambda each: each["_id"])
    await spoil(store, "customers", customers[place]["_id"])
    structlog.reset_defaults()
    with capture_logs() as lines:
        assert await expire_due(store, LATER) == 2
    assert [await spendable(store, each) for each in customers] == [100 if n == place else 0 for n in range(3)]
    assert [(line["job"], line["customer"]) for line in lines] == [("expiry", customers[place]["_id"])]


async def test_a_state_that_is_none_keeps_nobody_else_from_expiry(store: Store, world: World) -> None:
    ada, bob = await with_due_points(world), await with_due_points(world)
    odd = {"q": {"_id": ada["_id"]}, "u": {"$unset": {"points.earned": "", "points.seq": ""}}}
    await store.command({"update": "customers", "updates": [odd], "bypassDocumentValidation": True})
    assert await expire_due(store, LATER) == 1
    assert await spendable(store, bob) == 0


@pytest.mark.parametrize("how", ["erased", "spent"])
async def test_one_who_is_gone_before_their_turn_is_passed_over(
    how: str, store: Store, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the transaction: their revision is as it was, and the others go on."""
    customers = sorted([await with_due_points(world) for _ in range(2)], key=lambda each: each["_id"])
    gone, other = customers
    await previews.refresh_stale(store)
    find = Store.find

    async def then_gone(its: Store, collection: str, where: Any, **given: Any) -> list[Document]:
        found = await find(its, collection, where, **given)
        if given.get("limit") == 500:
            if how == "erased":
                await store.command({"delete": "customers", "deletes": [{"q": {"_id": gone["_id"]}, "limit": 1}]})
            else:
                await store.write("customers", [UpdateOne({"_id": gone["_id"]}, {"$set": {"points.buckets": []}})])
        return found

    monkeypatch.setattr(Store, "find", then_gone)
    assert await expire_due(store, LATER) == 1
    monkeypatch.undo()
    assert await spendable(store, other) == 0
    assert all(each.get("revision", 0) == 0 for each in await store.find("customers", {"_id": gone["_id"]}))
    assert await previews.differences(store) == []


async def test_who_failed_is_left_alone_for_a_while_which_doubles(store: Store, world: World) -> None:
    now = 0.0
    backoff = Backoff(clock=lambda: now)
    ada = await with_due_points(world)
    await spoil(store, "customers", ada["_id"])
    tried: list[float] = []
    for minute in range(200):
        now = minute * 60.0
        with capture_logs() as lines:
            await expire_due(store, LATER, backoff=backoff)
        tried += [minute for _ in lines]
    assert tried == [0, 1, 3, 7, 15, 31, 63, 123, 183]  # an hour at most
    mended = {"q": {"_id": ada["_id"]}, "u": {"$set": {"status": "ACTIVE"}}}
    await store.command({"update": "customers", "updates": [mended]})
    now = 10**6
    assert await expire_due(store, LATER, backoff=backoff) == 1
    assert backoff.left_alone == []


async def test_a_database_that_is_away_is_no_fault_of_the_customers() -> None:
    nobody = "mongodb://127.0.0.1:1/?directConnection=true"
    async with Store.open(nobody, "tests", driver="motor", timeout_seconds=0.2) as store:
        with pytest.raises(Unavailable):
            await expire_due(store, LATER)
        with pytest.raises(Unavailable):
            await count_days(store, LATER)


# ---------------------------------------------------------------- days


@pytest.mark.parametrize("stale", [False, True])
async def test_a_day_that_cannot_be_written_keeps_no_other_from_being_counted(
    stale: bool, store: Store, world: World
) -> None:
    ada = await world.customer()
    for days in range(5, 9):
        await world.activity(ada, occurredAt=ago(days=days))
    await count_days(store, NOW - timedelta(minutes=5))  # opens them
    days = [tally["_id"] for tally in await store.find("tallies", {}, sort={"_id": 1})]
    if stale:
        await count_days(store, NOW)
        await store.write("tallies", [UpdateMany({}, {"$set": {"stale": True}})])
    await store.command({"collMod": "tallies", "validator": {"_id": {"$ne": days[1]}}})
    structlog.reset_defaults()
    try:
        with capture_logs() as lines:
            for minutes in (10, 20):
                await count_days(store, NOW + timedelta(minutes=minutes))
    finally:
        await indexes.apply(store)
    counted = [tally["_id"] for tally in await store.find("tallies", {"counts": {"$exists": True}}, sort={"_id": 1})]
    assert set(counted) == {*days} - {days[1]} | ({days[1]} if stale else set())
    assert {(line["job"], line["day"]) for line in lines} == {("day counts", f"{days[1]:%Y-%m-%d}")}
    assert await wrong_days(store) == []


# ---------------------------------------------------------------- queues


class Sent:
    """A channel that sends into a list."""

    def __init__(self, collection: str, handed_over: str, at: str) -> None:
        self.ids: list[str] = []

        async def send(entry: Document) -> None:
            self.ids.append(entry["_id"])

        self.channel = Channel(collection, collection, handed_over, at, send)


@asynccontextmanager
async def running(*work: Any) -> AsyncGenerator[None]:
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks), "what was to go on ended"


async def queued(world: World, collection: str, number: int) -> Document:
    now = datetime.now(UTC)
    due = {"status": "QUEUED", "attempts": 0, "requestedAt": now, "dueAt": now - timedelta(hours=2, minutes=-number)}
    due["giveUpAt"] = now + timedelta(hours=1)
    ada = await world.customer()
    if collection == "deliveries":
        return await world.delivery(await world.email(ada), **due)
    return await world.push(await world.pass_(ada), **due)


@pytest.mark.parametrize(
    ("collection", "handed_over", "at"), [("deliveries", "SENT", "deliveredAt"), ("pushes", "INFORMED", "informedAt")]
)
@pytest.mark.parametrize("how", ["running", "once"])
async def test_an_entry_that_cannot_be_written_keeps_no_other_from_being_sent(
    how: str, collection: str, handed_over: str, at: str, store: Store, world: World
) -> None:
    entries = [await queued(world, collection, number) for number in range(4)]
    for number in (0, 2):  # the first of all, so that whoever looks finds it first
        await spoil(store, collection, entries[number]["_id"])
    sent = Sent(collection, handed_over, at)
    relay = Relay(store, [sent.channel], 5)

    async def done() -> bool:
        return len(await store.find(collection, {"status": handed_over})) == 2

    if how == "once":
        await relay.once()
        assert await done()
    else:
        async with running(relay.run()):
            await until(done)
    assert sent.ids == [entries[1]["_id"], entries[3]["_id"]]


async def test_an_export_that_cannot_be_written_keeps_no_other_from_being_made(store: Store, world: World) -> None:
    broken, whole = await world.export(dueAt=ago(days=2)), await world.export(dueAt=ago(days=1))
    await spoil(store, "exports", broken["_id"])
    await Exporter(store, masks_for).once()
    (made,) = await store.find("exports", {"_id": whole["_id"]})
    assert made["status"] == "DONE"


async def test_a_channel_that_fails_stops_no_other(store: Store, world: World) -> None:
    push = await queued(world, "pushes", 0)
    sent = Sent("pushes", "INFORMED", "informedAt")
    odd = Channel("odd", {"no": "collection"}, "SENT", "at", sent.channel.send)  # pyright: ignore[reportArgumentType] # that is the fault

    async def done() -> bool:
        return bool(await store.find("pushes", {"_id": push["_id"], "status": "INFORMED"}))

    async with running(Relay(store, [odd, sent.channel], 5).run()):
        await until(done)


# ---------------------------------------------------------------- the worker


JOBS = ["expire_due", "count_days", "relay", "exporter"]


@pytest.mark.parametrize("broken", JOBS)
@pytest.mark.parametrize("how", ["running", "once"])
async def test_a_job_that_fails_stops_no_other(
    how: str, broken: str, store: Store, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await with_due_points(world)
    await world.activity(ada, occurredAt=ago(days=9))
    push, export = await queued(world, "pushes", 0), await world.export()
    sent = Sent("pushes", "INFORMED", "informedAt")
    relay, exporter = Relay(store, [sent.channel], 5), Exporter(store, masks_for)

    async def fails(*_: Any, **__: Any) -> Any:
        raise KeyError("a fault of ours")

    if broken in ("expire_due", "count_days"):
        monkeypatch.setattr(f"app.worker.{broken}", fails)
    else:
        target = relay if broken == "relay" else exporter
        monkeypatch.setattr(type(target), "_claim", fails)
    asked = {
        "expire_due": lambda: store.find("points", {"customerId": ada["_id"], "kind": "EXPIRED"}),
        "count_days": lambda: store.find("tallies", {}),
        "relay": lambda: store.find("pushes", {"_id": push["_id"], "status": "INFORMED"}),
        "exporter": lambda: store.find("exports", {"_id": export["_id"], "status": "DONE"}),
    }

    async def done() -> bool:
        return {name for name, ask in asked.items() if await ask()} == set(JOBS) - {broken}

    expiry = RequestExpiry(store, Executors())
    worker = Worker(store, relay, exporter, Mover(store), Eraser(store), expiry, every_seconds=1)
    structlog.reset_defaults()
    with capture_logs() as lines:
        if how == "once":
            assert await worker.once() is False
            assert await done()
        else:
            async with running(worker.run()):
                await until(done)
    assert {line["fault"] for line in lines if line["event"] == "job failed"} == {"KeyError"}


async def test_a_worker_outlives_whatever_any_of_its_jobs_raises(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any, **__: Any) -> None:
        raise KeyError

    relay = Relay(store, [Sent("pushes", "INFORMED", "informedAt").channel], 5)
    parts = Exporter(store, masks_for), Mover(store), Eraser(store), RequestExpiry(store, Executors())
    worker = Worker(store, relay, *parts, every_seconds=1)
    jobs = {"expiry", "statuses", "uploads", "previews", "day counts", "exporter", "request expiry"}
    jobs |= {Mover.collection, Eraser.collection, *(f"{channel.name} relay" for channel in relay.channels)}
    structlog.reset_defaults()
    with capture_logs() as lines, monkeypatch.context() as patch:
        for name in ("find", "aggregate", "command", "find_one_and_update"):
            patch.setattr(Store, name, fails)

        async def have_failed() -> bool:
            return {line["job"] for line in lines if line["event"] == "job failed"} >= jobs

        async with running(worker.run()):
            await until(have_failed)


@pytest.mark.parametrize("by", [timedelta(days=400), timedelta(minutes=-6)])
async def test_with_a_wrong_clock_nothing_expires_and_the_log_says_by_how_much(
    by: timedelta, world: World, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points that were expired too early come back by nobody's hand but a person's."""
    ada = await with_due_points(world)
    relay = Relay(store, [Sent("pushes", "INFORMED", "informedAt").channel], 5)
    parts = relay, Exporter(store, masks_for), Mover(store), Eraser(store), RequestExpiry(store, Executors())
    theirs = store.server_time

    async def server_time(_: Store) -> datetime:
        return await theirs() - by

    structlog.reset_defaults()
    with capture_logs() as lines, monkeypatch.context() as patch:
        patch.setattr(Store, "server_time", server_time)
        assert await Worker(store, *parts).once() is False
    assert await spendable(store, ada) == 100
    failed = {line["job"] for line in lines if line["event"] == "job failed"}
    assert failed == {"expiry", "statuses", "uploads", "day counts"}
    way = "ahead of" if by > timedelta() else "behind"
    (reason,) = {line["reason"] for line in lines if line["event"] == "wrong clock"}
    assert (
        reason == f"The clock of this machine is {abs(by).total_seconds():,.0f} s {way} the database's: set it right."
    )
    assert await Worker(store, *parts).once() is True


async def test_work_that_is_done_once_ends_without_a_database(driver: Driver) -> None:
    """Whoever runs it every minute would have ever more of them."""
    structlog.reset_defaults()
    nobody = "mongodb://127.0.0.1:1/?directConnection=true"
    with capture_logs() as lines:
        async with asyncio.timeout(60), Store.open(nobody, "nothing", driver=driver, timeout_seconds=0.2) as store:
            relay = Relay(store, [Sent("pushes", "INFORMED", "informedAt").channel], 5)
            parts = relay, Exporter(store, masks_for), Mover(store), Eraser(store), RequestExpiry(store, Executors())
            worker = Worker(store, *parts, every_seconds=1)
            assert await worker.once() is False
    failed = [line["job"] for line in lines if line["event"] == "job failed"]
    assert len(failed) == len({*failed}) == len(lines) == 10  # each has said so once, and tried once


async def test_work_that_fails_goes_on_after_pauses_that_double(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []
    outcomes = iter([ValueError, ValueError, KeyError, None, ValueError, *[OSError] * 12])

    async def work() -> None:
        if outcome := next(outcomes):
            raise outcome

    async def sleep(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == 17:
            raise asyncio.CancelledError

    monkeypatch.setattr("app.jobs.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError), capture_logs() as lines:
        await keep_going("work", work)
    assert paused == [1, 2, 4, 1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]
    assert len(lines) == 16


async def test_of_works_that_are_done_at_once_there_are_so_many_at_a_time_and_results_are_in_their_order() -> None:
    running, most = 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(10 - number):
            await asyncio.sleep(0)
        running -= 1
        return number

    assert await at_once((partial(work, number) for number in range(9)), 3) == [*range(9)]
    assert most == 3


async def test_what_one_of_them_raises_ends_the_others_and_is_raised_by_itself() -> None:
    ended: list[str] = []

    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waits")

    with pytest.raises(LookupError):
        await at_once((waits, fails), 2)
    assert ended == ["waits"]
    with pytest.raises(TimeoutError):  # and of whoever asked for them nothing is ended
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
