"""Whether the ingress can accept events now, for supervisors."""

from __future__ import annotations

import threading
import time

from config.settings import SettingsError
from worker.observability.health import Verdict
from worker.store import Store, StoreError

_KEPT_SECONDS = 1.0


class Readiness:
    """Asks the store, at most once a second whoever asks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._verdict = Verdict(False, "starting")
        self._until = 0.0

    def live(self) -> Verdict:
        """A process that answers is live: a restart would not bring the store back."""
        return Verdict(True, "live")

    def ready(self) -> Verdict:
        """The verdict, not older than a second. It blocks while the store is asked."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._verdict = self._asked()
                self._until = time.monotonic() + _KEPT_SECONDS
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
