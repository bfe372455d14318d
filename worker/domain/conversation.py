"""The name of a conversation: the pair (persona, target)."""

from __future__ import annotations

from typing import NamedTuple


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
