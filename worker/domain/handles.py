"""How a lead is shown in Flower and logs: by the handle or by a hash."""

from __future__ import annotations

import hmac

from config.sections import Privacy

# 32 bits: of 100 000 leads, two share a hash with another one.
_DIGITS = 8


class Handles:
    """Shows conversations as the settings say."""

    def __init__(self, privacy: Privacy) -> None:
        self.hashed = privacy.handles == "hashed"
        self._key = privacy.handle_key.get_secret_value().encode() if privacy.handle_key else b""

    def shown(self, conversation: str) -> str:
        """``ava:@john_doe`` as it is, or as ``ava:#3f9a2c1b``: the same lead has the same hash with every persona."""
        if not self.hashed:
            return conversation
        persona, _, target = conversation.partition(":")
        return f"{persona}:{self.hash_of(target)}"

    def arguments(self, persona: str, target: str) -> str:
        """The arguments of a turn as Flower lists them: ``('ava', '@john_doe')`` or ``('ava', '#3f9a2c1b')``."""
        return repr((persona, self.hash_of(target) if self.hashed else target))

    def hash_of(self, target: str) -> str:
        """``#3f9a2c1b`` for a handle. Without the key, a guessed handle cannot be compared with it."""
        digest = hmac.digest(self._key, target.encode("utf-8", "surrogatepass"), "sha256").hex()
        return f"#{digest[:_DIGITS]}"
