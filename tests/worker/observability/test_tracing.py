"""Traces: one for producer, turn and calls, without content; nothing of it when it is off."""

from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from config.settings import Tracing
from worker.domain.events import InboundChat
from worker.observability import tracing

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def provider():
    """A provider of spans for application and worker."""
    made = TracerProvider()
    yield made
    made.shutdown()


@pytest.fixture
def ended(provider):
    """The spans that have ended, while tracing is on."""
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    yield exporter.get_finished_spans
    tracing.use(None)


def payload(traceparent=None):
    chat = InboundChat(persona="ava", target="@lead", message="PLANTED", traceparent=traceparent)
    return chat.model_dump_json(exclude_none=True)


def test_a_turn_is_in_the_trace_of_its_producer_and_its_calls_below_it(ended):
    with tracing.turn([payload(PARENT)], persona="ava", kind="inbound_chat") as turn:
        for upstream in ("fluidtalk", "captivate"):
            with tracing.call(upstream) as call:
                call.tell(answer=200)
        turn.tell(outcome="answered", events=1)
    first, second, whole = ended()
    assert (first.name, second.name, whole.name) == ("call fluidtalk", "call captivate", "turn")
    assert {span.context.trace_id for span in ended()} == {int(PARENT.split("-")[1], 16)}
    assert whole.parent.span_id == int(PARENT.split("-")[2], 16)
    assert first.parent.span_id == second.parent.span_id == whole.context.span_id
    assert whole.attributes == {
        "parley.persona": "ava",
        "parley.kind": "inbound_chat",
        "parley.outcome": "answered",
        "parley.events": 1,
    }
    assert "PLANTED" not in str([span.to_json() for span in ended()])


def test_joined_events_are_linked(ended):
    other = PARENT.replace("0af7", "1bf7")
    with tracing.turn([payload(PARENT), payload(), payload(other)]):
        pass
    (whole,) = ended()
    assert [link.context.trace_id for link in whole.links] == [int(other.split("-")[1], 16)]


def test_without_a_producer_that_traces_the_turn_begins_a_trace(ended):
    with tracing.turn([payload()]):
        pass
    assert ended()[0].parent is None


def test_what_goes_wrong_is_not_quoted(ended):
    with pytest.raises(ValueError, match="PLANTED"), tracing.turn([payload()]):
        raise ValueError("PLANTED")
    assert "PLANTED" not in ended()[0].to_json()


def test_the_producer_knows_where_its_application_is(provider):
    assert tracing.position() is None
    with provider.get_tracer("application").start_as_current_span("request") as span:
        position = tracing.position()
        assert position == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"
    assert InboundChat(persona="ava", target="@lead", message="hi", traceparent=position).traceparent == position


@pytest.mark.parametrize("wrong", ["", "00-1-2-3", 7, PARENT + "-more", None])
def test_a_position_that_cannot_be_read_refuses_no_event(wrong):
    assert InboundChat(persona="ava", target="@lead", message="hi", traceparent=wrong).traceparent is None


def test_it_is_off_by_default_and_then_nothing_is_loaded():
    code = (
        "import sys; from config.settings import Tracing; from worker.observability import tracing\n"
        "import worker.pipeline.producer; tracing.begin(Tracing()); tracing.position()\n"
        "with tracing.turn(['{}']) as span, tracing.call('fluidtalk'): span.tell(outcome='answered')\n"
        # The client of Redis loads other parts by itself, when they are installed.
        "assert not {'opentelemetry.sdk.trace', 'opentelemetry.exporter'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_endpoint_without_opentelemetry_is_a_fault(monkeypatch):
    settings = Tracing(endpoint="http://127.0.0.1:4318/v1/traces")
    assert tracing.fault(settings) is None
    monkeypatch.setattr(tracing, "find_spec", lambda name: None)
    assert "install the extra tracing" in str(tracing.fault(settings))
    assert tracing.fault(Tracing()) is None
