"""When a quiet lead is written to again: the pure rules."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.sections import FollowUps, QuietHours
from worker.domain.cadence import (
    DAY_MS,
    Drop,
    Fire,
    Miss,
    Move,
    NoTouch,
    Policy,
    Touch,
    TouchState,
    after_delivery,
    after_skip,
    decide,
    next_touch,
    replanned,
    upcoming,
)

HOUR_MS = 3_600_000
NOW = int(datetime(2027, 6, 1, 12, tzinfo=UTC).timestamp() * 1000)
NIGHT = QuietHours(start="21:00", end="09:00")


def policy(quiet_hours=None, **cadence):
    usual = {"delays_seconds": (4 * 3600, 86_400, 3 * 86_400), "jitter": 0}
    return Policy(FollowUps(**{**usual, **cadence}), quiet_hours or QuietHours())


def state(**fields):
    return TouchState(**{"conversation": "ava:@lead", "plan": 1, "quiet_from": NOW, "due": NOW + 4 * HOUR_MS, **fields})


@pytest.mark.parametrize(
    ("step", "hours", "rule"),
    [
        (0, 4, "cadence_step step=1 of=3 silence=14400"),
        (1, 24, "cadence_step step=2 of=3 silence=86400"),
        (2, 72, "cadence_step step=3 of=3 silence=259200"),
    ],
)
def test_each_step_has_its_silence_counted_from_the_last_delivery(step, hours, rule):
    assert next_touch(policy(), state(step=step)) == Touch(NOW + hours * HOUR_MS, rule)


@pytest.mark.parametrize(
    ("fields", "cadence", "reason"),
    [
        ({"step": 3}, {}, "cadence_over"),
        ({"touches": 2}, {"per_lead": 2}, "limit_of_lead touches=2 limit=2"),
        ({"over": "already_sealed"}, {}, "already_sealed"),
        ({"quiet_from": 0}, {}, ""),
        ({}, {"delays_seconds": ()}, ""),
    ],
)
def test_there_is_no_next_touch_when_the_policy_says_so(fields, cadence, reason):
    assert next_touch(policy(**cadence), state(**fields)) == NoTouch(reason)


def test_a_lead_whose_zone_must_be_known_is_not_touched():
    rules = NIGHT.model_copy(update={"when_zone_unknown": "do_not_send"})
    assert next_touch(policy(rules), state()) == NoTouch("zone_unknown")


@given(name=st.text(min_size=1), step=st.integers(0, 2), jitter=st.floats(0, 1))
def test_jitter_only_delays_within_its_share_and_is_the_same_every_time(name, step, jitter):
    rules, one = policy(jitter=jitter), state(conversation=f"ava:{name}", step=step)
    delay_ms = rules.cadence.delays_seconds[step] * 1000
    touch = next_touch(rules, one)
    assert NOW + delay_ms <= touch.at <= NOW + delay_ms * (1 + jitter)
    assert next_touch(rules, replace(one, plan=99, due=1)) == touch


def test_jitter_spreads_leads_who_fell_silent_together():
    rules = policy(jitter=0.1)
    moments = sorted(next_touch(rules, state(conversation=f"ava:{n}")).at for n in range(1000))
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert moments[-1] - moments[0] > 0.95 * 0.1 * 4 * HOUR_MS
    assert max(gaps) < 20_000


def test_a_touch_in_quiet_hours_moves_to_their_end_and_not_all_to_its_first_second():
    rules = policy(NIGHT, jitter=0.1)
    ends = NOW + 21 * HOUR_MS
    moments = {next_touch(rules, state(quiet_from=NOW + 6 * HOUR_MS, conversation=f"ava:{n}")).at for n in range(100)}
    assert len(moments) > 90
    assert all(ends <= at < ends + HOUR_MS / 2 for at in moments)
    assert next_touch(rules, state(quiet_from=NOW + 6 * HOUR_MS)).rule.endswith(" zone=UTC")


def test_what_was_asked_for_comes_when_it_was_asked_for_whatever_the_cadence():
    rules, asked_for = policy(delays_seconds=()), state(requested_at=NOW + 60_000, quiet_from=0)
    assert next_touch(rules, asked_for) == Touch(NOW + 60_000, "asked_for")
    assert next_touch(policy(per_lead=1), replace(asked_for, touches=1)) == NoTouch("limit_of_lead touches=1 limit=1")


def test_a_due_touch_fires():
    assert decide(policy(), state(), NOW + 4 * HOUR_MS) == Fire()


def test_a_change_of_policy_moves_or_drops_a_touch_when_it_is_due():
    at = NOW + 4 * HOUR_MS
    assert decide(policy(delays_seconds=(8 * 3600,)), state(), at) == Move(
        NOW + 8 * HOUR_MS, "cadence_step step=1 of=1 silence=28800"
    )
    assert decide(policy(delays_seconds=()), state(), at) == Drop("no_further_step")


def test_a_touch_that_is_looked_at_in_quiet_hours_moves_to_their_end_though_it_was_meant_for_the_day():
    evening = NOW + 9 * HOUR_MS + 1000
    late = state(quiet_from=NOW + 5 * HOUR_MS - 1000)
    moved = decide(policy(NIGHT), late, evening)
    assert isinstance(moved, Move)
    assert moved.meant
    assert moved.at == NOW + 21 * HOUR_MS


def test_what_is_too_late_is_missed_and_the_next_step_counts_from_now():
    late = NOW + 11 * HOUR_MS
    missed = decide(policy(), state(), late)
    assert missed == Miss("touch_late seconds=25200", after_skip(policy(), state(), late))
    assert (missed.planned.step, missed.planned.quiet_from) == (1, late)
    assert missed.planned.then == Touch(late + DAY_MS, "cadence_step step=2 of=3 silence=86400")


def test_lateness_counts_from_where_the_policy_moved_it():
    assert decide(policy(), state(meant_for=NOW + 20 * HOUR_MS), NOW + 25 * HOUR_MS) == Fire()


def test_a_lead_who_only_ever_had_a_request_gets_no_cadence_when_that_is_missed():
    missed = decide(policy(), state(quiet_from=0, requested_at=NOW), NOW + 7 * HOUR_MS)
    assert missed.planned.then == NoTouch("")


@pytest.mark.parametrize("kind", ["inbound_chat", "ai_opener", "event_trigger"])
def test_any_other_reply_starts_the_cadence_again(kind):
    planned = after_delivery(policy(), state(step=2), kind, NOW)
    assert (planned.step, planned.then.at) == (0, NOW + 4 * HOUR_MS)


def test_a_delivered_follow_up_moves_on_to_the_next_step():
    planned = after_delivery(policy(), state(step=0), "follow_up", NOW)
    assert (planned.step, planned.then.at) == (1, NOW + DAY_MS)
    assert after_delivery(policy(), state(step=2), "follow_up", NOW).then == NoTouch("cadence_over")


def test_the_next_week_of_a_lead_is_what_the_policy_will_do():
    outlook = upcoming(policy(NIGHT), state(), NOW, days=7)
    assert [touch.at for touch in outlook.touches] == [
        NOW + 4 * HOUR_MS,
        NOW + 28 * HOUR_MS,
        NOW + 100 * HOUR_MS,
    ]
    assert outlook.ends == "cadence_over"


def test_the_outlook_skips_what_the_policy_skips():
    assert len(upcoming(policy(per_lead=2), state(), NOW, days=7).touches) == 2
    assert upcoming(policy(per_lead=2), state(), NOW, days=7).ends == "limit_of_lead touches=2 limit=2"
    assert upcoming(policy(), state(), NOW, days=2).ends == ""
    assert len(upcoming(policy(), state(), NOW, days=2).touches) == 2
    assert upcoming(policy(), state(due=0), NOW, days=7).ends == "none_planned"
    late = upcoming(policy(), state(), NOW + 11 * HOUR_MS, days=7)
    assert [touch.at for touch in late.touches] == [NOW + 35 * HOUR_MS, NOW + 107 * HOUR_MS]


@given(
    delays=st.lists(st.floats(60, 3 * 86_400), max_size=6),
    jitter=st.floats(0, 1),
    start=st.integers(0, 23),
    length=st.integers(0, 20),
    hour=st.integers(0, 200),
)
def test_no_outlook_has_a_touch_at_night_or_out_of_order(delays, jitter, start, length, hour):
    quiet = QuietHours(start=f"{start:02d}:00", end=f"{(start + length) % 24:02d}:00", zone="Europe/Berlin")
    rules = policy(quiet, delays_seconds=delays, jitter=jitter)
    first = state(quiet_from=NOW + hour * HOUR_MS, due=NOW + hour * HOUR_MS)
    touches = upcoming(rules, first, NOW, days=30).touches
    assert [touch.at for touch in touches] == sorted(touch.at for touch in touches)
    for touch in touches:
        assert decide(rules, replace(first, requested_at=touch.at), touch.at) == Fire()


def test_a_change_of_policy_over_conversations_as_they_stand():
    planned = state(meant_for=NOW + 4 * HOUR_MS)
    assert replanned(policy(), planned, NOW) is None
    sooner = policy(delays_seconds=(3600,))
    assert replanned(sooner, planned, NOW) == Move(NOW + HOUR_MS, "cadence_step step=1 of=1 silence=3600")
    assert replanned(sooner, planned, NOW + 2 * HOUR_MS).at == NOW + 2 * HOUR_MS
    assert replanned(policy(delays_seconds=()), planned, NOW) == Drop("no_further_step")
    assert replanned(policy(), state(due=0), NOW) == Move(NOW + 4 * HOUR_MS, "cadence_step step=1 of=3 silence=14400")
    assert replanned(policy(), state(due=0, step=3), NOW) is None


def test_an_outlook_ends_somewhere():
    dense = policy(delays_seconds=[60] * 1500)
    outlook = upcoming(dense, state(due=NOW + 60_000), NOW, days=7)
    assert (len(outlook.touches), outlook.ends) == (1000, "")
