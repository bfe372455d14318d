"""What beat runs. Every job may run in any number of places at once."""

from __future__ import annotations

import logging
import math
import time

from config.settings import Settings
from worker.conversation import OUTREACH
from worker.dispatch import Dispatch
from worker.store import Store

_log = logging.getLogger("parley.upkeep")

# Outreach of one tick is rung for in so many groups at most, over this part of the tick.
_GROUPS = 50
_SPREAD = 0.8


class Upkeep:
    """Rings what is due, dispatches follow-ups, forgets what has expired."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._dispatch = Dispatch(store, settings)
        self._tick_seconds = settings.agenda.tick_seconds

    def ring_due(self) -> int:
        """Ring the doorbell of every conversation that is due: leads who wait at once, outreach spread over most of a
        tick. Returns how many."""
        due = self._store.agenda.claim_due()
        leads = [doorbell for doorbell in due if doorbell[1] != OUTREACH]
        outreach = due[len(leads) :]
        if leads:
            self._store.doorbells.ring(leads)
        # So many turns that begin in one moment would make a lead who writes in that moment wait.
        group = math.ceil(len(outreach) / _GROUPS)
        for start in range(0, len(outreach), group or 1):
            if start:
                time.sleep(_SPREAD * self._tick_seconds * group / len(outreach))
            self._store.doorbells.ring(outreach[start : start + group])
        return len(due)

    def plan_follow_ups(self) -> int:
        """Turn next touches that are due into events, or see why not. Returns how many were accepted."""
        counts = self._dispatch.run()
        if counts.total():
            said = ", ".join(f"{number} {word}" for word, number in sorted(counts.items()) if number)
            _log.info("follow-ups due: %s", said)
        return counts["accepted"]

    def trim(self) -> int:
        """Forget dead letters whose record has expired. Returns how many."""
        return self._store.dead_letters.trim()
