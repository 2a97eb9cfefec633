"""Uses of PyMongo what it does not promise to keep. All of it is here.

Only ``shortcuts.py`` imports it, and what that gives to others. With a PyMongo that lacks any of it, the import fails
or a call raises UnknownPymongo, and the driver reads by itself. ``tests/store/test_pymongo_internals.py`` names what is
missing.
"""
# pyright: reportPrivateUsage=false

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from contextvars import Token
from functools import wraps
from ssl import SSLContext
from typing import Any, Final, ParamSpec, TypeVar

from pymongo import AsyncMongoClient, ReadPreference, _csot, helpers_shared, server_type
from pymongo._telemetry import _CommandTelemetry
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.pool import Pool
from pymongo.errors import NotPrimaryError, OperationFailure, PyMongoError
from pymongo.message import _convert_exception, _CursorAddress

from app.store.fall_back import UnknownPymongo

P = ParamSpec("P")
T = TypeVar("T")

_PRIMARY: Final = server_type.SERVER_TYPE.RSPrimary
_TIMEOUT: Final = _csot.TIMEOUT
_DEADLINE: Final = _csot.DEADLINE
_check: Final = helpers_shared._check_command_response
RETRYABLE_CODES: Final = helpers_shared._RETRYABLE_ERROR_CODES
_ANOTHER: Final = (AttributeError, TypeError, LookupError)
"""What Python raises where an object is not as we know it."""


def _private(function: Callable[P, T]) -> Callable[P, T]:
    """Raises UnknownPymongo where PyMongo's objects are not as we know them."""

    @wraps(function)
    def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except _ANOTHER as changed:
            raise UnknownPymongo(str(changed)) from changed

    return asked


class Timeout(AbstractContextManager[None]):
    """Does what ``pymongo.timeout`` does in half its instructions: each operation sets the round trip."""

    __slots__ = ("_deadline", "_seconds", "_timeout")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        until = time.monotonic() + self._seconds
        self._timeout: Token[float | None] = _TIMEOUT.set(self._seconds)
        self._deadline: Token[float] = _DEADLINE.set(min(until, _DEADLINE.get()))

    def __exit__(self, *_: object) -> None:
        _TIMEOUT.reset(self._timeout)
        _DEADLINE.reset(self._deadline)


class Client:
    """What a client, Motor's or PyMongo's, knows of its servers at this moment, and was told by its URI."""

    def __init__(self, client: Any) -> None:
        self._outer: Any = client
        self._client: Any = client if type(client) is AsyncMongoClient else client.delegate

    @property
    def description(self) -> Any:
        """Returns the state of all servers: another object whenever it may have changed."""
        try:
            topology = self._client._topology  # none before the first operation
            return topology and topology._description
        except AttributeError as changed:  # without a call more: each read looks here
            raise UnknownPymongo(str(changed)) from changed

    @_private
    def primary(self) -> Any:
        servers = self.description.server_descriptions().values()
        return next((server for server in servers if server.server_type == _PRIMARY), None)

    @_private
    def is_plain(self) -> bool:
        """Returns whether the URI asks only for what reads by wire do.

        They do not read from secondaries, go through a load balancer, compress, declare an API version, sign in with
        OIDC, secure with PyOpenSSL (which Motor takes where it is installed), nor know ``timeoutMS``,
        ``socketTimeoutMS``, ``waitQueueTimeoutMS`` and ``maxIdleTimeMS``. What a lost server did not answer they have
        the driver repeat, so ``retryReads=false`` is not for them either.
        """
        options = self._client.options
        pool = options.pool_options
        asked = (
            options.read_preference.mode,
            options.load_balanced,
            options.timeout,
            not options.retry_reads,
            pool._compression_settings.compressors,
            pool.server_api,
            pool.socket_timeout,
            pool.wait_queue_timeout,
            pool.max_idle_time_seconds,
            pool._credentials and pool._credentials.mechanism == "MONGODB-OIDC",
            pool._ssl_context and not isinstance(pool._ssl_context, SSLContext),
        )
        return not any(asked)

    @_private
    def session(self) -> Any:
        """Returns a new session, without a hop to one of Motor's threads: nothing waits there."""
        made = self._client.start_session()
        return made if type(self._outer) is AsyncMongoClient else self._outer.wrap(made)

    @_private
    def pool(self, address: tuple[str, int]) -> Any:
        """Opens connections with all that the URI says of them: TLS, names, sign-in. It keeps none for us."""
        return Pool(address, self._client.options.pool_options)

    async def renew_connections(self) -> None:
        """Closes the client's own connections: those in use once they are given back."""
        try:
            topology = self._client._topology
            for address in self.description.server_descriptions():
                closing = topology.get_server_by_address(address).pool.reset_without_pause()
                if closing is not None:  # Motor's client waits until it is done
                    await closing
        except _ANOTHER as changed:
            raise UnknownPymongo(str(changed)) from changed

    @property
    @_private
    def listeners(self) -> Any:
        """Returns the listeners of commands; None if there are none."""
        listeners = self._client.options.pool_options._event_listeners
        return listeners if listeners and listeners.enabled_for_commands else None

    @_private
    def close_cursor(self, cursor_id: int, address: tuple[str, int], namespace: str) -> None:
        """Soon, and nobody waits for it."""
        self._client._close_cursor_soon(cursor_id, _CursorAddress(address, namespace))


@_private
def ends(session: Any) -> bool:
    """Ends a session that has no transaction under way, and returns whether it did: the same without a hop."""
    own = _inner(session)
    if type(session) is AsyncClientSession or own.in_transaction:
        return False
    own.end_session()
    return True


def _inner(session: Any) -> Any:
    return session if type(session) is AsyncClientSession else session.delegate


_BEGINNING: Final = ("startTransaction", "readConcern")
"""What the first command of a transaction says, and no other may."""


class Session:
    """It makes commands those of a transaction that a session of the driver's has under way."""

    @_private
    def __init__(self, session: Any) -> None:
        own = _inner(session)
        self._join, self._begin = own._apply_to, own._transaction.set_in_progress
        self._session: Any = own
        self._label = PyMongoError._add_error_label
        _ = own._server_session.mark_dirty  # what is needed once a command is sent is there
        self._primary = ReadPreference.PRIMARY

    @_private
    def join(self, command: dict[str, Any], connection: Any, *, follows: bool = False) -> None:
        """Makes the command one of the transaction; one that ``follows`` another on its way there does not begin it."""
        self._join(command, False, self._primary, connection)
        if follows:
            for key in [each for each in _BEGINNING if each in command]:
                del command[key]

    def begin(self) -> None:
        """Says that the transaction's first command is on its way, or another one."""
        self._begin()

    def lose(self, failed: PyMongoError) -> None:
        """Says that the database was lost, and whether it did what it was told is not known."""
        self._label(failed, "TransientTransactionError")
        self._session._server_session.mark_dirty()


async def opened(pool: Any) -> tuple[Any, Any]:
    """Returns a connection that is signed in and as PyMongo knows it, and its transport. Raises what PyMongo raises."""
    connection: Any = None
    try:
        connection = await pool.connect()
        pool.active_contexts.discard(connection.cancel_context)
        return connection, connection.conn.conn[0]
    except _ANOTHER as changed:
        with suppress(*_ANOTHER):
            await connection.close_conn(None)
        raise UnknownPymongo(str(changed)) from changed


@_private
def sizes(pool: Any) -> tuple[float, float]:
    """Returns how many connections there may be, and how many may be opened at a time."""
    return pool.max_pool_size, pool.opts.max_connecting


def interrupt(pool: Any) -> None:
    """Ends what is being opened, within half a second; where that cannot be done it ends by its own time."""
    with suppress(*_ANOTHER):
        for context in list(pool.active_contexts):
            context.cancel()


@_private
def check(reply: dict[str, Any], connection: Any) -> None:
    """Raises the error that a reply tells of, as PyMongo does."""
    _check(reply, connection.max_wire_version, pool_opts=connection.opts)


class CommandEvents:
    """Sends the events of one command to the listeners."""

    @_private
    def __init__(self, listeners: Any, connection: Any, command: dict[str, Any], request: int) -> None:
        self._name = next(iter(command))
        self._events = _CommandTelemetry(None, connection, listeners, command, command["$db"], request, request)
        self._events.started(command, ensure_db=False)

    @_private
    def succeeded(self, reply: dict[str, Any]) -> None:
        self._events.succeeded(reply, self._name, speculative_hello=False)

    @_private
    def failed(self, error: Exception) -> None:
        of_server = isinstance(error, NotPrimaryError | OperationFailure)
        details: Any = error.details if of_server else _convert_exception(error)
        self._events.failed(details, self._name, isinstance(error, OperationFailure))
