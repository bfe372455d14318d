"""How long a notice waits after a failed call, and when an endpoint is given up: pure."""

from __future__ import annotations

import random

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 3600.0
GIVE_UP_SECONDS = 3 * 86_400.0

# Many senders must not come at the same moment to a receiver that has just come back.
_JITTER = 0.1


def pause_seconds(failures: int, retry_after: float | None, jitter: random.Random) -> float:
    """Seconds until the next call.

    ``failures``: in a row, from 1. ``retry_after``: what the receiver asks for, None = nothing; it is obeyed between
    the shortest and the longest pause.
    """
    if retry_after is not None:
        seconds = max(FIRST_SECONDS, retry_after)
    else:
        seconds = FIRST_SECONDS * 2.0 ** min(failures - 1, 30)
    return min(LONGEST_SECONDS, seconds) * (1 + jitter.uniform(0, _JITTER))
