"""Reads notices all through a chaos run, as a program outside would: by the cursor that the last page gave it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

from simulation.judge.log import Lead
from simulation.judge.notices import Notices, Told, judge_notices
from worker.domain.conversation import Conversation
from worker.domain.notices import Notice
from worker.store import Store, StoreError

_LOOK_SECONDS = 0.2
_LIMIT = 500
_AT_ONCE = 500


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

    def stop(self) -> Notices:
        """Read what is left, and compare it with the fates. Raises ``StoreError``."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        while self._read():
            pass
        return judge_notices(self._told, _fates(self._store), self._dropped)

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


def _fates(store: Store) -> Mapping[Lead, Sequence[tuple[str, str]]]:
    """Of each conversation the events that have ended, in the order of acceptance."""
    found: dict[Lead, list[tuple[int, str, str]]] = {}
    for (lead, event_id), fate, number in _journals(store):
        if fate:
            found.setdefault(lead, []).append((int(number or 0), event_id, fate))
    return {lead: [(event, fate) for _, event, fate in sorted(ended)] for lead, ended in found.items()}


def _journals(store: Store) -> Iterator[tuple[tuple[Lead, str], str, str]]:
    keys = sorted({str(key) for key in store.redis.scan_iter(match="parley:{*}:journal:*", count=_AT_ONCE)})
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        with store.redis.pipeline(transaction=False) as pipeline:
            for key in some:
                pipeline.hmget(key, "fate", "seq")
            for key, (fate, number) in zip(some, pipeline.execute(), strict=True):
                event_id, _, name = key.partition(":journal:")[2].partition(" ")
                persona, target = Conversation.of_name(name)
                yield ((persona, target), event_id), fate or "", number
