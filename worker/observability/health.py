"""Whether a process makes progress, and whether it could work: what an orchestrator asks. Nothing here calls anything;
it tells what the process already knows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol


class Verdict(NamedTuple):
    """``says``: one sentence, why."""

    good: bool
    says: str


class Health(Protocol):
    """``live``: False = restart this process. ``ready``: False = it cannot work now; restarting it would not help."""

    def live(self) -> Verdict: ...

    def ready(self) -> Verdict: ...


class Progress(Protocol):
    """What notices a worker without progress: ``worker.processes.watchdog.Watchdog``."""

    @property
    def stuck_seconds(self) -> float: ...

    @property
    def store_answers(self) -> bool: ...

    def idle_seconds(self) -> float: ...


class WorkerHealth:
    """Of a worker process. It is live while it starts, and not ready."""

    def __init__(self) -> None:
        self._store_checked: Callable[[], bool] | None = None
        self._progress: Progress | None = None
        self._consuming: Callable[[], bool] | None = None
        self._stopping = False

    def checks_store(self, passed: Callable[[], bool]) -> None:
        """The start-up check has begun; ``passed`` tells whether it was passed."""
        self._store_checked = passed

    def takes_messages(self, progress: Progress, consuming: Callable[[], bool]) -> None:
        """The worker is up. ``consuming``: whether it has its connection to the broker at this moment."""
        self._progress, self._consuming = progress, consuming

    def stops(self) -> None:
        """The worker was told to stop."""
        self._stopping = True

    def live(self) -> Verdict:
        """Whether tasks start or end, as long as there are any."""
        if self._progress is None:
            return Verdict(True, "starting")
        idle_seconds = self._progress.idle_seconds()
        if idle_seconds < self._progress.stuck_seconds:
            return Verdict(True, f"progress {idle_seconds:.0f} s ago, or nothing to do")
        return Verdict(False, f"no progress for {idle_seconds:.0f} s while doorbells wait: restart this worker")

    def ready(self) -> Verdict:
        """Whether it takes doorbells and could run their turns."""
        if self._stopping:
            return Verdict(False, "stopping")
        if self._store_checked is None or not self._store_checked():
            return Verdict(False, "the store has not passed the start-up check yet: see the log, or parley check")
        if self._progress is None or self._consuming is None:
            return Verdict(False, "starting: no connection to the broker yet")
        if not self._consuming():
            return Verdict(False, "the broker is unreachable")
        if not self._progress.store_answers:
            return Verdict(False, "the store is unreachable")
        return Verdict(True, "takes doorbells")


class BeatHealth:
    """Of a scheduler. ``ticked_at()``: when it last looked at its entries, by the monotonic clock. ``store_answers()``:
    as last seen. ``silent_seconds``: longest pause of one that works."""

    def __init__(
        self,
        ticked_at: Callable[[], float],
        store_answers: Callable[[], bool],
        silent_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ticked_at = ticked_at
        self._store_answers = store_answers
        self._silent_seconds = silent_seconds
        self._clock = clock

    def live(self) -> Verdict:
        """Whether it goes round; while the store is unreachable it may wait for the broker, which no restart mends."""
        silence = self._clock() - self._ticked_at()
        if silence < self._silent_seconds:
            return Verdict(True, f"went round {silence:.0f} s ago")
        if not self._store_answers():
            return Verdict(True, f"waits for {silence:.0f} s: the store is unreachable")
        return Verdict(False, f"no round for {silence:.0f} s: restart this scheduler")

    def ready(self) -> Verdict:
        """Whether it goes round and the store answers."""
        if not self._store_answers():
            return Verdict(False, "the store is unreachable")
        return self.live()
