"""What leads write when only the number of messages matters: the same for every system that is tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# Persona, target, session id, metadata, text.
Message = tuple[str, str, str, dict[str, Any], str]


def metadata(**channel: str) -> dict[str, Any]:
    """The metadata of a channel, the smallest that the platform sends. ``channel``: more that it says of itself."""
    return {"internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel", **channel}}}}


def messages(
    stamp: str, count: int, conversations: int, burst: int = 1, personas: Sequence[str] = ("ava",)
) -> list[Message]:
    """``count`` messages of leads in the order of sending; each text is used once.

    ``stamp``: makes texts and targets different from those of another call. ``burst``: so many messages of one
    conversation come in a row.
    """
    made = []
    for number in range(count):
        lead = (number // burst) % conversations
        persona, text = personas[lead % len(personas)], f"message {stamp} {number}"
        made.append((persona, f"@lead-{stamp}-{lead}", f"session-{stamp}-{lead}", metadata(), text))
    return made
