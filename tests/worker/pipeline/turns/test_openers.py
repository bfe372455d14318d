"""Openers: the ramp in front of them, how they give way, and what stops them."""

from __future__ import annotations

import logging

import pytest

from tests.worker.outreach_gate import stop_outreach
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger, FollowUp
from worker.domain.vocabulary import Cause, stored


@pytest.fixture
def ramped(make_shop):
    """A shop whose persona ava has a ramp of one opener an hour, without jitter."""

    def make(**outreach):
        rules = {"openers_per_hour": 1, "jitter": 0, **outreach}
        return make_shop(personas={"ava": {"api_key": "ft_sk_ava", "outreach": rules}, "bea": {"api_key": "ft_sk_bea"}})

    return make


@pytest.fixture
def opener(say):
    """An opener to lead number so and so."""

    def make(number, **fields):
        return say(kind=AiOpener, target=f"@{number}", **fields)

    return make


def lead(number):
    return Conversation("ava", f"@{number}")


def run(shop, event):
    shop.producer.enqueue(event)
    return shop.run(Conversation(event.persona, event.target))


def test_the_ramp_lets_one_go_and_holds_the_next_without_a_call_or_an_attempt(ramped, opener, store):
    shop = ramped()
    assert run(shop, opener(1)).startswith("answered")
    phrase = run(shop, opener(2, event_id="e"))
    assert (phrase.startswith(("held for 3599.", "held for 3600.0 s")), ": outreach ramp" in phrase) == (True, True)
    assert len(shop.asked()) == 1
    shard = store.keys.of(lead(2))
    assert store.redis.hget(shard.journal(lead(2), "e"), "asks") == "0"
    assert store.redis.hget(shard.conversation(lead(2)), "hold_reason") == stored(Cause.RAMP)


def test_other_kinds_and_other_personas_know_no_ramp(ramped, opener, say, store):
    shop = ramped()
    run(shop, opener(1))
    assert run(shop, say(target="@3")).startswith("answered")
    assert run(shop, opener(4, persona="bea")).startswith("answered")
    shop.producer.enqueue(say(kind=FollowUp, target="@3"))
    assert not shop.run(lead(3)).startswith("held")


@pytest.mark.parametrize("known", ["sealed", "owned_elsewhere", "too old"])
def test_what_needs_no_call_takes_no_moment_and_says_nothing_of_the_outreach(ramped, opener, store, known):
    shop = ramped()
    shop.producer.enqueue(opener(1, event_id="e"))
    shard = store.keys.of(lead(1))
    if known == "too old":
        store.redis.hset(shard.journal(lead(1), "e"), "accepted_at", 1)
    else:
        store.redis.hset(shard.conversation(lead(1)), known, 1)
    shop.run(lead(1))
    assert shop.asked() == []
    state = store.outreach.state("ava")
    assert (state.gone_today, state.counted) == (0, 0)
    assert run(shop, opener(2)).startswith("answered"), "the moment is free"


def test_a_message_leads_although_the_opener_in_front_waits_for_its_moment(ramped, opener, say, store):
    shop = ramped()
    run(shop, opener(1))
    run(shop, opener(2))
    shop.producer.enqueue(say("me first", target="@2"))
    assert shop.run(lead(2)).startswith("skipped: the lead wrote in the meantime")
    assert shop.run(lead(2)).startswith("answered")
    assert [call.path.rpartition("/")[2] for call in shop.asked()] == ["action", "chat"]
    assert shop.fates() == {"answered": 2, "skipped": 1}


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_event_of_the_platform_is_not_kept_waiting_for_the_ramp(ramped, opener, say, store, when):
    shop = ramped()
    run(shop, opener(1))
    trigger = say(kind=EventTrigger, target="@2", event_type="story_reaction")
    if when == "before":
        shop.producer.enqueue(opener(2))
        shop.producer.enqueue(trigger)
    else:
        run(shop, opener(2))
        shop.producer.enqueue(trigger)
    assert shop.run(lead(2)).startswith("skipped: it waited for its moment, and another event came")
    assert shop.run(lead(2)).startswith("answered")


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_event_of_the_platform_is_not_kept_waiting_while_outreach_is_stopped(ramped, opener, say, store, when):
    shop = ramped()
    stop_outreach(store, "ava", "15 of the last 50")
    shop.producer.enqueue(opener(1))
    if when == "after":
        assert shop.run(lead(1)).startswith("outreach")
    shop.producer.enqueue(say(kind=EventTrigger, target="@1", event_type="story_reaction"))
    assert shop.run(lead(1)).startswith("skipped: outreach is stopped, and another event came")
    assert shop.run(lead(1)).startswith("answered")
    assert len(shop.asked()) == 1
    assert shop.fates() == {"skipped": 1, "answered": 1}


def test_an_opener_that_may_not_go_takes_nobody_s_right_to_probe(ramped, opener, say, store, try_gate):
    shop = ramped()
    run(shop, opener(1))
    store.personas.close_for_probing("ava", "circuit", "unavailable")
    assert run(shop, opener(2)).startswith("held until")
    assert try_gate("circuit") == lead(2)
    assert "outreach ramp" in shop.run(lead(2))
    assert run(shop, say(target="@3")).startswith("held until")
    assert try_gate("circuit") == lead(3)
    assert shop.run(lead(3)).startswith("answered")
    assert store.personas.gates("ava") == {}


def test_an_opener_that_failed_is_asked_again_without_another_moment(ramped, opener, store):
    shop = ramped()
    shop.fail(status=503, nth=1, service="fluidtalk")
    shop.producer.enqueue(opener(1))
    assert [phrase.partition(" ")[0] for phrase in shop.work(lead(1))] == ["held", "answered"]
    assert store.outreach.state("ava").gone_today == 1


def test_outreach_stops_by_itself_and_says_so_once(ramped, opener, say, upstreams, store, caplog):
    shop = ramped(openers_per_hour=None, stop_share=0.5, stop_minimum=4)
    for number in range(4):
        if number % 2:
            upstreams.own_elsewhere("ava", f"@{number}")
        run(shop, opener(number))
    (line,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert line.getMessage().startswith("outreach stopped: ")
    assert (line.cause, line.detail) == ("openers_bad", "bad=2 counted=4")
    assert "parley resume ava --gate outreach" in line.getMessage()
    assert run(shop, opener(5)).startswith("outreach until")
    assert run(shop, say(target="@6")).startswith("answered")
    store.personas.open_gate("ava", "outreach")
    assert shop.run(lead(5)).startswith("answered")
    assert store.outreach.state("ava").counted == 1


def test_sealed_and_blocked_leads_count_as_bad(ramped, opener, upstreams, store):
    shop = ramped(openers_per_hour=None)
    upstreams.seal("ava", "@1")
    run(shop, opener(1))
    shop.fail(service="captivate", status=404)
    run(shop, opener(2))
    state = store.outreach.state("ava")
    assert (state.counted, state.bad) == (2, 2)
    assert shop.fates() == {"sealed": 1, "dead": 1}


def test_an_opener_that_was_asked_before_the_gate_was_opened_does_not_count(ramped, opener, store):
    shop = ramped(openers_per_hour=None, stop_share=0.1, stop_minimum=1)
    shop.fail(service="captivate", status=503, nth=1)
    run(shop, opener(1))
    store.personas.open_gate("ava", "outreach")
    shop.fail(service="captivate", status=404)
    assert shop.work(lead(1))[-1].startswith("dead")
    assert (store.outreach.state("ava").counted, store.personas.gates("ava")) == (0, {})
    assert run(shop, opener(2)).startswith("dead")
    assert "outreach" in store.personas.gates("ava")


def test_an_opener_into_a_live_conversation_says_nothing_of_the_outreach(ramped, opener, say, store):
    shop = ramped(openers_per_hour=None)
    run(shop, say(target="@1"))
    assert run(shop, opener(1)).startswith("skipped")
    assert store.outreach.state("ava").counted == 0
