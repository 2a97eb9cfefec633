"""Logs: one JSON object a line on standard error, with ids instead of what is stored."""

import logging
import sys

import stamina.instrumentation
import structlog
from asgi_correlation_id import correlation_id
from structlog.typing import EventDict, WrappedLogger


def _with_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {**event, "requestId": correlation_id.get()}


def _retrying(details: stamina.instrumentation.RetryDetails) -> None:
    """Stamina's own line would show the arguments: what is stored."""
    fault = type(details.caused_by).__name__
    structlog.get_logger("gateway").warning(
        "trying again", what=details.name, fault=fault, seconds=round(details.wait_for, 2)
    )


def configure(level: str) -> None:
    # The driver's debug log holds whole commands and replies: never, at any level of ours.
    logging.getLogger("pymongo").setLevel(logging.WARNING)
    stamina.instrumentation.set_on_retry_hooks([_retrying])
    structlog.configure(
        processors=[
            _with_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
