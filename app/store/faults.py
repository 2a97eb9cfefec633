"""What the database says when it cannot, and what becomes of it."""

from typing import Final

from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
    WTimeoutError,
)

_NOT_ALLOWED: Final = frozenset({13, 18, 8000})
"""Codes of users who may not, or are not who they say."""
_OF_THE_MOMENT: Final = frozenset({6, 7, 89, 91, 134, 189, 225, 246, 251, 262, 9001, 10107, 11600, 11602, 13435, 13436})
"""Codes by which a server says that it is not the primary yet, or any more, or has forgotten a transaction."""


class TryAgain(Exception):
    """Raised by a transaction's body that lost a race: what it read is no longer so."""


class OutOfTime(PyMongoError):
    """Raised where a transaction did not commit by its deadline. Whether its last attempt did is not known."""


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
    return any(map(fault.has_error_label, labels)) or getattr(fault, "code", None) in _NOT_ALLOWED


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


def knows_no_sessions(failed: BaseException) -> bool:
    """Returns whether nothing was sent, as the connection was opened before its server had read what set it is of.

    PyMongo asks once for each connection whether there are sessions, so such a one says so for ever.
    """
    return isinstance(failed, ConfigurationError) and "Sessions are not supported" in str(failed)
