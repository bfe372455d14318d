"""What beat runs. Every job may run in any number of places at once."""

from __future__ import annotations

import logging

from worker.events import FollowUp
from worker.store import Store

_log = logging.getLogger("parley.upkeep")

FOLLOW_UPS_AT_ONCE = 1000


class Upkeep:
    """Rings what is due, dispatches follow-ups, forgets what has expired."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ring_due(self) -> int:
        """Ring the doorbell of every conversation that is due. Returns how many."""
        due = self._store.agenda.claim_due()
        if due:
            self._store.doorbells.ring(due)
        return len(due)

    def plan_follow_ups(self) -> int:
        """Turn planned follow-ups that are due into events. Returns how many were accepted.

        The event id comes from the plan, so several dispatchers make one event; the plan is checked in the step that
        accepts, so a reply of the lead that was accepted before always wins.
        """
        accepted = 0
        for due in self._store.follow_ups.due(FOLLOW_UPS_AT_ONCE):
            event = FollowUp(event_id=due.event_id, persona=due.conversation.persona, target=due.conversation.target)
            try:
                status = self._store.inbox.accept(event, plan=due.plan).status
            except KeyError:
                _log.warning("follow-up dropped: persona is not configured", extra={"persona": event.persona})
                status = "no_channel"
            if status in ("no_channel", "full"):
                self._store.follow_ups.drop(due.conversation)
            accepted += status == "accepted"
        return accepted

    def trim(self) -> int:
        """Forget dead letters whose record has expired. Returns how many."""
        return self._store.dead_letters.trim()
