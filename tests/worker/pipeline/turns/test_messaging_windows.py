"""The windows of platforms: nothing that the lead did not ask for is asked or sent outside of them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from simulation.upstreams.faults import FaultKind, FaultRule
from worker.cli.explain import details_of
from worker.cli.explanation import next_follow_up
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger, FollowUp
from worker.store.conversations.leases import Lease
from worker.store.redis.ahead import advance
from worker.store.views.situation import situation

HOUR = 3600.0
KINDS = {"ai_opener": AiOpener, "event_trigger": EventTrigger, "follow_up": FollowUp}


@pytest.fixture
def on(channel):
    """The channel context of a platform."""

    def make(name):
        inner = {"channelMetadata": {"channel": name}}
        return {**channel, "metadata": {"internal": {"channelMetadata": inner}}}

    return make


@pytest.fixture
def outreach(say):
    """An event that the lead did not ask for."""

    def make(kind, **fields):
        more = {"event_type": "story_reaction"} if kind == "event_trigger" else {}
        return say(kind=KINDS[kind], **more, **fields)

    return make


@pytest.fixture
def ended(lead, store):
    """How turns ended, as ``parley explain`` shows it."""

    def run():
        moments = store.timeline.of(lead)
        return [f"{each.word}: {details_of(each)}" for each in moments if each.word in ("answered", "skipped")]

    return run


@pytest.mark.parametrize("kind", KINDS)
def test_who_never_wrote_is_not_written_to_where_a_window_holds(shop, on, outreach, ended, kind):
    shop.producer.enqueue(outreach(kind, channel=on("whatsapp")))
    shop.work()
    assert shop.asked() == []
    assert ended() == ["skipped: the messaging window of whatsapp is closed, events 1"]


@pytest.mark.parametrize("kind", KINDS)
def test_where_outreach_is_off_nobody_is_written_to(make_shop, on, say, outreach, ended, kind):
    shop = make_shop(messaging_windows={"hours": {"viber": "off"}})
    shop.producer.enqueue(say(channel=on("viber")))
    shop.work()
    shop.producer.enqueue(outreach(kind, channel=on("viber")))
    shop.work()
    assert len(shop.asked()) == 1
    assert ended()[1] == "skipped: outreach is off on viber, events 1"


@pytest.mark.parametrize("kind", ["event_trigger", "follow_up"])
def test_within_the_window_everything_goes_out(shop, on, say, outreach, kind):
    shop.producer.enqueue(say(channel=on("whatsapp")))
    shop.work()
    shop.producer.enqueue(outreach(kind, channel=on("whatsapp")))
    shop.work()
    assert len(shop.texts()) == 2
    assert shop.fates() == {"answered": 2}


def test_an_answer_is_never_held_back(make_shop, on, say):
    shop = make_shop(messaging_windows={"hours": {"whatsapp": "off"}})
    shop.producer.enqueue(say(channel=on("whatsapp")))
    shop.work()
    assert shop.fates() == {"answered": 1}


def test_a_persona_may_have_a_rule_of_its_own(make_shop, on, outreach):
    own = {"api_key": "ft_sk_ava", "messaging_windows": {"hours": {"whatsapp": "none"}}}
    shop = make_shop(messaging_windows={"hours": {"telegram": "off"}}, personas={"ava": own})
    shop.producer.enqueue(outreach("ai_opener", channel=on("whatsapp")))
    shop.work()
    assert len(shop.asked()) == 1
    shop.producer.enqueue(outreach("event_trigger", channel=on("telegram")))
    shop.work()
    assert len(shop.asked()) == 1


@pytest.fixture
def late_world(make_world):
    """A world whose lead wrote on WhatsApp, and whose window is about to close."""

    def make(**overrides):
        world = make_world(follow_ups={"delays_seconds": ()}, messaging_windows={"margin_seconds": 0}, **overrides)
        world.say(name="whatsapp")
        advance(world.store.redis, 24 * HOUR - 1.5)
        return world

    return make


def trigger(world):
    world.producer.enqueue(
        EventTrigger(persona="ava", target="@lead", event_type="story_reaction", channel=world.channel(name="whatsapp"))
    )


def test_what_was_written_before_the_window_closed_is_not_sent_after_it(late_world, monkeypatch, ended, upstreams):
    world = late_world()
    trigger(world)
    # As if the persona had thought for two seconds.
    monkeypatch.setattr(Lease, "now", lambda lease: lease.grant.now + 2000)
    world.parts.turns.run("ava", "@lead")
    assert (
        ended()[1] == "skipped: the messaging window of whatsapp is closed: 0 of 1 sent; 1 written, not sent, events 1"
    )
    assert len(upstreams.deliveries("session-None")) == 1
    assert all(account.unexplained == 0 for account in world.store.books.accounts())


def test_neither_is_what_waits_for_the_channel(late_world, ended, upstreams):
    world = late_world()
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=503, service="captivate", first=1))
    trigger(world)
    world.parts.turns.run("ava", "@lead")
    advance(world.store.redis, 3600)
    world.work()
    assert ended()[1].startswith("skipped: the messaging window of whatsapp is closed: 0 of 1 sent")
    assert len(upstreams.deliveries("session-None")) == 1


@pytest.mark.parametrize(("outside", "expected"), [("skip", 1), ("move_before_end", 2)])
def test_a_month_on_whatsapp_keeps_the_window_and_one_elsewhere_has_the_whole_cadence(make_world, outside, expected):
    world = make_world(messaging_windows={"outside": outside})
    began = world.now()
    world.say(name="whatsapp", target="@w")
    world.say(name="telegram", target="@t")
    world.live(timedelta(days=30))
    touches = world.asked("@w")
    assert len(touches) == expected
    assert all(touch < began + timedelta(hours=24) for touch in touches)
    assert len(world.asked("@t")) == 3
    state = world.store.follow_ups.state_of(Conversation("ava", "@w"))
    now = situation(world.store.redis, world.store.keys, Conversation("ava", "@w"), "custom")
    assert (
        next_follow_up(now, state, world.parts.settings) == "No follow-up: the messaging window of whatsapp is closed."
    )


def test_a_follow_up_that_was_asked_for_too_late_is_dropped_before_the_persona_is_asked(make_world):
    world = make_world(follow_ups={"delays_seconds": ()})
    world.say(name="whatsapp")
    at = world.now() + timedelta(hours=30)
    world.producer.enqueue(FollowUp(persona="ava", target="@lead", not_before=at))
    world.live(timedelta(days=3))
    assert world.asked() == []
    assert world.words("follow-up dropped") == ["window_closed channel=whatsapp"]


def test_the_settings_are_read_from_variables(make_settings):
    rules = make_settings(messaging_windows={"hours": json.dumps({"Telegram": "off", "whatsapp": 12})})
    assert rules.messaging_windows.hours == {"telegram": "off", "whatsapp": 12}
