"""How much a source may send: a token bucket."""

from __future__ import annotations

import time
from collections.abc import Callable


class Bucket:
    """Holds ``burst`` tokens and gets ``per_second`` of them. For one thread: the event loop's."""

    def __init__(self, per_second: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._now = now
        self._tokens = self._burst
        self._at = now()

    def take(self, tokens: int) -> float:
        """Take tokens. Returns 0, or the seconds until there are enough; then none was taken.

        More than the bucket can hold are taken when it is full, and the sender waits for all of them afterwards.
        """
        now = self._now()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        missing = min(float(tokens), self._burst) - self._tokens
        if missing > 0:
            return missing / self._per_second
        self._tokens -= tokens
        return 0.0
