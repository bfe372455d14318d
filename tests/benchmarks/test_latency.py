"""What is added is what is not the persona's, and late is what begins after its moment."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from benchmarks.latency import added_seconds, late_seconds
from simulation.upstreams.call_log import Call
from worker.store.views.timeline import Moment


def call(service, lead, start, end):
    named = {"target": lead} if service == "fluidtalk" else {"session_id": lead}
    return Call(service=service, method="POST", path="/", start_monotonic=start, end_monotonic=end, **named)


def moment(at, word, *details):
    return Moment(datetime.fromtimestamp(at, UTC), word, details)


def test_added_is_the_way_to_captivate_without_the_persona():
    calls = [
        call("fluidtalk", "@a", 10.002, 10.202),
        call("captivate", "@a", 10.207, 10.208),
        call("fluidtalk", "@warm", 1.0, 9.0),
        call("captivate", "@warm", 9.1, 9.2),
    ]
    assert added_seconds({"@a": 10.0}, calls) == [pytest.approx(0.007)]


def test_late_is_from_the_end_of_each_wait_to_the_next_step():
    moments = [
        moment(100.0, "accepted", "inbound_chat", "id"),
        moment(100.5, "asking", 1, 1, 1),
        moment(100.6, "held", "429", 101_600, "known"),
        moment(101.7, "asking", 2, 2, 1),
        moment(101.8, "replied"),
        moment(101.9, "held", "503", 103_000, "known"),
        moment(103.4, "sending", 2, 3, ""),
        moment(103.5, "answered", "", 1),
    ]
    assert list(late_seconds(moments, 0.3)) == [pytest.approx(0.2), pytest.approx(0.1), pytest.approx(0.4)]
