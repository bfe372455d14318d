"""Moments as dates, whatever number the store holds."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from worker.domain.moments import as_datetime, as_iso, local

FIRST, LAST = "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.000Z"
YEAR_10000 = 253_402_300_800_000


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_800_000_000_123, "2027-01-15T08:00:00.123Z"),
        (1_800_000_000_000.0, "2027-01-15T08:00:00.000Z"),
        (YEAR_10000 - 1000, LAST),
        (YEAR_10000, LAST),
        pytest.param(10**400, LAST, id="huge"),
        (float("inf"), LAST),
        (-62_135_596_800_000, FIRST),
        (-62_135_596_800_001, FIRST),
        pytest.param(-(10**400), FIRST, id="huge, negative"),
        (float("-inf"), FIRST),
        (float("nan"), FIRST),
    ],
)
def test_each_number_has_a_date(at, shown):
    assert as_iso(at) == shown
    assert as_datetime(at).tzinfo is UTC


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"])
@pytest.mark.parametrize(("at", "year"), [(YEAR_10000, 9999), (10**18, 9999), (-(10**18), 1)])
def test_beyond_the_bounds_a_zone_has_a_date_with_days_around_it(zone, at, year):
    assert local(at, ZoneInfo(zone)).year == year


def test_a_moment_in_a_zone_is_that_moment():
    berlin = local(1_800_000_000_000, ZoneInfo("Europe/Berlin"))
    assert berlin == datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert berlin.hour == 9
