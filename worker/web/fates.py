"""What became of an event, for the source that has its receipt."""

from __future__ import annotations

from typing import Any

from worker.domain.moments import as_iso
from worker.store import Store
from worker.store.views.event_state import EventState
from worker.web.problems import Problem
from worker.web.receipts import Receipts
from worker.web.sources import Source


class Fates:
    """Reads them. ``of`` blocks: it belongs into a thread, and it may raise ``StoreError``."""

    def __init__(self, store: Store, receipts: Receipts) -> None:
        self._store = store
        self._receipts = receipts

    def of(self, source: Source, receipt: str) -> dict[str, Any]:
        """The state of the event of a receipt. Raises ``Problem`` for one that was not given to this source, and for an
        event whose record has ended."""
        named = self._receipts.open(source.name, receipt)
        state = self._store.event_states.of(*named) if named else None
        if named is None or state is None:
            raise Problem("unknown-receipt", "it is none of this source, or the record of its event has ended")
        return {"receipt": receipt, "event_id": named.event_id, **_told(state)}


def _told(state: EventState) -> dict[str, Any]:
    return {
        "kind": state.kind,
        "status": state.status,
        "cause": state.cause.value if state.cause else None,
        "position": state.position,
        "accepted_at": _moment(state.accepted_at),
        "held_until": _moment(state.held_until),
        "ended_at": _moment(state.ended_at),
        "attempts": {"asked": state.asks, "sent": state.sends},
    }


def _moment(at_ms: int) -> str | None:
    return as_iso(at_ms) if at_ms else None
