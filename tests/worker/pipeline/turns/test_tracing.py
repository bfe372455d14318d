"""One trace from the producer's request to the delivery."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from worker.observability import tracing


@pytest.fixture
def exporter():
    """Where the spans of a producer's application and of the worker end up."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    exporter.provider = provider
    yield exporter
    tracing.use(None)
    provider.shutdown()


def test_request_turns_and_calls_are_one_trace(shop, say, exporter, store):
    shop.fail(status=503, service="captivate", first=1)
    with exporter.provider.get_tracer("application").start_as_current_span("request"):
        shop.producer.enqueue(say("PLANTED"))
    assert "traceparent" not in str(store.redis.lrange("turns", 0, -1)), "doorbells know nothing of it"
    shop.work()
    spans = exporter.get_finished_spans()
    assert sorted(span.name for span in spans) == [
        "call captivate",
        "call captivate",
        "call fluidtalk",
        "request",
        "turn",
        "turn",
    ]
    assert len({span.context.trace_id for span in spans}) == 1
    assert [span.attributes["parley.outcome"] for span in spans if span.name == "turn"] == ["held", "answered"]
    told = str([span.to_json() for span in spans])
    assert "PLANTED" not in told
    assert "@lead" not in told
