"""A persona with ten times the load and slow answers does not make the others wait."""

from __future__ import annotations

import time

import pytest

from simulation.judge.checker import judge
from simulation.judge.log import Sent
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

PLACES = 40
SETTINGS = {
    "PARLEY_JOIN__SETTLE_SECONDS": "0",
    "PARLEY_WORKER__CONCURRENCY": str(PLACES),
    "PARLEY_WORKER__LOG_LEVEL": "WARNING",
}


def chats(channel, persona, count):
    return [
        InboundChat(
            persona=persona,
            target=f"@{persona}-{number}",
            message=f"{persona} {number}",
            channel={**channel, "session_id": f"{persona}-{number}"},
        )
        for number in range(count)
    ]


def test_a_busy_slow_persona_does_not_make_another_wait(start, channel, eventually):
    """Counted in calls, so that the speed of the machine does not matter.

    Between a lead's message to Bea and Bea's call, not more of Ava's waiting calls begin than the worker has places.
    First come, first served would begin all of them before.
    """
    system, settings = start(settings=SETTINGS, personas={"ava": "ft_sk_ava", "bea": "ft_sk_bea"})
    upstreams = system.upstreams
    upstreams.set_latency(1.0, service="fluidtalk", persona="ava")
    upstreams.set_latency(0.2, service="fluidtalk", persona="bea")
    sent = []
    with Producer(settings) as producer:
        producer.enqueue_many(chats(channel, "ava", 10 * PLACES))
        eventually(lambda: upstreams.summary()["fluidtalk"].in_flight >= PLACES // 2, "ava's flood")
        for event in chats(channel, "bea", PLACES):
            producer.enqueue(event)
            sent.append(Sent("bea", event.target, event.message, time.time()))
            time.sleep(0.05)
        eventually(
            lambda: not judge(sent, [call for call in upstreams.calls() if call.persona != "ava"]).undelivered,
            "all of bea's leads are answered",
            seconds=30,
        )
        assert upstreams.summary()["fluidtalk"].in_flight >= 10, "ava is still busy"
    asked = [call for call in upstreams.calls() if call.service == "fluidtalk"]
    ava = [call.start_wall for call in asked if call.persona == "ava"]
    bea = {call.target: call.start_wall for call in asked if call.persona == "bea"}
    before = sorted(sum(lead.at < begun < bea[lead.target] for begun in ava) for lead in sent)
    assert before[int(0.95 * len(before))] <= PLACES, f"so many of ava's calls began before bea's: {before}"
