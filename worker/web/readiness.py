"""Whether the ingress can accept events now, for supervisors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from config.settings import SettingsError
from worker.observability.health import Verdict
from worker.store import Store, StoreError

_KEPT_SECONDS = 1.0
# The loop beats once a second.
_STUCK_SECONDS = 30.0


class Readiness:
    """Asks the store, at most once a second. ``clock``: monotonic seconds."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._beat_at = clock()
        self._lock = threading.Lock()
        self._verdict = Verdict(False, "starting")
        self._until = 0.0

    async def beat(self) -> None:
        """The event loop is alive: the server calls this once a second."""
        self.alive()

    def alive(self) -> None:
        """The main thread is alive: a process without a server calls this once a second."""
        self._beat_at = self._clock()

    def live(self) -> Verdict:
        """Whether the event loop is alive. A restart would not bring the store back."""
        silent_seconds = self._clock() - self._beat_at
        if silent_seconds < _STUCK_SECONDS:
            return Verdict(True, "live")
        return Verdict(False, f"no request was looked at for {silent_seconds:.0f} s: restart this web process")

    def ready(self) -> Verdict:
        """The verdict, not older than a second. It blocks while the store is asked."""
        with self._lock:
            if self._clock() >= self._until:
                self._verdict = self._asked()
                self._until = self._clock() + _KEPT_SECONDS
            return self._verdict

    def _asked(self) -> Verdict:
        try:
            self._store.layout.ensure()
            trouble = self._store.refusal()
        except StoreError:
            return Verdict(False, "the store is unreachable")
        except SettingsError:
            return Verdict(False, "the settings do not fit the store: see the log, or parley check")
        return Verdict(False, "the store takes no writes") if trouble else Verdict(True, "accepts events")
