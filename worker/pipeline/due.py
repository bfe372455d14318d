"""The jobs that beat has run. Any number of processes may run each of them at once."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence

from config.settings import Settings
from worker.domain.unexpected import UnexpectedErrors
from worker.domain.vocabulary import OUTREACH
from worker.pipeline.errands import Errands
from worker.pipeline.follow_up_dispatch import Dispatch
from worker.store import Store, StoreError
from worker.store.conversations.agenda import Due
from worker.store.keys import Shard

_log = logging.getLogger("parley.upkeep")

# Doorbells for outreach of one tick are sent in at most this many groups, over this part of the tick.
_GROUPS = 50
_SPREAD = 0.8

# Least time between two looks within a tick. It bounds what they cost a busy store.
_APART_SECONDS = 0.1


class Upkeep:
    """Sends doorbells for what is due, tries closed gates, dispatches follow-ups, removes expired dead letters.

    ``sleep``: makes the pauses between groups of outreach.
    """

    def __init__(self, store: Store, settings: Settings, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self._store = store
        self._dispatch = Dispatch(store, settings)
        self._errands = Errands(store)
        self._dispatching = threading.Lock()
        self._between_ticks = threading.Lock()
        self._tick_seconds = settings.agenda.tick_seconds
        self._unexpected = UnexpectedErrors(_log, "look between two ticks")

    def look(self) -> Due:
        """Find what is due now, with one command to the store. Due work for gates and places is done at once.

        Raises ``WrongLayout``, as all jobs do, when the store was made with another number of shards.
        """
        self._store.layout.ensure()
        due = self._store.agenda.look()
        if due.errands:
            self._errands.run()
        return due

    def ring_due(self, shards: Sequence[Shard] | None = None) -> int:
        """Send a doorbell for every conversation that is due: for leads at once, for outreach spread over most of a
        tick. Returns how many. ``shards``: those with work, as ``look`` has found them; None = find them here."""
        self._store.layout.ensure()
        due = self._store.agenda.claim_due(shards)
        leads = [doorbell for doorbell in due if doorbell[1] != OUTREACH]
        outreach = due[len(leads) :]
        if leads:
            self._store.doorbells.ring(leads)
        # If all these turns began at once, a lead who writes at that moment would wait.
        group = math.ceil(len(outreach) / _GROUPS)
        for start in range(0, len(outreach), group or 1):
            if start:
                self._sleep(_SPREAD * self._tick_seconds * group / len(outreach))
            self._store.doorbells.ring(outreach[start : start + group])
        return len(due)

    def ring_until_next_tick(self, due: Due) -> None:
        """Send doorbells for leads that become due before the next tick, at most 0.1 s after they do. Returns at once:
        a thread of its own waits, so no slot is occupied. Does nothing while this process already does so, or when no
        lead becomes due so soon. ``due``: what ``look`` has found at this tick.
        """
        until = time.monotonic() + self._tick_seconds
        pause = self._next_look(due, until)
        if pause is not None and self._between_ticks.acquire(blocking=False):
            try:
                threading.Thread(target=self._ring_until, args=(until, pause), daemon=True).start()
            except Exception as error:
                # No thread could be started. The work of this tick must still be done, and the next tick tries again.
                self._between_ticks.release()
                self._unexpected.note(error)

    def _ring_until(self, until: float, pause: float | None) -> None:
        try:
            while pause is not None:
                time.sleep(pause)
                due = self._store.agenda.look()
                if due.shards:
                    self._store.doorbells.ring(self._store.agenda.claim_due(due.shards, outreach=False))
                pause = self._next_look(due, until)
        except StoreError as error:
            _log.warning("store unreachable (%s): the next tick sends doorbells for what is due", type(error).__name__)
        except Exception as error:
            self._unexpected.note(error)
        finally:
            self._between_ticks.release()

    @staticmethod
    def _next_look(due: Due, until: float) -> float | None:
        # Of a shard in which something is due now, the look does not say what comes next.
        soonest = 0.0 if due.shards else due.next_seconds
        if soonest is None:
            return None
        pause = max(_APART_SECONDS, soonest)
        return pause if time.monotonic() + pause < until else None

    def plan_follow_ups(self) -> int:
        """Turn due touches into events. Returns how many were accepted: none while this process already does so."""
        self._store.layout.ensure()
        if not self._dispatching.acquire(blocking=False):
            return 0
        try:
            counts = self._dispatch.run()
        finally:
            self._dispatching.release()
        if counts.total():
            said = ", ".join(f"{number} {word}" for word, number in sorted(counts.items()) if number)
            _log.info("follow-ups due: %s", said)
        return counts["accepted"]

    def trim(self) -> int:
        """Remove dead letters whose record has expired, and what is older than it may be. Take conversations off their
        list that had no event for as long as a quiet one is kept. Returns how many letters."""
        self._store.layout.ensure()
        self._store.known.trim()
        self._store.notices.keep()
        self._store.transcripts.trim()
        return self._store.dead_letters.trim()
