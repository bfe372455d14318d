"""A notice: one thing that became of an event, a conversation or a persona, told to those outside. Never content."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from worker.domain.conversation import Conversation
from worker.domain.handles import Handles
from worker.domain.moments import as_iso


class NoticeType(StrEnum):
    """What a notice tells. Those of events are ``parley.event.<fate>``, or what became of a dead letter."""

    EVENT_ANSWERED = "parley.event.answered"
    EVENT_JOINED = "parley.event.joined"
    EVENT_IGNORED = "parley.event.ignored"
    EVENT_SEALED = "parley.event.sealed"
    EVENT_SKIPPED = "parley.event.skipped"
    EVENT_DEAD = "parley.event.dead"
    EVENT_REPLAYED = "parley.event.replayed"
    EVENT_DISCARDED = "parley.event.discarded"
    CONVERSATION_SEALED = "parley.conversation.sealed"
    CONVERSATION_UNSEALED = "parley.conversation.unsealed"
    CONVERSATION_TAKEN_OVER = "parley.conversation.taken_over"
    CONVERSATION_HANDED_BACK = "parley.conversation.handed_back"
    CONVERSATION_OPTED_OUT = "parley.conversation.opted_out"
    CONVERSATION_OPTED_IN = "parley.conversation.opted_in"
    CONVERSATION_CONSENT_REMOVED = "parley.conversation.consent_removed"
    PERSONA_QUARANTINED = "parley.persona.quarantined"
    PERSONA_HELD = "parley.persona.held"
    PERSONA_RESUMED = "parley.persona.resumed"


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice.

    ``id``: names it and no other. ``at``: milliseconds of the store's clock. ``type``: a ``NoticeType``, or the word of
    a newer release. ``target``: '' when it is about a persona, or about a lead that was forgotten. ``sequence``: grows
    by one with each notice of a conversation, and of a persona. ``cause``: the code of a reason; of a persona's notice
    the gate; '' = none.

    Only of events: ``event_id``; ``kind``, '' = it was refused, and what it was is not known; ``fate``, '' = it has
    none any more, because it was replayed; ``asked`` and ``sent``: attempts; ``accepted_at``, ``ended_at``:
    milliseconds, 0 = none; ``joined``: id of the event that it was asked together with, '' = it was asked by itself.
    """

    id: str
    at: int
    type: str
    persona: str
    target: str
    sequence: int
    cause: str = ""
    event_id: str = ""
    kind: str = ""
    fate: str = ""
    asked: int = 0
    sent: int = 0
    accepted_at: int = 0
    ended_at: int = 0
    joined: str = ""

    @property
    def is_of_event(self) -> bool:
        """Whether it tells what became of an event."""
        return bool(self.event_id)

    def document(self, handles: Handles) -> dict[str, Any]:
        """As JSON, with the same names in each. ``handles``: how leads are shown."""
        return {
            "id": self.id,
            "type": self.type,
            "time": _moment(self.at),
            "persona": self.persona,
            "target": self._target(handles),
            "sequence": self.sequence,
            "event_id": self.event_id or None,
            "kind": self.kind or None,
            "fate": self.fate or None,
            "cause": self.cause or None,
            "attempts": {"asked": self.asked, "sent": self.sent} if self.is_of_event else None,
            "accepted_at": _moment(self.accepted_at),
            "ended_at": _moment(self.ended_at),
            "joined": self.joined or None,
        }

    def _target(self, handles: Handles) -> str | None:
        if not self.target:
            return None
        return Conversation.of_name(handles.shown(Conversation(self.persona, self.target).name)).target


def _moment(at: int) -> str | None:
    return as_iso(at) if at else None
