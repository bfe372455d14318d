"""Reads notices all through a chaos run, as a program outside would: by the cursor that the last page gave it."""

from __future__ import annotations

import threading

from simulation.chaos.fates import Fates
from simulation.judge.notices import Notices, Told, judge_notices
from worker.domain.notices import Notice
from worker.store import Store, StoreError

_LOOK_SECONDS = 0.2
_LIMIT = 500


class NoticeReader:
    """Reads in a thread of its own, from the first notice on. ``store``: stays the caller's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notice reader", daemon=True)
        self._cursor = ""
        self._dropped = 0
        self._told: list[Told] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, fates: Fates) -> Notices:
        """Read what is left, and compare it with the fates of all events. Raises ``StoreError``."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        while self._read():
            pass
        return judge_notices(self._told, fates.of_leads, self._dropped, fates.by_operators)

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            try:
                self._read()
            except StoreError:
                # It comes again with the same cursor.
                continue

    def _read(self) -> bool:
        page = self._store.notices.read(self._cursor, _LIMIT)
        # Both at once, as a reader has to that may be killed between them.
        self._told += [_told(notice) for notice in page.notices]
        self._cursor, self._dropped = page.cursor, self._dropped + page.dropped
        return bool(page.notices)


def _told(notice: Notice) -> Told:
    return Told(notice.id, (notice.persona, notice.target), notice.sequence, notice.event_id, notice.fate)
