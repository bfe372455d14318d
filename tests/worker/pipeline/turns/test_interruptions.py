"""The lead writes while bubbles go out: by policy the rest is sent, or withheld and listed."""

from __future__ import annotations

import pytest

from simulation.upstreams.faults import FaultKind
from worker.cli.explain import details_of
from worker.domain.events import AiOpener, Attachment, EventTrigger

THREE = "one\ntwo\nthree"


@pytest.fixture
def stopping(make_shop):
    """A shop whose persona withholds the rest."""
    persona = {"api_key": "ft_sk_ava", "interruptions": "stop_rest"}
    return make_shop(
        pacing={"enabled": True, "minimum_seconds": 30, "maximum_seconds": 60, "jitter": 0}, personas={"ava": persona}
    )


@pytest.fixture
def ends(lead, store):
    """How turns ended, as ``parley explain`` shows it."""
    return lambda: [details_of(moment) for moment in store.timeline.of(lead) if moment.word == "answered"]


def test_the_rest_is_withheld_and_listed(stopping, say, ends):
    stopping.producer.enqueue(say(THREE))
    stopping.work(turns=2)
    stopping.producer.enqueue(say("what I also meant"))
    phrases = stopping.work()
    told = "the lead wrote while bubbles went out: 2 of 3 sent; 1 written, not sent"
    assert phrases == [f"answered: {told}", "answered"]
    assert [text for (text,) in stopping.texts()] == ["You said: one", "You said: two", "You said: what I also meant"]
    assert ends() == [f"{told}, events 1", "events 1"]
    assert stopping.fates() == {"answered": 2}


@pytest.fixture
def rung(store):
    """How many doorbells for leads were sent since this was last asked."""

    def count():
        doorbells = store.redis.llen("turns")
        store.redis.delete("turns")
        return doorbells

    return count


def test_the_message_waits_for_no_pause(stopping, say, rung):
    stopping.producer.enqueue(say(THREE))
    assert stopping.run().startswith("held")
    rung()
    stopping.producer.enqueue(say("wait"))
    assert rung() == 1
    assert stopping.run().startswith("answered: the lead wrote while bubbles went out: 1 of 3 sent")
    assert stopping.run().startswith("answered")
    assert [text for (text,) in stopping.texts()] == ["You said: one", "You said: wait"]


def test_neither_does_one_that_came_while_a_bubble_went_out(stopping, say, rung, stand_still):
    stopping.producer.enqueue(say(THREE))
    stopping.run()
    stopping.let_holds_run_out()
    stand_still("after delivery", lambda: stopping.producer.enqueue(say("wait")))
    rung()
    assert stopping.run().startswith("held")
    assert rung() == 1
    assert stopping.run().startswith("answered: the lead wrote while bubbles went out: 2 of 3 sent")


def test_what_interrupts_nothing_leaves_the_pause_as_it_is(stopping, say, store, lead):
    stopping.producer.enqueue(say(THREE))
    stopping.run()
    agenda = store.keys.of(lead).agenda
    due = store.redis.zscore(agenda, lead.name)
    stopping.producer.enqueue(say(kind=EventTrigger, event_type="story_reaction"))
    assert stopping.run().startswith("held")
    assert store.redis.zscore(agenda, lead.name) == due


def test_where_all_is_sent_the_message_waits_for_the_pauses(make_shop, say, rung):
    shop = make_shop(pacing={"enabled": True, "minimum_seconds": 30, "maximum_seconds": 60, "jitter": 0})
    shop.producer.enqueue(say(THREE))
    shop.run()
    rung()
    shop.producer.enqueue(say("wait"))
    assert rung() == 0
    assert shop.run().startswith("held")


def test_a_message_that_came_while_the_persona_was_asked_lets_the_first_bubble_out(stopping, say, stand_still):
    stopping.producer.enqueue(say(THREE))
    stand_still("after ask", lambda: stopping.producer.enqueue(say("wait")))
    stopping.work()
    assert [text for (text,) in stopping.texts()] == ["You said: one", "You said: wait"]


def test_what_came_before_and_was_asked_with_it_is_no_interruption(stopping, say):
    for text in (THREE, "and this"):
        stopping.producer.enqueue(say(text))
    stopping.work()
    assert len(stopping.texts()) == 4
    assert len(stopping.asked()) == 1


def test_further_images_of_the_same_message_are_no_interruption(stopping, say, presigned):
    images = [Attachment(url=presigned), Attachment(url=presigned)]
    stopping.producer.enqueue(say(THREE, attachments=images))
    stopping.run()
    stopping.let_holds_run_out()
    assert stopping.run().startswith("held")
    assert [text for (text,) in stopping.texts()][:2] == ["You said: one", "You said: two"]


@pytest.mark.parametrize("kind", [AiOpener, EventTrigger])
def test_an_event_that_the_lead_did_not_write_interrupts_nothing(stopping, say, kind):
    stopping.producer.enqueue(say(THREE))
    stopping.run()
    event = {"event_type": "story_reaction"} if kind is EventTrigger else {}
    stopping.producer.enqueue(say(kind=kind, **event))
    stopping.work()
    assert [text for (text,) in stopping.texts()][:3] == ["You said: one", "You said: two", "You said: three"]


def test_a_bubble_in_doubt_is_not_sent_again(stopping, say, ends):
    stopping.fail(FaultKind.ACT_THEN_DROP, nth=2, service="captivate")
    stopping.producer.enqueue(say(THREE))
    stopping.work(turns=2)
    stopping.producer.enqueue(say("wait"))
    stopping.work()
    assert [text for (text,) in stopping.texts()] == ["You said: one", "You said: two", "You said: wait"]
    assert ends()[0].startswith(
        "the lead wrote while bubbles went out: 1 of 3 sent; 2 written, not sent, one of these may have arrived"
    )


def test_a_first_bubble_that_failed_is_still_sent(stopping, say):
    stopping.fail(status=503, nth=1, service="captivate")
    stopping.producer.enqueue(say(THREE))
    stopping.run()
    stopping.producer.enqueue(say("hello?"))
    stopping.work()
    assert [text for (text,) in stopping.texts()] == ["You said: one", "You said: hello?"]


def test_a_replayed_message_is_no_interruption(stopping, lead, say, store):
    stopping.fail(status=422, nth=1, service="captivate")
    stopping.producer.enqueue(say("refused"))
    stopping.work()
    (letter,) = store.dead_letters.newest()
    stopping.producer.enqueue(say(THREE))
    stopping.run()
    store.dead_letters.replay(lead, letter.event_id, "append")
    stopping.work()
    assert [text for (text,) in stopping.texts()][:3] == ["You said: one", "You said: two", "You said: three"]


def test_a_worker_that_vanished_then_withholds_once(stopping, say, stand_still, lose_lease_now, store, lead, ends):
    stopping.producer.enqueue(say(THREE))
    stopping.run()
    stopping.producer.enqueue(say("wait"))
    stopping.let_holds_run_out()
    stand_still("before settle", lose_lease_now)
    assert stopping.run().startswith("left")
    stopping.work()
    assert len(stopping.texts()) == 2
    assert ends()[0] == "the lead wrote while bubbles went out: 1 of 3 sent; 2 written, not sent, events 1"
