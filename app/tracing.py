"""Traces by OpenTelemetry, if the extra is installed and OTEL_EXPORTER_OTLP_ENDPOINT is set; else not at all.

A span has names, codes and figures; never a document, a variable, or what is stored.
"""

import importlib.util
import os
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any


class Tracing:
    tracer: Any = None


_TRACING = Tracing()
_NOTHING: AbstractContextManager[None] = nullcontext()


def begin() -> None:
    """Begins tracing, once for each process, before it serves. Standard variables say where spans go."""
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") and importlib.util.find_spec("opentelemetry.sdk"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider(resource=Resource.create({"service.name": "customer-gateway"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        use(provider)


def use(provider: Any) -> None:
    """Sends spans to this provider from then on; None ends it."""
    _TRACING.tracer = provider and provider.get_tracer("customer-gateway")


def span(name: str, **attributes: str | int) -> AbstractContextManager[None]:
    if _TRACING.tracer is None:
        return _NOTHING
    return _span(name, attributes)


@contextmanager
def _span(name: str, attributes: dict[str, str | int]) -> Generator[None]:
    # An exception's text may hold what is stored: its kind is enough.
    with _TRACING.tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield
        except BaseException as failed:
            opened.set_attribute("error.type", type(failed).__name__)
            raise


def took(name: str, seconds: float, *, succeeded: bool) -> None:
    """Writes a span that has just ended, below the request's if the thread that tells of it knows one."""
    if _TRACING.tracer is not None:
        end = time.time_ns()
        begun = _TRACING.tracer.start_span(name, start_time=end - int(seconds * 1e9))
        begun.set_attribute("succeeded", succeeded)
        begun.end(end)
