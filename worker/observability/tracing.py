"""Optional traces: the producer's span, the turn and its HTTP calls are one trace. Spans hold no content.

An event carries the producer's position in its trace as ``traceparent`` (W3C Trace Context), only in the store. It is
neither in doorbells nor in calls to FluidTalk or Captivate.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from config.settings import Tracing

# Of this process; None = off.
_tracer: Any = None


def fault(settings: Tracing) -> str | None:
    """Why these settings cannot be used, as a sentence; None when they can."""
    if settings.endpoint and not (find_spec("opentelemetry") and find_spec("opentelemetry.exporter")):
        return "PARLEY_TRACING__ENDPOINT is set, but OpenTelemetry is not installed: install the extra tracing"
    return None


def begin(settings: Tracing) -> None:
    """Send traces from now on, if the settings have an endpoint and no ``fault``. Call it after a fork."""
    if settings.endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.ratio)), resource=Resource.create({"service.name": "parley"})
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.endpoint)))
    use(provider)


def use(provider: Any) -> None:
    """Make spans with this OpenTelemetry tracer provider; None = off."""
    global _tracer
    _tracer = provider.get_tracer("parley") if provider else None


def position() -> str | None:
    """The current span of the calling thread, as a traceparent; None without one."""
    # An application that traces has already loaded it. The others pay nothing.
    trace = sys.modules.get("opentelemetry.trace")
    context = trace.get_current_span().get_span_context() if trace else None
    if context is None or not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


class Span:
    """What a span is told."""

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def tell(self, **attributes: str | int) -> None:
        """Add attributes to the span; never content, and nothing that names a lead."""
        for name, value in attributes.items():
            self._span.set_attribute(f"parley.{name}", value)


class _NoSpan(Span):
    """Tracing is off."""

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None: ...

    def tell(self, **attributes: str | int) -> None:
        """Nothing is kept."""


_NO_SPAN = _NoSpan()


def turn(payloads: Sequence[str], **attributes: str | int) -> AbstractContextManager[Span]:
    """One turn, in the trace of its first event, linked to those of the events that joined it.

    ``payloads``: its events as JSON texts, in order, of which only the position in a trace is read.
    """
    return _NO_SPAN if _tracer is None else _turn(payloads, attributes)


def call(upstream: str) -> AbstractContextManager[Span]:
    """One HTTP call within a turn."""
    return _NO_SPAN if _tracer is None else _call(upstream)


@contextmanager
def _turn(payloads: Sequence[str], attributes: dict[str, str | int]) -> Iterator[Span]:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    positions = [json.loads(payload).get("traceparent") or "" for payload in payloads]
    # An empty context, so that another span of this thread is not its parent.
    parents = [TraceContextTextMapPropagator().extract({"traceparent": at}, Context()) for at in positions]
    links = [Link(get_current_span(parent).get_span_context()) for parent in parents[1:]]
    with _started("turn", attributes, context=parents[0], links=[one for one in links if one.context.is_valid]) as span:
        yield span


@contextmanager
def _call(upstream: str) -> Iterator[Span]:
    from opentelemetry.trace import SpanKind

    with _started(f"call {upstream}", {"upstream": upstream}, kind=SpanKind.CLIENT) as span:
        yield span


@contextmanager
def _started(name: str, attributes: dict[str, str | int], **options: Any) -> Iterator[Span]:
    # The text of an exception can quote what was sent or answered.
    told = {f"parley.{key}": value for key, value in attributes.items()}
    with _tracer.start_as_current_span(
        name, attributes=told, record_exception=False, set_status_on_exception=False, **options
    ) as started:
        yield Span(started)
