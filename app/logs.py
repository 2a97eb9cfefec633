"""Writes logs: one JSON object a line on standard error, with ids instead of what is stored.

What the server and other libraries log by Python's own ``logging`` comes in the same form.
"""

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from traceback import extract_tb
from types import TracebackType
from typing import Any, Final, cast

import stamina.instrumentation
import structlog
from asgi_correlation_id import correlation_id
from structlog.typing import EventDict, Processor, WrappedLogger

from app.store.driver import reason_of

_ROOT: Final = Path(__file__).parents[1]
_ACCESS: Final = "uvicorn.access"
_LINK: Final = re.compile(r"^(/(?:attachments|uploads)/).*")
"""An address that opens a file to whoever has it."""


def _with_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {**event, "requestId": correlation_id.get()}


def _without_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replaces an exception by its class and where it was raised: its words may hold what is stored."""
    given: Any = event.pop("exc_info", None)
    if isinstance(given, tuple):
        given = cast(tuple[Any, ...], given)[1]
    fault: Any = sys.exc_info()[1] if given is True else given
    if isinstance(fault, BaseException):
        event.setdefault("fault", type(fault).__name__)
        event.update(_reason(fault))
        event["at"] = _places(fault.__traceback__)
        causes = [type(each).__name__ for each in _causes(fault)]
        if causes:
            event["causedBy"] = causes
    return event


def _reason(fault: BaseException) -> EventDict:
    """Returns what to look at, where the database does nothing for us."""
    return {"reason": reason} if (reason := reason_of(fault)) else {}


def _causes(fault: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    while (fault_before := fault.__cause__ or fault.__context__) and fault_before not in found:
        found.append(fault_before)
        fault = fault_before
    return found


def _places(traceback: TracebackType | None) -> list[str]:
    """Returns files, lines and functions, the innermost last."""
    return [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in extract_tb(traceback)][-20:]


def _short(file: str) -> str:
    path = Path(file)
    if path.is_relative_to(_ROOT / "app"):
        return str(path.relative_to(_ROOT))
    return "/".join(path.parts[-2:])


def _retrying(details: stamina.instrumentation.RetryDetails) -> None:
    """Logs a retry without the arguments that Stamina's own line would show: they are what is stored."""
    fault = details.caused_by
    structlog.get_logger("gateway").warning(
        "trying again",
        what=details.name,
        fault=type(fault).__name__,
        seconds=round(details.wait_for, 2),
        **_reason(fault),
    )


class _Handler(logging.Handler):
    """Writes what others log as our own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = _access(record) if record.name == _ACCESS else {"event": record.getMessage()}
            event: dict[str, Any] = {**said, "logger": record.name, "level": record.levelname.lower()}
            if record.exc_info:
                event["exc_info"] = record.exc_info
            rendered: Any = event
            for process in _PROCESSORS:
                rendered = process(None, "", rendered)
            structlog.WriteLogger(sys.stderr).msg(rendered)  # one write: several processes share the file
        except Exception:
            self.handleError(record)


def _access(record: logging.LogRecord) -> dict[str, Any]:
    """Returns the line without what of the address may hold a document, variables or a secret: queries, and links."""
    args: Any = record.args
    client, method, path, version, status = args
    path = _LINK.sub(r"\1…", str(path).partition("?")[0])
    return {"event": "request", "client": client, "method": method, "path": path, "http": version, "status": status}


_PROCESSORS: Final[tuple[Processor, ...]] = (
    _with_request_id,
    _without_values,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.JSONRenderer(),
)


def configure(level: str, *, access: bool = False) -> None:
    """Sets up logging. ``access``: a line for each request that was answered, whatever the level."""
    handler = _Handler()
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if type(each) is not _Handler]
    root.addHandler(handler)
    # Of libraries only what is wrong, and nothing at all of what they send: the driver's debug log holds whole commands
    # and replies.
    for name, least in {"": "WARNING", "pymongo": "WARNING", "uvicorn": level, _ACCESS: "INFO"}.items():
        logging.getLogger(name or None).setLevel(least)
    logging.getLogger(_ACCESS).disabled = not access
    logging.captureWarnings(capture=True)
    stamina.instrumentation.set_on_retry_hooks([_retrying])
    structlog.configure(
        processors=[structlog.processors.add_log_level, *_PROCESSORS],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def starting(what: str, **where: Any) -> None:
    """Logs how a long-running command begins: what starts, where it listens, which database it uses."""
    said: Mapping[str, Any] = {key: value for key, value in where.items() if value is not None}
    structlog.get_logger(what).info("starting", **said)


def hints(what: str, sentences: Iterable[str]) -> None:
    """Logs what is probably not meant so, a line each."""
    for sentence in sentences:
        structlog.get_logger(what).warning(sentence)
