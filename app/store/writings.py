"""Says how a write goes: by wire, as one message there and one back, or by the driver, and what it comes to.

So does a read that goes along with writes.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from pymongo import ReturnDocument

from app.store import statements
from app.store.codec import Document, list_to_python, to_python
from app.store.deadline import Deadline

Pipeline: TypeAlias = Sequence[Mapping[str, Any]]
_BY_WIRE_AT_MOST: Final = 1_000
"""Documents of one write in a transaction; the driver divides what is larger."""


class Target(Protocol):
    """A target is a database, as a write sees it."""

    is_wired: bool

    def collection(self, name: str, *, may_be_lost: bool = False) -> Any: ...


class StoreSession(NamedTuple):
    """A session is a transaction that is under way: the driver's own, and by when it ends.

    ``joined`` makes commands by wire its own; None where the driver sends them all.
    """

    own: Any
    deadline: Deadline
    joined: Any


def own_of(session: StoreSession | None) -> Any:
    return session and session.own


def _may_go(session: StoreSession | None, written: Sequence[Any]) -> bool:
    """Returns whether a write may go by wire: in a transaction, and if it is not long."""
    return session is not None and session.joined is not None and len(written) <= _BY_WIRE_AT_MOST


@dataclass(frozen=True, slots=True)
class Writing:
    """A writing has commands by wire, none where the driver has to do it, and what is made ``of`` their replies."""

    commands: Sequence[Document]
    by_driver: Callable[[], Awaitable[Any]]
    of: Callable[[list[Document]], Any] = lambda replies: None
    is_alone: bool = False
    """Whether it is one statement, whose failure is another error than that of one of several."""

    def made_of(self, replies: Iterator[Document | Exception]) -> Any:
        """Returns what the next replies come to. Raises what the driver raises for one that failed."""
        own: list[Document] = []
        for reply in islice(replies, len(self.commands)):
            if isinstance(reply, Exception):
                raise reply
            statements.check(reply, is_alone=self.is_alone)
            own.append(reply)
        return self.of(own)


def insertion(target: Target, collection: str, documents: Sequence[Document], session: StoreSession | None) -> Writing:
    is_alone = len(documents) == 1

    def by_driver() -> Awaitable[Any]:
        own = target.collection(collection)
        if is_alone:
            return own.insert_one(documents[0], session=own_of(session))
        return own.insert_many(documents, ordered=False, session=own_of(session))

    command: Document = {"insert": collection, "ordered": False, "documents": documents}
    may_go = _may_go(session, documents) and all("_id" in each for each in documents)
    return Writing([command] if may_go else [], by_driver, is_alone=is_alone)


def bulk_write(
    target: Target, collection: str, operations: Sequence[Any], session: StoreSession | None, *, ordered: bool
) -> Writing:
    def by_driver() -> Awaitable[Any]:
        return target.collection(collection).bulk_write(operations, ordered=ordered, session=own_of(session))

    may_go = _may_go(session, operations)
    commands = statements.commands_of(collection, operations, ordered=ordered) if may_go else []
    return Writing(commands, by_driver, of=lambda replies: statements.result_of(commands, replies))


def update(
    target: Target,
    collection: str,
    where: Mapping[str, Any],
    change: Mapping[str, Any] | Pipeline,
    session: StoreSession | None,
    *,
    sort: Mapping[str, int] | None = None,
    upsert: bool = False,
    may_be_lost: bool = False,
) -> Writing:
    """Updates one document and comes to what it is then, as the driver reads it; None without a match."""
    own, order = target.collection(collection, may_be_lost=may_be_lost), list(sort.items()) if sort else None
    options = {"sort": order, "upsert": upsert, "return_document": ReturnDocument.AFTER, "session": own_of(session)}
    command: Document = {"findAndModify": collection, "query": where, "update": change, "new": True, "upsert": upsert}
    if sort:
        command["sort"] = sort
    if may_be_lost and session is None:  # what may be lost may be counted twice, too
        command["writeConcern"] = {"w": 1}
        may_go = target.is_wired
    else:
        may_go = _may_go(session, [command])
    return Writing(
        [command] if may_go else [],
        lambda: own.find_one_and_update(where, change, **options),
        of=lambda replies: replies[0]["value"],
    )


def finding(target: Target, collection: str, where: Mapping[str, Any], session: StoreSession) -> Writing:
    """Finds documents, and comes to them as the driver reads them: few, as they come in one batch."""

    async def by_driver() -> list[Document]:
        found: list[Document] = await target.collection(collection).find(where, session=own_of(session)).to_list(None)
        return found

    command: Document = {"find": collection, "filter": where, "singleBatch": True}
    commands = [command] if _may_go(session, [command]) else []
    return Writing(commands, by_driver, of=lambda replies: replies[0]["cursor"]["firstBatch"])


class Collected(NamedTuple):
    writing: Writing
    is_race: bool = False
    may_fail: bool = False
    finds: int = 0
    then: Callable[[Any], None] | None = None
    """Gets what it comes to."""


class Together:
    """It collects writes of one transaction, and reads, none of which has to know what another one found.

    The database does them one after the other; only nobody waits for an answer in between.
    """

    def __init__(
        self,
        target: Target,
        session: StoreSession,
        send: Callable[[Sequence[Collected], StoreSession], Awaitable[None]],
    ) -> None:
        self._target, self._session, self._send = target, session, send
        self._collected: list[Collected] = []

    def insert(self, collection: str, documents: Sequence[Document], *, is_race: bool = False) -> None:
        """Inserts documents; of a race, one whose key is taken means TryAgain."""
        if documents:
            self._collected.append(Collected(insertion(self._target, collection, documents, self._session), is_race))

    def write(
        self,
        collection: str,
        operations: Sequence[Any],
        *,
        ordered: bool = True,
        finds: int = 0,
        may_fail: bool = False,
        then: Callable[[Any], None] | None = None,
    ) -> None:
        """Makes one bulk write, whose result ``then`` gets. TryAgain where it finds fewer documents than it ``finds``.

        What ``may_fail`` means TryAgain, too: the body leaves it out the next time.
        """
        if operations:
            writing = bulk_write(self._target, collection, operations, self._session, ordered=ordered)
            self._collected.append(Collected(writing, may_fail=may_fail, finds=finds, then=then))

    def find(self, collection: str, where: Mapping[str, Any], then: Callable[[list[Document]], None]) -> None:
        """Finds a few documents for ``then``, which may raise: the transaction ends so, whatever else was sent."""

        def found(documents: list[Document]) -> None:
            list_to_python(documents)
            then(documents)

        self._collected.append(Collected(finding(self._target, collection, where, self._session), then=found))

    def update(
        self, collection: str, where: Mapping[str, Any], change: Mapping[str, Any], then: Callable[[Document], None]
    ) -> None:
        """Updates a document. ``then`` gets it as it is after that, if it is there."""
        writing = update(self._target, collection, where, change, self._session)

        def found(document: Document | None) -> None:
            if document is not None:
                then(to_python(document))

        self._collected.append(Collected(writing, then=found))

    async def send(self) -> None:
        """Sends what was collected since the last time. Raises what ``Store.insert`` and ``Store.write`` raise."""
        collected, self._collected = self._collected, []
        if collected:
            await self._send(collected, self._session)
