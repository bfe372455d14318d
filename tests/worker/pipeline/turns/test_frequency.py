"""One lead and several personas: outreach keeps the cap, answers do not count."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from simulation.upstreams.faults import FaultKind, FaultRule
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger, FollowUp
from worker.store.redis.ahead import advance

PERSONAS = {"ava": {"api_key": "ft_sk_ava"}, "bea": {"api_key": "ft_sk_bea"}}
# An opener lives for longer than the day that it may have to wait.
CAPPED = {"frequency": {"per_lead_per_day": 1}, "validity": {"ai_opener_seconds": 2 * 86_400}}
AVA, BEA = Conversation("ava", "@lead"), Conversation("bea", "@lead")


@pytest.fixture
def capped(make_shop):
    """A shop with two personas: one message a day to one lead."""
    return make_shop(personas=PERSONAS, **CAPPED)


@pytest.fixture
def open_to(say):
    """An opener."""
    return lambda persona, **fields: say(kind=AiOpener, persona=persona, **fields)


def test_an_opener_of_the_second_persona_waits_for_the_first_free_moment(capped, open_to):
    for persona in (AVA, BEA):
        capped.producer.enqueue(open_to(persona.persona))
    assert capped.run(AVA).startswith("answered")
    phrase = capped.run(BEA)
    assert phrase.startswith("held for 86")
    assert "the lead has heard enough of all personas for now" in phrase
    assert len(capped.asked()) == 1


def test_one_that_would_be_too_old_by_then_is_skipped_at_once(make_shop, open_to):
    shop = make_shop(personas=PERSONAS, frequency={"per_lead_per_day": 1}, validity={"ai_opener_seconds": 3600})
    for persona in (AVA, BEA):
        shop.producer.enqueue(open_to(persona.persona))
        shop.run(persona)
    assert shop.fates() == {"answered": 1, "skipped": 1}
    assert len(shop.asked()) == 1


def test_a_platform_event_never_waits(capped, open_to, say):
    capped.producer.enqueue(open_to("ava"))
    capped.run(AVA)
    capped.producer.enqueue(say(kind=EventTrigger, persona="bea", event_type="story_reaction"))
    assert capped.run(BEA).startswith("skipped: the lead has heard enough")


def test_answers_neither_count_nor_wait(capped, say, open_to):
    for persona in (AVA, BEA):
        for _ in range(3):
            capped.producer.enqueue(say(persona=persona.persona))
            capped.work(persona)
    assert capped.fates() == {"answered": 6}
    capped.producer.enqueue(say(kind=EventTrigger, event_type="story_reaction"))
    capped.work(AVA)
    assert capped.fates() == {"answered": 7}
    capped.producer.enqueue(say(persona="bea"))
    assert capped.run(BEA).startswith("answered")


@pytest.mark.parametrize("message", [True, False])
def test_one_that_waits_keeps_nothing_from_the_lead(capped, open_to, say, message):
    capped.producer.enqueue(open_to("ava"))
    capped.run(AVA)
    capped.producer.enqueue(open_to("bea"))
    assert capped.run(BEA).startswith("held")
    behind = say(persona="bea") if message else say(kind=EventTrigger, persona="bea", event_type="story_reaction")
    capped.producer.enqueue(behind)
    assert capped.run(BEA).startswith("skipped")
    assert capped.run(BEA).startswith("answered" if message else "skipped")


@pytest.mark.parametrize("status", [503, 422])
def test_what_was_never_sent_is_given_back(capped, open_to, status):
    capped.fail(status=status, first=10, service="fluidtalk", persona="ava")
    for persona in (AVA, BEA):
        capped.producer.enqueue(open_to(persona.persona))
        capped.run(persona)
    assert len(capped.texts()) == 1, "bea has written, because ava has not"


def test_a_delivery_that_the_channel_refuses_is_given_back(capped, open_to):
    capped.fail(status=422, nth=1, service="captivate")
    for persona in (AVA, BEA):
        capped.producer.enqueue(open_to(persona.persona))
        capped.run(persona)
    assert capped.fates() == {"dead": 1, "answered": 1}


def test_a_delivery_that_may_have_arrived_counts(make_shop, open_to):
    holding = {"ava": {"api_key": "ft_sk_ava", "unknown": {"delivery": "hold"}}, "bea": PERSONAS["bea"]}
    shop = make_shop(personas=holding, **CAPPED)
    shop.fail(status=500, nth=1, service="captivate")
    for persona in (AVA, BEA):
        shop.producer.enqueue(open_to(persona.persona))
        shop.run(persona)
    assert len(shop.asked()) == 1
    assert shop.fates() == {"dead": 1, "waiting": 1}


def test_what_waits_for_the_channel_keeps_its_place(capped, open_to):
    capped.fail(status=503, nth=1, service="captivate")
    for persona in (AVA, BEA):
        capped.producer.enqueue(open_to(persona.persona))
    assert capped.run(AVA).startswith("held")
    assert "heard enough" in capped.run(BEA)
    capped.let_holds_run_out()
    assert capped.run(AVA).startswith("answered")


def test_a_month_of_follow_ups_of_two_personas_keeps_the_caps(make_world):
    world = make_world(
        personas=PERSONAS,
        frequency={"per_lead_per_day": 1, "per_lead_per_week": 3},
        follow_ups={"delays_seconds": [3600 * 6] * 30, "jitter": 0},
    )
    for persona in PERSONAS:
        world.say(persona=persona)
        world.parts.turns.run(persona, "@lead")
    world.live(timedelta(days=30))
    replies = [[each.at for each in world.store.timeline.of(one) if each.word == "replied"][1:] for one in (AVA, BEA)]
    moments = sorted(itertools.chain(*replies))
    words = [each.word for one in (AVA, BEA) for each in world.store.timeline.of(one)]
    assert "follow-up moved" in words
    assert "skipped" not in words
    assert len(moments) == len(world.follow_ups_seen())
    assert 10 <= len(moments) <= 15
    assert all(later - earlier >= timedelta(hours=24) for earlier, later in itertools.pairwise(moments))
    assert all(later - earlier >= timedelta(days=7) for earlier, later in zip(moments, moments[3:], strict=False))
    assert all(account.unexplained == 0 for account in world.store.books.accounts())


def test_a_follow_up_that_a_producer_sends_now_keeps_the_cap(capped, say, open_to):
    capped.producer.enqueue(say(persona="bea"))
    capped.work(BEA)
    capped.producer.enqueue(open_to("ava"))
    capped.run(AVA)
    capped.producer.enqueue(say(kind=FollowUp, persona="bea"))
    assert capped.run(BEA).startswith("skipped: the lead has heard enough")


def test_a_follow_up_that_another_cap_holds_back_reserves_nothing(make_world):
    world = make_world(
        personas=PERSONAS,
        frequency={"per_lead_per_day": 1},
        follow_ups={"delays_seconds": [3600], "jitter": 0, "per_hour": 1},
    )
    for target in ("@first", "@lead"):
        world.say(target=target)
    world.live(timedelta(minutes=61))
    assert len(world.follow_ups_seen()) == 1
    kept = [world.store.redis.zcard(world.store.keys.lead_keys(target).told) for target in ("@first", "@lead")]
    assert sorted(kept) == [0, 1]


@pytest.fixture
def slow_world(make_world):
    """The same two personas, with a clock that the test moves. Its channel does not take the first message."""
    world = make_world(personas=PERSONAS, **CAPPED)
    world.upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=503, service="captivate", first=1))
    return world


def open_in(world, conversation):
    """An opener, and a turn of its conversation."""
    channel = world.channel(conversation.persona)
    world.producer.enqueue(AiOpener(persona=conversation.persona, target="@lead", channel=channel, event_id="o"))
    return turn_in(world, conversation)


def turn_in(world, conversation):
    return world.parts.turns.run(*conversation)


def wait(world, **times):
    advance(world.store.redis, timedelta(**times).total_seconds())


def test_what_is_written_keeps_its_place_however_long_the_channel_is_away(slow_world):
    assert open_in(slow_world, AVA).startswith("held")
    wait(slow_world, hours=2)
    assert "heard enough" in open_in(slow_world, BEA)
    assert turn_in(slow_world, AVA).startswith("answered")


def test_what_is_written_keeps_its_place_while_a_person_has_the_conversation(slow_world, stand_still):
    stand_still("after ask", lambda: slow_world.store.takeovers.claim(AVA, "a person"))
    assert open_in(slow_world, AVA).startswith("kept")
    wait(slow_world, hours=2)
    assert "heard enough" in open_in(slow_world, BEA)


def test_what_waited_for_more_than_a_day_gives_way_to_what_went_out_meanwhile(slow_world):
    assert open_in(slow_world, AVA).startswith("held")
    wait(slow_world, hours=25)
    assert open_in(slow_world, BEA).startswith("answered")
    said = "skipped: the lead has heard enough of all personas for now: 0 of 1 sent; 1 written, not sent"
    assert turn_in(slow_world, AVA).startswith(said)
    assert all(account.unexplained == 0 for account in slow_world.store.books.accounts())


def test_what_no_other_message_took_the_place_of_still_goes_out(slow_world):
    assert open_in(slow_world, AVA).startswith("held")
    wait(slow_world, days=8)
    assert turn_in(slow_world, AVA).startswith("answered")
    assert "heard enough" in open_in(slow_world, BEA)
