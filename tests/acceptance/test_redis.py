"""Redis goes away and comes back: nothing is lost, nobody is asked twice for it, work goes on by itself."""

from __future__ import annotations

import time

import pytest

from simulation.load import run_load
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer

pytestmark = pytest.mark.acceptance

SETTINGS = {"PARLEY_JOIN__MAX_EVENTS": "1", "PARLEY_JOIN__SETTLE_SECONDS": "0"}


def texts(system):
    return [message["text"] for delivery in system.upstreams.deliveries("session-1") for message in delivery.messages]


def test_an_answer_that_comes_while_redis_is_away_is_kept_and_delivered(start, channel, eventually):
    system, settings = start(appendfsync="always", settings=SETTINGS, latency_seconds=1.0)
    with Producer(settings) as producer:
        producer.enqueue(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
    eventually(lambda: system.upstreams.summary()["fluidtalk"].in_flight, "the call")
    system.redis.kill()
    eventually(lambda: not system.upstreams.summary()["fluidtalk"].in_flight, "the answer while Redis is away")
    time.sleep(1.0)  # long enough for the client's own repetitions to be used up
    assert texts(system) == []
    system.redis.restart()
    eventually(lambda: texts(system), "the delivery")
    with Producer(settings) as producer:
        producer.enqueue(InboundChat(persona="ava", target="@lead", message="still there?", channel=channel))
        eventually(lambda: len(texts(system)) == 2, "work goes on")
    assert texts(system) == ["You said: hi", "You said: still there?"]
    asked = [call for call in system.upstreams.calls() if call.service == "fluidtalk"]
    assert len(asked) == 2, "the stored answer was not asked for again"


@pytest.mark.slow
def test_a_restart_under_load_loses_and_overtakes_nothing(start):
    system, settings = start(appendfsync="always", settings=SETTINGS, latency_seconds=0.2, workers=2)
    restarted = []

    def restart_once():
        if not restarted and system.upstreams.summary()["fluidtalk"].calls > 200:
            system.redis.kill()
            time.sleep(0.5)
            system.redis.restart()
            restarted.append(True)

    run = run_load(system, settings, messages=1200, conversations=120, meanwhile=restart_once)
    verdict = run.verdict
    assert restarted
    assert (verdict.lost, verdict.undelivered, verdict.overtaken, verdict.overlapping) == (0, 0, 0, 0), verdict
    assert (run.waiting, run.unexplained) == (0, 0)
    assert all(worker.poll() is None for worker in system.workers), "no worker died of it"
