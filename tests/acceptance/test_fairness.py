"""A persona with ten times the load and slow answers does not make the others wait."""

from __future__ import annotations

import time

import pytest

from simulation.judge.checker import judge
from simulation.judge.log import Sent
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

SETTINGS = {
    "PARLEY_JOIN__SETTLE_SECONDS": "0",
    "PARLEY_WORKER__CONCURRENCY": "40",
    "PARLEY_WORKER__LOG_LEVEL": "WARNING",
}


def chats(channel, persona, count, stamp):
    return [
        InboundChat(
            persona=persona,
            target=f"@{stamp}-{number}",
            message=f"{persona} {stamp} {number}",
            channel={**channel, "session_id": f"{stamp}-{number}"},
        )
        for number in range(count)
    ]


def p95_of_bea(system, producer, channel, stamp, eventually):
    """Bea's leads write one after the other; how long the slowest of 95 % waited."""
    sent = []
    for event in chats(channel, "bea", 40, stamp):
        producer.enqueue(event)
        sent.append(Sent("bea", event.target, event.message, time.time()))
        time.sleep(0.05)

    def verdict():
        found = judge(sent, [call for call in system.upstreams.calls() if stamp in str(call.fields)])
        return found if not found.undelivered else None

    return eventually(verdict, "all of bea's leads are answered", seconds=30).percentile(0.95)


def test_a_busy_slow_persona_does_not_make_another_wait(start, channel, eventually):
    system, settings = start(settings=SETTINGS, personas={"ava": "ft_sk_ava", "bea": "ft_sk_bea"})
    system.upstreams.set_latency(1.0, service="fluidtalk", persona="ava")
    system.upstreams.set_latency(0.2, service="fluidtalk", persona="bea")
    with Producer(settings) as producer:
        quiet = p95_of_bea(system, producer, channel, "quiet", eventually)
        producer.enqueue_many(chats(channel, "ava", 400, "flood"))
        eventually(lambda: system.upstreams.summary()["fluidtalk"].in_flight >= 20, "ava's flood")
        flooded = p95_of_bea(system, producer, channel, "flooded", eventually)
        assert system.upstreams.summary()["fluidtalk"].in_flight >= 10, "ava is still busy"
    assert flooded <= 2 * quiet, f"p95 {quiet:.2f} s alone, {flooded:.2f} s beside ten times the load"
