"""Notices that a worker is alive but makes no progress, and ends it so that its supervisor starts a new one.

A broker connection that nobody serves any more looks healthy from outside (celery/celery#8030, #10205). What cannot
lie is this: doorbells lie in the queue and no task of this process has started or ended for a long time, although every
call that a task makes has a deadline shorter than that.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from worker.domain.unexpected import UnexpectedErrors
from worker.store import StoreError

_log = logging.getLogger("parley.worker")

# "Software failure" in the list of sysexits.
EXIT_STATUS = 70


class Watchdog:
    """Looks every few seconds. ``sign()`` tells the store that this process lives; ``backlog()`` counts doorbells that
    wait in the broker, and is only asked when nothing has moved for half of ``stuck_seconds``; ``end`` ends the
    process.

    ``end`` None: it only tells, for a process that must not end itself.
    """

    def __init__(
        self,
        backlog: Callable[[], int],
        stuck_seconds: float,
        end: Callable[[int], object] | None = os._exit,
        clock: Callable[[], float] = time.monotonic,
        sign: Callable[[], object] = lambda: None,
    ) -> None:
        self._sign = sign
        self._backlog = backlog
        self.stuck_seconds = stuck_seconds
        self.look_seconds = min(5.0, stuck_seconds / 4)
        self.store_answers = True
        self._end = end
        self._clock = clock
        self._progress_at = clock()
        self._stopped = threading.Event()
        self._unexpected = UnexpectedErrors(_log, "watchdog")

    def progress(self) -> None:
        """A task has started or ended."""
        self._progress_at = self._clock()

    def idle_seconds(self) -> float:
        """Seconds since the last progress; also since the last look at an empty queue, which is as good."""
        return self._clock() - self._progress_at

    def start(self) -> None:
        """Look from now on, in a thread of its own."""
        self.progress()
        threading.Thread(target=self._run, name="parley-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Look no longer."""
        self._stopped.set()

    def look(self) -> bool:
        """One look. True when the process was found stuck (and ended)."""
        try:
            self._tell_the_store()
            waiting = self._backlog() if self.idle_seconds() >= self.stuck_seconds / 2 else None
        except StoreError:
            # Without a broker there is nothing to do; being idle is right.
            self.store_answers = False
            self.progress()
            return False
        self.store_answers = True
        if waiting is None:
            return False
        idle_seconds = self.idle_seconds()
        if not waiting:
            self.progress()
        if not waiting or idle_seconds < self.stuck_seconds or self._end is None:
            return False
        _log.critical(
            "no task for %.0f s while %d doorbells wait: this worker is stuck and ends itself", idle_seconds, waiting
        )
        self._end(EXIT_STATUS)
        return True

    def _tell_the_store(self) -> None:
        try:
            self._sign()
        except StoreError:
            raise
        except Exception as error:
            # A process that cannot sign may be stuck all the same.
            self._unexpected.note(error)

    def _run(self) -> None:
        while not self._stopped.wait(self.look_seconds):
            try:
                self.look()
            except Exception as error:
                self._unexpected.note(error)
