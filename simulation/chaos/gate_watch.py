"""When gates were closed, as anybody sees it who looks into the store several times a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Closing:
    """``owner``: ``persona <name>`` or ``channel``. ``seen_at``, ``until``: the first and the last look that found it
    closed, seconds since 1970: it was closed for at least as long."""

    owner: str
    seen_at: float
    until: float


class GateWatch:
    """Looks in a thread of its own. ``look`` returns the owners whose gate is closed, or raises ``RedisError``."""

    def __init__(self, look: Callable[[], Collection[str]]) -> None:
        self._look = look
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gate watch", daemon=True)
        self._over: list[Closing] = []
        self._open: dict[str, Closing] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> Sequence[Closing]:
        """Look no more. Returns all closings, in the order of their ends."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._see((), 0.0)
        return self._over

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            try:
                closed = self._look()
            except RedisError:
                # What is not known is not held against anybody: the next look begins a new closing.
                closed = ()
            self._see(closed, time.time())

    def _see(self, closed: Collection[str], now: float) -> None:
        for owner in self._open.keys() - set(closed):
            self._over.append(self._open.pop(owner))
        for owner in closed:
            seen = self._open.get(owner)
            self._open[owner] = Closing(owner, seen.seen_at if seen else now, now)
