"""A lead opts out: nothing that the lead did not ask for is asked or sent any more."""

from __future__ import annotations

import pytest

from simulation.upstreams.faults import FaultKind
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger, FollowUp
from worker.domain.refusals import InboxFull, MissingChannel
from worker.domain.reply import Reply
from worker.pipeline.producer import Producer

PACED = {"enabled": True, "minimum_seconds": 30, "maximum_seconds": 60, "jitter": 0}
OUTREACH = [AiOpener, EventTrigger, FollowUp]


@pytest.fixture
def outreach(say):
    """An event of one of the kinds that need consent."""

    def make(kind, **fields):
        return say(kind=kind, **({"event_type": "story_reaction"} if kind is EventTrigger else {}), **fields)

    return make


@pytest.fixture
def shop_with(make_shop):
    """A shop, and its producer, with these rules about consent."""

    def make(consent, **overrides):
        shop = make_shop(consent=consent, **overrides)
        shop.producer = Producer(shop.parts.settings, store=shop.parts.store)
        return shop

    return make


@pytest.fixture
def journal(store, lead):
    return lambda event_id: store.redis.hgetall(store.keys.of(lead).journal(lead, event_id))


@pytest.fixture
def timeline(store, lead):
    return lambda: [(moment.word, *moment.details) for moment in store.timeline.of(lead)]


def test_the_persona_is_not_asked_for_a_word_that_opts_out(shop, say, timeline):
    shop.producer.enqueue(say("  STOP! "))
    assert shop.work() == ["skipped: the lead opted out"]
    assert shop.asked() == []
    assert shop.texts() == []
    assert ("opted out", "lead") in timeline()
    assert shop.fates() == {"skipped": 1}


@pytest.mark.parametrize("kind", OUTREACH)
def test_outreach_that_comes_afterwards_is_skipped_and_later_messages_are_answered(shop, say, outreach, kind):
    shop.producer.enqueue(say("stop"))
    shop.work()
    shop.producer.enqueue(outreach(kind))
    assert shop.work() == ["skipped: the lead opted out"]
    shop.producer.enqueue(say("one more question"))
    assert shop.work() == ["answered"]
    assert len(shop.asked()) == 1


@pytest.mark.parametrize("kind", OUTREACH)
def test_outreach_that_waited_already_is_skipped(shop, say, outreach, kind):
    shop.producer.enqueue(outreach(kind))
    shop.producer.enqueue(say("stop"))
    assert shop.work() == ["skipped: the lead opted out"] * 2
    assert shop.asked() == []


@pytest.mark.parametrize("kind", OUTREACH)
def test_no_call_begins_after_the_word_was_accepted(shop, say, outreach, kind, stand_still):
    # It is accepted between begin and the call.
    stand_still("after begin", lambda: shop.producer.enqueue(say("stop")))
    shop.producer.enqueue(outreach(kind))
    assert shop.work() == ["skipped: the lead opted out"] * 2
    assert shop.asked() == []


@pytest.mark.parametrize("kind", OUTREACH)
def test_an_answer_in_hand_to_outreach_does_not_go_out(shop, say, outreach, kind, stand_still, journal, timeline):
    if kind is FollowUp:
        shop.producer.enqueue(say("hello"))
        shop.work()
    asked = len(shop.asked())
    stand_still("after ask", lambda: shop.producer.enqueue(say("stop")))
    delivered = len(shop.texts())
    shop.producer.enqueue(outreach(kind, event_id="e"))
    phrases = shop.work()
    assert len(shop.asked()) == asked + 1
    assert len(shop.texts()) == delivered
    assert phrases[0] == "skipped: the lead opted out; written, not sent: 1"
    assert journal("e")["fate"] == "skipped"
    assert ("skipped", "opted_out withheld=1", 1) in timeline()


def test_the_answer_to_the_lead_s_own_words_still_goes_out(shop, say, stand_still):
    stand_still("after ask", lambda: shop.producer.enqueue(say("stop")))
    shop.producer.enqueue(say("what does it cost?"))
    assert shop.work() == ["answered", "skipped: the lead opted out"]
    assert len(shop.texts()) == 1


def test_no_further_bubble_of_outreach_begins(shop, say, outreach, store, lead, journal, timeline):
    shop.producer.enqueue(outreach(EventTrigger, event_id="e"))
    grant = store.steps.begin(lead, "t")
    store.steps.record(grant, Reply(bubbles=("a", "b", "c"), pauses=(30.0, 30.0)).to_json())
    store.steps.hold(grant, 30, "pacing", unknown=False, bubbles_sent=1)
    shop.producer.enqueue(say("stop"))
    shop.let_holds_run_out()
    assert shop.run().startswith("skipped: the lead opted out; written, not sent: 2; bubbles delivered before: 1")
    assert "sending" not in [word for word, *_ in timeline()]
    assert journal("e")["reason"] == "opted_out withheld=2 bubbles=1"
    assert shop.texts() == []


def test_a_lead_who_starts_again_gets_outreach_again_and_an_answer(shop, say, outreach, timeline):
    for text in ("stop", "START"):
        shop.producer.enqueue(say(text))
    assert shop.work() == ["skipped: the lead opted out", "answered"]
    shop.producer.enqueue(outreach(AiOpener))
    assert shop.work() != ["skipped: the lead opted out"]
    assert ("opted in", "lead") in timeline()


def test_a_lead_who_did_not_opt_out_may_say_start(shop, say, timeline):
    shop.producer.enqueue(say("start"))
    assert shop.work() == ["answered"]
    assert "opted in" not in [each[0] for each in timeline()]


def test_a_word_is_joined_with_nothing(make_shop, say):
    shop = make_shop(join={"settle_seconds": 0, "max_events": 10})
    for text in ("hello", "there", "stop", "and", "more"):
        shop.producer.enqueue(say(text))
    assert shop.work() == ["answered, joined 1", "skipped: the lead opted out", "answered, joined 1"]


def test_the_same_word_again_is_a_duplicate_that_changes_nothing(shop, say, store, lead, outreach):
    stop = say("stop", event_id="s")
    shop.producer.enqueue(stop)
    shop.producer.enqueue(say("start"))
    assert shop.producer.enqueue(stop).status == "duplicate"
    shop.work()
    assert store.redis.hget(store.keys.of(lead).conversation(lead), "consent") == "in"


def test_images_of_the_message_are_not_asked_about_either(shop, say, upstreams):
    attachments = [{"url": f"{upstreams.captivate_url}/{number}.png"} for number in range(3)]
    shop.producer.enqueue(say("stop", attachments=attachments))
    assert shop.work() == ["skipped: the lead opted out"] * 3
    assert shop.asked() == []


# --- the confirmation -------------------------------------------------------------------------------------------------


def test_one_confirmation_goes_out_for_a_lead_who_has_just_opted_out(shop_with, say):
    shop = shop_with({"confirmation": "You get no more messages."}, pacing=PACED)
    for text in ("stop", "stop", "STOP ALL"):
        shop.producer.enqueue(say(text))
    assert shop.work() == ["skipped: the lead opted out"] * 3
    assert shop.texts() == [["You get no more messages."]]
    assert shop.asked() == []
    assert shop.fates() == {"skipped": 3}


def test_a_lead_who_opts_in_again_at_once_gets_no_confirmation(shop_with, say):
    shop = shop_with({"confirmation": "You get no more messages."})
    for text in ("stop", "start"):
        shop.producer.enqueue(say(text))
    shop.work()
    assert ["You get no more messages."] not in shop.texts()


def test_a_confirmation_goes_out_when_later_messages_get_silence(shop_with, say):
    shop = shop_with({"confirmation": "Bye.", "later_messages": "silence"})
    for text in ("stop", "hello?"):
        shop.producer.enqueue(say(text))
    assert shop.work() == ["skipped: the lead opted out"] * 2
    assert shop.texts() == [["Bye."]]


def test_a_confirmation_that_the_channel_refuses_leaves_no_dead_letter(shop_with, say):
    shop = shop_with({"confirmation": "Bye."})
    shop.fail(service="captivate", status=400)
    shop.producer.enqueue(say("stop"))
    assert shop.work() == ["skipped: the lead opted out"]
    assert shop.fates() == {"skipped": 1}


def test_a_confirmation_waits_for_no_gate_of_the_persona(shop_with, say, store):
    shop = shop_with({"confirmation": "Bye."})
    store.personas.pause("ava", "a test")
    shop.producer.enqueue(say("stop"))
    assert shop.work() == ["skipped: the lead opted out"]
    assert shop.texts() == [["Bye."]]


def test_a_lost_turn_sends_the_confirmation_once(shop_with, say, stand_still, lose_lease_now):
    shop = shop_with({"confirmation": "Bye."})
    shop.producer.enqueue(say("stop"))
    stand_still("after record", lose_lease_now)
    shop.work()
    assert len({delivery.idempotency_key for delivery in shop.delivered()}) == 1


@pytest.fixture
def small_shop(shop_with):
    """A shop that confirms, with room for one event, which it has."""
    return shop_with({"confirmation": "Bye."}, limits={"inbox_events": 1})


def test_a_word_that_was_refused_as_full_and_is_sent_again_is_confirmed_once(small_shop, say):
    stop = say("stop", event_id="s")
    small_shop.producer.enqueue(say("hello"))
    for _ in range(2):
        with pytest.raises(InboxFull):
            small_shop.producer.enqueue(stop)
    small_shop.work()
    assert small_shop.producer.enqueue(stop).status == "accepted"
    assert small_shop.producer.enqueue(stop).status == "duplicate"
    small_shop.work()
    small_shop.producer.enqueue(say("STOP"))
    small_shop.work()
    assert [text for (text,) in small_shop.texts()] == ["You said: hello", "Bye."]


def test_another_word_brings_the_confirmation_of_one_that_was_refused(small_shop, say):
    small_shop.producer.enqueue(say("hello"))
    with pytest.raises(InboxFull):
        small_shop.producer.enqueue(say("stop", event_id="s"))
    small_shop.work()
    for event_id in ("t", "s"):
        small_shop.producer.enqueue(say("stop!", event_id=event_id))
        small_shop.work()
    assert [text for (text,) in small_shop.texts()] == ["You said: hello", "Bye."]


def test_a_word_that_was_refused_without_a_channel_and_comes_with_one_is_confirmed(shop_with, say):
    shop = shop_with({"confirmation": "Bye."})
    with pytest.raises(MissingChannel):
        shop.producer.enqueue(say("stop", event_id="s", channel=None))
    shop.producer.enqueue(say("stop", event_id="s"))
    shop.work()
    assert shop.texts() == [["Bye."]]


def test_each_opt_out_has_its_own_confirmation(shop_with, say):
    shop = shop_with({"confirmation": "Bye."})
    for text in ("stop", "start", "stop", "stop"):
        shop.producer.enqueue(say(text))
        shop.work()
    assert [text for (text,) in shop.texts()] == ["Bye.", "You said: start", "Bye."]


def test_who_was_put_on_the_list_gets_no_confirmation(shop_with, say, store, lead):
    shop = shop_with({"confirmation": "Bye."})
    store.consents.write(lead, "out", "kim: called us")
    shop.producer.enqueue(say("stop"))
    shop.work()
    assert shop.texts() == []


# --- policies ---------------------------------------------------------------------------------------------------------


def test_silence_is_silence_also_for_an_answer_in_hand(shop_with, say, stand_still):
    shop = shop_with({"later_messages": "silence"})
    stand_still("after ask", lambda: shop.producer.enqueue(say("stop")))
    shop.producer.enqueue(say("hello"))
    assert shop.work() == ["skipped: the lead opted out; written, not sent: 1", "skipped: the lead opted out"]
    shop.producer.enqueue(say("hello?"))
    assert shop.work() == ["skipped: the lead opted out"]
    assert shop.texts() == []


@pytest.mark.parametrize("kind", OUTREACH)
def test_only_who_opted_in_gets_outreach(shop_with, say, outreach, kind):
    shop = shop_with({"outreach": "only_opted_in"})
    shop.producer.enqueue(outreach(kind))
    assert shop.work() == ["skipped: the lead has not opted in"]
    shop.producer.enqueue(say("subscribe"))
    assert shop.work() == ["answered"]
    shop.producer.enqueue(outreach(kind))
    assert not shop.work()[0].startswith("skipped: the lead has")
    shop.producer.enqueue(say("stop"))
    shop.producer.enqueue(outreach(kind))
    assert shop.work() == ["skipped: the lead opted out"] * 2


def test_off_a_word_is_a_message(shop_with, say):
    shop = shop_with({"enabled": False})
    shop.producer.enqueue(say("stop"))
    assert shop.work() == ["answered"]


def test_a_persona_has_words_of_its_own(make_shop, say):
    own = {"api_key": "ft_sk_ava", "consent": {"more_stop_words": ["leave me"]}}
    personas = {"ava": own, "bea": {"api_key": "ft_sk_bea"}}
    shop = make_shop(personas=personas)
    shop.producer = Producer(shop.parts.settings, store=shop.parts.store)
    for persona in ("ava", "bea"):
        shop.producer.enqueue(say("Leave me!", persona=persona))
    assert shop.work() == ["skipped: the lead opted out"]
    assert shop.work(Conversation("bea", "@lead")) == ["answered"]


# --- refused events ---------------------------------------------------------------------------------------------------


def test_it_counts_also_when_no_room_is_left(make_shop, say, outreach):
    shop = make_shop(limits={"inbox_events": 1})
    shop.producer = Producer(shop.parts.settings, store=shop.parts.store)
    shop.producer.enqueue(outreach(EventTrigger))
    with pytest.raises(InboxFull):
        shop.producer.enqueue(say("stop"))
    assert shop.work() == ["skipped: the lead opted out"]


def test_it_counts_also_behind_another_event_that_finds_no_room(make_shop, say, outreach):
    shop = make_shop(limits={"inbox_events": 1})
    shop.producer = Producer(shop.parts.settings, store=shop.parts.store)
    shop.producer.enqueue(outreach(EventTrigger))
    answers = shop.producer.enqueue_many([say("hello"), say("stop")])
    assert [type(answer) for answer in answers] == [InboxFull] * 2
    assert shop.work() == ["skipped: the lead opted out"]


def test_it_counts_also_without_a_channel(shop, say, outreach, store, lead):
    with pytest.raises(MissingChannel):
        shop.producer.enqueue(say("stop", channel=None))
    assert store.redis.exists(store.keys.of(lead).conversation(lead)) == 0
    assert store.redis.pttl(store.keys.of(lead).timeline(lead)) > 0
    shop.producer.enqueue(outreach(AiOpener))
    assert shop.work() == ["skipped: the lead opted out"]


def test_it_counts_also_when_a_celery_producer_sends_it(shop, say, outreach):
    shop.parts.intake.accept(say("stop").model_dump(mode="json"), "m-1")
    shop.parts.intake.accept(outreach(AiOpener).model_dump(mode="json"), "m-2")
    assert shop.work() == ["skipped: the lead opted out"] * 2


# --- follow-ups -------------------------------------------------------------------------------------------------------


def test_a_planned_follow_up_is_dropped_and_none_is_planned_any_more(make_shop, say, store, lead, timeline):
    shop = make_shop(follow_ups={"delays_seconds": [3600]})
    shop.producer.enqueue(say("hello"))
    shop.work()
    assert store.follow_ups.state_of(lead).due
    shop.producer.enqueue(say("stop"))
    assert not store.follow_ups.state_of(lead).due
    assert ("follow-up dropped", "opted_out") in timeline()
    shop.producer.enqueue(say("one more question"))
    assert shop.work() == ["skipped: the lead opted out", "answered"]
    assert not store.follow_ups.state_of(lead).due
    shop.producer.enqueue(say("start"))
    shop.work()
    assert store.follow_ups.state_of(lead).due


def test_none_is_planned_by_a_turn_that_had_begun_before(make_shop, say, store, lead, stand_still):
    shop = make_shop(follow_ups={"delays_seconds": [3600]}, limits={"inbox_events": 1})
    shop.producer = Producer(shop.parts.settings, store=shop.parts.store)
    shop.producer.enqueue(say("hello"))

    def stop():
        with pytest.raises(InboxFull):
            shop.producer.enqueue(say("stop"))

    stand_still("after ask", stop)
    assert shop.work() == ["answered"]
    assert not store.follow_ups.state_of(lead).due
    assert store.redis.pttl(store.keys.of(lead).conversation(lead)) == -1


def test_a_follow_up_that_a_producer_schedules_is_not_dispatched(shop, say, store, lead, timeline):
    shop.producer.enqueue(say("stop"))
    shop.work()
    shop.producer.enqueue(say(kind=FollowUp, not_before="2020-01-01T00:00:00Z"))
    assert shop.parts.upkeep.plan_follow_ups() == 0
    assert timeline()[-1] == ("follow-up dropped", "opted_out")


def test_a_conversation_that_opted_out_does_not_expire(shop, say, store, lead):
    shop.producer.enqueue(say("hello"))
    shop.work()
    key = store.keys.of(lead).conversation(lead)
    assert store.redis.pttl(key) > 0
    shop.producer.enqueue(say("stop"))
    shop.work()
    assert store.redis.pttl(key) == -1


def test_what_was_said_outlives_the_state_of_the_conversation(shop, say, outreach, store, lead):
    # As a worker of 0.1.0 lets it expire, which does not know of consent.
    shop.producer.enqueue(say("stop"))
    shop.work()
    store.redis.delete(store.keys.of(lead).conversation(lead))
    shop.producer.enqueue(outreach(AiOpener))
    assert shop.work() == ["skipped: the lead opted out"]


def test_it_counts_also_in_a_conversation_that_0_1_0_began(shop, say, outreach, store, lead):
    # Its producer neither counts events nor looks at what the lead has said.
    with pytest.raises(MissingChannel):
        shop.producer.enqueue(say("stop", channel=None))
    shop.producer.enqueue(outreach(AiOpener))
    assert store.redis.hdel(store.keys.of(lead).conversation(lead), "seq", "consent") == 2
    assert shop.work() == ["skipped: the lead opted out"]


def test_an_answer_that_never_arrived_is_not_sent_again(shop, say, outreach):
    shop.producer.enqueue(say("hello"))
    shop.work()
    shop.fail(FaultKind.ANSWER, service="captivate", status=503)
    shop.producer.enqueue(outreach(EventTrigger))
    shop.run()
    shop.producer.enqueue(say("stop"))
    shop.let_holds_run_out()
    assert shop.run().startswith("skipped: the lead opted out; written, not sent: 1")
