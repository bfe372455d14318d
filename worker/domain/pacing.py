"""How long the persona seems to type before each further bubble: pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from config.settings import Pacing
from worker.domain.reply import Reply


def paced(reply: Reply, pacing: Pacing, jitter: random.Random) -> Reply:
    """The reply with the seconds to wait before each message after the first one, in order.

    ``reply``: its ``pauses`` are those that the persona named, if any. A photo takes no typing. No pauses when there
    is one message only, or when bubbles are not paced: then one delivery carries everything.
    """
    if pacing.enabled and pacing.timing == "vendor" and reply.pauses:
        return replace(reply, pauses=tuple(min(pause, pacing.maximum_seconds) for pause in reply.pauses))
    lengths = [0 if place in reply.photos else len(bubble) for place, bubble in enumerate(reply.bubbles)]
    rhythm = _typed(lengths + [0] * bool(reply.photo_url), pacing, jitter)
    return reply if rhythm == reply.pauses else replace(reply, pauses=rhythm)


def _typed(lengths: Sequence[int], pacing: Pacing, jitter: random.Random) -> tuple[float, ...]:
    if not pacing.enabled:
        return ()
    return tuple(round(_pause(length, pacing, jitter), 3) for length in lengths[1:])


def _pause(length: int, pacing: Pacing, jitter: random.Random) -> float:
    typing = min(max(length / pacing.characters_per_second, pacing.minimum_seconds), pacing.maximum_seconds)
    return typing * jitter.uniform(1 - pacing.jitter, 1 + pacing.jitter)
