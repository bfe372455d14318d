"""Times as a person says them."""

from __future__ import annotations

import pytest

from worker.cli.times import both, relative, span

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (240, "4 min"),
        (5400, "2 h"),
        (86_400, "24 h"),
        (259_200, "3 days"),
    ],
)
def test_a_span_has_its_largest_fitting_unit(seconds, said):
    assert span(seconds) == said


def test_a_moment_is_said_by_its_distance():
    assert [relative(NOW + ms, NOW) for ms in (0, 240_000, -7_200_000)] == ["now", "in 4 min", "2 h ago"]
    assert both(NOW + 240_000, NOW) == "2027-01-15 08:04:00 UTC (in 4 min)"


def test_any_number_is_said():
    far = 253_402_300_800_000
    assert both(far, NOW) == "9999-12-31 23:59:59 UTC (in 2912064 days)"
    assert both(10**400, far) == "9999-12-31 23:59:59 UTC (now)"
    assert relative(-(10**400), NOW).endswith(" days ago")
