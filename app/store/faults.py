"""What the database says when it cannot, what an operator reads of it, and what becomes of it."""

import re
from contextlib import AbstractContextManager
from typing import Final

import stamina
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WTimeoutError,
)

_FORBIDDEN: Final = 13
"""The code by which a user may not."""
_NOT_AUTHENTICATED: Final = (18, 8000)
"""Codes of users who are not who they say."""
_BAD_VALUE: Final = 2
_INDEX_CONFLICT: Final = 85
_OTHER_NAME: Final = re.compile(r"already exists with a different name: ([^,]+)")
_NOT_ALLOWED: Final = frozenset({_FORBIDDEN, *_NOT_AUTHENTICATED})
_OF_THE_MOMENT: Final = frozenset({6, 7, 89, 91, 134, 189, 225, 246, 251, 262, 9001, 10107, 11600, 11602, 13435, 13436})
"""Codes by which a server says that it is not the primary yet, or any more, or has forgotten a transaction."""


class TryAgain(Exception):
    """Raised by a transaction's body that lost a race: what it read is no longer so."""


class OutOfTime(PyMongoError):
    """Raised where a transaction did not commit by its deadline. Whether its last attempt did is not known."""


class SingleServer(PyMongoError):
    """Raised where a command meets a server that belongs to no replica set. The command line prints it and ends."""

    def __init__(self) -> None:
        super().__init__(
            "It is a single server, without transactions. Start it with --replSet, and call rs.initiate() once."
        )


StoreError = PyMongoError
DuplicateKey = DuplicateKeyError
Unavailable = (ConnectionFailure, ExecutionTimeout, WTimeoutError, OutOfTime)
"""The database is not there, or does not answer in time: worth another try."""


def is_transient(fault: BaseException) -> bool:
    """Returns whether the same may succeed at another time: the database is away, or does not let us in at present.

    Anything else is about what was written or asked, and is the same the next time.
    """
    if isinstance(fault, Unavailable) or not isinstance(fault, PyMongoError):
        return isinstance(fault, Unavailable)
    labels = ("RetryableWriteError", "RetryableError", "TransientTransactionError", "UnknownTransactionCommitResult")
    return any(map(fault.has_error_label, labels)) or is_refused(fault)


def is_refused(fault: BaseException) -> bool:
    """Returns whether the database does not let us in, or not do that."""
    return isinstance(fault, PyMongoError) and getattr(fault, "code", None) in _NOT_ALLOWED


until_it_is_there: Final = stamina.retry(on=is_transient, attempts=None, timeout=None, wait_max=2)
"""Has something done again for as long as the database is away, with two seconds between at most."""


def is_away(fault: BaseException | None) -> bool:
    """Returns whether the database could not be asked at all. A command that used up its time does not say so."""
    own_time = NetworkTimeout | WaitQueueTimeoutError
    return isinstance(fault, ConnectionFailure) and not isinstance(fault, own_time)


def is_of_the_moment(failed: BaseException) -> bool:
    """Returns whether the server says that it cannot now, without a label that tells what becomes of a transaction."""
    labels = ("TransientTransactionError", "UnknownTransactionCommitResult")
    return (
        isinstance(failed, OperationFailure)
        and failed.code in _OF_THE_MOMENT
        and not any(map(failed.has_error_label, labels))
    )


class _FindingServers(AbstractContextManager[None]):
    """It raises ServerSelectionTimeoutError where no name server says which hosts mongodb+srv:// means.

    PyMongo takes that for a fault of the address, though its next look may find them, as with hosts of mongodb://.
    """

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, failed: BaseException | None, _traceback: object) -> None:
        if isinstance(failed, ConfigurationError) and type(failed.__cause__).__module__.partition(".")[0] == "dns":
            raise ServerSelectionTimeoutError(str(failed)) from failed


FINDING_SERVERS: Final = _FindingServers()
"""Around each command: one for all, as it remembers nothing."""


def knows_no_sessions(failed: BaseException) -> bool:
    """Returns whether nothing was sent, as the connection was opened before its server had read what set it is of.

    PyMongo asks once for each connection whether there are sessions, so such a one says so for ever.
    """
    return isinstance(failed, ConfigurationError) and "Sessions are not supported" in str(failed)


_WAYS_OUT: Final = (
    (r"replica set name", "See replicaSet in MONGODB_URI: the server belongs to another set, or to none yet."),
    (r"^No primary|^No replica set members match|Primary\(", "Ask it for rs.status(): the set elects no primary."),
    (r"SSL|TLS|certificate", "See tls in MONGODB_URI, and the certificates of both sides."),
    (r"", "See whether it runs, and whether MONGODB_URI says where."),
)
"""What to look at where no server can be used, by what the driver says of it."""
_DETAILS_OF_DRIVER: Final = re.compile(r", Timeout: .*| \(configured timeouts: [^)]*\)|\[Errno -?\d+\] ", re.DOTALL)
_FORBIDDEN_COMMAND: Final = re.compile(r'not authorized on (\S+) to execute command \{ (\w+): (?:"([^"]+)")?')


def reason_of(fault: BaseException) -> str | None:
    """Returns in one line why the database does nothing for us, and what to look at; None for a fault of another kind.

    It holds nothing that is stored or asked.
    """
    code = getattr(fault, "code", None)
    words = _DETAILS_OF_DRIVER.sub("", str(fault)).rstrip(".")
    if isinstance(fault, SingleServer):
        return str(fault)
    if code in _NOT_AUTHENTICATED:
        return f"It refuses the user or the password of MONGODB_URI (code {code}). See both, and authSource."
    if code == _FORBIDDEN and "requires authentication" in words:
        return f"MONGODB_URI names no user, and the server asks for one (code {code}). Put user:password@ into it."
    if code == _FORBIDDEN:
        named = _FORBIDDEN_COMMAND.match(str(fault))
        what = f"{named[2]} {named[3] or ''}".strip() + f" in {named[1]}" if named else "do that"
        return f"The user of MONGODB_URI may not {what} (code {code}). Give it the role readWrite there."
    if code == _BAD_VALUE and "hint provided does not correspond" in words:
        return "It lacks an index that this version reads by. Run `indexes --apply`."
    if code == _INDEX_CONFLICT and (named := _OTHER_NAME.search(words)):
        return f"It has an index of the same keys by another name, {named[1]}. Drop that one, and run this again."
    if isinstance(fault, ServerSelectionTimeoutError):
        way_out = next(way_out for pattern, way_out in _WAYS_OUT if re.search(pattern, words))
        return f"It cannot be used: {words}. {way_out}"
    if isinstance(fault, ConfigurationError):
        return f"MONGODB_URI cannot be used: {words}. See the address and its options."
    if isinstance(fault, OutOfTime):
        return f"It was too slow: {words}. Try again, or set REQUEST_TIMEOUT_SECONDS higher."
    if isinstance(fault, Unavailable):
        return (
            f"It does not answer: {words.partition(', full error: ')[0]}. See whether it runs, and what its log says."
        )
    return None


def plain_words(fault: PyMongoError) -> str:
    """Returns what an operator reads of any fault, in one line. It may hold what is stored: it is not for logs."""
    return reason_of(fault) or " ".join(str(fault).partition(", full error: ")[0].split())
