"""Many measured values in one figure."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that this share (0 to 1) of all does not exceed. Raises ``ValueError`` when there is none."""
    if not values:
        raise ValueError("no value was measured: nothing came through")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
