"""The seam to MongoDB's driver: Motor by default, PyMongo's own asynchronous client by setting.

The two differ in which calls are coroutines; that difference ends here. Nothing outside ``store`` sees a driver.
"""

import asyncio
import inspect
import itertools
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal, Self, TypeAlias, TypeVar

from bson import CodecOptions, Decimal128
from bson.codec_options import TypeEncoder, TypeRegistry
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import (
    AsyncMongoClient,
    DeleteMany,
    DeleteOne,
    InsertOne,
    MongoClient,
    ReadPreference,
    ReplaceOne,
    ReturnDocument,
    UpdateMany,
    UpdateOne,
    WriteConcern,
)
from pymongo.errors import (
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    PyMongoError,
    WaitQueueTimeoutError,
    WTimeoutError,
)
from pymongo.monitoring import CommandListener
from pymongo.read_concern import ReadConcern

from app.store import shortcuts
from app.store.fall_back import FallBackToDriver, UnknownPymongo

# DeleteOne and its kin are what ``Store.write`` takes.
__all__ = [
    "FOLDS_ACCENTS",
    "FOLDS_CASE",
    "DeleteMany",
    "DeleteOne",
    "Document",
    "Driver",
    "DuplicateKey",
    "InsertOne",
    "OutOfTime",
    "Pipeline",
    "ReplaceOne",
    "Store",
    "StoreError",
    "TryAgain",
    "Unavailable",
    "UpdateMany",
    "UpdateOne",
    "by_read_preference",
    "is_away",
    "is_transient",
    "marked",
    "usable_uri",
    "within",
]

Document: TypeAlias = dict[str, Any]
Pipeline: TypeAlias = Sequence[Mapping[str, Any]]
Driver: TypeAlias = Literal["motor", "pymongo"]


class TryAgain(Exception):
    """Raised by a transaction's body that lost a race: what it read is no longer so."""


class OutOfTime(PyMongoError):
    """A transaction did not commit before its deadline. Whether its last attempt did is not known."""


StoreError = PyMongoError
DuplicateKey = DuplicateKeyError
Unavailable = (ConnectionFailure, ExecutionTimeout, WTimeoutError, OutOfTime)
"""The database is not there, or does not answer in time: worth another try."""
T = TypeVar("T")
_NOT_ALLOWED: Final = frozenset({13, 18, 8000})
"""Codes of users who may not, or are not who they say."""


def is_transient(fault: BaseException) -> bool:
    """Whether the same may succeed at another time: the database is away, or does not let us in at present.

    Anything else is about what was written or asked, and is the same the next time.
    """
    if isinstance(fault, Unavailable) or not isinstance(fault, PyMongoError):
        return isinstance(fault, Unavailable)
    labels = ("RetryableWriteError", "RetryableError", "TransientTransactionError", "UnknownTransactionCommitResult")
    return any(map(fault.has_error_label, labels)) or getattr(fault, "code", None) in _NOT_ALLOWED


def is_away(fault: BaseException | None) -> bool:
    """Whether nothing could be asked of the database just now. Time that a command used up does not say so."""
    own_time = NetworkTimeout | WaitQueueTimeoutError
    return isinstance(fault, ConnectionFailure) and not isinstance(fault, own_time)


FOLDS_CASE: Final = {"locale": "en", "strength": 2}
"""The collation of indexes and queries that take A for a."""
FOLDS_ACCENTS: Final = {"locale": "en", "strength": 1}
"""The same, and Ä for a."""

_LONGEST_PAUSE_SECONDS: Final = 0.25
_ABORT_SECONDS: Final = 1
_CONNECT_SECONDS: Final = 2
_HEARTBEAT_SECONDS: Final = 1
"""A server that says nothing for both of these together is given up, and whoever waits for it asks the next primary."""

# One reply holds every page that a request may ask for: a cursor that needs a second command would double the cost.
_ONE_BATCH: Final = 100_000
_CURSOR: Final = {"batchSize": _ONE_BATCH}
_LOCAL: Final = {"readConcern": {"level": "local"}}


class _DecimalEncoder(TypeEncoder):
    """Decimal128 in the database, ``Decimal`` in Python: money is never a float, and bson stays in this room."""

    python_type = Decimal  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride] # bson declares it as a property

    def transform_python(self, value: Decimal) -> Decimal128:
        return Decimal128(value)


_MARK: ContextVar[str | None] = ContextVar("mark", default=None)
_BY_PREFERENCE: ContextVar[bool] = ContextVar("by preference", default=False)

Tell: TypeAlias = Callable[[str, float, bool], None]
"""Told of each command: its name, how many seconds we waited for it, and whether it succeeded."""


# The driver can make times aware and decimals ours, too: a time takes it ten times as long, and with a decoder for
# decimals it reads each reply twice.
_CODEC: CodecOptions[Document] = CodecOptions(type_registry=TypeRegistry([_DecimalEncoder()]))
_COEFFICIENT: Final = 2**113 - 1
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 # as the driver reads times
_EPOCH_IN_UTC: Final = _EPOCH.replace(tzinfo=UTC)


def _ours(document: Document) -> Document:
    """The same, with times that know they are UTC and decimals that are Python's, in place and however deep."""
    for key, value in document.items():
        kind = value.__class__
        if kind is str or kind is int:
            continue
        if kind is datetime or kind is Decimal128:
            document[key] = _value(value)
        elif kind is dict:
            _ours(value)
        elif kind is list:
            _list_of_ours(value)
    return document


def _list_of_ours(values: list[Any]) -> None:
    for index, value in enumerate(values):
        kind = value.__class__
        if kind is dict:
            _ours(value)
        elif kind is datetime or kind is Decimal128:
            values[index] = _value(value)
        elif kind is list:
            _list_of_ours(value)


def _value(value: datetime | Decimal128) -> datetime | Decimal:
    if isinstance(value, datetime):
        return _EPOCH_IN_UTC + (value - _EPOCH)  # seven times as fast as replace(tzinfo=UTC)
    number = int.from_bytes(value.bid, "little")
    if number >> 125 & 3 == 3:  # infinite, or no number
        return value.to_decimal()
    # The same as to_decimal, which looks at each byte, in a tenth of its time.
    sign, exponent = "-" if number >> 127 else "", (number >> 113 & 0x3FFF) - 6176
    return Decimal(f"{sign}{number & _COEFFICIENT}E{exponent}")


class Store:
    """One database, read and written in whole commands. Times go in and come out aware, in UTC."""

    def __init__(self, client: Any, database: str, tell: Tell | None = None, *, wire: bool = True) -> None:
        self._client, self._tell = client, tell
        self._wire = shortcuts.wire(client, database, _CODEC) if wire else None
        self._reads_by_wire = True
        # Whatever the URI says of reading and writing: what we do next often depends on what was written last.
        concerns: Document = {"write_concern": WriteConcern("majority"), "read_concern": ReadConcern("local")}
        options: Document = {"codec_options": _CODEC, **concerns}
        self._database = client.get_database(database, **options, read_preference=ReadPreference.PRIMARY)
        self._preferred = client.get_database(database, **options)  # by the URI's read preference
        self._admin = client.get_database("admin", **concerns, read_preference=ReadPreference.PRIMARY)
        # A driver makes a collection anew whenever it is named, for as much as a small document costs.
        self._collections: dict[tuple[bool, str], Any] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        uri: str,
        database: str,
        *,
        driver: Driver = "motor",
        timeout_seconds: float = 5,
        listeners: Sequence[CommandListener] = (),
        tell: Tell | None = None,
        wire: bool = True,
    ) -> AsyncGenerator[Self]:
        """Without ``wire`` the driver does all reads itself."""
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
            store = cls(client, database, tell, wire=wire)
            try:
                yield store
            finally:
                if store._wire:
                    await store._wire.close()
        finally:
            await _settled(client.close())

    def _collection(self, name: str, *, preferred: bool = False) -> Any:
        key = preferred, name
        if key not in self._collections:
            self._collections[key] = (self._preferred if preferred else self._database)[name]
        return self._collections[key]

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
        given = _given(hint=hint, collation=collation, comment=_MARK.get())

        def by_driver() -> Awaitable[list[Document]]:
            order = list(sort.items()) if sort else None
            options = {"batch_size": _ONE_BATCH, "session": session, **given}
            target = self._collection(collection, preferred=session is None and _BY_PREFERENCE.get())
            return _read(target.find(where, fields, sort=order, limit=limit, **options))

        if session is not None:
            return await self._timed("find", by_driver())
        command: Document = {"find": collection, "filter": where, "batchSize": _ONE_BATCH, **_LOCAL, **given}
        if fields:
            command["projection"] = fields
        if sort:
            command["sort"] = sort
        if limit:
            command["limit"] = limit
        return await self._timed("find", self._by_wire(command, by_driver))

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
        """The whole result of one ``aggregate``. Without a collection the pipeline begins with ``$documents``.

        ``snapshot`` reads all collections at one point in time.
        """
        given = _given(hint=hint, collation=collation, comment=_MARK.get())

        async def by_driver(session: Any = session) -> list[Document]:
            preferred = session is None and _BY_PREFERENCE.get()
            database = self._preferred if preferred else self._database
            target = database if collection is None else self._collection(collection, preferred=preferred)
            options = {"batchSize": _ONE_BATCH, "session": session, **given}
            return await _read(await _settled(target.aggregate(pipeline, **options)))

        if snapshot:
            async with await _settled(self._client.start_session(snapshot=True)) as session:
                return await self._timed("aggregate", by_driver(session))
        if session is not None:
            return await self._timed("aggregate", by_driver())
        command = {
            "aggregate": 1 if collection is None else collection,
            "pipeline": pipeline,
            "cursor": _CURSOR,
            **_LOCAL,
            **given,
        }
        return await self._timed("aggregate", self._by_wire(command, by_driver))

    async def _by_wire(self, command: Document, by_driver: Callable[[], Awaitable[list[Document]]]) -> list[Document]:
        if self._wire and self._reads_by_wire:
            try:
                found = await self._wire.read(command)
            except FallBackToDriver as unread:
                if isinstance(unread, UnknownPymongo):
                    self._reads_by_wire = False
                    shortcuts.say_off(str(unread))
            else:
                _list_of_ours(found)
                return found
        return await by_driver()

    async def merge(self, collection: str, pipeline: Pipeline) -> None:
        """An aggregation that ends in ``$merge``: a write, and so the driver's, and the primary's."""
        await self._timed("aggregate", _read(await _settled(self._collection(collection).aggregate(pipeline))))

    async def insert(self, collection: str, documents: Sequence[Document], *, session: Any = None) -> None:
        """Raises DuplicateKey for one document whose key is taken; a bulk write's error for several."""
        if len(documents) == 1:
            await self._timed("insert", self._collection(collection).insert_one(documents[0], session=session))
        elif documents:
            several = self._collection(collection).insert_many(documents, ordered=False, session=session)
            await self._timed("insert", several)

    async def write(
        self, collection: str, operations: Sequence[Any], *, ordered: bool = True, session: Any = None
    ) -> Any:
        """One bulk write; does nothing for no operations."""
        if operations:
            written = self._collection(collection).bulk_write(operations, ordered=ordered, session=session)
            return await self._timed("write", written)
        return None

    async def take(
        self,
        collection: str,
        where: Mapping[str, Any],
        change: Mapping[str, Any] | Pipeline,
        *,
        sort: Mapping[str, int] | None = None,
        upsert: bool = False,
    ) -> Document | None:
        """The first match, changed, and as it is then; None if there is none. Two callers never get the same."""
        order = list(sort.items()) if sort else None
        taking = self._collection(collection).find_one_and_update(
            where, change, sort=order, upsert=upsert, return_document=ReturnDocument.AFTER
        )
        found = await self._timed("findAndModify", taking)
        return found and _ours(found)

    async def inserts(self, *collections: str) -> AsyncGenerator[None]:
        """Yields once when it has begun to listen, then for each document that was inserted and committed.

        It ends when the database is dropped.
        """
        match = {"operationType": "insert", "ns.coll": {"$in": list(collections)}}
        majority = self._database.with_options(read_concern=ReadConcern("majority"))  # streams know no other
        stream = await _settled(majority.watch([{"$match": match}, {"$project": {"_id": 1}}]))
        async with stream:
            yield
            async for _ in stream:
                yield

    async def transaction(self, body: Callable[[Any], Awaitable[T]], *, deadline_seconds: float = 30) -> T:
        """Runs ``body(session)`` until it commits (majority, snapshot). The body may run several times.

        A transient error (a lost primary, a write conflict, TryAgain) runs it again after a pause that grows and is
        never the same for two, until the deadline; then OutOfTime. The drivers' own loop does not know our deadline,
        and Motor's does not pause: sixty-four writers of one document would keep each other from it.
        """
        deadline = time.monotonic() + deadline_seconds
        for attempt in itertools.count():
            try:
                return await self._attempt(body, deadline)
            except (PyMongoError, TryAgain) as failed:
                if isinstance(failed, PyMongoError) and failed.has_error_label("UnknownTransactionCommitResult"):
                    raise OutOfTime(f"not known to be committed within {deadline_seconds} s") from failed
                transient = isinstance(failed, TryAgain) or failed.has_error_label("TransientTransactionError")
                if not transient:
                    raise
                pause = random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.005 * 2**attempt))  # noqa: S311 # no secret
                if time.monotonic() + pause > deadline:
                    raise OutOfTime(f"not committed within {deadline_seconds} s") from failed
                await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def _attempt(self, body: Callable[[Any], Awaitable[T]], deadline: float) -> T:
        async with await _settled(self._client.start_session()) as session:
            await _settled(
                session.start_transaction(
                    read_concern=ReadConcern("snapshot"),
                    write_concern=WriteConcern("majority"),
                    read_preference=ReadPreference.PRIMARY,
                )
            )
            try:
                with within(deadline - time.monotonic()):
                    result = await body(session)
            except BaseException:
                # Left open, it would keep everybody from what it wrote for a minute.
                with suppress(PyMongoError), within(_ABORT_SECONDS):
                    await session.abort_transaction()
                raise
            while True:
                try:
                    with within(deadline - time.monotonic()):
                        await self._timed("commitTransaction", session.commit_transaction())
                    return result
                except PyMongoError as failed:
                    # It may or may not have committed: committing again is safe and finds out.
                    unknown = failed.has_error_label("UnknownTransactionCommitResult")
                    if not unknown or time.monotonic() > deadline:
                        raise
                    await asyncio.sleep(0.05)

    async def command(self, command: Mapping[str, Any], *, on_admin: bool = False) -> Document:
        database = self._admin if on_admin else self._database
        return await self._timed(next(iter(command)), database.command(command))

    async def end(self, mark: str) -> None:
        """Ends what is still running there of the commands under this mark."""
        running: Pipeline = [{"$currentOp": {}}, {"$match": {"command.comment": mark}}, {"$project": {"opid": 1}}]
        cursor = await _settled(self._admin.aggregate(running))
        for operation in await cursor.to_list(None):
            await self.command({"killOp": 1, "op": operation["opid"]}, on_admin=True)

    @property
    def is_reachable(self) -> bool:
        """Whether the driver knows of a server that answers, as of its last look, a second ago at most."""
        return any(server.is_server_type_known for server in self._servers())

    @property
    def is_writable(self) -> bool:
        """Whether there is a server that takes writes."""
        return any(server.is_writable for server in self._servers())

    def _servers(self) -> Sequence[Any]:
        return list(self._client.topology_description.server_descriptions().values())

    async def indexes_of(self, collection: str) -> list[Document]:
        cursor = await _settled(self._database[collection].list_indexes())
        return await cursor.to_list(None)

    async def _timed(self, command: str, work: Awaitable[T]) -> T:
        """The drivers can tell of commands, too; making their events takes a tenth of reading a small document."""
        if self._tell is None:
            return await work
        start, succeeded = time.perf_counter(), False
        try:
            result = await work
            succeeded = True
            return result
        finally:
            self._tell(command, time.perf_counter() - start, succeeded)

    async def drop(self) -> None:
        """Drops the whole database."""
        await self.command({"dropDatabase": 1, "writeConcern": {"w": "majority"}})


def within(seconds: float) -> AbstractContextManager[None]:
    """Commands inside end in time, all of them together: with an error of ``Unavailable`` where they must.

    The inner of two can only shorten the outer. Without it a command to a frozen server waits for as long as it takes.
    """
    return shortcuts.deadline(max(seconds, 0.001))  # the driver takes 0 for forever


def marked(mark: str) -> AbstractContextManager[None]:
    """Reads inside can be told from others in the database, and ended there (``Store.end``)."""
    return _Set(_MARK, mark)


def by_read_preference() -> AbstractContextManager[None]:
    """Reads inside follow the URI's ``readPreference``, and may be of a moment ago; all others ask the primary."""
    return _Set(_BY_PREFERENCE, True)


class _Set(AbstractContextManager[None]):
    """A variable has a value inside; in fewer instructions than a generator takes."""

    __slots__ = ("_before", "_value", "_variable")

    def __init__(self, variable: ContextVar[T], value: T) -> None:
        self._variable: ContextVar[Any] = variable
        self._value = value

    def __enter__(self) -> None:
        self._before: Token[Any] = self._variable.set(self._value)

    def __exit__(self, *_: object) -> None:
        self._variable.reset(self._before)


def usable_uri(uri: str) -> str:
    """Returns the URI unchanged. Raises ValueError with the driver's words if it cannot be used; it asks no server."""
    try:
        MongoClient[Document](uri, connect=False).close()
    except PyMongoError as unusable:
        raise ValueError(str(unusable)) from None
    return uri


async def _read(cursor: Any) -> list[Document]:
    found: list[Document] = await cursor.to_list(None)
    _list_of_ours(found)
    return found


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


async def _settled(result: Any) -> Any:
    """What PyMongo returns as a coroutine and Motor at once."""
    return await result if inspect.isawaitable(result) else result
