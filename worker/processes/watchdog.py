"""Detects that a worker runs but makes no progress, and ends it so that its supervisor starts a new one.

A broker connection that Celery no longer serves looks healthy from outside (celery/celery#8030, #10205). The reliable
sign is this: doorbells wait in the queue, and no task of this process has started or ended for a long time, although
every call of a task has a shorter deadline.
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
    """Checks every few seconds. ``sign()`` reports to the store that this process runs. ``backlog()`` counts doorbells
    that wait in the broker; it is only called after half of ``stuck_seconds`` without progress. ``end`` ends the
    process.

    ``end`` None: the watchdog only reports, in a process that must not end itself.
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
        """Seconds since the last progress. An empty queue counts as progress."""
        return self._clock() - self._progress_at

    def start(self) -> None:
        """Check from now on, in a thread of its own."""
        self.progress()
        threading.Thread(target=self._run, name="parley-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Stop checking."""
        self._stopped.set()

    def look(self) -> bool:
        """Check once. True when the process was found stuck (and ended)."""
        try:
            self._tell_the_store()
            waiting = self._backlog() if self.idle_seconds() >= self.stuck_seconds / 2 else None
        except StoreError:
            # Without a broker or a store there is nothing to do, so an idle process is healthy.
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
            # A process that cannot report may still be stuck.
            self._unexpected.note(error)

    def _run(self) -> None:
        # At once: a worker that is ready has told the store that it lives.
        while not self._stopped.is_set():
            try:
                self.look()
            except Exception as error:
                self._unexpected.note(error)
            self._stopped.wait(self.look_seconds)
