"""Judges what goes wrong while a field is executed: what ends one field, and what ends the whole answer.

A refusal keeps its words. Anything else that happens inside a field is ours to mend: the log has its kind and its
place, and never its text, which may hold what is stored.
"""

import traceback
from typing import Any, Final, cast

import structlog
from graphql import ExecutionResult, GraphQLError, ObjectFieldNode, ValueNode

from app.domain.refusals import BadUserInput, Refusal

_log: Final = structlog.get_logger("gateway")


class TooManyErrors(Refusal):
    """Raised if more fields of an answer fail than anybody will read: each failure costs as much as many values.

    It ends the answer: the client sees ``data: null`` and TOO_MANY_ERRORS.
    """

    code = "TOO_MANY_ERRORS"

    def __init__(self, most: int) -> None:
        super().__init__(f"More than {most} fields of the answer failed. Ask for less, or for what your role may read.")


def ends_answer(error: Exception) -> bool:
    """Returns whether an error ends the whole answer, and not a field of it."""
    return isinstance(error, GraphQLError) and isinstance(cause_of(error), TooManyErrors)


def cause_of(error: GraphQLError) -> Exception | None:
    """Returns what was raised first, if the error is no more than its place."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error:
        cause = cause.original_error
    return cause


def argument_refusal(error: Exception) -> BadUserInput | None:
    """Returns the refusal if a value of the request cannot be the argument that it is given to.

    That is null for a variable whose place must not be null, which no validation can foresee (GraphQL September 2025,
    6.4.1 Coercing Field Arguments). graphql-core's errors point at that value then.
    """
    found: Exception | None = error
    while isinstance(found, GraphQLError):
        if found.nodes and isinstance(found.nodes[0], ValueNode | ObjectFieldNode):
            return BadUserInput(with_json_null(found.message))
        found = found.original_error
    return None


def with_argument_refusals(result: ExecutionResult) -> ExecutionResult:
    """Returns the result with refusals for such arguments of a directive at the root: that error has no path yet."""
    for index, error in enumerate(result.errors or ()):
        if error.path is None and (refusal := argument_refusal(error)):
            cast(Any, result.errors)[index] = GraphQLError(str(refusal), error.nodes, original_error=refusal)
    return result


def with_json_null(message: str) -> str:
    """Returns graphql-core's message with null as clients write it."""
    return message.replace("not to be None", "not to be null")


def log_exception(event: str, error: Exception, **where: str | None) -> None:
    """Logs an exception of ours: its kind and its place, and never its text."""
    _log.error(event, **where, fault=type(error).__name__, at=_place_of(error))


def _place_of(error: Exception) -> str | None:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else None
