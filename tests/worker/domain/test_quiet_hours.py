"""Quiet hours by the clock on the wall: against a minute-by-minute look at that clock."""

from __future__ import annotations

import json
import zoneinfo
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from config.sections import QuietHours
from config.zones import name_of
from worker.domain.quiet_hours import Window, ZoneUnknown, lead_zone, window_of, zone_unreadable

MINUTE = 60_000
# Clocks forward and back, by an hour and by half an hour, and a zone that never changes.
CHANGES = [
    ("Europe/Berlin", "2027-03-28"),
    ("Europe/Berlin", "2027-10-31"),
    ("America/New_York", "2027-03-14"),
    ("America/New_York", "2027-11-07"),
    ("Australia/Lord_Howe", "2027-04-04"),
    ("Australia/Lord_Howe", "2027-10-03"),
    ("Asia/Kolkata", "2027-03-28"),
]
CHANNEL = '{"session_id": "s", "metadata": {"internal": {"channelMetadata": {"custom": {"timezone": %s}}}}}'


def ms(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def window(start, end, zone):
    return Window(time.fromisoformat(start), time.fromisoformat(end), ZoneInfo(zone))


def on_the_wall(quiet, minute):
    wall = datetime.fromtimestamp(minute / 1000, quiet.zone).time()
    return quiet.start <= wall < quiet.end if quiet.start < quiet.end else wall >= quiet.start or wall < quiet.end


@pytest.mark.parametrize(("zone", "day"), CHANGES)
@pytest.mark.parametrize(
    ("start", "end"),
    [("21:00", "09:00"), ("22:00", "00:00"), ("23:00", "02:30"), ("01:15", "02:15"), ("13:00", "14:00")],
)
def test_quiet_hours_are_those_of_the_clock_on_the_wall_also_when_it_changes(zone, day, start, end):
    quiet = window(start, end, zone)
    first = ms(day) - 1440 * MINUTE
    minutes = range(first, first + 3 * 1440 * MINUTE, MINUTE)
    held = {minute: quiet.holds(minute) for minute in minutes}
    wrong = [minute for minute in minutes if held[minute] != on_the_wall(quiet, minute)]
    # Only an hour that comes twice may be quiet though the wall says otherwise, never the other way round.
    assert all(held[minute] for minute in wrong)
    assert all(twice(quiet.zone, minute) for minute in wrong)
    following, awake_ms = None, 0
    for minute in reversed(minutes):
        if not held[minute]:
            following, awake_ms = minute, awake_ms + MINUTE
        if following is not None and (minute - first) % (7 * MINUTE) == 0:
            assert quiet.ends(minute) == following, datetime.fromtimestamp(minute / 1000, UTC)
    assert quiet.awake_ms(minutes[0], minutes[-1] + MINUTE) == awake_ms


def twice(zone, minute):
    wall = datetime.fromtimestamp(minute / 1000, zone)
    return wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset()


@given(
    at=st.integers(ms("2026-01-01"), ms("2030-01-01")),
    start=st.times(),
    end=st.times(),
    zone=st.sampled_from(sorted({zone for zone, _ in CHANGES})),
)
@example(at=ms("2027-11-07T05:30:00"), start=time(1, 30), end=time(2, 15), zone="America/New_York")
def test_the_end_is_not_quiet_never_before_and_within_a_day_and_an_hour(at, start, end, zone):
    quiet = Window(start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0), ZoneInfo(zone))
    assume(quiet.start != quiet.end)
    ends = quiet.ends(at)
    assert not quiet.holds(ends) or quiet.ends(ends) - at < 25 * 60 * MINUTE
    assert at <= ends < at + 25 * 60 * MINUTE
    assert quiet.holds(at) or not on_the_wall(quiet, at)


def test_a_night_is_an_hour_shorter_when_clocks_go_forward_and_longer_when_they_go_back():
    quiet = window("21:00", "09:00", "Europe/Berlin")
    assert quiet.ends(ms("2027-03-27T20:00")) == ms("2027-03-28T07:00")
    assert quiet.ends(ms("2027-10-30T19:00")) == ms("2027-10-31T08:00")


def test_an_end_that_the_wall_never_shows_is_where_clocks_jump():
    assert window("21:00", "02:30", "Europe/Berlin").ends(ms("2027-03-28T00:30")) == ms("2027-03-28T01:00")


@pytest.mark.parametrize(
    ("channel", "zone"),
    [
        (CHANNEL % '"Europe/Berlin"', "Europe/Berlin"),
        (CHANNEL % '"Mars/Olympus"', None),
        (CHANNEL % '"../../etc/passwd"', None),
        (CHANNEL % '"America"', None),
        (CHANNEL % '""', None),
        (CHANNEL % "7", None),
        (CHANNEL % "null", None),
        (CHANNEL % ('"' + "x" * 5000 + '"'), None),
        ('{"metadata": []}', None),
        ("not JSON", None),
        (None, None),
    ],
)
def test_the_leads_zone_is_read_from_the_channel_metadata_if_it_is_one(channel, zone):
    found = lead_zone(channel, "custom.timezone")
    assert (found.key if found else None) == zone


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("asia/kolkata", "Asia/Kolkata"),
        (" Europe/Berlin ", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("EUROPE/LONDON", "Europe/London"),
        ("UTC+05:30", "UTC+05:30"),
        ("GMT-3", "UTC-03:00"),
        ("+0530", "UTC+05:30"),
        ("(UTC+01:00)", "UTC+01:00"),
        ("UTC\u221203:00", "UTC-03:00"),
        ("utc", "UTC"),
        ("UTC+00:00", "UTC"),
        # These two say it the other way round, by their own standard.
        ("Etc/GMT-5", "Etc/GMT-5"),
        ("UTC+15", None),
        ("UTC+5:99", None),
        ("IST and so on", None),
    ],
)
def test_a_zone_is_read_as_platforms_write_it(written, name):
    found = lead_zone(CHANNEL % json.dumps(written), "custom.timezone")
    assert (name_of(found) if found else None) == name


def test_a_distance_from_utc_makes_a_window():
    rules = QuietHours(start="21:00", end="09:00")
    assert window_of(rules, CHANNEL % '"UTC+05:30"').ends(ms("2027-06-01T16:00")) == ms("2027-06-02T03:30")


@pytest.mark.parametrize(
    ("value", "counts"),
    [('"Mars/Olympus"', True), ("7", True), ('"Asia/Kolkata"', False), ('""', False), ("null", False)],
)
def test_a_zone_that_is_there_and_none_is_told_apart_from_one_that_is_not_there(value, counts):
    rules = QuietHours(start="21:00", end="09:00")
    assert zone_unreadable(rules, CHANNEL % value) is counts
    assert not zone_unreadable(rules, None)
    assert not zone_unreadable(QuietHours(), CHANNEL % value)


def test_the_place_of_the_zone_can_be_set():
    channel = '{"metadata": {"internal": {"channelMetadata": {"user": {"where": {"tz": "Asia/Kolkata"}}}}}}'
    assert lead_zone(channel, "user.where.tz").key == "Asia/Kolkata"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("persona_zone", "America/New_York"), ("do_not_send", ZoneUnknown()), ("no_quiet_hours", None)],
)
def test_what_holds_for_a_lead_without_a_zone_is_a_policy(policy, expected):
    rules = QuietHours(start="21:00", end="09:00", zone="America/New_York", when_zone_unknown=policy)
    found = window_of(rules, None)
    assert (found.zone.key if isinstance(found, Window) else found) == expected
    assert window_of(rules, CHANNEL % '"Europe/Berlin"').zone.key == "Europe/Berlin"


def test_zones_are_there_on_a_machine_that_has_none():
    path = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=())
    try:
        assert ZoneInfo.no_cache("Australia/Lord_Howe").key == "Australia/Lord_Howe"
    finally:
        zoneinfo.reset_tzpath(to=path)


def test_by_default_there_are_no_quiet_hours():
    assert window_of(QuietHours(), CHANNEL % '"Europe/Berlin"') is None


def test_time_awake_leaves_out_the_nights():
    quiet = window("21:00", "09:00", "UTC")
    hours = quiet.awake_ms(ms("2027-06-01T20:00"), ms("2027-06-03T10:30")) / 3_600_000
    assert hours == 1 + 12 + 1.5
    assert timedelta(milliseconds=quiet.awake_ms(ms("2027-06-01T22:00"), ms("2027-06-02T08:00"))) == timedelta(0)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
@pytest.mark.parametrize("at", [253_402_300_800_000, 10**18, -62_135_596_800_001, -(10**18)])
def test_a_moment_without_a_date_is_in_no_quiet_hours(zone, at):
    quiet = window("21:00", "09:00", zone)
    assert (quiet.holds(at), quiet.ends(at), quiet.begins(at)) == (False, at, at)
