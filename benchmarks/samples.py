"""Many measured values in few figures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from simulation.judge.percentile import percentile


def median_percentile(rounds: Sequence[Sequence[float]], share: float) -> float:
    """The median over rounds of each round's percentile."""
    return statistics.median(percentile(values, share) for values in rounds)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """By how much the second value grows for each 1 of the first: least squares; 0 with fewer than two moments."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def ms(seconds: float) -> str:
    """Seconds, shown as milliseconds without the unit."""
    return f"{seconds * 1000:.1f}"
