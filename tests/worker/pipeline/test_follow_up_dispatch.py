"""Next touches that are due become events, or are moved, dropped, missed."""

from __future__ import annotations

import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tests.worker.outreach_gate import stop_outreach
from worker.domain.cadence import Planned, Touch
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, FollowUp
from worker.pipeline.follow_up_dispatch import Dispatch
from worker.store.conversations.inbox import Acceptance
from worker.store.redis.ahead import advance


@pytest.fixture
def make_city(make_store, make_settings, channel):
    """A store whose clock can run ahead, a dispatcher, and leads whose touches are due."""

    def make(**overrides):
        overrides = {"follow_ups": {"delays_seconds": (60, 3600), "jitter": 0}, **overrides}
        store = make_store(ahead=True, **overrides)
        return store, Dispatch(store, make_settings(**overrides))

    return make


@pytest.fixture
def fall_silent(channel):
    """Plan a touch for each target, due after a minute, as a turn's end does."""

    def run(store, targets, persona="ava", channel=channel):
        for target in targets:
            event = FollowUp(persona=persona, target=target, channel=channel)
            store.inbox.accept(event)
            grant = store.steps.begin(Conversation(persona, target), f"token {target}")
            now = store.follow_ups.now()
            planned = Planned(0, now, Touch(now + 60_000, "because"))
            store.steps.settle(grant, "answered", mark="started", follow_up=planned)
        advance(store.redis, 61)

    return run


def waiting(store):
    return sum(account.waiting for account in store.books.accounts())


def words(store, target, persona="ava"):
    return [m.word for m in store.timeline.of(Conversation(persona, target)) if m.word.startswith("follow-up")]


def test_all_that_is_due_becomes_events_in_one_run(make_city, fall_silent):
    store, dispatch = make_city()
    fall_silent(store, [f"@{number}" for number in range(50)])
    assert dispatch.run() == {"accepted": 50}
    assert waiting(store) == 50
    assert dispatch.run().total() == 0


def test_several_dispatchers_make_one_event_of_each_touch(make_city, fall_silent):
    store, dispatch = make_city()
    fall_silent(store, [f"@{number}" for number in range(200)])
    results = []
    threads = [threading.Thread(target=lambda: results.append(dispatch.run())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result["accepted"] for result in results) == 200
    assert waiting(store) == 200


@pytest.mark.parametrize("step", ["accept", "apply", "held_back"])
@pytest.mark.parametrize("after", [True, False])
def test_a_dispatcher_that_dies_at_any_step_leaves_the_rest_to_the_next_one(
    make_city, fall_silent, monkeypatch, step, after
):
    store, dispatch = make_city(follow_ups={"delays_seconds": (60,), "jitter": 0, "per_day": 30})
    fall_silent(store, [f"@{number}" for number in range(50)])
    owner, name = {
        "accept": (store.inbox, "accept_many"),
        "apply": (store.follow_ups, "apply"),
        "held_back": (store.follow_up_caps, "held_back"),
    }[step]
    real = getattr(owner, name)

    def dies(*arguments, **options):
        if after:
            real(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, dies)
        with pytest.raises(KeyboardInterrupt):
            dispatch.run()
    dispatch.run()
    assert waiting(store) == 30
    assert len(store.follow_ups.upcoming(100)) == 20


def test_a_persona_that_is_not_configured_does_not_hold_up_the_others(make_city, make_store, fall_silent):
    store, _ = make_city()
    fall_silent(store, [f"@{number}" for number in range(20)])
    fall_silent(store, ["@one"], persona="bea")
    store, dispatch = make_city(personas={"bea": {"api_key": "ft_sk_bea"}})
    assert dispatch.run() == {"accepted": 1, "moved": 20}
    assert words(store, "@0")[-1] == "follow-up moved"
    assert dispatch.run().total() == 0


@pytest.mark.parametrize("gate", ["paused", "quarantined", "outreach"])
def test_a_closed_gate_keeps_touches_out_of_the_inbox(make_city, fall_silent, gate):
    store, dispatch = make_city()
    fall_silent(store, ["@one"])
    close = {"paused": store.personas.pause, "quarantined": store.personas.quarantine}
    close.get(gate, partial(stop_outreach, store))("ava", "a reason")
    assert dispatch.run() == {"moved": 1}
    assert waiting(store) == 0
    store.personas.open_gate("ava", gate)
    advance(store.redis, 400)
    assert dispatch.run() == {"accepted": 1}


def test_a_touch_waits_until_nothing_else_does(make_city, fall_silent, channel):
    store, dispatch = make_city()
    fall_silent(store, ["@one"])
    store.inbox.accept(FollowUp(persona="ava", target="@one", event_id="in-front"))
    assert dispatch.run() == {"moved": 1}
    grant = store.steps.begin(Conversation("ava", "@one"), "token")
    store.steps.settle(grant, "skipped")
    advance(store.redis, 301)
    assert dispatch.run() == {"accepted": 1}


def test_what_was_asked_for_keeps_its_own_id_and_whole_event(make_city, channel):
    store, dispatch = make_city()
    at = datetime.fromtimestamp(store.follow_ups.now() / 1000, UTC) + timedelta(hours=1)
    event = FollowUp(persona="ava", target="@one", event_id="mine", not_before=at, own_username="me", channel=channel)
    store.follow_ups.schedule(event)
    assert dispatch.run().total() == 0
    advance(store.redis, 3601)
    assert dispatch.run() == {"accepted": 1}
    grant = store.steps.begin(Conversation("ava", "@one"), "token")
    assert grant.head.event_id == "mine"
    assert FollowUp.model_validate_json(grant.head.payload) == event.model_copy(update={"not_before": None})


def test_a_request_whose_id_was_used_in_between_is_dropped(make_city, channel):
    store, dispatch = make_city()
    at = datetime.fromtimestamp(store.follow_ups.now() / 1000, UTC) + timedelta(hours=1)
    event = FollowUp(persona="ava", target="@one", event_id="mine", not_before=at, channel=channel)
    store.follow_ups.schedule(event)
    store.inbox.accept(event.model_copy(update={"not_before": None}))
    store.steps.settle(store.steps.begin(Conversation("ava", "@one"), "token"), "skipped")
    advance(store.redis, 3601)
    assert dispatch.run() == {"dropped": 1}
    assert dispatch.run().total() == 0


def test_a_conversation_that_has_expired_leaves_the_index(make_city, fall_silent):
    store, dispatch = make_city()
    fall_silent(store, ["@one"])
    conversation = Conversation("ava", "@one")
    store.redis.delete(store.keys.of(conversation).conversation(conversation))
    assert dispatch.run() == {"dropped": 1}
    assert store.follow_ups.upcoming(10) == []


def test_a_request_that_cannot_be_read_is_dropped_and_does_not_hold_up_the_others(make_city, channel, fall_silent):
    store, dispatch = make_city()
    conversation = Conversation("ava", "@one")
    at = datetime.fromtimestamp(store.follow_ups.now() / 1000, UTC)
    store.follow_ups.schedule(FollowUp(persona="ava", target="@one", not_before=at, channel=channel))
    store.redis.hset(store.keys.of(conversation).conversation(conversation), "touch_event", "{")
    fall_silent(store, ["@two"])
    assert dispatch.run() == {"accepted": 1, "dropped": 1}


@pytest.mark.parametrize("newer", [{"voice": True}, {"kind": "reminder"}, {"channel": {"thread": "SECRET"}}])
def test_a_request_of_a_newer_release_waits(make_city, channel, newer):
    store, dispatch = make_city()
    conversation = Conversation("ava", "@one")
    at = datetime.fromtimestamp(store.follow_ups.now() / 1000, UTC)
    store.follow_ups.schedule(FollowUp(persona="ava", target="@one", not_before=at, channel=channel))
    key = store.keys.of(conversation).conversation(conversation)
    known = store.redis.hget(key, "touch_event")
    wanted = json.loads(known)
    written = {**wanted, **newer, "channel": {**wanted["channel"], **newer.get("channel", {})}}
    store.redis.hset(key, "touch_event", json.dumps(written))
    assert dispatch.run() == {"moved": 1}
    touch = store.follow_ups.state_of(conversation)
    assert touch.rule.startswith("newer_release text=written by a newer release: an event, ")
    assert "SECRET" not in touch.rule
    store.redis.hset(key, "touch_event", known)
    advance(store.redis, 301)
    assert dispatch.run() == {"accepted": 1}


@pytest.mark.parametrize("asked_for", [True, False, "without a channel"])
def test_a_touch_whose_content_cannot_be_decrypted_waits(make_city, channel, fall_silent, asked_for):
    keys = [{"encryption": {"keys": [base64.b64encode(bytes([number]) * 32).decode()]}} for number in (1, 2)]
    store, dispatch = make_city(**keys[0])
    if asked_for:
        at = datetime.fromtimestamp(store.follow_ups.now() / 1000, UTC)
        store.follow_ups.schedule(FollowUp(persona="ava", target="@one", not_before=at, channel=channel))
        advance(store.redis, 61)
    else:
        fall_silent(store, ["@one"])
    if asked_for == "without a channel":
        key = store.keys.of(Conversation("ava", "@one")).conversation(Conversation("ava", "@one"))
        context = store.redis.hget(key, "channel")
        store.redis.hdel(key, "channel")
    _, without_key = make_city(**keys[1])
    assert without_key.run() == {"moved": 1}
    touch = store.follow_ups.state_of(Conversation("ava", "@one"))
    assert "is not in PARLEY_ENCRYPTION__KEYS" in touch.rule
    if asked_for == "without a channel":
        store.redis.hset(key, "channel", context)
    advance(store.redis, 301)
    assert dispatch.run() == {"accepted": 1}


def test_caps_hold_over_all_runs_and_what_is_over_goes_out_on_the_next_day(make_city, fall_silent):
    store, dispatch = make_city(
        follow_ups={"delays_seconds": (60,), "jitter": 0.1, "per_day": 30, "late_limit_seconds": 86_400}
    )
    fall_silent(store, [f"@{number}" for number in range(50)])
    advance(store.redis, 10)
    counts = dispatch.run()
    assert (counts["accepted"], counts["moved"]) == (30, 20)
    assert dispatch.run().total() == 0
    advance(store.redis, 86_400)
    next_day = dispatch.run()["accepted"]
    # They are spread over the first hour of that day, in which this test may run.
    advance(store.redis, 3_600)
    assert next_day + dispatch.run()["accepted"] == 20


def test_an_hourly_rate_lets_one_go_at_its_moment(make_city, fall_silent):
    store, dispatch = make_city(follow_ups={"delays_seconds": (60,), "jitter": 0, "per_hour": 60})
    fall_silent(store, [f"@{number}" for number in range(5)])
    gone = [dispatch.run()["accepted"]]
    for _ in range(4):
        advance(store.redis, 60.5)
        gone.append(dispatch.run()["accepted"])
    assert gone == [1, 1, 1, 1, 1]


def test_a_run_ends_when_its_time_is_used_up_and_the_next_one_goes_on(make_city, fall_silent, monkeypatch):
    """A campaign that falls due at once must not keep one worker's thread for minutes."""
    monkeypatch.setattr("worker.pipeline.follow_up_dispatch.AT_ONCE", 5)
    monkeypatch.setattr("worker.pipeline.follow_up_dispatch.RUN_SECONDS", 0.0)
    store, dispatch = make_city(agenda={"shards": 1})
    fall_silent(store, [f"@{number}" for number in range(12)])
    assert [dispatch.run()["accepted"] for _ in range(4)] == [5, 5, 2, 0]


@pytest.mark.parametrize("stored", ["", "{", '{"kind": "ai_opener", "persona": "ava", "target": "@one"}'])
def test_a_request_that_is_gone_or_damaged_is_dropped(make_city, channel, stored):
    store, dispatch = make_city()
    at = datetime.fromtimestamp(store.follow_ups.now() / 1000, UTC)
    store.follow_ups.schedule(FollowUp(persona="ava", target="@one", not_before=at, channel=channel))
    conversation = Conversation("ava", "@one")
    store.redis.hset(store.keys.of(conversation).conversation(conversation), "touch_event", stored)
    assert dispatch.run() == {"dropped": 1}
    assert store.timeline.of(conversation)[-1].details == ("event_gone",)


def test_a_touch_behind_another_event_waits(make_city, fall_silent, channel):
    store, dispatch = make_city(limits={"inbox_events": 1})
    fall_silent(store, ["@one"])
    store.inbox.accept(AiOpener(persona="ava", target="@one", channel=channel))
    assert dispatch.run() == {"moved": 1}
    assert store.follow_ups.state_of(Conversation("ava", "@one")).rule == "another event waits"


def test_a_touch_without_a_channel_is_dropped(make_city, fall_silent):
    store, dispatch = make_city()
    fall_silent(store, ["@one"])
    conversation = Conversation("ava", "@one")
    store.redis.hdel(store.keys.of(conversation).conversation(conversation), "channel")
    assert dispatch.run() == {"dropped": 1}
    assert store.timeline.of(conversation)[-1].details == ("channel_missing",)


def test_a_touch_whose_id_another_event_has_is_dropped(make_city, fall_silent, monkeypatch):
    store, dispatch = make_city()
    fall_silent(store, ["@one"])
    monkeypatch.setattr(store.inbox, "accept_many", lambda events, plans: [Acceptance("duplicate", 0)] * len(events))
    assert dispatch.run() == {"dropped": 1}
    assert store.timeline.of(Conversation("ava", "@one"))[-1].details == ("id_taken",)


def test_a_lead_who_has_not_opted_in_gets_no_follow_up_where_only_those_do(make_city, fall_silent):
    store, dispatch = make_city(consent={"outreach": "only_opted_in"})
    store.consents.write(Conversation("ava", "@in"), "in", "kim")
    fall_silent(store, ["@in", "@quiet"])
    assert dispatch.run() == {"accepted": 1, "dropped": 1}
    assert words(store, "@quiet")[-1] == "follow-up dropped"
