"""Figures are those of the values, also of few."""

from __future__ import annotations

import pytest

from benchmarks.samples import median_percentile, slope
from simulation.judge.percentile import percentile


@pytest.mark.parametrize(("share", "wanted"), [(0.0, 1.0), (0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0)])
def test_a_percentile_is_a_value_that_this_share_does_not_exceed(share, wanted):
    assert percentile([float(number) for number in range(100, 0, -1)], share) == wanted


def test_of_one_value_every_percentile_is_that_value_and_of_none_there_is_none():
    assert percentile([3.0], 0.01) == percentile([3.0], 0.99) == 3.0
    with pytest.raises(ValueError, match="nothing came through"):
        percentile([], 0.5)


def test_one_bad_round_does_not_make_the_figure():
    assert median_percentile([[1.0, 2.0], [1.0, 3.0], [1.0, 900.0]], 1.0) == 3.0


def test_a_slope_is_growth_for_each_unit_and_nothing_without_two_moments():
    assert slope([(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)]) == pytest.approx(2.0)
    assert slope([(1.0, 5.0), (1.0, 9.0)]) == slope([]) == 0.0
