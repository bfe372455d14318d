"""Calls that are longer than a lease, and turns that lose theirs in the middle: each call is made by one turn."""

from __future__ import annotations

import threading
import time

import pytest

from simulation.upstreams.faults import FaultKind
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger, InboundChat
from worker.store import StoreError
from worker.store.conversations.turn_steps import TurnSteps

LEFT = "left to another turn: lease lost"
SHORT = {"lease": {"ttl_seconds": 1.5, "renew_seconds": 0.3}}
WATCHFUL = {"lease": {"ttl_seconds": 6, "renew_seconds": 0.02}}


@pytest.fixture
def mute(make_shop, monkeypatch, upstreams):
    """A shop whose renewals never reach the store. Its leases are short."""

    def away(leases, grants):
        raise StoreError("away")

    with monkeypatch.context() as patch:
        patch.setattr(TurnSteps, "renew", away)
        return make_shop(**SHORT, fluidtalk={"base_url": upstreams.fluidtalk_url, "read_seconds": 30})


@pytest.fixture
def picture(say, presigned):
    """A message that takes a while before the persona is asked."""
    return say("look", attachments=[{"url": presigned}])


def chats(shop):
    return [call for call in shop.asked() if call.path == "/api/v1/bot/chat"]


def test_calls_of_more_than_three_leases_are_made_once(make_shop, say, channel, upstreams, store, lead, eventually):
    """Doorbells come all the time meanwhile, to another process, too."""
    bold = Conversation("ava", "@bold")
    patient = {
        **SHORT,
        "fluidtalk": {"base_url": upstreams.fluidtalk_url, "read_seconds": 30},
        "captivate": {"base_url": upstreams.captivate_url, "read_seconds": 20},
    }
    shop, other = make_shop(**patient), make_shop(**patient)
    shop.fail(FaultKind.DELAY, service="fluidtalk", target="@lead", delay_seconds=5.0)
    shop.fail(FaultKind.DELAY, service="captivate", session_id="session-2", delay_seconds=5.0)
    shop.producer.enqueue(say("slow to answer"))
    shop.producer.enqueue(say("slow to deliver", target="@bold", channel={**channel, "session_id": "session-2"}))
    said, heard = {}, set()
    turns = [threading.Thread(target=lambda one=one: said.update({one: shop.run(one)})) for one in (lead, bold)]
    for turn in turns:
        turn.start()
    for one in (lead, bold):
        key = store.keys.of(one).conversation(one)
        eventually(lambda key=key: store.redis.hexists(key, "owner"), "the turn has begun")
    while any(turn.is_alive() for turn in turns):
        other.parts.upkeep.ring_due()
        heard |= {other.run(lead).split()[0], other.run(bold).split()[0]}
        time.sleep(0.05)
    assert said[lead].startswith("answered")
    assert said[bold].startswith("answered")
    assert heard <= {"busy", "nothing"}
    assert [call.overlaps for call in shop.asked()] == [0, 0]
    assert (shop.texts(), shop.texts("session-2")) == ([["You said: slow to answer"]], [["You said: slow to deliver"]])
    words = [moment.word for one in (lead, bold) for moment in store.timeline.of(one)]
    assert {"second ask", "resent"}.isdisjoint(words)


@pytest.mark.parametrize("point", ["after begin", "after hosting an image"])
def test_a_turn_whose_lease_ran_out_before_the_ask_does_not_ask(mute, make_shop, picture, stand_still, point):
    other = make_shop()
    others = []

    def meanwhile():
        time.sleep(1.6)
        others.append(other.work())

    stand_still(point, meanwhile)
    mute.producer.enqueue(picture)
    assert mute.run().startswith(LEFT)
    assert others == [["answered"]]
    assert len(chats(mute)) == 1
    assert len(mute.texts()) == 1
    assert mute.fates() == {"answered": 1}


def test_a_turn_whose_lease_ran_out_before_the_delivery_does_not_deliver(mute, make_shop, say, stand_still):
    other = make_shop()
    others = []

    def meanwhile():
        time.sleep(1.6)
        others.append(other.work())

    stand_still("after record", meanwhile)
    mute.producer.enqueue(say("a"))
    assert mute.run().startswith(LEFT)
    assert others == [["answered"]]
    assert (len(chats(mute)), mute.texts()) == (1, [["You said: a"]])


def test_an_answer_that_comes_after_the_lease_is_delivered_when_no_other_turn_began(mute, say):
    """Storing it renews the lease."""
    mute.fail(FaultKind.DELAY, service="fluidtalk", delay_seconds=2.0)
    mute.producer.enqueue(say("a"))
    assert mute.run().startswith("answered")
    assert (len(chats(mute)), mute.texts()) == (1, [["You said: a"]])


@pytest.mark.parametrize("point", ["after hosting an image", "after record"])
def test_a_turn_that_hears_that_its_lease_is_lost_starts_no_further_call(
    make_shop, picture, stand_still, store, lead, point, lose_lease_now
):
    """Long before the lease would have run out by its own clock."""
    shop, other = make_shop(**WATCHFUL), make_shop()

    def meanwhile():
        lose_lease_now()
        assert other.work() == ["answered"]
        # Many rounds of renewal.
        time.sleep(0.5)

    stand_still(point, meanwhile)
    shop.producer.enqueue(picture)
    assert shop.run().startswith(LEFT)
    assert (len(chats(shop)), len(shop.texts())) == (1, 1)
    assert shop.fates() == {"answered": 1}


@pytest.mark.parametrize("point", ["after hosting an image", "after record"])
def test_a_turn_that_was_handed_over_starts_no_further_call(make_shop, picture, stand_still, point):
    shop, other = make_shop(), make_shop()
    others = []

    def meanwhile():
        shop.parts.turns.hand_over()
        others.append(other.work())

    stand_still(point, meanwhile)
    shop.producer.enqueue(picture)
    assert shop.run().startswith(LEFT)
    assert others == [["answered"]], "at once, without waiting for the lease"
    assert (len(chats(shop)), len(shop.texts())) == (1, 1)


@pytest.fixture
def lose_lease(shop, make_shop, store, lead, stand_still, lose_lease_now):
    """Let the turn of ``shop`` stand still at a point until another process has done its work."""

    def at(point):
        other, others = make_shop(), []

        def meanwhile():
            lose_lease_now()
            others.extend(other.work())

        stand_still(point, meanwhile)
        return others

    return at


def test_an_answer_that_comes_when_another_turn_has_delivered_is_not_delivered(shop, say, lose_lease):
    others = lose_lease("after ask")
    shop.producer.enqueue(say("a"))
    assert shop.run().startswith(LEFT)
    assert others == ["answered"]
    assert shop.texts() == [["You said: a"]]
    assert shop.fates() == {"answered": 1}


def test_an_end_that_came_too_late_is_not_told_as_the_fate(shop, say, lose_lease, upstreams, counted, caplog):
    """It was refused; the turn that took over asked again and was answered."""
    shop.fail(status=422, nth=1, service="fluidtalk")
    others = lose_lease("before settle")
    shop.producer.enqueue(say("a"))
    assert shop.run().startswith(LEFT)
    assert others == ["answered"]
    assert shop.fates() == {"answered": 1}
    assert "dead letter" not in caplog.text
    assert counted("parley_dead_letters_total", "ava", "persona_refused") == 0
    assert counted("parley_turns_total", "ava", "inbound_chat", "left") == 1
    assert counted("parley_turns_total", "ava", "inbound_chat", "dead") == 0


def test_a_hold_that_came_too_late_holds_nothing(shop, say, lose_lease, counted):
    shop.fail(status=429, nth=1, target="@lead", service="fluidtalk", retry_after_seconds=0)
    others = lose_lease("before hold")
    shop.producer.enqueue(say("a"))
    shop.producer.enqueue(say("b"))
    assert shop.run().startswith(LEFT)
    assert "answered" in others[-1]
    assert counted("parley_holds_total", "ava", "persona_throttled") == 0
    shop.producer.enqueue(say("c"))
    assert shop.work() == ["answered"]


@pytest.mark.parametrize("sends", [1, 3])
def test_a_delivery_that_was_settled_by_another_turn_is_counted_once(shop, say, lose_lease, store, lead, sends):
    lose_lease("before settle")
    for number in range(sends):
        shop.producer.enqueue(say(f"m{number}"))
    assert shop.run().startswith(LEFT)
    assert shop.fates() == {"answered": 1, **({"joined": sends - 1} if sends > 1 else {})}
    keys = {delivery.idempotency_key for delivery in shop.delivered()}
    assert len(keys) == 1, "the channel can tell that it is the same"


def test_the_first_reply_that_was_stored_is_delivered_also_by_a_turn_with_another_one(
    shop, say, store, lead, stand_still, lose_lease_now
):
    """A turn that lost its lease brought it while its heir was asking: the persona may go on from either."""
    shop.producer.enqueue(say("a"))
    stale = store.steps.begin(lead, "a turn that loses its lease")
    lose_lease_now()
    stand_still("after ask", lambda: store.steps.record(stale, '{"bubbles":["the first"]}'))
    assert shop.run().startswith("answered")
    assert shop.texts() == [["the first"]]


@pytest.mark.parametrize("kind", [EventTrigger, AiOpener])
def test_a_turn_that_finds_its_lease_lost_when_it_is_about_to_ask_makes_no_call(shop, say, lose_lease, kind):
    """It had to prepare something between begin and call, and says so to the store first."""
    others = lose_lease("after begin")
    shop.producer.enqueue(say(kind=kind, **({"event_type": "t"} if kind is EventTrigger else {})))
    assert shop.run().startswith(LEFT)
    assert others == ["answered"]
    assert len(chats(shop)) <= 1
    assert len(shop.asked()) == 1


def test_a_turn_that_could_not_send_in_time_holds_its_event(mute, say, stand_still):
    """Nobody else has begun meanwhile, so that the lease is still its own in the store."""
    stand_still("after record", lambda: time.sleep(1.6))
    mute.producer.enqueue(say("a"))
    assert mute.run().startswith(LEFT)
    assert mute.work() == ["answered"]
    assert (len(chats(mute)), mute.texts()) == (1, [["You said: a"]])


@pytest.mark.parametrize("kind", [EventTrigger, InboundChat])
def test_a_turn_that_was_not_in_time_to_ask_makes_no_call_although_nobody_else_has_begun(mute, say, stand_still, kind):
    stand_still("after begin", lambda: time.sleep(1.6))
    mute.producer.enqueue(say(kind=kind, **({"event_type": "t"} if kind is EventTrigger else {})))
    assert mute.run().startswith(LEFT)
    assert mute.asked() == []
    assert mute.work() == ["answered"]
