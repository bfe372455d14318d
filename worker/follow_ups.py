"""When a quiet lead is written to again: pure."""

from __future__ import annotations

from collections.abc import Sequence


def next_follow_up(kind: str, step: int, delays_seconds: Sequence[float]) -> tuple[float, int] | None:
    """Seconds from now until the next follow-up, and its step (0 = the first); None when the cadence is over.

    ``kind``: what was just delivered. ``step``: the conversation's current step. A delivered follow-up moves on to the
    next step; any other delivered reply starts the cadence again.
    """
    upcoming = step + 1 if kind == "follow_up" else 0
    return (delays_seconds[upcoming], upcoming) if upcoming < len(delays_seconds) else None
