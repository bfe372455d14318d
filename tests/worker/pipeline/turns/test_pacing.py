"""Bubbles one by one: resumable, each a send of its own, and no turn while a pause lasts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from simulation.upstreams.faults import FaultKind
from worker.cli.explanation import explain
from worker.store.views.situation import situation

PACED = {"enabled": True, "minimum_seconds": 30, "maximum_seconds": 60, "jitter": 0}
THREE = "one\ntwo\nthree"


@pytest.fixture
def paced_shop(make_shop):
    """A shop whose personas send their bubbles one by one."""
    return make_shop(pacing=PACED)


def keys_of(upstreams):
    return [delivery.idempotency_key for delivery in upstreams.deliveries("session-1")]


def test_bubbles_go_out_one_by_one_and_the_persona_is_asked_once(paced_shop, say, upstreams):
    paced_shop.producer.enqueue(say(THREE))
    phrases = paced_shop.work()
    assert phrases == ["held for 30.0 s: next bubble 2 of 3", "held for 30.0 s: next bubble 3 of 3", "answered"]
    assert paced_shop.texts() == [["You said: one"], ["You said: two"], ["You said: three"]]
    assert len(set(keys_of(upstreams))) == 3, "each bubble has a key of its own"
    assert len(paced_shop.asked()) == 1
    assert paced_shop.fates() == {"answered": 1}


def test_a_pause_keeps_its_time(paced_shop, say):
    paced_shop.producer.enqueue(say(THREE))
    paced_shop.run()
    assert paced_shop.run().startswith("held until")
    assert paced_shop.texts() == [["You said: one"]]


def test_parley_explain_says_which_bubble_is_next_and_when(lead, paced_shop, say, store):
    paced_shop.producer.enqueue(say(THREE))
    paced_shop.run()
    now = situation(store.redis, store.keys, lead, "custom")
    at = datetime.fromtimestamp(now.hold_until / 1000, UTC)
    assert explain(now, [], paced_shop.parts.settings) == (
        f"1 event waits: its answer goes out bubble by bubble; next bubble 2 of 3 at {at:%H:%M:%S} UTC."
    )


def test_the_photo_is_the_last_bubble(paced_shop, say, upstreams):
    paced_shop.producer.enqueue(say("photo please"))
    assert paced_shop.work() == ["held for 30.0 s: next bubble 2 of 2", "answered"]
    (text,), (photo,) = (delivery.messages for delivery in upstreams.deliveries("session-1"))
    assert (text["type"], photo["type"]) == ("text", "files")


def test_a_lead_who_writes_in_a_pause_is_answered_after_the_last_bubble(paced_shop, say, store):
    paced_shop.producer.enqueue(say(THREE))
    paced_shop.run()
    paced_shop.producer.enqueue(say("what I also meant"))
    paced_shop.work()
    assert [text for (text,) in paced_shop.texts()] == [
        "You said: one",
        "You said: two",
        "You said: three",
        "You said: what I also meant",
    ]
    assert paced_shop.fates() == {"answered": 2}


def test_a_reply_that_has_begun_keeps_its_rhythm_when_the_setting_changes(make_shop, paced_shop, say):
    paced_shop.producer.enqueue(say(THREE))
    paced_shop.work(turns=1)
    shop = make_shop()
    assert shop.work() == ["held for 30.0 s: next bubble 3 of 3", "answered"]
    assert shop.texts() == [["You said: one"], ["You said: two"], ["You said: three"]]


def test_only_the_bubble_in_doubt_is_sent_again(lead, paced_shop, say, upstreams, store):
    paced_shop.fail(FaultKind.ACT_THEN_DROP, nth=2, service="captivate")
    paced_shop.producer.enqueue(say(THREE))
    paced_shop.work()
    assert paced_shop.texts() == [["You said: one"], ["You said: two"], ["You said: two"], ["You said: three"]]
    first, second, again, third = keys_of(upstreams)
    assert second == again
    assert len({first, second, third}) == 3
    resent = [moment.details for moment in store.timeline.of(lead) if moment.word == "resent"]
    assert [details[-1] for details in resent] == [2], "the timeline says which bubble"


def test_in_doubt_the_bubble_waits_for_a_person_if_so_set(make_shop, lead, say, store, upstreams):
    held = {"api_key": "ft_sk_ava", "unknown": {"delivery": "hold"}}
    shop = make_shop(pacing=PACED, personas={"ava": held})
    shop.fail(FaultKind.ACT_THEN_DROP, nth=2, service="captivate")
    shop.producer.enqueue(say(THREE))
    shop.work()
    (letter,) = store.dead_letters.newest()
    assert letter.cause == "delivery_unconfirmed bubbles=1"
    assert shop.texts() == [["You said: one"], ["You said: two"]]
    assert store.dead_letters.replay(lead, letter.event_id, "place").status == "replayed"
    shop.work()
    assert shop.texts()[2:] == [["You said: two"], ["You said: three"]]
    assert len(shop.asked()) == 1


def test_a_refused_bubble_is_replayed_from_there(lead, paced_shop, say, upstreams, store):
    paced_shop.fail(status=422, nth=2, service="captivate")
    paced_shop.producer.enqueue(say(THREE))
    paced_shop.work()
    (letter,) = store.dead_letters.newest()
    assert letter.cause == "delivery_refused status=422 bubbles=1"
    store.dead_letters.replay(lead, letter.event_id, "place")
    paced_shop.work()
    assert paced_shop.texts() == [["You said: one"], ["You said: two"], ["You said: three"]]
    assert len(paced_shop.asked()) == 1
    assert paced_shop.fates() == {"answered": 1}


def test_each_bubble_has_its_own_budget_of_attempts(make_shop, say):
    shop = make_shop(pacing=PACED, retry={"attempts": 2, "pause_seconds": 0.01})
    for number in (1, 3, 5):
        shop.fail(status=503, nth=number, service="captivate")
    shop.producer.enqueue(say(THREE))
    shop.work()
    assert shop.texts() == [["You said: one"], ["You said: two"], ["You said: three"]]


def test_a_follow_up_is_planned_from_the_last_bubble(make_shop, say, store):
    shop = make_shop(pacing=PACED, follow_ups={"delays_seconds": [3600]})
    shop.producer.enqueue(say(THREE))

    def planned():
        return sum(store.redis.zcard(shard.follow_ups) for shard in store.keys.shards)

    shop.work(turns=2)
    assert planned() == 0
    shop.work()
    assert planned() == 1
