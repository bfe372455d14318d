"""How long the persona seems to type before each further bubble: pure."""

from __future__ import annotations

import random
from collections.abc import Sequence

from config.settings import Pacing


def pauses(bubbles: Sequence[str], photo: bool, pacing: Pacing, jitter: random.Random) -> tuple[float, ...]:
    """Seconds to wait before each message after the first one, in order; the photo is the last message.

    Empty when there is one message only, or when bubbles are not paced: then one delivery carries everything.
    """
    if not pacing.enabled:
        return ()
    lengths = [len(bubble) for bubble in bubbles] + [0] * photo
    return tuple(round(_pause(length, pacing, jitter), 3) for length in lengths[1:])


def _pause(length: int, pacing: Pacing, jitter: random.Random) -> float:
    typing = min(max(length / pacing.characters_per_second, pacing.minimum_seconds), pacing.maximum_seconds)
    return typing * jitter.uniform(1 - pacing.jitter, 1 + pacing.jitter)
