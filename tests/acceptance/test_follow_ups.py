"""Follow-ups with real beats and workers that are killed: none doubled, none lost, soon again on time."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp, InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

CADENCE = {
    "PARLEY_JOIN__SETTLE_SECONDS": "0",
    "PARLEY_FOLLOW_UPS__DELAYS_SECONDS": "[3, 4]",
    "PARLEY_FOLLOW_UPS__JITTER": "0.5",
}
LEADS = 80


@pytest.fixture
def write(channel):
    """Every lead writes once."""

    def run(settings):
        with Producer(settings) as producer:
            producer.enqueue_many(
                [
                    InboundChat(persona="ava", target=f"@{number}", message="hi", channel=channel)
                    for number in range(LEADS)
                ]
            )

    return run


def follow_ups(system):
    """How often FluidTalk was asked for a follow-up of each lead."""
    return Counter(call.target for call in system.upstreams.calls() if call.action == "FOLLOW_UP")


def test_two_beats_one_killed_at_random_points_double_and_lose_nothing(start, write, eventually):
    system, settings = start(beats=2, settings=CADENCE)
    chance = random.Random(7)
    write(settings)
    started_at = time.monotonic()
    while time.monotonic() - started_at < 12:
        time.sleep(chance.uniform(0.1, 1.2))
        living = [beat for beat in system.beats if beat.poll() is None]
        victim = chance.choice(living)
        victim.kill()
        victim.wait()
        system.start_beat()
    eventually(lambda: sum(follow_ups(system).values()) >= 2 * LEADS, "two follow-ups for each lead", 30)
    assert follow_ups(system) == {f"@{number}": 2 for number in range(LEADS)}
    store = Store(settings, connections=2)
    eventually(lambda: not any(account.waiting for account in store.books.accounts()), "nothing waits")
    assert all(account.unexplained == 0 for account in store.books.accounts())
    assert store.follow_ups.upcoming(10) == []
    store.close()


def test_a_second_beat_takes_over_from_a_dead_one_within_15_seconds(start, channel, eventually):
    system, settings = start(beats=2, settings={"PARLEY_JOIN__SETTLE_SECONDS": "0"})
    store = Store(settings, connections=2)
    with Producer(settings) as producer:
        producer.enqueue(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
        eventually(lambda: store.follow_ups.state_of(Conversation("ava", "@lead")).quiet_from, "answered")
        due = datetime.now(UTC) + timedelta(seconds=2)
        producer.enqueue(FollowUp(persona="ava", target="@lead", not_before=due))
    system.beats[0].kill()
    eventually(lambda: follow_ups(system) == {"@lead": 1}, "asked for", 2 + 15)
    store.close()


def test_workers_killed_while_they_dispatch_accept_each_touch_once(start, write, eventually):
    system, settings = start(workers=2, beats=2, settings=CADENCE)
    chance = random.Random(11)
    write(settings)
    started_at = time.monotonic()
    while time.monotonic() - started_at < 12:
        time.sleep(chance.uniform(0.5, 1.5))
        living = [worker for worker in system.workers if worker.poll() is None]
        victim = chance.choice(living)
        victim.kill()
        victim.wait()
        system.start_worker(wait=False)
    store = Store(settings, connections=2)
    eventually(
        lambda: not store.follow_ups.upcoming(1) and not any(a.waiting for a in store.books.accounts()), "all over", 60
    )
    for number in range(LEADS):
        moments = store.timeline.of(Conversation("ava", f"@{number}"))
        accepted = [
            moment.details[1] for moment in moments if moment.word == "accepted" and moment.details[0] == "follow_up"
        ]
        assert len(accepted) == len(set(accepted)) == 2, moments
    # One whose worker died while it asked is skipped, not asked again: a missed nudge is cheap, a double one is not.
    assert max(follow_ups(system).values()) <= 2
    store.close()
