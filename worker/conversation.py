"""The name of a conversation: the pair (persona, target)."""

from __future__ import annotations

from typing import NamedTuple

from worker.events import Kind

Lane = str

TURNS: Lane = "turns"
OUTREACH: Lane = "outreach"


class Conversation(NamedTuple):
    """A persona (a configured name, without a colon) and the lead's handle."""

    persona: str
    target: str

    @property
    def name(self) -> str:
        """One text for keys, logs and task arguments; ``of_name`` reads it back."""
        return f"{self.persona}:{self.target}"

    @classmethod
    def of_name(cls, name: str) -> Conversation:
        """The conversation that ``name`` was made from."""
        persona, _, target = name.partition(":")
        return cls(persona, target)


def lane_of(kind: Kind | str) -> Lane:
    """The queue of a conversation whose head is of this kind: ``turns`` when a lead waits, else ``outreach``."""
    return OUTREACH if kind in ("ai_opener", "follow_up") else TURNS
