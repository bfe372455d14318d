"""What is written already when its turn begins, and what the turn makes of it: pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.domain.event_parts import LeftOut
from worker.domain.reply import Reply

if TYPE_CHECKING:
    from worker.domain.events import StoredEvent


@dataclass(frozen=True, slots=True)
class Written:
    """A follow-up that the persona has written by itself. ``ref``: the name that the persona's server gives it.
    ``handle``: of the lead. Without bubbles nothing of it can be delivered. ``left_out``: what of the bubbles is
    missing, without content."""

    ref: str
    handle: str = field(repr=False)
    bubbles: tuple[str, ...] = field(repr=False)
    left_out: tuple[LeftOut, ...] = ()


def reply_in(event: StoredEvent) -> Reply | None:
    """The reply that an event brings along; None = the persona is asked for it."""
    if event.kind == "operator_message":
        # The persona knows nothing of it, so it says nothing about the persona.
        return Reply((event.text,), mark="")
    return Reply(event.bubbles) if event.kind == "pulled_follow_up" else None
