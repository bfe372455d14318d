"""Events of personas that this process does not know: said once an hour, however many there are."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger("parley.turn")

_AGAIN_SECONDS = 3600.0
# Doorbells are messages that others can write too: no more names than this are remembered.
_NAMES = 100


class Unconfigured:
    """Safe for threads. ``clock``: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told_at: dict[str, float] = {}

    def met(self, persona: str) -> None:
        """Log that events of this persona wait, unless that was said within the last hour."""
        now = self._clock()
        with self._lock:
            told_at = self._told_at.get(persona)
            if told_at is not None and now < told_at + _AGAIN_SECONDS:
                return
            self._told_at = {name: at for name, at in self._told_at.items() if now < at + _AGAIN_SECONDS}
            if len(self._told_at) >= _NAMES:
                return
            self._told_at[persona] = now
        _log.error(
            "turn refused: persona is not configured, its events wait; configure it again, or see: parley status",
            extra={"persona": persona},
        )
