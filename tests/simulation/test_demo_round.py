"""How scripts are driven and how the logs become lines, with the real doubles and a real store."""

from __future__ import annotations

import time

import httpx
import pytest

from simulation.demo.doors import Doors
from simulation.demo.round import PATIENCE_SECONDS, Performance, Round
from simulation.upstreams.captivate_server import SEND_MESSAGE
from simulation.upstreams.faults import FaultKind, FaultRule
from worker.pipeline.producer import Producer


class Lead:
    """A lead with a given script."""

    begins_at = 1.0

    def __init__(self, steps):
        self.steps = steps
        self.done = []

    def script(self):
        for number, step in enumerate(self.steps):
            self.done.append(number)
            yield step
        self.done.append("end")


def test_a_script_begins_in_time_and_pauses():
    lead = Lead([0.5, 0.25])
    performance = Performance(lead, started_at=10.0)
    seen = []
    for now in (10.0, 10.9, 11.0, 11.4, 11.5, 11.8):
        performance.advance(now)
        seen.append(list(lead.done))
    assert seen == [[], [], [0], [0], [0, 1], [0, 1, "end"]]
    assert performance.finished


def test_a_script_waits_until_something_has_happened():
    happened = []
    lead = Lead([lambda: bool(happened)])
    performance = Performance(lead, started_at=0.0)
    for now in (1.0, 2.0, 3.0):
        performance.advance(now)
    assert not performance.finished
    happened.append(1)
    performance.advance(4.0)
    assert performance.finished


def test_patience_ends():
    performance = Performance(Lead([lambda: False]), started_at=0.0)
    performance.advance(1.0)
    performance.advance(1.0 + PATIENCE_SECONDS - 0.1)
    assert not performance.finished
    performance.advance(1.0 + PATIENCE_SECONDS)
    assert performance.finished


class Ingress:
    """Takes everything, and knows what became of it. ``sent``: what it was given."""

    def __init__(self):
        self.sent = []

    def send(self, event):
        self.sent.append(event.target)
        return f"receipt-{len(self.sent)}"

    def send_captivate(self, persona, payload):
        self.sent.append((persona, payload["session_id"]))
        return f"receipt-{len(self.sent)}"

    def status(self, receipt):
        return {"receipt-1": "waiting", "receipt-2": "held"}.get(receipt, "answered")


@pytest.fixture
def ingress():
    return Ingress()


@pytest.fixture
def stage(upstreams, make_store, make_settings, ingress):
    """A round of which no worker knows."""
    personas = {name: {"api_key": f"ft_sk_{name}"} for name in ("ava", "bea", "cleo")}
    producer = Producer(make_settings(personas=personas), store=make_store(personas=personas))
    return Round(1, upstreams, Doors(producer, ingress), make_store())


def lead_named(stage, handle):
    return next(lead for lead in stage.scripted if lead.handle == handle)


def test_an_enqueued_event_is_counted_and_its_moments_are_filed(stage):
    maya = lead_named(stage, "@maya")
    maya.writes("hello")
    stage.feed.follow()
    stage.feed.follow()
    assert (stage.doors.accepted, stage.doors.receipts) == (1, [])
    assert maya.evidence.words == ["accepted"]
    assert [line.text for line in stage.feed.rest()] == ["hello"]


def test_some_leads_come_through_the_ingress_whose_receipts_are_kept(stage, ingress):
    nina, liam = lead_named(stage, "@nina"), lead_named(stage, "@liam")
    nina.writes("hello")
    nina.does("story_reaction", {})
    liam.sends_payload("look", [])
    assert ingress.sent == ["@nina", "@nina", ("ava", liam.session_id)]
    assert (stage.doors.accepted, len(stage.doors.receipts), stage.doors.ended()) == (3, 3, 1)


def test_half_of_the_crowd_comes_through_the_ingress_for_each_persona(stage):
    assert {(lead.persona, lead.over_http) for lead in stage.crowd} == {
        (persona, over_http) for persona in ("ava", "bea") for over_http in (True, False)
    }


def test_sends_are_filed_by_session_and_repeats_are_marked(stage, upstreams, captivate_body):
    fay = lead_named(stage, "@fay")
    upstreams.add_fault(FaultRule(kind=FaultKind.ACT_THEN_DROP, service="captivate", first=1))
    request = {"json": {**captivate_body, "session_id": fay.session_id, "outgoing_action": None}}
    with httpx.Client(base_url=upstreams.captivate_url, headers={"Idempotency-Key": "k"}, trust_env=False) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.post(SEND_MESSAGE, **request)
        client.post(SEND_MESSAGE, **request)
        client.post(SEND_MESSAGE, json={**captivate_body, "session_id": "a stranger's", "outgoing_action": None})
    stage.feed.follow()
    assert [call.status for call in fay.evidence.delivered] == [None, 200]
    assert [line.text for line in stage.feed.rest()] == [
        "hello",
        "the channel took this, then dropped the connection",
        "(again) hello",
    ]
    assert len(stage.feed.calls) == 3


def test_asks_are_filed_by_target_and_uploads_by_file_name(stage, ava):
    ava.upload_image(data=b"\x89PNG\r\n\x1a\n", filename="board.png")
    ava.inbound_chat(target="@liam", message="hello")
    stage.feed.follow()
    liam = lead_named(stage, "@liam")
    assert (len(liam.evidence.uploads), liam.evidence.statuses) == (1, [200])
    assert all(not lead.evidence.asks for lead in stage.leads if lead is not liam)


def test_lines_come_out_in_order_of_time_and_only_when_old_enough(stage):
    late, early = (lead_named(stage, handle) for handle in ("@maya", "@liam"))
    late.arranges("first")
    early.arranges("second")
    now = time.time()
    assert stage.feed.lines(now - 1) == []
    assert [line.text for line in stage.feed.lines(now + 1)] == ["first", "second"]
    assert stage.feed.rest() == []
