"""Stops the outreach of a persona as the end of an opener does that was one too many to go wrong."""

from __future__ import annotations

from worker.domain.vocabulary import Gate
from worker.store import Store
from worker.store.personas.gates import Owner


def stop_outreach(store: Store, persona: str, reason: str) -> None:
    """Openers and follow-ups wait from now on; leads who write are answered."""
    store.gates.close(Owner("persona", persona), Gate.OUTREACH, 0, reason)
