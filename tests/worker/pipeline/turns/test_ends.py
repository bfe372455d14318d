"""What is not answered, follow-ups, and what nobody may read."""

from __future__ import annotations

import pytest

from simulation.upstreams.faults import FaultKind
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, FollowUp
from worker.pipeline.turns import DeadLetter

# What is not answered


def test_a_sealed_conversation_costs_no_further_call(make_shop, say, upstreams, store):
    persona = {"api_key": "ft_sk_ava", "on_sealed": {"action": "escalate_to_human"}}
    shop = make_shop(personas={"ava": persona})
    upstreams.seal("ava", "@lead")
    shop.producer.enqueue(say("a"))
    shop.work()
    (delivery,) = upstreams.deliveries("session-1")
    assert (delivery.messages, delivery.actions[0]["id"]) == ([], "escalateToHuman")
    shop.producer.enqueue(say("b"))
    shop.producer.enqueue(say(kind=FollowUp))
    shop.work()
    assert len(shop.asked()) == 1
    assert len(upstreams.deliveries("session-1")) == 1
    assert shop.fates() == {"sealed": 3}


def test_a_lead_of_another_account_gets_nothing(shop, say, upstreams, store):
    upstreams.own_elsewhere("ava", "@lead")
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.producer.enqueue(say(kind=AiOpener))
    shop.work()
    assert (shop.texts(), shop.fates(), len(shop.asked())) == ([], {"ignored": 2}, 1)


def test_an_opener_to_a_live_lead_sends_nothing(shop, say, upstreams, store):
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.producer.enqueue(say(kind=AiOpener))
    shop.work()
    assert len(shop.texts()) == 1
    assert shop.fates() == {"answered": 1, "skipped": 1}


def test_an_opener_gives_way_to_a_lead_who_wrote_before_it_ran(shop, say, upstreams, store):
    shop.producer.enqueue(say(kind=AiOpener))
    shop.producer.enqueue(say("me first"))
    shop.work()
    assert shop.texts() == [["You said: me first"]]
    assert shop.fates() == {"answered": 1, "skipped": 1}


def test_a_follow_up_before_any_contact_is_skipped(shop, say, upstreams, store):
    shop.producer.enqueue(say(kind=FollowUp))
    shop.work()
    assert shop.fates() == {"skipped": 1}


def test_a_refusal_is_a_dead_letter_and_the_conversation_goes_on(lead, shop, say, upstreams, store):
    shop.fail(status=422, nth=1, service="fluidtalk", body={"detail": "SECRET words"})
    shop.producer.enqueue(say("a", image_url="https://example.com/a.jpg"))
    shop.producer.enqueue(say("b"))
    shop.work()
    assert shop.texts() == [["You said: b"]]
    assert shop.fates() == {"answered": 1, "dead": 1}
    (letter,) = store.dead_letters.newest()
    assert letter.cause == "persona_refused status=422"
    journal = store.redis.hgetall(store.keys.of(lead).journal(lead, letter.event_id))
    assert "SECRET words" in journal["detail"]


def test_a_dead_letter_is_a_failure_to_those_who_watch_tasks(shop, say, lead, caplog):
    shop.fail(status=422, nth=1, service="fluidtalk")
    shop.producer.enqueue(say("a"))
    with pytest.raises(DeadLetter, match=r"^dead: refused by the persona"):
        shop.parts.turns.run(*lead)
    shop.producer.enqueue(say("b"))
    assert shop.parts.turns.run(*lead).startswith("answered")
    assert [line.message for line in caplog.records if line.levelname == "ERROR"] == ["dead letter: persona_refused"]


@pytest.mark.parametrize("body", [{"error": "none"}, {"reply": True}])
def test_an_answer_of_the_persona_that_cannot_be_read_is_a_dead_letter(shop, say, upstreams, store, body):
    shop.fail(status=200, service="fluidtalk", body=body)
    shop.producer.enqueue(say("a"))
    shop.work()
    assert store.dead_letters.newest()[0].cause == "bad_reply"


def test_on_dead_a_person_is_called(make_shop, say, upstreams, store):
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "on_dead": {"action": "escalate_to_human"}}})
    shop.fail(status=422, service="fluidtalk")
    shop.producer.enqueue(say("a"))
    shop.work()
    assert upstreams.deliveries("session-1")[0].actions[0]["id"] == "escalateToHuman"
    assert shop.fates() == {"dead": 1}


# Follow-ups


def test_the_cadence_goes_on_with_each_delivered_follow_up_and_ends(make_shop, say, upstreams, store):
    shop = make_shop(follow_ups={"delays_seconds": [0.001, 0.001]})
    shop.producer.enqueue(say("a"))
    shop.work()
    for _ in range(4):
        shop.parts.upkeep.plan_follow_ups()
        shop.parts.upkeep.plan_follow_ups()
        shop.work()
    assert [call.action for call in shop.asked()] == [None, "FOLLOW_UP", "FOLLOW_UP"]
    assert shop.fates() == {"answered": 3}


def test_a_lead_who_writes_starts_the_cadence_again(make_shop, say, upstreams, store):
    shop = make_shop(follow_ups={"delays_seconds": [0.001, 3600]})
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.producer.enqueue(say("b"))
    assert shop.parts.upkeep.plan_follow_ups() == 0
    shop.work()
    assert shop.parts.upkeep.plan_follow_ups() == 1


# The shop itself


def test_an_unconfigured_persona_is_said_and_its_events_wait(shop, say, store):
    assert "not configured" in shop.run(Conversation("zoe", "@lead"))


def test_a_turn_that_finds_nothing_leaves_at_once(shop):
    assert shop.run() == "nothing to do"


def test_no_secret_and_no_content_in_logs_phrases_and_timelines(
    lead, make_shop, say, channel, upstreams, store, caplog
):
    caplog.set_level("DEBUG")
    shop = make_shop()
    for kind in (FaultKind.ACT_THEN_DROP, FaultKind.NOT_JSON):
        shop.fail(kind, nth=1, service="fluidtalk")
    shop.fail(status=422, nth=1, service="fluidtalk", body={"detail": "PLANTED detail"})
    shop.fail(status=400, nth=1, service="captivate", body={"detail": "PLANTED detail"})
    metadata = {"internal": {"channelMetadata": {"custom": {"k": "PLANTED"}}}}
    planted = {**channel, "session_id": "PLANTED-session", "metadata": metadata}
    phrases = []
    for _ in range(4):
        shop.producer.enqueue(say("PLANTED words", channel=planted))
        phrases += shop.work()
    shown = caplog.text + repr(phrases) + repr(store.timeline.of(lead)) + repr(store.dead_letters.newest())
    assert "dead" in shown
    assert "PLANTED" not in shown
    assert "ft_sk_" not in shown


@pytest.mark.parametrize("end", ["refused", "sealed"])
def test_a_farewell_that_comes_after_the_lease_was_lost_leaves_the_answer_to_the_holder(
    make_shop, say, lead, store, upstreams, monkeypatch, end
):
    escalates = {"action": "escalate_to_human"}
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "on_dead": escalates, "on_sealed": escalates}})
    if end == "sealed":
        upstreams.seal("ava", "@lead")
    else:
        shop.fail(status=422, service="fluidtalk")
    record, key = shop.parts.store.steps.record, store.keys.of(lead).conversation(lead)

    def late(grant, text, **fields):
        store.redis.hset(key, "lease_until", 1)
        store.steps.begin(lead, "holder")
        return record(grant, text, **fields)

    monkeypatch.setattr(shop.parts.store.steps, "record", late)
    shop.producer.enqueue(say("a", event_id="e1"))
    assert shop.run().startswith("left to another turn")
    assert not store.redis.hexists(store.keys.of(lead).journal(lead, "e1"), "reply")
