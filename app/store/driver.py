"""The seam to MongoDB's driver: Motor by default, PyMongo's own asynchronous client by setting.

The two differ in which calls are coroutines; that difference ends here. Nothing outside ``store`` sees a driver.
"""

import asyncio
import inspect
import itertools
import random
import time
import warnings
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, Self, TypeAlias, TypeVar

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import (
    AsyncMongoClient,
    DeleteMany,
    DeleteOne,
    InsertOne,
    MongoClient,
    ReadPreference,
    ReplaceOne,
    UpdateMany,
    UpdateOne,
    WriteConcern,
)
from pymongo.errors import ConnectionFailure, NetworkTimeout, OperationFailure, PyMongoError
from pymongo.monitoring import CommandListener
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import Secondary, SecondaryPreferred

from app.store import shortcuts, statements
from app.store.codec import CODEC, Document, list_to_python, to_python
from app.store.deadline import NEVER, Deadline
from app.store.fall_back import FallBackToDriver, UnknownPymongo
from app.store.faults import (
    FINDING_SERVERS,
    DuplicateKey,
    OutOfTime,
    SingleServer,
    StoreError,
    TryAgain,
    Unavailable,
    is_away,
    is_of_the_moment,
    is_refused,
    is_transient,
    knows_no_sessions,
    plain_words,
    reason_of,
    until_it_is_there,
)
from app.store.writings import Collected, StoreSession, Together, Writing, bulk_write, insertion, own_of, update

# DeleteOne and its kin are what ``Store.write`` takes.
__all__ = [
    "FOLDS_ACCENTS",
    "FOLDS_CASE",
    "Database",
    "DeleteMany",
    "DeleteOne",
    "Document",
    "Driver",
    "DuplicateKey",
    "InsertOne",
    "OutOfTime",
    "Pipeline",
    "ReadsAside",
    "ReplaceOne",
    "Store",
    "StoreError",
    "TryAgain",
    "Unavailable",
    "UpdateMany",
    "UpdateOne",
    "is_away",
    "is_refused",
    "is_transient",
    "plain_words",
    "reason_of",
    "until_it_is_there",
    "usable_uri",
]

Pipeline: TypeAlias = Sequence[Mapping[str, Any]]
Driver: TypeAlias = Literal["motor", "pymongo"]
T = TypeVar("T")
FOLDS_CASE: Final = {"locale": "en", "strength": 2}
"""The collation of indexes and queries that take A for a."""
FOLDS_ACCENTS: Final = {"locale": "en", "strength": 1}
"""The same, and Ä for a."""

_LONGEST_PAUSE_SECONDS: Final = 0.25
_ABORT_SECONDS: Final = 1
_TRANSACTION_SECONDS: Final = 30
"""How long a transaction is tried again at most; the server ends one after 60."""
_CONNECT_SECONDS: Final = 2
_HEARTBEAT_SECONDS: Final = 1
"""A server that says nothing for both of these together is given up, and whoever waits for it asks the next primary."""

# One reply holds every page that a request may ask for: a cursor that needs a second command would double the cost.
_ONE_BATCH: Final = 100_000
_CURSOR: Final = {"batchSize": _ONE_BATCH}
_LOCAL: Final = {"level": "local"}
_MAJORITY: Final = {"w": "majority"}

OnCommand: TypeAlias = Callable[[str, float, bool], None]
"""Called after each command with its name, the seconds that we waited for it, and whether it succeeded."""


ReadsFrom: TypeAlias = Literal["primary", "preferred", "reports"]
"""Where reads go: to the primary, by the URI's read preference, or where reports and exports are read."""


@dataclass(frozen=True, slots=True)
class ReadsAside:
    """It says where reports and exports are read, and how many seconds behind the primary a secondary may be."""

    mode: Literal["secondary", "secondaryPreferred"]
    max_staleness_seconds: int = 120

    @property
    def preference(self) -> Any:
        made = Secondary if self.mode == "secondary" else SecondaryPreferred
        return made(max_staleness=self.max_staleness_seconds)


class Database:
    """A database is one client's. It reads and writes nothing itself: its stores do, which have a deadline."""

    def __init__(
        self,
        client: Any,
        name: str,
        on_command: OnCommand | None = None,
        *,
        wire: bool = True,
        reports: ReadsAside | None = None,
    ) -> None:
        self.client, self.on_command = client, on_command
        self.wire: Any = shortcuts.wire(client, name, CODEC) if wire else None
        self.is_wired = self.wire is not None
        # Whatever the URI says of reading and writing: what we do next often depends on what was written last.
        concerns: Document = {"write_concern": WriteConcern("majority"), "read_concern": ReadConcern("local")}
        options: Document = {"codec_options": CODEC, **concerns}
        self.primary = client.get_database(name, **options, read_preference=ReadPreference.PRIMARY)
        self.preferred = client.get_database(name, **options)  # by the URI's read preference
        self.reports = client.get_database(name, **options, read_preference=reports.preference) if reports else None
        self.admin = client.get_database("admin", **concerns, read_preference=ReadPreference.PRIMARY)
        # A driver makes a collection anew whenever it is named, for as much as a small document costs.
        self._collections: dict[tuple[ReadsFrom, str, bool], Any] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        uri: str,
        name: str,
        *,
        driver: Driver = "motor",
        timeout_seconds: float = 5,
        listeners: Sequence[CommandListener] = (),
        on_command: OnCommand | None = None,
        wire: bool = True,
        reports: ReadsAside | None = None,
    ) -> AsyncGenerator[Self]:
        """Yields the database; nothing is asked of the server yet. Without ``wire`` the driver does all reads itself.

        ``reports`` is where reports and exports are read, if not as queries are.
        ``timeout_seconds`` is how long a command waits for a server to be found.
        """
        milliseconds = int(timeout_seconds * 1000)
        make: Any = AsyncIOMotorClient if driver == "motor" else AsyncMongoClient
        client: Any = make(
            uri,
            appname="customer-gateway",
            connectTimeoutMS=min(milliseconds, _CONNECT_SECONDS * 1000),
            heartbeatFrequencyMS=_HEARTBEAT_SECONDS * 1000,
            serverSelectionTimeoutMS=milliseconds,
            event_listeners=listeners,
        )
        try:
            database = cls(client, name, on_command, wire=wire, reports=reports)
            try:
                yield database
            finally:
                if database.wire:
                    await database.wire.close()
        finally:
            await _awaited(client.close())

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Any]:
        """Yields a session of the driver's, and ends it."""
        own = self._by_shortcut("session") or await _awaited(self.client.start_session())
        try:
            yield own
        finally:
            if not self._by_shortcut("ends", own):
                await own.end_session()

    def joined(self, session: Any) -> Any:
        """Returns what makes commands by wire those of a transaction that the driver has begun; None if none can be."""
        return self._by_shortcut("joined", session)

    def _by_shortcut(self, name: str, *given: Any) -> Any:
        """Returns what the wire says; None where the driver has to."""
        try:
            return getattr(self.wire, name)(*given) if self.is_wired else None
        except UnknownPymongo as changed:
            self.note(changed)
            return None

    def note(self, undone: FallBackToDriver) -> None:
        """Notes why the driver has to do what was not done by wire; from now on all, if it is another one."""
        if isinstance(undone, UnknownPymongo):
            self.is_wired = False
            shortcuts.say_off(str(undone))

    def until(self, deadline: Deadline) -> "Store":
        """Returns a store whose commands end by the deadline, all of them together."""
        return Store(self, deadline)

    def within(self, seconds: float) -> "Store":
        """Returns a store whose commands end in ``seconds`` from now, all of them together."""
        return Store(self, Deadline.after(seconds))

    def reader(self, deadline: Deadline, *, tag: str) -> "Store":
        """Returns a store whose reads follow the URI's ``readPreference``, so that they may be of a moment ago.

        In the database its reads carry the tag, by which they can be ended there (``Store.kill_operations``).
        """
        return Store(self, deadline, tag=tag, reads_from="preferred")

    def reading(self, reads_from: "ReadsFrom") -> Any:
        """Returns the driver's database whose reads go there."""
        return getattr(self, reads_from)

    def collection(self, name: str, reads_from: "ReadsFrom" = "primary", *, may_be_lost: bool = False) -> Any:
        """Returns the collection. What ``may_be_lost`` with a primary is not waited for until a majority has it."""
        key: tuple[ReadsFrom, str, bool] = reads_from, name, may_be_lost
        if key not in self._collections:
            made = self.reading(reads_from)[name]
            self._collections[key] = made.with_options(write_concern=WriteConcern(1)) if may_be_lost else made
        return self._collections[key]

    @property
    def is_reachable(self) -> bool:
        """Returns whether the driver knows of a server that answers, as of its last look, a second ago at most."""
        return any(server.is_server_type_known for server in self._servers())

    @property
    def is_writable(self) -> bool:
        """Returns whether there is a server that takes writes."""
        return any(server.is_writable for server in self._servers())

    @property
    def is_single_server(self) -> bool:
        """Returns whether it is a server of no replica set, which knows no transactions."""
        return any(server.server_type_name == "Standalone" for server in self._servers())

    @property
    def replication_lag_seconds(self) -> float:
        """Returns how far the last secondary that answers is behind the primary, as of the driver's last looks.

        0 without either. Of an idle set it may be ten seconds too much: so rarely its primary writes.
        """
        since_write = defaultdict[str, list[float]](list)
        for server in self._servers():
            if server.last_write_date is not None:
                since_write[server.server_type_name].append(server.last_update_time - server.last_write_date)
        secondaries = since_write["RSSecondary"]
        return max((each - min(since_write["RSPrimary"], default=each) for each in secondaries), default=0)

    def _servers(self) -> Sequence[Any]:
        return list(self.client.topology_description.server_descriptions().values())


class Store:
    """Reads and writes one database in whole commands, which end by a deadline. Times are aware, in UTC."""

    __slots__ = ("_reads_from", "_tag", "database", "deadline")

    def __init__(
        self, database: Database, deadline: Deadline, *, tag: str | None = None, reads_from: ReadsFrom = "primary"
    ) -> None:
        self.database, self.deadline = database, deadline
        self._tag = tag
        self._reads_from: ReadsFrom = reads_from

    @classmethod
    @asynccontextmanager
    async def open(cls, uri: str, name: str, **options: Any) -> AsyncGenerator[Self]:
        """Yields a store of a database of its own, without a deadline: for what an operator begins and can interrupt.

        ``options`` are those of ``Database.open``.
        """
        async with Database.open(uri, name, **options) as database:
            yield cls(database, NEVER)

    def within(self, seconds: float) -> "Store":
        """Returns this store with a deadline that is no later than in ``seconds`` from now."""
        deadline = self.deadline.within(seconds)
        return Store(self.database, deadline, tag=self._tag, reads_from=self._reads_from)

    def aside(self) -> "Store":
        """Returns this store for what exports read: from secondaries, where the operator has chosen so.

        What they find may be older than what was found before.
        """
        if self.database.reports is None:
            return self
        return Store(self.database, self.deadline, tag=self._tag, reads_from="reports")

    def aside_in_query(self) -> "Store":
        """Returns the same for what the report reads, and this store itself in a change: what follows it is as new."""
        return self.aside() if self._reads_from == "preferred" else self

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
        session: StoreSession | None = None,
    ) -> list[Document]:
        """Returns the matching documents, in the order of ``sort``; ``limit`` 0 returns all."""
        given = _given(hint=hint, collation=collation, comment=self._tag)

        def by_driver() -> Awaitable[list[Document]]:
            order = list(sort.items()) if sort else None
            options = {"batch_size": _ONE_BATCH, "session": own_of(session), **given}
            target = self.database.collection(collection, self._reads_from if session is None else "primary")
            return _all_of(target.find(where, fields, sort=order, limit=limit, **options))

        command: Document = {"find": collection, "filter": where, "batchSize": _ONE_BATCH, **given}
        if fields:
            command["projection"] = fields
        if sort:
            command["sort"] = sort
        if limit:
            command["limit"] = limit
        return await self._timed("find", self._read(command, by_driver, session))

    async def aggregate(
        self,
        collection: str | None,
        pipeline: Pipeline,
        *,
        hint: str | None = None,
        collation: Mapping[str, Any] | None = None,
        snapshot: bool = False,
        session: StoreSession | None = None,
    ) -> list[Document]:
        """Returns the whole result of one ``aggregate``. Without a collection the pipeline begins with ``$documents``.

        ``snapshot`` reads all collections at one point in time.
        """
        given = _given(hint=hint, collation=collation, comment=self._tag)
        database = self.database

        async def by_driver(own: Any) -> list[Document]:
            reads_from: ReadsFrom = self._reads_from if session is None else "primary"
            target = database.collection(collection, reads_from) if collection else database.reading(reads_from)
            options = {"batchSize": _ONE_BATCH, "session": own, **given}
            return await _all_of(await _awaited(target.aggregate(pipeline, **options)))

        if snapshot:
            async with await _awaited(database.client.start_session(snapshot=True)) as own:
                return await self._timed("aggregate", self._bounded(lambda: by_driver(own)))
        whole = 1 if collection is None else collection
        command = {"aggregate": whole, "pipeline": pipeline, "cursor": _CURSOR, **given}
        return await self._timed("aggregate", self._read(command, lambda: by_driver(own_of(session)), session))

    async def _read(
        self, command: Document, by_driver: Callable[[], Awaitable[list[Document]]], session: StoreSession | None
    ) -> list[Document]:
        """Returns what a command finds: by wire where that can be done, else by the driver."""
        if session is not None:
            by_wire, joined, until = session.joined is not None, session.joined, session.deadline.at
        else:
            # The wire asks primaries alone.
            by_wire, joined, until = self.database.is_wired and self._reads_from != "reports", None, self.deadline.at
            command["readConcern"] = _LOCAL
        if by_wire:
            try:
                found = await self.database.wire.read(command, until, joined)
            except FallBackToDriver as unread:
                self.database.note(unread)
            else:
                list_to_python(found)
                return found
        return await (self._bounded(by_driver) if session is None else by_driver())

    async def merge(self, collection: str, pipeline: Pipeline) -> None:
        """Runs an aggregation that ends in ``$merge``, where it makes no difference that it may run twice."""
        target = self.database.collection(collection)

        async def merged() -> list[Document]:
            return await _all_of(await _awaited(target.aggregate(pipeline)))

        command: Document = {"aggregate": collection, "pipeline": pipeline, "cursor": {}, "writeConcern": _MAJORITY}
        await self._timed("aggregate", self._read(command, merged, None))

    async def insert(
        self, collection: str, documents: Sequence[Document], *, session: StoreSession | None = None
    ) -> None:
        """Raises DuplicateKey for one document whose key is taken; a bulk write's error for several."""
        if documents:
            await self._timed("insert", self._send(insertion(self.database, collection, documents, session), session))

    async def write(
        self, collection: str, operations: Sequence[Any], *, ordered: bool = True, session: StoreSession | None = None
    ) -> Any:
        """Sends one bulk write and returns its result; does nothing for no operations."""
        if not operations:
            return None
        return await self._timed(
            "write", self._send(bulk_write(self.database, collection, operations, session, ordered=ordered), session)
        )

    def together(self, session: StoreSession) -> Together:
        """Returns what collects writes of a transaction, to be sent without waiting for each other's answers."""
        return Together(self.database, session, self.write_each)

    async def _send(self, writing: Writing, session: StoreSession | None) -> Any:
        """Returns what a write comes to, by wire; else what the driver says.

        Raises what the driver raises for a statement that failed.
        """
        joined, until = (session.joined, session.deadline.at) if session else (None, self.deadline.at)
        replies: list[Document] = []
        for command in writing.commands:
            try:
                reply = await self.database.wire.write(command, until, joined)
            except FallBackToDriver as unsent:
                self.database.note(unsent)
                if replies:
                    raise TryAgain from unsent
                break
            statements.check(reply, is_alone=writing.is_alone)
            replies.append(reply)
        if replies:
            return writing.of(replies)
        return await (self._bounded(writing.by_driver) if session is None else writing.by_driver())

    async def write_each(self, collected: Sequence[Collected], session: StoreSession) -> None:
        """Sends what was collected; see ``together``."""
        await self._timed("writes", self._send_each(collected, session))

    async def _send_each(self, collected: Sequence[Collected], session: StoreSession) -> None:
        writings = [each.writing for each in collected]
        replies = await self._replies(writings, session)
        for each in collected:
            try:
                result = each.writing.made_of(replies) if replies else await self._send(each.writing, session)
            except OperationFailure as failed:
                if each.may_fail or (each.is_race and isinstance(failed, DuplicateKey)):
                    raise TryAgain from failed
                raise
            if each.finds and result.matched_count + result.deleted_count < each.finds:
                raise TryAgain
            if each.then:
                each.then(result)

    async def _replies(
        self, writings: Sequence[Writing], session: StoreSession
    ) -> Iterator[Document | Exception] | None:
        """Returns the replies to several writes that were sent at once; None where one has to follow the other."""
        if len(writings) == 1 or not all(writing.commands for writing in writings):
            return None
        commands = [command for writing in writings for command in writing.commands]
        try:
            return iter(await self.database.wire.write_each(commands, session.deadline.at, session.joined))
        except FallBackToDriver as unsent:
            self.database.note(unsent)
            return None

    async def find_one_and_update(
        self,
        collection: str,
        where: Mapping[str, Any],
        change: Mapping[str, Any] | Pipeline,
        *,
        sort: Mapping[str, int] | None = None,
        upsert: bool = False,
        may_be_lost: bool = False,
        session: StoreSession | None = None,
    ) -> Document | None:
        """Returns the first match as it is after the change; None without a match. Two callers never get the same.

        What ``may_be_lost`` with a primary that fails is not waited for until a majority has it on the disk.
        """
        writing = update(
            self.database, collection, where, change, session, sort=sort, upsert=upsert, may_be_lost=may_be_lost
        )
        found = await self._timed("findAndModify", self._send(writing, session))
        return found and to_python(found)

    async def inserts(self, *collections: str) -> AsyncGenerator[None]:
        """Yields once when it has begun to listen, then for each document that was inserted and committed.

        It ends when the database is dropped. The deadline is not for it: it waits for what may never come.
        """
        async with self._insert_stream(collections) as stream:
            yield
            async for _ in stream:
                yield

    async def inserted(self, collection: str, keys: Sequence[str]) -> AsyncGenerator[Document | None]:
        """Yields None when it has begun to listen, then these keys of each document that was inserted and committed.

        It ends when the database is dropped. The deadline is not for it.
        """
        async with self._insert_stream((collection,), keys) as stream:
            yield None
            async for change in stream:
                yield change["fullDocument"]

    @asynccontextmanager
    async def _insert_stream(self, collections: Sequence[str], keys: Sequence[str] = ()) -> AsyncGenerator[Any]:
        match = {"operationType": "insert", "ns.coll": {"$in": list(collections)}}
        projection = {"_id": 1, **{f"fullDocument.{key}": 1 for key in keys}}
        majority = self.database.primary.with_options(read_concern=ReadConcern("majority"))  # streams know no other
        with FINDING_SERVERS:
            async with await _awaited(majority.watch([{"$match": match}, {"$project": projection}])) as stream:
                yield stream

    async def transaction(self, body: Callable[[StoreSession], Awaitable[T]]) -> T:
        """Runs ``body(session)`` until it commits (majority, snapshot). The body may run several times.

        A transient error (a lost primary, a write conflict, TryAgain) runs it again after a pause that grows and is
        never the same for two, until the deadline, or for half a minute without one; then OutOfTime. The drivers' own
        loop does not know our deadline, and Motor's does not pause: sixty-four writers of one document would keep each
        other from it.
        """
        deadline = Deadline.after(_TRANSACTION_SECONDS) if self.deadline is NEVER else self.deadline
        is_wired = True
        for attempt in itertools.count():
            try:
                return await self._attempt(body, deadline, is_wired=is_wired)
            except (PyMongoError, TryAgain) as failed:
                is_wired = is_wired and not isinstance(failed, ConnectionFailure)  # the driver finds the next primary
                transient = isinstance(failed, TryAgain) or failed.has_error_label("TransientTransactionError")
                if not transient:
                    raise
                pause = random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.005 * 2**attempt))  # noqa: S311 # no secret
                if pause > deadline.remaining_seconds:
                    raise OutOfTime("not committed by the deadline") from failed
                await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def _attempt(self, body: Callable[[StoreSession], Awaitable[T]], deadline: Deadline, *, is_wired: bool) -> T:
        async with self.database.session() as own:
            await _awaited(
                own.start_transaction(
                    read_concern=ReadConcern("snapshot"),
                    write_concern=WriteConcern("majority"),
                    read_preference=ReadPreference.PRIMARY,
                )
            )
            session = StoreSession(own, deadline, self.database.joined(own) if is_wired else None)
            try:
                with _ends(deadline):
                    result = await body(session)
            except BaseException as failed:
                if unsent := knows_no_sessions(failed):
                    await self._renew_connections()
                # Left open, it would keep everybody from what it wrote for a minute.
                with suppress(PyMongoError), _ends(Deadline.after(_ABORT_SECONDS)):
                    await own.abort_transaction()
                if unsent or is_of_the_moment(failed):
                    raise TryAgain from failed
                raise
            while True:
                try:
                    with _ends(deadline):
                        await self._timed("commitTransaction", own.commit_transaction())
                    return result
                except PyMongoError as failed:
                    # It may or may not have committed: committing again is safe and finds out.
                    if knows_no_sessions(failed):
                        await self._renew_connections()
                    elif is_of_the_moment(failed):
                        raise OutOfTime("not known to be committed") from failed
                    elif not failed.has_error_label("UnknownTransactionCommitResult"):
                        raise
                    if deadline.remaining_seconds < 0:
                        raise OutOfTime("not known to be committed by the deadline") from failed
                    await asyncio.sleep(0.05)

    async def _renew_connections(self) -> None:
        """Has the driver close its connections: those in use once they are given back. It opens others."""
        try:
            if self.database.is_wired:
                await self.database.wire.renew_connections()
        except UnknownPymongo as changed:
            self.database.note(changed)

    async def distinct(self, collection: str, key: str) -> list[Any]:
        """Returns the values of a key, each once; of lists, their items. An index that begins with it is walked."""
        reply = await self.command({"distinct": collection, "key": key, "query": {}, **_given(comment=self._tag)})
        return reply["values"]

    async def command(self, command: Mapping[str, Any], *, on_admin: bool = False) -> Document:
        """Returns the reply to any command, sent to the primary."""
        target = self.database.admin if on_admin else self.database.primary
        return await self._timed(next(iter(command)), self._bounded(lambda: target.command(command)))

    async def check_server(self) -> None:
        """Asks the server for a sign of life. Raises SingleServer, and StoreError if it cannot be used at present."""
        await self.command({"ping": 1})
        if self.database.is_single_server:
            raise SingleServer

    async def server_time(self) -> datetime:
        """Returns what the clock of the primary says."""
        said: datetime = (await self.command({"hello": 1}))["localTime"]
        return said.replace(tzinfo=UTC)

    async def kill_operations(self, tag: str) -> None:
        """Ends what is still running in the database of the reads with this tag."""
        running: Pipeline = [{"$currentOp": {}}, {"$match": {"command.comment": tag}}, {"$project": {"opid": 1}}]

        async def found() -> list[Document]:
            cursor = await _awaited(self.database.admin.aggregate(running))
            return await cursor.to_list(None)

        for operation in await self._bounded(found):
            await self.command({"killOp": 1, "op": operation["opid"]}, on_admin=True)

    async def indexes_of(self, collection: str) -> list[Document]:
        async def found() -> list[Document]:
            cursor = await _awaited(self.database.primary[collection].list_indexes())
            return await cursor.to_list(None)

        return await self._timed("listIndexes", self._bounded(found))

    async def _bounded(self, work: Callable[[], Awaitable[T]]) -> T:
        """Has the driver do its work by the deadline. Raises NetworkTimeout where that has passed."""
        if self.deadline is NEVER:
            return await work()
        if self.deadline.remaining_seconds <= 0:
            raise NetworkTimeout("the deadline has passed")
        with _ends(self.deadline):
            return await work()

    async def _timed(self, command: str, work: Awaitable[T]) -> T:
        """The drivers can tell of commands, too; making their events takes a tenth of reading a small document."""
        if self.database.on_command is None:
            with FINDING_SERVERS:
                return await work
        start, succeeded = time.perf_counter(), False
        try:
            with FINDING_SERVERS:
                result = await work
            succeeded = True
            return result
        finally:
            self.database.on_command(command, time.perf_counter() - start, succeeded)

    async def drop(self) -> None:
        """Drops the whole database."""
        await self.command({"dropDatabase": 1, "writeConcern": {"w": "majority"}})


def _ends(deadline: Deadline) -> AbstractContextManager[None]:
    """Makes the driver's commands inside end by the deadline, or by that of a scope around it."""
    return shortcuts.timeout(max(deadline.remaining_seconds, 0.001))  # the driver takes 0 for forever


def usable_uri(uri: str) -> str:
    """Returns the URI unchanged. Raises ValueError with the driver's words if it cannot be used; it asks no server.

    The driver warns of an option that it does not know, or cannot read, and goes on without it: for a `tls` that is
    misspelled, in the clear.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            MongoClient[Document](uri, connect=False).close()
        except (PyMongoError, OSError, UserWarning) as unusable:  # the second: a file of certificates that is not there
            raise ValueError(str(unusable)) from None
    return uri


async def _all_of(cursor: Any) -> list[Document]:
    found: list[Document] = await cursor.to_list(None)
    list_to_python(found)
    return found


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


async def _awaited(result: Any) -> Any:
    """What PyMongo returns as a coroutine and Motor at once."""
    return await result if inspect.isawaitable(result) else result
