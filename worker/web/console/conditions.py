"""How the whole system is, read once for all who look at it at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from config.settings import Settings
from worker.cli.condition import Condition
from worker.cli.session import Session
from worker.cli.status import condition_of
from worker.store import Store

_KEPT_SECONDS = 1.0
# Queues that no worker reads are looked for bit by bit: a page walks over no more keys than this takes.
_WALK_SECONDS = 0.01


class Conditions:
    """Reads the condition, at most once a second however many look. ``clock``: monotonic seconds."""

    def __init__(self, settings: Settings, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._opened = Session(settings, store)
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: Condition | None = None
        self._until = 0.0

    def now(self) -> Condition:
        """The condition, not older than a second. Raises ``StoreError``."""
        with self._lock:
            if self._kept is None or self._clock() >= self._until:
                self._kept = condition_of(self._opened, walk_seconds=_WALK_SECONDS)
                self._until = self._clock() + _KEPT_SECONDS
            return self._kept
