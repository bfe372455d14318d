"""Until when a channel takes messages that the lead did not ask for, and what that means for follow-ups."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from config.outreach_rules import MessagingWindows
from config.sections import FollowUps, QuietHours
from worker.domain.cadence import Drop, Fire, Move, NoTouch, Policy, TouchState, decide, next_touch, upcoming
from worker.domain.channel_metadata import channel_name
from worker.domain.messaging_windows import messaging_window_of
from worker.domain.vocabulary import Cause

HOUR = 3_600_000
WROTE = 1_800_000_000_000
MARGIN = 900_000
LATEST = WROTE + 24 * HOUR - MARGIN - 300_000


def channel(name):
    return json.dumps({"metadata": {"internal": {"channelMetadata": {"channelMetadata": {"channel": name}}}}})


def window(name, last_inbound=WROTE, conversation="ava:@lead", **rules):
    return messaging_window_of(MessagingWindows(**rules), conversation, channel(name), last_inbound)


def policy(hours=(4, 24, 72), quiet=None, **rules):
    cadence = FollowUps(delays_seconds=[hour * 3600 for hour in hours], jitter=0)
    return Policy(cadence, quiet or QuietHours(), MessagingWindows(**rules))


def state(name="whatsapp", **fields):
    usual = {"conversation": "ava:@lead", "plan": 1, "quiet_from": WROTE, "last_inbound": WROTE}
    return TouchState(**{**usual, "channel": channel(name), **fields})


@pytest.mark.parametrize("name", ["whatsapp", "WhatsApp", " instagram ", "messenger", "FACEBOOK"])
def test_these_platforms_have_a_window_of_a_day_if_nothing_is_set(name):
    assert window(name).closes == WROTE + 24 * HOUR


@pytest.mark.parametrize("name", ["custom-channel", "telegram", "", None, 7, {"a": 1}])
def test_all_others_have_no_limit(name):
    found = window(name, last_inbound=0)
    assert (found.closed_for_asking(WROTE), found.closed_for_sending(10 * WROTE)) == (None, None)


@pytest.mark.parametrize("text", [None, "", "[]", "no json", '{"metadata": 1}', '{"metadata": {"internal": []}}'])
def test_a_context_without_a_readable_name_has_none(text):
    assert channel_name(text) == ""


def test_nothing_is_begun_in_the_margin_but_what_is_written_still_goes_out():
    found = window("whatsapp")
    last = WROTE + 24 * HOUR
    assert found.closed_for_asking(last - MARGIN - 1) is None
    assert found.closed_for_asking(last - MARGIN).cause is Cause.WINDOW_CLOSED
    assert found.closed_for_sending(last - 1) is None
    assert found.closed_for_sending(last).cause is Cause.WINDOW_CLOSED


def test_who_never_wrote_has_no_window():
    assert window("whatsapp", last_inbound=0).closed_for_asking(WROTE) == (Cause.WINDOW_CLOSED, "channel=whatsapp")


def test_off_is_off_at_any_moment():
    found = window("Viber", hours={"viber": "off"})
    assert found.closed_for_asking(WROTE) == (Cause.OUTREACH_OFF_ON_CHANNEL, "channel=viber")
    assert found.closed_for_sending(WROTE).cause is Cause.OUTREACH_OFF_ON_CHANNEL


def test_a_table_may_lift_a_limit_and_change_one():
    rules = {"hours": {"whatsapp": "none", "instagram": "168"}}
    assert window("whatsapp", **rules).closes is None
    assert window("instagram", **rules).closes == WROTE + 168 * HOUR
    assert window("messenger", **rules).closes == WROTE + 24 * HOUR


def test_what_no_table_names_never_stands_in_a_reason():
    assert window("SECRET name", other_channels="off").closed_for_asking(0).detail == "channel=other"


def test_the_platform_of_a_target_counts_where_the_table_does_not_name_the_channel():
    def on(channel, target, **rules):
        return window(channel, conversation=f"ava:{target}", **rules)

    assert on("custom-channel", "instagram/lead").closes is None
    assert on("custom-channel", "instagram/lead", hours={"instagram": 24}).closes == WROTE + 24 * HOUR
    assert on("custom-channel", "whatsapp/49151").off
    assert on("custom-channel", "whatsapp/49151", hours={"whatsapp": 24}).closes == WROTE + 24 * HOUR
    assert on("whatsapp", "telegram/lead").closes == WROTE + 24 * HOUR
    assert on("custom-channel", "telegram/lead").closes is None


@pytest.mark.parametrize(
    "hours", [{"a": 0}, {"a": -1}, {"a": "never"}, {"a": "nan"}, {"a": None}, {"a": True}, {"A": 1, "a ": 2}, {" ": 1}]
)
def test_a_table_that_means_nothing_is_refused(hours):
    with pytest.raises(ValueError, match="hours"):
        MessagingWindows(hours=hours)


def test_a_touch_outside_of_the_window_is_left_out():
    late = state(step=1, quiet_from=WROTE + 4 * HOUR)
    assert next_touch(policy(), late) == NoTouch("window_closed channel=whatsapp")
    assert next_touch(policy(), state()).at == WROTE + 4 * HOUR


def test_or_is_moved_before_its_end():
    late = state(step=1, quiet_from=WROTE + 4 * HOUR)
    touch = next_touch(policy(outside="move_before_end"), late)
    assert touch.at == LATEST
    assert touch.rule.endswith("window=whatsapp")


def test_but_not_close_to_the_message_before_it():
    close = state(step=1, quiet_from=LATEST - HOUR)
    assert isinstance(next_touch(policy(outside="move_before_end"), close), NoTouch)
    moved = next_touch(policy(outside="move_before_end", closest_seconds=3600), close)
    assert moved.at == LATEST


def test_and_not_into_the_night():
    # The window closes at 8:00 UTC, which is night until 9:00.
    night = QuietHours(start="21:00", end="09:00")
    late = state(step=1, quiet_from=WROTE + HOUR)
    touch = next_touch(policy(outside="move_before_end", quiet=night), late)
    clock = touch.at % (24 * HOUR)
    assert clock == 21 * HOUR - 300_000
    assert touch.at < WROTE + 24 * HOUR


def test_what_a_producer_asks_for_is_never_sent_before_its_time():
    asked = state(requested_at=WROTE + 30 * HOUR)
    assert isinstance(next_touch(policy(outside="move_before_end"), asked), NoTouch)


def test_a_planned_touch_whose_window_has_closed_meanwhile_is_dropped():
    planned = state(due=WROTE + 4 * HOUR, meant_for=WROTE + 4 * HOUR)
    assert isinstance(decide(policy(), planned, WROTE + 5 * HOUR), Fire)
    shorter = Policy(policy().cadence, QuietHours(), MessagingWindows(hours={"whatsapp": 4.5}))
    assert decide(shorter, planned, WROTE + 5 * HOUR) == Drop("window_closed channel=whatsapp")


def test_a_touch_that_is_planned_too_late_moves_when_that_is_allowed():
    late = state(step=1, quiet_from=WROTE + 4 * HOUR, due=WROTE + 20 * HOUR, meant_for=WROTE + 28 * HOUR)
    found = decide(policy(outside="move_before_end"), late, WROTE + 20 * HOUR)
    assert isinstance(found, Move)
    assert found.at == LATEST


@pytest.mark.parametrize("outside", ["skip", "move_before_end"])
@pytest.mark.parametrize("hours", [(4, 24, 72), (4, 12), (1, 1, 1, 24), (23.9,), (48,)])
@pytest.mark.parametrize("night", [QuietHours(), QuietHours(start="21:00", end="09:00")])
def test_no_touch_of_a_month_is_outside_of_the_window(outside, hours, night):
    rules = policy(hours=hours, quiet=night, outside=outside)
    first = next_touch(rules, state())
    planned = state(due=first.at, meant_for=first.at) if not isinstance(first, NoTouch) else state()
    outlook = upcoming(rules, planned, WROTE, 30)
    assert all(touch.at < WROTE + 24 * HOUR - MARGIN for touch in outlook.touches)
    assert outlook.ends


@pytest.mark.parametrize("file", ["docs/follow-ups.md", ".env.example"])
def test_the_documented_cadence_fits_into_the_windows_of_the_platforms(file):
    text = (Path(__file__).parents[3] / file).read_text(encoding="utf-8")
    delays = re.search(r"PARLEY_FOLLOW_UPS__DELAYS_SECONDS=\[?([\d, ]+)", text)[1].split(",")
    for number in range(50):
        rules = Policy(FollowUps(delays_seconds=delays), QuietHours(), MessagingWindows())
        silent = state(conversation=f"ava:@{number}")
        planned = state(conversation=silent.conversation, due=next_touch(rules, silent).at)
        assert len(upcoming(rules, planned, WROTE, 30).touches) == len(delays)
