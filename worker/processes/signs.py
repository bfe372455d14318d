"""Signs of life of this process in the store, and its goodbye."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress

from worker.domain.unexpected import UnexpectedErrors
from worker.store import StoreError
from worker.store.heartbeats import Processes, Role, Served

_log = logging.getLogger("parley.worker")

_GOODBYE_SECONDS = 1.0


class Signs:
    """Tells the store that this process lives. ``every_seconds()``: until it tells that again. ``serves``: for whom a
    worker works."""

    def __init__(
        self, processes: Processes, role: Role, every_seconds: Callable[[], float], serves: Served | None = None
    ) -> None:
        self._processes = processes
        self._role: Role = role
        self._every_seconds = every_seconds
        self._serves = serves
        # A process that was forked from this one must not say goodbye for it.
        self._pid = os.getpid()
        self._ended = threading.Event()
        self._unexpected = UnexpectedErrors(_log, "signs of life")

    def give(self) -> None:
        """One sign, unless this process has said goodbye. Raises ``StoreError``."""
        if not self._ended.is_set():
            self._processes.sign(self._role, self._every_seconds(), self._serves)

    def start(self, lives: Callable[[], bool]) -> None:
        """Give signs from now on, in a thread of its own, as long as ``lives()`` says so."""
        threading.Thread(target=self._run, args=(lives,), name="parley-signs", daemon=True).start()

    def end(self) -> None:
        """Say goodbye: this process ends in order. Takes a second at most, whatever the store does."""
        if self._ended.is_set() or os.getpid() != self._pid:
            return
        self._ended.set()
        leaving = threading.Thread(target=self._leave, daemon=True)
        leaving.start()
        leaving.join(_GOODBYE_SECONDS)

    def _leave(self) -> None:
        with suppress(StoreError):
            self._processes.leave(self._role)

    def _run(self, lives: Callable[[], bool]) -> None:
        while True:
            try:
                if lives():
                    self.give()
            except StoreError:
                # Who measures the store tells of it.
                pass
            except Exception as error:
                self._unexpected.note(error)
            if self._ended.wait(self._every_seconds()):
                return
