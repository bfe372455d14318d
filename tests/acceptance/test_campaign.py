"""A campaign with real processes: leads who write are served before openers, and the ramp holds for all workers."""

from __future__ import annotations

import pytest

from worker.domain.events import AiOpener, InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

SETTINGS = {
    "PARLEY_JOIN__SETTLE_SECONDS": "0",
    "PARLEY_WORKER__LOG_LEVEL": "WARNING",
    "PARLEY_AGENDA__OUTREACH_LIMIT": "200",
}
SLOTS = 10


def openers(channel, count):
    return [
        AiOpener(persona="ava", target=f"@cold-{number}", channel={**channel, "session_id": f"cold-{number}"})
        for number in range(count)
    ]


def message(channel, target, text="hi"):
    return InboundChat(persona="ava", target=target, message=text, channel={**channel, "session_id": target})


def asked(system, part):
    return [call for call in system.upstreams.calls() if call.service == "fluidtalk" and call.path.endswith(part)]


def most_at_once(calls):
    moments = [(call.start_monotonic, 1) for call in calls] + [(call.end_monotonic, -1) for call in calls]
    running = most = 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    return most


def test_leads_are_answered_while_a_campaign_waits_and_openers_keep_to_their_share(start, channel, eventually):
    system, settings = start(settings={**SETTINGS, "PARLEY_WORKER__CONCURRENCY": str(SLOTS)}, latency_seconds=1.0)
    with Producer(settings) as producer:
        producer.enqueue_many(openers(channel, 400))
        eventually(lambda: system.upstreams.summary()["fluidtalk"].in_flight >= SLOTS // 2, "the campaign runs", 30)
        for number in range(15):
            producer.enqueue(message(channel, f"@warm-{number}"))
        eventually(lambda: len(asked(system, "/chat")) == 15, "all leads are asked for", seconds=60)
    campaign = asked(system, "/action")
    assert len(campaign) < 300, "the campaign was still going on"
    assert most_at_once(campaign) <= SLOTS // 2


def test_the_ramp_holds_for_all_workers_and_a_lead_who_writes_does_not_wait_for_it(start, channel, eventually):
    ramp = {"PARLEY_PERSONAS__AVA__OUTREACH__OPENERS_PER_HOUR": "1"}
    system, settings = start(settings={**SETTINGS, **ramp}, workers=2)
    store = Store(settings, connections=2)
    with Producer(settings) as producer:
        producer.enqueue_many(openers(channel, 20))
        eventually(lambda: store.outreach.state("ava").waiting == 19, "nineteen have a moment to come")
        (first,) = eventually(lambda: asked(system, "/action"), "the first one has gone")
        writes = next(f"@cold-{number}" for number in range(20) if f"@cold-{number}" != first.target)
        producer.enqueue(message(channel, writes, "me first"))
        answer = eventually(lambda: system.upstreams.deliveries(writes), "the lead's answer")
    assert answer[0].messages[0]["text"] == "You said: me first"
    assert len(asked(system, "/action")) == 1
    eventually(lambda: store.books.accounts()[0].skipped == 1, "the opener gave way")
    store.close()
