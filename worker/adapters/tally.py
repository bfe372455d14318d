"""Counts by name that a process gathers, and hands over every few seconds."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from worker.store import StoreError

_AGAIN_SECONDS = 60.0


class Tally:
    """Safe for threads. ``keep``: takes counts by name; it may raise ``StoreError``, and then gets them again with the
    next ones after a minute. ``clock``: seconds."""

    def __init__(self, keep: Callable[[Mapping[str, int]], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._keep = keep
        self._clock = clock
        self._not_before = 0.0
        self._lock = threading.Lock()
        self._pending: Counter[str] = Counter()

    def count(self, name: str) -> None:
        """Count a name once more."""
        with self._lock:
            self._pending[name] += 1

    def write(self) -> None:
        """Hand over what was counted. Called every few seconds; costs nothing when there is nothing. An error of the
        store is not raised: nothing waits for these counts."""
        if not self._pending or self._clock() < self._not_before:
            return
        with self._lock:
            counts, self._pending = self._pending, Counter()
        try:
            self._keep(counts)
        except StoreError:
            self._not_before = self._clock() + _AGAIN_SECONDS
            with self._lock:
                self._pending += counts
