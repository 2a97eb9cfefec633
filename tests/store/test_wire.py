"""Commands by wire: the same as the driver's, whatever happens to a connection, on both event loops."""

import asyncio
import gc
import itertools
import os
import signal
import subprocess
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import pytest
from bson import ObjectId
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pymongo import MongoClient
from pymongo.errors import (
    ConnectionFailure,
    NetworkTimeout,
    OperationFailure,
    WaitQueueTimeoutError,
)
from pymongo.monitoring import CommandListener

from app.store.driver import (
    DeleteMany,
    DeleteOne,
    Document,
    Driver,
    DuplicateKey,
    InsertOne,
    OutOfTime,
    ReplaceOne,
    Store,
    Unavailable,
    UpdateMany,
    UpdateOne,
)
from app.store.mongod import WAYS_OUT, MongodUnavailable, find_mongod
from tests.support.processes import free_ports

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("wire")]  # its servers once, not once for each process

DATABASE: Final = "wire"
LARGE: Final = 34
"""So many megabytes come in three replies."""
NOT_PRIMARY, SHUTTING_DOWN, UNREACHABLE, TOO_LATE, INTERRUPTED = 10107, 91, 6, 50, 11601


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Runs every async test here on asyncio and on uvloop."""
    return "asyncio", {"use_uvloop": request.param}


# ---------------------------------------------------------------- the same as the driver


MOMENT: Final = datetime(2026, 3, 29, 2, 30, 0, 5000, UTC)
DOCUMENTS: Final = [
    {
        "_id": n,
        "name": name,
        "at": MOMENT + timedelta(days=n),
        "amount": Decimal(n) / 4,
        "deep": {"list": [n, {"n": n}]},
    }
    for n, name in enumerate(["ada", "Ada", "bob", "Émile", "zoe"] * 30)
]
FINDS: Final[Mapping[str, dict[str, Any]]] = {
    "all": {"where": {}},
    "nothing": {"where": {"_id": "nobody"}},
    "by time": {"where": {"at": {"$gte": MOMENT + timedelta(days=140)}}},
    "by amount": {"where": {"amount": Decimal("2.50")}},
    "sorted and limited": {"where": {}, "sort": {"name": -1, "_id": 1}, "limit": 7},
    "some fields": {"where": {"_id": {"$lt": 3}}, "fields": {"name": 1, "_id": 0}},
    "no fields named": {"where": {"_id": 1}, "fields": {}},
    "hint": {"where": {"_id": {"$gt": 100}}, "hint": "_id_"},
    "collation": {"where": {"name": "emile"}, "collation": {"locale": "en", "strength": 1}},
    "a filter of megabytes": {"where": {"_id": {"$in": list(range(300_000))}}},
}
AGGREGATES: Final[Mapping[str, dict[str, Any]]] = {
    "match": {"collection": "people", "pipeline": [{"$match": {"_id": {"$lt": 10}}}]},
    "group": {
        "collection": "people",
        "pipeline": [{"$group": {"_id": "$name", "sum": {"$sum": "$amount"}}}, {"$sort": {"_id": 1}}],
    },
    "documents": {"collection": None, "pipeline": [{"$documents": [{"n": 1}, {"n": MOMENT}]}]},
    "hint and collation": {
        "collection": "people",
        "pipeline": [{"$match": {"name": "ADA"}}],
        "hint": "_id_",
        "collation": {"locale": "en", "strength": 2},
    },
}


@pytest.mark.parametrize("asked", FINDS.values(), ids=FINDS)
async def test_a_find_is_the_same_command_and_finds_the_same(both: "Both", asked: dict[str, Any]) -> None:
    await both.same(lambda store: store.find("people", **asked))


@pytest.mark.parametrize("asked", AGGREGATES.values(), ids=AGGREGATES)
async def test_an_aggregate_is_the_same_command_and_finds_the_same(both: "Both", asked: dict[str, Any]) -> None:
    await both.same(lambda store: store.aggregate(**asked))


async def test_a_result_of_several_replies_is_read_to_its_end(both: "Both") -> None:
    found = await both.same(lambda store: store.find("large", {}, sort={"_id": 1}))
    assert [each["_id"] for each in found] == list(range(LARGE))
    assert [name for name, _ in both.wire.seen if name == "getMore"] == ["getMore", "getMore"]
    await both.same(lambda store: store.aggregate("large", [{"$sort": {"_id": -1}}]))


ERRORS: Final[Mapping[str, Callable[[Store], Awaitable[Any]]]] = {
    "no such operator": lambda store: store.find("people", {"$nothing": 1}),
    "no such stage": lambda store: store.aggregate("people", [{"$nothing": 1}]),
    "no such index": lambda store: store.find("people", {}, hint="nothing"),
    "what BSON has no word for": lambda store: store.find("people", {"_id": NotImplemented}),
    "too large a filter": lambda store: store.find("people", {"_id": "x" * 2**24}),
    "no more time": lambda store: _late(store),
}


async def _late(store: Store) -> None:
    late = store.within(0.001)
    await asyncio.sleep(0.01)
    await late.find("people", {})


@pytest.mark.parametrize("asks", ERRORS.values(), ids=ERRORS)
async def test_an_error_is_the_drivers(both: "Both", asks: Callable[[Store], Awaitable[Any]]) -> None:
    await both.same_error(asks)


@pytest.mark.parametrize("code", [2, TOO_LATE, 43, 11000, INTERRUPTED, 13])
@pytest.mark.parametrize(("command", "collection"), [("find", "people"), ("getMore", "large")])
async def test_an_error_of_the_commands_own_is_raised_and_not_repeated(
    both: "Both", command: str, collection: str, code: int
) -> None:
    for side in (both.wire, both.driver):
        with failing(both.mongod, command, times=2, errorCode=code, errorLabels=["Label"]) as failed:
            with pytest.raises(OperationFailure) as raised:
                await side.store.find(collection, {})
            assert failed() == 1
        side.error = raised.value
    assert error_summary(both.wire.error) == error_summary(both.driver.error)
    assert both.wire.error
    assert both.wire.error.has_error_label("Label")


async def test_events_are_the_drivers(both: "Both") -> None:
    for side in (both.wire, both.driver):
        await side.store.find("people", {"_id": 1})
        with pytest.raises(OperationFailure):
            await side.store.find("people", {"$nothing": 1})
        with failing(both.mongod, "find", times=1, closeConnection=True):
            await side.store.find("people", {"_id": 1})
    assert both.wire.ended == both.driver.ended
    assert [how for how, *_ in both.wire.ended] == ["succeeded", "failed", "failed", "succeeded"]


async def test_what_is_told_of_commands_is_one_line_for_each_read(mongod: "Mongod", driver: Driver) -> None:
    lines: list[tuple[str, bool]] = []

    def tell(name: str, _seconds: float, succeeded: bool) -> None:
        lines.append((name, succeeded))

    async with Store.open(mongod.uri, DATABASE, driver=driver, on_command=tell) as store:
        await store.find("people", {"_id": 1})
        with failing(mongod, "find", times=1, errorCode=NOT_PRIMARY):
            await store.find("people", {"_id": 1})
        with pytest.raises(OperationFailure):
            await store.aggregate("people", [{"$nothing": 1}])
    assert lines == [("find", True), ("find", True), ("aggregate", False)]


# ---------------------------------------------------------------- what is lost is read again


# The driver itself does not repeat a getMore.
@pytest.mark.parametrize(
    ("command", "collection", "times"),
    [("find", "people", 1), ("find", "people", 2), ("aggregate", "people", 2), ("getMore", "large", 1)],
)
@pytest.mark.parametrize(
    "failure",
    [
        {"closeConnection": True},
        {"errorCode": NOT_PRIMARY},
        {"errorCode": SHUTTING_DOWN},
        {"errorCode": UNREACHABLE},
    ],
    ids=str,
)
async def test_a_read_survives_what_the_driver_would_repeat(
    both: "Both", command: str, collection: str, times: int, failure: dict[str, Any]
) -> None:
    store = both.wire.store
    with failing(both.mongod, command, times=times, **failure) as failed:
        found = await (store.aggregate(collection, []) if command == "aggregate" else store.find(collection, {}))
        assert failed() == times
    assert len(found) == (len(DOCUMENTS) if collection == "people" else LARGE)
    assert await eventually(lambda: both.wire.goes_by_wire("people"))


async def test_a_server_that_died_and_came_back_is_read_again(own: "Mongod", driver: Driver) -> None:
    async with Store.open(own.uri, DATABASE, driver=driver, timeout_seconds=20) as store:
        await store.find("people", {"_id": 1})
        await asyncio.gather(*(store.find("people", {"_id": 1}) for _ in range(9)))
        assert connections(store)
        own.kill()
        own.start()
        for found in await asyncio.gather(*(store.find("people", {"_id": 1}) for _ in range(9))):
            assert [each["name"] for each in found] == ["Ada"]


async def test_no_read_is_lost_while_a_primary_steps_down(own: "Mongod", driver: Driver) -> None:
    uri, side, over = own.uri.replace("directConnection=true", "replicaSet=wire"), Side(), asyncio.Event()

    async def keep_reading() -> int:
        count = 0
        while not over.is_set():
            assert len(await side.store.within(30).find("people", {"_id": {"$lt": 3}})) == 3
            count += 1
        return count

    async with Store.open(uri, DATABASE, driver=driver, timeout_seconds=30, listeners=[side]) as side.store:
        assert await eventually(lambda: side.goes_by_wire("people"))
        term = own.admin({"replSetGetStatus": 1})["term"]
        reading = [asyncio.create_task(keep_reading()) for _ in range(8)]
        await asyncio.sleep(0.2)
        await asyncio.to_thread(own.step_down)
        assert await eventually(lambda: own.admin({"hello": 1})["isWritablePrimary"], 30)
        assert await eventually(lambda: side.goes_by_wire("people"))
        over.set()
        assert min(await asyncio.gather(*reading)) > 0
        assert own.admin({"replSetGetStatus": 1})["term"] > term


# ---------------------------------------------------------------- transactions


Works = Callable[[Store, str, Any], Awaitable[Any]]
ONE, SEVERAL = [{"_id": "new", "at": MOMENT, "amount": Decimal("1.50")}], [{"_id": "a"}, {"_id": "b", "n": 1}]
MIXED: Final[list[Any]] = [
    InsertOne({"_id": "in"}),
    UpdateOne({"_id": 1}, {"$set": {"n": 7}}),
    DeleteOne({"_id": 2}),
    InsertOne({"_id": "too"}),
    ReplaceOne({"_id": "there"}, {"_id": "there", "is": True}, upsert=True),
    UpdateMany({"n": {"$lt": 7}}, [{"$set": {"n": {"$add": ["$n", 1]}}}]),
    DeleteMany({"n": {"$gte": 9}}),
    UpdateOne({"_id": 3}, {"$set": {"list.$[each].n": 5}}, array_filters=[{"each.n": 1}], hint="_id_"),
    UpdateOne({"name": "ADA"}, {"$inc": {"n": 1}}, collation={"locale": "en", "strength": 2}, upsert=True),
]
WORKS: Final[Mapping[str, Works]] = {
    "insert one": lambda store, into, session: store.insert(into, ONE, session=session),
    "insert several": lambda store, into, session: store.insert(into, SEVERAL, session=session),
    "insert nothing": lambda store, into, session: store.insert(into, [], session=session),
    "insert without an id": lambda store, into, session: store.insert(into, [{"n": 100}], session=session),
    "insert more than go by wire": lambda store, into, session: store.insert(
        into, [{"_id": f"many {n}"} for n in range(1_500)], session=session
    ),
    "insert one that is there": lambda store, into, session: store.insert(into, [{"_id": 1}], session=session),
    "insert several, one is there": lambda store, into, session: store.insert(
        into, [{"_id": 1}, {"_id": "x"}], session=session
    ),
    "insert what is too large": lambda store, into, session: store.insert(
        into, [{"_id": "large", "text": "x" * 2**24}], session=session
    ),
    "write in order": lambda store, into, session: store.write(into, MIXED, session=session),
    "write in any order": lambda store, into, session: store.write(into, MIXED, ordered=False, session=session),
    "write one that is there": lambda store, into, session: store.write(into, [InsertOne({"_id": 1})], session=session),
    "write what cannot be": lambda store, into, session: store.write(
        into, [UpdateOne({"_id": 1}, {"$nothing": 1})], session=session
    ),
    "write nothing": lambda store, into, session: store.write(into, [], session=session),
    "change one": lambda store, into, session: store.find_one_and_update(
        into, {"n": {"$lt": 5}}, {"$inc": {"n": 10}}, sort={"n": -1}, session=session
    ),
    "change nobody": lambda store, into, session: store.find_one_and_update(
        into, {"_id": "nobody"}, {"$inc": {"n": 1}}, session=session
    ),
    "change nobody yet": lambda store, into, session: store.find_one_and_update(
        into, {"_id": "nobody"}, [{"$set": {"at": MOMENT}}], upsert=True, session=session
    ),
    "change what cannot be": lambda store, into, session: store.find_one_and_update(
        into, {"_id": 1}, {"$set": {"_id": 2}}, session=session
    ),
    "find": lambda store, into, session: store.find(into, {"n": {"$gt": 3}}, sort={"n": 1}, session=session),
    "find much": lambda store, into, session: store.find("large", {}, fields={"_id": 1, "text": 1}, session=session),
    "find what cannot be": lambda store, into, session: store.find(into, {"$nothing": 1}, session=session),
    "aggregate": lambda store, into, session: store.aggregate(
        into, [{"$group": {"_id": None, "sum": {"$sum": "$n"}}}], session=session
    ),
}


async def together(store: Store, into: str, session: Any, *written: Any) -> None:
    """Sends documents and operations at once: lists of dicts are inserted."""
    collected = store.together(session)
    for each in written:
        if isinstance(each[0], dict):
            collected.insert(into, each)
        else:
            collected.write(into, each)
    await collected.send()


SET: Final[Any] = [UpdateOne({"_id": 1}, {"$set": {"n": 60}})]
AT_ONCE: Final[Mapping[str, Sequence[Any]]] = {
    "one": [ONE],
    "several": [ONE, SET, SEVERAL, MIXED],
    "the first is there": [[{"_id": 1}], ONE, SET],
    "the last is there": [ONE, SET, [{"_id": 1}]],
    "one of several is there": [ONE, [{"_id": "x"}, {"_id": 1}, {"_id": "y"}], SET],
    "one of a bulk is there": [ONE, [UpdateOne({"_id": 2}, {"$set": {"n": 61}}), InsertOne({"_id": 1})], SET],
    "one cannot be": [ONE, [UpdateOne({"_id": 1}, {"$nothing": 1})], SEVERAL],
    "one is too large": [ONE, [{"_id": "large", "text": "x" * 2**24}], SEVERAL],
    "more than go by wire": [ONE, [{"_id": f"many {n}"} for n in range(1_500)], SET],
    "one without an id": [ONE, [{"n": 100}], SET],
    "large ones": [[{"_id": f"large {n}", "text": "x" * 2**22}] for n in range(5)],
}
TOGETHER: Final[Mapping[str, Works]] = {
    f"at once, {name}": lambda store, into, session, written=written: together(store, into, session, *written)
    for name, written in AT_ONCE.items()
}


@pytest.mark.parametrize("work", [*WORKS.values(), *TOGETHER.values()], ids=[*WORKS, *TOGETHER])
async def test_what_a_transaction_does_is_the_same(both: "Both", work: Works) -> None:
    outcomes: list[Any] = []
    for name, side in (("by_wire", both.wire), ("by_driver", both.driver)):
        store = side.store
        await store.write(name, [DeleteMany({})])
        await store.insert(name, [{"_id": n, "n": n, "list": [{"n": n % 2}]} for n in range(10)])

        async def body(session: Any, store: Store = store, name: str = name) -> Any:
            await store.insert(name, [{"_id": "first", "n": 50}], session=session)
            return await work(store, name, session)

        try:
            done = await store.transaction(body)
            told: Any = getattr(done, "bulk_api_result", None)
            outcome: Any = {key: told[key] for key in sorted(told) if key.startswith("n")} if told else done
        except Exception as raised:  # which is what is compared
            outcome = error_summary(raised)
        left = await store.find(name, {}, sort={"_id": 1})
        named = [{**each, "_id": "made" if isinstance(each["_id"], ObjectId) else each["_id"]} for each in left]
        outcomes.append((outcome, [each for each in named if "n" in each]))
    assert repr(outcomes[0]).replace("by_wire", "by_driver") == repr(outcomes[1])


FAILURES: Final[list[dict[str, Any]]] = [
    {"closeConnection": True},
    *({"errorCode": code} for code in (NOT_PRIMARY, SHUTTING_DOWN, UNREACHABLE)),
    {"errorCode": 112, "errorLabels": ["TransientTransactionError"]},
    {"errorCode": 251, "errorLabels": []},
]


@pytest.mark.parametrize("failure", FAILURES, ids=str)
@pytest.mark.parametrize("command", ["insert", "update", "findAndModify", "find", "aggregate"])
async def test_a_transaction_that_loses_a_command_runs_again(
    both: "Both", command: str, failure: dict[str, Any]
) -> None:
    for at_once in (False, True):
        assert await _transact(both, command, failure, times=1, at_once=at_once) == 2


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize(
    "failure",
    [*FAILURES[:-2], {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}],
    ids=str,
)
async def test_a_commit_whose_answer_is_lost_is_one(both: "Both", failure: dict[str, Any], times: int) -> None:
    assert await _transact(both, "commitTransaction", failure, times=times) == 1


async def test_a_commit_that_was_refused_is_none(both: "Both") -> None:
    failure = {"errorCode": 251, "errorLabels": ["TransientTransactionError"]}
    assert await _transact(both, "commitTransaction", failure, times=1) == 2


async def test_a_commit_of_which_the_server_knows_nothing_is_not_known(both: "Both") -> None:
    """Without its label nobody can say whether it is lost for good."""
    with pytest.raises(OutOfTime):
        await _transact(both, "commitTransaction", {"errorCode": 251, "errorLabels": []}, times=1)


async def _transact(both: "Both", command: str, failure: dict[str, Any], *, times: int, at_once: bool = False) -> int:
    """Runs a transaction in which a command fails so often; returns how often its body ran. It is there once."""
    store, runs = both.wire.store, 0
    await store.write("once", [DeleteMany({})])
    await store.insert("once", [{"_id": "count", "n": 0}])

    async def body(session: Any) -> None:
        nonlocal runs
        runs += 1
        await store.find("once", {}, session=session)
        await store.aggregate("once", [], session=session)
        await store.find_one_and_update("once", {"_id": "count"}, {"$inc": {"n": 1}}, session=session)
        new, count = [{"_id": f"run {runs}"}], [UpdateOne({"_id": "count"}, {"$inc": {"n": 1}})]
        if at_once:
            await together(store, "once", session, new, count)
        else:
            await store.insert("once", new, session=session)
            await store.write("once", count, session=session)

    with failing(both.mongod, command, times=times, **failure) as failed:
        await store.transaction(body)
        assert failed() == times
    assert await store.find("once", {}, sort={"_id": 1}) == [{"_id": "count", "n": 2}, {"_id": f"run {runs}"}]
    return runs


async def test_the_commands_of_a_transaction_go_by_wire(both: "Both") -> None:
    """Which only shows in what the driver's commands tell of the cluster's time."""
    await both.wire.store.transaction(lambda session: both.wire.store.find("people", {"_id": 1}, session=session))
    await both.driver.store.transaction(lambda session: both.driver.store.find("people", {"_id": 1}, session=session))
    assert [["$clusterTime" in command for _, command in side.seen] for side in (both.wire, both.driver)] == [
        [False],
        [True],
    ]


async def test_writes_at_once_do_not_wait_for_each_other(both: "Both") -> None:
    """All are sent before the first is answered, where they begin a transaction, too."""

    async def body(session: Any, first: bool, name: str) -> None:
        if not first:
            await both.wire.store.find("people", {"_id": 1}, session=session)
        await together(both.wire.store, "at_once", session, [{"_id": f"{name} 1"}], [{"_id": f"{name} 2"}], SET)

    for first, name in ((False, "later"), (True, "first")):
        both.wire.clear()
        with failing(both.mongod, "insert", times=1, blockConnection=True, blockTimeMS=500):
            running = asyncio.create_task(both.wire.store.transaction(partial(body, first=first, name=name)))
            assert await eventually(lambda: both.wire.written)
            sent = [*both.wire.written]
            await running
        assert sent == ["insert", "insert", "update"]
    assert len(await both.wire.store.find("at_once", {})) == 4


@pytest.mark.parametrize("begins", [False, True])
@pytest.mark.parametrize("lost", ["a key that is taken", "a row that is gone"])
async def test_who_loses_a_race_runs_again(both: "Both", lost: str, begins: bool) -> None:
    for side in (both.wire, both.driver):
        store, runs = side.store, 0
        await store.write("race", [DeleteMany({})])
        await store.insert("race", [{"_id": 1}])

        async def body(session: Any, store: Store = store) -> None:
            nonlocal runs
            runs += 1
            if not begins:
                await store.find("race", {}, session=session)
            collected, taken = store.together(session), lost == "a key that is taken" and runs == 1
            collected.write("race", [UpdateOne({"_id": 1 if taken or runs > 1 else 2}, {"$inc": {"n": 1}})], finds=1)
            collected.insert("race", [{"_id": 1 if taken else 3}], is_race=True)
            await collected.send()

        await store.transaction(body)
        assert runs == 2
        assert await store.find("race", {}, sort={"_id": 1}) == [{"_id": 1, "n": 1}, {"_id": 3}]


async def test_what_is_found_along_with_writes_may_end_the_transaction(both: "Both") -> None:
    class Enough(Exception):
        pass

    for side in (both.wire, both.driver):
        store, at = side.store, datetime(2026, 1, 2, 3, tzinfo=UTC)
        await store.write("along", [DeleteMany({})])
        await store.insert("along", [{"_id": 1, "n": 0, "at": at}])
        found: list[Document] = []

        async def body(session: Any, then: Callable[[list[Document]], None], store: Store = store) -> None:
            collected = store.together(session)
            collected.find("along", {"n": 0}, then)
            collected.update("along", {"_id": 1}, {"$inc": {"n": 1}}, found.append)  # noqa: B023 # this round's
            await collected.send()

        def enough(_: list[Document]) -> None:
            raise Enough

        with pytest.raises(Enough):
            await store.transaction(partial(body, then=enough))
        assert await store.find("along", {}) == [{"_id": 1, "n": 0, "at": at}]
        await store.transaction(partial(body, then=found.extend))
        assert found == [{"_id": 1, "n": 0, "at": at}, {"_id": 1, "n": 1, "at": at}]


@pytest.mark.parametrize("place", [0, 1])
async def test_what_begins_a_transaction_and_fails_is_said_and_leaves_nothing(both: "Both", place: int) -> None:
    """The command of a piece that fails, be it the first: what follows it fails, too, and is not what is raised."""
    for side in (both.wire, both.driver):
        store = side.store
        await store.write("begun", [DeleteMany({})])
        await store.insert("begun", [{"_id": 1}])

        async def body(session: Any, store: Store = store) -> None:
            collected = store.together(session)
            for each in ([{"_id": 1}, {"_id": 2}], [{"_id": 2}, {"_id": 1}])[place]:
                collected.insert("begun", [each])
            await collected.send()

        with pytest.raises(DuplicateKey):
            await store.transaction(body)
        assert await store.find("begun", {}) == [{"_id": 1}]


async def test_who_leaves_a_transaction_keeps_nobody_from_what_it_wrote(both: "Both") -> None:
    store = both.wire.store
    await store.write("left", [DeleteMany({})])
    await store.insert("left", [{"_id": 1, "n": 0}])
    started = asyncio.Event()

    async def body(session: Any) -> None:
        await store.write("left", [UpdateOne({"_id": 1}, {"$inc": {"n": 1}})], session=session)
        started.set()
        slow = {"$where": "sleep(20000) || true"}
        await store.find("left", slow, session=session)

    leaving = asyncio.create_task(store.transaction(body))
    await started.wait()
    await asyncio.sleep(0.1)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert leaving.cancelled()
    await store.within(10).find_one_and_update("left", {"_id": 1}, {"$inc": {"n": 5}})
    assert await store.find("left", {}) == [{"_id": 1, "n": 5}]


async def test_no_transaction_is_lost_or_done_twice_where_the_server_dies(own: "Mongod", driver: Driver) -> None:
    done: list[str] = []
    over = asyncio.Event()

    async def keep_writing(store: Store, name: str) -> None:
        for number in itertools.count():
            if over.is_set():
                return
            own_id = f"{name} {number}"

            async def body(session: Any, own_id: str = own_id) -> None:
                await store.find("kills", {"_id": own_id}, session=session)
                count = UpdateOne({"_id": "count"}, {"$inc": {name: 1}}, upsert=True)
                await together(store, "kills", session, [{"_id": own_id}], [count])

            await store.within(30).transaction(body)
            done.append(own_id)

    async with Store.open(own.uri, DATABASE, driver=driver, timeout_seconds=30) as store:
        await store.write("kills", [DeleteMany({})])
        await store.insert("kills", [{"_id": "count"}])
        writing = [asyncio.create_task(keep_writing(store, f"w{number}")) for number in range(4)]
        for _ in range(2):
            await asyncio.sleep(0.3)
            own.kill()
            await asyncio.to_thread(own.start)
            before = len(done)
            assert await eventually(lambda before=before: len(done) > before + 20, 30)
        over.set()
        await asyncio.gather(*writing)
        (count,) = await store.find("kills", {"_id": "count"})
        there = {each["_id"] for each in await store.find("kills", {"_id": {"$ne": "count"}})}
    assert there == {*done}
    assert sum(value for key, value in count.items() if key != "_id") == len(done)


async def test_a_connection_that_was_opened_before_the_set_was_known_fails_no_transaction(
    tmp_path: Path, driver: Driver
) -> None:
    """PyMongo asks once for each connection whether there are sessions, and such a server says that there are none."""
    (port,) = free_ports(1)
    mongod = Mongod(tmp_path / "db", port)
    mongod.folder.mkdir()
    mongod.start()
    try:
        async with Store.open(mongod.uri, DATABASE, driver=driver, timeout_seconds=30) as store:
            opened = [store.command({"ping": 1}, on_admin=True) for _ in range(4)]
            await asyncio.gather(*opened)
            await asyncio.to_thread(mongod.initiate)
            assert await eventually(lambda: store.database.is_writable, 30)

            async def body(session: Any) -> None:
                await store.write("early", [UpdateOne({"_id": 1}, {"$inc": {"n": 1}}, upsert=True)], session=session)

            for _ in range(8):
                await store.within(10).transaction(body)
            assert await store.find("early", {}) == [{"_id": 1, "n": 8}]
    finally:
        mongod.kill()


async def test_a_connection_of_ours_that_knows_no_sessions_is_not_kept(both: "Both") -> None:
    store = both.wire.store
    await store.write("early", [DeleteMany({})])

    async def body(session: Any) -> None:
        await store.write("early", [UpdateOne({"_id": 1}, {"$inc": {"n": 1}}, upsert=True)], session=session)

    for n in (1, 2):
        await store.find("early", {})
        assert connections(store)
        for each in connections(store):
            each.pymongo.supports_sessions = False
        await store.transaction(body)
        assert await store.find("early", {}) == [{"_id": 1, "n": n}]
    assert store.database.is_wired


# ---------------------------------------------------------------- time, and who no longer waits


async def test_a_frozen_server_is_waited_for_until_the_deadline_and_no_longer(own: "Mongod", driver: Driver) -> None:
    raised: dict[bool, Any] = {}
    for wire in (True, False):
        async with Store.open(own.uri, DATABASE, driver=driver, wire=wire) as store:
            await store.find("people", {"_id": 1})
            await store.find("people", {"_id": 1})
            start = time.monotonic()
            with own.frozen(), pytest.raises(Unavailable) as failed:
                await store.within(0.3).find("people", {"_id": 1})
            assert 0.25 < time.monotonic() - start < 8  # the driver alone would wait for its next heartbeat, 10 s
            raised[wire] = type(failed.value)
            assert connections(store) == set()
            assert len(await store.find("people", {"_id": 1})) == 1
    assert raised == {True: NetworkTimeout, False: NetworkTimeout}


@pytest.mark.parametrize("before", [1, 2], ids=["opening", "reading"])
async def test_who_has_no_deadline_waits_no_longer_than_the_driver_believes_in_the_server(
    own: "Mongod", driver: Driver, before: int
) -> None:
    async with Store.open(own.uri, DATABASE, driver=driver, timeout_seconds=1) as store:
        for _ in range(before):
            await store.find("people", {"_id": 1})
        start = time.monotonic()
        with own.frozen(), pytest.raises(Unavailable):
            await store.find("people", {"_id": 1})
        assert time.monotonic() - start < 12


async def test_the_server_ends_in_time_too(both: "Both") -> None:
    slow = {"$where": "sleep(50) || true"}
    with pytest.raises(Unavailable):
        await both.wire.store.within(0.5).find("people", slow)
    assert 0 < both.wire.seen[-1][1]["maxTimeMS"] <= 500
    await both.wire.store.within(600).within(60).find("people", {})
    assert 30_000 < both.wire.seen[-1][1]["maxTimeMS"] <= 60_000
    await both.wire.store.within(60).within(600).find("people", {})
    assert 30_000 < both.wire.seen[-1][1]["maxTimeMS"] <= 60_000


async def test_who_hangs_up_ends_the_read_in_the_database(both: "Both") -> None:
    with failing(both.mongod, "find", times=1, blockConnection=True, blockTimeMS=300):
        reading = asyncio.create_task(_slow_read(both.wire.store, "hung up"))
        assert await eventually(lambda: running(both.mongod, "hung up"))
        before = connections(both.wire.store)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await eventually(lambda: not running(both.mongod, "hung up"))
    assert len(before - connections(both.wire.store)) == 1  # an answer to it would be taken for the next one's
    assert await both.wire.store.find("people", {"_id": 1}, fields={"name": 1}) == [{"_id": 1, "name": "Ada"}]


async def test_a_tagged_read_can_be_ended(both: "Both") -> None:
    for side in (both.wire, both.driver):
        reading = asyncio.create_task(_slow_read(side.store, "a mark"))
        assert await eventually(lambda: running(both.mongod, "a mark"))
        await side.store.kill_operations("a mark")
        with pytest.raises(OperationFailure) as ended:
            await reading
        side.error = ended.value
        # Before it, the server may say in which part of its work it was.
        assert str(ended.value.details and ended.value.details["errmsg"]).endswith("operation was interrupted")
    assert (type(both.wire.error), both.wire.error.code) == (type(both.driver.error), both.driver.error.code)


async def test_who_leaves_between_two_replies_leaves_no_cursor(both: "Both") -> None:
    with failing(both.mongod, "getMore", times=1, blockConnection=True, blockTimeMS=3_000):
        reading = asyncio.create_task(_tagged(both.wire.store, "left").find("large", {}))
        assert await eventually(lambda: "getMore" in [name for name, _ in both.wire.seen])
        assert cursors(both.mongod, "left")
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        assert await eventually(lambda: not cursors(both.mongod, "left"))


def _tagged(store: Store, tag: str) -> Store:
    return store.database.reader(store.deadline, tag=tag)


async def _slow_read(store: Store, tag: str) -> list[Document]:
    return await _tagged(store, tag).find("people", {"$where": "sleep(100) || true"})


# ---------------------------------------------------------------- connections


async def test_there_are_as_many_connections_as_the_uri_allows_and_waiting_is_in_order(
    mongod: "Mongod", driver: Driver
) -> None:
    side = Side()
    async with Store.open(f"{mongod.uri}&maxPoolSize=2", DATABASE, driver=driver, listeners=[side]) as store:

        async def read(number: int, store: Store = store) -> None:
            await _tagged(store, f"{number:02}").find("people", {"_id": 1})

        await read(0)
        await asyncio.gather(*(read(number) for number in range(5)))
        side.clear()
        await asyncio.gather(*(read(number) for number in range(30)))
        assert len(connections(store)) == 2
        assert [command["comment"] for _, command in side.seen] == [f"{number:02}" for number in range(30)]

        with failing(mongod, "find", times=2, blockConnection=True, blockTimeMS=700):
            holding = [asyncio.create_task(read(number)) for number in range(2)]
            await asyncio.sleep(0.1)
            given_up = asyncio.create_task(read(98))
            await asyncio.sleep(0)
            with pytest.raises(WaitQueueTimeoutError):
                await read(99, store.within(0.2))
            given_up.cancel()
            await asyncio.gather(*holding, given_up, return_exceptions=True)
        await asyncio.gather(*(read(number) for number in range(9)))  # no place was lost
        assert len(connections(store)) == 2


async def test_the_place_of_a_lost_connection_is_free_again(mongod: "Mongod", driver: Driver) -> None:
    side = Side()
    async with Store.open(f"{mongod.uri}&maxPoolSize=2", DATABASE, driver=driver, listeners=[side]) as side.store:
        await side.store.find("people", {"_id": 1})
        for _ in range(5):
            with failing(mongod, "find", times=1, closeConnection=True):
                await side.store.within(5).find("people", {"_id": 1})
            assert await eventually(lambda: side.goes_by_wire("people"), 4)


async def test_who_hangs_up_in_the_moment_that_it_is_given_a_connection_gives_it_back(
    mongod: "Mongod", driver: Driver
) -> None:
    async with Store.open(f"{mongod.uri}&maxPoolSize=1", DATABASE, driver=driver) as store:
        for _ in range(2):
            await store.find("people", {"_id": 1})
        waiting: list[asyncio.Task[Any]] = []

        async def hold() -> None:
            await store.find("people", {"_id": 1})
            waiting[0].cancel()  # before it could know

        holding = asyncio.create_task(hold())
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(store.find("people", {"_id": 1})))
        await asyncio.wait([holding, waiting[0]])
        assert waiting[0].cancelled()
        held = connections(store)
        assert len(await store.within(2).find("people", {"_id": 1})) == 1
        assert connections(store) == held


async def test_the_connection_used_last_is_used_next(both: "Both") -> None:
    await asyncio.gather(*(both.wire.store.find("people", {"_id": 1}) for _ in range(5)))
    both.wire.connections.clear()
    for _ in range(5):
        await both.wire.store.find("people", {"_id": 1})
    assert len(set(both.wire.connections)) == 1


async def test_a_deadline_ends_with_its_read(both: "Both") -> None:
    store = both.wire.store
    await asyncio.gather(*(store.find("people", {"_id": 1}) for _ in range(2)))
    held = connections(store)
    hurried = store.within(0.1)
    await asyncio.gather(*(hurried.find("people", {"_id": 1}) for _ in range(2)))
    with failing(both.mongod, "find", times=1, blockConnection=True, blockTimeMS=1_200):
        await store.find("people", {"_id": 1})  # longer than we look away
    assert connections(store) == held


async def test_nothing_is_left_of_a_store_that_was_closed(mongod: "Mongod", driver: Driver) -> None:
    before = asyncio.all_tasks()
    async with Store.open(mongod.uri, DATABASE, driver=driver) as store:
        await store.find("people", {"_id": 1})
        await asyncio.gather(*(store.find("people", {"_id": 1}) for _ in range(5)))
        held = connections(store)
        assert held
        reading = asyncio.create_task(_slow_read(store, "closed"))
        assert await eventually(lambda: running(mongod, "closed"))
    with pytest.raises(Unavailable):
        await reading
    assert all(connection.is_closing for connection in held)
    assert connections(store) == set()
    assert await eventually(lambda: asyncio.all_tasks() == before)
    del held, store, reading
    gc.collect()  # what was not closed warns, and a warning is an error


@pytest.mark.parametrize(
    "option",
    [
        "readPreference=secondaryPreferred",
        "retryReads=false",
        "compressors=zlib",
        "socketTimeoutMS=5000",
        "timeoutMS=5000",
        "waitQueueTimeoutMS=5000",
        "maxIdleTimeMS=5000",
    ],
)
async def test_what_the_uri_asks_for_and_the_wire_does_not_do_leaves_reading_to_the_driver(
    mongod: "Mongod", driver: Driver, option: str
) -> None:
    side = Side()
    async with Store.open(f"{mongod.uri}&{option}", DATABASE, driver=driver, listeners=[side]) as side.store:
        for _ in range(3):
            await side.store.find("people", {"_id": 1})
    assert len(side.seen) == 3
    assert all("lsid" in command for _, command in side.seen)


async def test_snapshots_stay_with_the_driver(both: "Both") -> None:
    await both.wire.store.aggregate("people", [], snapshot=True)
    assert all("lsid" in command for _, command in both.wire.seen)


async def test_connections_are_signed_in_and_secured_as_the_uri_says(
    secured: "Mongod", driver: Driver, tmp_path: Path
) -> None:
    side = Side()
    async with Store.open(secured.uri, DATABASE, driver=driver, listeners=[side]) as side.store:
        await side.store.find("large", {"_id": 1})
        found = await asyncio.gather(*(side.store.find("large", {}) for _ in range(4)))
        assert [len(each) for each in found] == [LARGE] * 4
        assert await side.goes_by_wire("large")
        assert connections(side.store)
    wrong = secured.uri.replace("secret", "wrong")
    async with Store.open(wrong, DATABASE, driver=driver) as store:
        for _ in range(2):
            with pytest.raises(OperationFailure, match="Authentication failed"):
                await store.find("large", {})


# ---------------------------------------------------------------- helpers


class Side(CommandListener):
    """A store and what it did."""

    store: Store

    def __init__(self) -> None:
        self.error: Any = None
        self.clear()

    def clear(self) -> None:
        self.seen: list[tuple[str, Document]] = []
        self.ended: list[tuple[Any, ...]] = []
        self.connections: list[Any] = []
        self.written: list[str] = []
        """The commands that write, in a transaction or without."""

    def started(self, event: Any) -> None:
        if event.command_name in {"insert", "update", "delete"}:
            self.written.append(event.command_name)
        if event.command_name in {"find", "aggregate", "getMore"}:
            self.seen.append((event.command_name, dict(event.command)))
            self.connections.append(event.server_connection_id)

    def succeeded(self, event: Any) -> None:
        if event.command_name in {"find", "aggregate", "getMore"}:
            reply = {key: value for key, value in event.reply.items() if key not in {"$clusterTime", "operationTime"}}
            self.ended.append(("succeeded", event.command_name, event.database_name, event.connection_id, repr(reply)))

    def failed(self, event: Any) -> None:
        if event.command_name in {"find", "aggregate", "getMore"}:
            code = event.failure.get("code"), event.failure.get("errtype")
            self.ended.append(("failed", event.command_name, event.database_name, event.connection_id, code))

    async def goes_by_wire(self, collection: str) -> bool:
        self.clear()
        await self.store.find(collection, {"_id": 1})
        return "lsid" not in self.seen[0][1]


@dataclass
class Both:
    mongod: "Mongod"
    wire: Side
    driver: Side

    async def same(self, ask: Callable[[Store], Awaitable[list[Document]]]) -> list[Document]:
        found = [await ask(side.store) for side in (self.wire, self.driver)]
        assert repr(found[0]) == repr(found[1])
        assert shown(self.wire.seen) == shown(self.driver.seen)
        assert not any("lsid" in command for _, command in self.wire.seen)
        assert all("lsid" in command for _, command in self.driver.seen)
        return found[0]

    async def same_error(self, ask: Callable[[Store], Awaitable[Any]]) -> None:
        for side in (self.wire, self.driver):
            with pytest.raises(Exception) as raised:  # noqa: PT011 # which is what is compared
                await ask(side.store)
            side.error = raised.value
        assert error_summary(self.wire.error) == error_summary(self.driver.error)


def shown(seen: list[tuple[str, Document]]) -> list[tuple[str, Document]]:
    """Without what only a session has, which number a cursor has, and how many rows may come at once besides 16 MB."""
    besides = {"lsid", "$clusterTime", "getMore", "$readPreference"}  # the last says: secondaries, too, if I must
    return [
        (
            name,
            {
                key: value
                for key, value in command.items()
                if key not in besides and not (name == "getMore" and key == "batchSize")
            },
        )
        for name, command in seen
    ]


def error_summary(error: Any) -> tuple[Any, ...]:
    """Its class, code and labels, and its words as far as they are not about the moment."""
    kind: type[Any] = error.__class__
    words = str(error).split(", full error")[0].split("remaining")[0]
    return kind, getattr(error, "code", None), getattr(error, "_error_labels", None), words


def connections(store: Store) -> set[Any]:
    server = store.database.wire and store.database.wire._server  # pyright: ignore[reportPrivateUsage]
    return {each for each in server.all if not each.is_closing} if server else set()


async def eventually(question: Callable[[], Any], seconds: float = 10) -> bool:
    """Whether it becomes true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = question()
        if await answer if isinstance(answer, Awaitable) else answer:
            return True
        await asyncio.sleep(0.02)
    return False


@contextmanager
def failing(mongod: "Mongod", command: str, *, times: int, **how: Any) -> Generator[Callable[[], int]]:
    """Makes that many of these commands fail, or wait; says how many did."""
    data = {"failCommands": [command], **how}
    begun = mongod.admin({"configureFailPoint": "failCommand", "mode": {"times": times}, "data": data})["count"]
    count = begun

    def failed() -> int:
        nonlocal count
        count = mongod.admin({"configureFailPoint": "failCommand", "mode": "off"})["count"]
        return count - begun

    try:
        yield failed
    finally:
        failed()


def running(mongod: "Mongod", mark: str) -> list[Document]:
    operations = mongod.client.admin.aggregate([{"$currentOp": {}}, {"$match": {"command.comment": mark}}])
    return list(operations)


def cursors(mongod: "Mongod", mark: str) -> list[Document]:
    ours = {"$match": {"cursor.originatingCommand.comment": mark}}
    return list(mongod.client.admin.aggregate([{"$currentOp": {"idleCursors": True}}, ours]))


@dataclass
class Mongod:
    """One node of our own: a replica set on which commands can be made to fail."""

    folder: Path
    port: int
    arguments: tuple[str, ...] = ()
    credentials: str = ""
    options: str = ""
    running: "subprocess.Popen[bytes] | None" = None

    @property
    def uri(self) -> str:
        return f"mongodb://{self.credentials}127.0.0.1:{self.port}/?directConnection=true{self.options}"

    def start(self) -> None:
        mongod = find_mongod()
        if mongod is None:
            raise MongodUnavailable(WAYS_OUT)
        command = [str(mongod), "--dbpath", str(self.folder), "--port", str(self.port), "--bind_ip", "127.0.0.1"]
        command += ["--replSet", "wire", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64"]
        command += ["--setParameter", "enableTestCommands=1", "--logpath", f"{self.folder}.log", *self.arguments]
        command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        self.running = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # ours

    def kill(self) -> None:
        if self.running:
            self.running.kill()
            self.running.wait(timeout=30)

    @contextmanager
    def frozen(self) -> Generator[None]:
        assert self.running
        self.running.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.running.pid, os.WSTOPPED)  # until then a thread of it may answer once more
        try:
            yield
        finally:
            self.running.send_signal(signal.SIGCONT)

    def step_down(self) -> None:
        """It is no primary for a second."""
        with suppress(ConnectionFailure):
            self.admin({"replSetStepDown": 1, "secondaryCatchUpPeriodSecs": 0, "force": True})

    def admin(self, command: Document) -> Document:
        return self.client.admin.command(command)

    def begin(self) -> None:
        self.folder.mkdir()
        self.start()
        self.initiate()
        self.client: MongoClient[Any] = MongoClient(self.uri)

    def initiate(self) -> None:
        uri = self.uri.replace(self.credentials, "") if self.credentials else self.uri
        with MongoClient[Any](uri) as client:
            client.admin.command(
                {"replSetInitiate": {"_id": "wire", "members": [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]}}
            )
            while not client.admin.command("hello")["isWritablePrimary"]:
                time.sleep(0.05)
            if self.credentials:
                client.admin.command({"createUser": "tess", "pwd": "secret", "roles": ["root"]})

    def end(self) -> None:
        self.client.close()
        self.kill()


@contextmanager
def begun(folder: Path, *arguments: str, credentials: str = "", options: str = "") -> Generator[Mongod]:
    (port,) = free_ports(1)
    mongod = Mongod(folder, port, arguments, credentials, options)
    try:
        mongod.begin()
        yield mongod
    finally:
        mongod.end()


async def fill(mongod: Mongod) -> None:
    async with Store.open(mongod.uri, DATABASE) as store:
        await store.insert("people", DOCUMENTS)
        await store.insert("large", [{"_id": number, "text": "x" * 1_000_000} for number in range(LARGE)])


@pytest.fixture(scope="module")
async def mongod(tmp_path_factory: pytest.TempPathFactory, anyio_backend: Any) -> AsyncGenerator[Mongod]:
    """Starts a mongod with documents in it."""
    with begun(tmp_path_factory.mktemp("wire") / "db") as started:
        await fill(started)
        yield started


@pytest.fixture(scope="module")
async def own(tmp_path_factory: pytest.TempPathFactory, anyio_backend: Any) -> AsyncGenerator[Mongod]:
    """Starts a mongod that may be frozen and killed."""
    with begun(tmp_path_factory.mktemp("own") / "db") as started:
        await fill(started)
        yield started


@pytest.fixture(scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory, anyio_backend: Any) -> AsyncGenerator[Mongod]:
    """Starts a mongod that wants a user and TLS."""
    folder = tmp_path_factory.mktemp("secured")
    certificate, key = certified(folder), folder / "key"
    key.write_text("a secret of the members")
    key.chmod(0o400)
    arguments = (
        "--auth",
        "--keyFile",
        str(key),
        "--tlsMode",
        "requireTLS",
        "--tlsCertificateKeyFile",
        str(certificate),
    )
    options = f"&tls=true&tlsCAFile={certificate}&authSource=admin"
    with begun(folder / "db", *arguments, credentials="tess:secret@", options=options) as started:
        await fill(started)
        yield started


@asynccontextmanager
async def sides(mongod: Mongod, driver: Driver) -> AsyncGenerator[Both]:
    wire, alone = Side(), Side()
    async with (
        Store.open(mongod.uri, DATABASE, driver=driver, listeners=[wire]) as wire.store,
        Store.open(mongod.uri, DATABASE, driver=driver, listeners=[alone], wire=False) as alone.store,
    ):
        for side in (wire, alone):
            await side.store.find("people", {"_id": 1})  # the first read finds out who is primary
            side.clear()
        yield Both(mongod, wire, alone)


@pytest.fixture
async def both(mongod: Mongod, driver: Driver) -> AsyncGenerator[Both]:
    """Opens two stores of one server: one that reads by wire, and one that does not."""
    async with sides(mongod, driver) as made:
        yield made


def certified(folder: Path) -> Path:
    """A certificate of 127.0.0.1 that vouches for itself, with its key."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "wire")]),
    )
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
