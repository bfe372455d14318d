"""A cadence to try: how it is written, and what it would do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.sections import FollowUps, QuietHours
from worker.cli.cadence import Tally, delays, to_try
from worker.cli.ending import Usage
from worker.domain.cadence import DAY_MS, Drop, Move, Policy, TouchState

NOW = 1_800_000_000_000
HOUR_MS = 3_600_000
QUIET = TouchState("ava:@lead", plan=1, quiet_from=NOW - HOUR_MS)
PLANNED = TouchState("ava:@lead", 1, 0, NOW - HOUR_MS, 0, NOW + 3 * HOUR_MS, NOW + 3 * HOUR_MS, "step 1")


def policy(*hours, **quiet):
    return Policy(FollowUps(delays_seconds=[3600 * each for each in hours], jitter=0), QuietHours(**quiet))


@pytest.mark.parametrize(
    ("text", "seconds"), [("4h,1d", (14_400, 86_400)), ("30min, 90s", (1800, 90)), ("1.5h", (5400,)), ("none", ())]
)
def test_silences_are_written_short(text, seconds):
    assert delays(text) == seconds


@pytest.mark.parametrize("text", ["", "4", "h", "4h,", "4 weeks", "-1h"])
def test_what_are_no_silences_is_wrong_usage(text):
    with pytest.raises(Usage, match="are no silences"):
        delays(text)


def test_what_is_tried_takes_the_place_of_what_is_configured():
    configured = policy(4, start="20:00", end="08:00", zone="Europe/Berlin")
    tried = to_try(configured, "1h,2h", "21:00-09:00")
    assert tried.cadence.delays_seconds == (3600, 7200)
    assert (tried.quiet_hours.start, tried.quiet_hours.end, tried.quiet_hours.zone) == (
        "21:00",
        "09:00",
        "Europe/Berlin",
    )
    assert tried.cadence.jitter == 0
    none = to_try(configured, None, "none")
    assert (none.quiet_hours.start == none.quiet_hours.end, none.cadence) == (True, configured.cadence)


@pytest.mark.parametrize("words", [("0h", None), (None, "21-09"), (None, "21:00"), (None, "25:00-09:00")])
def test_what_cannot_be_used_is_wrong_usage(words):
    with pytest.raises(Usage, match="cannot be used"):
        to_try(policy(), *words)


@pytest.mark.parametrize(
    ("state", "hours", "word", "change", "touches"),
    [
        (PLANNED, (4,), "unchanged", None, 1),
        (PLANNED, (2,), "earlier", Move(NOW + HOUR_MS, "cadence_step step=1 of=1 silence=7200"), 1),
        (PLANNED, (6, 6), "later", Move(NOW + 5 * HOUR_MS, "cadence_step step=1 of=2 silence=21600"), 2),
        (PLANNED, (), "dropped", Drop("no_further_step"), 0),
        (QUIET, (4,), "new", Move(NOW + 3 * HOUR_MS, "cadence_step step=1 of=1 silence=14400"), 1),
        (QUIET, (), None, None, 0),
        (PLANNED, (400,), "later", Move(NOW + 399 * HOUR_MS, "cadence_step step=1 of=1 silence=1.44e+06"), 0),
    ],
)
def test_one_conversation_is_counted_by_what_changes(state, hours, word, change, touches):
    tally = Tally()
    assert tally.add(policy(*hours), state, NOW) == change
    assert dict(tally.counts) == ({word: 1} if word else {})
    assert sum(tally.per_day.values()) == touches


def test_touches_are_counted_by_their_day():
    tally = Tally()
    for _ in range(3):
        tally.add(policy(4, 24, 24), PLANNED, NOW)
    today = NOW // DAY_MS
    assert dict(tally.per_day) == {today: 3, today + 1: 3, today + 2: 3}


def test_the_tally_says_which_rule_ends_follow_ups_before_the_cadence_is_over():
    whatsapp = '{"metadata": {"internal": {"channelMetadata": {"channelMetadata": {"channel": "whatsapp"}}}}}'
    tally = Tally()
    for wrote in (NOW - HOUR_MS, NOW - 30 * HOUR_MS):
        tally.add(policy(4, 48), replace(PLANNED, channel=whatsapp, last_inbound=wrote), NOW)
    tally.add(policy(4, 48), PLANNED, NOW)
    assert tally.ends == {"window_closed channel=whatsapp": 2}
    assert tally.counts == {"unchanged": 2, "dropped": 1}
