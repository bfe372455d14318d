"""Whether a process makes progress, and whether it can work, for orchestrators. Answers come from memory, without a
call to any service.
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
    """What detects a worker without progress: ``worker.processes.watchdog.Watchdog``."""

    @property
    def stuck_seconds(self) -> float: ...

    @property
    def store_answers(self) -> bool: ...

    def idle_seconds(self) -> float: ...


class WorkerHealth:
    """Health of a worker. While it starts, it is live and not ready."""

    def __init__(self) -> None:
        self._store_checked: Callable[[], bool] | None = None
        self._progress: Progress | None = None
        self._consuming: Callable[[], bool] | None = None
        self._stopping = False

    def checks_store(self, passed: Callable[[], bool]) -> None:
        """The start-up check has begun. ``passed`` returns whether it was passed."""
        self._store_checked = passed

    def takes_messages(self, progress: Progress, consuming: Callable[[], bool]) -> None:
        """The worker has started. ``consuming``: whether it is connected to the broker now."""
        self._progress, self._consuming = progress, consuming

    def stops(self) -> None:
        """The worker is stopping."""
        self._stopping = True

    def live(self) -> Verdict:
        """Whether tasks start or end while there are any."""
        if self._progress is None:
            return Verdict(True, "starting")
        idle_seconds = self._progress.idle_seconds()
        if idle_seconds < self._progress.stuck_seconds:
            return Verdict(True, f"progress {idle_seconds:.0f} s ago, or nothing to do")
        return Verdict(False, f"no progress for {idle_seconds:.0f} s while doorbells wait: restart this worker")

    def ready(self) -> Verdict:
        """Whether it takes doorbells and can run their turns."""
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
    """Health of a scheduler. ``ticked_at()``: monotonic time at which it last sent its tasks. ``store_answers()``:
    whether the store answered last; ``broker_answers()``: whether the broker did. ``silent_seconds``: the longest pause
    between two rounds that counts as live."""

    def __init__(
        self,
        ticked_at: Callable[[], float],
        store_answers: Callable[[], bool],
        broker_answers: Callable[[], bool],
        silent_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ticked_at = ticked_at
        self._store_answers = store_answers
        self._broker_answers = broker_answers
        self._silent_seconds = silent_seconds
        self._clock = clock

    def live(self) -> Verdict:
        """Whether it sends its tasks on time. Without the store it may wait, because a restart would not help."""
        silence = self._clock() - self._ticked_at()
        if silence < self._silent_seconds:
            return Verdict(True, f"went round {silence:.0f} s ago")
        if not self._store_answers():
            return Verdict(True, f"waits for {silence:.0f} s: the store is unreachable")
        return Verdict(False, f"no round for {silence:.0f} s: restart this scheduler")

    def ready(self) -> Verdict:
        """Whether it sends its tasks on time, and store and broker answer."""
        if not self._store_answers():
            return Verdict(False, "the store is unreachable")
        if not self._broker_answers():
            return Verdict(False, "the broker is unreachable, or refuses")
        return self.live()
