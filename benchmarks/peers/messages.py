"""The messages of a trial: the same for every contender."""

from __future__ import annotations

from typing import Any

# Persona, target, session id, metadata, text.
Message = tuple[str, str, str, dict[str, Any], str]


def messages(stamp: str, count: int, conversations: int, burst: int = 1) -> list[Message]:
    """``count`` messages of leads to the persona ``ava`` in the order of sending; each text is used once.

    ``stamp``: makes texts and targets different from those of another call. ``burst``: so many messages of one
    conversation come in a row.
    """
    return [_message(stamp, number, (number // burst) % conversations) for number in range(count)]


def _message(stamp: str, number: int, lead: int) -> Message:
    target = f"@lead-{stamp}-{lead}"
    metadata = {"internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel"}}}}
    return "ava", target, f"session-{stamp}-{lead}", metadata, f"message {stamp} {number}"
