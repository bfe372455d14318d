"""Whole weeks of follow-ups in seconds: the real store, dispatcher and turns, a clock that runs ahead, real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from simulation.upstreams.faults import FaultKind, FaultRule
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger, FollowUp
from worker.domain.sentences import of_stored
from worker.store.redis.ahead import advance

HOUR, DAY = 3600.0, 86_400.0
CADENCE = {"delays_seconds": (4 * HOUR, DAY, 3 * DAY)}
NIGHT = {"start": "21:00", "end": "09:00"}
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
LEAD = Conversation("ava", "@lead")


@pytest.mark.parametrize("change", ["2027-03-14", "2027-03-28", "2027-04-04", "2027-10-03", "2027-10-31", "2027-11-07"])
def test_a_week_around_a_change_of_clocks_touches_every_lead_at_each_step_and_never_at_night(make_world, change):
    world = make_world(quiet_hours=NIGHT)
    world.go_to(datetime.fromisoformat(change).replace(hour=7, tzinfo=UTC) - timedelta(days=1))
    for zone in ZONES:
        world.say(zone=zone, target=f"@{zone}")
    world.live(timedelta(days=7))
    for zone in ZONES:
        touches = world.asked(f"@{zone}")
        assert len(touches) == 3, world.store.timeline.of(Conversation("ava", f"@{zone}"))
        for touch in touches:
            assert 9 <= touch.astimezone(ZoneInfo(zone)).hour < 21, (zone, touch)
    assert len(world.follow_ups_seen()) == 3 * len(ZONES)
    assert all(account.unexplained == 0 for account in world.store.books.accounts())


def test_a_night_moves_a_touch_to_its_end_by_the_clock_on_the_leads_wall(make_world):
    world = make_world(quiet_hours=NIGHT)
    world.go_to(datetime(2027, 3, 27, 18, tzinfo=UTC))
    world.say(zone="Europe/Berlin")
    world.live(timedelta(hours=20))
    (touch,) = world.asked()
    # 09:00 in summer time, an hour earlier than on the day before, and within half an hour of it.
    assert datetime(2027, 3, 28, 7, tzinfo=UTC) <= touch < datetime(2027, 3, 28, 7, 31, tzinfo=UTC)
    assert world.words("follow-up planned")[0].endswith(" zone=Europe/Berlin")


def test_a_reply_starts_the_cadence_again(make_world):
    world = make_world()
    world.say()
    world.live(timedelta(hours=5))
    assert len(world.asked()) == 1
    world.say("yes?")
    assert world.words("follow-up dropped") == ["lead_wrote"]
    world.live(timedelta(hours=5))
    assert len(world.asked()) == 2
    assert world.words("follow-up planned")[-1].startswith("cadence_step step=2 of=3 ")


def test_no_lead_gets_more_follow_ups_than_the_limit(make_world):
    world = make_world(follow_ups={**CADENCE, "per_lead": 2})
    world.say()
    world.live(timedelta(days=7))
    assert len(world.asked()) == 2
    world.say("again")
    world.live(timedelta(days=2))
    assert len(world.asked()) == 2


def test_a_week_without_a_beat_releases_no_flood(make_world):
    world = make_world()
    for number in range(20):
        world.say(target=f"@{number}")
    advance(world.store.redis, 7 * DAY)
    world.work()
    assert world.follow_ups_seen() == []
    assert [of_stored(late) for late in world.words("follow-up missed", "@0")] == ["late by 6.8 days"]
    assert all(state.step == 1 for state in world.store.follow_ups.upcoming(100))
    world.live(timedelta(hours=27))
    assert len(world.follow_ups_seen()) == 20


def test_a_paused_persona_touches_nobody_and_goes_on_where_it_was(make_world):
    world = make_world()
    world.say()
    world.store.personas.pause("ava", "lunch")
    world.live(timedelta(hours=6))
    assert world.follow_ups_seen() == []
    assert len([rule for rule in world.words("follow-up moved") if rule == "ava is paused"]) == 1
    world.store.personas.open_gate("ava", "paused")
    world.live(timedelta(minutes=20))
    assert len(world.asked()) == 1


def test_a_follow_up_already_in_the_inbox_waits_for_the_end_of_quiet_hours(make_world):
    world = make_world(quiet_hours=NIGHT)
    world.go_to(datetime(2027, 6, 1, 20, 0, tzinfo=UTC))
    world.say()
    world.go_to(datetime(2027, 6, 1, 20, 59, tzinfo=UTC))
    world.producer.enqueue(FollowUp(persona="ava", target="@lead"))
    world.go_to(datetime(2027, 6, 1, 21, 1, tzinfo=UTC))
    assert "quiet hours" in world.parts.turns.run("ava", "@lead")
    world.live(timedelta(hours=11, minutes=50))
    assert world.follow_ups_seen() == []
    world.live(timedelta(minutes=50))
    assert len(world.follow_ups_seen()) == 1


def test_a_lead_who_writes_at_night_is_answered_before_the_follow_up_that_waits(make_world):
    world = make_world(quiet_hours=NIGHT)
    world.go_to(datetime(2027, 6, 1, 22, 0, tzinfo=UTC))
    world.say()
    world.producer.enqueue(FollowUp(persona="ava", target="@lead"))
    world.parts.turns.run("ava", "@lead")
    world.say("are you there?")
    world.parts.turns.run("ava", "@lead")
    assert world.follow_ups_seen() == []
    assert world.store.inbox.waiting(LEAD) == 0
    account = next(account for account in world.store.books.accounts() if account.persona == "ava")
    assert (account.answered, account.skipped) == (2, 1)


def test_what_happens_on_the_platform_at_night_does_not_wait_behind_a_follow_up(make_world):
    world = make_world(quiet_hours=NIGHT)
    world.go_to(datetime(2027, 6, 1, 22, 0, tzinfo=UTC))
    world.say()
    world.producer.enqueue(FollowUp(persona="ava", target="@lead"))
    world.parts.turns.run("ava", "@lead")
    world.producer.enqueue(EventTrigger(persona="ava", target="@lead", event_type="story_reaction"))
    world.parts.turns.run("ava", "@lead")
    world.parts.turns.run("ava", "@lead")
    assert world.store.inbox.waiting(LEAD) == 0
    assert [call.fields.get("action") for call in world.upstreams.calls() if call.service == "fluidtalk"][-1] != (
        "FOLLOW_UP"
    )


@pytest.mark.parametrize(("keeps", "asked_at_night"), [(True, 0), (False, 1)])
def test_an_opener_keeps_quiet_hours_unless_it_need_not(make_world, channel, keeps, asked_at_night):
    world = make_world(quiet_hours={**NIGHT, "openers": keeps}, follow_ups={})
    world.go_to(datetime(2027, 6, 1, 23, 0, tzinfo=UTC))
    world.producer.enqueue(AiOpener(persona="ava", target="@lead", channel=channel))
    world.live(timedelta(hours=1))
    asked = [call for call in world.upstreams.calls() if call.service == "fluidtalk"]
    assert len(asked) == asked_at_night
    world.live(timedelta(hours=10))
    assert len([call for call in world.upstreams.calls() if call.service == "fluidtalk"]) == 1


def test_an_unknown_outcome_is_not_repeated_and_the_cadence_goes_on(make_world):
    world = make_world()
    world.say()
    world.upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, action="FOLLOW_UP", status=502, first=1))
    world.live(timedelta(hours=5))
    assert len(world.follow_ups_seen()) == 1
    assert world.store.follow_ups.state_of(LEAD).step == 1
    world.live(timedelta(days=1, hours=4))
    assert len(world.follow_ups_seen()) == 2


def test_a_persona_that_does_not_know_the_lead_drops_the_plan(make_world):
    world = make_world()
    world.say()
    world.upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, action="FOLLOW_UP", status=404, first=1))
    world.live(timedelta(hours=5))
    assert len(world.follow_ups_seen()) == 1
    assert world.store.follow_ups.state_of(LEAD).due == 0


def test_a_follow_up_that_was_asked_for_comes_then_and_the_cadence_goes_on_after_it(make_world):
    world = make_world()
    world.say()
    at = world.now() + timedelta(hours=2)
    receipt = world.producer.enqueue(FollowUp(persona="ava", target="@lead", not_before=at, event_id="mine"))
    assert (receipt.status, receipt.position) == ("scheduled", 0)
    world.live(timedelta(hours=3))
    (touch,) = world.asked()
    assert at <= touch <= at + timedelta(seconds=5)
    assert world.producer.enqueue(FollowUp(persona="ava", target="@lead", event_id="mine")).status == "duplicate"
    state = world.store.follow_ups.state_of(LEAD)
    assert (state.step, state.requested_at) == (1, 0)
    assert state.due > 0


def test_a_change_of_policy_applies_by_itself(make_world):
    world = make_world()
    world.say()
    calmer = make_world(follow_ups={"delays_seconds": (2 * DAY,)})
    calmer.live(timedelta(hours=6))
    assert calmer.follow_ups_seen() == []
    assert calmer.words("follow-up moved")[-1] == "cadence_step step=1 of=1 silence=172800"
    calmer.live(timedelta(days=2))
    assert len(calmer.follow_ups_seen()) == 1
